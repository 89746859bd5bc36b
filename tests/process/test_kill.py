"""kill -9 on a real daemon: what was answered 2xx is there, and every incident has one issue."""

from __future__ import annotations

import signal
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from fakes.github import FakeGitHub, Held
from process.daemon import Daemon
from waiting import wait_until
from world import alert, body


def test_fifty_identical_deliveries_at_once_from_three_alertmanagers_make_one_issue(tmp_path: Path) -> None:
    with FakeGitHub() as github, Daemon(tmp_path, github=github) as daemon:
        senders = [f"http://am-{number}.example.com" for number in range(3)]
        bodies = [body([alert()], externalURL=senders[number % 3]) for number in range(50)]
        with ThreadPoolExecutor(50) as pool:
            statuses = {answer.status_code for answer in pool.map(daemon.deliver, bodies)}
        assert statuses == {200}
        github.wait_until(lambda fake: len(fake.issues) == 1)
        wait_until(lambda: daemon.metric("triaged_backend_pending") == 0, what="the backlog to be empty")
        assert len(github.creates) == 1
        assert daemon.metric("triaged_episodes_total") == 1


def test_kill_9_between_the_create_and_its_record_leaves_one_issue(tmp_path: Path) -> None:
    with FakeGitHub() as github, Daemon(tmp_path, github=github) as daemon:
        held = github.fail("create_issue", Held(after_commit=True))
        assert daemon.deliver(body([alert()])).status_code == 200
        assert held.arrived.wait(20)
        daemon.end(signal.SIGKILL)
        held.release()
        daemon.start()
        wait_until(lambda: daemon.incidents()[0]["issue"] is not None, seconds=30, what="the issue to be found")
        assert len(github.issues) == 1


@pytest.mark.parametrize("kill_after", [20, 150, 400])
def test_kill_9_under_load_loses_no_alert_that_was_answered(tmp_path: Path, kill_after: int) -> None:
    """Eight senders post new alerts without pause; at the n-th answer the daemon is killed."""
    answered: list[str] = []
    enough = threading.Event()

    def send(sender: int) -> None:
        with httpx.Client(timeout=10, trust_env=False) as client:
            for number in range(10_000):
                name = f"{sender}-{number}"
                content = body([alert(labels={"pod": name, "namespace": f"n{number % 7}"})])
                try:
                    answer = client.post(f"{daemon.url}/api/v1/alerts/alertmanager", content=content)
                except httpx.TransportError:
                    return
                if answer.is_success:
                    answered.append(name)
                if len(answered) >= kill_after:
                    enough.set()

    with Daemon(tmp_path) as daemon:
        senders = [threading.Thread(target=send, args=(number,)) for number in range(8)]
        for thread in senders:
            thread.start()
        assert enough.wait(30)
        daemon.end(signal.SIGKILL)
        for thread in senders:
            thread.join()
        daemon.start()
        with sqlite3.connect(tmp_path / "triaged.db") as store:
            kept = {pod for (pod,) in store.execute("SELECT json_extract(labels, '$.pod') FROM episodes")}
            (problems,) = store.execute(
                "SELECT count(DISTINCT json_extract(labels, '$.namespace')) FROM episodes"
            ).fetchone()
            doubled = store.execute("SELECT fingerprint FROM episodes GROUP BY 1 HAVING count(*) > 1").fetchall()
        store.close()
        assert set(answered) <= kept
        assert not doubled
        assert len(daemon.incidents()) == problems
        files = tmp_path / "incidents"
        wait_until(lambda: len(list(files.glob("INC-*.md"))) == problems, what="a file for each incident")


def test_a_terminated_daemon_answers_what_it_took_and_leaves_one_whole_file(tmp_path: Path) -> None:
    with Daemon(tmp_path) as daemon:
        assert daemon.deliver(body([alert()])).status_code == 200
        assert daemon.end(signal.SIGTERM) == 0
    assert not (tmp_path / "triaged.db-wal").exists() or (tmp_path / "triaged.db-wal").stat().st_size == 0
    with sqlite3.connect(tmp_path / "triaged.db") as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert store.execute("SELECT count(*) FROM episodes").fetchone() == (1,)
    store.close()


def test_a_second_daemon_on_the_same_store_does_not_start(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with Daemon(tmp_path):
        second = Daemon(other, store=f"sqlite:///{tmp_path}/triaged.db")
        with pytest.raises(AssertionError, match="in use by another triaged"):
            second.start()
