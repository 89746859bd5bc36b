"""Repositories that take nothing: what one refusal spares the others, until when, and what it does not concern."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from triaged.backends.github.closed import ClosedRepositories, Use
from triaged.errors import DeliveryError

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
PLACE = "acme/incidents"


def refusal(reason: str, *, retry_at: datetime | None = NOW + QUARTER, ambiguous: bool = False) -> DeliveryError:
    return DeliveryError(f"GitHub said {reason}", reason=reason, retry_at=retry_at, ambiguous=ambiguous)


def stopped(closed: ClosedRepositories, repository: str = PLACE, *, at: datetime = NOW) -> set[str]:
    """The uses for which nothing is asked of the repository."""
    found = set()
    for use in Use:
        try:
            closed.check(repository, use, at)
        except DeliveryError:
            found.add(use.value)
    return found


@pytest.mark.parametrize(
    ("reason", "use", "expected"),
    [
        ("archived", Use.CHANGE, {"change", "create"}),
        ("archived", Use.CREATE, {"change", "create"}),
        ("issues_disabled", Use.CHANGE, {"look", "change", "create"}),
        ("not_installed", Use.LOOK, {"look", "change", "create"}),
        ("not_found", Use.CREATE, {"create"}),
        ("forbidden", Use.CREATE, {"create"}),
        ("not_found", Use.CHANGE, set()),
        ("forbidden", Use.CHANGE, set()),
        ("not_found", Use.LOOK, set()),
        ("gone", Use.CHANGE, set()),
        ("locked", Use.CHANGE, set()),
        ("invalid", Use.CREATE, set()),
        ("rate_limited", Use.CREATE, set()),
        ("server_error", Use.CREATE, set()),
    ],
)
def test_what_is_said_of_the_whole_repository_stops_what_it_is_about(reason: str, use: Use, expected: set[str]) -> None:
    closed = ClosedRepositories()
    closed.note(PLACE, use, refusal(reason))
    assert stopped(closed) == expected


def test_it_ends_when_it_is_time_to_ask_again_and_concerns_no_other_repository() -> None:
    closed = ClosedRepositories()
    closed.note(PLACE, Use.CREATE, refusal("archived"))
    assert stopped(closed, at=NOW + QUARTER - timedelta(seconds=1)) == {"change", "create"}
    assert stopped(closed, at=NOW + QUARTER) == set()
    assert stopped(closed, "acme/other") == set()
    assert stopped(closed, "ACME/Incidents") == {"change", "create"}


def test_whoever_is_spared_is_told_the_reason_and_the_instant_and_that_nothing_was_done() -> None:
    closed = ClosedRepositories()
    closed.note(PLACE, Use.CREATE, refusal("archived", ambiguous=True))
    with pytest.raises(DeliveryError, match="GitHub said archived") as caught:
        closed.check(PLACE, Use.CHANGE, NOW)
    error = caught.value
    assert (error.reason, error.retry_at, error.ambiguous) == ("archived", NOW + QUARTER, False)


def test_a_refusal_that_names_no_time_stops_nothing() -> None:
    closed = ClosedRepositories()
    closed.note(PLACE, Use.CREATE, refusal("archived", retry_at=None))
    assert stopped(closed) == set()
