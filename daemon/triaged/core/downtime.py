"""Downtime that adds up: whether incidents of a service, none of them worth a review, were too much together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from triaged.core.catalogue import Budget
from triaged.core.model import Category

CATEGORIES: Final = (Category.OUTAGE, Category.CRITICAL_FUNCTION)
"""Of incidents while which a service is down."""


class Down(Struct, frozen=True, kw_only=True):
    """An incident while which a service was down; `reviewed` says that it has a review of its own."""

    incident_id: int
    began_at: datetime
    ended_at: datetime
    reviewed: bool


def overspent(found: Sequence[Down], budget: Budget, now: datetime) -> tuple[int, timedelta] | None:
    """The newest incident of a service that was down for longer than its budget, and for how long; None where not.

    What was down at once counts once, and only within the budget's time. A review looks at all that was before it:
    counted is what came after the last one.
    """
    ended = sorted(found, key=lambda one: (one.ended_at, one.incident_id))
    last = max((n for n, one in enumerate(ended) if one.reviewed), default=-1)
    left = ended[last + 1 :]
    down_for = _union([(one.began_at, one.ended_at) for one in left], now - budget.within)
    return (left[-1].incident_id, down_for) if left and down_for > budget.budget else None


def _union(spans: Sequence[tuple[datetime, datetime]], since: datetime) -> timedelta:
    """How much time the spans cover from an instant on."""
    covered, until = timedelta(), since
    for began_at, ended_at in sorted(spans):
        if ended_at > until:
            covered += ended_at - max(began_at, until)
            until = ended_at
    return covered
