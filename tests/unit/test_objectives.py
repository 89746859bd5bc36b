"""Objectives as values: which deadlines stand, how they move, and how they end."""

from __future__ import annotations

from datetime import datetime

import pytest
from msgspec.structs import replace

import building
from building import incident, minutes
from playing import CONTEXT, POLICY
from triaged.core import objectives
from triaged.core.draft import Draft
from triaged.core.effects import Tally
from triaged.core.model import DeadlineKind, Entry, Incident, Objective, Outcome, Process, Severity, State

SEV1, SEV2, SEV3, SEV4 = Severity
CLOCKS = {
    DeadlineKind.RESPONSE: minutes(61),
    DeadlineKind.RESPONSE_AT_RISK: minutes(46),
    DeadlineKind.RESOLUTION: minutes(481),
    DeadlineKind.RESOLUTION_AT_RISK: minutes(361),
}
OPEN = incident(response_at_risk_at=minutes(46), resolution_at_risk_at=minutes(361))


def standing(of: Incident) -> dict[DeadlineKind, datetime]:
    return {deadline.kind: deadline.due_at for deadline in objectives.standing(of, POLICY)}


def draft(of: Incident = OPEN, *, at: float = 30) -> Draft:
    return Draft(of, CONTEXT, minutes(at))


def raised(of: Draft) -> list[tuple[str, str | None]]:
    return [(effect.metric, effect.labels.get("objective")) for effect in of.effects if isinstance(effect, Tally)]


# ---- standing


def test_for_an_open_incident_both_clocks_stand() -> None:
    assert standing(OPEN) == CLOCKS


def test_for_an_acknowledged_incident_the_response_clock_does_not_stand() -> None:
    acknowledged = replace(OPEN, state=State.ACKNOWLEDGED, response_outcome=Outcome.MET)
    assert set(standing(acknowledged)) == {DeadlineKind.RESOLUTION, DeadlineKind.RESOLUTION_AT_RISK}


@pytest.mark.parametrize("outcome", Outcome)
def test_a_decided_objective_has_no_deadline(outcome: Outcome) -> None:
    assert set(standing(replace(OPEN, response_outcome=outcome))) == {
        DeadlineKind.RESOLUTION,
        DeadlineKind.RESOLUTION_AT_RISK,
    }
    assert set(standing(replace(OPEN, resolution_outcome=outcome))) == {
        DeadlineKind.RESPONSE,
        DeadlineKind.RESPONSE_AT_RISK,
    }


def test_an_objective_is_at_risk_once() -> None:
    told = replace(OPEN, response_at_risk=True, resolution_at_risk=True)
    assert set(standing(told)) == {DeadlineKind.RESPONSE, DeadlineKind.RESOLUTION}


def test_for_a_verifying_incident_only_its_window_stands() -> None:
    assert standing(replace(OPEN, state=State.VERIFYING, restored_at=minutes(20), grows_at=minutes(30))) == {
        DeadlineKind.VERIFICATION: minutes(40)
    }


def test_escalation_and_updates_wait_while_it_is_verified_and_stand_again_when_it_fires_again() -> None:
    process = Process(escalates_at=minutes(15), update_due_at=minutes(40))
    told = {DeadlineKind.ESCALATION, DeadlineKind.UPDATE}
    watched = replace(OPEN, state=State.VERIFYING, restored_at=minutes(20), former_state=State.OPEN, process=process)
    policy = building.policy()
    assert {deadline.kind for deadline in objectives.standing(watched, policy)} == {DeadlineKind.VERIFICATION}
    again = replace(watched, state=State.OPEN, restored_at=None, former_state=None)
    assert told <= {deadline.kind for deadline in objectives.standing(again, policy)}


def test_escalation_and_updates_wait_while_it_is_paused() -> None:
    process = Process(
        escalates_at=minutes(15), update_due_at=minutes(40), paused_at=minutes(5), paused_until=minutes(9)
    )
    paused = replace(OPEN, state=State.ACKNOWLEDGED, acknowledged_until=minutes(8), process=process)
    stands = objectives.standing(paused, building.policy())
    assert {deadline.kind: deadline.due_at for deadline in stands} == {DeadlineKind.PAUSE: minutes(9)}


def test_for_a_pending_incident_its_opening_and_its_growth_stand() -> None:
    pending = replace(OPEN, state=State.PENDING, pending_until=minutes(15), grows_at=minutes(5))
    assert standing(pending) == {DeadlineKind.OPENING: minutes(15), DeadlineKind.GROWTH: minutes(5)}


@pytest.mark.parametrize("state", [State.RESOLVED, State.CLOSED])
def test_for_a_finished_incident_nothing_stands(state: State) -> None:
    finished = replace(OPEN, state=state, restored_at=minutes(20), grows_at=minutes(5), acknowledged_until=minutes(9))
    assert standing(finished) == {}


STATES = [
    OPEN,
    replace(OPEN, state=State.ACKNOWLEDGED, acknowledged_until=minutes(9), grows_at=minutes(5)),
    replace(OPEN, state=State.PENDING, pending_until=minutes(15), grows_at=minutes(5)),
    replace(OPEN, state=State.VERIFYING, restored_at=minutes(20), former_state=State.OPEN),
    replace(OPEN, state=State.RESOLVED, restored_at=minutes(20), resolved_at=minutes(30)),
]
OTHERS = (None, minutes(999), True, Outcome.BREACHED, *State)


@pytest.mark.parametrize("before", STATES, ids=lambda one: one.state)
@pytest.mark.parametrize("name", Incident.__struct_fields__)
def test_deadlines_that_are_called_the_same_are_the_same(before: Incident, name: str) -> None:
    for other in OTHERS:
        after = replace(before, **{name: other})
        if objectives.same_deadlines(before, after) and name != "id":
            assert objectives.standing(after, POLICY) == objectives.standing(before, POLICY)


def test_an_alert_that_only_joins_moves_no_deadline() -> None:
    assert objectives.same_deadlines(OPEN, replace(OPEN, alerts=9, firing=9, last_begun_at=minutes(50)))
    assert not objectives.same_deadlines(OPEN, replace(OPEN, response_due_at=minutes(50)))


# ---- moving


def test_a_round_starts_both_objectives_from_now() -> None:
    made = draft(replace(OPEN, response_outcome=Outcome.BREACHED, resolution_outcome=Outcome.MET), at=100)
    objectives.start_round(made)
    assert (made.incident.round, made.incident.round_at) == (2, minutes(100))
    assert (made.incident.response_outcome, made.incident.resolution_outcome) == (None, None)
    assert standing(made.incident) == {
        DeadlineKind.RESPONSE: minutes(160),
        DeadlineKind.RESPONSE_AT_RISK: minutes(145),
        DeadlineKind.RESOLUTION: minutes(580),
        DeadlineKind.RESOLUTION_AT_RISK: minutes(460),
    }


@pytest.mark.parametrize(
    ("at", "response", "resolution"), [(0, 15, 240), (46, 61, 286), (47, 61, 287), (241, 61, 481), (300, 61, 481)]
)
def test_after_a_raise_each_deadline_is_the_earlier_of_the_old_one_and_raise_plus_target(
    at: float, response: float, resolution: float
) -> None:
    made = draft(replace(OPEN, severity=SEV1), at=at)
    objectives.raise_targets(made)
    assert (made.incident.response_due_at, made.incident.resolution_due_at) == (minutes(response), minutes(resolution))


def test_a_raise_moves_no_deadline_that_is_decided() -> None:
    decided = replace(OPEN, severity=SEV1, response_outcome=Outcome.MET, resolution_outcome=Outcome.BREACHED)
    made = draft(decided)
    objectives.raise_targets(made)
    assert made.incident == decided


def test_after_a_lowering_each_deadline_is_the_opening_of_the_round_plus_the_new_target() -> None:
    made = draft(replace(OPEN, severity=SEV3, response_at_risk=True), at=50)
    objectives.restart_targets(made)
    assert (made.incident.response_due_at, made.incident.response_at_risk) == (minutes(241), False)
    assert made.incident.resolution_due_at == minutes(1 + 3 * 24 * 60)


def test_a_lowering_moves_no_deadline_that_is_decided() -> None:
    decided = replace(OPEN, severity=SEV3, response_outcome=Outcome.BREACHED, resolution_outcome=Outcome.BREACHED)
    made = draft(decided)
    objectives.restart_targets(made)
    assert made.incident == decided


# ---- ending


@pytest.mark.parametrize(
    ("outcome", "metric", "entry", "text"),
    [
        (Outcome.MET, "sla_met_total", Entry.MET, "met"),
        (Outcome.BREACHED, "sla_breached_total", Entry.BREACHED, "breached"),
        (Outcome.NOT_REQUIRED, "sla_not_required_total", Entry.NOT_REQUIRED, "not required"),
    ],
)
def test_an_outcome_is_counted_and_told(outcome: Outcome, metric: str, entry: Entry, text: str) -> None:
    made = draft()
    objectives.record(made, Objective.RESOLUTION, outcome)
    assert made.incident.resolution_outcome is outcome
    assert made.effects == [
        Tally(metric=metric, labels={"severity": "sev2", "team": "payments", "objective": "resolution"})
    ]
    assert [(told.entry, told.text) for told in made.timeline] == [
        (entry, f"resolution objective {text}, due 2026-11-23 11:01 UTC")
    ]


@pytest.mark.parametrize(("at", "outcome"), [(61, Outcome.MET), (61.001, Outcome.BREACHED)])
def test_a_response_is_met_up_to_the_very_instant_of_its_deadline(at: float, outcome: Outcome) -> None:
    made = draft(at=at)
    objectives.responded(made, made.now)
    assert made.incident.response_outcome is outcome
    assert (made.incident.acknowledged_at, made.incident.acknowledged_by) == (minutes(at), None)


def test_a_response_is_observed_once() -> None:
    made = draft()
    objectives.responded(made, made.now)
    objectives.responded(made, made.now)
    assert raised(made) == [("incident_acknowledge_duration_seconds", None), ("sla_met_total", "response")]


def test_a_response_that_nobody_gave_answers_nothing() -> None:
    made = draft()
    objectives.answered(made)
    assert made.incident == OPEN


@pytest.mark.parametrize(("at", "outcome"), [(481, Outcome.MET), (481.001, Outcome.BREACHED)])
def test_a_resolution_is_decided_with_the_restoration(at: float, outcome: Outcome) -> None:
    made = draft(replace(OPEN, restored_at=minutes(at)), at=900)
    objectives.restored(made)
    assert made.incident.resolution_outcome is outcome


@pytest.mark.parametrize(("at", "outcome"), [(61, Outcome.NOT_REQUIRED), (61.001, Outcome.BREACHED)])
def test_a_restoration_before_the_deadline_makes_an_unanswered_response_not_required(
    at: float, outcome: Outcome
) -> None:
    made = draft(replace(OPEN, restored_at=minutes(at), last_ended_at=minutes(at)), at=900)
    objectives.restored(made)
    assert made.incident.response_outcome is outcome


def test_a_restoration_changes_no_recorded_outcome() -> None:
    breached = replace(
        OPEN, restored_at=minutes(30), response_outcome=Outcome.BREACHED, resolution_outcome=Outcome.BREACHED
    )
    made = draft(breached)
    objectives.restored(made)
    assert made.incident == breached
    assert raised(made) == [("incident_resolve_duration_seconds", None)]


def test_a_restoration_before_the_opening_took_no_time() -> None:
    made = draft(replace(OPEN, restored_at=minutes(-5)))
    objectives.restored(made)
    seconds = [effect.seconds for effect in made.effects if isinstance(effect, Tally) and effect.seconds is not None]
    assert seconds == [0.0]


def test_what_is_waived_was_not_required_unless_it_was_decided() -> None:
    made = draft(replace(OPEN, response_outcome=Outcome.BREACHED))
    objectives.waive(made)
    assert (made.incident.response_outcome, made.incident.resolution_outcome) == (
        Outcome.BREACHED,
        Outcome.NOT_REQUIRED,
    )
    assert raised(made) == [("sla_not_required_total", "resolution")]
