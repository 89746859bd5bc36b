"""Open time found the hard way: a wall clock is looked at every minute for days, and the open minutes are counted.

Nothing here knows of offsets, of spans as instants, or of how `triaged.core.calendars` works: a minute is open when the
latest time that the clock has shown so far lies in the hours of its date.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
BEFORE, AFTER = 3, 9
"""Days that a window begins before a change of clocks, and goes on after it."""

Spans = tuple[tuple[time, time], ...]


class Unknown(Exception):  # noqa: N818 - no error: the answer lies beyond the window
    """The window ends before the answer."""


@dataclass(frozen=True, kw_only=True)
class Hours:
    """What a calendar says, as ops would: hours by weekday, dates that are different, periods."""

    weekly: Mapping[int, Spans]
    holidays: frozenset[date] = frozenset()
    opened: frozenset[date] = frozenset()
    periods: tuple[tuple[datetime, datetime], ...] = ()

    def minutes(self, day: date) -> bytearray:
        """For each minute of the wall clock of a day whether it is open."""
        spans = self.weekly.get(day.weekday(), ())
        if not self.weekly:
            spans = ((time(0), time(0)),)
        if day in self.opened:
            if not spans:
                spans = next((self.weekly[n] for n in range(7) if self.weekly.get(n)), ((time(0), time(0)),))
        elif day in self.holidays:
            spans = ()
        found = bytearray(24 * 60)
        for opens, closes in spans:
            first = opens.hour * 60 + opens.minute
            last = closes.hour * 60 + closes.minute or 24 * 60
            for minute in range(first, last):
                found[minute] = 1
        return found


@dataclass(kw_only=True)
class Wall:
    """What the clock of a zone shows in each minute around a change, and the latest that it has shown until then."""

    zone: str
    change: datetime
    starts_at: datetime = field(init=False)
    shown: list[datetime] = field(init=False)
    latest: list[datetime] = field(init=False)

    def __post_init__(self) -> None:
        zone = ZoneInfo(self.zone)
        self.starts_at = self.change.replace(hour=0, minute=0) - DAY * BEFORE
        self.shown, self.latest = [], []
        latest = self.starts_at.astimezone(zone).replace(tzinfo=None, fold=0)
        for n in range((BEFORE + AFTER) * 24 * 60):
            shown = (self.starts_at + MINUTE * n).astimezone(zone).replace(tzinfo=None, fold=0)
            latest = max(latest, shown)
            self.shown.append(shown)
            self.latest.append(latest)

    def at(self, n: int) -> datetime:
        return self.starts_at + MINUTE * n


class Oracle:
    """Answers for one calendar in one window; raises Unknown where the window ends before the answer."""

    def __init__(self, hours: Hours, wall: Wall) -> None:
        self._wall = wall
        self.open: list[int] = []
        days: dict[date, bytearray] = {}
        self.worked: set[date] = set()
        within = [False] * len(wall.latest) if hours.periods else None
        for begins, ends in hours.periods:
            assert within is not None
            for n in range(max(0, self._minute(begins)), min(len(within), self._minute(ends))):
                within[n] = True
        for n, latest in enumerate(wall.latest):
            day = latest.date()
            if day not in days:
                days[day] = hours.minutes(day)
            if days[day][latest.hour * 60 + latest.minute] and (within is None or within[n]):
                self.open.append(n)
                self.worked.add(day)

    def is_open(self, at: datetime) -> bool:
        n = bisect_left(self.open, self._minute(at))
        return n < len(self.open) and self.open[n] == self._minute(at)

    def passed(self, at: datetime) -> timedelta:
        """How much open time there is from the window's beginning to `at`."""
        minute = self._minute(at)
        counted = bisect_left(self.open, minute)
        return MINUTE * counted + (at - self._wall.at(minute) if self.is_open(at) else timedelta())

    def between(self, start: datetime, end: datetime) -> timedelta:
        return self.passed(end) - self.passed(start)

    def add(self, start: datetime, span: timedelta) -> datetime:
        """The earliest instant at which so much open time has passed; of none: the start, or the next opening."""
        if not span:
            if self.is_open(start):
                return start
            return self._wall.at(self._known(bisect_left(self.open, self._minute(start))))
        wanted = self.passed(start) + span
        whole, rest = divmod(wanted, MINUTE)
        # A span that ends with a minute ends at its end, not at the beginning of the next one that is open.
        if not rest:
            return self._wall.at(self._known(whole - 1)) + MINUTE
        return self._wall.at(self._known(whole)) + rest

    def add_business_days(self, start: datetime, days: int) -> datetime:
        begins = self.add(start, timedelta())
        if days == 0:
            return begins
        minute = self._minute(begins)
        shown = self._wall.shown[minute]
        last = self._wall.latest[-1].date()
        later = sorted(day for day in self.worked if shown.date() < day < last)
        if len(later) < days:
            raise Unknown
        wanted = datetime.combine(later[days - 1], shown.time())
        n = bisect_left(self._wall.latest, wanted)
        # A time that the clock skipped is the instant of the change; else the seconds go on within the minute.
        rest = begins - self._wall.at(minute)
        return self._wall.at(n) + (rest if self._wall.latest[n] == wanted else timedelta())

    def after_pause(self, at: datetime, since: datetime, until: datetime) -> datetime:
        """Where an instant that was to come moves when the clock stands still from `since` to `until`."""
        return at if at <= since else max(at, self.add(until, self.between(since, at)))

    def _known(self, n: int) -> int:
        if n >= len(self.open):
            raise Unknown
        return self.open[n]

    def _minute(self, at: datetime) -> int:
        return (at - self._wall.starts_at) // MINUTE


def changes(zone: str, first: int, last: int) -> list[datetime]:
    """The minutes (UTC) from which on the clock of a zone is another one, in the years from `first` to `last`."""
    info = ZoneInfo(zone)
    days = [datetime(first, 1, 1, tzinfo=UTC) + DAY * n for n in range((last - first + 1) * 365 + 10)]
    offsets = [day.astimezone(info).utcoffset() for day in days]
    found = []
    for day, before, after in zip(days, offsets, offsets[1:], strict=False):
        if before != after:
            minutes = (day + MINUTE * n for n in range(24 * 60 + 1))
            found.append(next(at for at in minutes if at.astimezone(info).utcoffset() != before))
    return found
