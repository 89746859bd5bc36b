"""How many comments an issue takes, and which are never left out for another hour's sake."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triaged.core.commenting import AN_HOUR, FULL, IN_ALL, OF_PEOPLE, OWN, SPENT, Said, left_out
from triaged.core.effects import CommentKind
from triaged.core.model import Severity

kinds = st.sampled_from(CommentKind)


@given(asked=st.lists(st.tuples(kinds, st.sampled_from(Severity)), max_size=60), times=st.integers(1, 30))
def test_whatever_happens_an_issue_never_has_more_than_its_budget(
    asked: list[tuple[CommentKind, Severity]], times: int
) -> None:
    said = Said()
    for kind, severity in asked * times:
        if not left_out(kind, severity, said):
            said = said.and_one(kind)
    assert said.own <= IN_ALL
    assert said.of_people <= OF_PEOPLE


@pytest.mark.parametrize("kind", [CommentKind.REOPENED, CommentKind.RESOLVED])
def test_what_comes_and_goes_is_left_out_when_the_hour_is_full(kind: CommentKind) -> None:
    assert left_out(kind, Severity.SEV1, Said(lately=AN_HOUR - 1)) == ""
    assert left_out(kind, Severity.SEV1, Said(lately=AN_HOUR)) == SPENT


@pytest.mark.parametrize(
    ("kind", "severity", "why"),
    [
        (CommentKind.SEVERITY_RAISED, Severity.SEV1, ""),
        (CommentKind.SEVERITY_RAISED, Severity.SEV2, ""),
        (CommentKind.SEVERITY_RAISED, Severity.SEV3, SPENT),
        (CommentKind.ESCALATED, Severity.SEV4, ""),
        (CommentKind.JUDGED_ABOVE, Severity.SEV3, ""),
        (CommentKind.UPDATE, Severity.SEV4, ""),
    ],
)
def test_what_has_to_reach_somebody_does_not_wait_for_another_hour(
    kind: CommentKind, severity: Severity, why: str
) -> None:
    assert left_out(kind, severity, Said(lately=AN_HOUR, own=AN_HOUR)) == why


@pytest.mark.parametrize("kind", OWN)
def test_in_all_nothing_of_the_daemon_s_own_goes_beyond_and_people_have_room_all_the_same(kind: CommentKind) -> None:
    spent = Said(own=IN_ALL)
    assert left_out(kind, Severity.SEV1, spent) == SPENT
    assert left_out(CommentKind.UPDATE, Severity.SEV4, spent) == ""
    assert left_out(CommentKind.UPDATE, Severity.SEV4, Said(of_people=OF_PEOPLE)) == SPENT
    assert left_out(kind, Severity.SEV1, Said(of_people=OF_PEOPLE)) == ""


@pytest.mark.parametrize("kind", CommentKind)
def test_where_github_takes_no_more_nothing_is_tried(kind: CommentKind) -> None:
    assert left_out(kind, Severity.SEV1, Said(full=True)) == FULL
