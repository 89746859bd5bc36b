"""What the passing of a deadline does to an incident."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, assert_never

from msgspec.structs import replace

from triaged.core import actions, cadence, checkins, closing, escalation, objectives, pausing, reviewing, wording
from triaged.core.alerting import open_now
from triaged.core.draft import Draft
from triaged.core.events import DeadlinePassed, MaintenanceChanged
from triaged.core.holding import holds_on, never_opens, waits_for_one_outside
from triaged.core.maintenance import Cover, until
from triaged.core.model import DeadlineKind, Entry, Incident, Objective, Outcome, State

_TOLD_FROM: Final = timedelta(minutes=1)
"""From how much on it is worth telling that a deadline acted late."""
_QUESTIONS: Final = {
    DeadlineKind.GROWTH: "whether it has grown by time alone",
    DeadlineKind.STORM: "whether the storm goes on",
}
"""Deadlines that only ask: what follows is told by itself, where anything does."""
_TOLD_BY: Final = {DeadlineKind.VERIFICATION: Entry.RESOLVED}
"""The entry that tells of the act, where it is not the first."""


def passed(draft: Draft, event: DeadlinePassed) -> None:  # noqa: C901 - a table of kinds
    """Act on a deadline, once: one that does not stand any more (any more at this instant) does nothing."""
    stands = {d.kind: d.due_at for d in objectives.standing(draft.incident, draft.policy)}
    if stands.get(event.kind) != event.due_at or draft.now < event.due_at:
        return
    match event.kind:
        case DeadlineKind.OPENING:
            _opening(draft, event.cover)
        case DeadlineKind.RESPONSE:
            objectives.record(draft, Objective.RESPONSE, Outcome.BREACHED)
        case DeadlineKind.RESOLUTION:
            objectives.record(draft, Objective.RESOLUTION, Outcome.BREACHED)
        case DeadlineKind.RESPONSE_AT_RISK:
            _at_risk(draft, Objective.RESPONSE)
        case DeadlineKind.RESOLUTION_AT_RISK:
            _at_risk(draft, Objective.RESOLUTION)
        case DeadlineKind.ACKNOWLEDGEMENT:
            end_acknowledgement(draft)
        case DeadlineKind.VERIFICATION:
            closing.window_over(draft)
        case DeadlineKind.GROWTH:
            draft.set(grows_at=None)
        case DeadlineKind.STORM:
            """Whether it goes on is a question to the store: the answer follows as an event of its own."""
        case DeadlineKind.PAUSE:
            pausing.over(draft)
        case DeadlineKind.ESCALATION:
            escalation.act(draft)
        case DeadlineKind.UPDATE:
            cadence.nudge(draft)
        case DeadlineKind.CHECK_IN:
            checkins.ask(draft)
        case DeadlineKind.REVIEW:
            reviewing.remind(draft)
        case DeadlineKind.ACTION:
            actions.remind(draft)
        case DeadlineKind.REPORTER:
            closing.nobody_answered(draft)
        case _:
            assert_never(event.kind)
    late = draft.now - event.due_at
    if late >= _TOLD_FROM:
        _say_late(draft, event.kind, late)
    if draft.timeline:
        draft.publish()


def _say_late(draft: Draft, kind: DeadlineKind, late: timedelta) -> None:
    """By how much: on the entry that tells of the act, whatever else it brought about."""
    if kind in _QUESTIONS:
        draft.tell(Entry.LATE, f"{_QUESTIONS[kind]} was asked {wording.span(late)} late")
        return
    of_it = [n for n, told in enumerate(draft.timeline) if told.entry is _TOLD_BY.get(kind, told.entry)]
    for n in of_it[:1]:
        told = draft.timeline[n]
        draft.timeline[n] = replace(told, text=f"{told.text} (acted {wording.span(late)} late)")


def maintenance_changed(draft: Draft, event: MaintenanceChanged) -> None:
    """What maintenance holds back follows its windows at once, however long it was told to wait."""
    incident = draft.incident
    if incident.state is not State.PENDING or incident.held_until is None or holds_on(draft, event.cover):
        return
    if waits_for_one_outside(incident):
        return
    delayed_until = incident.delayed_until
    draft.set(held_until=draft.now)
    if delayed_until is None or delayed_until <= draft.now or incident.judged.pages:
        _end_of_wait(draft, still=_no_longer(incident, event), quiet="nothing fired when maintenance let it go")
    else:
        draft.set(pending_until=delayed_until)
        draft.tell(
            Entry.PENDING, f"no longer held back by maintenance, by its delay until {wording.instant(delayed_until)}"
        )


def _opening(draft: Draft, cover: Cover) -> None:
    incident = draft.incident
    over = incident.held_until is not None and incident.held_until <= draft.now
    if incident.firing and holds_on(draft, cover):
        return
    after = f"maintenance ({incident.held_for})" if over else wording.span(draft.now - incident.created_at)
    when = "the maintenance was over" if over else "its delay had passed"
    _end_of_wait(draft, still=f"still fires after {after}", quiet=f"nothing fired when {when}")


def _end_of_wait(draft: Draft, *, still: str, quiet: str) -> None:
    """What fires opens, what does not never will: each with its reason."""
    if draft.incident.firing:
        open_now(draft, still)
    else:
        never_opens(draft, quiet)


def _no_longer(incident: Incident, event: MaintenanceChanged) -> str:
    """Why windows that changed hold it back no longer."""
    if event.over:
        return f"still fires after maintenance ({incident.held_for})"
    if event.cover.any is not None:
        return f"{until(event.cover.any)} does not hold back {incident.judged}"
    return f"maintenance ({incident.held_for}) was changed and holds it back no longer"


def _at_risk(draft: Draft, objective: Objective) -> None:
    draft.set(**{f"{objective}_at_risk": True})
    due = draft.incident.response_due_at if objective is Objective.RESPONSE else draft.incident.resolution_due_at
    draft.tell(Entry.AT_RISK, f"{objective} objective at risk" + (f", due {wording.instant(due)}" if due else ""))


def end_acknowledgement(draft: Draft) -> None:
    """Nobody has it any more: the time is over, or the silence that stood for an act."""
    incident = draft.incident
    if incident.by_silence:
        # What else is silent may acknowledge it when it covers all that fires.
        draft.set(silences=())
        text = f"the acknowledgement by {incident.acknowledged_by} ended with the silence"
    else:
        text = f"the acknowledgement by {incident.acknowledged_by} expired: nothing happened since"
    draft.set(state=State.OPEN, acknowledged_by=None, acknowledged_until=None, by_silence=False)
    draft.tell(Entry.ACKNOWLEDGEMENT_ENDED, text)
    objectives.end_pause(draft, "nobody has it any more")
