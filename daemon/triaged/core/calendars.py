"""Working time: when a calendar is open, and which instant lies a span of open time or some working days ahead."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, takewhile
from operator import itemgetter
from zoneinfo import ZoneInfo

SEARCHED = timedelta(days=3653)
"""How far ahead (ten years) open time is looked for before giving up."""
DAYS = 64
"""How many days' open spans are remembered before all are forgotten: working them out is the dear part."""

ONE_DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
WHOLE_DAY = ((time.min, time.min),)
EVER = ((datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)),)
ANY_DAY = ((date.min, date.max),)


def never_closed(_year: int) -> frozenset[date]:
    """No dates at all: a calendar without holidays."""
    return frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Working hours in one zone, with the dates and periods that are different.

    `weekly` holds the open spans of a weekday (0 is Monday) as local wall times of one day, the end not included;
    an end of `time.min` is midnight at the end of that day (24:00), so (00:00, 00:00) is the whole day. An empty
    `weekly` sets no limit: every day is open all day. `closed` gives the dates of a year on which it is closed
    (holidays; asked for every day that is looked at, so it must be cheap), `opened` the dates that are open whatever
    `weekly` and `closed` say: with the hours of their weekday, or where it has none, of the week's first weekday
    that has. Where there are `periods` (aware, the end not included), it is open only within them. `holidays_until`
    is the last day of which `closed` knows the public holidays, None where it needs to know none.

    A wall time stands for the first instant at which the local clock shows it or a later one: the first of two when
    clocks are put back, the instant of the change when clocks are put forward over it. Between two such instants
    real time counts, so a night shift lasts an hour more in autumn.

    Raises ValueError for a span that does not end after it begins: one over midnight is two spans on two weekdays. Safe
    to share between threads: what it remembers changes no answer.
    """

    name: str
    zone: ZoneInfo
    weekly: Mapping[int, tuple[tuple[time, time], ...]]
    closed: Callable[[int], frozenset[date]] = never_closed
    opened: frozenset[date] = frozenset()
    periods: tuple[tuple[datetime, datetime], ...] = ()
    holidays_until: date | None = None
    _within: tuple[tuple[datetime, datetime], ...] = field(init=False, repr=False, compare=False)
    _stretches: tuple[tuple[date, date], ...] = field(init=False, repr=False, compare=False)
    _known: dict[date, list[tuple[datetime, datetime]]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    _too_long: dict[date, timedelta] = field(init=False, repr=False, compare=False, default_factory=dict)
    """Of the last date on which a span was sought in vain: none longer than this is to be found from then."""

    def __post_init__(self) -> None:
        for opens, closes in (span for spans in self.weekly.values() for span in spans):
            if closes <= opens and closes != time.min:
                raise ValueError(f"calendar {self.name}: expected an end after {opens:%H:%M}, not {closes:%H:%M}")
        object.__setattr__(self, "_within", _merged(self.periods) if self.periods else EVER)
        object.__setattr__(self, "_stretches", self._possible())

    def is_open(self, at: datetime) -> bool:
        """Whether the calendar is open at the aware instant `at`; closed at the very instant of closing."""
        today = at.astimezone(self.zone).date()
        # Clocks put back just after midnight (St. John's until 2011, at 00:01) show yesterday's date in today's hours.
        return any(opens <= at < closes for day in (today, today + ONE_DAY) for opens, closes in self._open_on(day))

    def add(self, start: datetime, span: timedelta) -> datetime:
        """Earliest instant (UTC) at which `span` of open time has passed since the aware instant `start`.

        A span that ends with the day's hours ends at closing time, not at the next opening. With a span of nothing:
        `start` itself, or the next opening where it is closed. Raises ValueError for a negative span, and when there
        is not that much open time in the ten years after `start`.
        """
        if span < timedelta():
            raise ValueError(f"calendar {self.name}: expected a span of nothing or more, not {span}")
        cursor, left = start.astimezone(UTC), span
        today = cursor.astimezone(self.zone).date()
        hopeless = span > self._too_long.get(today, timedelta.max)
        for day in () if hopeless else self._days(today):
            for opens, closes in self._open_on(day):
                begins = max(opens, cursor)
                if begins < closes:
                    if left <= closes - begins:
                        return begins + left
                    left -= closes - begins
                    cursor = closes
        if not hopeless:
            # Whatever the time of day: the same dates are searched, and what was open of today before is less.
            self._too_long.clear()
            self._too_long[today] = span - left + 2 * ONE_DAY
        raise ValueError(f"calendar {self.name}: not open for {span} within ten years after {start:%Y-%m-%d %H:%M}")

    def between(self, start: datetime, end: datetime) -> timedelta:
        """How much open time passes from the aware instant `start` to `end`; nothing where that is not later.

        Open time more than ten years after `start` does not count.
        """
        cursor, until = start.astimezone(UTC), end.astimezone(UTC)
        # As in `is_open`: clocks put back just after midnight show yesterday's date in today's hours.
        last = until.astimezone(self.zone).date() + ONE_DAY
        passed = timedelta()
        for day in takewhile(lambda day: day <= last, self._days(cursor.astimezone(self.zone).date())):
            for opens, closes in self._open_on(day):
                begins, ends = max(opens, cursor), min(closes, until)
                if begins < ends:
                    passed += ends - begins
                    cursor = ends
        return passed

    def add_business_days(self, start: datetime, days: int) -> datetime:
        """Instant (UTC) with the same local time as `start`, `days` working days later.

        A start while closed counts from the next opening. A working day is a date with any open time; that the same
        local time lies outside its hours (a short Friday) does not matter. Raises ValueError for negative days, and
        when there are not that many working days in ten years.
        """
        if days < 0:
            raise ValueError(f"calendar {self.name}: expected 0 working days or more, not {days}")
        begins = self.add(start, timedelta())
        if days == 0:
            return begins
        local = begins.astimezone(self.zone)
        working = (day for day in self._days(local.date() + ONE_DAY) if self._open_on(day))
        day = next(islice(working, days - 1, None), None)
        if day is None:
            raise ValueError(f"calendar {self.name}: no {days} working days within ten years after {start:%Y-%m-%d}")
        return self._instant(day, local.time())

    def ever_opens(self) -> bool:
        """Whether there is any open time at all, past or future; holidays are not looked at where it has no end."""
        return self._stretches is ANY_DAY or self.ends_at() is not None

    def ends_at(self) -> datetime | None:
        """The end (UTC) of all its open time; None where that goes on for ever, or there never is any."""
        if self._stretches is ANY_DAY:
            return None
        for first, last in reversed(self._stretches):
            for n in range((last - first).days + 1):
                if spans := self._open_on(last - ONE_DAY * n):
                    return max(closes for _, closes in spans)
        return None

    def _possible(self) -> tuple[tuple[date, date], ...]:
        """First and last of the local dates that can have open time, in order: nothing else needs to be searched."""
        if self.weekly and not any(self.weekly.values()):
            return tuple((day, day) for day in sorted(self.opened))
        if not self.periods:
            return ANY_DAY
        # One day more: clocks put back just after midnight show the former date again.
        local = [[at.astimezone(self.zone).date() for at in period] for period in self._within]
        return tuple((first, last + ONE_DAY) for first, last in local)

    def _days(self, first: date) -> Iterator[date]:
        """The dates from `first` on, ten years ahead, that can have open time; each once."""
        end = first + SEARCHED
        at = bisect_left(self._stretches, first, key=itemgetter(1))
        for begins, last in islice(self._stretches, at, None):
            first = max(first, begins)
            for n in range((min(last, end) - first).days + 1):
                yield first + ONE_DAY * n
            if last >= end:
                return
            first = max(first, last + ONE_DAY)

    def _hours(self, day: date) -> tuple[tuple[time, time], ...]:
        if day in self.opened:
            regular = (spans for _, spans in sorted(self.weekly.items()) if spans)
            return self.weekly.get(day.weekday()) or next(regular, WHOLE_DAY)
        if day in self.closed(day.year):
            return ()
        return self.weekly.get(day.weekday(), ()) if self.weekly else WHOLE_DAY

    def _open_on(self, day: date) -> list[tuple[datetime, datetime]]:
        """The open spans of a local date as instants (UTC), by their beginning; they may overlap."""
        found = self._known.get(day)
        if found is None:
            if len(self._known) >= DAYS:
                self._known.clear()
            found = self._known[day] = self._work_out(day)
        return found

    def _work_out(self, day: date) -> list[tuple[datetime, datetime]]:
        spans = [
            (self._instant(day, opens), self._instant(day if closes > opens else day + ONE_DAY, closes))
            for opens, closes in self._hours(day)
        ]
        return sorted(clip for opens, closes in spans if opens < closes for clip in self._clipped(opens, closes))

    def _clipped(self, opens: datetime, closes: datetime) -> Iterator[tuple[datetime, datetime]]:
        """What of a span lies within the periods."""
        at = bisect_right(self._within, opens, key=itemgetter(1))
        for begins, ends in islice(self._within, at, None):
            if begins >= closes:
                return
            yield max(opens, begins), min(closes, ends)

    def _instant(self, day: date, wall: time) -> datetime:
        """First instant (UTC) at which the local clock shows `wall` on `day`, or anything later."""
        local = datetime.combine(day, wall, self.zone)
        first = local.astimezone(UTC)
        if self._shows(first) == local.replace(tzinfo=None):
            return first
        # The clock skipped it: the two readings of a skipped time lie on both sides of the change (PEP 495).
        before = local.replace(fold=1).astimezone(UTC).replace(microsecond=0)
        seconds = range((first - before) // SECOND + 1)
        wanted = local.replace(tzinfo=None)
        return before + SECOND * bisect_left(seconds, True, key=lambda n: self._shows(before + SECOND * n) >= wanted)

    def _shows(self, at: datetime) -> datetime:
        return at.astimezone(self.zone).replace(tzinfo=None)


def _merged(periods: tuple[tuple[datetime, datetime], ...]) -> tuple[tuple[datetime, datetime], ...]:
    """The periods (UTC) in order, those that touch made one."""
    merged: list[tuple[datetime, datetime]] = []
    for begins, ends in sorted((begins.astimezone(UTC), ends.astimezone(UTC)) for begins, ends in periods):
        if merged and begins <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], ends))
        else:
            merged.append((begins, ends))
    return tuple(merged)
