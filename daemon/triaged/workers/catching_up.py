"""A start after a time away: what people did on issues meanwhile is looked for before deadlines act on ignorance."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Final

from triaged.store import looks
from triaged.store.reading import Reader

PATIENCE: Final = timedelta(minutes=1)
"""Whoever has to be called is called, whether the backend answers or not."""
_AGAIN: Final = timedelta(seconds=1)


class CatchingUp:
    """Holds deadlines back until all repositories were asked once, and all issues that changed were looked at."""

    def __init__(self, asked: Callable[[], bool], read: Callable[[], AbstractContextManager[Reader]]) -> None:
        self._asked = asked
        self._read = read
        self._until: datetime | None = None
        self._is_done = False

    def again_at(self, now: datetime) -> datetime | None:
        """When to ask again; None: nothing is held back any more."""
        if self._is_done:
            return None
        self._until = self._until or now + PATIENCE
        self._is_done = now >= self._until or self._has_seen_all(now)
        return None if self._is_done else min(now + _AGAIN, self._until)

    def _has_seen_all(self, now: datetime) -> bool:
        if not self._asked():
            return False
        with self._read() as reader:
            due_at = looks.next_due(reader.connection)
        return due_at is None or due_at > now
