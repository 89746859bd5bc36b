"""When a review begins and is due, who is reminded of it, and how it ends; action items likewise."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from building import START, incident, minutes
from playing import ANN, BOB, POLICY, Play, Played, close, reopen, told
from triaged.core.actions import FURTHEST, MOST
from triaged.core.calendars import Calendar
from triaged.core.catalogue import Budget
from triaged.core.downtime import Down, overspent
from triaged.core.draft import Context
from triaged.core.effects import Audience, NoticeKind, Notify, PublishIssue
from triaged.core.events import ActionAsked, DowntimeAddedUp, FoldAsked, ReviewAsked, RoleGiven
from triaged.core.lifecycle import decide
from triaged.core.model import (
    ActionKind,
    CloseReason,
    DeadlineKind,
    Entry,
    Fold,
    Review,
    ReviewOutcome,
    Role,
    Severity,
    State,
)
from triaged.core.reviewing import days_after, opening, reminders, window
from triaged.core.sla import Policy
from triaged.errors import ActError

BETWEEN = (timedelta(hours=48), timedelta(hours=72))
REVIEWED = replace(
    POLICY,
    severities={
        severity: replace(one, review=BETWEEN if severity.pages else None, update_every=timedelta(hours=1))
        for severity, one in POLICY.severities.items()
    },
)
HELD = ReviewAsked(actor=ANN, outcome=ReviewOutcome.HELD)
OPEN = ReviewAsked(actor=ANN, outcome=ReviewOutcome.OPEN)
NEVER = Calendar(name="never", zone=ZoneInfo("UTC"), weekly={0: ()})


def over(severity: Severity = Severity.SEV2, policy: Policy = REVIEWED) -> Play:
    """Fired at 0, taken at 0, silent at 10 and resolved after its window; it is 60."""
    play = Play(policy)
    play.fire(says=severity)
    play.act(RoleGiven(actor=ANN, role=Role.COMMANDER, person="bob"))
    play.to(10)
    play.resolve()
    play.to(60)
    return play


def review_of(play: Play) -> Review:
    found = play.incident.process.review
    assert found is not None
    return found


def notices(played: Iterable[Played], kind: NoticeKind = NoticeKind.REVIEW) -> list[Notify]:
    effects = (effect for one in played for effect in one.decision.effects)
    return [one for one in effects if isinstance(one, Notify) and one.kind is kind]


def days(count: float) -> float:
    """Minutes."""
    return count * 24 * 60


# ---------------------------------------------------------------- when it begins


@pytest.mark.parametrize("severity", [Severity.SEV1, Severity.SEV2])
def test_what_is_resolved_gets_a_review_from_two_to_three_days_later(severity: Severity) -> None:
    review = review_of(over(severity))
    assert review.begun_at == minutes(40 if severity is Severity.SEV1 else 30)
    assert (review.opens_at, review.due_at) == window(POLICY.calendars["business"], review.begun_at, BETWEEN)
    assert (review.severity, review.hours, review.outcome) == (severity, "business", ReviewOutcome.OPEN)


@pytest.mark.parametrize("severity", [Severity.SEV3, Severity.SEV4])
def test_what_is_light_has_no_review(severity: Severity) -> None:
    play = over(severity)
    assert play.incident.state is State.CLOSED
    assert play.incident.process.review is None


def test_what_a_person_closes_as_completed_is_reviewed_and_that_says_when() -> None:
    play = Play(REVIEWED)
    play.fire()
    played = play.act(close())
    review = review_of(play)
    assert review.begun_at == START
    when = f"to be reviewed between {review.opens_at:%Y-%m-%d %H:%M} UTC and {review.due_at:%Y-%m-%d %H:%M} UTC"
    assert told(played, Entry.REVIEW) == [when]


@pytest.mark.parametrize("reason", [CloseReason.FALSE_ALARM, CloseReason.NOT_PLANNED, CloseReason.DUPLICATE])
def test_what_is_closed_for_any_other_reason_is_not_reviewed(reason: CloseReason) -> None:
    play = Play(REVIEWED)
    play.fire()
    play.act(close(reason))
    assert play.incident.process.review is None
    played = over()
    after = played.act(close(reason))
    assert review_of(played).outcome is ReviewOutcome.WITHDRAWN
    assert told(after, Entry.REVIEW) == [f"its review is withdrawn: closed as {reason.replace('_', ' ')}"]
    assert DeadlineKind.REVIEW not in played.due()


def test_closing_what_is_resolved_leaves_its_review_as_it_is() -> None:
    play = over()
    before = review_of(play)
    play.act(close())
    assert review_of(play) == before


def test_what_nobody_had_to_take_is_not_reviewed() -> None:
    policy = replace(
        REVIEWED, severities={s: replace(one, close_unattended=True) for s, one in REVIEWED.severities.items()}
    )
    play = Play(policy)
    play.fire()
    play.to(10)
    play.resolve()
    play.to(60)
    assert (play.incident.state, play.incident.process.review) == (State.CLOSED, None)


def test_the_calendar_of_the_team_counts_where_the_policy_knows_it() -> None:
    at_night = Calendar(name="night", zone=ZoneInfo("UTC"), weekly={day: ((time(20), time(23)),) for day in range(7)})
    policy = replace(REVIEWED, calendars={**REVIEWED.calendars, "night": at_night})
    now = minutes(0)
    one = incident(state=State.OPEN, severity=Severity.SEV1)
    found = decide(one, close(), Context(policy=policy, hours="night"), now).incident.process.review
    assert found is not None
    assert (found.hours, found.opens_at.hour) == ("night", 20)
    other = decide(one, close(), Context(policy=policy, hours="unknown"), now).incident.process.review
    assert other is not None
    assert other.hours == "business"
    none = decide(one, close(), Context(policy=replace(policy, calendars={})), now).incident.process.review
    assert none is not None
    assert (none.hours, none.opens_at, none.due_at) == ("", now + BETWEEN[0], now + BETWEEN[1])


# ---------------------------------------------------------------- rounds


def test_one_that_opens_again_withdraws_its_review_and_asks_for_it_anew_when_it_is_over_again() -> None:
    play = over()
    first = changed(review_of(play), number=7)
    play.incidents[1] = changed(play.incident, process=changed(play.incident.process, review=first))
    again = play.act(reopen())
    assert review_of(play).outcome is ReviewOutcome.WITHDRAWN
    assert told(again, Entry.REVIEW) == [
        "its review is withdrawn: it is open again; its next resolution asks for it anew"
    ]
    assert DeadlineKind.REVIEW not in play.due()
    play.to(200)
    play.act(close())
    second = review_of(play)
    assert (second.outcome, second.number, second.reminded) == (ReviewOutcome.OPEN, 7, 0)
    assert second.begun_at > first.begun_at


def test_a_review_that_was_held_or_waived_stays_so_whatever_comes_after() -> None:
    play = over()
    play.act(HELD)
    play.act(reopen())
    play.to(200)
    play.act(close())
    assert (review_of(play).outcome, review_of(play).by) == (ReviewOutcome.HELD, "ann")


def test_a_review_that_somebody_asked_for_is_asked_for_anew_whatever_the_severity() -> None:
    play = over(Severity.SEV3)
    play.act(ReviewAsked(actor=BOB, outcome=ReviewOutcome.OPEN, reason="it was close"))
    first = review_of(play)
    play.act(reopen())
    assert review_of(play).outcome is ReviewOutcome.WITHDRAWN
    play.to(200)
    played = play.act(close())
    second = review_of(play)
    assert (second.outcome, second.because) == (ReviewOutcome.OPEN, "bob asks for it: it was close")
    assert second.begun_at > first.begun_at
    assert told(played, Entry.REVIEW)[0].endswith(": bob asks for it: it was close")


def test_one_that_was_lowered_meanwhile_keeps_its_review_withdrawn() -> None:
    play = over()
    play.act(reopen())
    light = changed(play.incident, severity=Severity.SEV4, chosen=Severity.SEV4, chosen_by="ann")
    play.incidents[1] = light
    play.act(close())
    assert review_of(play).outcome is ReviewOutcome.WITHDRAWN


def test_what_is_folded_gives_its_review_up_to_its_parent() -> None:
    play = over()
    parent = incident(id=2, state=State.OPEN)
    one = changed(play.incident, parent=2, fold=Fold.MERGE, folded_at=minutes(60))
    decision = decide(one, FoldAsked(), Context(policy=REVIEWED, parent=parent), minutes(61))
    review = decision.incident.process.review
    assert review is not None
    assert review.outcome is ReviewOutcome.WITHDRAWN
    assert [entry.text for entry in decision.timeline] == ["its review is withdrawn: INC-2 tells of it"]


# ---------------------------------------------------------------- working time

ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia")


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    weekly: dict[int, tuple[tuple[time, time], ...]] = {}
    for day in draw(st.sets(st.integers(0, 6), min_size=1)):
        opens = draw(st.integers(0, 22))
        closes = draw(st.integers(opens + 1, 23))
        weekly[day] = ((time(opens), time(closes)),)
    holidays = frozenset(date(2026, 1, 1) + timedelta(days=n) for n in draw(st.sets(st.integers(0, 400), max_size=40)))
    return Calendar(
        name="drawn",
        zone=ZoneInfo(draw(st.sampled_from(ZONES))),
        weekly=weekly,
        closed=lambda year: frozenset(day for day in holidays if day.year == year),
    )


@given(
    calendar=calendars(),
    over_at=st.timedeltas(timedelta(), timedelta(days=365)).map(lambda span: datetime(2026, 1, 1, tzinfo=UTC) + span),
    earliest=st.timedeltas(timedelta(minutes=1), timedelta(days=9)),
    more=st.timedeltas(timedelta(), timedelta(days=9)),
)
def test_a_reviews_instants_lie_in_working_time_and_leave_the_time_there_is_for_it(
    calendar: Calendar, over_at: datetime, earliest: timedelta, more: timedelta
) -> None:
    opens_at, due_at = window(calendar, over_at, (earliest, earliest + more))
    assert calendar.is_open(opens_at)
    assert calendar.is_open(due_at)
    assert opens_at >= over_at + earliest
    assert due_at - opens_at >= more
    # No open instant is passed over: neither is later than it has to be.
    assert calendar.between(over_at + earliest, opens_at) == timedelta()
    assert calendar.between(opens_at + more, due_at) == timedelta()
    review = Review(severity=Severity.SEV1, begun_at=over_at, opens_at=opens_at, due_at=due_at, hours="drawn")
    told_at = reminders(review, replace(POLICY, calendars={"drawn": calendar}))
    assert list(told_at) == sorted(told_at)
    assert all(map(calendar.is_open, told_at))
    assert due_at in told_at


@pytest.mark.parametrize("calendar", [None, NEVER])
def test_without_open_time_all_of_it_is_elapsed_time(calendar: Calendar | None) -> None:
    assert window(calendar, START, BETWEEN) == (START + BETWEEN[0], START + BETWEEN[1])
    assert opening(calendar, START) == START
    assert days_after(calendar, START, 2) == START + timedelta(days=2)


# ---------------------------------------------------------------- reminders


def test_somebody_is_reminded_when_it_opens_before_it_is_due_when_it_is_and_some_days_after() -> None:
    play = over()
    review = review_of(play)
    played = play.to(days(30))
    at = [one.at for one in played if told([one], Entry.REVIEW)]
    assert at == list(reminders(review, REVIEWED))
    texts = told(played, Entry.REVIEW)
    assert texts[0].endswith("bob and team reminded of it")
    assert "its review is due now" in " ".join(texts)
    assert texts[-1].startswith("its review was due at ")
    assert DeadlineKind.REVIEW not in play.due()
    mine = [one for one in notices(played) if one.audience is Audience.RESPONDERS]
    assert [one.to for one in mine] == [("bob", "team")] * len(at)
    assert len({one.key for one in mine}) == len(at)
    invited = [one for one in notices(played) if one.audience is Audience.STAKEHOLDERS]
    assert [one.text.partition(":")[0] for one in invited] == ["You are invited"]


def test_nobody_is_reminded_of_what_was_held() -> None:
    play = over()
    play.act(HELD)
    assert not told(play.to(days(30)), Entry.REVIEW)


def test_after_downtime_over_all_of_it_one_reminder_tells_where_it_stands() -> None:
    play = over()
    played = play.down_until(days(30))
    assert len(told(played, Entry.REVIEW)) == 1
    assert "late)" in told(played, Entry.REVIEW)[0]
    assert [one.audience for one in notices(played)] == [Audience.RESPONDERS]


def test_without_an_owner_the_team_and_who_is_on_call_are_reminded() -> None:
    play = Play(REVIEWED)
    play.fire()
    play.act(close())
    (first,) = [one for one in notices(play.to(days(2.3))) if one.audience is Audience.RESPONDERS]
    assert first.to == ("team", "on_call")


def test_of_what_is_restricted_stakeholders_are_not_told() -> None:
    play = over()
    play.incidents[1] = changed(play.incident, restricted=True)
    played = play.to(days(4))
    assert {one.audience for one in notices(played)} == {Audience.RESPONDERS}


# ---------------------------------------------------------------- what people say of it


def test_a_review_is_held_waived_with_a_reason_and_opened_again() -> None:
    play = over()
    play.act(ReviewAsked(actor=ANN, outcome=ReviewOutcome.WAIVED, reason="a drill"))
    review = review_of(play)
    assert (review.outcome, review.by, review.reason, review.at) == (ReviewOutcome.WAIVED, "ann", "a drill", play.now)
    play.act(OPEN)
    assert (review_of(play).outcome, review_of(play).by) == (ReviewOutcome.OPEN, "")
    assert told(play.act(HELD)) == ["review held by ann"]


@pytest.mark.parametrize(
    ("before", "asked", "said"),
    [
        ((), ReviewAsked(actor=ANN, outcome=ReviewOutcome.WAIVED), "reason: expected why there is no review"),
        ((), OPEN, "REV-0 is open: expected an incident without an open review"),
        ((HELD,), HELD, "REV-0 was held by ann: expected one that is open"),
        ((HELD,), ReviewAsked(actor=BOB, outcome=ReviewOutcome.WAIVED, reason="x"), "REV-0 was held by ann"),
        ((reopen(),), HELD, "INC-1 is not over: expected an incident with a review"),
        ((reopen(),), OPEN, "INC-1 is open: expected one that is resolved, or closed as completed"),
    ],
)
def test_what_a_review_does_not_allow_is_refused(before: tuple[Any, ...], asked: ReviewAsked, said: str) -> None:
    play = over()
    for one in before:
        play.act(one)
    with pytest.raises(ActError, match="^" + said):
        play.act(asked)


def test_a_review_can_be_asked_for_where_the_severity_has_none() -> None:
    play = over(Severity.SEV3)
    with pytest.raises(ActError, match="INC-1 has none: expected an incident with a review; outcome open begins one"):
        play.act(HELD)
    play.act(ReviewAsked(actor=BOB, outcome=ReviewOutcome.OPEN, reason="it was close"))
    review = review_of(play)
    assert (review.because, review.severity) == ("bob asks for it: it was close", Severity.SEV3)
    assert review.due_at >= play.now + BETWEEN[1]


# ---------------------------------------------------------------- downtime that adds up

ADDED = DowntimeAddedUp(down_for=timedelta(hours=2), budget=timedelta(hours=1), within=timedelta(days=30))


def test_downtime_over_a_budget_is_reviewed_whatever_the_severity() -> None:
    play = over(Severity.SEV4)
    play.incidents[1] = changed(play.incident, service="checkout")
    play.tell(ADDED)
    assert review_of(play).because == "checkout was down for 2 h in 30 d, more than its budget of 1 h"
    before = review_of(play)
    play.tell(ADDED)
    assert review_of(play) == before


def test_a_review_for_downtime_that_was_withdrawn_is_asked_for_again() -> None:
    play = over(Severity.SEV4)
    play.tell(ADDED)
    play.act(reopen())
    play.act(close(CloseReason.FALSE_ALARM))
    assert review_of(play).outcome is ReviewOutcome.WITHDRAWN
    play.act(reopen())
    play.act(close())
    assert review_of(play).outcome is ReviewOutcome.OPEN


def test_downtime_of_what_is_open_again_waits_for_its_end() -> None:
    play = Play(REVIEWED)
    play.fire()
    play.tell(ADDED)
    assert play.incident.process.review is None


# ---------------------------------------------------------------- action items


def add(text: str = "Test the rollback", **more: Any) -> ActionAsked:
    return ActionAsked(actor=ANN, text=text, **more)


def test_an_action_item_is_added_during_an_incident_and_done_after_it() -> None:
    play = over()
    played = play.act(add(kind=ActionKind.TOOL, owner="bob", due_in=timedelta(days=1)))
    (item,) = play.incident.process.actions
    assert (item.id, item.kind, item.owner, item.by) == (1, ActionKind.TOOL, "bob", "ann")
    assert item.due_at == play.now + timedelta(days=1)
    due = f"{item.due_at:%Y-%m-%d %H:%M} UTC"
    assert told(played) == [f"action item 1 (tool) of bob, due {due}: Test the rollback (by ann)"]
    done = play.act(ActionAsked(actor=BOB, done=1))
    assert told(done) == ["done by bob: action item 1 (tool): Test the rollback"]
    assert play.incident.process.actions[0].done_by == "bob"
    assert DeadlineKind.ACTION not in play.due()


def test_what_is_light_and_what_is_open_have_action_items_too() -> None:
    light = over(Severity.SEV4)
    light.act(add())
    assert [item.kind for item in light.incident.process.actions] == [ActionKind.PREVENTIVE]
    running = Play(REVIEWED)
    running.fire()
    running.act(add(due_at=minutes(days(3))))
    assert running.due()[DeadlineKind.ACTION] == minutes(days(3.25))


def test_the_owner_of_an_item_is_reminded_when_it_is_due_and_a_few_times_after() -> None:
    play = over()
    play.act(add(owner="bob", due_in=timedelta(days=1)))
    play.act(add("Learn", due_in=timedelta(days=2)))
    play.act(add("Some day"))
    played = play.to(days(90))
    mine = notices(played, NoticeKind.ACTION)
    assert [one.to for one in mine].count(("bob",)) == 5
    assert [one.to for one in mine].count(("bob", "team")) == 5
    assert len({one.key for one in mine}) == 10
    assert mine[0].text.startswith("Action item 1 (preventive) of bob, due 2026-")
    assert not any("Some day" in text for text in told(played))
    assert DeadlineKind.ACTION not in play.due()


def test_reminders_of_items_that_downtime_delayed_are_one_each() -> None:
    play = over()
    play.act(add(owner="bob", due_in=timedelta(days=1)))
    assert len(notices(play.down_until(days(90)), NoticeKind.ACTION)) == 1


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (add(" "), "text: expected what is to be done, or done with the number of an action item, got nothing"),
        (add(due_in=timedelta()), "due: expected an instant after now"),
        (add(due_at=minutes(0)), "due: expected an instant after now"),
        (add(due_in=FURTHEST + timedelta(days=1)), "due: expected at most 732 days from now, got 733 d"),
        (ActionAsked(actor=ANN, done=1), "done: INC-1 has no action item 1: expected an incident with action items"),
    ],
)
def test_an_action_item_that_says_too_little_is_refused(asked: ActionAsked, said: str) -> None:
    with pytest.raises(ActError, match="^" + said):
        over().act(asked)


def test_what_is_done_is_not_done_again_and_what_is_not_there_never() -> None:
    play = over()
    play.act(add())
    play.act(ActionAsked(actor=BOB, done=1))
    with pytest.raises(ActError, match=r"^done: action item 1 was done at .* by bob$"):
        play.act(ActionAsked(actor=ANN, done=1))
    with pytest.raises(ActError, match="expected one of 1 to 1"):
        play.act(ActionAsked(actor=ANN, done=2))


def test_an_owner_whom_the_rules_do_not_know_is_refused() -> None:
    context = Context(policy=REVIEWED, people=("ann", "bob"), teams=("payments",))
    with pytest.raises(ActError, match=r"owner: expected one of the people or teams .* did you mean bob\?"):
        decide(over().incident, add(owner="bobb"), context, minutes(61))
    owned = decide(over().incident, add(owner="payments"), context, minutes(61))
    assert owned.incident.process.actions[0].owner == "payments"


def test_an_incident_takes_so_many_action_items_and_no_more() -> None:
    play = over()
    for number in range(MOST):
        play.act(add(f"step {number}"))
    with pytest.raises(ActError, match=f"^INC-1 has {MOST} action items"):
        play.act(add())


@pytest.mark.parametrize("state", [State.OPEN, State.CLOSED])
def test_what_is_folded_keeps_its_items_reminds_of_them_and_they_can_be_done(state: State) -> None:
    play = over()
    play.act(add(owner="bob", due_in=timedelta(days=1)))
    play.incidents[1] = changed(play.incident, state=state, parent=2, fold=Fold.MERGE, folded_at=minutes(60))
    reminded = notices(play.to(days(4)), NoticeKind.ACTION)
    assert [one.to for one in reminded] == [("bob",)] * 2
    assert DeadlineKind.ACTION in play.due()
    played = play.act(ActionAsked(actor=BOB, done=1))
    assert told(played) == ["done by bob: action item 1 (preventive): Test the rollback"]
    assert PublishIssue(incident_id=1) in played[0].decision.effects
    assert DeadlineKind.ACTION not in play.due()
    assert [item.id for item in play.act(add("More"))[0].decision.incident.process.actions] == [1, 2]


# ---------------------------------------------------------------- how much it was

BUDGET = Budget(budget=timedelta(hours=1), within=timedelta(days=30))


def down(number: int, began: float, ended: float, *, reviewed: bool = False) -> Down:
    return Down(incident_id=number, began_at=minutes(began), ended_at=minutes(ended), reviewed=reviewed)


def test_many_short_outages_together_are_over_the_budget() -> None:
    found = [down(3, 200, 221), down(1, 0, 20), down(2, 100, 120)]
    assert overspent(found, BUDGET, minutes(300)) == (3, timedelta(minutes=61))
    assert overspent(found[1:], BUDGET, minutes(300)) is None
    assert overspent([], BUDGET, minutes(300)) is None


def test_what_was_down_at_once_counts_once_and_what_is_long_past_does_not() -> None:
    assert overspent([down(1, 0, 50), down(2, 10, 55), down(3, 20, 40)], BUDGET, minutes(60)) is None
    assert overspent([down(1, 0, 100), down(2, 200, 250)], BUDGET, minutes(75) + BUDGET.within) == (
        2,
        timedelta(minutes=75),
    )
    assert overspent([down(1, 0, 100)], BUDGET, minutes(40) + BUDGET.within) is None


def test_what_was_reviewed_is_not_counted_again() -> None:
    found = [down(1, 0, 50), down(2, 60, 80, reviewed=True), down(3, 100, 150)]
    assert overspent(found, BUDGET, minutes(200)) is None
    assert overspent([*found, down(4, 160, 175)], BUDGET, minutes(200)) == (4, timedelta(minutes=65))
