"""Whom a comment on an incident's issue calls by their login there: all else there is read by whoever looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from triaged.core.effects import CommentKind
from triaged.core.model import Incident
from triaged.core.recipients import ON_CALL, PEOPLE, Directory

MOST: Final = 5
CALLING: Final = frozenset(
    {
        CommentKind.SEVERITY_RAISED,
        CommentKind.JUDGED_ABOVE,
        CommentKind.ESCALATED,
        CommentKind.REOPENED,
        CommentKind.RESOLVED,
        CommentKind.UPDATE,
    }
)
"""What calls whom it is about, who is on call, and who has it."""
ASKING: Final = frozenset({CommentKind.LIKE, CommentKind.WORKS_AGAIN, CommentKind.MERGED})
"""What is asked of who reported it, or told to them, and to nobody else."""


def mentioned(
    kind: CommentKind, calls: Iterable[str], incident: Incident, directory: Callable[[], Directory]
) -> tuple[str, ...]:
    """The logins that such a comment mentions, each once, whom it is about first.

    Who has no login in the catalogue is left out. The directory is asked only where it matters.
    """
    if kind in ASKING:
        reporter = incident.process.reporter
        return () if reporter is None else (reporter.login,)
    if kind not in CALLING:
        return ()
    known = directory()
    words = [*calls, ON_CALL, *filter(None, (incident.process.owner, incident.acknowledged_by))]
    people = (known.people[one.name] for one in known.answer(words, incident.team) if one.channel == PEOPLE)
    logins = {person.github.casefold(): person.github for person in people if person.github}
    return tuple(logins.values())[:MOST]
