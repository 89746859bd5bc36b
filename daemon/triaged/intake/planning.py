"""Maintenance windows change in one batch: asked for, replaced by name, ended early, or others in the rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from triaged.core.maintenance import Phase, Plan
from triaged.intake.units import Answer, EndWindow, Planning, PlanWindow, WindowsChanged
from triaged.ports.store import Transaction

MOST_UNFINISHED: Final = 500
"""Windows that are planned or run at a time: each is asked of every alert that begins."""
LONGEST: Final = timedelta(days=7)
"""A window from a pipeline that failed half-way must not hold alerts back for ever."""
MOST_AT_ONCE: Final = 100
"""Incidents that follow a change of windows in one transaction: alerts come in between."""
_AGAIN: Final = timedelta(hours=1)
FOLLOWS: Final = 200
"""The status of an answer after which all that windows hold back is asked anew."""


def ask_whole(ask: Callable[[Planning], Answer], asked: Planning) -> Answer:
    """The answer once all that windows hold back has followed, slice after slice; that of a slice which failed."""
    first = answer = ask(asked)
    while answer.then is not None:
        answer = ask(answer.then)
        if answer.status != FOLLOWS:
            return answer
    return first


def next_slice(ids: Sequence[int]) -> WindowsChanged | None:
    """What is to be asked after the first MOST_AT_ONCE of these; None where there are no more."""
    return WindowsChanged(after=ids[MOST_AT_ONCE - 1]) if len(ids) > MOST_AT_ONCE else None


def take(transaction: Transaction, asked: Planning, now: datetime) -> Answer:
    """Store what is asked for; after an answer with FOLLOWS, what windows hold back has to follow.

    After 201 it has not: when those that hold it are over, it is asked whether a new one holds it on.
    """
    match asked:
        case PlanWindow():
            return _plan(transaction, asked.plan, now)
        case EndWindow():
            return _end(transaction, asked, now)
        case _:
            return Answer()


def _plan(transaction: Transaction, asked: Plan, now: datetime) -> Answer:
    """Store a window; 201 and the window, 200 where it took the place of one of its name that was not over.

    Idempotent by name. What begins in the past begins now; one that runs already began when it did.
    """
    former = transaction.plan(asked.name) if asked.name else None
    begins_at = max(asked.begins_at, now)
    if former is not None and former.window.phase(now) is not Phase.PAST:
        if asked.begins_at <= now:
            begins_at = min(begins_at, former.begins_at)
        # A request may be sent again: the longest window then ends a moment later than it did.
        if asked.ends_at - begins_at > LONGEST + _AGAIN:
            whole = f"{former.id} began at {begins_at.isoformat()}, and would end at {asked.ends_at.isoformat()}"
            return Answer(status=409, error=f"expected a window of at most {LONGEST.days} days in all: {whole}")
        return Answer(value=transaction.keep_plan(replace(asked, number=former.number, begins_at=begins_at)))
    unfinished = [window for window in transaction.windows(now) if window.phase(now) is not Phase.PAST]
    if len(unfinished) >= MOST_UNFINISHED:
        return Answer(
            status=409, error=f"expected at most {MOST_UNFINISHED} windows that are planned or run: end some of them"
        )
    return Answer(status=201, value=transaction.keep_plan(replace(asked, begins_at=begins_at)))


def _end(transaction: Transaction, asked: EndWindow, now: datetime) -> Answer:
    """End a window now; one that is over stays as it is. 404 where there is none of that id or name."""
    found = transaction.plan(asked.name)
    if found is None:
        return Answer(status=404, error=f"there is no maintenance window {asked.name}")
    if found.window.phase(now) is Phase.PAST:
        return Answer(value=found)
    ended = replace(found, begins_at=min(found.begins_at, now), ends_at=now, ended_by=asked.by)
    return Answer(value=transaction.keep_plan(ended))
