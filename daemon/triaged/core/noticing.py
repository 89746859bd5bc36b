"""What happens on an incident's issue beside acts: people talk and tick, bots close it, what cannot be is undone."""

from __future__ import annotations

from typing import Final, assert_never

from triaged.core import wording
from triaged.core.acts import renew
from triaged.core.draft import Draft
from triaged.core.events import ClosedByBot, OnIssue, Said, Ticked, Undone
from triaged.core.model import Entry

_LONGEST: Final = 1_000
_SHOWN: Final = 10


def notice(draft: Draft, event: OnIssue) -> None:
    """Tell it in the timeline; whoever talks has not forgotten the incident."""
    match event:
        case Said():
            text = event.text if len(event.text) <= _LONGEST else f"{event.text[:_LONGEST]}…"
            draft.tell(Entry.COMMENT, f"{text} ({event.url})", by=event.actor, at=min(event.at, draft.now))
            if draft.incident.state.unfinished:
                renew(draft)
        case Ticked():
            for word, items in (("ticked", event.done), ("no longer ticked", event.undone)):
                if items:
                    draft.tell(Entry.TICKED, f"{word} on the issue: {wording.listing([*items], most=_SHOWN)}")
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
        case _:
            assert_never(event)
