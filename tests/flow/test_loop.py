"""A worker's loop: it steps while there is work, wakes, outlives a failing step, and stops between two steps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest

from triaged.clock import FakeClock
from triaged.errors import StoreError
from triaged.metrics import Metrics
from triaged.workers.loop import LONGEST_WAIT, Loop
from waiting import wait_until

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
Step = Callable[[datetime], bool]


class Patient(FakeClock):
    """A clock on which a wait of a second or more lasts until its event is set; `waits` are the spans asked for."""

    def __init__(self) -> None:
        super().__init__(START)
        self.waits: list[timedelta] = []

    def wait(self, event: threading.Event, span: timedelta) -> bool:
        if span < timedelta(seconds=1):
            return event.is_set()
        self.waits.append(span)
        return event.wait(60)


class Scripted:
    """A worker whose steps are given; without one left there is no work."""

    name = "scripted"

    def __init__(self, *steps: Step | bool | Exception, next_at: datetime | Exception | None = None) -> None:
        self.script = list(steps)
        self.next: datetime | Exception | None = next_at
        self.stepped_at: list[datetime] = []

    def step(self, now: datetime) -> bool:
        self.stepped_at.append(now)
        step = self.script.pop(0) if self.script else False
        if isinstance(step, Exception):
            raise step
        return step(now) if callable(step) else step

    def next_at(self, now: datetime) -> datetime | None:
        del now
        if isinstance(self.next, Exception):
            raise self.next
        return self.next


class Running:
    """A loop under way on a patient clock."""

    def __init__(self) -> None:
        self.clock = Patient()
        self.metrics = Metrics()
        self._loops: list[Loop] = []

    def start(self, worker: Scripted) -> Loop:
        loop = Loop(worker, self.clock, self.metrics)
        self._loops.append(loop)
        loop.start()
        return loop

    def waits(self, count: int) -> list[timedelta]:
        """The spans of its first waits, once there are so many."""
        wait_until(lambda: len(self.clock.waits) >= count, what=f"{count} waits of the loop")
        return self.clock.waits

    def errors(self) -> float | None:
        return self.metrics.registry.get_sample_value("triaged_errors_total", {"where": "scripted"})

    def stop(self) -> None:
        for loop in self._loops:
            loop.stop(20)


@pytest.fixture
def running() -> Iterator[Running]:
    one = Running()
    yield one
    one.stop()


def test_it_steps_without_a_wait_while_there_is_work(running: Running) -> None:
    worker = Scripted(True, True, True)
    running.start(worker)
    running.waits(1)
    assert len(worker.stepped_at) == 4


def test_a_step_gets_the_clocks_instant(running: Running) -> None:
    worker = Scripted()
    loop = running.start(worker)
    running.waits(1)
    running.clock.advance(timedelta(hours=2))
    loop.wake()
    running.waits(2)
    assert worker.stepped_at == [START, START + timedelta(hours=2)]


@pytest.mark.parametrize(
    ("next_at", "span"),
    [
        (None, LONGEST_WAIT),
        (START + timedelta(seconds=2), timedelta(seconds=2)),
        (START + timedelta(days=1), LONGEST_WAIT),
    ],
)
def test_without_work_it_waits_until_there_may_be_some_but_never_long(
    running: Running, next_at: datetime | None, span: timedelta
) -> None:
    running.start(Scripted(next_at=next_at))
    assert running.waits(1) == [span]


def test_work_that_was_due_before_now_is_not_waited_for(running: Running) -> None:
    worker = Scripted(next_at=START - timedelta(minutes=1))
    running.start(worker)
    wait_until(lambda: len(worker.stepped_at) > 3, what="several steps")
    assert running.clock.waits == []


def test_waking_ends_its_wait_at_once(running: Running) -> None:
    worker = Scripted()
    loop = running.start(worker)
    running.waits(1)
    worker.script = [True]
    loop.wake()
    running.waits(2)
    assert len(worker.stepped_at) == 3


def test_waking_during_a_step_is_not_lost(running: Running) -> None:
    """The step that runs may have looked before the work came: another one follows without a wait."""

    started = threading.Event()

    def wake(_now: datetime) -> bool:
        started.wait(20)
        loop.wake()
        return False

    worker = Scripted(wake)
    loop = running.start(worker)
    started.set()
    wait_until(lambda: len(worker.stepped_at) == 2, what="the step after the waking")


def test_a_bug_in_a_step_is_counted_and_the_next_step_comes(running: Running, logged: StringIO) -> None:
    worker = Scripted(ZeroDivisionError("bug"), True)
    loop = running.start(worker)
    assert running.waits(1) == [LONGEST_WAIT]
    assert running.errors() == 1
    loop.wake()
    running.waits(2)
    assert len(worker.stepped_at) == 3
    assert running.errors() == 1
    assert "step failed" in logged.getvalue()
    assert "ZeroDivisionError" in logged.getvalue()


def test_a_bug_in_asking_for_the_next_instant_does_not_end_it_either(running: Running) -> None:
    worker = Scripted(next_at=ZeroDivisionError("bug"))
    loop = running.start(worker)
    assert running.waits(1) == [LONGEST_WAIT]
    assert running.errors() == 1
    worker.next = None
    loop.wake()
    running.waits(2)
    assert len(worker.stepped_at) == 2


def test_a_store_that_is_away_is_no_bug_and_is_tried_again_soon(running: Running) -> None:
    worker = Scripted(StoreError("disk full"))
    loop = running.start(worker)
    assert running.waits(1) == [timedelta(seconds=1)]
    loop.wake()
    running.waits(2)
    assert running.errors() is None
    assert len(worker.stepped_at) == 2


def test_stopping_ends_its_wait_and_no_step_follows(running: Running) -> None:
    worker = Scripted()
    loop = running.start(worker)
    running.waits(1)
    loop.stop(20)
    assert "scripted" not in {thread.name for thread in threading.enumerate()}
    assert len(worker.stepped_at) == 1


def test_stopping_lets_the_step_that_runs_finish_and_begins_no_other(running: Running) -> None:
    begun, go_on, finished = threading.Event(), threading.Event(), threading.Event()

    def long(_now: datetime) -> bool:
        begun.set()
        go_on.wait(20)
        finished.set()
        return True

    worker = Scripted(long, True)
    loop = running.start(worker)
    assert begun.wait(20)
    stopping = threading.Thread(target=loop.stop, args=(20,))
    stopping.start()
    go_on.set()
    stopping.join(20)
    assert finished.is_set()
    assert "scripted" not in {thread.name for thread in threading.enumerate()}
    assert len(worker.stepped_at) == 1


def test_stopping_does_not_wait_for_ever_for_a_step_that_hangs(running: Running) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hang(_now: datetime) -> bool:
        begun.set()
        return go_on.wait(20)

    loop = running.start(Scripted(hang))
    assert begun.wait(20)
    loop.stop(0.01)
    assert not go_on.is_set()
    go_on.set()


def test_stopping_what_never_started_is_fine(running: Running) -> None:
    Loop(Scripted(), running.clock, running.metrics).stop(1)
