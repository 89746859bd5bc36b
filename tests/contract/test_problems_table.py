"""The tables of problems and of what is known, on every engine."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from building import incident, minutes
from triaged.core.effects import KeepKnowledge
from triaged.core.model import Category, Entry, Key, Link, State, TimelineEntry
from triaged.core.problems import Cause, Counted, Problem, ProblemKind, ProblemState, causes
from triaged.errors import Conflict
from triaged.ports.store import Batch, Want
from triaged.store import problems, queue
from triaged.store.store import Store

HOSTILE = "'); DROP TABLE problems; -- 🦄 \u202e"
PROBLEM = Problem(
    id=40,
    cause="key:v1:0123456789abcdef",
    kind=ProblemKind.RECURRING,
    state=ProblemState.OPEN,
    title=HOSTILE,
    because="3 incidents",
    key="v1:0123456789abcdef",
    service="checkout",
    category=Category.OUTAGE,
    team="payments",
    restricted=False,
    opened_at=minutes(5),
    incidents=2,
    last_at=minutes(4),
    workaround=HOSTILE,
)
ROW = Counted(
    incident_id=1,
    key="v1:0123456789abcdef",
    service="checkout",
    category=Category.OUTAGE,
    restricted=False,
    opened_at=minutes(1),
    started_at=minutes(0),
)
KEY, SERVICE, DOWNTIME = causes(ROW)
LINK = KeepKnowledge(
    number=40,
    key=PROBLEM.key,
    service="checkout",
    category=Category.OUTAGE,
    restricted=False,
    link=Link(url="https://wiki.example.com/?a='%", title=HOSTILE),
    by="ann",
)


def keep(store: Store, *kept: Problem, rows: tuple[Counted, ...] = (), links: tuple[KeepKnowledge, ...] = ()) -> None:
    with store.begin() as transaction:
        transaction.problems.keep(kept, rows)
        transaction.save(Batch(knowledge=list(links)), minutes(9))


def alike(store: Store, cause: Cause, since: float = 0, until: float = 100) -> list[int]:
    with store.begin() as transaction:
        return [one.incident_id for one in transaction.problems.alike(cause, minutes(since), minutes(until))]


def test_a_problem_is_there_as_it_was_kept_and_as_it_was_changed(store: Store) -> None:
    keep(store, PROBLEM)
    changed = replace(PROBLEM, incidents=3, root_cause="A leak.")
    keep(store, changed)
    with store.begin() as transaction:
        assert transaction.problems.of_cause(PROBLEM.cause) == changed
        assert transaction.problems.of_number(40) == changed
        assert transaction.problems.of_number(41) is None
        assert transaction.problems.of_cause("key:other") is None


def test_a_cause_has_one_problem(store: Store) -> None:
    keep(store, PROBLEM)
    with pytest.raises(Conflict):
        keep(store, replace(PROBLEM, id=41))


def test_one_that_is_closed_has_an_instant_of_its_close(store: Store) -> None:
    with pytest.raises(Conflict):
        keep(store, replace(PROBLEM, state=ProblemState.CLOSED))


def test_what_no_problem_follows_is_found_by_its_cause_newest_first(store: Store) -> None:
    rows = (
        ROW,
        replace(ROW, incident_id=2, opened_at=minutes(2)),
        replace(ROW, incident_id=3, opened_at=minutes(3), problem_id=40),
        replace(ROW, incident_id=4, opened_at=minutes(4), key="v1:other"),
        replace(ROW, incident_id=5, opened_at=minutes(5), key="v1:other", category=Category.CRITICAL_FUNCTION),
        replace(ROW, incident_id=6, opened_at=minutes(6), key="v1:other", category=Category.ERROR),
        replace(ROW, incident_id=7, opened_at=minutes(7), key="v1:third", service=""),
    )
    keep(store, PROBLEM, rows=rows)
    assert alike(store, KEY) == [2, 1]
    assert alike(store, KEY, since=1) == [2]
    assert alike(store, KEY, until=1) == [1]
    assert alike(store, SERVICE) == [4, 2, 1]
    assert alike(store, DOWNTIME) == [5, 4, 2, 1]
    with store.begin() as transaction:
        assert transaction.problems.counted([3, 9]) == {3: rows[2]}
        assert [one.incident_id for one in transaction.problems.since(40, minutes(2))] == [3]
        transaction.problems.forget([3])
    with store.begin() as transaction:
        assert transaction.problems.counted([3]) == {}


def test_its_unfinished_incidents_are_those_that_are_not_closed(store: Store) -> None:
    over: dict[str, Any] = {"state": State.CLOSED, "closed_at": minutes(3), "firing": 0}
    with store.begin() as transaction:
        transaction.save(Batch(incidents={1: incident(id=1), 2: incident(id=2, **over)}), minutes(3))
    keep(store, PROBLEM, rows=tuple(replace(ROW, incident_id=n, problem_id=40) for n in (1, 2)))
    with store.begin() as transaction:
        assert transaction.problems.unfinished(40) == [1]
    with store.read() as reader:
        assert [one.id for one in problems.incidents_of(reader.connection, 40, 10)] == [2, 1]
        assert [one.id for one in problems.incidents_of(reader.connection, 40, 1)] == [2]
        assert problems.of_incident(reader.connection, 1) == PROBLEM
        assert problems.of_incident(reader.connection, 3) is None


def test_problems_are_listed_newest_first_and_counted_by_team(store: Store) -> None:
    closed = replace(PROBLEM, id=42, cause="c", state=ProblemState.CLOSED, closed_at=minutes(9), team="web")
    keep(store, PROBLEM, replace(PROBLEM, id=41, cause="b", team="web"), closed)
    everything: dict[str, Any] = {"state": None, "team": None, "before": None, "limit": 9}

    def listed(**asked: Any) -> list[int]:
        with store.read() as reader:
            return [row.problem.id for row in problems.listed(reader.connection, **{**everything, **asked})]

    assert listed() == [42, 41, 40]
    assert listed(state=ProblemState.OPEN) == [41, 40]
    assert listed(team="web", before=42) == [41]
    assert listed(limit=1) == [42]
    with store.read() as reader:
        assert problems.open_by_team(reader.connection) == {"payments": 1, "web": 1}


def test_links_are_offered_to_what_has_the_same_key_or_service_and_category(store: Store) -> None:
    near = replace(LINK, number=1, key="v1:near", link=Link(url="https://wiki.example.com/near", title="x"))
    far = replace(near, number=2, service="", link=Link(url="https://wiki.example.com/far", title="x"))
    twice = replace(near, number=3, link=LINK.link)
    hidden = replace(near, number=4, restricted=True, link=Link(url="https://wiki.example.com/hidden", title="x"))
    own = replace(near, number=12, link=Link(url="https://wiki.example.com/own", title="x"))
    keep(store, links=(LINK, near, far, twice, hidden, own))
    asked = incident(category=Category.OUTAGE)
    with store.read() as reader:
        offered = problems.known_elsewhere(reader.connection, asked, 9)
        assert [one.link.url for one in offered] == [LINK.link.url, "https://wiki.example.com/near"]
        assert offered[0].link.title == HOSTILE
        assert [one.number for one in problems.known(reader.connection, asked)] == [12, 3, 1]
        secret = problems.known_elsewhere(reader.connection, replace(asked, restricted=True), 9)
        assert [one.number for one in secret] == [4, 3, 1]
        nowhere = problems.known_elsewhere(reader.connection, replace(asked, service="", key="v1:x"), 9)
        assert nowhere == []
    with store.begin() as transaction:
        assert transaction.problems.urls(40) == [LINK.link.url]
    with pytest.raises(Conflict):
        keep(store, links=(LINK,))


def test_the_first_look_begins_where_the_window_does(store: Store) -> None:
    entries = [
        TimelineEntry(incident_id=n, at=minutes(n), entry=Entry.OPENED if n % 2 else Entry.FIRED, by="x", text="x")
        for n in range(1, 40)
    ]
    with store.begin() as transaction:
        transaction.save(Batch(timeline=entries), minutes(40))
    with store.read() as reader:
        newest = problems.newest_entry(reader.connection)
        after = problems.entry_before(reader.connection, minutes(30))
        found = problems.news(reader.connection, after, ["opened"], 100)
        assert [one for _, one, _ in found] == [31, 33, 35, 37, 39]
        assert found[-1] == (newest, 39, minutes(39))
        assert problems.entry_before(reader.connection, minutes(1)) <= newest - 39
        assert problems.entry_before(reader.connection, minutes(99)) == newest
        assert problems.seen_up_to(reader.connection) is None
    for row in (7, 8):
        with store.begin() as transaction:
            transaction.problems.seen(row)
        with store.read() as reader:
            assert problems.seen_up_to(reader.connection) == row


def test_the_first_look_at_an_empty_store_begins_at_nothing(store: Store) -> None:
    with store.read() as reader:
        assert problems.newest_entry(reader.connection) == 0
        assert problems.entry_before(reader.connection, minutes(1)) == 0


def test_what_was_closed_before_an_instant_is_forgotten_and_nothing_else(store: Store) -> None:
    closed = replace(PROBLEM, id=41, cause="c", state=ProblemState.CLOSED, closed_at=minutes(9))
    keep(store, PROBLEM, closed, rows=(ROW, replace(ROW, incident_id=2, problem_id=41)), links=(LINK,))
    with store.begin() as transaction:
        transaction.save(Batch(wants={41: Want(severity=incident().severity, urgent=False)}), minutes(9))
        assert problems.forget(transaction.connection, minutes(9)) == 0
        assert problems.forget(transaction.connection, minutes(10)) == 1
        assert queue.publication_of(transaction.connection, 41) is None
        assert transaction.problems.of_number(40) is not None
        assert transaction.problems.counted([1, 2]) == {1: ROW}
        assert transaction.problems.urls(40) == [LINK.link.url]


def test_incidents_that_are_forgotten_count_no_more(store: Store) -> None:
    over = incident(id=1, state=State.CLOSED, closed_at=minutes(3), firing=0)
    with store.begin() as transaction:
        transaction.save(Batch(incidents={1: over}, keys={over.key: (1, Key(digest=over.key, pairs=()))}), minutes(3))
    keep(store, rows=(ROW,), links=(replace(LINK, number=1),))
    with store.begin() as transaction:
        assert transaction.forget_incidents(minutes(3) + timedelta(days=1)) == 1
        assert transaction.problems.counted([1]) == {}
        assert transaction.problems.urls(1) == []


def test_an_open_problem_is_published_anew_by_another_backend(store: Store) -> None:
    keep(store, PROBLEM)
    with store.begin() as transaction:
        transaction.save(Batch(wants={40: Want(severity=incident().severity, urgent=False)}), minutes(9))
        claimed = queue.claim_publication(transaction.connection, 40, "one", minutes(9))
        assert claimed is not None
        written = {"created": 1, "backend": "github", "url": "https://github.com/x/y/issues/1", "number": 1}
        assert queue.record_publication(transaction.connection, claimed, written)
        assert queue.republish(transaction.connection, "local", minutes(10)) == 1
    with store.read() as reader:
        (entry,) = reader.timeline(40, 9)
        assert entry.text == "PRB-40 was published at https://github.com/x/y/issues/1 before"
