"""What calendars are asked around a change of clocks: drawn from the change's own seed, and held against the oracle."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from minutewise.oracle import AFTER, BEFORE, DAY, MINUTE, Hours, Oracle, Spans, Unknown, Wall, changes
from triaged.core.calendars import Calendar
from triaged.core.model import Objective, Severity
from triaged.core.sla import Policy, SeverityPolicy, Target

ZONES: Final = (
    "Africa/Cairo",  # at midnight, given up and taken up again
    "Africa/Casablanca",  # back in Ramadan, forth after it
    "America/Asuncion",
    "America/Havana",  # 01:00 becomes midnight
    "America/Los_Angeles",
    "America/New_York",
    "America/Santiago",  # at midnight
    "America/Sao_Paulo",  # midnight becomes 01:00, until 2019
    "America/St_Johns",  # 00:01 becomes 23:01 of the day before, until 2011
    "Antarctica/Troll",  # two hours
    "Asia/Amman",
    "Asia/Beirut",  # midnight becomes 23:00 of the day before
    "Asia/Tehran",  # a calendar of its own
    "Australia/Lord_Howe",  # half an hour
    "Australia/Sydney",
    "Europe/Berlin",
    "Europe/Dublin",  # winter is the exception
    "Europe/London",
    "Pacific/Apia",  # skipped the 30th of December 2011
    "Pacific/Auckland",
)
YEARS: Final = (2000, 2040)
CALENDARS: Final = 3
QUESTIONS: Final = 6
SEV3: Final = Severity.SEV3


class WrongAnswerError(AssertionError):
    """The calendar and the oracle differ; the text says all that is needed to ask again."""


def windows(zone: str) -> list[datetime]:
    return changes(zone, *YEARS)


def asked(zone: str, change: datetime) -> int:
    """Ask everything around one change, and count the answers that the oracle knows too; raises WrongAnswerError."""
    random = Random(f"{zone} {change:%Y-%m-%d %H:%M}")
    wall = Wall(zone=zone, change=change)
    answered = 0
    for _ in range(CALENDARS):
        hours = _hours(random, change)
        calendar = Calendar(
            name="drawn",
            zone=ZoneInfo(zone),
            weekly=hours.weekly,
            closed=lambda _year, closed=hours.holidays: closed,  # type: ignore[misc]  # the loop's own
            opened=hours.opened,
            periods=hours.periods,
        )
        oracle = Oracle(hours, wall)
        for _ in range(QUESTIONS):
            answered += sum(_same(calendar, oracle, random, wall))
    return answered


def _same(calendar: Calendar, oracle: Oracle, random: Random, wall: Wall) -> Iterator[bool]:
    """One of each question; whether the oracle knew the answer."""
    start = wall.starts_at + DAY + timedelta(seconds=_seconds(random, (BEFORE + 1) * 86_400))
    end = start + timedelta(seconds=_seconds(random, 4 * 86_400))
    until = end + timedelta(seconds=_seconds(random, 86_400))
    span = random.choice([timedelta(), timedelta(seconds=_seconds(random, 30 * 3_600))])
    days = random.randrange(4)
    policy = _policy(calendar, days)
    questions = (
        ("is_open", lambda: calendar.is_open(start), lambda: oracle.is_open(start)),
        ("between", lambda: calendar.between(start, end), lambda: oracle.between(start, end)),
        (f"add {span}", lambda: calendar.add(start, span), lambda: oracle.add(start, span)),
        (f"{days}bd", lambda: calendar.add_business_days(start, days), lambda: oracle.add_business_days(start, days)),
        (
            f"paused until {until}",
            lambda: policy.after_pause(SEV3, (end, end), (start, until))[0],
            lambda: oracle.after_pause(end, start, until),
        ),
    )
    for name, tested, expected in questions:
        try:
            right = expected()
        except Unknown:
            yield False
            continue
        answer = tested()
        if answer != right:
            around = f"{wall.zone}, change of {wall.change}"
            raise WrongAnswerError(f"{around}: {name} from {start} to {end} is {right}, got {answer}: {calendar}")
        yield True


def _seconds(random: Random, most: int) -> int:
    """Mostly whole quarters of an hour, where spans begin and end; sometimes any second."""
    seconds = random.randrange(most)
    return seconds if random.random() < 0.3 else seconds // 900 * 900


def _hours(random: Random, change: datetime) -> Hours:
    first = change.date() - timedelta(days=BEFORE)
    dates = [first + timedelta(days=n) for n in range(BEFORE + AFTER)]
    weekly = {} if random.random() < 0.1 else {day: _spans(random) for day in range(7) if random.random() < 0.75}
    return Hours(
        weekly=weekly,
        holidays=_some(random, dates),
        opened=_some(random, dates),
        periods=tuple(_periods(random, change)) if random.random() < 0.3 else (),
    )


def _spans(random: Random) -> Spans:
    """Office hours, the whole day, or up to three spans that may overlap, often around where clocks change."""
    kind = random.random()
    if kind < 0.25:
        return ((time(9), time(17)),)
    if kind < 0.4:
        return ((time(0), time(0)),)
    found = []
    for _ in range(random.randrange(1, 4)):
        latest = 20 if random.random() < 0.5 else 96
        opens, closes = sorted(random.sample(range(latest + 1), 2))
        found.append((time(opens // 4 % 24, opens % 4 * 15), time(closes // 4 % 24, closes % 4 * 15)))
    return tuple(found)


def _some(random: Random, dates: list[date]) -> frozenset[date]:
    return frozenset(random.sample(dates, random.choice([0, 0, 1, 2])))


def _periods(random: Random, change: datetime) -> Iterator[tuple[datetime, datetime]]:
    for _ in range(random.randrange(1, 4)):
        begins = change - DAY * 2 + MINUTE * 15 * random.randrange(5 * 96)
        yield begins, begins + MINUTE * 15 * random.randrange(1, 3 * 96)


def _policy(calendar: Calendar, days: int) -> Policy:
    """A severity whose resolution counts in this calendar, in hours or in working days."""
    target = Target(text=f"{days}bd", business_days=days) if days else Target(text="8h", within=timedelta(hours=8))
    severity = SeverityPolicy(
        targets=dict.fromkeys(Objective, target),
        compliance=dict.fromkeys(Objective, 0.9),
        calendar="drawn",
        at_risk=0.75,
        verify_for=timedelta(minutes=15),
        reopen_within=timedelta(hours=24),
        acknowledgement_for=None,
        close="daemon",
    )
    return Policy(hash="drawn", severities={SEV3: severity}, calendars={"drawn": calendar})
