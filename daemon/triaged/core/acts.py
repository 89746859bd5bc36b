"""What people do to an incident; their acts win over the daemon and cover what they could see."""

from __future__ import annotations

from datetime import datetime

from triaged.core import escalation, objectives, wording
from triaged.core.alerting import reopen, verify
from triaged.core.draft import Draft
from triaged.core.effects import CommentKind, NoticeKind
from triaged.core.events import (
    Acknowledged,
    CloseAsked,
    EscalateAsked,
    ParentClosed,
    Record,
    ReopenAsked,
    ResolveAsked,
    SeverityChosen,
    SplitAsked,
)
from triaged.core.folding import leave, split
from triaged.core.model import CloseReason, Entry, Incident, State
from triaged.core.record import RECORD, closed
from triaged.errors import ActError

_WORKING = (State.OPEN, State.ACKNOWLEDGED, State.VERIFYING)


def acknowledge(draft: Draft, event: Acknowledged) -> None:
    """A person takes it: the response objective is decided, and the acknowledgement lasts as the policy says."""
    incident = draft.incident
    _allow(draft, _WORKING, "acknowledged")
    lasting = event.lasting or draft.policy.severities[incident.severity].acknowledgement_for
    # Nobody answers before the question, or after having been seen.
    at = min(max(event.at or draft.now, incident.response_started_at or draft.now), draft.now)
    objectives.responded(draft, at)
    draft.set(
        acknowledged_by=event.actor.name,
        acknowledged_until=None if lasting is None else at + lasting,
        covered=draft.incident.judged,
        by_silence=False,
    )
    if incident.state is State.VERIFYING:
        draft.set(former_state=State.ACKNOWLEDGED)
    else:
        draft.set(state=State.ACKNOWLEDGED)
    until = f" for {wording.span(lasting)}" if lasting else ""
    draft.tell(Entry.ACKNOWLEDGED, f"acknowledged by {event.actor.name}{until}", by=event.actor, at=at)
    draft.publish()


def choose_severity(draft: Draft, event: SeverityChosen) -> None:
    """A person's severity stands until a person changes it; raised or lowered, undecided deadlines move."""
    incident = draft.incident
    _allow(draft, _WORKING, "given another severity")
    former = incident.severity
    draft.set(severity=event.severity, chosen=event.severity, chosen_by=event.actor.name, covered=incident.judged)
    if event.severity.graver_than(former):
        objectives.raise_targets(draft)
        draft.tell_stakeholders(NoticeKind.OPENED)
    elif former.graver_than(event.severity):
        objectives.restart_targets(draft)
        if draft.policy.severities[event.severity].acknowledgement_for is None and not incident.by_silence:
            draft.set(acknowledged_until=None)
    renew(draft)
    reason = f": {event.reason}" if event.reason else ""
    draft.tell(
        Entry.SEVERITY, f"severity {event.severity} (was {former}) by {event.actor.name}{reason}", by=event.actor
    )
    draft.publish(urgent=True)


def resolve(draft: Draft, event: ResolveAsked) -> None:
    """A person says that the service works again: with nothing firing, the stability window starts from now."""
    incident = draft.incident
    if incident.state is State.CLOSED and incident.close_reason is not CloseReason.UNOPENED and _says(event.record):
        _add(draft, event)
        return
    _allow(draft, (*_WORKING, State.RESOLVED), "resolved")
    _write_down(draft, event.record)
    _end_reports(draft)
    incident = draft.incident
    draft.set(covered=incident.judged)
    draft.publish()
    if incident.state is State.RESOLVED:
        draft.tell(Entry.RESOLVED, f"{event.actor.name} says that it is fixed", by=event.actor)
        return
    renew(draft)
    if incident.firing:
        # It is restored when its last alert ends, or now if that is told late.
        draft.set(last_ended_at=draft.now)
        still = wording.count(incident.firing, "alert")
        text = f"{event.actor.name} says that it is fixed; {still} of it fire: it is verified when they end"
        draft.tell(Entry.VERIFYING, text, by=event.actor)
    elif incident.state is State.VERIFYING:
        draft.set(restored_at=draft.now)
        draft.tell(Entry.VERIFYING, f"{event.actor.name} says that it is fixed: watched from now", by=event.actor)
    else:
        verify(draft, draft.now, f"{event.actor.name} says that it is fixed")


def close(draft: Draft, event: CloseAsked) -> None:
    """A person closes it: at once, even while alerts fire, and its open objectives are decided.

    One that is found on the issue later counts from its own instant, and covers what the issue showed then.
    """
    incident = draft.incident
    _allow(draft, (*_WORKING, State.RESOLVED), "closed")
    if _is_overtaken(incident, event):
        if incident.parent is not None:
            if incident.state.working:
                leave(draft, f"its alerts began after {event.actor.name} closed INC-{incident.parent}")
            return
        text = f"{event.actor.name} closed the issue, but alerts began after that: it is open"
        draft.tell(Entry.REOPENED, text)
        draft.comment(CommentKind.REOPENED, f"{text[0].upper()}{text[1:]} again.")
        draft.publish(urgent=True)
        return
    if event.at is not None:
        draft.now = min(event.at, draft.now)
    _write_down(draft, event.record)
    _end_reports(draft)
    incident = draft.incident
    if incident.state is not State.RESOLVED:
        if event.reason in (CloseReason.COMPLETED, CloseReason.FALSE_ALARM):
            draft.tell_stakeholders(NoticeKind.RESOLVED, of=str(incident.round))
        if event.reason is CloseReason.COMPLETED:
            if incident.state is not State.VERIFYING:
                objectives.responded(draft, draft.now)
                draft.set(restored_at=draft.now)
            objectives.restored(draft)
        else:
            objectives.waive(draft)
    draft.set(
        state=State.CLOSED,
        former_state=None,
        closed_at=draft.now,
        closed_by=event.actor.name,
        closed_by_kind=event.actor.kind,
        close_reason=event.reason,
        closed_covering=event.seen or incident.judged,
    )
    draft.tally("incidents_closed_total", reason=str(event.reason), by="person")
    draft.tell(Entry.CLOSED, f"closed by {event.actor.name}: {str(event.reason).replace('_', ' ')}", by=event.actor)
    closed(draft, by=event.actor.name)
    draft.lift_silences()
    draft.publish(urgent=True)
    draft.for_folded = ParentClosed(close=event)


def reopen_by_person(draft: Draft, event: ReopenAsked) -> None:
    """A person opens it again: a new round with its own objectives. Of one that is folded: it is split off."""
    if draft.incident.parent is not None and draft.incident.state.unfinished:
        split(draft, SplitAsked(actor=event.actor, reason=event.reason))
        return
    _allow(draft, (State.RESOLVED, State.CLOSED), "reopened")
    reason = f": {event.reason}" if event.reason else ""
    reopen(draft, f"{event.actor.name} asked for it{reason}", by=event.actor)
    draft.set(covered=draft.incident.judged)


def escalate(draft: Draft, event: EscalateAsked) -> None:
    """A person calls others in: the next level, a certain one, or somebody by name."""
    _allow(draft, (State.OPEN, State.ACKNOWLEDGED), "escalated")
    escalation.escalate(draft, event)
    renew(draft)


def _is_overtaken(incident: Incident, event: CloseAsked) -> bool:
    """Whether alerts that began after the close speak against it, as they would have had we known of it at once."""
    if event.at is None or incident.last_begun_at is None:
        return False
    # GitHub tells whole seconds: what began within the second of the close is taken to have begun after it.
    if incident.round_at is not None and incident.round_at > event.at:
        return True
    if incident.last_begun_at < event.at:
        return False
    return event.reason is CloseReason.COMPLETED or incident.judged.graver_than(event.seen or incident.judged)


def renew(draft: Draft, since: datetime | None = None) -> None:
    """Whoever acts has not forgotten it: the acknowledgement lasts its full time again, from now or that instant."""
    incident = draft.incident
    lasting = draft.policy.severities[incident.severity].acknowledgement_for
    if incident.acknowledged_by is not None and lasting is not None and not incident.by_silence:
        until = (since or draft.now) + lasting
        draft.set(acknowledged_until=max(incident.acknowledged_until or until, until))


def _end_reports(draft: Draft) -> None:
    """What people reported ends with a person's word: no sender tells of its end."""
    reports = draft.context.reports
    if reports:
        draft.set(firing=max(0, draft.incident.firing - reports), last_ended_at=draft.now)


def _says(record: Record) -> tuple[str, ...]:
    """What is written down in it, in words."""
    return tuple(name.replace("_", " ") for name in RECORD if getattr(record, name).strip())


def _add(draft: Draft, event: ResolveAsked) -> None:
    """It is closed already, and stays so: what was found out later is written down."""
    _write_down(draft, event.record)
    what = wording.listing(_says(event.record), most=len(RECORD))
    draft.tell(Entry.RECORDED, f"{event.actor.name} writes down: {what}", by=event.actor)
    draft.publish()


def _write_down(draft: Draft, record: Record) -> None:
    said = {name: text for name in RECORD if (text := getattr(record, name)) and text != getattr(draft.incident, name)}
    if said:
        draft.set(**said)


def _allow(draft: Draft, states: tuple[State, ...], what: str) -> None:
    incident = draft.incident
    if incident.close_reason is CloseReason.UNOPENED:
        raise ActError(f"{incident.name} never opened and cannot be {what}")
    if incident.state in states:
        return
    allowed = wording.listing([str(state) for state in states], most=len(states))
    raise ActError(f"{incident.name} is {incident.state} and cannot be {what}: expected one that is {allowed}")
