"""What passing time does to an incident: each deadline acts exactly once, and says how late it did."""

from __future__ import annotations

from datetime import timedelta

import pytest

from building import incident, minutes, verdict
from playing import CONTEXT, NAME, Play, ack, choose, comments, counted, entries, pause, publishes, tallies, told
from triaged.core.effects import PublishIssue
from triaged.core.events import DeadlinePassed, GrowthAwaited
from triaged.core.lifecycle import decide
from triaged.core.model import DeadlineKind, Entry, Outcome, Severity, State

SEV1, SEV2, SEV3, SEV4 = Severity
PAGE = {"severity": "sev2", "team": "payments"}


def opened(severity: Severity = SEV2) -> Play:
    play = Play()
    play.fire(says=severity)
    return play


def test_the_deadline_of_a_storm_changes_nothing_by_itself() -> None:
    storm = incident(storm_until=minutes(5))
    passed = DeadlinePassed(kind=DeadlineKind.STORM, due_at=minutes(5))
    assert decide(storm, passed, CONTEXT, minutes(5)).incident == storm


# ---- objectives


@pytest.mark.parametrize(
    ("severity", "response", "resolution"), [(SEV1, 15, 240), (SEV2, 60, 480), (SEV3, 240, 3 * 24 * 60)]
)
def test_the_objectives_count_from_the_opening(severity: Severity, response: int, resolution: int) -> None:
    play = Play()
    play.fire(says=severity, since=-30)
    assert play.due() == {
        DeadlineKind.RESPONSE: minutes(response),
        DeadlineKind.RESPONSE_AT_RISK: minutes(response * 0.75),
        DeadlineKind.RESOLUTION: minutes(resolution),
        DeadlineKind.RESOLUTION_AT_RISK: minutes(resolution * 0.75),
    }


def test_a_sev4_of_the_night_is_answered_within_a_working_day_from_the_next_opening() -> None:
    play = opened(SEV4)
    assert play.due()[DeadlineKind.RESPONSE] == minutes(24 * 60 + 6 * 60)


def test_an_objective_at_risk_is_told_before_it_is_breached() -> None:
    play = opened()
    assert play.to(44) == []
    at_risk = play.to(45)
    assert (play.incident.response_at_risk, play.incident.response_outcome) == (True, None)
    assert told(at_risk) == ["response objective at risk, due 2026-11-23 04:00 UTC"]
    assert publishes(at_risk) == [PublishIssue(incident_id=1)]
    assert tallies(at_risk) == []


def test_a_response_that_nobody_gave_is_breached_at_its_deadline() -> None:
    play = opened()
    play.to(59)
    breached = play.to(60)
    assert (play.incident.state, play.incident.response_outcome) == (State.OPEN, Outcome.BREACHED)
    assert tallies(breached) == [("sla_breached_total", {**PAGE, "objective": "response"}, None)]
    assert told(breached) == ["response objective breached, due 2026-11-23 04:00 UTC"]
    assert publishes(breached) == [PublishIssue(incident_id=1)]
    assert comments(breached) == []


def test_an_acknowledged_incident_is_not_at_risk_of_a_late_response() -> None:
    play = opened()
    play.act(ack())
    assert DeadlineKind.RESPONSE not in play.due()
    assert DeadlineKind.RESPONSE_AT_RISK not in play.due()


def test_a_resolution_is_breached_at_its_deadline_and_stays_so() -> None:
    play = opened()
    play.act(ack())
    assert entries(play.to(480)) == [Entry.ACKNOWLEDGEMENT_ENDED, Entry.AT_RISK, Entry.BREACHED]
    assert play.incident.resolution_at_risk
    play.resolve()
    play.to(500)
    assert (play.incident.state, play.incident.resolution_outcome) == (State.RESOLVED, Outcome.BREACHED)
    assert counted(play.played, "sla_met_total") == [{**PAGE, "objective": "response"}]
    assert counted(play.played, "sla_breached_total") == [{**PAGE, "objective": "resolution"}]


def test_a_counter_is_labelled_with_the_severity_at_that_event() -> None:
    play = opened()
    play.to(5)
    play.act(ack())
    play.act(choose(SEV3))
    play.to(10)
    play.resolve()
    play.to(25)
    assert {(metric, labels["severity"]) for metric, labels, _ in tallies(play.played)} == {
        ("incidents_opened_total", "sev2"),
        ("incident_acknowledge_duration_seconds", "sev2"),
        ("sla_met_total", "sev2"),
        ("sla_met_total", "sev3"),
        ("incident_resolve_duration_seconds", "sev3"),
        ("incidents_resolved_total", "sev3"),
        ("incidents_closed_total", "sev3"),
    }


# ---- acknowledgement


@pytest.mark.parametrize(("severity", "hours"), [(SEV1, 2), (SEV2, 4)])
def test_an_acknowledgement_expires_for_sev1_and_sev2_when_nothing_happened_since(
    severity: Severity, hours: int
) -> None:
    play = opened(severity)
    play.act(ack())
    play.to(hours * 60 - 1)
    assert play.incident.state is State.ACKNOWLEDGED
    expired = play.to(hours * 60)
    incident = play.incident
    assert (incident.state, incident.acknowledged_by, incident.acknowledged_until) == (State.OPEN, None, None)
    assert incident.response_outcome is Outcome.MET
    assert told(expired, Entry.ACKNOWLEDGEMENT_ENDED) == ["the acknowledgement by ann expired: nothing happened since"]
    assert tallies(expired) == []
    assert DeadlineKind.RESPONSE not in play.due()


def test_an_expired_acknowledgement_can_be_given_again() -> None:
    play = opened()
    play.act(ack())
    play.to(241)
    again = play.act(ack())
    assert (play.incident.state, play.due()[DeadlineKind.ACKNOWLEDGEMENT]) == (State.ACKNOWLEDGED, minutes(481))
    assert tallies(again) == []


def test_an_acknowledgement_that_runs_out_in_verifying_ends_when_it_fires_again() -> None:
    play = opened()
    play.act(ack(lasting=timedelta(minutes=10)))
    play.to(5)
    play.resolve()
    play.to(15)
    assert play.due() == {DeadlineKind.VERIFICATION: minutes(25)}
    play.fire()
    play.to(15)
    assert play.incident.state is State.OPEN


# ---- exactly once

ONCE = [
    (DeadlineKind.OPENING, 15),
    (DeadlineKind.RESPONSE_AT_RISK, 11.25),
    (DeadlineKind.RESPONSE, 15),
    (DeadlineKind.RESOLUTION_AT_RISK, 180),
    (DeadlineKind.RESOLUTION, 240),
    (DeadlineKind.ACKNOWLEDGEMENT, 120),
    (DeadlineKind.VERIFICATION, 30),
    (DeadlineKind.GROWTH, 5),
    (DeadlineKind.PAUSE, 20),
]


def until(kind: DeadlineKind) -> Play:
    """An incident for which a deadline of that kind stands, from START."""
    play = Play()
    delay = timedelta(minutes=15) if kind is DeadlineKind.OPENING else None
    play.fire(says=verdict(severity=SEV3 if delay else SEV1, delay=delay))
    if kind in (DeadlineKind.ACKNOWLEDGEMENT, DeadlineKind.PAUSE):
        play.act(ack())
    if kind is DeadlineKind.PAUSE:
        play.act(pause(20))
    if kind is DeadlineKind.VERIFICATION:
        play.resolve()
    if kind is DeadlineKind.GROWTH:
        play.tell(GrowthAwaited(at=minutes(5)))
    return play


@pytest.mark.parametrize(("kind", "minute"), ONCE)
def test_a_deadline_acts_exactly_once(kind: DeadlineKind, minute: float) -> None:
    play = until(kind)
    assert play.due()[kind] == minutes(minute)
    passed = DeadlinePassed(kind=kind, due_at=minutes(minute))
    before = play.incident
    play.now = minutes(minute)
    play.tell(passed)
    after = play.incident
    assert after != before
    assert play.due().get(kind) != minutes(minute)

    (again,) = play.tell(passed)
    assert play.incident == after
    assert (again.decision.effects, again.decision.timeline) == ((), ())


@pytest.mark.parametrize(("kind", "minute"), ONCE)
def test_a_deadline_does_nothing_before_its_instant(kind: DeadlineKind, minute: float) -> None:
    play = until(kind)
    before = play.incident
    play.now = minutes(minute) - timedelta(microseconds=1)
    (early,) = play.tell(DeadlinePassed(kind=kind, due_at=minutes(minute)))
    assert play.incident == before
    assert (early.decision.effects, early.decision.timeline) == ((), ())


@pytest.mark.parametrize("kind", DeadlineKind)
@pytest.mark.parametrize("state", [State.RESOLVED, State.CLOSED])
def test_a_deadline_of_what_is_finished_does_nothing(kind: DeadlineKind, state: State) -> None:
    at = minutes(5)
    finished = incident(state=state, restored_at=at, pending_until=at, acknowledged_until=at, grows_at=at)
    decision = decide(finished, DeadlinePassed(kind=kind, due_at=at), CONTEXT, minutes(9))
    assert (decision.incident, decision.effects, decision.timeline) == (finished, (), ())


def test_a_deadline_that_was_moved_does_nothing_at_its_old_instant() -> None:
    play = opened()
    play.act(choose(SEV3))
    before = play.incident
    play.now = minutes(60)
    play.tell(DeadlinePassed(kind=DeadlineKind.RESPONSE, due_at=minutes(60)))
    assert play.incident == before


def test_a_verification_that_began_anew_does_not_end_at_its_old_instant() -> None:
    play = opened()
    play.to(10)
    play.resolve()
    play.to(20)
    play.fire()
    play.to(25)
    play.resolve()
    play.now = minutes(30)
    play.tell(DeadlinePassed(kind=DeadlineKind.VERIFICATION, due_at=minutes(30)))
    assert (play.incident.state, play.due()) == (State.VERIFYING, {DeadlineKind.VERIFICATION: minutes(45)})


# ---- late


def test_a_late_deadline_says_by_how_much() -> None:
    play = opened(SEV1)
    late = play.down_until(100)
    assert told(late) == [
        "response objective at risk, due 2026-11-23 03:15 UTC (acted 1 h 28 min late)",
        "response objective breached, due 2026-11-23 03:15 UTC (acted 1 h 25 min late)",
    ]


def test_a_deadline_that_is_late_by_less_than_a_minute_says_nothing_of_it() -> None:
    play = opened(SEV1)
    play.to(14)
    late = play.down_until(15.9)
    assert told(late) == ["response objective breached, due 2026-11-23 03:15 UTC"]


LATE = {
    DeadlineKind.OPENING: (Entry.OPENED, "opened as sev3: still fires after 2 h 15 min (acted 2 h late)"),
    DeadlineKind.RESPONSE_AT_RISK: (
        Entry.AT_RISK,
        "response objective at risk, due 2026-11-23 03:15 UTC (acted 2 h late)",
    ),
    DeadlineKind.RESPONSE: (
        Entry.BREACHED,
        "response objective breached, due 2026-11-23 03:15 UTC (acted 2 h late)",
    ),
    DeadlineKind.RESOLUTION_AT_RISK: (
        Entry.AT_RISK,
        "resolution objective at risk, due 2026-11-23 07:00 UTC (acted 2 h late)",
    ),
    DeadlineKind.RESOLUTION: (
        Entry.BREACHED,
        "resolution objective breached, due 2026-11-23 07:00 UTC (acted 2 h late)",
    ),
    DeadlineKind.ACKNOWLEDGEMENT: (
        Entry.ACKNOWLEDGEMENT_ENDED,
        "the acknowledgement by ann expired: nothing happened since (acted 2 h late)",
    ),
    DeadlineKind.VERIFICATION: (
        Entry.RESOLVED,
        "resolved: quiet since 2026-11-23 03:00 UTC, after 0 s (acted 2 h late)",
    ),
    DeadlineKind.GROWTH: (Entry.LATE, "whether it has grown by time alone was asked 2 h late"),
    DeadlineKind.PAUSE: (
        Entry.RESUMED,
        "the pause ended: its time is over; due 2026-11-23 07:20 UTC (acted 2 h late)",
    ),
}


@pytest.mark.parametrize(("kind", "minute"), ONCE)
def test_whatever_acts_late_says_by_how_much_on_the_entry_that_tells_of_it(kind: DeadlineKind, minute: float) -> None:
    play = until(kind)
    play.now = minutes(minute + 120)
    late = play.tell(DeadlinePassed(kind=kind, due_at=minutes(minute)))
    said = [(one.entry, one.text) for one in late[0].decision.timeline if " late" in one.text]
    assert said == [LATE[kind]]
    assert publishes(late)


def test_a_late_deadline_says_so_on_its_own_entry_and_not_on_what_it_brought_about() -> None:
    play = opened(SEV3)
    play.resolve()
    late = play.down_until(60)
    assert entries(late) == [Entry.NOT_REQUIRED, Entry.MET, Entry.RESOLVED, Entry.CLOSED, Entry.FIGURES]
    assert [" late)" in text for text in told(late)] == [False, False, True, False, False]


def test_a_question_of_a_storm_that_was_asked_late_is_told_and_one_in_time_is_not() -> None:
    storm = incident(storm_until=minutes(5))
    passed = DeadlinePassed(kind=DeadlineKind.STORM, due_at=minutes(5))
    (said,) = decide(storm, passed, CONTEXT, minutes(65)).timeline
    assert (said.entry, said.text) == (Entry.LATE, "whether the storm goes on was asked 1 h late")
    assert decide(storm, passed, CONTEXT, minutes(5.9)).timeline == ()


def test_a_late_opening_counts_from_when_it_opened() -> None:
    play = Play()
    play.fire(says=verdict(severity=SEV3, delay=timedelta(minutes=15)))
    late = play.down_until(60)
    assert (play.incident.opened_at, play.incident.response_due_at) == (minutes(60), minutes(300))
    assert told(late) == ["opened as sev3: still fires after 1 h (acted 45 min late)"]


def test_a_late_verification_is_judged_by_the_restoration() -> None:
    play = opened()
    play.act(ack())
    play.to(470)
    play.resolve()
    late = play.down_until(2_000)
    assert (play.incident.resolution_outcome, play.incident.resolved_at) == (Outcome.MET, minutes(2_000))
    assert told(late, Entry.RESOLVED) == [
        "resolved: quiet since 2026-11-23 10:50 UTC, after 7 h 50 min (acted 1 d 1 h late)"
    ]


def test_what_fell_silent_while_nothing_ran_is_watched_from_its_end() -> None:
    play = opened()
    play.now = minutes(300)
    play.resolve(NAME, ended=10)
    play.to(300)
    assert (play.incident.state, play.incident.response_outcome) == (State.RESOLVED, Outcome.NOT_REQUIRED)
