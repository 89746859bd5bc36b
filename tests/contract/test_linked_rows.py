"""Which issues are written anew once another one is there, and whom we are about to assign, on every engine."""

from __future__ import annotations

from typing import Any

import pytest

from building import incident, minutes
from triaged.core.model import Category, Process, Review, Severity, State
from triaged.core.problems import Counted, Problem, ProblemKind, ProblemState
from triaged.ports.backend import Address
from triaged.ports.store import Batch, Want
from triaged.store import linked, looks, queue
from triaged.store.codec import to_us
from triaged.store.store import Store

REVIEW = Review(number=77, severity=Severity.SEV2, begun_at=minutes(0), opens_at=minutes(100), due_at=minutes(200))
PROBLEM = Problem(
    id=40,
    cause="key:k",
    kind=ProblemKind.RECURRING,
    state=ProblemState.OPEN,
    title="It recurs",
    because="2 incidents",
    key="k",
    service="",
    category=Category.ERROR,
    team="payments",
    restricted=False,
    opened_at=minutes(5),
)


def counted(number: int) -> Counted:
    values: dict[str, Any] = {"key": "k", "service": "", "category": Category.ERROR, "restricted": False}
    return Counted(incident_id=number, **values, opened_at=minutes(0), started_at=minutes(0), problem_id=PROBLEM.id)


@pytest.fixture
def published(store: Store) -> Store:
    """Of 1, 2 and 3 there are issues, of which that of 3 is closed; 1 has a review, and a problem follows them all."""
    over: dict[str, Any] = {"state": State.RESOLVED, "firing": 0, "restored_at": minutes(30)}
    there = {number: incident(id=number, key=f"k{number}", **over) for number in (2, 3)}
    there[1] = incident(id=1, key="k1", **over, process=Process(review=REVIEW))
    with store.begin() as transaction:
        transaction.incidents([*there])
        wants = dict.fromkeys(there, Want(severity=Severity.SEV2, urgent=False))
        transaction.save(Batch(incidents=there, reviews={1: there[1]}, wants=wants), minutes(0))
        transaction.problems.keep([PROBLEM], [counted(number) for number in there])
    for number in there:
        with store.begin() as transaction:
            claimed = queue.claim_publication(transaction.connection, number, f"{number}a", minutes(1))
            assert claimed is not None
            at = {"backend": "github", "repository": "acme/incidents", "number": number, "url": f"https://x/{number}"}
            done = {"created": 1, "done": claimed.wanted, "closed": int(number == 3), "due_at": to_us(minutes(2))}
            queue.record_publication(transaction.connection, claimed, {**at, **done})
    return store


@pytest.mark.parametrize(("shown", "expected"), [(77, {1}), (40, {1, 2}), (1, set())])
def test_open_issues_of_its_incidents_are_written_anew_once_a_review_or_problem_has_one(
    published: Store, shown: int, expected: set[int]
) -> None:
    with published.begin() as transaction:
        linked.show(transaction.connection, shown, minutes(3))
        rows = {number: queue.publication_of(transaction.connection, number) for number in (1, 2, 3)}
    assert {number for number, row in rows.items() if row is not None and row.wanted != row.done} == expected
    assert {row.wanted_at for number, row in rows.items() if row is not None and number in expected} <= {minutes(3)}


def test_the_places_of_issues_are_told_by_number_as_far_as_there_are_any(published: Store) -> None:
    with published.read() as reader:
        found = linked.addresses(reader.connection, [1, 3, 77])
    url = "https://x/1"
    assert found[1] == Address(backend="github", repository="acme/incidents", number=1, url=url)
    assert found.keys() == {1, 3}


def test_whom_we_are_about_to_assign_is_known_beside_those_who_were_seen(store: Store) -> None:
    with store.begin() as transaction:
        for logins in (("ann",), ("bob", "ann")):
            looks.expect_assigned(transaction.connection, 5, logins, minutes(0))
        found = transaction.looks.of(5)
        assert found is not None
        assert (found.assignees, found.hinted_at) == (("ann", "bob"), None)
        assert looks.next_due(transaction.connection) is None
