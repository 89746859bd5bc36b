"""What happens on an incident's issue beside acts: people talk and tick, bots close it, what cannot be is undone."""

from __future__ import annotations

from typing import Final, assert_never

from triaged.core import reporter, wording
from triaged.core.acts import renew
from triaged.core.draft import Draft
from triaged.core.events import Adopted, ClosedByBot, OnIssue, Said, Ticked, Undone
from triaged.core.model import Entry

_MOST_TICKED: Final = 50
_SHOWN: Final = 10


def notice(draft: Draft, event: OnIssue) -> None:
    """Tell it in the timeline; whoever talks has not forgotten the incident."""
    match event:
        case Said():
            on = f"on {event.where}: " if event.where else ""
            text = f"{on}{wording.comment(event.text)} ({event.url})"
            draft.tell(Entry.COMMENT, text, by=event.actor, at=min(event.at, draft.now))
            if draft.incident.state.unfinished:
                renew(draft)
            reporter.answered(draft, event)
        case Ticked():
            for word, items in (("ticked", event.done), ("no longer ticked", event.undone)):
                if items:
                    told = f"{word} on {event.where or 'the issue'}: {wording.listing([*items], most=_SHOWN)}"
                    draft.tell(Entry.TICKED, told)
            if not event.where:
                _confirm(draft, event)
            draft.publish()
        case ClosedByBot():
            what = (
                "again: it is left closed, and the incident goes on" if event.left else "and is no person: opened again"
            )
            draft.tell(Entry.PUBLISHED, f"{event.name} closed the issue {what}")
            draft.publish(urgent=True)
        case Undone():
            draft.tell(Entry.PUBLISHED, f"{event.what} by {event.actor.name} is undone: {event.why}")
            draft.publish(urgent=True)
        case Adopted():
            reporter.adopt(draft, event)
        case _:
            assert_never(event)


def _confirm(draft: Draft, event: Ticked) -> None:
    """What is ticked on the issue stands as confirmed by people for as long as it is."""
    kept = [item for item in draft.incident.process.ticked if item not in event.undone]
    draft.proceed(ticked=tuple(dict.fromkeys((*kept, *event.done)))[:_MOST_TICKED])
