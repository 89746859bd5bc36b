"""What makes a problem, and what people make of it: pure decisions, with the edges that a day never shows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from building import incident, minutes, rule_files
from triaged.core.draft import Context
from triaged.core.effects import KeepKnowledge, PublishIssue
from triaged.core.events import KnowledgeAdded
from triaged.core.knowledge import LONGEST_URL, MOST
from triaged.core.lifecycle import decide
from triaged.core.model import Actor, ActorKind, Category, CloseReason, Entry, Fold, Incident, Link, State
from triaged.core.problems import (
    Alike,
    Cause,
    Counted,
    Problem,
    ProblemKind,
    ProblemState,
    causes,
    counted,
    joined,
    left,
    made_by,
    opened,
    together,
    within,
)
from triaged.core.rules import Downtime, ProblemRules, Recurrence
from triaged.core.solving import (
    ProblemClosed,
    ProblemExplained,
    ProblemNoted,
    ProblemReopened,
    ProblemWorkedAround,
    act,
)
from triaged.errors import ActError

ANN = Actor(name="ann", kind=ActorKind.PERSON)
WEEK = timedelta(days=7)
RULES = ProblemRules(
    same_key=Recurrence(incidents=3, within=WEEK),
    same_service=Recurrence(incidents=4, within=WEEK),
    downtime=Downtime(of=timedelta(hours=2), within=WEEK),
)
WIKI = Link(url="https://wiki.example.com/leak", title="How to restart it")
KEY = causes(
    Counted(
        incident_id=1,
        key="v1:a",
        service="",
        category=Category.ERROR,
        restricted=False,
        opened_at=minutes(0),
        started_at=minutes(0),
    )
)[0]


def over(**changes: Any) -> Incident:
    ended = {"state": State.CLOSED, "restored_at": minutes(61), "closed_at": minutes(61), "firing": 0}
    return incident(**{**ended, "close_reason": CloseReason.COMPLETED, **changes})


def row(number: int = 12, **changes: Any) -> Counted:
    found = counted(over(id=number, category=Category.OUTAGE))
    assert found is not None
    return replace(found, **changes)


def problem(**changes: Any) -> Problem:
    made = opened(KEY, incident(), [row()], "3 incidents", former=None, number=40, now=minutes(90)).problem
    return replace(made, **changes)


# ---------------------------------------------------------------- what counts


@pytest.mark.parametrize(
    "changes",
    [
        {"opened_at": None, "state": State.PENDING},
        {"parent": 3, "fold": Fold.DEPENDENCY},
        {"close_reason": CloseReason.FALSE_ALARM},
        {"close_reason": CloseReason.NOT_PLANNED},
        {"close_reason": CloseReason.DUPLICATE},
        {"close_reason": CloseReason.UNOPENED},
    ],
)
def test_what_never_opened_was_folded_or_was_no_trouble_does_not_count(changes: dict[str, Any]) -> None:
    assert counted(over(**changes)) is None


def test_downtime_counts_once_it_is_over() -> None:
    going_on, ended = counted(incident(restored_at=minutes(5))), counted(over())
    assert going_on is not None
    assert ended is not None
    assert (going_on.restored_at, ended.restored_at) == (None, minutes(61))
    closed_by_hand = counted(over(restored_at=None))
    assert closed_by_hand is not None
    assert closed_by_hand.restored_at == minutes(61)


def test_the_causes_of_an_incident_stand_from_the_narrowest_to_the_widest() -> None:
    assert [cause.alike for cause in causes(row())] == [Alike.KEY, Alike.SERVICE, Alike.DOWNTIME]
    assert [cause.alike for cause in causes(row(category=Category.ERROR))] == [Alike.KEY, Alike.SERVICE]
    assert [cause.alike for cause in causes(row(service=""))] == [Alike.KEY]
    names = [cause.name for cause in causes(row())]
    assert names == ["key:v1:0123456789abcdef", "service:outage:checkout", "downtime:checkout"]


def test_what_the_rules_do_not_ask_for_is_no_problem() -> None:
    for cause in causes(row()):
        assert within(cause, RULES) == WEEK
        assert within(cause, ProblemRules()) is None
        assert made_by(cause, [row()] * 100, ProblemRules()) == ""


@pytest.mark.parametrize(("number", "times"), [(0, 3), (1, 4)])
def test_so_many_incidents_make_a_problem_and_one_less_does_not(number: int, times: int) -> None:
    cause = causes(row())[number]
    assert made_by(cause, [row()] * (times - 1), RULES) == ""
    assert made_by(cause, [row()] * times, RULES).startswith(f"{times} incidents of the same")


def test_so_much_downtime_makes_a_problem_and_a_minute_less_does_not() -> None:
    cause = causes(row())[2]
    hour = row(started_at=minutes(0), restored_at=minutes(60))
    assert made_by(cause, [], RULES) == ""
    assert made_by(cause, [hour, row(started_at=minutes(61), restored_at=minutes(120))], RULES) == ""
    assert made_by(cause, [hour, row(started_at=minutes(90), restored_at=None)], RULES) == ""
    enough = [hour, row(started_at=minutes(61), restored_at=minutes(121))]
    assert made_by(cause, enough, RULES).startswith("2 h of downtime in 2 incidents within 7 d")


SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=8)


@given(SPANS)
def test_together_they_last_as_long_as_minutes_in_which_one_of_them_does(spans: list[tuple[int, int]]) -> None:
    inside = {minute for begun, ended in spans for minute in range(begun, ended)}
    asked: list[tuple[datetime, datetime]] = [(minutes(begun), minutes(ended)) for begun, ended in spans]
    assert together(asked) == timedelta(minutes=len(inside))


# ---------------------------------------------------------------- what becomes of it


@pytest.mark.parametrize(
    ("category", "alike", "kind"),
    [
        (Category.ERROR, Alike.KEY, ProblemKind.RECURRING),
        (Category.DEGRADATION, Alike.SERVICE, ProblemKind.CAPACITY),
        (Category.OUTAGE, Alike.DOWNTIME, ProblemKind.DOWNTIME),
    ],
)
def test_the_kind_follows_from_cause_and_category(category: Category, alike: Alike, kind: ProblemKind) -> None:
    cause = Cause(alike=alike, name="x", service="checkout", category=category)
    rows = [row(1, opened_at=minutes(1)), row(2, opened_at=minutes(5)), row(3, opened_at=minutes(3), restricted=True)]
    followed = opened(cause, over(category=category), rows, "because", former=None, number=40, now=minutes(9))
    assert (followed.problem.kind, followed.problem.name, followed.problem.incidents) == (kind, "PRB-40", 3)
    assert (followed.problem.last_at, followed.problem.restricted) == (minutes(5), True)
    assert {one.problem_id for one in followed.rows} == {40}
    assert [entry.incident_id for entry in followed.timeline] == [40, 1, 2, 3]


def test_one_that_was_closed_is_opened_again_with_what_was_known_of_it() -> None:
    former = problem(state=ProblemState.CLOSED, closed_at=minutes(95), closed_by="ann", workaround="Restart it.")
    again = opened(KEY, incident(team="web"), [row(13)], "2 more", former=former, number=99, now=minutes(100)).problem
    assert (again.id, again.state, again.closed_at, again.closed_by) == (40, ProblemState.OPEN, None, None)
    assert (again.workaround, again.incidents, again.because, again.team) == ("Restart it.", 2, "2 more", "web")


def test_an_incident_joins_and_one_that_was_no_trouble_leaves() -> None:
    more = joined(problem(), row(13), minutes(100))
    assert (more.problem.incidents, [one.problem_id for one in more.rows]) == (2, [40])
    less = left(more.problem, over(id=13, close_reason=CloseReason.FALSE_ALARM), minutes(101))
    assert (less.problem.incidents, less.problem.state) == (1, ProblemState.OPEN)
    assert [entry.text for entry in less.timeline] == [
        "INC-13 counts no more: false alarm",
        "no more part of problem PRB-40: false alarm",
    ]
    folded = left(less.problem, incident(id=12, parent=3, fold=Fold.MERGE), minutes(102))
    assert folded.timeline[0].text == "INC-12 counts no more: folded"


# ---------------------------------------------------------------- what people do


def test_a_close_that_is_seen_late_counts_from_its_own_instant() -> None:
    changed = act(problem(), ProblemClosed(actor=ANN, at=minutes(95), note="its issue was closed"), (), minutes(120))
    assert changed.problem.closed_at == minutes(95)
    assert changed.timeline[0].text == "closed by ann: completed: its issue was closed"
    with pytest.raises(ActError, match="PRB-40 was opened again after ann had closed it"):
        act(problem(), ProblemClosed(actor=ANN, at=minutes(89)), (), minutes(120))


def test_a_close_keeps_what_was_known_and_is_not_left_to_be_said_again() -> None:
    known = problem(root_cause="A leak.", workaround="Restart it.")
    closed = act(known, ProblemClosed(actor=ANN, fix="Mended."), (), minutes(120)).problem
    assert (closed.root_cause, closed.workaround, closed.fix) == ("A leak.", "Restart it.", "Mended.")
    with pytest.raises(ActError, match="PRB-40 was closed by ann: expected one that is open"):
        act(closed, ProblemClosed(actor=ANN), (), minutes(121))
    again = act(closed, ProblemReopened(actor=ANN, reason="no"), (), minutes(122))
    assert (again.problem.state, again.timeline[0].text) == (ProblemState.OPEN, "opened again by ann: no")
    assert act(closed, ProblemReopened(actor=ANN), (), minutes(122)).timeline[0].text == "opened again by ann"
    with pytest.raises(ActError, match="PRB-40 is open: expected one that is closed"):
        act(again.problem, ProblemReopened(actor=ANN), (), minutes(123))


def test_notes_and_workarounds_are_told() -> None:
    noted = act(problem(), ProblemNoted(actor=ANN, text="It leaks."), (), minutes(91))
    assert (noted.problem, noted.tells, noted.timeline[0].entry) == (problem(), False, Entry.NOTE)
    around = act(problem(), ProblemWorkedAround(actor=ANN, text="Restart.", root_cause="A leak."), (), minutes(91))
    assert (around.problem.workaround, around.problem.root_cause, around.tells) == ("Restart.", "A leak.", True)
    gone = act(around.problem, ProblemWorkedAround(actor=ANN, text=""), (), minutes(92))
    assert (gone.problem.workaround, gone.problem.root_cause) == ("", "A leak.")
    assert gone.timeline[0].text == "no workaround, says ann"


def test_a_link_of_a_problem_is_there_once() -> None:
    kept = act(problem(), ProblemExplained(actor=ANN, link=WIKI), (), minutes(91))
    assert (kept.timeline[0].entry, kept.tells) == (Entry.KNOWLEDGE, True)
    with pytest.raises(ActError, match="url: expected a link that PRB-40 does not have yet"):
        act(problem(), ProblemExplained(actor=ANN, link=WIKI), (WIKI.url,), minutes(91))


# ---------------------------------------------------------------- knowledge of an incident


def keep(one: Incident, link: Link = WIKI) -> tuple[Incident, tuple[object, ...]]:
    decision = decide(one, KnowledgeAdded(actor=ANN, link=link), Context(policy=rule_files().policy), minutes(70))
    return decision.incident, decision.effects


@pytest.mark.parametrize("one", [incident(), over(), incident(parent=3, fold=Fold.DEPENDENCY)])
def test_a_link_is_kept_wherever_the_incident_stands(one: Incident) -> None:
    after, effects = keep(one)
    assert after.process.knowledge == (WIKI,)
    (kept,) = [effect for effect in effects if isinstance(effect, KeepKnowledge)]
    assert (kept.number, kept.key, kept.service, kept.link, kept.by) == (12, one.key, "checkout", WIKI, "ann")
    assert any(isinstance(effect, PublishIssue) for effect in effects) == (one.parent is None)


def test_a_link_is_kept_once_and_not_without_end() -> None:
    one = incident()
    for number in range(MOST):
        one, _ = keep(one, Link(url=f"https://wiki.example.com/{number}", title="x"))
    with pytest.raises(ActError, match="INC-12 has 20 links to what is known: expected fewer"):
        keep(one)
    with pytest.raises(ActError, match="url: expected a link that INC-12 does not have yet"):
        keep(one, Link(url="https://wiki.example.com/0", title="again"))


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "//wiki.example.com",
        "https://",
        "https://ann:secret@wiki.example.com/",
        "https://wiki.example.com/a b",
        "https://wiki.example.com/\u202e",
        "https://[",
        f"https://wiki.example.com/{'a' * LONGEST_URL}",
    ],
)
def test_what_nobody_should_be_led_to_is_refused(url: str) -> None:
    with pytest.raises(ActError, match="url: expected a link like https://") as refused:
        keep(incident(), Link(url=url, title="x"))
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("title", ["", " ", "two\nlines", "x" * 201])
def test_a_title_is_one_line(title: str) -> None:
    with pytest.raises(ActError, match="title: expected one line of at most 200 characters"):
        keep(incident(), Link(url=WIKI.url, title=title))
