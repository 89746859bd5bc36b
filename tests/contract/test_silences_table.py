"""The table of silences that people asked for, on every engine."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace
from sqlalchemy import func, select

from building import incident, minutes
from triaged.core.effects import MakeSilence
from triaged.core.model import Key, State
from triaged.core.silences import Stage
from triaged.core.suppression import Hush, Suppression
from triaged.ports.silences import WantedSilence
from triaged.ports.store import Batch
from triaged.store import queue, schema, silences
from triaged.store.store import Store

NOW = minutes(2)
WANTED = MakeSilence(
    incident_id=12,
    source="alertmanager",
    matchers={"alertname": 'it\'s "slow" 🦄', "namespace": ""},
    by="ann",
    reason="; DROP TABLE silences; --",
    ends_at=minutes(60),
)


def save(store: Store, *wanted: MakeSilence, lifted: tuple[int, ...] = ()) -> int:
    """The number of the newest one."""
    with store.begin() as transaction:
        transaction.save(Batch(silences=list(wanted), lifted=list(lifted)), NOW)
        newest: int = transaction.connection.execute(select(func.max(schema.silences.c.id))).scalar_one()
        return newest


def claim(store: Store, number: int, operation: str = "one", *, after: float = 2) -> WantedSilence | None:
    with store.begin() as transaction:
        return silences.claim(transaction.connection, number, operation, minutes(after))


def front(store: Store, *, after: float = 2) -> int | None:
    with store.read() as reader:
        return silences.front(reader.connection, minutes(after))


def test_what_is_wanted_is_there_as_it_was_asked_for(store: Store) -> None:
    save(store, WANTED)
    with store.read() as reader:
        (row,) = silences.of_incident(reader.connection, 12)
        assert silences.next_due(reader.connection, minutes(1)) == NOW
    assert (row.matchers, row.reason, row.stage, row.asked_at) == (WANTED.matchers, WANTED.reason, Stage.WANTED, NOW)
    assert front(store) == row.id
    assert front(store, after=1) is None


def test_a_claim_keeps_others_away_until_it_ends_and_the_first_mark_stays(store: Store) -> None:
    one = save(store, WANTED)
    first = claim(store, one)
    assert first is not None
    assert (first.intended_at, first.operation) == (None, "one")
    assert claim(store, one, "two") is None
    assert front(store) is None
    again = claim(store, one, "two", after=8)
    assert again is not None
    assert (again.intended_at, again.operation) == (NOW, "one")
    with store.begin() as transaction:
        assert not silences.record(transaction.connection, first, replace(first, stage=Stage.MADE))
        assert not silences.intend(transaction.connection, first, minutes(9))
        assert silences.intend(transaction.connection, again, minutes(9))
        assert silences.record(transaction.connection, again, replace(again, stage=Stage.MADE, ref="s1"))
        assert silences.makers(transaction.connection, ["one", "none"]) == {"one": "ann"}


def test_a_newer_one_goes_before_the_one_that_it_replaces(store: Store) -> None:
    one = save(store, WANTED)
    made = claim(store, one)
    assert made is not None
    with store.begin() as transaction:
        silences.record(transaction.connection, made, replace(made, stage=Stage.MADE, due_at=minutes(60)))
    assert front(store) is None
    newer = save(store, WANTED)
    with store.read() as reader:
        assert [row.stage for row in silences.of_incident(reader.connection, 12)] == [Stage.WANTED, Stage.LIFTING]
    assert front(store) == newer
    claim(store, newer, "two")
    assert front(store) == one


def test_what_is_lifted_while_somebody_makes_it_is_removed_and_its_id_is_known(store: Store) -> None:
    one = save(store, WANTED)
    making = claim(store, one)
    assert making is not None
    save(store, lifted=(12,))
    with store.begin() as transaction:
        after = replace(making, stage=Stage.MADE, ref="s1", due_at=minutes(60))
        assert silences.record(transaction.connection, making, after)
    lifting = claim(store, one)
    assert lifting is not None
    assert (lifting.stage, lifting.ref) == (Stage.LIFTING, "s1")
    with store.begin() as transaction:
        silences.record(transaction.connection, lifting, replace(lifting, stage=Stage.OVER))
    assert front(store, after=600) is None
    with store.read() as reader:
        assert silences.of_incident(reader.connection, 12) == []
        assert silences.next_due(reader.connection, NOW) is None


def test_what_was_certainly_not_sent_need_not_be_looked_for(store: Store) -> None:
    one = save(store, WANTED)
    failed = claim(store, one)
    assert failed is not None
    with store.begin() as transaction:
        silences.record(transaction.connection, failed, replace(failed, attempts=1), unsent=True)
    again = claim(store, one)
    assert again is not None
    assert (again.intended_at, again.attempts) == (None, 1)


def test_what_is_asked_for_and_over_in_one_batch_is_never_made(store: Store) -> None:
    other = save(store, WANTED, replace(WANTED, incident_id=13), lifted=(12,))
    assert front(store) == other


def test_of_several_in_one_batch_only_the_last_of_an_incident_is_made(store: Store) -> None:
    newest = save(store, WANTED, replace(WANTED, incident_id=13), replace(WANTED, by="bob"))
    with store.read() as reader:
        assert [(row.id, row.by) for row in silences.of_incident(reader.connection, 12)] == [(newest, "bob")]
        assert len(silences.of_incident(reader.connection, 13)) == 1


def test_each_source_has_a_front_of_its_own_and_what_is_due_longest_goes_first(store: Store) -> None:
    one, two = save(store, WANTED), save(store, replace(WANTED, incident_id=13, source="eu"))
    three = save(store, replace(WANTED, incident_id=14))
    failed = claim(store, one)
    assert failed is not None
    with store.begin() as transaction:
        silences.record(transaction.connection, failed, replace(failed, due_at=minutes(2.5), attempts=1))
    with store.read() as reader:
        ask = reader.connection
        assert silences.front(ask, minutes(3), source="alertmanager") == three
        assert silences.front(ask, minutes(3), source="eu") == two
        assert silences.front(ask, minutes(3), known=["alertmanager"]) == two
        assert silences.front(ask, minutes(3), known=["alertmanager", "eu"]) is None
        assert silences.next_due(ask, NOW, source="eu") is None
        assert silences.next_due(ask, NOW, source="alertmanager") == minutes(2.5)


def test_a_store_of_our_own_lets_the_claims_of_the_dead_go(store: Store) -> None:
    one = save(store, WANTED)
    claim(store, one)
    with store.begin() as transaction:
        queue.release_all(transaction.connection)
    assert front(store) == one


def test_what_a_silence_acknowledges_is_found_and_its_key(store: Store) -> None:
    until = NOW + timedelta(hours=1)
    ours = incident(
        state=State.ACKNOWLEDGED,
        acknowledged_by="eve",
        acknowledged_until=until,
        by_silence=True,
        silences=("s1", "s2"),
    )
    others = (incident(id=13), replace(ours, id=14, state=State.OPEN))
    key = Key(digest=ours.key, pairs=(("alertname", "Slow"), ("namespace", "")))
    row = Suppression(fingerprint="f", source="alertmanager", hush=Hush.SILENCE, ref="s1", by="eve")
    inhibition = replace(row, hush=Hush.INHIBITION, ref="i")
    with store.begin() as transaction:
        batch = Batch(
            incidents={one.id: one for one in (ours, *others)},
            keys={key.digest: (ours.id, key)},
            suppressions={one.key: one for one in (row, inhibition)},
        )
        transaction.save(batch, NOW)
    with store.begin() as transaction:
        assert transaction.acknowledged_by_silence() == [12]
        assert transaction.incidents([12]) == {12: ours}
        assert transaction.key_pairs(ours.key) == key.pairs
        assert transaction.key_pairs("none") == ()
        assert transaction.silences() == [row]
        assert transaction.silence_makers([]) == {}
