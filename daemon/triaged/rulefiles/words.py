"""The words that operators write for spans, shares and days, read from text; each raises ValueError("expected …")."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import TypeVar
from zoneinfo import ZoneInfo

from triaged.core.sla import Target
from triaged.core.wording import nearest as nearest

SPAN = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
LONGEST = timedelta(days=3660)
MOST_WORKING_DAYS = 365
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
YEARS = range(1970, 3000)
D = TypeVar("D", bound=date)
HOURS = re.compile(r"(\d\d):(\d\d)\s*[-–]\s*(\d\d):(\d\d)", re.ASCII)


def listed(words: Iterable[str]) -> str:
    """The words, at least one, as a choice: `a, b or c`."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def span(text: str) -> timedelta:
    """A duration such as 15m, 1h30m, 3d; 0m is one."""
    amounts = SPAN.fullmatch(text)
    if not text or amounts is None:
        raise ValueError("expected a duration like 15m, 1h30m or 3d")
    weeks, days, hours, minutes, seconds = (int((amount or "0")[:12]) for amount in amounts.groups())
    try:
        value = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        value = timedelta.max
    if value > LONGEST:
        raise ValueError(f"expected a duration of at most {LONGEST.days}d")
    return value


def some_span(text: str) -> timedelta:
    """A duration of more than nothing."""
    value = span(text)
    if not value:
        raise ValueError("expected a duration of more than nothing, like 15m")
    return value


def target(text: str) -> Target:
    """A duration of more than nothing, or working days such as 1bd."""
    working = re.fullmatch(r"([0-9]{1,3})bd", text)
    if working is None:
        return Target(text=text, within=some_span(text))
    days = int(working[1])
    if not 1 <= days <= MOST_WORKING_DAYS:
        raise ValueError(f"expected 1bd to {MOST_WORKING_DAYS}bd")
    return Target(text=text, business_days=days)


def share(text: str) -> float:
    """A share such as 0.95 or 95%, more than 0 and at most 1."""
    number = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]+)?)(%?)", text)
    value = float(number[1]) / (100 if number[2] else 1) if number else 0.0
    if not 0 < value <= 1:
        raise ValueError("expected a share like 0.95 or 95%")
    return value


def day(text: str) -> date:
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        try:
            found = date.fromisoformat(text)
        except ValueError as problem:
            raise ValueError(f"expected a date ({problem})") from None
        return plausible(found)
    raise ValueError("expected a date like 2026-12-24")


def plausible(found: D) -> D:
    """A date that can be reckoned with: others are slips, or mean "never"."""
    if found.year not in YEARS:
        raise ValueError(f"expected a date from {YEARS[0]} to {YEARS[-1]}; for ever is said by saying no date")
    return found


def instant(text: str, zone: ZoneInfo) -> datetime:
    """A date with time such as 2026-12-24T08:00 in the zone, or with its own offset; a date is its first instant."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("expected a date with time like 2026-12-24T08:00") from None
    return plausible(value if value.tzinfo else value.replace(tzinfo=zone))


def exact_instant(text: str) -> datetime:
    """An instant such as 2026-12-24T08:00+01:00 in UTC; without an offset it would mean another one elsewhere."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        value = None
    if value is None or value.tzinfo is None:
        raise ValueError("expected a date with time and offset like 2026-12-24T08:00+01:00")
    return plausible(value).astimezone(UTC)


def hours(text: str) -> tuple[time, time]:
    """Hours of one day such as 09:00-17:00; an end of 24:00 is given as 00:00."""
    found = HOURS.fullmatch(text)
    if found is None:
        raise ValueError("expected hours like 09:00-17:00")
    begin, end = found[1] + found[2], found[3] + found[4]
    try:
        opens = time(int(found[1]), int(found[2]))
        closes = time.min if end == "2400" else time(int(found[3]), int(found[4]))
    except ValueError as problem:
        raise ValueError(f"expected hours like 09:00-17:00 ({problem})") from None
    if end <= begin:
        raise ValueError(
            "expected an end after the beginning; hours over midnight are two: 22:00-24:00 and 00:00-06:00"
        )
    return opens, closes


def weekdays(text: str) -> tuple[int, ...]:
    """A weekday or a range of them such as monday-friday as numbers, 0 is Monday; a range may go over Sunday."""
    first, dash, last = text.lower().partition("-")
    try:
        begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last if dash else first)
    except ValueError:
        raise ValueError("expected a weekday or a range like monday-friday") from None
    return tuple((begin + n) % 7 for n in range((end - begin) % 7 + 1))


def handover(text: str) -> tuple[int, time]:
    """A weekday with a time such as monday 09:00."""
    found = re.fullmatch(r"([a-z]+) ([0-9]{2}):([0-9]{2})", text.lower())
    if found is None or found[1] not in WEEKDAYS or int(found[2]) > 23 or int(found[3]) > 59:
        raise ValueError("expected a weekday with a time like monday 09:00")
    return WEEKDAYS.index(found[1]), time(int(found[2]), int(found[3]))


def zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError; a folder's name gives an OSError
        raise ValueError("expected a time zone like Europe/Berlin") from None


SHAPES: Mapping[Callable[..., object], Mapping[str, object]] = MappingProxyType(
    {
        span: {"type": "string", "pattern": f"^(?=.){SPAN.pattern}$", "examples": ["15m", "1h30m", "3d"]},
        some_span: {"type": "string", "pattern": f"^(?=.*[1-9]){SPAN.pattern}$", "examples": ["15m", "1h30m", "3d"]},
        target: {
            "type": "string",
            "pattern": f"^(?=.*[1-9])(?:[0-9]+bd|{SPAN.pattern})$",
            "examples": ["15m", "4h", "3d", "1bd"],
        },
        share: {
            "type": ["number", "string"],
            "exclusiveMinimum": 0,
            "maximum": 1,
            "pattern": r"^[0-9]+(\.[0-9]+)?%?$",
            "examples": [0.95, "95%"],
        },
        day: {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "examples": ["2026-12-24"]},
        hours: {
            "type": "string",
            "pattern": r"^[0-9]{2}:[0-9]{2}\s*[-–]\s*[0-9]{2}:[0-9]{2}$",
            "examples": ["09:00-17:00"],
        },
        instant: {"type": "string", "pattern": "^[0-9]{4}", "examples": ["2026-12-24T08:00", "2026-12-24T08:00+01:00"]},
        exact_instant: {
            "type": "string",
            "pattern": "^[0-9]{4}",
            "examples": ["2026-12-24T08:00+01:00", "2026-12-24T07:00Z"],
        },
        weekdays: {"type": "string", "pattern": "^[A-Za-z]+(-[A-Za-z]+)?$", "examples": ["monday-friday", "saturday"]},
        handover: {"type": "string", "pattern": "^[A-Za-z]+ [0-9]{2}:[0-9]{2}$", "examples": ["monday 09:00"]},
        zone: {"type": "string", "pattern": r"\S", "examples": ["Europe/Berlin", "UTC"]},
    }
)
"""What each of these readers takes, for JSON Schema (draft 2020-12): never less, sometimes a little more."""
