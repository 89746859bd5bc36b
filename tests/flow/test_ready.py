"""Readiness: not ready while nothing can be written, whoever asks or sends; ready again by itself afterwards."""

from __future__ import annotations

import json
import resource
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from process.daemon import Daemon
from waiting import wait_until
from world import alert, body


@contextmanager
def no_space(daemon: Daemon) -> Iterator[None]:
    """As if the disk were full: the process may not write to files any more."""
    process = daemon._process
    assert process is not None
    former = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, former[1]))
    try:
        yield
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, former)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("ready")) as one:
        yield one


def rows(daemon: Daemon) -> dict[str, int]:
    """The number of rows of every table."""
    with closing(sqlite3.connect(daemon.folder / "triaged.db")) as store:
        names = [name for (name,) in store.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: store.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}


def is_told(daemon: Daemon) -> bool:
    """Whether all notices have been taken up."""
    with closing(sqlite3.connect(daemon.folder / "triaged.db")) as store:
        waiting: int = store.execute("SELECT count(*) FROM notices WHERE done_at IS NULL").fetchone()[0]
        return not waiting


def test_it_is_not_ready_while_the_disk_is_full_and_ready_again_afterwards(daemon: Daemon) -> None:
    with no_space(daemon):
        for _ in range(2):
            answer = daemon.get("/-/ready")
            assert answer.status_code == 503
            assert "the store cannot be written" in answer.text
        assert daemon.get("/-/healthy").status_code == 200
    assert daemon.get("/-/ready").status_code == 200


def test_an_alert_that_found_the_disk_full_is_503_and_taken_in_when_it_comes_again(daemon: Daemon) -> None:
    content = body([alert("DiskFull")])
    before = rows(daemon)
    with no_space(daemon):
        assert daemon.deliver(content).status_code == 503
        assert daemon.deliver(content).status_code == 503
        assert daemon.get("/-/ready").status_code == 503
    assert rows(daemon) == before
    assert daemon.get("/-/ready").status_code == 200
    assert daemon.deliver(content).json()["alerts"] == {"began": 1}


def test_asking_whether_it_is_ready_leaves_nothing_in_the_store(daemon: Daemon) -> None:
    wait_until(lambda: is_told(daemon), what="the notices of what opened")
    before = rows(daemon)
    for _ in range(3):
        assert daemon.get("/-/ready").status_code == 200
    assert rows(daemon) == before


def test_a_store_whose_tables_are_gone_makes_it_not_ready(daemon: Daemon) -> None:
    with closing(sqlite3.connect(daemon.folder / "triaged.db")) as store:
        store.execute("ALTER TABLE verdicts RENAME TO elsewhere")
        answer = daemon.get("/-/ready")
        store.execute("ALTER TABLE elsewhere RENAME TO verdicts")
    assert answer.status_code == 503
    assert daemon.get("/-/ready").status_code == 200


def test_a_daemon_that_is_told_to_stop_ends_with_0_and_has_nothing_to_complain_of(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        assert daemon.deliver(body([alert()])).status_code == 200
        assert daemon.end(signal.SIGTERM) == 0
    lines = [json.loads(line) for line in daemon.log.read_text().splitlines()]
    assert [line["event"] for line in lines][-1] == "stopped"
    assert not [line for line in lines if line["level"] in ("warning", "error", "critical")]
