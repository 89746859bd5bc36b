"""The retention worker: forgets what is older than the operator keeps, a slice at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from triaged.store import maintenance, problems, retention, staleness

_PAUSE: Final = timedelta(minutes=10)
# What an alert taught about its repeats serves others of its source, and itself when it fires again soon.
_HEARINGS: Final = timedelta(days=7)


class RetentionWorker:
    """Deletes raw alerts and closed incidents; counters live in totals and do not fall."""

    name = "retention"

    def __init__(
        self, run: Callable[[Callable[[Any, datetime], Any]], Any], *, deliveries: timedelta, incidents: timedelta
    ) -> None:
        self._run = run
        self._deliveries = deliveries
        self._incidents = incidents
        self._rests_until: datetime | None = None

    def step(self, now: datetime) -> bool:
        """Forget one slice."""
        if self._rests_until is not None and now < self._rests_until:
            return False
        gone = self._run(lambda tx, _: retention.forget_records(tx.connection, now - self._deliveries))
        gone += self._run(lambda tx, _: tx.forget_incidents(now - self._incidents))
        gone += self._run(lambda tx, _: maintenance.forget(tx.connection, now - self._incidents))
        gone += self._run(lambda tx, _: problems.forget(tx.connection, now - self._incidents))
        gone += self._run(lambda tx, _: staleness.forget(tx.connection, now - _HEARINGS))
        if not gone:
            self._rests_until = now + _PAUSE
        return bool(gone)

    def next_at(self, now: datetime) -> datetime | None:
        return self._rests_until or now
