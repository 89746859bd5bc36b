"""The writer thread: takes all that waits, one transaction for it (group commit), and answers after the commit."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import structlog

from triaged.clock import Clock
from triaged.errors import StoreError
from triaged.intake.intake import Intake
from triaged.intake.units import Answer, Job, Unit

log = structlog.get_logger(__name__)

MOST_WAITING: Final = 20_000
_MOST_AT_ONCE: Final = 512
_MOST_BYTES_AT_ONCE: Final = 4 * 1024 * 1024
_LINGER_SECONDS: Final = 0.001

Reply = Callable[[Answer], None]


class Writer:
    """One queue, one thread, one transaction at a time: on SQLite no other connection of the process writes.

    `answered` is called on the thread after the replies to a batch. `died` is called when the thread ends by a bug:
    without it nothing can be stored, so the process must end.
    """

    def __init__(
        self,
        intake: Intake,
        clock: Clock,
        *,
        answered: Callable[[], None] = lambda: None,
        died: Callable[[], None] = lambda: None,
    ) -> None:
        self._intake = intake
        self._clock = clock
        self._answered = answered
        self._died = died
        self._waiting: deque[tuple[Unit, Reply]] = deque()
        self._wake = threading.Condition()
        self._taken: list[tuple[Unit, Reply]] = []
        self._closing = False
        self._last = 0
        self._enough = 1
        self._thread = threading.Thread(target=self._loop, name="writer", daemon=True)

    def start(self) -> None:
        """Prove the store writable with one commit, then take work. Raises StoreError where it is not."""
        answer = self._intake.process([Job(run=_nothing)], self._clock.now())[0]
        if answer.status != 200:
            raise StoreError(answer.error)
        self._thread.start()

    @property
    def depth(self) -> int:
        return len(self._waiting)

    def submit(self, unit: Unit, reply: Reply) -> bool:
        """Queue a unit; `reply` is called on the writer's thread after the commit. False when full or closing."""
        with self._wake:
            if self._closing or len(self._waiting) >= MOST_WAITING:
                return False
            self._waiting.append((unit, reply))
            if len(self._waiting) in (1, self._enough):
                self._wake.notify()
        return True

    def ask(self, unit: Unit) -> Answer:
        """Queue a unit and wait for its answer; 503 when the queue is full or closed."""
        done = threading.Event()
        answers: list[Answer] = []

        def reply(answer: Answer) -> None:
            answers.append(answer)
            done.set()

        if not self.submit(unit, reply):
            return Answer(status=503, error="the intake queue is full or closing")
        done.wait()
        return answers[0]

    def run(self, job: Callable[[Any, datetime], Any]) -> Any:
        """Run a worker's statements in the writer's turn; raises StoreError where they could not be committed."""
        answer = self.ask(Job(run=job))
        if answer.status != 200:
            raise StoreError(answer.error)
        return answer.value

    def close(self) -> None:
        """Take nothing more, finish what waits, end the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _loop(self) -> None:
        try:
            while taken := self._take():
                self._taken = taken
                answers = self._intake.process([unit for unit, _ in taken], self._clock.now())
                self._taken = []
                for (_, reply), answer in zip(taken, answers, strict=True):
                    reply(answer)
                self._answered()
        except BaseException:
            log.exception("the writer died")
            with self._wake:
                self._closing = True
                left = [*self._taken, *self._waiting]
                self._waiting.clear()
            for _, reply in left:
                reply(Answer(status=503, error="the writer died"))
            self._answered()
            self._died()
            raise

    def _take(self) -> list[tuple[Unit, Reply]]:
        """All that waits, up to a bound; empty only when closing with nothing left.

        Senders who wait for answers send again when they have them. A batch of half of them costs fewer commits than a
        batch of the first one, and is decided while the other half is under way: a moment's wait for them pays.
        """
        with self._wake:
            self._enough = (self._last + len(self._waiting) + 1) // 2
            while not self._waiting and not self._closing:
                self._wake.wait()
            if len(self._waiting) < self._enough and not self._closing:
                self._wake.wait(_LINGER_SECONDS)
            taken: list[tuple[Unit, Reply]] = []
            weight = 0
            while self._waiting and len(taken) < _MOST_AT_ONCE and weight < _MOST_BYTES_AT_ONCE:
                taken.append(self._waiting.popleft())
                weight += len(getattr(taken[-1][0], "body", b""))
            self._last = len(taken)
            return taken


def _nothing(_transaction: object, _now: datetime) -> None:
    """Commits nothing: that alone proves that it can be committed."""
