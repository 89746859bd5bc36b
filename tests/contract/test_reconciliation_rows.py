"""What reconciliation reads and writes, on every engine."""

from __future__ import annotations

from msgspec.structs import replace

from building import episode, incident, minutes
from triaged.core.model import ActorKind, CloseReason, State
from triaged.core.suppression import Changes, Hush, Suppression
from triaged.ports.store import Batch
from triaged.store import standing, suppressions
from triaged.store.store import Store

NOW = minutes(2)
SILENCE = Suppression(
    fingerprint="f1",
    source="alertmanager",
    hush=Hush.SILENCE,
    ref="s1",
    by="ann 🦄",
    ends_at=minutes(60),
    comment='it\'s "planned"; DROP TABLE incidents; --',
)
INHIBITION = Suppression(fingerprint="f1", source="alertmanager", hush=Hush.INHIBITION, ref="f9", by="NodeDown")


def save(store: Store, changes: Changes) -> None:
    with store.begin() as transaction:
        transaction.save(Batch(suppressions=changes), NOW)


def test_suppressions_come_back_as_they_were_and_go_when_they_are_over(store: Store) -> None:
    longer = replace(SILENCE, ends_at=minutes(90))
    save(store, {one.key: one for one in (SILENCE, INHIBITION)})
    save(store, {longer.key: longer})
    with store.begin() as transaction:
        assert set(transaction.suppressions("alertmanager")) == {longer, INHIBITION}
        assert transaction.suppressions("eu") == []
    save(store, {INHIBITION.key: None})
    with store.read() as reader:
        firing = episode(fingerprint="f1", ended_at=None)
        assert suppressions.of_episodes(reader.connection, [firing]) == {"f1": (longer,)}
        assert suppressions.of_episodes(reader.connection, [replace(firing, ended_at=NOW)]) == {}


def test_what_is_asked_no_more_is_forgotten(store: Store) -> None:
    other = replace(SILENCE, fingerprint="f2", source="eu")
    save(store, {one.key: one for one in (SILENCE, other)})
    with store.begin() as transaction:
        suppressions.forget_others(transaction.connection, ["eu"])
        assert transaction.suppressions("alertmanager") == []
        assert transaction.suppressions("eu") == [other]


def test_what_goes_on_of_a_source_is_found_also_in_closed_incidents(store: Store) -> None:
    closed = incident(
        id=2,
        state=State.CLOSED,
        alerts=1,
        firing=1,
        closed_at=NOW,
        closed_by="ann",
        closed_by_kind=ActorKind.PERSON,
        close_reason=CloseReason.COMPLETED,
    )
    incidents = (incident(id=1, alerts=3, firing=2), closed)
    episodes = (
        episode(id=1, incident_id=1, fingerprint="f1", ended_at=None),
        episode(id=2, incident_id=1, fingerprint="f2", ended_at=None, source="storm"),
        episode(id=3, incident_id=1, fingerprint="f3", ended_at=NOW),
        episode(id=4, incident_id=2, fingerprint="f4", ended_at=None),
    )
    with store.begin() as transaction:
        batch = Batch(incidents={one.id: one for one in incidents}, episodes={one.id: one for one in episodes})
        transaction.save(batch, NOW)
    with store.read() as reader:
        found = standing.unfinished(reader.connection, "alertmanager")
        assert set(found) == {"f1", "f4"}
        assert (found["f1"].digest, found["f1"].starts_at) == (episodes[0].digest, episodes[0].starts_at)
        assert standing.newest(reader.connection, ["f3", "none"]) == {"f3": episodes[2]}
