"""How a verdict changes an incident: severity is raised when impact grows, never lowered by the daemon."""

from __future__ import annotations

from triaged.core import objectives
from triaged.core.draft import Draft
from triaged.core.effects import Audience, CommentKind, NoticeKind, PublishIssue
from triaged.core.folding import unfold_if_graver
from triaged.core.model import Entry, State, Verdict
from triaged.core.recipients import TEAM

_MOST_LABELS = 20


def judge(draft: Draft, verdict: Verdict, *, why: str) -> None:
    """Take a verdict in; `why` says in words what brought it."""
    incident = draft.incident
    labels = incident.labels
    if verdict.labels:
        labels = tuple(dict.fromkeys((*labels, *verdict.labels)))[:_MOST_LABELS]
    if labels != incident.labels:
        draft.set(labels=labels)
        draft.publish()
    restrict(draft, verdict, why=why)
    if not verdict.severity.graver_than(incident.judged):
        return
    former = incident.severity
    draft.set(
        judged=verdict.severity,
        impact=verdict.impact,
        urgency=verdict.urgency,
        category=verdict.category,
        because=verdict.because,
        matched=verdict.matched,
    )
    reason = " ".join(verdict.because)
    if incident.state is State.PENDING:
        draft.set(severity=verdict.severity)
        return
    if draft.incident.chosen is None:
        draft.set(severity=verdict.severity)
        objectives.raise_targets(draft)
        text = f"severity raised from {former} to {verdict.severity}: {why}. {reason}".rstrip()
        draft.tell(Entry.SEVERITY, text)
        draft.comment(CommentKind.SEVERITY_RAISED, text[0].upper() + text[1:])
        _tell_team(draft, NoticeKind.SEVERITY_RAISED, text)
        draft.tell_stakeholders(NoticeKind.OPENED)
    else:
        text = f"{incident.severity} by {incident.chosen_by}, judged {verdict.severity}: {why}. {reason}".rstrip()
        draft.tell(Entry.SEVERITY, text)
        draft.comment(CommentKind.JUDGED_ABOVE, text[0].upper() + text[1:])
        _tell_team(draft, NoticeKind.JUDGED_ABOVE, text)
    draft.publish(urgent=True)
    _end_acknowledgement(draft)
    unfold_if_graver(draft)


def restrict(draft: Draft, verdict: Verdict, *, why: str) -> None:
    """Details are not for everybody as soon as any of its alerts says so, also where that is only recorded."""
    if not verdict.restricted or draft.incident.restricted:
        return
    draft.set(restricted=True)
    draft.tell(Entry.RESTRICTED, f"restricted from now on: {why}")
    draft.publish()
    if draft.context.parent is not None:
        # Its own issue may be there from before it was folded; its parent's tells of it.
        shown = (draft.incident.id, draft.context.parent.id)
        draft.effects.extend(PublishIssue(incident_id=number) for number in shown)


def _tell_team(draft: Draft, kind: NoticeKind, text: str) -> None:
    """Who has to act now is told by escalation; the team's channels hear of it too."""
    key = f"{kind}:{draft.incident.round}:{draft.incident.judged}"
    draft.notify(kind, (TEAM,), audience=Audience.RESPONDERS, key=key, text=text[0].upper() + text[1:])


def _end_acknowledgement(draft: Draft) -> None:
    """An acknowledgement covers the severity that the person could see; judged graver, it ends."""
    incident = draft.incident
    former_acknowledged = incident.state is State.VERIFYING and incident.former_state is State.ACKNOWLEDGED
    if incident.state is State.ACKNOWLEDGED:
        draft.set(state=State.OPEN)
    elif former_acknowledged:
        draft.set(former_state=State.OPEN)
    else:
        return
    by = incident.acknowledged_by
    draft.void_silences()
    objectives.start_response(draft)
    draft.tell(
        Entry.ACKNOWLEDGEMENT_ENDED,
        f"the acknowledgement by {by} ended: judged {incident.judged} now, it covered {incident.covered}",
    )
