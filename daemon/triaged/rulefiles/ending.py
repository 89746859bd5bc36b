"""Calendars that run out: of open time, or of known holidays; and targets that they never reach."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from triaged.core.calendars import SECOND, Calendar
from triaged.core.sla import ALWAYS, BUSINESS, SeverityPolicy
from triaged.errors import Finding
from triaged.rulefiles.sheet import Sheet
from triaged.rulefiles.values import Value

ENDS_SOON = timedelta(days=14)
RUNS_OUT_SOON = timedelta(days=90)
"""Where targets count in it: who keeps the calendar must be found, and asks others for dates."""


def ending_calendars(sheet: Sheet, today: date) -> Iterator[Finding]:
    """A finding for each calendar in use that has run out or soon will; `today` is the date in UTC."""
    counted = _counted_in(sheet)
    for name, (key, value) in sheet.entries("calendars.yaml").items():
        if name not in sheet.calendars.used:
            continue
        calendar = sheet.rules.calendars[name]
        until = today + (RUNS_OUT_SOON if name in counted else ENDS_SOON)
        yield from _of_open_time(calendar, key, today, until, counted=name in counted)
        yield from _of_holidays(calendar, value, today)


def unreachable_targets(sheet: Sheet, today: date) -> Iterator[Finding]:
    """A finding for each target that is longer than what its calendar, without an end, has of open time."""
    start = datetime.combine(today, time.min, UTC)
    for severity, policy in sheet.policy.severities.items():
        _, value = sheet.entries("severities.yaml")[severity.value]
        name = counted_in(policy)
        targets = value.below("targets")
        if targets is None or name is None or sheet.rules.calendars[name].ends_at() is not None:
            continue
        for objective, target in policy.targets.items():
            place = targets.below(objective.value)
            if place and not sheet.policy.reaches(severity, objective, start):
                too_long = f"calendar {name} has not so much open time in ten years"
                yield place.noted(f"{objective} of {target.text} is elapsed time: {too_long}")


def last_day(calendar: Calendar) -> date | None:
    """The last date, local there, on which it is ever open; None where there is none."""
    ends_at = calendar.ends_at()
    return None if ends_at is None else (ends_at - SECOND).astimezone(calendar.zone).date()


def _counted_in(sheet: Sheet) -> set[str]:
    """The calendars in which targets are counted."""
    return {name for policy in sheet.policy.severities.values() if (name := counted_in(policy))}


def counted_in(policy: SeverityPolicy) -> str | None:
    """The calendar in which the targets of a severity are counted, None where all of them are elapsed time."""
    if policy.calendar != ALWAYS:
        return policy.calendar
    return BUSINESS if any(target.business_days for target in policy.targets.values()) else None


def _of_open_time(calendar: Calendar, key: Value, today: date, until: date, *, counted: bool) -> Iterator[Finding]:
    last = last_day(calendar)
    if last is not None and last <= until:
        then = "; targets are elapsed time after it" if counted else ""
        verb = "had" if last < today else "has"
        yield key.noted(f"calendar {calendar.name} {verb} its last open time on {last}{then}")


def _of_holidays(calendar: Calendar, value: Value, today: date) -> Iterator[Finding]:
    until, place = calendar.holidays_until, value.below("holidays")
    if place and until and until <= today + RUNS_OUT_SOON:
        yield place.noted(
            f"no public holidays are known after {until}", "name them in `closed`, or install a newer `holidays`"
        )
