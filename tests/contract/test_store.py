"""What the store promises, on every engine: SQLite in a file, SQLite in memory, PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from enum import Enum
from hashlib import blake2b
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
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
    'it\'s "quoted" `ticked`; DROP TABLE incidents; -- %s %(x)s ? :p $1 {} \\ \\u0000',
    "Größe ñ Ω 漢字 עברית العربية 👩‍👩‍👧‍👦 🏴󠁧󠁢󠁥󠁮󠁧󠁿 𐍈 \U0010ffff",
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
    save(store, verdicts={"v": ("rules", msgspec.json.encode(said).decode())})
    with store.begin() as transaction:
        assert transaction.verdict("v") == said
        assert transaction.verdict("w") is None


def test_deadlines_are_replaced_as_a_whole(store: Store) -> None:
    kinds = (DeadlineKind.RESPONSE, DeadlineKind.RESOLUTION)
    save(store, deadlines={12: tuple(Deadline(incident_id=12, kind=kind, due_at=NOW) for kind in kinds)})
    left = Deadline(incident_id=12, kind=DeadlineKind.VERIFICATION, due_at=minutes(9))
    save(store, deadlines={12: (left,)})
    with store.read() as reader:
        assert reader.deadlines(12) == [left]
    save(store, deadlines={12: ()})
    with store.read() as reader:
        assert reader.next_due() is None


def test_deadlines_are_due_at_their_instant_and_oldest_first(store: Store) -> None:
    def due(number: int, at: float) -> Deadline:
        return Deadline(incident_id=number, kind=DeadlineKind.RESPONSE, due_at=minutes(at))

    save(store, deadlines={1: (due(1, 30),), 2: (due(2, 10),), 3: (due(3, 20),)})
    with store.read() as reader:
        assert reader.next_due() == due(2, 10)
        assert reader.due(minutes(20), 10) == [due(2, 10), due(3, 20)]
        assert reader.due(minutes(20) - timedelta(microseconds=1), 10) == [due(2, 10)]
        assert reader.due(minutes(60), 1) == [due(2, 10)]


def test_files_are_kept_once_with_their_first_use(store: Store) -> None:
    for at in (NOW, minutes(9)):
        with store.begin() as transaction:
            transaction.keep_files("rule_sets", "hash", {"triage.yaml": "rules: [] # é"}, at)
            transaction.keep_files("policies", "hash", {"severities.yaml": "sev1: …"}, at)
    assert [(row["hash"], row["first_used_at"]) for row in rows(store, s.rule_sets)] == [("hash", to_us(NOW))]
    with store.begin() as transaction:
        assert transaction.policy_files("hash") == {"severities.yaml": "sev1: …"}
        assert transaction.policy_files("other") is None
    with store.read() as reader:
        assert reader.policy_files("hash") == {"severities.yaml": "sev1: …"}


def test_a_forgotten_record_is_gone_and_the_others_stay(store: Store) -> None:
    save(store, records=[record(fate=Fate.FAILED), record(fate=Fate.FAILED, delivery="d2")])
    with store.read() as reader:
        newest, oldest = reader.records(fates=(Fate.FAILED,), limit=9)
    assert (newest.delivery, oldest.delivery) == ("d2", "d1")
    with store.begin() as transaction:
        transaction.forget_record(oldest.id)
    with store.read() as reader:
        assert reader.records(fates=(Fate.FAILED,), limit=9) == [newest]


@pytest.mark.parametrize("text_", HOSTILE, ids=["markup", "scripts", "controls", "long", "empty"])
def test_hostile_text_survives_to_the_letter(store: Store, text_: str) -> None:
    hostile = incident(title=text_, because=(text_, text_), summary=text_, chosen_by=text_, labels=(text_,))
    fired = replace(episode(labels={"alertname": text_, "x": text_}, annotations={"a": text_}), generator_url=text_)
    told = building.entry(text_)
    raw = record(reason=text_, raw=text_.encode() + bytes(range(256)))
    save(
        store,
        incidents={12: hostile},
        episodes={1: fired},
        timeline=[told],
        records=[raw],
        tallies=[Tally(metric="odd_total", labels={"team": text_[:2_000]})],
    )
    with store.read() as reader:
        assert [row.incident for row in reader.incidents(Wanted())] == [hostile]
        assert reader.episodes(12, firing=True, limit=9) == [fired]
        assert reader.timeline(12, 9) == [told]
        assert [replace(one, id=0) for one in reader.records(fates=(Fate.BEGAN,), limit=9)] == [raw]
        assert reader.totals() == [Counted(metric="odd_total", labels={"team": text_[:2_000]}, value=1.0)]


@pytest.mark.parametrize("year", [1, 1900, 1970, 2038, 9999])
def test_instants_of_any_year_survive_to_the_microsecond(store: Store, year: int) -> None:
    odd = datetime(year, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    save(store, incidents={12: incident(started_at=odd, resolution_due_at=odd)}, episodes={1: episode(starts_at=odd)})
    with store.read() as reader:
        (row,) = reader.incidents(Wanted())
        (found,) = reader.episodes(12, firing=True, limit=1)
    assert (row.incident.started_at, row.incident.resolution_due_at, found.starts_at) == (odd, odd, odd)


# ---------------------------------------------------------------- the database states its invariants itself


REFUSED: dict[str, tuple[Table, dict[str, Any]]] = {
    "an unknown state": (s.incidents, {"state": "sleeping"}),
    "an unknown severity": (s.incidents, {"severity": "sev0"}),
    "an unknown judgement": (s.incidents, {"judged": "high"}),
    "an unknown close reason": (s.incidents, {"close_reason": "boredom"}),
    "an unknown response outcome": (s.incidents, {"response_outcome": "lucky"}),
    "an unknown resolution outcome": (s.incidents, {"resolution_outcome": "lucky"}),
    "less than nothing firing": (s.incidents, {"firing": -1}),
    "more firing than there are alerts": (s.incidents, {"firing": 2}),
    "open without opened_at": (s.incidents, {"opened_at": None}),
    "closed without closed_at": (s.incidents, {"state": "closed"}),
    "closed_at while open": (s.incidents, {"closed_at": 1}),
    "verifying without restored_at": (s.incidents, {"state": "verifying"}),
    "resolved without restored_at": (s.incidents, {"state": "resolved"}),
    "no title": (s.incidents, {"title": None}),
    "an episode of unknown severity": (s.episodes, {"severity": "sev5"}),
    "a former episode that goes on": (s.episodes, {"last": 0}),
    "an unknown fate": (s.alert_records, {"fate": "eaten"}),
    "a key without an owner": (s.incident_keys, {"incident_id": 99}),
}


@pytest.mark.parametrize(("table", "change"), REFUSED.values(), ids=REFUSED.keys())
def test_the_database_refuses_what_must_not_be(store: Store, table: Table, change: Mapping[str, Any]) -> None:
    save(store, incidents={12: incident()}, episodes={1: episode()}, records=[record()], keys={KEY.digest: (12, KEY)})
    with pytest.raises(Conflict), store.begin() as transaction:
        transaction.connection.execute(update(table).values(**change))
    assert change.items() & set(rows(store, table)[0].items()) == set()


def test_an_alert_has_at_most_one_unfinished_episode(store: Store) -> None:
    save(store, episodes={1: episode()})
    with pytest.raises(Conflict):
        save(store, episodes={2: replace(episode(id=2), fingerprint=episode().fingerprint)})
    assert count(store, s.episodes) == 1


def test_a_key_has_at_most_one_unfinished_incident(store: Store) -> None:
    save(store, incidents={12: incident()}, keys={KEY.digest: (12, KEY)})
    with store.begin() as transaction:
        assert transaction.owners([KEY.digest]) == {KEY.digest: 12}
    with pytest.raises(Conflict), store.begin() as transaction:  # noqa: PT012 - the transaction is what fails
        transaction.owners([KEY.digest])
        transaction.save(Batch(incidents={13: incident(id=13)}, keys={KEY.digest: (13, KEY)}), NOW)
    assert count(store, s.incidents) == 1


def test_a_key_that_nobody_looked_up_is_not_taken_from_its_owner(store: Store) -> None:
    closed = incident(state=State.CLOSED, closed_at=NOW, firing=0)
    save(store, incidents={12: closed}, keys={KEY.digest: (12, KEY)})
    with pytest.raises(Conflict):
        save(store, incidents={13: incident(id=13)}, keys={KEY.digest: (13, KEY)})


def test_a_key_passes_to_a_new_incident_when_its_owner_has_ended(store: Store) -> None:
    save(store, incidents={12: incident()}, keys={KEY.digest: (12, KEY)})
    closed = incident(state=State.CLOSED, closed_at=NOW, firing=0)
    with store.begin() as transaction:
        transaction.owners([KEY.digest])
        transaction.save(
            Batch(incidents={12: closed, 13: incident(id=13)}, keys={KEY.digest: (13, KEY)}),
            NOW,
        )
    with store.begin() as transaction:
        assert transaction.owners([KEY.digest]) == {KEY.digest: 13}


def test_an_incident_may_be_given_its_own_key_again(store: Store) -> None:
    for _ in range(2):
        with store.begin() as transaction:
            transaction.owners([KEY.digest])
            transaction.save(Batch(incidents={12: incident()}, keys={KEY.digest: (12, KEY)}), NOW)
    assert count(store, s.incident_keys) == 1


def test_a_comment_of_one_key_is_wanted_once(store: Store) -> None:
    said = Comment(incident_id=12, kind=CommentKind.RESOLVED, key="resolved:1", text="first")
    save(store, comments=[(said, Severity.SEV2), (said, Severity.SEV2)])
    save(store, comments=[(replace(said, text="second"), Severity.SEV2)])
    assert [row["text"] for row in rows(store, s.comments)] == ["first"]


# ---------------------------------------------------------------- what the writer remembers


def test_who_owns_a_key_is_known_after_the_commit_and_not_before(store: Store) -> None:
    save(store, incidents={12: incident()})
    with suppress(ZeroDivisionError), store.begin() as transaction:
        transaction.save(Batch(keys={KEY.digest: (12, KEY)}), NOW)
        assert transaction.owners([KEY.digest]) == {KEY.digest: 12}
        raise ZeroDivisionError
    with store.begin() as transaction:
        assert transaction.owners([KEY.digest]) == {}
    save(store, keys={KEY.digest: (12, KEY)})
    for _ in range(2):
        with store.begin() as transaction:
            assert transaction.owners([KEY.digest, "v1:other"]) == {KEY.digest: 12}


def test_a_key_has_no_owner_any_more_when_its_incident_is_forgotten(store: Store) -> None:
    closed = incident(state=State.CLOSED, firing=0, restored_at=minutes(5), closed_at=minutes(10))
    save(store, incidents={12: closed}, keys={KEY.digest: (12, KEY)})
    with store.begin() as transaction:
        assert transaction.owners([KEY.digest]) == {KEY.digest: 12}
        assert transaction.forget_incidents(minutes(20)) == 1
    with store.begin() as transaction:
        assert transaction.owners([KEY.digest]) == {}
        assert transaction.incidents([12]) == {}
        transaction.save(Batch(incidents={13: incident(id=13)}, keys={KEY.digest: (13, KEY)}), NOW)
        assert transaction.owners([KEY.digest]) == {KEY.digest: 13}


@several_writers
def test_a_key_that_another_replica_took_over_is_seen_at_once(store_url: str) -> None:
    one, other = Store(store_url, replica="one"), Store(store_url, replica="other")
    closed = incident(state=State.CLOSED, firing=0, restored_at=minutes(5), closed_at=minutes(10))
    save(one, incidents={12: closed, 13: incident(id=13)}, keys={KEY.digest: (12, KEY)})
    for store in (one, other):
        with store.begin() as transaction:
            assert transaction.owners([KEY.digest]) == {KEY.digest: 12}
    with other.begin() as transaction:
        transaction.owners([KEY.digest])
        transaction.save(Batch(keys={KEY.digest: (13, KEY)}), NOW)
    with one.begin() as transaction:
        assert transaction.owners([KEY.digest]) == {KEY.digest: 13}
    one.close()
    other.close()


def test_a_transaction_that_failed_does_not_hinder_the_next_one(store: Store) -> None:
    for _ in range(3):
        with pytest.raises(Conflict), store.begin() as transaction:
            transaction.save(Batch(incidents={12: incident(opened_at=None)}), NOW)
    save(store, incidents={12: incident()})
    assert count(store, s.incidents) == 1


# ---------------------------------------------------------------- ids


@pytest.mark.parametrize("of", ["incident", "episode"])
def test_no_id_is_given_twice(store: Store, of: str) -> None:
    given_: list[int] = []
    for _ in range(3):
        with store.begin() as transaction:
            given_ += [transaction.next_id(of) for _ in range(300)]
        with suppress(ZeroDivisionError), store.begin() as transaction:
            transaction.next_id(of)
            raise ZeroDivisionError
    assert len(set(given_)) == 900
    assert given_ == sorted(given_)


def test_incidents_are_numbered_from_one_without_gaps(store: Store) -> None:
    for number in (1, 2, 3):
        with store.begin() as transaction:
            assert transaction.next_id("incident") == number


def test_ids_that_were_drawn_in_vain_are_drawn_again_or_lost_but_never_given_twice(store: Store) -> None:
    with store.begin() as transaction:
        first = transaction.next_id("episode")
    with suppress(ZeroDivisionError), store.begin() as transaction:
        for _ in range(1_000):
            transaction.next_id("episode")
        raise ZeroDivisionError
    with store.begin() as transaction:
        after = [transaction.next_id("episode") for _ in range(1_000)]
    assert len({first, *after}) == 1_001


@two_connections
def test_a_reopened_store_goes_on_numbering_even_where_rows_are_gone(store_url: str) -> None:
    given_ = []
    for _ in range(3):
        store = Store(store_url)
        with store.begin() as transaction:
            given_ += [transaction.next_id("incident"), transaction.next_id("episode")]
        store.close()
    assert given_[0::2] == [1, 2, 3]
    assert len(set(given_[1::2])) == 3


# ---------------------------------------------------------------- growth


GROWN = Growth(ref="r#0", rule="r")


class Growing:
    """An incident whose alerts join and leave a condition."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def step(self, number: int, at: float = 0, *, began: bool = True, refires: bool = False, **values: str) -> None:
        step = GrowthStep(
            incident_id=12,
            ref="r#0",
            episode_id=number,
            since_at=minutes(at),
            values=values,
            refires=refires,
            began=began,
        )
        save(self.store, minutes(at), growth=[step])

    def holds(self, at: float = 0, **asked: Any) -> tuple[bool, datetime | None]:
        with self.store.begin() as transaction:
            return transaction.growth_holds(12, replace(GROWN, **asked), minutes(at))


@pytest.fixture
def growing(store: Store) -> Growing:
    return Growing(store)


def test_a_number_of_alerts_holds_exactly_at_its_threshold(growing: Growing) -> None:
    growing.step(1)
    growing.step(2)
    growing.step(2)
    assert growing.holds(alerts=3) == (False, None)
    growing.step(3)
    assert growing.holds(alerts=3) == (True, None)
    growing.step(1, began=False)
    assert growing.holds(alerts=3) == (False, None)
    assert growing.holds(alerts=2) == (True, None)


def test_different_values_are_counted_and_equal_ones_are_not(growing: Growing) -> None:
    for number, pod in enumerate(("a", "b", "b", "B")):
        growing.step(number, pod=pod, node="n")
    assert growing.holds(distinct={"pod": 3}) == (True, None)
    assert growing.holds(distinct={"pod": 4}) == (False, None)
    assert growing.holds(distinct={"pod": 3, "node": 2}) == (False, None)


def test_a_value_counts_until_the_last_alert_with_it_ends(growing: Growing) -> None:
    for number, pod in enumerate(("a", "b", "b")):
        growing.step(number, pod=pod)
    growing.step(1, began=False, pod="b")
    assert growing.holds(distinct={"pod": 2}) == (True, None)
    growing.step(2, began=False, pod="b")
    assert growing.holds(distinct={"pod": 2}) == (False, None)


def test_values_that_differ_only_at_their_ends_are_different(growing: Growing) -> None:
    noise = "".join(blake2b(bytes([i])).hexdigest() for i in range(100))  # nothing that could be compressed
    for number in range(3):
        growing.step(number, pod=f"{noise}{number}")
    assert growing.holds(distinct={"pod": 3}) == (True, None)
    assert growing.holds(distinct={"pod": 4}) == (False, None)
    growing.step(0, began=False, pod=f"{noise}0")
    assert growing.holds(distinct={"pod": 3}) == (False, None)


def test_refires_count_within_their_span_alone(growing: Growing) -> None:
    asked = {"refires": Refires(count=3, within=timedelta(minutes=60))}
    growing.step(1, 0)
    for number, at in ((2, 0), (3, 30), (4, 60)):
        growing.step(number, at, refires=True)
    assert growing.holds(60, **asked) == (True, None)
    assert growing.holds(60.001, **asked) == (False, None)


def test_refires_count_after_their_alerts_have_ended_again(growing: Growing) -> None:
    for number, at in ((2, 0), (3, 1), (4, 2)):
        growing.step(number, at, refires=True)
    for number in (2, 3):
        growing.step(number, 2, began=False)
    assert growing.holds(3, refires=Refires(count=3, within=timedelta(hours=1))) == (True, None)


def test_nothing_holds_while_no_alert_counts(growing: Growing) -> None:
    assert growing.holds(alerts=0) == (False, None)
    growing.step(1, refires=True)
    growing.step(1, began=False)
    assert growing.holds(refires=Refires(count=1, within=timedelta(hours=1))) == (False, None)


def test_time_holds_at_its_instant_and_is_told_before(growing: Growing) -> None:
    growing.step(1, 5)
    growing.step(2, 7)
    asked = {"firing_for": timedelta(minutes=10)}
    assert growing.holds(7, **asked) == (False, minutes(15))
    assert growing.holds(15, **asked) == (True, None)
    growing.step(1, 8, began=False)
    assert growing.holds(15, **asked) == (False, minutes(17))


def test_time_is_waited_for_only_when_all_else_holds(growing: Growing) -> None:
    asked = {"alerts": 2, "firing_for": timedelta(minutes=10)}
    growing.step(1)
    assert growing.holds(1, **asked) == (False, None)
    growing.step(2, 1)
    assert growing.holds(1, **asked) == (False, minutes(10))


def test_conditions_of_other_incidents_do_not_count(store: Store, growing: Growing) -> None:
    growing.step(1)
    other = GrowthStep(
        incident_id=13, ref="r#0", episode_id=2, since_at=NOW, values={"pod": "b"}, refires=False, began=True
    )
    save(store, growth=[other, replace(other, incident_id=12, ref="r#1")])
    assert growing.holds(alerts=2) == (False, None)
    with store.begin() as transaction:
        assert sorted(transaction.growth_refs(12)) == ["r#0", "r#1"]


def test_the_different_verdicts_of_members_come_with_the_newest_first(store: Store, growing: Growing) -> None:
    for number, at in ((1, 5), (2, 9), (3, 7), (4, 6)):
        named = min(number, 3)
        said = building.verdict(matched=(f"rule-{named}",))
        save(
            store,
            episodes={number: episode(id=number, verdict=f"v{named}", starts_at=minutes(at))},
            verdicts={f"v{named}": ("rules", msgspec.json.encode(said).decode())},
        )
        growing.step(number, at)
    with store.begin() as transaction:
        found = transaction.member_verdicts(12, "r#0")
        assert transaction.member_verdicts(12, "r#9") == []
    assert [verdict.matched for verdict in found] == [("rule-2",), ("rule-3",), ("rule-1",)]


def test_of_one_alert_the_last_step_of_a_batch_says_whether_it_counts(store: Store, growing: Growing) -> None:
    joins = GrowthStep(
        incident_id=12, ref="r#0", episode_id=1, since_at=NOW, values={"pod": "a"}, refires=False, began=True
    )
    leaves = replace(joins, began=False)
    save(store, growth=[joins, leaves, joins])
    assert growing.holds(alerts=1, distinct={"pod": 1}) == (True, None)
    save(store, growth=[leaves, joins, leaves])
    assert growing.holds(alerts=1) == (False, None)
    assert growing.holds(distinct={"pod": 1}) == (False, None)


# ---------------------------------------------------------------- totals


def test_totals_sum_over_replicas(store: Store) -> None:
    tally = Tally(metric="episodes_total", labels={"source": "alertmanager"})
    save(store, tallies=[tally, tally])
    with store.begin() as transaction:
        driver: Any = transaction.connection.connection.driver_connection
        with closing(driver.cursor()) as cursor:
            Totals(transaction.connection.dialect, "two").save(cursor, [tally])
    assert count(store, s.totals) == 2
    with store.read() as reader:
        assert reader.totals() == [Counted(metric="episodes_total", labels={"source": "alertmanager"}, value=3.0)]


def test_totals_do_not_depend_on_the_order_of_labels(store: Store) -> None:
    save(store, tallies=[Tally(metric="m_total", labels={"a": "1", "b": "2"})])
    save(store, tallies=[Tally(metric="m_total", labels={"b": "2", "a": "1"})])
    with store.read() as reader:
        assert [one.value for one in reader.totals()] == [2.0]


def test_a_duration_on_a_bound_counts_in_that_bucket(store: Store) -> None:
    metric = "incident_acknowledge_duration_seconds"
    save(store, tallies=[Tally(metric=metric, labels={}, seconds=float(v)) for v in (900, 900.5, 9e9)])
    with store.read() as reader:
        found = {(one.metric, one.labels.get("le")): one.value for one in reader.totals()}
    assert found == {
        (f"{metric}_bucket", "900"): 1.0,
        (f"{metric}_bucket", "1800"): 1.0,
        (f"{metric}_count", None): 3.0,
        (f"{metric}_sum", None): 9e9 + 1800.5,
    }


# ---------------------------------------------------------------- the queue to the backend


def want(store: Store, number: int, severity: Severity = Severity.SEV2, at: datetime = NOW, **more: Any) -> None:
    save(store, at, wants={number: Want(severity=severity, urgent=more.get("urgent", False))})


def claim(store: Store, number: int, at: datetime = NOW, operation: str = "op") -> Publication | None:
    with store.begin() as transaction:
        return queue.claim_publication(transaction.connection, number, operation, at)


def publish(store: Store, claimed: Publication, at: datetime = NOW, **changes: Any) -> bool:
    with store.begin() as transaction:
        return queue.record_publication(
            transaction.connection, claimed, {"done": claimed.wanted, "created": 1, "due_at": to_us(at), **changes}
        )


def fronts(store: Store, at: datetime = NOW) -> list[tuple[str, int]]:
    with store.read() as reader:
        return [(waiting.write.value, waiting.id) for waiting in queue.front(reader.connection, at)]


def publication(store: Store, number: int) -> Publication:
    with store.read() as reader:
        found = queue.publication_of(reader.connection, number)
    assert found is not None
    return found


def created(store: Store, number: int, severity: Severity = Severity.SEV2) -> None:
    want(store, number, severity)
    claimed = claim(store, number)
    assert claimed is not None
    publish(store, claimed)


def test_a_second_claimer_gets_nothing_until_the_lease_has_passed(store: Store) -> None:
    want(store, 12)
    first = claim(store, 12, operation="first")
    assert first is not None
    assert claim(store, 12) is None
    assert claim(store, 12, NOW + queue.LEASE) is None
    assert fronts(store) == []
    second = claim(store, 12, NOW + queue.LEASE + timedelta(microseconds=1), "second")
    assert second is not None
    assert second.operation == "first"
    assert second.intended_at == NOW


def test_a_late_result_of_a_lost_claim_is_refused(store: Store) -> None:
    want(store, 12)
    first = claim(store, 12)
    later = NOW + 2 * queue.LEASE
    second = claim(store, 12, later)
    assert first is not None
    assert second is not None
    assert not publish(store, first, number=1)
    assert publish(store, second, number=2)
    assert publication(store, 12).number == 2
    assert not publish(store, second, number=3)


def test_the_intent_is_told_from_a_claim_that_never_sent_anything(store: Store) -> None:
    want(store, 12)
    first = claim(store, 12)
    assert first is not None
    assert first.intended_at is None
    assert publication(store, 12).intended_at == NOW


def test_nothing_is_claimed_where_nothing_waits(store: Store) -> None:
    created(store, 12)
    assert claim(store, 12) is None
    assert claim(store, 99) is None
    assert fronts(store) == []


def test_a_change_that_arrives_during_a_publishing_is_not_lost(store: Store) -> None:
    created(store, 12)
    want(store, 12)
    claimed = claim(store, 12)
    assert claimed is not None
    want(store, 12)
    assert publish(store, claimed)
    assert fronts(store) == [("update", 12)]
    again = claim(store, 12)
    assert again is not None
    publish(store, again)
    assert fronts(store) == []


def test_many_changes_are_one_publishing(store: Store) -> None:
    for _ in range(5):
        want(store, 12)
    claimed = claim(store, 12)
    assert claimed is not None
    publish(store, claimed)
    assert fronts(store) == []


def test_the_gravest_goes_first_and_creates_before_updates_before_comments(store: Store) -> None:
    for number in (1, 2):
        created(store, number, Severity.SEV3)
    want(store, 1, Severity.SEV3)
    said = Comment(incident_id=2, kind=CommentKind.RESOLVED, key="k", text="t")
    save(store, comments=[(said, Severity.SEV3)])
    (comment,) = rows(store, s.comments)
    want(store, 3, Severity.SEV3)
    assert fronts(store) == [("create", 3), ("update", 1), ("comment", comment["id"])]
    want(store, 1, Severity.SEV1)
    save(store, comments=[(replace(said, key="graver"), Severity.SEV2)])
    assert fronts(store) == [("update", 1), ("comment", comment["id"] + 1), ("create", 3)]


def test_nothing_is_said_before_the_issue_exists(store: Store) -> None:
    want(store, 12)
    save(store, comments=[(Comment(incident_id=12, kind=CommentKind.RESOLVED, key="k", text="t"), Severity.SEV1)])
    assert [write for write, _ in fronts(store)] == ["create"]
    claimed = claim(store, 12)
    assert claimed is not None
    publish(store, claimed)
    assert [write for write, _ in fronts(store)] == ["comment"]


def test_comments_are_claimed_and_recorded_like_issues(store: Store) -> None:
    created(store, 12)
    save(store, comments=[(Comment(incident_id=12, kind=CommentKind.RESOLVED, key="k", text="t"), Severity.SEV2)])
    (row,) = rows(store, s.comments)

    def take(at: datetime) -> tuple[PendingComment, Publication] | None:
        with store.begin() as transaction:
            return queue.claim_comment(transaction.connection, row["id"], "op", at)

    first = take(NOW)
    assert first is not None
    assert (first[0].operation, first[0].intended_at, first[1].incident_id) == ("op", None, 12)
    assert take(NOW) is None
    second = take(NOW + 2 * queue.LEASE)
    assert second is not None
    assert second[0].intended_at == NOW
    with store.begin() as transaction:
        assert not queue.record_comment(transaction.connection, first[0], {"done_at": 1})
        assert queue.record_comment(transaction.connection, second[0], {"done_at": 1})
    assert take(NOW + 4 * queue.LEASE) is None


def test_an_urgent_change_does_not_wait_for_the_interval(store: Store) -> None:
    created(store, 12)
    want(store, 12)
    claimed = claim(store, 12)
    assert claimed is not None
    publish(store, claimed, minutes(10))
    want(store, 12, at=minutes(3))
    assert fronts(store, minutes(3)) == []
    want(store, 12, at=minutes(3), urgent=True)
    assert fronts(store, minutes(3)) == [("update", 12)]


def test_a_change_that_becomes_urgent_while_the_issue_is_being_written_does_not_wait_either(store: Store) -> None:
    created(store, 12)
    want(store, 12)
    claimed = claim(store, 12)
    assert claimed is not None
    want(store, 12, at=minutes(3), urgent=True)
    publish(store, claimed, minutes(10))
    assert fronts(store, minutes(3)) == [("update", 12)]


def test_a_change_that_becomes_urgent_while_the_write_fails_waits_for_the_backoff(store: Store) -> None:
    want(store, 12)
    claimed = claim(store, 12)
    assert claimed is not None
    want(store, 12, at=minutes(3), urgent=True)
    publish(store, claimed, minutes(10), done=0, created=0, attempts=1)
    assert fronts(store, minutes(3)) == []


def test_an_urgent_change_does_not_go_around_a_backoff(store: Store) -> None:
    want(store, 12)
    claimed = claim(store, 12)
    assert claimed is not None
    publish(store, claimed, minutes(10), done=0, created=0, attempts=1)
    want(store, 12, at=minutes(3), urgent=True)
    assert fronts(store, minutes(3)) == []
    assert fronts(store, minutes(10)) == [("create", 12)]


def test_the_next_due_instant_is_told_and_what_is_done_is_not_waited_for(store: Store) -> None:
    created(store, 12)
    want(store, 13)
    claimed = claim(store, 13)
    assert claimed is not None
    publish(store, claimed, minutes(10), done=0, created=0)
    with store.read() as reader:
        assert queue.next_due(reader.connection, NOW) == minutes(10)
        assert queue.next_due(reader.connection, minutes(10)) is None


def test_a_store_of_one_process_lets_go_of_what_a_former_one_claimed(store: Store) -> None:
    want(store, 12)
    assert claim(store, 12) is not None
    store.release()
    assert (fronts(store) == [("create", 12)]) == store.alone


# ---------------------------------------------------------------- gauges


def test_how_long_something_waits_is_counted_from_when_it_began_to_wait(store: Store) -> None:
    created(store, 12)
    save(store, minutes(60), incidents={12: incident()})
    want(store, 12, at=minutes(600))
    want(store, 12, at=minutes(700))
    with store.read() as reader:
        gauges = reader.gauges(minutes(700))
    assert (gauges.pending, gauges.oldest_pending) == (1, to_us(minutes(600)))


def test_gauges_count_what_is_unfinished(store: Store) -> None:
    closed = {
        "state": State.CLOSED,
        "closed_at": NOW,
        "closed_by_kind": ActorKind.PERSON,
        "close_reason": CloseReason.COMPLETED,
    }
    found = [
        incident(id=1),
        incident(id=2, severity=Severity.SEV1, response_at_risk=True),
        incident(id=3, state=State.PENDING, opened_at=None),
        incident(id=4, **closed),
        incident(id=5, firing=0, **closed),
    ]
    save(
        store,
        incidents={one.id: one for one in found},
        deadlines={1: (Deadline(incident_id=1, kind=DeadlineKind.RESPONSE, due_at=minutes(61)),)},
    )
    with store.read() as reader:
        early, late = reader.gauges(minutes(62)), reader.gauges(minutes(62) + timedelta(microseconds=1))
    assert early.open == {("sev2", "payments", "open"): 1, ("sev1", "payments", "open"): 1}
    assert early.closed_firing == {("sev2", "payments"): 1}
    assert early.at_risk == {("sev1", "response", "payments"): 1}
    assert early.next_deadline[("sev2", "response", "payments")] == to_us(minutes(61))
    assert (early.overdue, late.overdue) == (0, 1)


# ---------------------------------------------------------------- lists


def test_incidents_are_listed_newest_first_and_page_by_number(store: Store) -> None:
    teams = {3: "data", 4: "data"}
    severities = {4: Severity.SEV1}
    found = {
        i: incident(id=i, team=teams.get(i, "payments"), severity=severities.get(i, Severity.SEV2)) for i in range(1, 6)
    }
    found[6] = incident(id=6, state=State.PENDING, opened_at=None)
    save(store, incidents=found)

    def ids(**wanted: Any) -> list[int]:
        with store.read() as reader:
            return [row.incident.id for row in reader.incidents(Wanted(**wanted))]

    assert ids() == [5, 4, 3, 2, 1]
    assert ids(limit=2) == [5, 4]
    assert ids(limit=2, before=4) == [3, 2]
    assert ids(team="data") == [4, 3]
    assert ids(team="data", severity="sev1") == [4]
    assert ids(states=(State.PENDING, State.CLOSED)) == []
    with store.read() as reader:
        assert [one.id for one in reader.pending(9)] == [6]


def test_the_board_shows_what_needs_people(store: Store) -> None:
    closed = {"state": State.CLOSED, "closed_at": NOW}
    save(
        store,
        incidents={
            1: incident(id=1, severity=Severity.SEV3),
            2: incident(id=2, severity=Severity.SEV1, state=State.RESOLVED, restored_at=NOW),
            3: incident(id=3, **closed),
            4: incident(id=4, firing=0, **closed),
            5: incident(id=5, state=State.PENDING, opened_at=None),
        },
    )
    with store.read() as reader:
        assert [row.incident.id for row in reader.board(9)] == [2, 1, 3]


def test_the_timeline_gives_the_newest_in_their_order(store: Store) -> None:
    save(store, timeline=[building.entry(str(i)) for i in range(5)])
    with store.read() as reader:
        assert [entry.text for entry in reader.timeline(12, 2)] == ["3", "4"]
        news = reader.news(0)
        assert [entry.text for _, entry in news] == ["0", "1", "2", "3", "4"]
        assert reader.news(news[-2][0]) == news[-1:]


def test_known_are_the_digests_of_what_goes_on_and_was_judged_by_the_rules_in_force(store: Store) -> None:
    ended = episode(id=1, ended_at=NOW, last=False, verdict="now", digest=b"e" * 16)
    others = episode(id=3, fingerprint="judged by former rules", verdict="before", digest=b"f" * 16)
    save(
        store,
        verdicts={"now": ("these rules", "{}"), "before": ("former rules", "{}")},
        episodes={1: ended, 2: episode(id=2, verdict="now", digest=b"g" * 16), 3: others},
    )
    with store.read() as reader:
        assert list(reader.known("these rules")) == [(episode(id=2).fingerprint, b"g" * 16)]


# ---------------------------------------------------------------- retention


def test_raw_alerts_go_slice_by_slice_and_only_old_ones(store: Store) -> None:
    save(store, records=[record(received_at=minutes(i)) for i in range(450)])
    gone = []
    for _ in range(4):
        with store.begin() as transaction:
            gone.append(retention.forget_records(transaction.connection, minutes(430)))
    assert gone == [200, 200, 30, 0]
    assert min(row["received_at"] for row in rows(store, s.alert_records)) == to_us(minutes(430))


def test_forgetting_keeps_what_is_unfinished_fires_or_is_young(store: Store) -> None:
    closed = {"state": State.CLOSED, "closed_at": minutes(10), "firing": 0}
    kept = {
        1: incident(id=1, created_at=minutes(-9_999)),
        2: incident(id=2, state=State.RESOLVED, restored_at=minutes(1), firing=0),
        3: incident(id=3, **{**closed, "firing": 1}),
        4: incident(id=4, **{**closed, "closed_at": minutes(20)}),
    }
    save(store, incidents={**kept, 5: incident(id=5, **closed)})
    with store.begin() as transaction:
        assert transaction.forget_incidents(minutes(20)) == 1
        assert transaction.forget_incidents(minutes(20)) == 0
    with store.begin() as transaction:
        assert transaction.incidents(range(1, 6)) == kept


def test_a_forgotten_incident_leaves_nothing_but_totals_and_numbers(store: Store) -> None:
    closed = incident(state=State.CLOSED, closed_at=minutes(10), firing=0)
    with store.begin() as transaction:
        for _ in range(12):
            transaction.next_id("incident")
    save(
        store,
        incidents={12: closed},
        keys={KEY.digest: (12, KEY)},
        episodes={1: episode(ended_at=minutes(5))},
        timeline=[building.entry("x")],
        deadlines={12: (Deadline(incident_id=12, kind=DeadlineKind.RESPONSE, due_at=NOW),)},
        wants={12: Want(severity=Severity.SEV2, urgent=False)},
        comments=[(Comment(incident_id=12, kind=CommentKind.RESOLVED, key="k", text="t"), Severity.SEV2)],
        tallies=[Tally(metric="incidents_opened_total", labels={})],
        growth=[
            GrowthStep(incident_id=12, ref="r", episode_id=1, since_at=NOW, values={"a": "b"}, refires=True, began=True)
        ],
    )
    with store.begin() as transaction:
        assert transaction.forget_incidents(minutes(99)) == 1
    kept = {"totals", "sequences", "rule_sets", "policies", "verdicts", "alert_records"}
    left = {table.name for table in s.metadata.sorted_tables if count(store, table)} - kept
    assert left == set()
    with store.begin() as transaction:
        assert transaction.next_id("incident") == 13
        assert transaction.incidents([12]) == {}
    with store.read() as reader:
        assert [one.value for one in reader.totals()] == [1.0]


def test_a_slice_of_incidents_is_small(store: Store) -> None:
    save(
        store,
        incidents={i: incident(id=i, state=State.CLOSED, closed_at=minutes(i), firing=0) for i in range(1, 13)},
    )
    gone = []
    for _ in range(4):
        with store.begin() as transaction:
            gone.append(transaction.forget_incidents(minutes(99)))
    assert gone == [5, 5, 2, 0]


# ---------------------------------------------------------------- connections


@two_connections
def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(Exception, match=r"readonly|read-only"), store.read() as reader:  # noqa: PT012 - what the driver raises
        reader.connection.execute(insert(s.sequences).values(name="x", value=1))
        reader.connection.commit()
    assert count(store, s.sequences) == 0


@two_connections
def test_a_reader_sees_one_state_while_a_writer_commits(store: Store) -> None:
    save(store, incidents={1: incident(id=1)})
    with store.read() as reader:
        before = reader.incidents(Wanted())
        save(store, incidents={1: incident(id=1, title="changed"), 2: incident(id=2)})
        assert reader.incidents(Wanted()) == before
    with store.read() as reader:
        assert len(reader.incidents(Wanted())) == 2


@two_connections
def test_a_restarted_store_finds_everything(store_url: str) -> None:
    first = Store(store_url)
    save(first, incidents={12: incident()}, tallies=[Tally(metric="m_total", labels={})])
    first.checkpoint()
    first.close()
    second = Store(store_url)
    with second.read() as reader:
        assert [row.incident for row in reader.incidents(Wanted())] == [incident()]
    second.close()


def test_a_store_that_cannot_be_reached_is_a_store_error() -> None:
    store = Store("postgresql://nobody@/nothing?host=/nonexistent")
    with pytest.raises(StoreError), store.begin():
        pass
    with pytest.raises(StoreError), store.read() as reader:
        reader.totals()
    with pytest.raises(StoreError):
        store.migrate()
    store.close()


def test_a_store_without_tables_is_a_store_error_and_not_a_bug(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/empty.db")
    with pytest.raises(StoreError), store.begin() as transaction:
        transaction.incidents([1])
    store.close()


def test_a_statement_that_is_wrong_is_a_bug_and_not_a_store_error(store: Store) -> None:
    with pytest.raises(Exception, match=r".") as caught, store.begin() as transaction:
        transaction.connection.execute(text("SELECT :a"), {"b": 1})
    assert not isinstance(caught.value, StoreError)


def test_a_url_of_another_database_is_refused_in_words() -> None:
    with pytest.raises(ConfigError, match="expected sqlite:///FILE or postgresql://"):
        Store("mysql://localhost/triaged")


# ---------------------------------------------------------------- several writers


class Beside:
    """A second writer on a thread of its own; `done` tells what it gave or raised."""

    def __init__(self, store: Store, work: Callable[[Any], Any]) -> None:
        self.reached = threading.Event()
        self.failure: Exception | None = None
        self._store, self._work = store, work
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            with self._store.begin() as transaction:
                self._work(transaction)
                self.reached.set()
        except StoreError as error:
            self.failure = error

    def waits_or_reached(self, store: Store) -> bool:
        """Whether it has done its work, or is held up by a lock of ours."""
        with store.read() as reader:
            held = reader.connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one()
        return bool(held) or self.reached.is_set() or not self.thread.is_alive()


@pytest.fixture
def other(store_url: str) -> Iterator[Store]:
    opened = Store(store_url, replica="two")
    yield opened
    opened.close()


@several_writers
def test_two_replicas_that_change_one_incident_lose_neither_change(store: Store, other: Store) -> None:
    save(store, incidents={12: incident(alerts=1)})

    def add(transaction: Any) -> None:
        read: Incident = transaction.incidents([12])[12]
        transaction.save(Batch(incidents={12: replace(read, alerts=read.alerts + 1)}), NOW)

    with store.begin() as transaction:
        read = transaction.incidents([12])[12]
        beside = Beside(other, add)
        wait_until(lambda: beside.waits_or_reached(store), what="the other replica to read")
        transaction.save(Batch(incidents={12: replace(read, alerts=read.alerts + 1)}), NOW)
    beside.thread.join(20)
    with store.read() as reader:
        found = reader.incident(12)
    assert found is not None
    assert (found.incident.alerts, beside.failure) == (3, None)


@several_writers
def test_a_replica_that_waited_for_another_sees_how_the_alert_stands_by_then(store: Store, other: Store) -> None:
    save(store, episodes={1: episode()})
    seen: list[Episode] = []

    def look(transaction: Any) -> None:
        seen.extend(transaction.last_episodes([episode().fingerprint]).values())

    with store.begin() as transaction:
        transaction.last_episodes([episode().fingerprint])
        beside = Beside(other, look)
        wait_until(lambda: beside.waits_or_reached(store), what="the other replica to read")
        transaction.save(Batch(episodes={1: episode(ended_at=minutes(5))}), NOW)
    beside.thread.join(20)
    assert [found.ended_at for found in seen] == [minutes(5)]


@several_writers
def test_two_replicas_that_open_an_incident_for_one_key_at_once_get_a_conflict(store: Store, other: Store) -> None:
    def open_second(transaction: Any) -> None:
        transaction.owners([KEY.digest])
        transaction.save(Batch(incidents={13: incident(id=13)}, keys={KEY.digest: (13, KEY)}), NOW)

    with store.begin() as transaction:
        transaction.owners([KEY.digest])
        transaction.save(Batch(incidents={12: incident()}, keys={KEY.digest: (12, KEY)}), NOW)
        beside = Beside(other, open_second)
        wait_until(lambda: beside.waits_or_reached(store), what="the other replica to write")
    beside.thread.join(20)
    assert isinstance(beside.failure, Conflict)
    assert [row["id"] for row in rows(store, s.incidents)] == [12]


@several_writers
def test_a_second_replica_passes_over_what_the_first_is_claiming(store: Store, other: Store) -> None:
    want(store, 12)
    with store.begin() as transaction:
        assert queue.claim_publication(transaction.connection, 12, "one", NOW) is not None
        assert claim(other, 12) is None


# ---------------------------------------------------------------- the codec


# msgspec refuses lone surrogates; sources mend them long before.
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_INSTANT = st.datetimes(timezones=st.just(UTC))
_BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    str: _TEXT,
    int: st.integers(-(2**63), 2**63 - 1),
    bool: st.booleans(),
    bytes: st.binary(max_size=20),
    datetime: _INSTANT,
    tuple[tuple[datetime, datetime], ...]: st.lists(st.tuples(_INSTANT, _INSTANT), max_size=2).map(tuple),
    Mapping[str, str]: st.dictionaries(_TEXT, _TEXT, max_size=3),
    Mapping[str, int]: st.dictionaries(_TEXT, st.integers(0, 9), max_size=3),
    tuple[str, ...]: st.lists(_TEXT, max_size=3).map(tuple),
}


def _values(hint: Any) -> st.SearchStrategy[Any]:
    if hint in _BY_TYPE:
        return _BY_TYPE[hint]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(hint)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return st.fixed_dictionaries({n: _values(h) for n, h in get_type_hints(hint).items()}).map(lambda f: hint(**f))
    if get_origin(hint) is tuple:
        return st.lists(_values(get_args(hint)[0]), max_size=2).map(tuple)
    (inner,) = [one for one in get_args(hint) if one is not type(None)]
    return st.none() | _values(inner)


CODECS = {
    codec.cls.__name__: codec
    for codec in (s.INCIDENT, s.EPISODE, s.DEADLINE, s.ENTRY, s.RECORD, s.PUBLICATION, s.COMMENT)
}


@pytest.mark.parametrize("name", CODECS)
@settings(max_examples=40)
@given(data=st.data())
def test_every_value_comes_back_out_of_its_row(name: str, data: st.DataObject) -> None:
    codec: Codec[Any] = CODECS[name]
    hints = get_type_hints(codec.cls)
    value = codec.cls(**{field: data.draw(_values(hints[field]), field) for field in codec.names})
    row = codec.encode(value)
    assert codec.decode(row) == value
    for column, cell in zip(codec.columns, row, strict=True):
        assert isinstance(cell, (int, str, bytes)) or (column.nullable and cell is None)


@given(at=st.datetimes(timezones=st.just(UTC)))
def test_instants_are_microseconds_since_1970(at: datetime) -> None:
    assert from_us(to_us(at)) == at
    assert to_us(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)) == 1_000_000
