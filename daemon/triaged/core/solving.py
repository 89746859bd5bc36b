"""What people do to a problem: they write down what is known of it, and close it; pure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from triaged.core import wording
from triaged.core.knowledge import entry_of, expect_link, expect_new
from triaged.core.model import Actor, CloseReason, Entry, Link, TimelineEntry
from triaged.core.problems import Problem, ProblemState, reopened
from triaged.errors import ActError


class ProblemClosed(Struct, frozen=True, kw_only=True):
    """A person closes a problem: `completed`, or `not_planned` where it is lived with.

    One that is found on the issue later carries the instant `at` of the close: what opened since is counted anew.
    """

    actor: Actor
    reason: CloseReason = CloseReason.COMPLETED
    root_cause: str = ""
    workaround: str = ""
    fix: str = ""
    note: str = ""
    at: datetime | None = None


class ProblemReopened(Struct, frozen=True, kw_only=True):
    actor: Actor
    reason: str = ""


class ProblemNoted(Struct, frozen=True, kw_only=True):
    actor: Actor
    text: str


class ProblemSaid(Struct, frozen=True, kw_only=True):
    """A person wrote a comment on its issue, which is at `url`."""

    actor: Actor
    text: str
    url: str
    at: datetime


class ProblemWorkedAround(Struct, frozen=True, kw_only=True):
    """A person says what helps until it is mended, and why it happens where that is known by now."""

    actor: Actor
    text: str
    root_cause: str = ""


class ProblemExplained(Struct, frozen=True, kw_only=True):
    """A person keeps a link to what is known of it."""

    actor: Actor
    link: Link


ProblemAct = ProblemClosed | ProblemReopened | ProblemNoted | ProblemSaid | ProblemWorkedAround | ProblemExplained


class Changed(Struct, frozen=True, kw_only=True):
    """The problem after an act, and what its timeline tells; `tells` says that its incidents' issues show it too."""

    problem: Problem
    timeline: tuple[TimelineEntry, ...]
    tells: bool = False


def act(problem: Problem, event: ProblemAct, known: Collection[str], now: datetime, /) -> Changed:
    """What the act makes of a problem with links to these URLs.

    Raises ActError where its state or a field does not allow it.
    """
    match event:
        case ProblemClosed():
            return _close(problem, event, now)
        case ProblemReopened():
            return _reopen(problem, event, now)
        case ProblemNoted():
            note = _told(problem, event.actor, entry=Entry.NOTE, text=event.text, now=now)
            return Changed(problem=problem, timeline=(note,))
        case ProblemSaid():
            text = f"{wording.comment(event.text)} ({event.url})"
            said = _told(problem, event.actor, entry=Entry.COMMENT, text=text, now=min(event.at, now))
            return Changed(problem=problem, timeline=(said,))
        case ProblemWorkedAround():
            return _work_around(problem, event, now)
        case ProblemExplained():
            expect_link(event.link)
            expect_new(problem.name, event.link, known)
            told = entry_of(problem.id, event.actor, event.link, now)
            return Changed(problem=problem, timeline=(told,), tells=True)
        case _:
            assert_never(event)


def _close(problem: Problem, event: ProblemClosed, now: datetime) -> Changed:
    if problem.state is ProblemState.CLOSED:
        raise ActError(f"{problem.name} was closed by {problem.closed_by}: expected one that is open")
    at = min(event.at or now, now)
    if at < problem.opened_at:
        raise ActError(f"{problem.name} was opened again after {event.actor.name} had closed it")
    closed = replace(
        problem,
        state=ProblemState.CLOSED,
        closed_at=at,
        closed_by=event.actor.name,
        close_reason=event.reason,
        root_cause=event.root_cause or problem.root_cause,
        workaround=event.workaround or problem.workaround,
        fix=event.fix or problem.fix,
    )
    note = f": {event.note}" if event.note else ""
    text = f"closed by {event.actor.name}: {str(event.reason).replace('_', ' ')}{note}"
    told = _told(problem, event.actor, entry=Entry.PROBLEM, text=text, now=now)
    return Changed(problem=closed, timeline=(told,), tells=True)


def _reopen(problem: Problem, event: ProblemReopened, now: datetime) -> Changed:
    if problem.state is ProblemState.OPEN:
        raise ActError(f"{problem.name} is open: expected one that is closed")
    opened = reopened(problem, now)
    text = f"opened again by {event.actor.name}" + (f": {event.reason}" if event.reason else "")
    told = _told(problem, event.actor, entry=Entry.PROBLEM, text=text, now=now)
    return Changed(problem=opened, timeline=(told,), tells=True)


def _work_around(problem: Problem, event: ProblemWorkedAround, now: datetime) -> Changed:
    known = replace(problem, workaround=event.text, root_cause=event.root_cause or problem.root_cause)
    name = event.actor.name
    text = f"workaround by {name}: {event.text}" if event.text else f"no workaround, says {name}"
    told = _told(problem, event.actor, entry=Entry.WORKAROUND, text=text, now=now)
    return Changed(problem=known, timeline=(told,), tells=True)


def _told(problem: Problem, actor: Actor, *, entry: Entry, text: str, now: datetime) -> TimelineEntry:
    return TimelineEntry(incident_id=problem.id, at=now, entry=entry, by=actor.name, text=text)
