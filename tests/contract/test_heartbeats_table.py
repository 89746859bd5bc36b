"""Series of heartbeats in the store, on every engine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from building import incident
from triaged.core.heartbeats import Beat
from triaged.core.model import Deadline, DeadlineKind
from triaged.ports.store import Batch
from triaged.store import heartbeats
from triaged.store.codec import to_us
from triaged.store.store import Store
from triaged.store.trouble import LATE_AFTER, STUCK_AFTER, trouble

START = datetime(2026, 11, 23, 9, 0, 0, 7, tzinfo=UTC)
BEAT = Beat(name="watchdog", series="s1", labels={"cluster": "eü-1"}, since_at=START)


def saved(store: Store, *beats: Beat, gone: tuple[Beat, ...] = ()) -> list[Beat]:
    with store.begin() as transaction:
        batch = Batch()
        batch.beats = {**{beat.key: beat for beat in beats}, **{beat.key: None for beat in gone}}
        transaction.save(batch, START)
    with store.read() as reader:
        return heartbeats.read(reader.connection)


def test_a_series_is_read_as_it_was_written_and_written_over(store: Store) -> None:
    minute = timedelta(minutes=1)
    other = replace(BEAT, series="s2", seen_at=START, missed_at=START + 7 * minute, failed=True)
    other = replace(other, started_at=START - minute, listened_at=START + 8 * minute)
    assert saved(store, other, BEAT) == [BEAT, other]
    heard = replace(BEAT, seen_at=START + timedelta(microseconds=1))
    assert saved(store, heard) == [heard, other]
    assert saved(store, gone=(heard,)) == [other]
    with store.begin() as transaction:
        assert transaction.beats() == [other]


# ---------------------------------------------------------------- what is stuck


def found(store: Store, now: datetime) -> str:
    with store.read() as reader:
        return trouble(reader.connection, now)


def test_a_deadline_that_passed_and_did_not_act_is_trouble(store: Store) -> None:
    with store.begin() as transaction:
        due = Deadline(incident_id=12, kind=DeadlineKind.RESPONSE, due_at=START)
        transaction.save(Batch(incidents={12: incident()}, deadlines={12: (due,)}), START)
    assert found(store, START + LATE_AFTER) == ""
    assert found(store, START + LATE_AFTER + timedelta(seconds=1)) == "1 deadline passed and did not act"


@pytest.mark.parametrize(("attempts", "stuck"), [(0, ""), (3, "what has waited for the backend for 11 min fails")])
def test_what_the_backend_refuses_for_long_is_trouble_and_what_waits_for_its_turn_is_not(
    store: Store, attempts: int, stuck: str
) -> None:
    with store.begin() as transaction:
        transaction.save(Batch(incidents={12: incident()}), START)
        transaction.connection.exec_driver_sql(
            "INSERT INTO publications (incident_id, rank, wanted, done, wanted_at, due_at, attempts, searches, "
            "operation, created, backend, repository, url, digest, block, labels, closed, failure) "
            f"VALUES (12, 1, 1, 0, {to_us(START)}, {to_us(START)}, {attempts}, 0, "
            "'', 0, '', '', '', '', '', '[]', 0, '')"
        )
    assert found(store, START + STUCK_AFTER) == ""
    assert found(store, START + STUCK_AFTER + timedelta(minutes=1)) == stuck
