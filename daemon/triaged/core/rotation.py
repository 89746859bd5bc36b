"""A weekly rotation: people in their order, each for a week, from one handover to the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

FIRST_WEEK = date(1970, 1, 5)
"""The Monday in whose week the first person's turn was, where no other date says so."""
WEEK = timedelta(days=7)
UTC_ZONE = ZoneInfo("UTC")
MONDAY = 0
MORNING = time(9)


class Shift(Struct, frozen=True, kw_only=True):
    """Somebody is on call from one instant to another (UTC, the end not included).

    `who` are words for one person, the surest first: what a calendar says may be a mail address, a name or a title.
    """

    who: tuple[str, ...]
    begins_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """Whose turn it is, from the calendar alone: nothing has to be remembered.

    `weekday` (0 is Monday) and `wall` are when one hands over to the next, in `zone`; `people` are at least one. The
    first of them has the shift in which the handover's day on or before `first` begins. A wall time that the clocks
    skip is as late as it would have been without the change, one that they show twice is the first (RFC 5545, 3.3.5).
    """

    people: tuple[str, ...]
    weekday: int = MONDAY
    wall: time = MORNING
    zone: ZoneInfo = UTC_ZONE
    first: date = FIRST_WEEK
    _begins: date = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_begins", self.first - timedelta(days=(self.first.weekday() - self.weekday) % 7))

    def on_call(self, at: datetime) -> tuple[str, ...]:
        """All of them in the order of their turns: who is on call at the aware instant `at`, who is next, and so on."""
        turn = self._number(at) % len(self.people)
        return self.people[turn:] + self.people[:turn]

    def shifts(self, since: datetime, until: datetime) -> Iterator[Shift]:
        """The shifts that are running at some instant from `since` until before `until`, whole, in their order."""
        number = self._number(since)
        while (begins_at := self._handover(number)) < until:
            who = self.people[number % len(self.people)]
            number += 1
            yield Shift(who=(who,), begins_at=begins_at, ends_at=self._handover(number))

    def _number(self, at: datetime) -> int:
        """How many handovers there were since the first shift began; negative before it."""
        weeks = (at.astimezone(self.zone).date() - self._begins).days // 7
        # On the day of a handover it may be still to come; clocks put back over midnight show the day before it again.
        return next(number for number in (weeks + 1, weeks, weeks - 1) if self._handover(number) <= at)

    def _handover(self, number: int) -> datetime:
        return datetime.combine(self._begins + number * WEEK, self.wall, self.zone).astimezone(UTC)
