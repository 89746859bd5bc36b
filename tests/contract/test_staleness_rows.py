"""What staleness reads and writes, on every engine."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from building import episode, incident, minutes
from triaged.core.model import ActorKind, CloseReason, State
from triaged.core.staleness import Hearing, Listened, Unheard
from triaged.ports.store import Batch
from triaged.store import staleness
from triaged.store.store import Store

NOW = minutes(600)
HEARD = Hearing(
    fingerprint="f1", source="alertmanager", heard_at=minutes(500), gaps=(7_200, 3_600), every_seconds=7_200
)
UNHEARD = Unheard(incident_id=1, since_at=minutes(1), every_seconds=14_400)
CLOSED = {
    "state": State.CLOSED,
    "closed_at": NOW,
    "closed_by": "ann",
    "closed_by_kind": ActorKind.PERSON,
    "close_reason": CloseReason.COMPLETED,
}


def stored(store: Store) -> None:
    """Three alerts that fire in two open incidents, one that ended, one in an incident that is closed."""
    incidents = (incident(id=1, alerts=3, firing=2), incident(id=2, firing=1), incident(id=3, firing=1, **CLOSED))
    episodes = (
        episode(id=1, incident_id=1, fingerprint="f1", ended_at=None, begun_at=minutes(1)),
        episode(id=2, incident_id=1, fingerprint="f2", ended_at=None, begun_at=minutes(2), source="eu"),
        episode(id=3, incident_id=1, fingerprint="f3", ended_at=NOW, begun_at=minutes(3)),
        episode(id=4, incident_id=2, fingerprint="f4", ended_at=None, begun_at=minutes(4)),
        episode(id=5, incident_id=3, fingerprint="f5", ended_at=None, begun_at=minutes(5)),
    )
    with store.begin() as transaction:
        batch = Batch(incidents={one.id: one for one in incidents}, episodes={one.id: one for one in episodes})
        transaction.save(batch, NOW)


def keep(store: Store, *heard: Hearing) -> None:
    with store.begin() as transaction:
        staleness.keep(transaction.connection, heard)


def test_what_was_heard_is_read_as_it_was_written_and_written_over(store: Store) -> None:
    stored(store)
    keep(store, replace(HEARD, gaps=(), every_seconds=None))
    keep(store, HEARD)
    with store.read() as reader:
        found = {one.fingerprint: one for one in staleness.hearings(reader.connection, ["f1", "f2", "f3", "f9"])}
    began = Hearing(fingerprint="f2", source="eu", heard_at=minutes(2))
    assert found == {"f1": HEARD, "f2": began}, "what fires no more, and what nobody knows, is left out"


def test_an_alert_that_began_after_it_was_heard_was_heard_when_it_began(store: Store) -> None:
    stored(store)
    keep(store, replace(HEARD, heard_at=minutes(0)))
    with store.read() as reader:
        (found,) = staleness.hearings(reader.connection, ["f1"])
        listened = dict(staleness.listened(reader.connection, [1]))
    assert found == replace(HEARD, heard_at=minutes(1))
    assert {one.heard_at for one in listened[1]} == {minutes(1), minutes(2)}


def test_incidents_at_work_are_found_with_all_that_fires_in_them(store: Store) -> None:
    stored(store)
    keep(store, HEARD)
    with store.read() as reader:
        ids = staleness.working(reader.connection)
        listened = dict(staleness.listened(reader.connection, ids))
    assert sorted(ids) == [1, 2]
    assert sorted(listened[1], key=lambda one: one.source) == [
        Listened(source="alertmanager", heard_at=minutes(500), every=timedelta(hours=2)),
        Listened(source="eu", heard_at=minutes(2), every=None),
    ]
    assert [one.heard_at for one in listened[2]] == [minutes(4)]


def test_each_source_teaches_its_smallest_and_its_largest_interval(store: Store) -> None:
    keep(
        store,
        HEARD,
        replace(HEARD, fingerprint="f2", every_seconds=60),
        replace(HEARD, fingerprint="f3", every_seconds=None),
        replace(HEARD, fingerprint="f4", source="eu"),
        replace(HEARD, fingerprint="f5", source="us", every_seconds=None),
    )
    with store.read() as reader:
        assert staleness.intervals(reader.connection) == {
            "alertmanager": (timedelta(minutes=1), timedelta(hours=2)),
            "eu": (timedelta(hours=2), timedelta(hours=2)),
        }


def test_what_fires_no_more_is_forgotten_some_time_after_it_was_heard(store: Store) -> None:
    stored(store)
    keep(store, *(replace(HEARD, fingerprint=name) for name in ("f1", "f3", "f9")))
    with store.begin() as transaction:
        assert staleness.forget(transaction.connection, HEARD.heard_at) == 0
        assert staleness.forget(transaction.connection, NOW) == 2
        assert staleness.forget(transaction.connection, NOW) == 0
    with store.read() as reader:
        assert list(staleness.hearings(reader.connection, ["f1"])) == [HEARD]


def test_a_silence_stands_with_its_incident_until_it_is_over_or_nobody_works_on_it(store: Store) -> None:
    stored(store)
    other = replace(UNHEARD, incident_id=2)
    with store.begin() as transaction:
        batch = Batch(unheard={1: UNHEARD, 2: other, 3: replace(UNHEARD, incident_id=3)})
        transaction.save(batch, NOW)
        assert transaction.unheard([1, 9]) == {1: UNHEARD}
    with store.read() as reader:
        found = {number: row.unheard for number in (1, 2, 3) if (row := reader.incident(number))}
        assert found == {1: UNHEARD, 2: other, 3: None}
    with store.begin() as transaction:
        transaction.save(Batch(unheard={2: None}), NOW)
        assert set(transaction.unheard([1, 2, 3])) == {1, 3}
    with store.read() as reader:
        row = reader.incident(2)
    assert row is not None
    assert row.unheard is None
