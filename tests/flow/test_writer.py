"""The writer thread: one queue, one transaction for all that waits, an answer for everybody."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import pytest
import structlog

import building
from triaged import rulefiles
from triaged.app import rules_of
from triaged.clock import FakeClock
from triaged.errors import StoreError
from triaged.intake import writer as module
from triaged.intake.intake import Intake
from triaged.intake.known import Known
from triaged.intake.units import Answer, Delivery, Job, Unit
from triaged.intake.writer import Writer
from triaged.metrics import Metrics
from triaged.sources import alertmanager
from triaged.store.store import Store
from waiting import wait_until
from world import START, alert, body

SECONDS = 20


class Gated(Intake):
    """An intake that tells which batches it was given; while the gate is shut, each waits before it is processed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.gate = threading.Event()
        self.gate.set()
        self.reached = threading.Event()
        self.batches: list[int] = []
        self.fails = False

    def process(self, units: Sequence[Unit], now: datetime) -> list[Answer]:
        self.batches.append(len(units))
        self.reached.set()
        assert self.gate.wait(SECONDS)
        if self.fails:
            raise SystemError("the disk caught fire")
        return super().process(units, now)


class Replies:
    """Collects answers as they come."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.threads: set[str] = set()

    def __call__(self, answer: Answer) -> None:
        self.answers.append(answer)
        self.threads.add(threading.current_thread().name)

    def wait(self, number: int) -> list[int]:
        """The statuses of that many answers."""
        wait_until(lambda: len(self.answers) >= number, seconds=SECONDS, what=f"{number} answers")
        return [answer.status for answer in self.answers]


class Desk:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.deaths: list[str] = []
        self.intake = Gated(
            store,
            rules_of(building.rule_files()),
            readers={"alertmanager": alertmanager.read},
            read_policy=rulefiles.read_policy,
            known=Known(),
            metrics=Metrics(),
        )
        self.writer = Writer(self.intake, FakeClock(START), died=lambda: self.deaths.append("died"))
        self.replies = Replies()

    def submit(self, unit: Unit | None = None) -> bool:
        return self.writer.submit(unit or Job(run=lambda _transaction, _now: None), self.replies)

    def hold(self) -> None:
        """Keep the writer busy with one job until the gate opens; everything submitted meanwhile waits."""
        self.intake.gate.clear()
        self.intake.reached.clear()
        assert self.submit()
        assert self.intake.reached.wait(SECONDS)
        self.intake.batches.clear()

    def let_go(self) -> None:
        self.intake.gate.set()


@pytest.fixture(params=["sqlite"])
def store_url(request: pytest.FixtureRequest, new_store: Callable[[str], str]) -> str:
    return new_store(request.param)


@pytest.fixture
def desk(store: Store) -> Iterator[Desk]:
    """A started writer; its thread has ended afterwards."""
    with structlog.testing.capture_logs():
        made = Desk(store)
        made.writer.start()
        made.intake.batches.clear()
        yield made
        made.let_go()
        made.writer.close()


def delivery(name: str = "HighErrorRate") -> Delivery:
    return Delivery(id="d", source="alertmanager", body=body([alert(name)]))


def incidents(store: Store) -> int:
    with store.read() as reader:
        return int(reader.connection.exec_driver_sql("SELECT count(*) FROM incidents").scalar_one())


def test_an_answer_comes_after_the_commit_and_from_the_writer_s_thread(desk: Desk) -> None:
    seen: list[int] = []

    def reply(answer: Answer) -> None:
        seen.append(incidents(desk.store))
        desk.replies(answer)

    assert desk.writer.submit(delivery(), reply)
    assert desk.replies.wait(1) == [200]
    assert seen == [1]
    assert desk.replies.threads == {"writer"}


def test_nobody_is_answered_before_the_batch_is_committed(desk: Desk) -> None:
    desk.hold()
    desk.submit(delivery())
    assert desk.replies.answers == []
    assert incidents(desk.store) == 0
    desk.let_go()
    assert desk.replies.wait(2) == [200, 200]


def test_all_that_waits_goes_into_one_transaction_in_its_order(desk: Desk) -> None:
    order: list[int] = []
    desk.hold()

    def job(number: int) -> Job:
        return Job(run=lambda _transaction, _now: order.append(number))

    for number in range(100):
        desk.submit(job(number))
    assert desk.writer.depth == 100
    desk.let_go()
    desk.replies.wait(101)
    assert desk.intake.batches == [100]
    assert order == list(range(100))
    assert desk.writer.depth == 0


def test_the_writer_waits_a_moment_for_half_of_those_it_answered(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Senders who were answered together send again together: one commit for each half of them."""
    monkeypatch.setattr(module, "_LINGER_SECONDS", 10 * SECONDS)
    desk.hold()
    for _ in range(8):
        desk.submit()
    desk.let_go()
    desk.replies.wait(9)
    for _ in range(3):
        desk.submit()
    assert desk.intake.batches == [8]
    desk.submit()
    desk.replies.wait(13)
    assert desk.intake.batches == [8, 4]


def test_a_sender_alone_waits_for_nobody(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LINGER_SECONDS", 10 * SECONDS)
    for number in range(1, 4):
        desk.submit()
        desk.replies.wait(number)
    assert desk.intake.batches == [1, 1, 1]


def test_a_batch_has_a_bound_in_number_and_in_bytes(desk: Desk) -> None:
    desk.hold()
    for _ in range(module._MOST_AT_ONCE + 1):
        desk.submit()
    desk.let_go()
    desk.replies.wait(module._MOST_AT_ONCE + 2)
    assert desk.intake.batches == [module._MOST_AT_ONCE, 1]
    desk.hold()
    large = Delivery(id="d", source="alertmanager", body=b" " * (module._MOST_BYTES_AT_ONCE // 2) + body([]))
    for _ in range(3):
        desk.submit(large)
    desk.let_go()
    desk.replies.wait(module._MOST_AT_ONCE + 6)
    assert desk.intake.batches == [2, 1]


def test_a_full_queue_refuses_at_once_and_takes_again_when_there_is_room(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    desk.hold()
    assert [desk.submit() for _ in range(4)] == [True, True, True, False]
    answer = desk.writer.ask(Job(run=lambda _transaction, _now: None))
    assert (answer.status, "full or closing" in answer.error) == (503, True)
    desk.let_go()
    assert desk.replies.wait(4) == [200] * 4
    assert desk.writer.ask(Job(run=lambda _transaction, _now: 7)).value == 7


def test_closing_answers_all_that_waits_and_takes_nothing_more(desk: Desk) -> None:
    desk.hold()
    for number in range(10):
        desk.submit(delivery(f"A{number}"))
    closing = threading.Thread(target=desk.writer.close)
    closing.start()
    wait_until(lambda: not desk.submit(), what="the writer to take nothing more")
    taken = len(desk.intake.batches)
    desk.let_go()
    closing.join(SECONDS)
    assert not closing.is_alive()
    assert set(desk.replies.wait(11)) == {200}
    assert incidents(desk.store) == 10
    assert taken == 0
    assert not desk.submit()
    assert desk.deaths == []


def test_closing_a_writer_that_was_never_started_or_is_closed_does_nothing(store: Store) -> None:
    writer = Desk(store).writer
    writer.close()
    writer.close()
    assert not writer.submit(delivery(), lambda _answer: None)


def test_a_store_that_cannot_be_written_is_told_at_the_start(store: Store) -> None:
    store.close()
    unmigrated = Desk(Store("postgresql://nobody@/nothing?host=/nonexistent"))
    with structlog.testing.capture_logs(), pytest.raises(StoreError, match="the store cannot be written"):
        unmigrated.writer.start()
    unmigrated.writer.close()
    unmigrated.store.close()


def test_a_worker_s_job_gives_its_value_or_raises(desk: Desk) -> None:
    def broken(_transaction: Any, _now: datetime) -> None:
        raise ZeroDivisionError("a bug")

    assert desk.writer.run(lambda transaction, now: (transaction.next_id("incident"), now)) == (1, START)
    with pytest.raises(StoreError, match="ZeroDivisionError: a bug"):
        desk.writer.run(broken)
    assert desk.deaths == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dying_writer_answers_503_to_all_and_says_that_it_died(desk: Desk) -> None:
    desk.hold()
    for _ in range(5):
        desk.submit(delivery())
    desk.intake.fails = True
    desk.let_go()
    assert desk.replies.wait(6) == [503] * 6
    wait_until(lambda: desk.deaths, what="the death to be told")
    assert desk.deaths == ["died"]
    assert not desk.submit()
    assert desk.writer.ask(delivery()).status == 503
    assert incidents(desk.store) == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_many_threads_are_all_answered_once(desk: Desk) -> None:
    answers: list[int] = []

    def post(member: int) -> None:
        for number in range(20):
            answers.append(desk.writer.ask(delivery(f"A{number}")).status)  # noqa: PERF401 - one after the other
        assert member >= 0

    threads = [threading.Thread(target=post, args=(member,)) for member in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert answers == [200] * 160
    assert incidents(desk.store) == 20
