"""A pause: a person stops the resolution clock until an instant, because the work waits for somebody else."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from triaged.core import objectives, wording
from triaged.core.acts import renew
from triaged.core.draft import Draft
from triaged.core.effects import Audience, NoticeKind
from triaged.core.events import PauseAsked, ResumeAsked
from triaged.core.model import Entry, State
from triaged.core.recipients import ON_CALL
from triaged.errors import ActError

LONGEST: Final = timedelta(days=30)
"""How far ahead a pause may end."""
MOST: Final = 50
"""How many pauses a round may have: each is kept."""


def pause(draft: Draft, event: PauseAsked) -> None:
    """The resolution clock stands still, with escalation and updates; asked again, the pause has another end."""
    incident = draft.incident
    if incident.state is State.OPEN:
        raise ActError(
            f"{incident.name} is open and cannot be paused: acknowledge it first, for a pause does not stop the"
            " response clock"
        )
    if incident.state is not State.ACKNOWLEDGED:
        raise ActError(f"{incident.name} is {incident.state} and cannot be paused: expected one that is acknowledged")
    until = event.until or draft.now + (event.lasting or timedelta())
    if until <= draft.now:
        raise ActError(f"expected an end of the pause after now, got {wording.instant(until)}")
    if until - draft.now > LONGEST:
        latest = wording.instant(draft.now + LONGEST)
        raise ActError(
            f"expected a pause of at most {wording.span(LONGEST)}, to {latest}, got {wording.instant(until)}"
        )
    if not event.reason:
        raise ActError("expected a reason for the pause: whom or what it waits for")
    if len(incident.process.pauses) >= MOST:
        raise ActError(f"{incident.name} was paused {MOST} times in this round: expected no more than that")
    since = incident.process.paused_at
    draft.proceed(paused_at=since or draft.now, paused_until=until, paused_for=event.reason)
    renew(draft)
    how = "pauses it" if since is None else "moves the end of its pause:"
    text = f"{event.actor.name} {how} until {wording.instant(until)}: {event.reason}"
    draft.tell(Entry.PAUSED, text, by=event.actor)
    draft.publish()


def resume(draft: Draft, event: ResumeAsked) -> None:
    """A person ends the pause: what was left of the resolution clock counts on from now."""
    incident = draft.incident
    if incident.process.paused_at is None:
        raise ActError(f"{incident.name} is not paused")
    reason = f": {event.reason}" if event.reason else ""
    objectives.end_pause(draft, f"resumed by {event.actor.name}{reason}", by=event.actor)
    renew(draft)
    draft.publish()


def over(draft: Draft) -> None:
    """Its time is over: the clock counts on, whoever acknowledged it has the full time again, and who has it is told.

    An owner may be somebody whom no channel reaches: then who is on call knows of it.
    """
    process = draft.incident.process
    until = process.paused_until or draft.now
    objectives.end_pause(draft, "its time is over")
    renew(draft, until)
    if not draft.incident.state.working:
        return
    has_it = process.owner or draft.incident.acknowledged_by
    draft.notify(
        NoticeKind.PAUSE_OVER,
        (has_it, ON_CALL) if has_it else (ON_CALL,),
        audience=Audience.RESPONDERS,
        key=f"{NoticeKind.PAUSE_OVER}:{draft.incident.round}:{until.isoformat()}",
        text=f"The pause is over: the resolution clock runs again. Until now: {process.paused_for}.",
    )
