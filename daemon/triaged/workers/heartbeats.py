"""The heartbeats worker: tells the writer what is expected now, and when something may be missing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Final

from triaged.core.heartbeats import Heartbeat
from triaged.errors import StoreError
from triaged.intake.units import Answer, Expect, Listen, Unit
from triaged.store import heartbeats
from triaged.store.reading import Reader

_PAUSE: Final = timedelta(seconds=5)
_OK, _UNAVAILABLE = 200, 503


class HeartbeatsWorker:
    """What is missing is decided on the write path; here is only asked, at the start, after a reload and in time.

    `expected` gives the heartbeats of the rules in force, the same tuple until others are.
    """

    name = "heartbeats"

    def __init__(
        self,
        expected: Callable[[], tuple[Heartbeat, ...]],
        read: Callable[[], AbstractContextManager[Reader]],
        ask: Callable[[Unit], Answer],
    ) -> None:
        self._expected = expected
        self._read = read
        self._ask = ask
        self._told: tuple[Heartbeat, ...] | None = None

    def step(self, now: datetime) -> bool:
        expected = self._expected()
        if expected is not self._told:
            if self._do(Expect(started=self._told is None)):
                self._told = expected
                return True
            return False
        at = self._next_at()
        return at is not None and at <= now and self._do(Listen()) and self._next_at() != at

    def next_at(self, now: datetime) -> datetime | None:
        at = self._next_at()
        # What is due yet, or not told yet, the step has just tried in vain.
        return now + _PAUSE if self._told is None or (at is not None and at <= now) else at

    def _next_at(self) -> datetime | None:
        with self._read() as reader:
            return heartbeats.next_missed(reader.connection, self._expected())

    def _do(self, unit: Unit) -> bool:
        answer = self._ask(unit)
        if answer.status == _UNAVAILABLE:
            raise StoreError(answer.error)
        return answer.status == _OK
