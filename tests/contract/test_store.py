"""What the store promises, on every engine: SQLite in a file, SQLite in memory, PostgreSQL."""

from __future__ import annotations

import string
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Table, func, insert, select, text, update

import building
from building import episode, incident, minutes
from triaged.core.effects import Comment, CommentKind, Tally
from triaged.core.growth import Growth, Refires
from triaged.core.model import (
    ActorKind,
    CloseReason,
    Deadline,
    DeadlineKind,
    Entry,
    Episode,
    Incident,
    Key,
    Severity,
    State,
    TimelineEntry,
)
from triaged.errors import ConfigError, Conflict, StoreError
from triaged.ports.store import AlertRecord, Batch, Counted, Fate, GrowthStep, PendingComment, Publication, Want, Wanted
from triaged.store import queue, retention
from triaged.store import schema as s
from triaged.store.codec import Codec, from_us, to_us
from triaged.store.store import Store
from triaged.store.totals import Totals
from waiting import wait_until

NOW = minutes(2)
KEY = Key(digest="v1:0123456789abcdef", pairs=(("service", "checkout"), ("cluster", "eu-1")))
HOSTILE = (
    "it's \"quoted\" `ticked`; DROP TABLE incidents; -- %s %(x)s ? :p $1 {} \\ \\u0000",
    "Größe ñ Ω 漢字 עברית العربية 👩‍👩‍👧‍👦 🏴󠁧󠁢󠁥󠁮󠁧󠁿 𝕏 \U0010ffff",
    "tab\tnewline\nreturn\rbell\x07escape\x1b delete\x7f nel\x85 separator\u2028 bom\ufeff no-char\uffff",
    "long 🦄 " * 200_000,
    "",
)
two_connections = pytest.mark.parametrize("store_url", ["sqlite", "postgres"], indirect=True)
several_writers = pytest.mark.parametrize("store_url", ["postgres"], indirect=True)


def save(store: Store, at: datetime = NOW, **rows: Any) -> None:
    with store.begin() as transaction:
        transaction.save(Batch(**rows), at)


def rows(store: Store, table: Table) -> list[dict[str, Any]]:
    with store.read() as reader:
        return [dict(row._mapping) for row in reader.connection.execute(select(table))]


def count(store: Store, table: Table) -> int:
    with store.read() as reader:
        return reader.connection.execute(select(func.count()).select_from(table)).scalar_one()


def record(**changes: Any) -> AlertRecord:
    built = AlertRecord(
        delivery="d1",
        received_at=NOW,
        source="alertmanager",
        fingerprint="f" * 32,
        fate=Fate.BEGAN,
        reason="",
        incident_id=12,
        rule_set="rules",
        raw=b'{"labels":{}}',
    )
    return replace(built, **changes)


# ---------------------------------------------------------------- what was saved comes back


def test_what_a_batch_holds_comes_back_as_it_was(store: Store) -> None:
    entries = [building.entry("first"), building.entry("second", entry=Entry.OPENED)]
    due = (
        Deadline(incident_id=12, kind=DeadlineKind.RESPONSE, due_at=minutes(61)),
        Deadline(incident_id=12, kind=DeadlineKind.RESOLUTION, due_at=minutes(481)),
    )
    save(
        store,
        incidents={12: incident()},
        keys={KEY.digest: (12, KEY)},
        episodes={1: episode()},
        records=[record()],
        timeline=entries,
        deadlines={12: due},
    )
    with store.begin() as transaction:
        assert transaction.incidents([12, 13]) == {12: incident()}
        assert transaction.owners([KEY.digest, "v1:other"]) == {KEY.digest: 12}
        assert transaction.last_episodes([episode().fingerprint, "none"]) == {episode().fingerprint: episode()}
    with store.read() as reader:
        found = reader.incident(12)
        assert found is not None
        assert (found.incident, found.address) == (incident(), None)
        assert reader.timeline(12, 10) == entries
        assert reader.deadlines(12) == list(due)
        assert [replace(one, id=0) for one in reader.records(fates=(Fate.BEGAN,), limit=9)] == [record()]


def test_an_incident_saved_again_is_one_row_with_the_newest_values(store: Store) -> None:
    save(store, incidents={12: incident()})
    raised = incident(severity=Severity.SEV1, judged=Severity.SEV1, alerts=3, firing=2, grown=("r#0", "r#1"))
    save(store, incidents={12: raised})
    with store.read() as reader:
        assert [row.incident for row in reader.incidents(Wanted())] == [raised]


def test_an_incident_changed_twice_in_two_transactions_is_read_as_the_second_left_it(store: Store) -> None:
    save(store, incidents={12: incident()})
    with store.begin() as transaction:
        read = transaction.incidents([12])[12]
        transaction.save(Batch(incidents={12: replace(read, alerts=2)}), NOW)
    with store.begin() as transaction:
        assert transaction.incidents([12])[12].alerts == 2


def test_nothing_of_a_transaction_that_fails_stays(store: Store) -> None:
    save(store, incidents={12: incident()})

    def fail() -> None:
        with store.begin() as transaction:
            transaction.save(Batch(incidents={12: incident(alerts=9), 13: incident(id=13)}, records=[record()]), NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with store.begin() as transaction:
        assert transaction.incidents([12, 13]) == {12: incident()}
    assert count(store, s.alert_records) == 0


def test_only_the_newest_episode_of_an_alert_is_its_last(store: Store) -> None:
    ended = episode(ended_at=minutes(5))
    save(store, episodes={1: ended})
    later = replace(episode(id=2), fingerprint=ended.fingerprint)
    save(store, episodes={2: later}, former=[1])
    with store.begin() as transaction:
        assert transaction.last_episodes([ended.fingerprint]) == {ended.fingerprint: later}


def test_many_alerts_are_looked_up_at_once(store: Store) -> None:
    many = {i: episode(id=i) for i in range(1, 1_301)}
    save(store, episodes=many)
    with store.begin() as transaction:
        found = transaction.last_episodes([e.fingerprint for e in many.values()] * 2)
    assert found == {e.fingerprint: e for e in many.values()}


def test_a_verdict_comes_back_with_all_that_it_says(store: Store) -> None:
    said = building.verdict(delay=timedelta(minutes=15), growing=("r#0",), labels=("a", "b"), at_most=Severity.SEV3)
    import_body = s.msgspec_json(said) if hasattr(s, "msgspec_json") else _json(said)
    save(store, verdicts={"v": ("rules", import_body)})
    with store.begin() as transaction:
        assert transaction.verdict("v") == said
        assert transaction.verdict("w") is None


def _json(value: object) -> str:
    import msgspec

    return msgspec.json.encode(value).decode()
