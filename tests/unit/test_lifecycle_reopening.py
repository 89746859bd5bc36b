"""How an incident comes back: reopened as a new round, or followed by a new one."""

from __future__ import annotations

import pytest

from building import START, incident, minutes, verdict
from playing import (
    POLICY,
    Play,
    ack,
    choose,
    close,
    comments,
    counted,
    fixed,
    opened,
    reopen,
    tallies,
    told,
    verifying,
)
from triaged.core.alerting import Place, place
from triaged.core.effects import CommentKind
from triaged.core.episodes import Change
from triaged.core.events import AlertFired
from triaged.core.model import (
    ActorKind,
    CloseReason,
    DeadlineKind,
    Entry,
    Incident,
    Outcome,
    Severity,
    State,
)

SEV1, SEV2, SEV3, SEV4 = Severity
PAGE = {"severity": "sev2", "team": "payments"}
A_DAY = 24 * 60


def resolved(severity: Severity = SEV2) -> Play:
    """Fired at 0, silent since 10, resolved at 30 (a Sev-2) or 40 (a Sev-1)."""
    play = verifying(severity)
    play.to(40)
    assert play.incident.state is State.RESOLVED
    return play


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


# ---- reopen


@pytest.mark.parametrize("state", [State.RESOLVED, State.CLOSED])
def test_a_person_reopens_what_is_finished_as_a_new_round(state: State) -> None:
    play = opened()
    play.resolve()
    play.to(60)
    if state is State.CLOSED:
        play.act(close())
    play.to(3 * 24 * 60)
    reopened = play.act(reopen(reason="it is not fixed"))
    incident = play.incident
    assert (incident.state, incident.round, incident.closed_covering) == (State.OPEN, 2, None)
    assert (incident.restored_at, incident.resolved_at, incident.closed_at) == (None, None, None)
    assert play.due()[DeadlineKind.RESPONSE] == minutes(3 * 24 * 60 + 60)
    assert told(reopened) == ["reopened, round 2: ann asked for it: it is not fixed"]
    assert comments(reopened) == [(CommentKind.REOPENED, "Reopened: ann asked for it: it is not fixed.")]
    assert tallies(reopened) == [("incidents_reopened_total", PAGE, None)]


def test_a_round_that_a_person_opened_is_judged_by_its_own_restoration() -> None:
    play = opened()
    play.resolve()
    play.to(60)
    play.act(reopen())
    play.now = minutes(130)
    play.act(fixed())
    play.to(150)
    assert (play.incident.state, play.incident.response_outcome) == (State.RESOLVED, Outcome.BREACHED)


def test_what_was_closed_while_firing_and_reopened_verifies_when_its_alerts_end() -> None:
    play = opened()
    play.act(close())
    play.to(10)
    play.act(reopen())
    play.to(20)
    play.resolve()
    assert (play.incident.state, play.incident.restored_at) == (State.VERIFYING, minutes(20))


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
