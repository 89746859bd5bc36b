"""The clocks: the machine's, the demo's that catches up, and the tests' own."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from triaged.clock import CatchingUpClock, Clock, FakeClock, SystemClock, seconds
from waiting import wait_until

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def test_the_machines_clock_gives_aware_instants_in_utc_that_never_go_back() -> None:
    clock = SystemClock()
    first, second = clock.now(), clock.now()
    assert first.tzinfo is UTC
    assert first <= second


@pytest.mark.parametrize("clock", [SystemClock(), CatchingUpClock(DAY, 100), CatchingUpClock(timedelta(), 100)])
def test_a_wait_ends_at_once_when_its_event_is_set_and_says_so(clock: Clock) -> None:
    event = threading.Event()
    event.set()
    before = seconds()
    assert clock.wait(event, DAY)
    assert seconds() - before < 5


@pytest.mark.parametrize("clock", [SystemClock(), CatchingUpClock(DAY, 100), CatchingUpClock(timedelta(), 100)])
def test_a_wait_for_what_has_passed_is_no_wait(clock: Clock) -> None:
    before = seconds()
    assert not clock.wait(threading.Event(), -DAY)
    assert seconds() - before < 5


def test_a_wait_of_the_machines_clock_lasts_as_long_as_it_was_asked_to() -> None:
    before = seconds()
    assert not SystemClock().wait(threading.Event(), timedelta(milliseconds=30))
    assert seconds() - before >= 0.025


def test_a_wait_ends_when_another_thread_sets_the_event() -> None:
    event = threading.Event()
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(SystemClock().wait(event, DAY)))
    waiting.start()
    event.set()
    waiting.join(20)
    assert answers == [True]


def test_a_clock_that_catches_up_starts_so_far_behind() -> None:
    machine = SystemClock()
    before = machine.now()
    now = CatchingUpClock(DAY, speed=2).now()
    assert before - DAY <= now <= machine.now() - DAY + SECOND * 2


def test_a_clock_that_catches_up_meets_the_machines_clock_and_then_is_it() -> None:
    machine = SystemClock()
    clock = CatchingUpClock(timedelta(hours=1), speed=36_000)
    assert clock.now() < machine.now() - timedelta(minutes=30)
    wait_until(lambda: machine.now() - clock.now() < timedelta(milliseconds=20), what="the clock to catch up")
    before = machine.now()
    now = clock.now()
    assert before <= now <= machine.now()


def test_a_clock_that_catches_up_is_never_ahead_and_never_goes_back() -> None:
    machine = SystemClock()
    clock = CatchingUpClock(timedelta(seconds=10), speed=200)
    last = clock.now()
    while machine.now() - last > timedelta(milliseconds=1):
        now = clock.now()
        assert last <= now <= machine.now()
        last = now


def test_an_hour_of_a_fast_clock_passes_fast() -> None:
    clock = CatchingUpClock(DAY, speed=360_000)
    before, real = clock.now(), seconds()
    assert not clock.wait(threading.Event(), timedelta(hours=1))
    assert clock.now() - before >= timedelta(minutes=59)
    assert seconds() - real < 5


def test_a_wait_over_the_instant_at_which_both_meet_lasts_the_rest_in_real_time() -> None:
    """An hour behind at 36,000 times the speed is made up in a tenth of a second; 50 ms are left."""
    clock = CatchingUpClock(timedelta(hours=1), speed=36_000)
    until = clock.now() + timedelta(hours=1, milliseconds=150)
    clock.wait(threading.Event(), until - clock.now())
    assert abs(clock.now() - until) < SECOND


def test_the_tests_clock_moves_only_when_told_and_by_waiting() -> None:
    clock = FakeClock(START)
    assert clock.now() == clock.now() == START
    clock.advance(SECOND)
    assert clock.now() == START + SECOND
    clock.move_to(START + DAY)
    assert not clock.wait(threading.Event(), SECOND)
    assert clock.now() == START + DAY + SECOND


def test_the_tests_clock_does_not_move_for_an_event_that_is_set() -> None:
    clock, event = FakeClock(START), threading.Event()
    event.set()
    assert clock.wait(event, DAY)
    assert clock.now() == START
