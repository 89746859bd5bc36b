"""How tests say times, values and alerts: the same words in files and in what is told of failures."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from triaged.rulefiles import words

NONE: Final = "none"
_UTC: Final = ZoneInfo("UTC")


def instant(text: str) -> datetime:
    """A date with time, in UTC where it says no zone; raises ValueError."""
    return words.instant(text, _UTC).astimezone(UTC)


def moment(text: str, start: datetime) -> datetime:
    """An instant written as a time since the start (10m, -10m) or as a date with time; raises ValueError."""
    back = text.startswith("-")
    try:
        length = words.span(text.removeprefix("-"))
    except ValueError:
        try:
            return instant(text)
        except ValueError:
            raise ValueError("expected a time since the test's start like 15m, or a date with time") from None
    return start - length if back else start + length


def offset(at: datetime, start: datetime) -> str:
    """An instant as a time since the start, in the words in which tests say it: 0m, 4h6m, -10m."""
    left = int((at - start).total_seconds())
    told = "-" if left < 0 else ""
    left = abs(left)
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, left = divmod(left, seconds)
        told += f"{count}{unit}" if count else ""
    return told if told not in ("", "-") else "0m"


def shown(value: object, start: datetime) -> str:
    """A value in the words in which tests say it."""
    match value:
        case None | "":
            return NONE
        case bool():
            return "true" if value else "false"
        case datetime():
            return offset(value, start)
        case timedelta():
            return offset(start + value, start)
        case str():
            return str(value)
        case Mapping():
            empty = '""'
            return "{" + ", ".join(f"{name}: {word or empty}" for name, word in value.items()) + "}"
        case Collection():
            return "[" + ", ".join(shown(item, start) for item in value) + "]"
        case _:
            return str(value)


def in_words(found: Mapping[str, str]) -> str:
    """The labels of an alert as people write them, its name first: `DiskFull, cluster=eu-1`."""
    name = found.get("alertname", "")
    others = [f"{label}={value}" for label, value in found.items() if label != "alertname"]
    return ", ".join(filter(None, (name, *others)))
