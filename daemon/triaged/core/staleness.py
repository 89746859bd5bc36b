"""Staleness: how often an alert is usually heard of again, and the incident of which nothing was heard for long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from triaged.core import wording

COPIES_WITHIN: Final = timedelta(minutes=2)
"""What comes so soon is a copy of what was heard: of the other member of a pair, or of a sender that got no answer."""
KEPT: Final = 4
"""Gaps from which is learned: what is unusual has no say after as many that were usual."""
TRUSTED: Final = 2
"""Gaps before anything is learned: a single one may be a sender that tries once more, not its repeat interval."""
SPANS: Final = 3
"""Intervals of silence that are stale: one is usual, two lose a single notification."""


class Hearing(Struct, frozen=True, kw_only=True):
    """When an alert was heard of last, and the newest `gaps` between its repeats, in seconds.

    `every_seconds` is what they teach: the largest of them, None while there are too few.
    """

    fingerprint: str
    source: str
    heard_at: datetime
    gaps: tuple[int, ...] = ()
    every_seconds: int | None = None


class Listened(Struct, frozen=True, kw_only=True):
    """What was heard of one alert that fires in an incident; `every` is the interval learned from itself."""

    source: str
    heard_at: datetime
    every: timedelta | None


class Quiet(Struct, frozen=True, kw_only=True):
    """From when on an incident is unheard if nothing more is heard; since when, at an interval of usually `every`."""

    at: datetime
    since_at: datetime
    every: timedelta


class Unheard(Struct, frozen=True, kw_only=True):
    """None of the alerts that fire in an incident was heard of since `since_at`, for long."""

    incident_id: int
    since_at: datetime
    every_seconds: int

    @property
    def words(self) -> str:
        """`not heard of since 2026-11-23 09:00 UTC, more than three times its usual 4 h`."""
        every = wording.span(timedelta(seconds=self.every_seconds))
        return f"not heard of since {wording.instant(self.since_at)}, more than three times its usual {every}"


def hear(former: Hearing, now: datetime, *, listening_since: datetime, repeated: bool) -> Hearing | None:
    """The alert was heard of again; None where that was a copy of what was heard already.

    Where it was `repeated`, nothing in its delivery had changed: only then the gap is the sender's repeat interval, as
    Alertmanager also sends when the group changes. A gap in which we did not listen teaches nothing, and after one that
    was stale by itself it is learned anew: it was silenced, or the interval is another one now.
    """
    gap = now - former.heard_at
    if gap < COPIES_WITHIN:
        return None
    gaps = former.gaps
    if former.every_seconds is not None and gap >= SPANS * timedelta(seconds=former.every_seconds):
        gaps = ()
    elif repeated and former.heard_at >= listening_since:
        gaps = (*gaps, int(gap.total_seconds()))[-KEPT:]
    return Hearing(
        fingerprint=former.fingerprint,
        source=former.source,
        heard_at=now,
        gaps=gaps,
        every_seconds=max(gaps) if len(gaps) >= TRUSTED else None,
    )


def quiet(
    alerts: Iterable[Listened], of_sources: Mapping[str, timedelta], *, listening_since: datetime
) -> Quiet | None:
    """When the last of an incident's alerts has not been heard of for SPANS of its intervals, if none is heard.

    An alert that never repeated is expected at the largest interval learned from its source. None where there is no
    alert, or one whose source is none of these: of that one nothing is known. Spans count from `listening_since` at
    the earliest: before, nobody could have been heard.
    """
    ends: list[datetime] = []
    heard: list[datetime] = []
    intervals: list[timedelta] = []
    for alert in alerts:
        of_source = of_sources.get(alert.source)
        if of_source is None:
            return None
        every = alert.every or of_source
        intervals.append(every)
        heard.append(alert.heard_at)
        ends.append(max(alert.heard_at, listening_since) + SPANS * every)
    if not ends:
        return None
    return Quiet(at=max(ends), since_at=max(heard), every=max(intervals))
