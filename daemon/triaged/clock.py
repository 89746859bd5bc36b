"""Time: the only place that reads a clock or waits."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """`now` is read once per unit of work and passed on; `wait` is the only sleep of the program."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...

    def wait(self, event: threading.Event, span: timedelta) -> bool:
        """Block until `event` is set or `span` of this clock has passed; whether it was set."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def wait(self, event: threading.Event, span: timedelta) -> bool:
        return event.wait(max(0.0, span.total_seconds()))


class CatchingUpClock:
    """Starts in the past and runs `speed` times as fast until it meets the machine's clock; then it is that clock."""

    def __init__(self, behind: timedelta, speed: float) -> None:
        self._started_at = datetime.now(UTC)
        self._behind = behind
        self._speed = speed

    def now(self) -> datetime:
        real = datetime.now(UTC)
        virtual = self._started_at - self._behind + (real - self._started_at) * self._speed
        return min(virtual, real)

    def wait(self, event: threading.Event, span: timedelta) -> bool:
        now = self.now()
        real = datetime.now(UTC)
        fast = min(span, max(timedelta(), (real - now) * (self._speed / (self._speed - 1))))
        return event.wait(max(0.0, (fast / self._speed + (span - fast)).total_seconds()))


class FakeClock:
    """A clock that only moves when it is told to; waiting moves it."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def wait(self, event: threading.Event, span: timedelta) -> bool:
        if not event.is_set():
            self.advance(span)
        return event.is_set()

    def advance(self, span: timedelta) -> None:
        self._at += span

    def move_to(self, at: datetime) -> None:
        self._at = at


def seconds() -> float:
    """A monotonic reading in seconds, for measuring how long something took."""
    return time.perf_counter()
