"""What the store promises of reviews, action items and downtime, on every engine."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from building import entry, incident, minutes
from triaged.core.downtime import Down
from triaged.core.model import (
    ActionItem,
    ActionKind,
    Actor,
    ActorKind,
    Category,
    CloseReason,
    Entry,
    Fold,
    Incident,
    Process,
    Review,
    ReviewOutcome,
    Severity,
    State,
)
from triaged.ports.store import Batch
from triaged.store import reviews
from triaged.store.problems import newest_entry
from triaged.store.store import Store

ANN = Actor(name="ann", kind=ActorKind.PERSON)


def review(**changes: Any) -> Review:
    built = Review(number=77, severity=Severity.SEV2, begun_at=minutes(0), opens_at=minutes(100), due_at=minutes(200))
    return replace(built, **changes)


def item(number: int = 1, **changes: Any) -> ActionItem:
    built = ActionItem(id=number, kind=ActionKind.TOOL, text='It\'s "quoted" 漢字', by="ann", at=minutes(1))
    return replace(built, **changes)


def over(found: Review | None = None, *items: ActionItem, **changes: Any) -> Incident:
    process = Process(review=found, actions=items)
    values = {"state": State.RESOLVED, "restored_at": minutes(30), "firing": 0, "process": process}
    return incident(**{**values, **changes})


def save(store: Store, *incidents: Incident, at: float = 0) -> None:
    with store.begin() as transaction:
        transaction.incidents([one.id for one in incidents])
        there = {one.id: one for one in incidents}
        transaction.save(Batch(incidents=there, reviews=there), minutes(at))


def rows(store: Store) -> list[tuple[Any, ...]]:
    """Number or id, state, how often it changed, and when last."""
    with store.read() as reader:
        found = reviews.dated_reviews(reader.connection, 10)
        items = reviews.dated_actions(reader.connection, 10)
    told: list[tuple[Any, ...]] = []
    told += [(one.row.number, one.row.state, one.row.changes, one.row.changed_at) for one in found]  # type: ignore[union-attr]
    told += [(one.row.id, one.row.done_at, one.row.changes, one.row.changed_at) for one in items]  # type: ignore[union-attr]
    return told


def test_a_row_changes_only_where_its_review_or_item_did(store: Store) -> None:
    one = over(review(), item(due_at=minutes(500)))
    save(store, one, at=1)
    save(store, replace(one, process=replace(one.process, review=review(reminded=1), owner="bob")), at=2)
    assert rows(store) == [(77, "open", 0, minutes(1)), (1, None, 0, minutes(1))]
    held = review(outcome=ReviewOutcome.HELD, by="ann")
    save(store, over(held, item(due_at=minutes(500), done_at=minutes(3))), at=3)
    assert rows(store) == [(77, "held", 1, minutes(3)), (1, minutes(3), 1, minutes(3))]


def test_reviews_and_items_are_counted_by_team(store: Store) -> None:
    save(
        store,
        over(review(), item(), item(2, done_at=minutes(9)), id=1, team="pay"),
        over(review(number=78, due_at=minutes(300)), item(), id=2, team="pay"),
        over(review(number=79, outcome=ReviewOutcome.WAIVED), id=3, team="web"),
        over(None, item(), id=4, team="web"),
    )
    with store.read() as reader:
        counts = reviews.counts(reader.connection, minutes(250))
    assert (counts.open, counts.overdue, counts.actions) == ({"pay": 2}, {"pay": 1}, {"pay": 2, "web": 1})


def test_calendars_are_given_what_everybody_may_know_and_has_a_date(store: Store) -> None:
    save(
        store,
        over(review(), item(due_at=minutes(500)), item(2), id=1, title="Checkout"),
        over(review(number=78), item(due_at=minutes(500)), id=2, restricted=True),
    )
    with store.read() as reader:
        found = reviews.dated_reviews(reader.connection, 10), reviews.dated_actions(reader.connection, 10)
        assert [[one.title for one in dated] for dated in found] == [["Checkout"], ["Checkout"]]
        assert reviews.dated_reviews(reader.connection, 0) == []
        assert reviews.incident_of(reader.connection, 78) == 2
        assert reviews.incident_of(reader.connection, 1) is None


def test_downtime_is_what_was_out_is_over_and_was_no_false_alarm(store: Store) -> None:
    out: dict[str, Any] = {"category": Category.OUTAGE, "service": "shop"}
    closed: dict[str, Any] = {"state": State.CLOSED, "closed_at": minutes(40)}
    save(
        store,
        over(id=1, **out),
        over(review(), id=2, **{**out, "category": Category.CRITICAL_FUNCTION}),
        over(review(number=78, outcome=ReviewOutcome.WITHDRAWN), id=3, **out),
        over(id=4, restored_at=None, close_reason=CloseReason.COMPLETED, **closed, **out),
        over(id=5, close_reason=CloseReason.FALSE_ALARM, **closed, **out),
        over(id=6, **{**out, "category": Category.ERROR}),
        over(id=7, **{**out, "service": "other"}),
        over(id=8, parent=1, fold=Fold.MERGE, folded_at=minutes(20), **out),
        incident(id=9, **out),
    )
    with store.read() as reader:
        found = sorted(reviews.down(reader.connection, "shop", minutes(0)), key=lambda one: one.incident_id)
        assert reviews.down(reader.connection, "shop", minutes(35)) == [found[3]]
    assert found == [
        Down(incident_id=n, began_at=minutes(0), ended_at=minutes(40 if n == 4 else 30), reviewed=n == 2)
        for n in (1, 2, 3, 4)
    ]


def test_what_was_over_since_an_entry_is_told_by_service(store: Store) -> None:
    with store.read() as reader:
        assert newest_entry(reader.connection) == 0
    save(store, over(id=1, service="shop"), over(id=2, service="other"))
    with store.begin() as transaction:
        told = [entry("resolved", incident_id=n, entry=Entry.RESOLVED) for n in (1, 2)]
        transaction.save(Batch(timeline=[*told, entry("a note", incident_id=2, entry=Entry.NOTE)]), minutes(1))
    with store.read() as reader:
        newest = newest_entry(reader.connection)
        assert newest >= 3
        assert reviews.ended_since(reader.connection, 0, {"shop"}) == ["shop"]
        assert reviews.ended_since(reader.connection, newest, {"shop", "other"}) == []
        assert reviews.ended_since(reader.connection, newest - 2, {"shop", "other"}) == ["other"]


def test_what_is_forgotten_leaves_nothing_of_its_review_or_of_what_was_published_of_it(store: Store) -> None:
    gone = over(
        review(),
        item(due_at=minutes(9)),
        id=1,
        state=State.CLOSED,
        closed_at=minutes(1),
        closed_by="ann",
        closed_by_kind=ActorKind.PERSON,
        close_reason=CloseReason.COMPLETED,
    )
    save(store, gone, over(review(number=78), id=2))
    with store.begin() as transaction:
        assert transaction.forget_incidents(minutes(0) + timedelta(days=9)) == 1
    assert [row[0] for row in rows(store)] == [78]
