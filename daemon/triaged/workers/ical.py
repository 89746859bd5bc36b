"""Shifts out of an iCalendar elsewhere, read in a process of its own.

A calendar is a stranger's program: a rule for each 30th of February has no end, one for each second fills the memory,
and a server may send a byte a minute. A process can be ended whatever it is about, and the libraries load only there.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from triaged.core.rotation import Shift
from triaged.errors import DeliveryError

MOST_SECONDS: Final = 15.0
MOST_BYTES: Final = 4 * 1024 * 1024
MOST_MEMORY: Final = 1024 * 1024 * 1024
MOST_SHIFTS: Final = 2_000
_LONGEST: Final = 200
_TIMEOUT_SECONDS: Final = 10.0
_MOST_ATTENDEES: Final = 10
_DECLINED: Final = ("DECLINED", "DELEGATED")


class Asked(Struct, frozen=True, kw_only=True):
    """Which shifts are wanted: those of the calendar at `url` that run at some instant of the span."""

    url: str
    zone: str
    since: datetime
    until: datetime


class Told(Struct, frozen=True, kw_only=True):
    """The shifts, or why there are none."""

    shifts: tuple[Shift, ...] = ()
    failure: str = ""


def ask(asked: Asked, *, seconds: float = MOST_SECONDS) -> tuple[Shift, ...]:
    """The shifts of a calendar. Raises DeliveryError, whose text holds nothing of the URL."""
    command = [sys.executable, "-P", "-m", "triaged.workers.ical"]
    try:
        # The URL is a secret: it goes by a pipe, for everybody can read the words of a command.
        done = subprocess.run(  # noqa: S603 - us
            command, input=msgspec.json.encode(asked), capture_output=True, timeout=seconds, check=False
        )
        told = msgspec.json.decode(done.stdout, type=Told)
    except subprocess.TimeoutExpired:
        raise DeliveryError(f"expected a calendar that is read within {seconds:g} s", reason="timeout") from None
    except msgspec.MsgspecError:
        why = f"expected a calendar of a size that can be read, it ended the reader (status {done.returncode})"
        raise DeliveryError(why, reason="reader") from None
    if told.failure:
        raise DeliveryError(told.failure, reason="calendar")
    return told.shifts


def main() -> None:
    """Answer one question on standard input."""
    import resource  # noqa: PLC0415 - the child's own limit; there is none elsewhere than on Unix

    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Asked)
    try:
        told = Told(shifts=shifts_of(fetch(asked.url), asked))
    except (DeliveryError, ValueError, MemoryError) as error:
        told = Told(failure=str(error) or type(error).__name__)
    sys.stdout.buffer.write(msgspec.json.encode(told))


def fetch(url: str) -> bytes:
    """What lies at a URL; no redirect is followed. Raises DeliveryError."""
    import httpx  # noqa: PLC0415 - loaded in the child only

    url = re.sub(r"^webcal:", "https:", url, flags=re.IGNORECASE)
    body = bytearray()
    try:
        with httpx.stream("GET", url, timeout=_TIMEOUT_SECONDS, follow_redirects=False) as answer:
            if answer.status_code != 200:
                raise DeliveryError(f"expected 200, got {answer.status_code}", reason="status")
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise DeliveryError(f"expected at most {MOST_BYTES:,} bytes, got more", reason="size")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DeliveryError(f"no answer: {type(error).__name__}", reason="unreachable") from None
    return bytes(body)


def shifts_of(body: bytes, asked: Asked) -> tuple[Shift, ...]:
    """The shifts of a calendar, in the order in which they begin. Raises ValueError where it is none, or has too many.

    The format is that of RFC 5545. Cancelled events are none, and those that take no time; a whole day is one in the
    asked zone, and so is a time without a zone, unless the calendar has a zone of its own (X-WR-TIMEZONE).
    """
    import recurring_ical_events  # noqa: PLC0415 - loaded in the child only
    from icalendar import Calendar  # noqa: PLC0415 - as above

    try:
        calendar = Calendar.from_ical(body)
    except ValueError as error:
        raise ValueError(f"expected an iCalendar: {str(error)[:_LONGEST]}") from None
    if calendar.name != "VCALENDAR":
        raise ValueError(f"expected an iCalendar with a VCALENDAR, got {str(calendar.name)[:60]}")
    zone = _zone(str(calendar.get("X-WR-TIMEZONE", "")))
    if zone is None:
        # Over one that nobody knows the libraries would stumble.
        calendar.pop("X-WR-TIMEZONE", None)
    # A day more on both sides: whole days are compared without their zone.
    span = (asked.since - timedelta(days=1), asked.until + timedelta(days=1))
    try:
        events = recurring_ical_events.of(calendar).between(*span)
    except (KeyError, TypeError, AttributeError, OverflowError, ArithmeticError) as error:
        raise ValueError(f"expected events that can be worked out: {type(error).__name__}") from None
    found = [*_running(events, asked, zone or ZoneInfo(asked.zone))]
    if len(found) > MOST_SHIFTS:
        raise ValueError(f"expected at most {MOST_SHIFTS:,} shifts, got {len(found):,}")
    return tuple(sorted(found, key=lambda shift: shift.begins_at))


def _running(events: Iterable[Any], asked: Asked, zone: ZoneInfo) -> Iterator[Shift]:
    for event in events:
        begins_at, ends_at = _instant(event.start, zone), _instant(event.end, zone)
        who = tuple(_who(event))
        cancelled = str(event.get("STATUS", "")).upper() == "CANCELLED"
        if who and not cancelled and begins_at < ends_at and begins_at < asked.until and ends_at > asked.since:
            yield Shift(who=who, begins_at=begins_at, ends_at=ends_at)


def _who(event: Any) -> Iterator[str]:
    """The words that may name whose shift it is: who attends, what it is called, who made it."""
    seen: dict[str, None] = {}
    for name in ("ATTENDEE", "SUMMARY", "ORGANIZER"):
        values = event.get(name) or []
        for value in (values if isinstance(values, list) else [values])[:_MOST_ATTENDEES]:
            if str(getattr(value, "params", {}).get("PARTSTAT", "")).upper() not in _DECLINED:
                words = [re.sub(r"^mailto:", "", str(value), flags=re.IGNORECASE)]
                words += [str(value.params["CN"])] if name != "SUMMARY" and "CN" in value.params else []
                seen.update(dict.fromkeys(" ".join(word.split())[:_LONGEST] for word in words))
    yield from filter(None, seen)


def _instant(value: date | datetime, zone: ZoneInfo) -> datetime:
    if not isinstance(value, datetime):
        value = datetime.combine(value, time.min)
    return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(UTC)


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name.strip())
    except (ValueError, OSError, KeyError):
        return None


if __name__ == "__main__":
    main()
