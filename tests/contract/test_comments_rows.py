"""Comments as rows: what is left out when it is queued, what counts as written, and when anything was created."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from building import incident, minutes
from triaged.core.commenting import AN_HOUR, FULL, GONE, SPENT, Unsaid
from triaged.core.effects import Comment, CommentKind
from triaged.core.model import Severity
from triaged.ports.backend import Issue
from triaged.ports.store import UNSURE, Batch, Want
from triaged.store import comments, deleted, looks, queue
from triaged.store import schema as s
from triaged.store.codec import to_us
from triaged.store.store import Store

HOUR = timedelta(hours=1)


def say(store: Store, at: datetime, *keys: str, kind: CommentKind = CommentKind.REOPENED, **more: Any) -> None:
    said = [Comment(incident_id=12, kind=kind, key=key, text=key, **more) for key in keys]
    with store.begin() as transaction:
        transaction.save(Batch(comments=[(one, Severity.SEV3) for one in said]), at)


def unsaid(store: Store) -> Unsaid:
    with store.read() as reader:
        return comments.unsaid(reader.connection, 12)


def rows(store: Store) -> dict[str, tuple[str, bool]]:
    c = s.comments.c
    with store.read() as reader:
        found = reader.connection.execute(select(c.key, c.failure, c.done_at.is_not(None)).order_by(c.id))
        return {key: (failure, bool(done)) for key, failure, done in found}


def created(store: Store, number: int = 12) -> None:
    with store.begin() as transaction:
        batch = Batch(
            incidents={number: incident(id=number)}, wants={number: Want(severity=Severity.SEV2, urgent=True)}
        )
        transaction.save(batch, minutes(1))
        claimed = queue.claim_publication(transaction.connection, number, "0af1", minutes(1))
        assert claimed is not None
        place = {"backend": "github", "repository": "acme/incidents", "number": number, "url": f"https://x/{number}"}
        queue.record_publication(transaction.connection, claimed, {"created": 1, "done": claimed.wanted, **place})


def issue(round: int = 1, *, closed: bool = False) -> Issue:
    return Issue(
        incident_id=12,
        title="",
        block="",
        people="",
        labels=(),
        closed=closed,
        close_reason=None,
        urgent=True,
        round=round,
    )


def test_the_eleventh_of_an_hour_is_left_out_and_an_hour_later_there_is_room_again(store: Store) -> None:
    for number in range(AN_HOUR):
        say(store, minutes(number), f"k{number}")
    say(store, minutes(30), "eleventh", "twelfth")
    say(store, minutes(30), "a reaction", reaction="rocket", to_comment=7)
    say(store, minutes(30), "an update", kind=CommentKind.UPDATE)
    say(store, minutes(59.5), "another")
    say(store, minutes(60), "an hour after the first")
    say(store, minutes(60), "eleventh")
    found = rows(store)
    assert {key for key, (failure, done) in found.items() if failure == SPENT and done} == {
        "eleventh",
        "twelfth",
        "another",
    }
    assert found["an hour after the first"] == found["a reaction"] == found["an update"] == ("", False)
    assert unsaid(store) == Unsaid(count=3)


def test_in_one_transaction_they_are_counted_one_after_the_other(store: Store) -> None:
    say(store, minutes(1), *(f"k{number}" for number in range(AN_HOUR + 2)))
    assert [key for key, (failure, _) in rows(store).items() if failure] == ["k10", "k11"]


def test_where_one_met_the_end_of_all_comments_no_other_is_queued(store: Store) -> None:
    created(store)
    say(store, minutes(2), "first", kind=CommentKind.UPDATE)
    with store.begin() as transaction:
        (waiting,) = queue.front(transaction.connection, minutes(2))
        claimed = queue.claim_comment(transaction.connection, waiting.id, "0af2", minutes(2))
        assert claimed is not None
        assert queue.leave_out(transaction.connection, claimed[0], FULL, minutes(2))
    say(store, minutes(3), "second", kind=CommentKind.UPDATE)
    assert rows(store) == {"first": (FULL, True), "second": (FULL, True)}
    assert unsaid(store) == Unsaid(count=2, full=True)
    with store.read() as reader:
        assert looks.said(reader.connection, [12]) == {}, "none of them stands there"
        publication = queue.publication_of(reader.connection, 12)
    assert publication is not None
    assert publication.wanted > publication.done, "the issue shall say so"


def test_creations_of_the_last_hour_are_those_of_issues_and_comments_and_none_of_the_future(store: Store) -> None:
    created(store)
    say(store, minutes(2), "first")
    with store.begin() as transaction:
        (waiting,) = queue.front(transaction.connection, minutes(2))
        assert queue.claim_comment(transaction.connection, waiting.id, "0af2", minutes(2)) is not None

    def within(now: datetime) -> list[datetime]:
        with store.read() as reader:
            return queue.creations(reader.connection, now, HOUR)

    assert within(minutes(3)) == [minutes(2), minutes(1)]
    assert within(minutes(1.5)) == [minutes(1)]
    assert within(minutes(61)) == [minutes(2)]
    assert within(minutes(62)) == []


def test_a_deleted_issue_is_buried_once_with_what_waits_for_it(store: Store) -> None:
    created(store)
    say(store, minutes(2), "first")
    with store.begin() as transaction:
        connection = transaction.connection
        known = queue.publication_of(connection, 12)
        assert known is not None
        assert deleted.bury(connection, known, issue(), minutes(3))
        assert not deleted.bury(connection, known, issue(), minutes(4))
        buried = queue.publication_of(connection, 12)
        assert buried is not None
        assert (buried.gone, buried.wanted == buried.done) == (1, True)
        assert queue.front(connection, minutes(60)) == []
    assert rows(store) == {"first": (GONE, True)}
    with store.read() as reader:
        (entry,) = reader.timeline(12, 10)
        row = reader.incident(12)
    assert entry.text == "its issue https://x/12 was deleted: a reopening makes another one"
    assert row is not None
    assert (row.address, row.failure) == (None, "its issue https://x/12 was deleted")


def test_what_is_said_of_a_deleted_issue_waits_for_who_decides_whether_there_is_another_one(store: Store) -> None:
    created(store)
    with store.begin() as transaction:
        connection = transaction.connection
        connection.execute(update(s.publications).values(closed=1))
        known = queue.publication_of(connection, 12)
        assert known is not None
        assert deleted.bury(connection, known, issue(2), minutes(3))
    say(store, minutes(4), "reopened")
    with store.begin() as transaction:
        connection = transaction.connection
        (waiting,) = queue.front(connection, minutes(5))
        taken = queue.claim_publication(connection, waiting.id, "", minutes(5))
        assert taken is not None
        assert taken.gone == 1
        deleted.replace(connection, taken, issue().kind, minutes(5))
        fresh = queue.publication_of(connection, 12)
        assert fresh is not None
        assert (fresh.gone, fresh.created, fresh.number, fresh.operation) == (0, False, None, "")
        deleted.replace(connection, taken, issue().kind, minutes(6))
    assert rows(store) == {"reopened": ("", False)}
    with store.read() as reader:
        texts = [entry.text for entry in reader.timeline(12, 10)]
    assert texts == [
        "its issue https://x/12 was deleted: a reopening makes another one",
        "its issue https://x/12 is replaced by another one",
    ], "once, by whose claim it is"


def test_who_starts_after_a_death_waits_before_it_changes_what_was_being_changed(store: Store) -> None:
    created(store)
    created(store, 13)
    with store.begin() as transaction:
        transaction.save(Batch(wants={12: Want(severity=Severity.SEV2, urgent=True)}), minutes(5))
        assert queue.claim_publication(transaction.connection, 12, "", minutes(5)) is not None
        transaction.connection.execute(update(s.publications).values(digest="d"))
    store.release(minutes(7))
    with store.read() as reader:
        found, other = (queue.publication_of(reader.connection, number) for number in (12, 13))
        assert found is not None
        assert other is not None
        if store.alone:
            assert (found.due_at, found.digest, found.claimed_until) == (minutes(7), "", None)
        assert other.digest == "d"


def test_of_what_nobody_knows_whether_it_was_done_nothing_is_judged_until_it_is_found_out(store: Store) -> None:
    created(store)
    with store.begin() as transaction:
        changes = {"digest": UNSURE, "due_at": to_us(minutes(9))}
        transaction.connection.execute(update(s.publications).values(changes))
        basis = transaction.looks.basis(12)
    assert basis is not None
    assert basis.claimed_until is not None
    assert basis.claimed_until > minutes(9)
