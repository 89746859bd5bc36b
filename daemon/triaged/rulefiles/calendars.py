"""calendars.yaml: working hours, holidays and dated periods by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache, partial
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from triaged.core.calendars import Calendar
from triaged.core.sla import ALWAYS
from triaged.rulefiles import words
from triaged.rulefiles.names import Names
from triaged.rulefiles.values import Value

KEYS = {
    "zone": "Hours and dates are local there.",
    "hours": "A weekday, or a range like monday-friday, with its hours. Left out: every day, all day.",
    "holidays": "Public holidays of a country or a part of it; closed all day.",
    "closed": "More dates on which it is closed.",
    "open": "Dates on which it is open in spite of all that.",
    "periods": "Where given, it is open only within these.",
}
ALWAYS_OPEN = Calendar(name=ALWAYS, zone=ZoneInfo("UTC"), weekly={})

Hours = tuple[tuple[time, time], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Public:
    """Public holidays: those of a year, and the last day of which they are known."""

    of: Callable[[int], frozenset[date]]
    until: date


def read(root: Value | None) -> dict[str, Calendar | None]:
    """The calendars by name, `always` among them; None for one that has findings."""
    calendars: dict[str, Calendar | None] = {ALWAYS: ALWAYS_OPEN}
    for key, value in root.entries() if root else ():
        name = key.shaped(r"[\w.-]+", "a name of letters, digits, _, . and -")
        if name == ALWAYS:
            key.complain(f"expected another name: {ALWAYS} is built in")
        elif name is not None:
            before = len(value.findings)
            calendar = _calendar(name, value)
            if len(value.findings) == before and not calendar.ever_opens():
                key.complain("expected hours, open dates or periods, got a calendar that never opens")
            calendars[name] = calendar if len(value.findings) == before else None
    return calendars


def _calendar(name: str, value: Value) -> Calendar:
    fields = value.fields(KEYS, required=("zone",))
    zone = fields.read("zone", _zone) or ALWAYS_OPEN.zone
    public = fields.read("holidays", _holidays)
    return Calendar(
        name=name,
        zone=zone,
        weekly=fields.read("hours", _weekly) or {},
        closed=_closed(frozenset(fields.many("closed", lambda days: days.each(_day))), public),
        opened=frozenset(fields.many("open", lambda days: days.each(_day))),
        periods=fields.many("periods", lambda periods: _periods(periods, zone)),
        holidays_until=public.until if public else None,
    )


def _zone(value: Value) -> ZoneInfo | None:
    return value.plain(words.zone, "a time zone like Europe/Berlin", near=available_timezones)


def _day(value: Value) -> date | None:
    return value.plain(words.day, "a date like 2026-12-24")


def _weekly(value: Value) -> Mapping[int, Hours]:
    weekly: dict[int, Hours] = {}
    if not value.filled("at least one weekday with hours", "leave the key out for every day, all day"):
        return weekly
    for key, spans in value.entries():
        days = key.plain(words.weekdays) or ()
        if twice := [day for day in days if day in weekly]:
            key.complain(f"expected every weekday once, got {words.WEEKDAYS[twice[0]]} again")
        weekly |= dict.fromkeys(days, spans.one_or_each(_hours))
    return weekly


def _hours(value: Value) -> tuple[time, time] | None:
    return value.plain(words.hours, "hours like 09:00-17:00")


def _periods(value: Value, zone: ZoneInfo) -> tuple[tuple[datetime, datetime], ...]:
    if not value.filled("at least one period", "leave the key out: without periods it is open in all its hours"):
        return ()
    return value.each(lambda period: _period(period, zone))


def _period(value: Value, zone: ZoneInfo) -> tuple[datetime, datetime] | None:
    fields = value.fields(("from", "to"), required=("from", "to"))
    begin = fields.read("from", lambda at: at.plain(partial(words.instant, zone=zone)))
    end = fields.read("to", lambda at: at.plain(partial(words.instant, zone=zone)))
    if begin is None or end is None:
        return None
    if end <= begin:
        fields["to"].wrong("expected an end after `from`")
        return None
    return begin, end


def _closed(days: frozenset[date], public: Public | None) -> Callable[[int], frozenset[date]]:
    if public is None:
        return lambda _year: days
    return lambda year: days | public.of(year)


def _holidays(value: Value) -> Public | None:
    """Public holidays by the package `holidays`: imported here, for it takes its time and memory."""
    holidays: Any = import_module("holidays")
    known: Mapping[str, list[str]] = holidays.list_supported_countries(include_aliases=True)
    fields = value.fields(("country", "subdivision"), required=("country",))
    country = fields.read("country", lambda code: code.one_of(known, "a country's ISO code like DE"))
    subdivisions = Names(known[country] if country else None)
    what = f"a subdivision of {country} ({', '.join(subdivisions) or 'it has none'})" if country else "a code like BE"
    subdivision = fields.read("subdivision", lambda code: code.one_of(subdivisions, what))
    if country is None:
        return None

    @lru_cache(maxsize=64)
    def dates(year: int) -> frozenset[date]:
        return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=year))

    # Where holidays follow the moon a government names them, and the package knows few years ahead.
    return Public(of=dates, until=date(holidays.country_holidays(country, subdiv=subdivision).end_year, 12, 31))
