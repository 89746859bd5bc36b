"""What the passing of a deadline does to an incident."""

from __future__ import annotations

from typing import assert_never

from triaged.core import objectives, wording
from triaged.core.alerting import open_now
from triaged.core.draft import Draft
from triaged.core.effects import CommentKind
from triaged.core.events import DeadlinePassed, ParentQuiet
from triaged.core.model import DAEMON, CloseReason, DeadlineKind, Entry, Objective, Outcome, State


def passed(draft: Draft, event: DeadlinePassed) -> None:  # noqa: C901 - a table of kinds
    """Act on a deadline, once: one that does not stand any more (any more at this instant) does nothing."""
    stands = {d.kind: d.due_at for d in objectives.standing(draft.incident, draft.policy)}
    if stands.get(event.kind) != event.due_at or draft.now < event.due_at:
        return
    match event.kind:
        case DeadlineKind.OPENING:
            _opening(draft)
        case DeadlineKind.RESPONSE:
            objectives.record(draft, Objective.RESPONSE, Outcome.BREACHED)
        case DeadlineKind.RESOLUTION:
            objectives.record(draft, Objective.RESOLUTION, Outcome.BREACHED)
        case DeadlineKind.RESPONSE_AT_RISK:
            _at_risk(draft, Objective.RESPONSE)
        case DeadlineKind.RESOLUTION_AT_RISK:
            _at_risk(draft, Objective.RESOLUTION)
        case DeadlineKind.ACKNOWLEDGEMENT:
            _acknowledgement(draft)
        case DeadlineKind.VERIFICATION:
            _verified(draft)
        case DeadlineKind.GROWTH:
            draft.set(grows_at=None)
            return
        case DeadlineKind.STORM:
            # Whether it goes on is a question to the store: the answer follows as an event of its own.
            return
        case _:
            assert_never(event.kind)
    late = draft.now - event.due_at
    if draft.timeline and late.total_seconds() >= 60:
        last = draft.timeline[-1]
        draft.timeline.pop()
        draft.tell(last.entry, f"{last.text} (acted {wording.span(late)} late)")
    draft.publish()


def _opening(draft: Draft) -> None:
    if draft.incident.firing:
        open_now(draft, f"still fires after {wording.span(draft.now - draft.incident.created_at)}")
        return
    draft.set(
        state=State.CLOSED,
        pending_until=None,
        closed_at=draft.now,
        closed_by=DAEMON.name,
        closed_by_kind=DAEMON.kind,
        close_reason=CloseReason.UNOPENED,
    )
    draft.tally("incidents_closed_total", reason=str(CloseReason.UNOPENED), by="daemon")
    draft.tell(Entry.UNOPENED, "never opened: nothing fired when its delay had passed")


def _at_risk(draft: Draft, objective: Objective) -> None:
    draft.set(**{f"{objective}_at_risk": True})
    due = draft.incident.response_due_at if objective is Objective.RESPONSE else draft.incident.resolution_due_at
    draft.tell(Entry.AT_RISK, f"{objective} objective at risk" + (f", due {wording.instant(due)}" if due else ""))


def _acknowledgement(draft: Draft) -> None:
    by = draft.incident.acknowledged_by
    draft.set(state=State.OPEN, acknowledged_by=None, acknowledged_until=None)
    draft.tell(Entry.ACKNOWLEDGEMENT_ENDED, f"the acknowledgement by {by} expired: nothing happened since")


def _verified(draft: Draft) -> None:
    """The stability window passed: resolved, and closed where the policy leaves that to the daemon."""
    incident = draft.incident
    draft.set(state=State.RESOLVED, former_state=None, resolved_at=draft.now)
    objectives.restored(draft)
    draft.tally("incidents_resolved_total")
    restored_at = incident.restored_at or draft.now
    lasted = wording.span(restored_at - incident.started_at)
    draft.tell(Entry.RESOLVED, f"resolved: quiet since {wording.instant(restored_at)}, after {lasted}")
    draft.comment(CommentKind.RESOLVED, f"Resolved. Restored at {wording.instant(restored_at)}, after {lasted}.")
    draft.publish(urgent=True)
    draft.for_folded = ParentQuiet()
    policy = draft.policy.severities[incident.severity]
    # Of one that is folded no person would know that it waits for them.
    if (incident.close or policy.close) == "daemon" or incident.parent is not None:
        draft.set(
            state=State.CLOSED,
            closed_at=draft.now,
            closed_by=DAEMON.name,
            closed_by_kind=DAEMON.kind,
            close_reason=CloseReason.COMPLETED,
        )
        draft.tally("incidents_closed_total", reason=str(CloseReason.COMPLETED), by="daemon")
        draft.tell(Entry.CLOSED, f"closed: {incident.severity} needs no person to close it")
