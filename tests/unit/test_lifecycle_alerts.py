"""What alerts do to an incident that is open: raise it, fall silent, fire again, reopen it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from building import START, incident, minutes, verdict
from playing import ANN, POLICY, Play, ack, choose, close, comments, counted, entries, fixed, publishes, tallies, told
from triaged.core.alerting import Place, place
from triaged.core.effects import CommentKind, PublishIssue
from triaged.core.episodes import Change
from triaged.core.events import AlertFired
from triaged.core.model import (
    ActorKind,
    CloseReason,
    DeadlineKind,
    Entry,
    Incident,
    Objective,
    Outcome,
    Severity,
    State,
)

SEV1, SEV2, SEV3, SEV4 = Severity
A_DAY = 24 * 60
WHILE_AWAY = 10


def verifying(severity: Severity = SEV2) -> Play:
    """Fired at 0, silent since 10."""
    play = Play()
    play.fire(says=severity)
    play.to(10)
    play.resolve()
    return play


def resolved(severity: Severity = SEV2) -> Play:
    """Fired at 0, silent since 10, resolved at 30 (a Sev-2) or 40 (a Sev-1)."""
    play = verifying(severity)
    play.to(40)
    assert play.incident.state is State.RESOLVED
    return play


# ---- severity


def test_a_graver_verdict_raises_the_severity_and_says_so_once_to_everybody() -> None:
    play = Play()
    play.fire("A", SEV3)
    raised = play.fire("B", SEV1)
    text = "everity raised from sev3 to sev1: B fires. Some purchases fail or take too long."
    assert (play.incident.severity, play.incident.judged) == (SEV1, SEV1)
    assert told(raised, Entry.SEVERITY) == ["s" + text]
    assert comments(raised) == [(CommentKind.SEVERITY_RAISED, "S" + text)]
    assert PublishIssue(incident_id=1, urgent=True) in publishes(raised)
    assert tallies(raised) == []


@pytest.mark.parametrize("says", [SEV2, SEV3, SEV4])
def test_the_daemon_never_lowers_a_severity(says: Severity) -> None:
    play = Play()
    play.fire("A", SEV2)
    play.fire("B", says)
    play.fire("A", says, since=0)
    play.resolve("A")
    assert (play.incident.severity, play.incident.judged) == (SEV2, SEV2)
    assert Entry.SEVERITY not in entries(play.played)


def test_an_alert_that_is_judged_anew_raises_the_severity() -> None:
    play = Play()
    play.fire(says=SEV3)
    raised = play.fire(says=SEV2, since=0)
    assert play.incident.severity is SEV2
    assert told(raised, Entry.SEVERITY)[0].startswith("severity raised from sev3 to sev2: HighErrorRate is judged anew.")


def test_two_raises_at_one_instant_are_two_comments() -> None:
    play = Play()
    play.fire("A", SEV3)
    keys = [
        effect.key
        for one in (*play.fire("B", SEV2), *play.fire("C", SEV1))
        for effect in one.decision.effects
        if hasattr(effect, "key")
    ]
    assert len(set(keys)) == 2


def test_a_raise_makes_each_deadline_the_earlier_of_the_old_one_and_raise_plus_target() -> None:
    play = Play()
    play.fire("A", SEV2)
    play.to(50)
    play.fire("B", SEV1)
    assert play.due()[DeadlineKind.RESPONSE] == minutes(60)
    assert play.due()[DeadlineKind.RESOLUTION] == minutes(50 + 240)
    assert play.due()[DeadlineKind.RESOLUTION_AT_RISK] == minutes(50 + 180)


def test_a_raise_does_not_ask_again_for_a_response_that_was_breached() -> None:
    play = Play()
    play.fire("A", SEV2)
    play.to(61)
    play.fire("B", SEV1)
    assert play.incident.response_outcome is Outcome.BREACHED
    assert DeadlineKind.RESPONSE not in play.due()


def test_a_verdict_that_is_graver_than_the_acknowledgement_covered_ends_it() -> None:
    play = Play()
    play.fire("A", SEV3)
    play.act(ack())
    play.to(30)
    raised = play.fire("B", SEV2)
    incident = play.incident
    assert (incident.state, incident.acknowledged_by, incident.acknowledged_until) == (State.OPEN, None, None)
    assert (incident.response_outcome, incident.response_started_at) == (None, minutes(30))
    assert play.due()[DeadlineKind.RESPONSE] == minutes(90)
    assert told(raised, Entry.ACKNOWLEDGEMENT_ENDED) == [
        "the acknowledgement by ann ended: judged sev2 now, it covered sev3"
    ]


def test_a_verdict_that_is_no_graver_leaves_the_acknowledgement() -> None:
    play = Play()
    play.fire("A", SEV2)
    play.act(ack())
    play.fire("B", SEV2)
    play.fire("C", SEV3)
    assert (play.incident.state, play.incident.acknowledged_by) == (State.ACKNOWLEDGED, "ann")


def test_growth_in_verifying_ends_the_acknowledgement_too() -> None:
    play = Play()
    play.fire(says=SEV2)
    play.act(ack())
    play.to(10)
    play.resolve()
    play.grow(SEV1)
    assert (play.incident.state, play.incident.former_state) == (State.VERIFYING, State.OPEN)
    play.to(12)
    play.fire(says=SEV1)
    assert play.incident.state is State.OPEN
    assert play.due()[DeadlineKind.RESPONSE] == minutes(25)


# ---- verifying


def test_when_nothing_fires_any_more_it_is_verifying_since_the_end_of_the_last_alert() -> None:
    play = Play()
    play.fire("A")
    play.fire("B")
    play.to(10)
    play.resolve("A", ended=9)
    assert play.incident.state is State.OPEN
    silent = play.resolve("B", ended=7)
    assert (play.incident.state, play.incident.firing, play.incident.restored_at) == (State.VERIFYING, 0, minutes(9))
    assert play.due() == {DeadlineKind.VERIFICATION: minutes(29)}
    assert told(silent) == [
        "B resolved at 2026-11-23 03:07 UTC",
        "nothing fires any more; watched for 20 min from 2026-11-23 03:09 UTC",
    ]
    assert PublishIssue(incident_id=1, urgent=True) in publishes(silent)
    assert tallies(silent) == []


def test_a_resolve_for_the_unknown_does_nothing() -> None:
    play = Play()
    play.fire()
    before = play.incident
    assert play.resolve("Unknown") == []
    assert play.incident == before


def test_a_resolve_older_than_the_episode_does_nothing() -> None:
    play = Play()
    play.fire()
    assert play.resolve(ended=-1) == []
    assert (play.incident.state, play.incident.firing) == (State.OPEN, 1)


def test_a_resolve_twice_counts_once() -> None:
    play = Play()
    play.fire("A")
    play.fire("B")
    play.resolve("A")
    assert play.resolve("A") == []
    assert play.incident.firing == 1


def test_the_clocks_wait_while_it_is_verifying() -> None:
    assert verifying().due() == {DeadlineKind.VERIFICATION: minutes(30)}


@pytest.mark.parametrize("since", [None, 0])
def test_a_refire_in_verifying_goes_back_as_if_it_had_never_left(since: float | None) -> None:
    play = Play()
    play.fire()
    before = play.incident
    due = play.due()
    play.to(10)
    play.resolve()
    play.to(15)
    refired = play.fire(since=since)
    counts = {"alerts": 2 if since is None else 1, "last_ended_at": minutes(10)}
    assert play.incident == replace(before, **counts)
    assert play.due() == due
    assert tallies(refired) == []
    assert comments(refired) == []
    assert told(refired, Entry.REFIRED) == ["HighErrorRate fires again: back to open"]


def test_a_refire_in_verifying_goes_back_to_the_acknowledgement() -> None:
    play = Play()
    play.fire()
    play.to(5)
    play.act(ack())
    before = play.incident
    play.to(10)
    play.resolve()
    play.to(15)
    play.fire()
    assert play.incident == replace(before, alerts=2, last_ended_at=minutes(10))


def test_a_refire_that_is_graver_goes_back_and_raises() -> None:
    play = verifying()
    play.to(15)
    play.fire("B", SEV1)
    assert (play.incident.state, play.incident.severity, play.incident.restored_at) == (State.OPEN, SEV1, None)
    assert play.due()[DeadlineKind.RESPONSE] == minutes(30)


def test_a_deadline_that_passes_in_verifying_does_not_breach_when_nothing_fires_again() -> None:
    play = Play()
    play.fire()
    play.to(55)
    play.resolve()
    play.to(75)
    assert play.incident.state is State.RESOLVED
    assert (play.incident.response_outcome, play.incident.resolution_outcome) == (Outcome.NOT_REQUIRED, Outcome.MET)
    assert counted(play.played, "sla_breached_total") == []


def test_a_deadline_that_passes_in_verifying_breaches_when_it_fires_again() -> None:
    play = Play()
    play.fire()
    play.to(55)
    play.resolve()
    play.to(65)
    play.fire()
    breached = play.to(65)
    assert play.incident.response_outcome is Outcome.BREACHED
    assert told(breached, Entry.BREACHED) == [
        "response objective breached, due 2026-11-23 04:00 UTC (acted 5 min late)",
    ]


def test_a_deadline_that_passes_in_verifying_does_not_breach_by_an_acknowledgement_that_comes_then() -> None:
    play = Play()
    play.fire()
    play.to(55)
    play.resolve()
    play.to(65)
    play.act(ack())
    assert play.incident.response_outcome is None
    play.to(75)
    assert (play.incident.state, play.incident.response_outcome) == (State.RESOLVED, Outcome.NOT_REQUIRED)


def test_a_deadline_that_passes_in_verifying_before_the_acknowledgement_breaches_when_it_fires_again() -> None:
    play = Play()
    play.fire()
    play.to(55)
    play.resolve()
    play.to(65)
    play.act(ack())
    play.to(70)
    refired = play.fire()
    assert (play.incident.state, play.incident.response_outcome) == (State.ACKNOWLEDGED, Outcome.BREACHED)
    assert counted(refired, "sla_breached_total") == [
        {"severity": "sev2", "team": "payments", "objective": "response"},
    ]


def test_restored_before_acknowledged_makes_the_response_not_required() -> None:
    play = verifying()
    play.to(15)
    play.act(ack())
    assert (play.incident.state, play.incident.acknowledged_by) == (State.VERIFYING, "ann")
    done = play.to(30)
    assert play.incident.response_outcome is Outcome.NOT_REQUIRED
    assert counted(done, "sla_not_required_total") == [
        {"severity": "sev2", "team": "payments", "objective": "response"},
    ]


def test_an_acknowledgement_in_verifying_has_met_the_response_when_it_fires_again() -> None:
    play = verifying()
    play.to(15)
    play.act(ack())
    play.to(20)
    play.fire()
    assert (play.incident.state, play.incident.response_outcome) == (State.ACKNOWLEDGED, Outcome.MET)
    assert counted(play.played, "incident_acknowledge_duration_seconds") == [PAGE]


def test_a_response_that_was_late_before_the_restoration_is_breached_even_when_the_deadline_acted_too_late() -> None:
    play = Play()
    play.fire(since=0)
    play.now = minutes(70)
    play.resolve()
    play.act(ack())
    play.to(90)
    assert play.incident.response_outcome is Outcome.BREACHED


# ---- resolved


PAGE = {"severity": "sev2", "team": "payments"}


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


# ---- reopening


@pytest.mark.parametrize("severity", [SEV2, SEV3])
def test_an_episode_that_begins_within_reopen_within_of_the_restoration_reopens_it(severity: Severity) -> None:
    play = verifying(severity)
    play.to(10 + A_DAY)
    reopened = play.fire(says=severity)
    incident = play.incident
    labels = {"severity": str(severity), "team": "payments"}

    assert (len(play.incidents), incident.state, incident.round) == (1, State.OPEN, 2)
    assert (incident.opened_at, incident.round_at, incident.started_at) == (START, minutes(10 + A_DAY), START)
    assert (incident.alerts, incident.firing, incident.restored_at, incident.resolved_at) == (2, 1, None, None)
    assert (incident.closed_at, incident.closed_by, incident.close_reason) == (None, None, None)
    assert tallies(reopened) == [("incidents_reopened_total", labels, None)]
    assert comments(reopened) == [(CommentKind.REOPENED, "Reopened: HighErrorRate fires again.")]
    assert told(reopened, Entry.REOPENED) == ["reopened, round 2: HighErrorRate fires again"]


@pytest.mark.parametrize("severity", [SEV2, SEV3])
def test_an_episode_that_begins_later_opens_a_new_incident_that_links_the_former(severity: Severity) -> None:
    play = verifying(severity)
    play.to(11 + A_DAY)
    before = play.incident
    opened = play.fire(says=severity)
    assert (play.incident.id, play.incident.follows, play.incident.state) == (2, 1, State.OPEN)
    assert told(opened, Entry.FOLLOWED) == ["follows INC-1"]
    assert play.incidents[1] == before


def test_a_firing_with_an_equal_starts_at_reopens_later_like_any_other() -> None:
    play = resolved()
    play.to(100)
    play.fire(since=0)
    assert (play.incident.state, play.incident.round, play.incident.alerts, play.incident.firing) == (
        State.OPEN,
        2,
        1,
        1,
    )


def test_a_firing_with_an_equal_starts_at_long_after_opens_a_new_incident() -> None:
    play = resolved()
    play.to(60 + A_DAY)
    play.fire(since=0)
    assert (play.incident.id, play.incident.follows, play.incident.alerts) == (2, 1, 1)


def test_each_round_counts_on_its_own() -> None:
    play = Play()
    play.fire()
    play.to(70)
    play.resolve()
    play.to(100)
    assert (play.incident.response_outcome, play.incident.resolution_outcome) == (Outcome.BREACHED, Outcome.MET)
    play.to(120)
    play.fire()
    assert (play.incident.response_outcome, play.incident.resolution_outcome) == (None, None)
    assert (play.due()[DeadlineKind.RESPONSE], play.due()[DeadlineKind.RESOLUTION]) == (minutes(180), minutes(600))
    play.to(130)
    play.act(ack())
    play.to(140)
    play.resolve()
    play.to(160)
    assert [labels["objective"] for labels in counted(play.played, "sla_met_total")] == [
        "resolution",
        "response",
        "resolution",
    ]
    assert [seconds for name, _, seconds in tallies(play.played) if name == "incident_resolve_duration_seconds"] == [
        70 * 60.0,
        20 * 60.0,
    ]


def test_a_reopened_incident_keeps_its_severity_and_a_graver_alert_raises_it() -> None:
    play = resolved()
    play.fire("B", SEV1)
    assert (play.incident.severity, play.incident.round) == (SEV1, 2)
    assert play.due()[DeadlineKind.RESPONSE] == minutes(55)


def test_a_lighter_alert_reopens_it_as_grave_as_it_was() -> None:
    play = resolved()
    play.fire("B", SEV4)
    assert (play.incident.severity, play.incident.judged) == (SEV2, SEV2)


def test_a_chosen_severity_stands_in_the_next_round() -> None:
    play = Play()
    play.fire()
    play.act(choose(SEV4))
    play.to(10)
    play.resolve()
    play.to(30)
    assert play.incident.state is State.CLOSED
    play.fire()
    assert (play.incident.severity, play.incident.judged, play.incident.chosen) == (SEV4, SEV2, SEV4)


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


def test_an_episode_that_had_ended_before_a_persons_close_reopens_it_when_it_goes_on() -> None:
    play = resolved()
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


# ---- where a firing belongs


def fired(severity: Severity = SEV2, change: Change = Change.BEGAN) -> AlertFired:
    return AlertFired(name="B", source="am", verdict=verdict(severity=severity), change=change, starts_at=START)


@pytest.mark.parametrize("state", [state for state in State if state.unfinished])
def test_an_unfinished_incident_owns_its_key(state: State) -> None:
    assert place(incident(state=state), fired(), POLICY, minutes(60)) is Place.JOIN


@pytest.mark.parametrize(
    ("owner", "where"),
    [
        (incident(state=State.RESOLVED, restored_at=minutes(50)), Place.REOPEN),
        (incident(state=State.RESOLVED, restored_at=minutes(60 - A_DAY)), Place.REOPEN),
        (incident(state=State.RESOLVED, restored_at=minutes(59 - A_DAY)), Place.OPEN),
        (incident(state=State.CLOSED, closed_by_kind=ActorKind.DAEMON, restored_at=minutes(50)), Place.REOPEN),
        (incident(state=State.CLOSED, close_reason=CloseReason.UNOPENED, closed_at=minutes(59)), Place.OPEN),
    ],
)
def test_a_finished_incident_is_reopened_only_inside_its_window(owner: Incident, where: Place) -> None:
    assert place(owner, fired(), POLICY, minutes(60)) is where


def test_a_long_resolved_incident_is_not_reopened_by_whoever_asks() -> None:
    play = resolved()
    play.to(60 + A_DAY)
    before = play.incident
    play.tell(fired())
    assert (play.incident.state, play.incident.round) == (before.state, before.round)


def test_who_resolves_and_closes_is_known() -> None:
    play = resolved()
    play.act(fixed(summary="A bad release."))
    closed = play.act(close(ANN and CloseReason.COMPLETED))
    assert (play.incident.summary, play.incident.closed_by) == ("A bad release.", "ann")
    assert [labels["by"] for labels in counted(closed, "incidents_closed_total")] == ["person"]
    assert Objective.RESOLUTION in {Objective(labels["objective"]) for labels in counted(play.played, "sla_met_total")}
