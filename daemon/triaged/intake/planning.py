"""Windows that pipelines and people ask for: stored, replaced by name, ended before their time."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from triaged.core.maintenance import Phase, Plan
from triaged.intake.units import Answer, EndWindow
from triaged.ports.store import Transaction

MOST_UNFINISHED: Final = 500
"""Windows that are planned or run at a time: each is asked of every alert that begins."""


def plan(transaction: Transaction, asked: Plan, now: datetime) -> Answer:
    """Store a window; 201 and the window, 200 where it took the place of one of its name that was not over.

    Idempotent by name. What begins in the past begins now; one that runs already began when it did.
    """
    former = transaction.plan(asked.name) if asked.name else None
    begins_at = max(asked.begins_at, now)
    if former is not None and former.window.phase(now) is not Phase.PAST:
        if asked.begins_at <= now:
            begins_at = min(begins_at, former.begins_at)
        return Answer(value=transaction.keep_plan(replace(asked, number=former.number, begins_at=begins_at)))
    unfinished = [window for window in transaction.windows(now) if window.phase(now) is not Phase.PAST]
    if len(unfinished) >= MOST_UNFINISHED:
        return Answer(
            status=409, error=f"expected at most {MOST_UNFINISHED} windows that are planned or run: end some of them"
        )
    return Answer(status=201, value=transaction.keep_plan(replace(asked, begins_at=begins_at)))


def end(transaction: Transaction, asked: EndWindow, now: datetime) -> Answer:
    """End a window now; one that is over stays as it is. 404 where there is none of that id or name."""
    found = transaction.plan(asked.name)
    if found is None:
        return Answer(status=404, error=f"there is no maintenance window {asked.name}")
    if found.window.phase(now) is Phase.PAST:
        return Answer(value=found)
    ended = replace(found, begins_at=min(found.begins_at, now), ends_at=now, ended_by=asked.by)
    return Answer(value=transaction.keep_plan(ended))
