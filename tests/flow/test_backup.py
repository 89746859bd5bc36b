"""Backup, the rehearsed restore, and one process for one SQLite store."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from building import incident
from triaged.clock import FakeClock
from triaged.errors import ConfigError, StoreError
from triaged.ports.store import Batch, Wanted
from triaged.store.store import Store
from world import START, alert, settings_for, world

OWNER = (
    "import sys; from triaged.store.store import Store; store = Store(sys.argv[1]); store.own();"
    " print('owned', flush=True); sys.stdin.read()"
)
sqlite_file = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


def incidents(store: Store) -> list[str]:
    with store.read() as reader:
        return [row.incident.title for row in reader.incidents(Wanted())]


@sqlite_file
def test_a_backup_made_while_a_writer_writes_is_whole(store: Store, tmp_path: Path) -> None:
    stop, wrote = threading.Event(), threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            pair = {2 * number - 1: incident(id=2 * number - 1), 2 * number: incident(id=2 * number)}
            with store.begin() as transaction:
                transaction.save(Batch(incidents=pair), START)
            wrote.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            assert wrote.wait(20)
            wrote.clear()
            store.backup(tmp_path / f"copy{number}.db")
    finally:
        stop.set()
        writer.join(20)
    sizes = []
    for number in range(5):
        copy = Store(f"sqlite:///{tmp_path}/copy{number}.db")
        with copy.read() as reader:
            sizes.append(len(reader.incidents(Wanted(limit=10**6))))
        copy.close()
    assert all(size > 0 and size % 2 == 0 for size in sizes), "half a transaction was copied"
    assert sizes == sorted(sizes)


def test_a_restored_backup_starts_with_the_same_incidents_and_goes_on(tmp_path: Path) -> None:
    clock = FakeClock(START)
    settings = settings_for(tmp_path)
    with world(settings, clock) as before:
        before.deliver(alert(), alert("InstanceDown", labels={"instance": "a"}))
        before.app.store.backup(tmp_path / "backup.db")
        before.deliver(alert("DiskFull"))
        titles = incidents(before.app.store)
    assert len(titles) == 3
    for file in tmp_path.glob("triaged.db*"):
        file.unlink()
    shutil.copyfile(tmp_path / "backup.db", tmp_path / "triaged.db")
    with world(settings, clock) as after:
        assert incidents(after.app.store) == titles[1:]
        assert after.deliver(alert()).counts == {"unchanged": 1}
        assert after.deliver(alert("DiskFull")).counts == {"began": 1}
        assert incidents(after.app.store) == titles


@sqlite_file
def test_a_backup_is_one_file_that_plain_sqlite_reads(store: Store, tmp_path: Path) -> None:
    with store.begin() as transaction:
        transaction.save(Batch(incidents={1: incident(id=1, title="kept")}), START)
    target = tmp_path / "backups" / "copy.db"
    target.parent.mkdir()
    store.backup(target)
    assert list(target.parent.iterdir()) == [target]
    alone = tmp_path / "elsewhere.db"
    shutil.copyfile(target, alone)
    with closing(sqlite3.connect(alone)) as connection:
        assert connection.execute("SELECT title FROM incidents").fetchall() == [("kept",)]


@sqlite_file
def test_a_backup_never_writes_over_a_file(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    with pytest.raises(StoreError, match="precious exists: expected a new file"):
        store.backup(target)
    assert target.read_text() == "precious"


@sqlite_file
def test_a_backup_into_a_folder_that_is_not_there_says_so(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nowhere"):
        store.backup(tmp_path / "nowhere" / "copy.db")


def test_a_backup_of_a_file_that_is_no_store_fails_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"SQLite format 3\0" + b"x" * 5_000)
    store = Store(f"sqlite:///{tmp_path}/broken.db")
    with pytest.raises(StoreError):
        store.backup(tmp_path / "copy.db")
    store.close()
    assert not (tmp_path / "copy.db").exists()


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_a_backup_of_postgresql_points_to_pg_dump(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="pg_dump"):
        store.backup(tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


@sqlite_file
def test_a_stopped_store_is_one_file(store: Store, tmp_path: Path) -> None:
    with store.begin() as transaction:
        transaction.save(Batch(incidents={1: incident(id=1)}), START)
    store.checkpoint()
    store.close()
    assert [file.name for file in tmp_path.iterdir()] == ["triaged.db"]


# ---------------------------------------------------------------- one process for one store


@pytest.fixture
def owner(store_url: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that owns the store."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, store_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "owned\n"
        yield process
        process.kill()


@sqlite_file
def test_a_second_process_is_refused_and_told_which_file_is_in_use(
    store: Store, owner: subprocess.Popen[str], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=rf"{tmp_path}/triaged\.db is in use by another triaged"):
        store.own()
    assert owner.poll() is None


@sqlite_file
def test_a_store_is_free_again_after_its_owner_was_killed(store: Store, owner: subprocess.Popen[str]) -> None:
    owner.send_signal(signal.SIGKILL)
    owner.wait(20)
    store.own()
    store.own()


@sqlite_file
def test_a_closed_store_is_free_for_another_process(store_url: str) -> None:
    first = Store(store_url)
    first.own()
    first.close()
    done = subprocess.run(
        [sys.executable, "-c", OWNER, store_url], input="", capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "owned\n")


@sqlite_file
def test_a_store_in_use_can_still_be_read_and_backed_up(
    store: Store, owner: subprocess.Popen[str], tmp_path: Path
) -> None:
    assert owner.poll() is None
    assert incidents(store) == []
    store.backup(tmp_path / "copy.db")


@pytest.mark.parametrize("store_url", ["postgres", "memory"], indirect=True)
def test_stores_that_take_several_processes_or_have_none_need_no_lock(store: Store, store_url: str) -> None:
    store.own()
    another = Store(store_url)
    another.own()
    another.close()
