"""Who reported an incident by opening its issue: what they are asked there, and what they may do with it.

Questions go to one person and say nothing of any alert, so that they may stand on the issue of what is restricted, too.
"""

from __future__ import annotations

from triaged.core import wording
from triaged.core.draft import Draft
from triaged.core.effects import Comment, CommentKind, PublishIssue
from triaged.core.events import Act, Adopted, CloseAsked, MergeAsked, Noted, ReopenAsked
from triaged.core.model import Entry, Incident, Reporter


def adopt(draft: Draft, event: Adopted) -> None:
    """The issue that a person opened is the incident's; whoever opened it is asked where it may be another's, too."""
    other = "" if event.like is None else f"INC-{event.like}"
    asked = f"; asked whether it is the same as {other}" if other else ""
    draft.proceed(reporter=Reporter(login=event.login, name=event.actor.name), like=event.like)
    draft.tell(Entry.PUBLISHED, f"{event.actor.name} opened its issue, {event.url}{asked}", by=event.actor)
    if draft.incident.opened_at is None:
        # Nothing shows before it opens.
        return
    # Also of one that was folded at once: whoever opened the issue shall see what became of it.
    draft.effects.append(PublishIssue(incident_id=draft.incident.id, urgent=True))
    if other:
        text = f"{other} looks like the same problem. Reply /merge {other} to join it; do nothing if it is another."
        _ask(draft, CommentKind.LIKE, text, of=other)


def ask(draft: Draft, *, closes: bool) -> bool:
    """Ask whether it works again, where the policy says so; whether the answer is waited for, as `closes` wants."""
    incident = draft.incident
    reporter, patience = incident.process.reporter, draft.policy.severities[incident.severity].ask_reporter_for
    draft.proceed(asked_until=None)
    if reporter is None or patience is None or incident.parent is not None:
        return False
    told, then = f"{reporter.name} is asked whether it works again", "Somebody of those who work on it closes it."
    if closes:
        until = draft.now + patience
        draft.proceed(asked_until=until)
        told += f": closed with the answer, or at {wording.instant(until)}"
        then = f"Without an answer it is closed at {wording.instant(until)}."
    draft.tell(Entry.HELD, told)
    text = f"Does it work again? Reply /close if it does, or /reopen and what you see if it does not. {then}"
    _ask(draft, CommentKind.WORKS_AGAIN, text, of=f"{incident.round}:{incident.restored_at}")
    return closes


def may(incident: Incident, login: str, act: Act) -> bool:
    """Whether the person of that login may do this because they reported it, without any right in the repository."""
    reporter = incident.process.reporter
    if reporter is None or reporter.login.casefold() != login.casefold():
        return False
    if isinstance(act, MergeAsked):
        return act.into == incident.process.like
    return isinstance(act, CloseAsked | ReopenAsked | Noted)


def _ask(draft: Draft, kind: CommentKind, text: str, *, of: str) -> None:
    draft.effects.append(Comment(incident_id=draft.incident.id, kind=kind, key=f"{kind}:{of}", text=text))
