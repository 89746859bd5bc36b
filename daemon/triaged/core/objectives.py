"""The objectives of a round: when their clocks start, move and end, and which deadlines stand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from operator import attrgetter
from typing import Final

from triaged.core import actions, cadence, checkins, escalation, reviewing, verification, wording
from triaged.core.draft import Draft
from triaged.core.model import (
    DAEMON,
    Actor,
    Deadline,
    DeadlineKind,
    Entry,
    Incident,
    Objective,
    Outcome,
    Severity,
    State,
)
from triaged.core.sla import Pause, Policy, waited

_MOVE_DEADLINES: Final = attrgetter(
    "state",
    "severity",
    "pending_until",
    "grows_at",
    "parent",
    "storm_until",
    "acknowledged_until",
    "restored_at",
    "response_due_at",
    "response_at_risk_at",
    "response_at_risk",
    "response_outcome",
    "resolution_due_at",
    "resolution_at_risk_at",
    "resolution_at_risk",
    "resolution_outcome",
    "process",
    "by_silence",
)


def same_deadlines(before: Incident, after: Incident) -> bool:
    """Whether nothing changed that `standing` asks for: quicker than to derive both, for an alert that just joins."""
    return bool(_MOVE_DEADLINES(before) == _MOVE_DEADLINES(after))


def standing(incident: Incident, policy: Policy) -> tuple[Deadline, ...]:
    """The deadlines of an incident, derived from what it is: at most one of each kind.

    In `verifying` objectives and escalation wait; a re-fire brings them back, and what passed meanwhile acts at once.
    What is folded has no clocks of its own, but what people are to do. While it is paused its resolution and its
    acknowledgement wait, unless that is a silence, which ends when it ends.
    """
    due: dict[DeadlineKind, datetime | None] = {}
    state = incident.state
    if state is State.PENDING:
        due[DeadlineKind.OPENING] = incident.pending_until
        due[DeadlineKind.GROWTH] = incident.grows_at
    elif state is State.VERIFYING and incident.restored_at is not None:
        due[DeadlineKind.VERIFICATION] = verification.due_at(incident, policy)
    elif state.working:
        due[DeadlineKind.GROWTH] = incident.grows_at
        if incident.parent is None:
            due.update(_clocks(incident))
            if incident.process.paused_at is None:
                due[DeadlineKind.UPDATE] = cadence.nudges_at(incident, policy)
                due[DeadlineKind.CHECK_IN] = checkins.asks_at(incident)
    due[DeadlineKind.REPORTER] = incident.process.asked_until if state is State.RESOLVED else None
    if incident.parent is None and (state.working or state is State.VERIFYING):
        # Also in `verifying`: what fires again goes on as if it had never been there.
        due[DeadlineKind.PAUSE] = incident.process.paused_until
    if incident.firing:
        # A storm that a person closed goes on, and takes nothing in, until it is over.
        due[DeadlineKind.STORM] = incident.storm_until
    process = incident.process
    if incident.parent is None and process.review is not None:
        due[DeadlineKind.REVIEW] = reviewing.reminds_at(incident, policy)
    if process.actions:
        due[DeadlineKind.ACTION] = actions.reminds_at(incident, policy)
    return tuple(Deadline(incident_id=incident.id, kind=kind, due_at=at) for kind, at in due.items() if at is not None)


def _clocks(incident: Incident) -> Iterator[tuple[DeadlineKind, datetime | None]]:
    if escalation.stands(incident):
        yield DeadlineKind.ESCALATION, incident.process.escalates_at
    paused = incident.process.paused_at is not None
    if incident.state is State.ACKNOWLEDGED:
        if not paused or incident.by_silence:
            yield DeadlineKind.ACKNOWLEDGEMENT, incident.acknowledged_until
    elif incident.response_outcome is None:
        yield DeadlineKind.RESPONSE, incident.response_due_at
        if not incident.response_at_risk:
            yield DeadlineKind.RESPONSE_AT_RISK, incident.response_at_risk_at
    if incident.resolution_outcome is None and not paused:
        yield DeadlineKind.RESOLUTION, incident.resolution_due_at
        if not incident.resolution_at_risk:
            yield DeadlineKind.RESOLUTION_AT_RISK, incident.resolution_at_risk_at


def start_round(draft: Draft) -> None:
    """Begin a round now: both objectives undecided, counted from this instant; no act of a person stands in it yet."""
    draft.set(
        round=draft.incident.round + 1,
        round_at=draft.now,
        covered=None,
        silences=(),
        resolution_outcome=None,
        resolution_at_risk=False,
        **_targets(draft, Objective.RESOLUTION, draft.now),
    )
    draft.proceed(pauses=(), voided=())
    start_response(draft)


def start_response(draft: Draft) -> None:
    """Ask for an acknowledgement anew, counted from now; the pause of whoever had it ends with theirs."""
    end_pause(draft, "nobody has it any more")
    draft.set(
        acknowledged_at=None,
        acknowledged_by=None,
        acknowledged_until=None,
        by_silence=False,
        response_started_at=draft.now,
        response_outcome=None,
        response_at_risk=False,
        **_targets(draft, Objective.RESPONSE, draft.now),
    )


def raise_targets(draft: Draft) -> None:
    """After a raise: each undecided deadline becomes the earlier of the old one and now + the new target.

    A clock that is paused shows the instant of the pause: it is counted from that, and moves with the rest at its end.
    """
    shown = {Objective.RESPONSE: draft.now, Objective.RESOLUTION: draft.clock_at}
    for objective, start in shown.items():
        old_due = _due(draft.incident, objective)
        moved = _targets(draft, objective, start)
        if old_due is None or _outcome(draft.incident, objective) is not None:
            continue
        if moved[f"{objective}_due_at"] < old_due:
            draft.set(**moved)


def restart_targets(draft: Draft) -> None:
    """After a person's lowering: each undecided deadline becomes its clock's start + the new target.

    That is the round's opening, but for a response that was asked for anew. The time of pauses does not count.
    """
    starts = {Objective.RESPONSE: draft.incident.response_started_at, Objective.RESOLUTION: draft.incident.round_at}
    for objective, start in starts.items():
        if _outcome(draft.incident, objective) is None and start is not None:
            draft.set(**{f"{objective}_at_risk": False}, **_targets(draft, objective, start))
    for pause in draft.incident.process.pauses:
        _move_resolution(draft, pause)


def end_pause(draft: Draft, why: str, *, by: Actor = DAEMON) -> None:
    """Where it is paused, the resolution clock counts on: from now, or from the pause's end where that has passed.

    What people are to be told, and when the next level is, waited as long in elapsed time.
    """
    process = draft.incident.process
    if process.paused_at is None:
        return
    pause = process.paused_at, min(draft.now, process.paused_until or draft.now)
    draft.proceed(
        paused_at=None,
        paused_until=None,
        paused_for="",
        pauses=(*process.pauses, pause),
        asked_at=_waited(process.asked_at, pause),
        escalates_at=_waited(process.escalates_at, pause),
        update_due_at=_waited(process.update_due_at, pause),
    )
    _move_resolution(draft, pause)
    due = draft.incident.resolution_due_at
    counts = draft.incident.resolution_outcome is None and due is not None
    draft.tell(
        Entry.RESUMED, f"the pause ended: {why}" + (f"; due {wording.instant(due)}" if counts and due else ""), by=by
    )


def _move_resolution(draft: Draft, pause: Pause) -> None:
    incident = draft.incident
    due_at, at_risk_at = incident.resolution_due_at, incident.resolution_at_risk_at
    if incident.resolution_outcome is None and due_at is not None:
        moved = draft.policy.after_pause(incident.severity, (due_at, at_risk_at or due_at), pause)
        draft.set(resolution_due_at=moved[0], resolution_at_risk_at=moved[1])


def _waited(at: datetime | None, pause: Pause) -> datetime | None:
    return None if at is None else waited(at, pause)


def responded(draft: Draft, at: datetime) -> None:
    """A person took it at that instant: observe how long that took, once for each objective, and decide it.

    In `verifying` it may have been restored before: that is decided when it fires again, or is resolved.
    """
    incident = draft.incident
    if incident.acknowledged_at is None and incident.response_started_at is not None:
        draft.tally("incident_acknowledge_duration_seconds", seconds=at - incident.response_started_at)
        draft.set(acknowledged_at=at)
    if incident.state is not State.VERIFYING:
        answered(draft)


def answered(draft: Draft) -> None:
    """Where a person took it, the response objective is decided by when that was."""
    if draft.incident.acknowledged_at is not None:
        _decide(draft, Objective.RESPONSE, draft.incident.acknowledged_at)


def restored(draft: Draft) -> None:
    """The service works again since `restored_at`: decide what is undecided.

    A response that nobody gave before all fell silent was not required, unless its deadline had already passed.
    """
    end_pause(draft, "it is restored")
    incident = draft.incident
    at = incident.restored_at or draft.now
    if incident.response_outcome is None and incident.response_due_at is not None:
        late = (incident.last_ended_at or at) > incident.response_due_at
        record(draft, Objective.RESPONSE, Outcome.BREACHED if late else Outcome.NOT_REQUIRED)
    _decide(draft, Objective.RESOLUTION, at)
    draft.tally("incident_resolve_duration_seconds", seconds=at - (incident.round_at or at))


def waive(draft: Draft) -> None:
    """No longer asked for (a false alarm, a duplicate, not planned): what is undecided was not required."""
    end_pause(draft, "nothing is asked for any more")
    for objective in Objective:
        if _outcome(draft.incident, objective) is None and _due(draft.incident, objective) is not None:
            record(draft, objective, Outcome.NOT_REQUIRED)


def record(draft: Draft, objective: Objective, outcome: Outcome) -> None:
    """Write an outcome down, for good; `sla_*_total` and the timeline tell of it."""
    due = _due(draft.incident, objective)
    draft.set(**{f"{objective}_outcome": outcome})
    draft.tally(f"sla_{outcome}_total", objective=str(objective))
    entry = {Outcome.MET: Entry.MET, Outcome.BREACHED: Entry.BREACHED, Outcome.NOT_REQUIRED: Entry.NOT_REQUIRED}[
        outcome
    ]
    when = f", due {wording.instant(due)}" if due else ""
    draft.tell(entry, f"{objective} objective {str(outcome).replace('_', ' ')}{when}")


def _decide(draft: Draft, objective: Objective, at: datetime) -> None:
    due = _due(draft.incident, objective)
    if _outcome(draft.incident, objective) is None and due is not None:
        record(draft, objective, Outcome.MET if at <= due else Outcome.BREACHED)


def _targets(draft: Draft, objective: Objective, start: datetime) -> dict[str, datetime]:
    severity: Severity = draft.incident.severity
    due = draft.policy.due(severity, objective, start)
    return {f"{objective}_due_at": due, f"{objective}_at_risk_at": draft.policy.at_risk(severity, start, due)}


def _due(incident: Incident, objective: Objective) -> datetime | None:
    return incident.response_due_at if objective is Objective.RESPONSE else incident.resolution_due_at


def _outcome(incident: Incident, objective: Objective) -> Outcome | None:
    return incident.response_outcome if objective is Objective.RESPONSE else incident.resolution_outcome
