"""Spans, instants and lists in plain words, as people read them in timelines and issues."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache

from triaged.core.model import Role

LONGEST_COMMENT = 1_000
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_ROLES: dict[str, str] = {
    Role.COMMANDER: "incident commander",
    Role.TECHNICAL: "technical lead",
    Role.COMMUNICATIONS: "communications lead",
    Role.SCRIBE: "scribe",
}


def span(length: timedelta) -> str:
    """`1 h 30 min`: the two largest units of a span, its sign dropped; `0 s` when it is shorter than a second."""
    left = int(abs(length.total_seconds()))
    parts = []
    for unit, seconds in _UNITS:
        count, left = divmod(left, seconds)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"


def exactly(length: timedelta) -> str:
    """`4 h 1 s`: a span to the second, for what is refused because of it; its sign dropped."""
    left = int(abs(length.total_seconds()))
    parts = []
    for unit, seconds in _UNITS:
        count, left = divmod(left, seconds)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts) or "0 s"


@lru_cache(maxsize=4_096)
def instant(at: datetime) -> str:
    """`2026-11-23 08:09 UTC`: an instant to the minute, in UTC."""
    return f"{at.astimezone(UTC).isoformat(' ', 'minutes')[:16]} UTC"


def quoted(value: str) -> str:
    """`"a value"`: in double quotes, with backslashes where it needs them."""
    return json.dumps(value, ensure_ascii=False)


def role(held: str) -> str:
    """`incident commander`: a role as people call it."""
    return _ROLES.get(held, held)


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known word, "" where none is near."""
    names = {name.lower(): name for name in known}
    found = get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return f"did you mean {names[found[0]]}?" if found else ""


def count(number: int, noun: str) -> str:
    """`1 alert`, `3 alerts`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def comment(text: str) -> str:
    """What is kept of what somebody wrote on an issue, where all of it can be read."""
    return text if len(text) <= LONGEST_COMMENT else f"{text[:LONGEST_COMMENT]}…"


def listing(items: Sequence[str], *, most: int) -> str:
    """The first `most` items, and honestly how many more there are."""
    shown = ", ".join(items[:most])
    return shown if len(items) <= most else f"{shown} … and {len(items) - most:,} more"
