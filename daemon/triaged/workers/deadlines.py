"""The deadlines worker: tells the writer which deadlines have passed; what that means is decided there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from triaged.core.model import Deadline
from triaged.errors import StoreError
from triaged.intake.units import Answer, Passed, Unit

_AT_ONCE = 1_000
_PAUSE = timedelta(seconds=5)
_OK, _UNAVAILABLE = 200, 503


class Due(Protocol):
    """What the worker reads."""

    def due(self, now: datetime, limit: int) -> list[Deadline]: ...
    def next_due(self) -> Deadline | None: ...


class DeadlinesWorker:
    """Every deadline that has passed enters the write path as an event; there it acts once, or not at all.

    `held` says when to ask it again while nothing is to act yet, None when it may.
    """

    name = "deadlines"

    def __init__(
        self,
        read: Callable[[], AbstractContextManager[Due]],
        ask: Callable[[Unit], Answer],
        held: Callable[[datetime], datetime | None] = lambda _: None,
    ) -> None:
        self._read = read
        self._ask = ask
        self._held = held

    def step(self, now: datetime) -> bool:
        """Pass on what is due at `now`, oldest first; one that a bug hinders does not hinder the others."""
        if self._held(now) is not None:
            return False
        with self._read() as reader:
            due = reader.due(now, _AT_ONCE)
        done = 0
        for deadline in due:
            answer = self._ask(Passed(deadline=deadline))
            if answer.status == _UNAVAILABLE:
                raise StoreError(answer.error)
            done += answer.status == _OK
        return done > 0

    def next_at(self, now: datetime) -> datetime | None:
        if (again_at := self._held(now)) is not None:
            return again_at
        with self._read() as reader:
            deadline = reader.next_due()
        if deadline is None or deadline.due_at > now:
            return None if deadline is None else deadline.due_at
        # A bug hinders it: the step has just tried it in vain.
        return now + _PAUSE
