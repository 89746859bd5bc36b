"""Who reported an incident by opening its issue: what they are asked there, and what they may do with it.

Questions go to one person and say nothing of any alert, so that they may stand on the issue of what is restricted, too.
"""

from __future__ import annotations

from triaged.core import wording
from triaged.core.draft import Draft
from triaged.core.effects import Comment, CommentKind, PublishIssue
from triaged.core.events import Act, Adopted, CloseAsked, MergeAsked, Noted, ReopenAsked, Said, SplitAsked
from triaged.core.model import Actor, Entry, Incident, Reporter


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
        named = f"{other} ({event.titled})" if event.titled else other
        text = f"{named} looks like the same problem. Reply /merge {other} to join it; do nothing if it is another."
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
        then = f"Without any comment of yours it is closed at {wording.instant(until)}."
    draft.tell(Entry.HELD, told)
    text = f"Does it work again? Reply /close if it does, or /reopen and what you see if it does not. {then}"
    _ask(draft, CommentKind.WORKS_AGAIN, text, of=f"{incident.round}:{incident.restored_at}")
    return closes


def answered(draft: Draft, event: Said) -> None:
    """Whoever was asked whether it works again says something, in words: whether that is a yes a person has to read."""
    incident = draft.incident
    asked_at = incident.resolved_at
    if incident.process.asked_until is None or asked_at is None or event.where or not _is(incident, event.actor.name):
        return
    # There instants are of whole seconds.
    if event.at < asked_at.replace(microsecond=0):
        return
    draft.proceed(asked_until=None)
    draft.tell(Entry.HELD, f"{event.actor.name} answered in words: it is not closed before a person closes it")
    draft.publish(urgent=True)


def tell_merged(draft: Draft, parent: Incident, *, by: Actor) -> None:
    """Somebody else merged what they reported: their issue is closed, and they are told where it goes on."""
    incident = draft.incident
    if incident.process.reporter is None or _is(incident, by.name):
        return
    named = parent.name if parent.restricted else f"{parent.name} ({parent.title}), linked above in this issue"
    text = f"{by.name} says that this is the same problem as {named}: it goes on there. Reply /split if it is not."
    _ask(draft, CommentKind.MERGED, text, of=f"{parent.name}:{draft.now}")


def offers(incident: Incident, login: str) -> str:
    """What the person of that login may ask for because they reported it, in words; "" for who did not."""
    if not _has_login(incident, login):
        return ""
    like = incident.process.like
    merge = "" if like is None else f", /merge INC-{like} to join that one"
    return (
        "You reported this. You may write, at the beginning of a line: /close if it works again, /reopen if it does"
        f" not, /note and what you see{merge}, /split if it was merged into another and is a problem of its own."
    )


def may(incident: Incident, login: str, act: Act) -> bool:
    """Whether the person of that login may do this because they reported it, without any right in the repository."""
    if not _has_login(incident, login):
        return False
    if isinstance(act, MergeAsked):
        return act.into == incident.process.like
    return isinstance(act, CloseAsked | ReopenAsked | Noted | SplitAsked)


def _has_login(incident: Incident, login: str) -> bool:
    reporter = incident.process.reporter
    return reporter is not None and reporter.login.casefold() == login.casefold()


def _is(incident: Incident, name: str) -> bool:
    """Whether somebody of that name, or of that login where no name is known, reported it."""
    reporter = incident.process.reporter
    return reporter is not None and (reporter.name == name or _has_login(incident, name))


def _ask(draft: Draft, kind: CommentKind, text: str, *, of: str) -> None:
    draft.effects.append(Comment(incident_id=draft.incident.id, kind=kind, key=f"{kind}:{of}", text=text))
