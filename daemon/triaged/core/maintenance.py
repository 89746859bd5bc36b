"""Maintenance windows: spans of planned work, and until when they hold alerts back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from enum import StrEnum, unique
from functools import lru_cache

from msgspec import Struct

from triaged.core import wording
from triaged.core.matchers import Matcher, hold, parse_all
from triaged.core.model import Severity


@unique
class Phase(StrEnum):
    PLANNED = "planned"
    RUNNING = "running"
    PAST = "past"


class Window(Struct, frozen=True, kw_only=True):
    """Planned work on what all the matchers of `match` hold for, from `begins_at` on and before `ends_at` (aware, UTC).

    `id` tells windows apart; `all` holds back sev1, too. `match` are texts that can be parsed.
    """

    id: str
    match: tuple[str, ...]
    begins_at: datetime
    ends_at: datetime
    reason: str
    by: str
    all: bool = False

    @property
    def words(self) -> str:
        return f"{self.reason}, by {self.by}"

    def phase(self, now: datetime) -> Phase:
        if now >= self.ends_at:
            return Phase.PAST
        return Phase.PLANNED if now < self.begins_at else Phase.RUNNING

    def covers(self, labels: Mapping[str, str]) -> bool:
        """Whether it is about an alert with these labels, whenever; an absent label is ""."""
        return hold(_compiled(self.match), labels)


class Plan(Struct, frozen=True, kw_only=True):
    """A window that was asked for while the daemon ran; what is stored of it.

    `number` 0 is none yet; `name` ("" is none) is the asker's own for it; `ended_by` is who ended it before its time.
    """

    number: int = 0
    name: str
    match: tuple[str, ...]
    begins_at: datetime
    ends_at: datetime
    reason: str
    by: str
    all: bool = False
    ended_by: str | None = None

    @property
    def id(self) -> str:
        return f"MW-{self.number}"

    @property
    def window(self) -> Window:
        return Window(
            id=self.id,
            match=self.match,
            begins_at=self.begins_at,
            ends_at=self.ends_at,
            reason=self.reason,
            by=self.by,
            all=self.all,
        )


class Cover(Struct, frozen=True, kw_only=True):
    """What holds alerts back now: of the windows over them the one that ends last, of all and of those over sev1."""

    any: Window | None = None
    sev1: Window | None = None

    def of(self, severity: Severity) -> Window | None:
        """What holds back an alert, or an incident, that is judged so."""
        return self.sev1 if severity is Severity.SEV1 else self.any


NO_COVER = Cover()


def cover(windows: Iterable[Window], labels: Mapping[str, str], since: datetime | None = None) -> Cover:
    """What of the running `windows` holds back an alert with these labels that began at `since`; None: within one.

    Where one of them had begun by then, the others count as well, for they began while it held the alert back.
    """
    over = [window for window in windows if window.covers(labels)]
    return Cover(any=_last(over, since), sev1=_last([window for window in over if window.all], since))


def common(covers: Iterable[Cover]) -> Cover:
    """Until when all are held back: what ends first; nothing as soon as one of them is not held, or there are none."""
    found: Cover | None = None
    for one in covers:
        if one.any is None:
            return NO_COVER
        found = one if found is None else Cover(any=_first(found.any, one.any), sev1=_first(found.sev1, one.sev1))
    return found or NO_COVER


def until(window: Window) -> str:
    """`maintenance until 2026-12-02 01:00 UTC (Kernel upgrade, by ann)`."""
    return f"maintenance until {wording.instant(window.ends_at)} ({window.words})"


# The windows in force are asked of each alert that fires anew: reading their matchers costs more than asking them.
@lru_cache(maxsize=4_096)
def _compiled(texts: tuple[str, ...]) -> tuple[Matcher, ...]:
    return tuple(matcher for text in texts for matcher in parse_all(text))


def _last(windows: Collection[Window], since: datetime | None) -> Window | None:
    if since is not None and not any(window.begins_at <= since for window in windows):
        return None
    return max(windows, key=lambda window: window.ends_at, default=None)


def _first(one: Window | None, other: Window | None) -> Window | None:
    if one is None or other is None:
        return None
    return other if other.ends_at < one.ends_at else one
