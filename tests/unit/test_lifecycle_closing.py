"""How an incident ends: resolved after its stability window, closed by the daemon or by a person."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from building import minutes, verdict
from playing import (
    Play,
    ack,
    choose,
    close,
    comments,
    counted,
    entries,
    opened,
    publishes,
    reopen,
    tallies,
    told,
    verifying,
)
from triaged.core.effects import CommentKind, PublishIssue
from triaged.core.events import CloseAsked
from triaged.core.model import (
    ActorKind,
    CloseReason,
    Entry,
    Outcome,
    Severity,
    State,
)

SEV1, SEV2, SEV3, SEV4 = Severity
PAGE = {"severity": "sev2", "team": "payments"}
A_DAY = 24 * 60


# ---- resolved


def test_the_passed_stability_window_makes_it_resolved_and_the_issue_says_so() -> None:
    play = verifying()
    done = play.to(30)
    incident = play.incident
    assert (incident.state, incident.restored_at, incident.resolved_at) == (State.RESOLVED, minutes(10), minutes(30))
    assert (incident.closed_at, play.due()) == (None, {})
    assert comments(done) == [(CommentKind.RESOLVED, "Resolved. Restored at 2026-11-23 03:10 UTC, after 10 min.")]
    assert told(done, Entry.RESOLVED) == ["resolved: quiet since 2026-11-23 03:10 UTC, after 10 min"]
    assert PublishIssue(incident_id=1, urgent=True) in publishes(done)


def test_a_resolution_counts_its_outcomes_and_how_long_it_took() -> None:
    done = verifying().to(30)
    assert tallies(done) == [
        ("sla_not_required_total", {**PAGE, "objective": "response"}, None),
        ("sla_met_total", {**PAGE, "objective": "resolution"}, None),
        ("incident_resolve_duration_seconds", PAGE, 600.0),
        ("incidents_resolved_total", PAGE, None),
    ]


def test_the_resolution_is_decided_with_the_restoration_not_with_the_end_of_the_window() -> None:
    play = Play()
    play.fire()
    play.act(ack())
    play.to(470)
    play.resolve()
    play.to(490)
    assert (play.incident.state, play.incident.resolution_outcome) == (State.RESOLVED, Outcome.MET)


def test_a_restoration_that_is_told_late_is_judged_by_when_it_was() -> None:
    play = Play()
    play.fire()
    play.act(ack())
    play.to(475)
    play.resolve(ended=470)
    play.to(490)
    assert (play.incident.restored_at, play.incident.resolution_outcome) == (minutes(470), Outcome.MET)


@pytest.mark.parametrize(("severity", "state"), [(SEV1, State.RESOLVED), (SEV2, State.RESOLVED)])
def test_a_sev1_or_sev2_needs_a_person_to_close_it(severity: Severity, state: State) -> None:
    play = verifying(severity)
    play.to(60)
    assert play.incident.state is state


@pytest.mark.parametrize("severity", [SEV3, SEV4])
def test_a_sev3_or_sev4_closes_by_itself_after_verification(severity: Severity) -> None:
    play = verifying(severity)
    done = play.to(60)
    incident = play.incident
    assert (incident.state, incident.close_reason, incident.closed_by_kind) == (
        State.CLOSED,
        CloseReason.COMPLETED,
        ActorKind.DAEMON,
    )
    assert incident.closed_at == incident.resolved_at
    assert counted(done, "incidents_closed_total") == [
        {"severity": str(severity), "team": "payments", "reason": "completed", "by": "daemon"}
    ]
    assert told(done, Entry.CLOSED) == [f"closed: {severity} needs no person to close it"]


@pytest.mark.parametrize(
    ("severity", "who", "state"), [(SEV1, "daemon", State.CLOSED), (SEV3, "person", State.RESOLVED)]
)
def test_a_rules_close_wins_over_the_severitys(severity: Severity, who: str, state: State) -> None:
    play = Play()
    play.fire(says=verdict(severity=severity, close=who))
    play.to(10)
    play.resolve()
    play.to(60)
    assert play.incident.state is state


# ---- close


def test_a_persons_close_is_closed_at_once_even_while_alerts_fire_and_notifies_nobody() -> None:
    play = opened()
    play.fire("B")
    closed = play.act(close(fix="Rolled back."))
    incident = play.incident
    assert (incident.state, incident.closed_at, incident.closed_by) == (State.CLOSED, minutes(5), "ann")
    assert (incident.closed_by_kind, incident.close_reason) == (ActorKind.PERSON, CloseReason.COMPLETED)
    assert (incident.closed_by_person, incident.closed_covering, incident.firing) == (True, SEV2, 2)
    assert (incident.fix, play.due()) == ("Rolled back.", {})
    assert comments(closed) == [], "the issue's own text says it"
    assert told(closed, Entry.CLOSED) == ["closed by ann: completed"]
    assert comments([*play.fire(since=0), *play.resolve(), *play.fire(since=0), *play.to(600)]) == []


def test_a_completed_close_decides_the_open_objectives_now() -> None:
    play = opened()
    closed = play.act(close())
    assert play.incident.restored_at == minutes(5)
    assert tallies(closed) == [
        ("incident_acknowledge_duration_seconds", PAGE, 300.0),
        ("sla_met_total", {**PAGE, "objective": "response"}, None),
        ("sla_met_total", {**PAGE, "objective": "resolution"}, None),
        ("incident_resolve_duration_seconds", PAGE, 300.0),
        ("incidents_closed_total", {**PAGE, "reason": "completed", "by": "person"}, None),
    ]


def test_a_completed_close_in_verifying_is_judged_by_the_restoration() -> None:
    play = opened()
    play.to(55)
    play.resolve()
    play.to(65)
    closed = play.act(close(summary="Slow.", root_cause="A lock.", fix="A restart.", prevention="A timeout."))
    assert (play.incident.restored_at, play.incident.former_state) == (minutes(55), None)
    assert (play.incident.response_outcome, play.incident.resolution_outcome) == (Outcome.NOT_REQUIRED, Outcome.MET)
    assert comments(closed) == []


@pytest.mark.parametrize("reason", [CloseReason.NOT_PLANNED, CloseReason.FALSE_ALARM, CloseReason.DUPLICATE])
def test_a_close_that_is_not_completed_requires_nothing_that_is_undecided(reason: CloseReason) -> None:
    play = opened()
    closed = play.act(close(reason))
    assert tallies(closed) == [
        ("sla_not_required_total", {**PAGE, "objective": "response"}, None),
        ("sla_not_required_total", {**PAGE, "objective": "resolution"}, None),
        ("incidents_closed_total", {**PAGE, "reason": str(reason), "by": "person"}, None),
    ]
    assert play.incident.restored_at is None
    assert told(closed, Entry.CLOSED) == [f"closed by ann: {str(reason).replace('_', ' ')}"]


def test_a_false_alarm_leaves_a_recorded_outcome() -> None:
    play = opened()
    play.act(ack())
    play.act(close(CloseReason.FALSE_ALARM))
    assert (play.incident.response_outcome, play.incident.resolution_outcome) == (Outcome.MET, Outcome.NOT_REQUIRED)


def test_closing_what_is_resolved_only_counts_the_close() -> None:
    play = opened()
    play.resolve()
    play.to(60)
    closed = play.act(close())
    assert tallies(closed) == [("incidents_closed_total", {**PAGE, "reason": "completed", "by": "person"}, None)]
    assert (play.incident.state, play.incident.restored_at) == (State.CLOSED, minutes(5))


# ---- after a person's close


def closed_while_firing(reason: CloseReason) -> Play:
    play = Play()
    play.fire()
    play.to(10)
    play.act(close(reason))
    return play


@pytest.mark.parametrize("reason", [CloseReason.COMPLETED, CloseReason.NOT_PLANNED, CloseReason.FALSE_ALARM])
def test_the_episodes_that_a_persons_close_held_never_reopen_it(reason: CloseReason) -> None:
    play = closed_while_firing(reason)
    play.to(20)
    play.fire(since=-3)
    play.fire(says=SEV1, since=0)
    play.resolve()
    play.to(30)
    continued = play.fire(says=SEV1, since=-3)
    assert (len(play.incidents), play.incident.state, play.incident.closed_by) == (1, State.CLOSED, "ann")
    assert (play.incident.firing, play.incident.alerts) == (1, 1)
    assert (tallies(continued), comments(continued)) == ([], [])
    assert publishes(continued) == [PublishIssue(incident_id=1)]


def test_an_episode_that_ends_at_the_very_instant_of_a_persons_close_was_held_by_it() -> None:
    play = closed_while_firing(CloseReason.COMPLETED)
    play.resolve()
    play.to(20)
    play.fire(since=0)
    assert (play.incident.state, play.incident.firing) == (State.CLOSED, 1)


def test_an_episode_that_had_ended_before_a_persons_close_reopens_it_when_it_goes_on() -> None:
    play = verifying()
    play.to(40)
    play.act(close())
    play.to(100)
    play.fire(since=0)
    assert (len(play.incidents), play.incident.state, play.incident.round) == (1, State.OPEN, 2)


def test_completed_reopens_for_an_episode_that_begins_within_the_window() -> None:
    play = closed_while_firing(CloseReason.COMPLETED)
    play.to(10 + A_DAY)
    play.fire("B")
    assert (len(play.incidents), play.incident.state, play.incident.firing) == (1, State.OPEN, 2)


def test_completed_does_not_reopen_for_an_episode_that_begins_after_the_window() -> None:
    play = closed_while_firing(CloseReason.COMPLETED)
    play.to(11 + A_DAY)
    play.fire("B")
    assert (play.incident.id, play.incident.follows, play.incidents[1].state) == (2, 1, State.CLOSED)


@pytest.mark.parametrize("reason", [CloseReason.NOT_PLANNED, CloseReason.FALSE_ALARM])
def test_not_planned_only_records_an_episode_that_begins_within_the_window(reason: CloseReason) -> None:
    play = closed_while_firing(reason)
    play.resolve()
    play.to(10 + A_DAY)
    recorded = play.fire("B")
    assert (len(play.incidents), play.incident.state) == (1, State.CLOSED)
    assert (play.incident.alerts, play.incident.firing) == (2, 1)
    assert entries(recorded) == [Entry.FIRED]
    play.resolve("B")
    assert (play.incident.state, play.incident.firing) == (State.CLOSED, 0)


def test_what_is_only_recorded_makes_it_restricted_like_any_alert_of_it() -> None:
    play = closed_while_firing(CloseReason.FALSE_ALARM)
    secret = replace(verdict(severity=SEV2), restricted=True)
    recorded = play.fire("B", secret)
    assert (len(play.incidents), play.incident.state, play.incident.restricted) == (1, State.CLOSED, True)
    assert told(recorded, Entry.RESTRICTED) == ["restricted from now on: B fires"]
    assert PublishIssue(incident_id=1) in publishes(recorded)
    assert told(play.fire("C", secret), Entry.RESTRICTED) == []


def test_a_closed_one_that_is_judged_restricted_anew_is_so() -> None:
    play = closed_while_firing(CloseReason.FALSE_ALARM)
    play.fire(says=replace(verdict(severity=SEV2), restricted=True), since=0)
    assert (play.incident.state, play.incident.restricted) == (State.CLOSED, True)


def test_one_that_is_reopened_by_what_is_restricted_tells_no_detail_of_it() -> None:
    play = closed_while_firing(CloseReason.COMPLETED)
    again = play.fire("B", replace(verdict(severity=SEV2), restricted=True))
    assert (play.incident.state, play.incident.restricted) == (State.OPEN, True)
    assert comments(again) == [(CommentKind.REOPENED, "Reopened: the incident's own page says more.")]


def test_not_planned_does_not_hold_an_episode_that_begins_after_the_window() -> None:
    play = closed_while_firing(CloseReason.NOT_PLANNED)
    play.to(11 + A_DAY)
    play.fire("B")
    assert (play.incident.id, play.incident.follows) == (2, 1)


@pytest.mark.parametrize("reason", [CloseReason.COMPLETED, CloseReason.NOT_PLANNED, CloseReason.FALSE_ALARM])
def test_a_new_episode_judged_higher_than_the_close_covered_opens_a_new_linked_incident(reason: CloseReason) -> None:
    play = closed_while_firing(reason)
    play.to(15)
    play.fire("B", SEV1)
    assert (play.incident.id, play.incident.follows, play.incident.severity) == (2, 1, SEV1)
    assert (play.incidents[1].state, play.incidents[1].firing) == (State.CLOSED, 1)


def test_what_the_close_covered_is_what_was_judged_not_what_was_chosen() -> None:
    play = Play()
    play.fire()
    play.act(choose(SEV4))
    play.act(close(CloseReason.NOT_PLANNED))
    play.fire("B", SEV2)
    assert len(play.incidents) == 1
    play.fire("C", SEV1)
    assert len(play.incidents) == 2


def test_an_episode_that_a_close_held_joins_the_new_incident_when_it_fires_again() -> None:
    play = closed_while_firing(CloseReason.COMPLETED)
    play.to(15)
    play.fire("B", SEV1)
    play.to(20)
    play.resolve()
    assert play.incidents[1].firing == 0
    play.to(25)
    play.fire(since=0)
    assert (play.incidents[1].firing, play.incidents[2].firing, play.incidents[2].alerts) == (0, 2, 2)


def test_an_incident_that_a_person_closed_hears_of_earlier_starts_but_is_not_judged() -> None:
    play = closed_while_firing(CloseReason.COMPLETED)
    before = play.incident
    play.fire(says=SEV1, since=-30)
    assert play.incident == replace(before, started_at=minutes(-30))


def found_late(at: float, reason: CloseReason = CloseReason.COMPLETED, seen: Severity | None = None) -> CloseAsked:
    return replace(close(reason), at=minutes(at), seen=seen)


def test_a_close_found_late_counts_from_its_own_instant() -> None:
    play = Play()
    play.fire()
    play.to(30)
    play.act(found_late(10))
    assert (play.incident.state, play.incident.closed_at) == (State.CLOSED, minutes(10))
    assert play.incident.restored_at == minutes(10)


def test_a_close_found_late_does_not_cover_what_began_after_it() -> None:
    play = Play()
    play.fire("A")
    play.to(30)
    play.fire("B")
    acted = play.act(found_late(10))
    assert play.incident.state is State.OPEN
    assert [kind for kind, _ in comments(acted)] == [CommentKind.REOPENED]


def test_a_close_found_late_says_nothing_of_a_round_that_began_after_it() -> None:
    play = Play()
    play.fire()
    play.act(close())
    play.to(20)
    play.act(reopen())
    play.act(found_late(10, CloseReason.NOT_PLANNED))
    assert play.incident.state is State.OPEN


@pytest.mark.parametrize(("seen", "state"), [(Severity.SEV1, State.CLOSED), (Severity.SEV4, State.OPEN)])
def test_a_not_planned_close_found_late_covers_what_began_after_it_unless_that_is_graver(
    seen: Severity, state: State
) -> None:
    play = Play()
    play.fire("A")
    play.to(30)
    play.fire("B")
    play.act(found_late(10, CloseReason.NOT_PLANNED, seen))
    assert play.incident.state is state
