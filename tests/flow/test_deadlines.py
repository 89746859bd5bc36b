"""Deadlines act exactly once, whatever happens to process, machine and clock: the real worker on a real store.

The clock of a machine is two: the wall clock, which may jump, and the one that waits, which may stand still.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from migrated import lay_store
from triaged import rulefiles
from triaged.app import rules_of
from triaged.clock import FakeClock
from triaged.core.events import Acknowledged, PauseAsked
from triaged.core.model import Deadline, DeadlineKind, Incident, Outcome, State
from triaged.errors import StoreError
from triaged.intake.intake import Intake
from triaged.intake.known import Known
from triaged.intake.units import Answer, Ask, Delivery, Passed, Unit
from triaged.metrics import Metrics
from triaged.sources import alertmanager
from triaged.store.store import Store
from triaged.workers.deadlines import DeadlinesWorker
from triaged.workers.loop import LONGEST_WAIT, Loop
from waiting import wait_until
from web_desk import RULES, START
from world import ANN

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
OBJECTIVES = ("response objective", "resolution objective")


class Daemon:
    """Intake, store and the deadlines worker of one process; `restart` is another process on the same store."""

    def __init__(self, folder: Path, clock: FakeClock) -> None:
        self.clock = clock
        self.folder = folder
        self.broken: set[tuple[int, DeadlineKind]] = set()
        self.unavailable = False
        self.asked: list[Deadline] = []
        self._begin()

    def _begin(self) -> None:
        lay_store(self.folder / "triaged.db")
        self.store = Store(f"sqlite:///{self.folder}/triaged.db", replica="one")
        self._intake = Intake(
            self.store,
            rules_of(rulefiles.read(RULES)),
            readers={"alertmanager": alertmanager.read},
            read_policy=rulefiles.read_policy,
            known=Known(),
            metrics=Metrics(),
        )
        self.worker = DeadlinesWorker(self.store.read, self.ask)

    def restart(self) -> None:
        self.store.close()
        self._begin()

    def ask(self, unit: Unit) -> Answer:
        """As the writer answers; `broken` are deadlines that a bug hinders, `unavailable` is a full disk."""
        if self.unavailable:
            return Answer(status=503, error="disk full")
        if isinstance(unit, Passed):
            self.asked.append(unit.deadline)
            if (unit.deadline.incident_id, unit.deadline.kind) in self.broken:
                return Answer(status=500, error="a bug")
        (answer,) = self._intake.process([unit], self.clock.now())
        return answer

    # ---- what happens

    def fire(self, name: str = "Down", **labels: str) -> None:
        self._deliver({"status": "firing", "labels": {"alertname": name, **labels}})

    def resolve(self, name: str = "Down", **labels: str) -> None:
        self._deliver({"status": "resolved", "labels": {"alertname": name, **labels}})

    def _deliver(self, alert: Mapping[str, object]) -> None:
        now = self.clock.now().isoformat()
        body = json.dumps({"version": "4", "alerts": [{"startsAt": START.isoformat(), **alert, "endsAt": now}]})
        answer = self.ask(Delivery(id="d", source="alertmanager", body=body.encode()))
        assert answer.status == 200, answer.error

    def steps(self) -> None:
        """The worker, as often as there is something to do."""
        while self.worker.step(self.clock.now()):
            pass

    def live(self, span: timedelta) -> None:
        """Time passes; the worker steps at the instants that it asked for, five seconds apart at most."""
        until = self.clock.now() + span
        self.steps()
        while self.clock.now() < until:
            next_at = self.worker.next_at(self.clock.now()) or until
            self.clock.move_to(min(max(next_at, self.clock.now()), until))
            self.steps()

    # ---- what is to be seen

    def incident(self, number: int = 1) -> Incident:
        with self.store.read() as reader:
            row = reader.incident(number)
        assert row is not None
        return row.incident

    def told(self, number: int = 1, *only: str) -> list[str]:
        """What the timeline tells, oldest first: all, or what begins with one of these words."""
        with self.store.read() as reader:
            entries = reader.timeline(number, 1_000)
        return [entry.text for entry in entries if not only or entry.text.startswith(only)]

    def totals(self) -> Counter[str]:
        with self.store.read() as reader:
            rows = reader.connection.exec_driver_sql(
                "SELECT metric, labels, value FROM totals WHERE metric LIKE 'sla_%'"
            )
            return Counter({f"{name} {json.loads(labels)['objective']}": int(value) for name, labels, value in rows})

    def overdue(self) -> int:
        with self.store.read() as reader:
            return reader.gauges(self.clock.now()).overdue


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    one = Daemon(tmp_path, FakeClock(START))
    yield one
    one.store.close()


ONCE = [
    "response objective at risk, due 2026-11-23 08:15 UTC",
    "response objective breached, due 2026-11-23 08:15 UTC",
    "resolution objective at risk, due 2026-11-23 12:00 UTC",
    "resolution objective breached, due 2026-11-23 12:00 UTC",
]


def without_lateness(told: list[str]) -> list[str]:
    return [text.partition(" (acted")[0] for text in told]


# ---- in time


def test_each_deadline_acts_once_at_its_instant(daemon: Daemon) -> None:
    daemon.fire(grave="1")
    daemon.live(DAY)
    assert daemon.told(1, *OBJECTIVES) == ONCE
    assert daemon.totals() == {"sla_breached_total response": 1, "sla_breached_total resolution": 1}


def test_the_worker_asks_to_be_called_when_the_next_deadline_is_due_and_not_without_one(daemon: Daemon) -> None:
    assert daemon.worker.next_at(START) is None
    daemon.fire(grave="4")
    with daemon.store.read() as reader:
        first = reader.next_due()
    assert first is not None
    assert daemon.worker.next_at(START) == first.due_at
    assert not daemon.worker.step(first.due_at - timedelta(microseconds=1))
    assert daemon.asked == []


# ---- restarts and downtime


def test_a_restart_at_any_moment_makes_no_deadline_act_twice(daemon: Daemon) -> None:
    daemon.fire(grave="1")
    for _ in range(30):
        daemon.live(10 * MINUTE)
        daemon.restart()
    assert daemon.told(1, *OBJECTIVES) == ONCE
    assert daemon.totals() == {"sla_breached_total response": 1, "sla_breached_total resolution": 1}


def test_after_a_downtime_over_several_deadlines_each_acts_at_once_in_order_and_says_by_how_much_it_is_late(
    daemon: Daemon,
) -> None:
    daemon.fire(grave="1")
    daemon.clock.advance(5 * HOUR)
    daemon.restart()
    daemon.steps()
    assert daemon.told(1, *OBJECTIVES) == [
        f"{ONCE[0]} (acted 4 h 48 min late)",
        f"{ONCE[1]} (acted 4 h 45 min late)",
        f"{ONCE[2]} (acted 2 h late)",
        f"{ONCE[3]} (acted 1 h late)",
    ]
    assert daemon.overdue() == 0
    daemon.live(DAY)
    assert without_lateness(daemon.told(1, *OBJECTIVES)) == ONCE


def test_a_downtime_over_pause_and_what_was_left_after_it_counts_the_pause_to_its_own_end(daemon: Daemon) -> None:
    daemon.fire(grave="1")
    daemon.ask(Ask(incident_id=1, act=Acknowledged(actor=ANN, lasting=DAY)))
    daemon.clock.advance(HOUR)
    pause = PauseAsked(actor=ANN, reason="the vendor looks", lasting=2 * HOUR)
    assert daemon.ask(Ask(incident_id=1, act=pause)).status == 200
    daemon.clock.advance(9 * HOUR)
    daemon.restart()
    daemon.steps()
    assert daemon.told(1, "the pause", *OBJECTIVES)[1:] == [
        "the pause ended: its time is over; due 2026-11-23 14:00 UTC (acted 7 h late)",
        "resolution objective at risk, due 2026-11-23 14:00 UTC (acted 5 h late)",
        "resolution objective breached, due 2026-11-23 14:00 UTC (acted 4 h late)",
    ]


def test_what_ended_before_its_deadlines_passed_in_a_downtime_breaches_nothing(daemon: Daemon) -> None:
    daemon.fire(grave="1")
    daemon.clock.advance(5 * MINUTE)
    daemon.resolve(grave="1")
    daemon.clock.advance(DAY)
    daemon.restart()
    daemon.steps()
    incident = daemon.incident()
    assert (incident.state, incident.resolution_outcome) == (State.RESOLVED, Outcome.MET)
    assert daemon.told(1, "resolved", *OBJECTIVES) == [
        "response objective not required, due 2026-11-23 08:15 UTC",
        "resolution objective met, due 2026-11-23 12:00 UTC",
        "resolved: quiet since 2026-11-23 08:05 UTC, after 5 min (acted 23 h 30 min late)",
    ]


def test_a_deadline_that_two_workers_found_at_once_acts_once(daemon: Daemon) -> None:
    daemon.fire(grave="1")
    daemon.clock.advance(HOUR)
    with daemon.store.read() as reader:
        found = reader.due(daemon.clock.now(), 10)
    assert found
    for deadline in [*found, *found]:
        assert daemon.ask(Passed(deadline=deadline)).status == 200
    assert without_lateness(daemon.told(1, *OBJECTIVES)) == ONCE[:2]


# ---- clocks that jump


@pytest.mark.parametrize("jump", [timedelta(minutes=13), HOUR, 6 * HOUR, 400 * DAY])
def test_a_clock_that_jumps_forwards_makes_all_that_is_due_act_once(daemon: Daemon, jump: timedelta) -> None:
    daemon.fire(grave="1")
    daemon.live(MINUTE)
    daemon.clock.advance(jump)
    daemon.live(DAY)
    assert without_lateness(daemon.told(1, *OBJECTIVES)) == ONCE
    assert daemon.totals() == {"sla_breached_total response": 1, "sla_breached_total resolution": 1}


@pytest.mark.parametrize("back", [MINUTE, HOUR, 400 * DAY])
def test_a_clock_that_jumps_back_undoes_nothing_and_makes_nothing_act_again(daemon: Daemon, back: timedelta) -> None:
    daemon.fire(grave="1")
    daemon.live(20 * MINUTE)
    assert daemon.told(1, *OBJECTIVES) == ONCE[:2]
    daemon.clock.advance(-back)
    daemon.steps()
    assert daemon.told(1, *OBJECTIVES) == ONCE[:2]
    daemon.clock.advance(back)
    daemon.live(DAY)
    assert daemon.told(1, *OBJECTIVES) == ONCE
    assert daemon.overdue() == 0


def test_a_clock_that_was_ahead_for_a_moment_leaves_what_acted_then_as_it_was(daemon: Daemon) -> None:
    """An outcome is final: nobody can tell afterwards which of two clocks was right."""
    daemon.fire(grave="1")
    daemon.clock.advance(HOUR)
    daemon.steps()
    daemon.clock.advance(-HOUR)
    daemon.live(2 * HOUR)
    assert without_lateness(daemon.told(1, *OBJECTIVES)) == ONCE[:2]


class Machine(FakeClock):
    """A machine that is suspended in a wait, or whose clock is set in it: the wall clock moves by more than was waited.

    `jumps` are by how much, one for each wait; the wait after the last lasts until the event is set. `waits` are the
    spans asked for: what a timer that stands still while the machine sleeps would still have to wait.
    """

    def __init__(self, *jumps: timedelta) -> None:
        super().__init__(START)
        self.jumps = list(jumps)
        self.waits: list[timedelta] = []

    def wait(self, event: threading.Event, span: timedelta) -> bool:
        if span < timedelta(seconds=1):
            return event.is_set()
        self.waits.append(span)
        if not self.jumps:
            return event.wait(60)
        self.advance(span + self.jumps.pop(0))
        return event.is_set()


def run(folder: Path, machine: Machine) -> tuple[list[str], list[timedelta]]:
    """The worker in its real loop, on a thread; what was told of objectives once the machine's waits are over."""
    waits = len(machine.jumps) + 1
    one = Daemon(folder, machine)
    one.fire(grave="1")
    loop = Loop(one.worker, machine, Metrics())
    loop.start()
    wait_until(lambda: len(machine.waits) >= waits, what="the waits of the loop")
    loop.stop(20)
    told = one.told(1, *OBJECTIVES)
    one.store.close()
    return told, machine.waits


def test_a_machine_that_was_suspended_acts_within_a_few_seconds_of_its_waking(tmp_path: Path) -> None:
    """What waits stands still while the machine sleeps: so no wait may be long."""
    told, waits = run(tmp_path, Machine(timedelta(), 2 * HOUR, timedelta()))
    assert told == [f"{ONCE[0]} (acted 1 h 48 min late)", f"{ONCE[1]} (acted 1 h 45 min late)"]
    assert max(waits) <= LONGEST_WAIT


def test_a_machine_whose_clock_is_set_back_in_a_wait_waits_no_longer_for_it(tmp_path: Path) -> None:
    told, waits = run(tmp_path, Machine(20 * MINUTE, -HOUR, timedelta(), HOUR, timedelta()))
    assert without_lateness(told) == ONCE[:2]
    assert max(waits) <= LONGEST_WAIT


# ---- the dead man's switch


def test_in_a_healthy_daemon_no_deadline_is_ever_overdue(daemon: Daemon) -> None:
    for n in range(4):
        daemon.fire(f"Down{n}", grave="1")
        daemon.live(7 * MINUTE)
        assert daemon.overdue() == 0
    for _ in range(60):
        daemon.live(10 * MINUTE)
        assert daemon.overdue() == 0


def test_a_worker_that_is_stuck_is_seen_by_what_is_overdue_for_a_minute(daemon: Daemon) -> None:
    daemon.fire("One", grave="4")
    with daemon.store.read() as reader:
        first = reader.next_due()
    assert first is not None
    daemon.clock.move_to(first.due_at + MINUTE)
    assert daemon.overdue() == 0
    daemon.clock.advance(timedelta(microseconds=1))
    assert daemon.overdue() == 1
    daemon.clock.advance(30 * DAY)
    stuck = daemon.overdue()
    assert stuck > 1
    daemon.steps()
    assert daemon.overdue() == 0


def test_a_deadline_that_a_bug_hinders_stays_overdue_and_does_not_hinder_the_others(daemon: Daemon) -> None:
    daemon.fire("One", grave="1")
    daemon.fire("Two", grave="1")
    daemon.broken = {(1, DeadlineKind.RESPONSE)}
    daemon.clock.advance(30 * MINUTE)
    daemon.steps()
    assert daemon.overdue() == 1
    assert daemon.incident(1).response_outcome is None
    assert daemon.incident(2).response_outcome is Outcome.BREACHED
    # It is tried again in a while, not at once and not never.
    now = daemon.clock.now()
    assert not daemon.worker.step(now)
    assert daemon.worker.next_at(now) == now + timedelta(seconds=5)
    daemon.broken.clear()
    daemon.steps()
    assert (daemon.overdue(), daemon.incident(1).response_outcome) == (0, Outcome.BREACHED)


def test_while_nothing_can_be_stored_nothing_acts_and_afterwards_each_once(daemon: Daemon) -> None:
    daemon.fire(grave="1")
    daemon.clock.advance(30 * MINUTE)
    daemon.unavailable = True
    with pytest.raises(StoreError, match="disk full"):
        daemon.worker.step(daemon.clock.now())
    assert daemon.overdue() > 0
    daemon.unavailable = False
    daemon.steps()
    assert daemon.overdue() == 0
    assert without_lateness(daemon.told(1, *OBJECTIVES)) == ONCE[:2]


def test_a_paused_incident_is_not_overdue_however_long_it_is_paused(daemon: Daemon) -> None:
    daemon.fire(grave="1")
    daemon.ask(Ask(incident_id=1, act=Acknowledged(actor=ANN)))
    daemon.ask(Ask(incident_id=1, act=PauseAsked(actor=ANN, reason="the vendor looks", lasting=20 * DAY)))
    daemon.live(19 * DAY)
    assert daemon.overdue() == 0
    with daemon.store.read() as reader:
        assert [deadline.kind for deadline in reader.deadlines(1)] == [DeadlineKind.PAUSE]
        gauges = reader.gauges(daemon.clock.now())
    assert [key for key in gauges.next_deadline if key[1] == "resolution"] == []
