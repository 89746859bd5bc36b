"""One thread around one worker: step while there is work, else wait until it may have some."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from triaged.clock import Clock
from triaged.errors import StoreError
from triaged.metrics import Metrics

log = structlog.get_logger(__name__)

LONGEST_WAIT: Final = timedelta(seconds=5)
_BREATH: Final = timedelta(milliseconds=20)
_AFTER_FAILURE: Final = timedelta(seconds=1)


class Worker(Protocol):
    """A piece of work in steps; every step may be the last before the process dies."""

    name: str

    def step(self, now: datetime) -> bool:
        """Do one unit of work; whether there was one."""
        ...

    def next_at(self, now: datetime) -> datetime | None:
        """When there may be work again; None: only when woken."""
        ...


class Loop:
    """Runs a worker on a named thread until stopped; a bug in a step is logged and counted, and the next one tried."""

    def __init__(self, worker: Worker, clock: Clock, metrics: Metrics) -> None:
        self.worker = worker
        self._clock = clock
        self._metrics = metrics
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=worker.name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There may be work. Thread-safe."""
        self._wake.set()

    def stop(self, seconds: float) -> None:
        """End between two steps; give a step that runs this long to finish."""
        self._stopped.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.clear()
            looked_at = self._clock.now()
            idle_for = self._once()
            if idle_for and self._clock.wait(self._wake, idle_for):
                # Commits come by the hundred a second: what they ask for is looked at together.
                self._clock.wait(self._stopped, looked_at + _BREATH - self._clock.now())

    def _once(self) -> timedelta:
        """One step; how long to wait then."""
        now = self._clock.now()
        try:
            if self.worker.step(now):
                return timedelta()
            next_at = self.worker.next_at(now)
        except StoreError as error:
            log.warning("store unavailable", worker=self.worker.name, error=str(error))
            return _AFTER_FAILURE
        except Exception:
            log.exception("step failed", worker=self.worker.name)
            self._metrics.errors.labels(self.worker.name).inc()
            return LONGEST_WAIT
        if next_at is None:
            return LONGEST_WAIT
        return min(max(next_at - now, timedelta()), LONGEST_WAIT)
