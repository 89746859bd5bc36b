"""What may go wrong with one write to GitHub, in every combination: a fault, a list that is behind, a death.

One life of the daemon in virtual time for each; a death is an exception at an instant of its work with GitHub: before
and after each commit, before each request, in the midst of its bytes, when its answer begins and in the midst of that.

    python -m faulting [OPERATION …]    every fault and lag, each with a death at every instant: an hour
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count, product
from pathlib import Path
from typing import Any, Final

import httpx

from dying import Fate, Killed
from fakes.github import FakeGitHub, Hang, LateCommit, LostAnswer, Reset, ServerError
from fakes.github.faults import Fault
from fakes.github.state import Issue
from triaged import defaults, logs
from triaged.app import App
from triaged.clock import FakeClock
from triaged.config import Settings
from triaged.core.events import CloseAsked, Record, Updated
from triaged.core.model import CloseReason, State
from triaged.ids import operation_id
from triaged.store import queue
from triaged.workers.publish import PublishWorker
from world import ANN, START, World, alert, settings_for, world

MINUTE = timedelta(minutes=1)
# Longer than the longest lag, the looks for what it hid, and the waits between them.
LONG_ENOUGH = timedelta(minutes=30)
# What hangs is given up after this many real seconds, where the daemon would wait for 15.
PATIENCE = 0.05
FAULTS: dict[str, Fault] = {
    "answer lost": LostAnswer(),
    "500": ServerError(status=500),
    "500 after the commit": ServerError(status=500, after_commit=True),
    "502": ServerError(status=502),
    "502 after the commit": ServerError(status=502, after_commit=True),
    "503": ServerError(status=503),
    "503 after the commit": ServerError(status=503, after_commit=True),
    "timeout before": Hang(),
    "timeout after the commit": Hang(after_commit=True),
    "late commit": LateCommit(timedelta(seconds=10)),
    "connection reset": Reset(),
}
LAGS = {"no lag": timedelta(), "60 s": timedelta(seconds=60), "10 min": timedelta(minutes=10)}
# Reading the shipped rules would be most of the time.
RULES: Final = """
matrix:
  extensive: [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate: [sev2, sev3, sev3, sev4]
  minor: [sev3, sev3, sev4, sev4]
default: {impact: moderate, urgency: high, category: error, team: platform}
key: [alertname, cluster]
rules: []
"""


def _first(one: World) -> None:
    one.deliver(alert())


def _comment(one: World) -> None:
    one.act(1, Updated(actor=ANN, text="We know more."))


def _update(one: World) -> None:
    one.deliver(alert(labels={"pod": "the-second"}))


def _close(one: World) -> None:
    one.act(1, CloseAsked(actor=ANN, reason=CloseReason.NOT_PLANNED, record=Record()))


# How the operations look on the wire, that meet a fault.
ON_THE_WIRE = {
    "create_issue": ("POST", "/issues"),
    "create_comment": ("POST", "/issues/1/comments"),
    "update_issue": ("PATCH", "/issues/1"),
}
# The operation of GitHub that the fault meets, and what makes the daemon want it.
OPERATIONS: dict[str, tuple[str, Callable[[World], None]]] = {
    "create": ("create_issue", _first),
    "comment": ("create_comment", _comment),
    "update": ("update_issue", _update),
    "close": ("update_issue", _close),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination; `name`s are keys of FAULTS, LAGS and OPERATIONS."""

    fault: str
    lag: str
    operation: str

    def __str__(self) -> str:
        return f"{self.operation} · {self.fault} · {self.lag}"


CELLS = tuple(Cell(*names) for names in product(FAULTS, LAGS, OPERATIONS))


class MortalWire(httpx.BaseTransport):
    """The connection to GitHub, with the instants of each request; what hangs there is soon given up."""

    def __init__(self, wire: httpx.BaseTransport, fate: Fate, hangs: str) -> None:
        self._wire = wire
        self._fate = fate
        self._method, self._path = ON_THE_WIRE.get(hangs, ("", ""))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._fate.instant()
        if request.method == self._method and request.url.path.endswith(self._path):
            self._method = ""
            request.extensions = {**request.extensions, "timeout": {"read": PATIENCE}}
        body = request.read()
        if body:
            request.stream = _Halves((body[: len(body) // 2], body[len(body) // 2 :]), self._fate)
        response = self._wire.handle_request(request)
        self._fate.instant()
        answer = response.read()
        response.close()
        halves = _Halves((answer[: len(answer) // 2], answer[len(answer) // 2 :]), self._fate)
        return httpx.Response(response.status_code, headers=response.headers, stream=halves)

    def close(self) -> None:
        self._wire.close()


class _Halves(httpx.SyncByteStream):
    def __init__(self, parts: tuple[bytes, bytes], fate: Fate) -> None:
        self._parts = parts
        self._fate = fate

    def __iter__(self) -> Iterator[bytes]:
        yield self._parts[0]
        self._fate.instant()
        yield self._parts[1]


def mortal(app: App, fate: Fate, *, hangs: str = "") -> None:
    """Put all that this daemon does with GitHub into the hands of fate; the first request of the operation hangs."""
    http: Any = app.backend._client._transport._http  # type: ignore[attr-defined]
    http._transport = MortalWire(http._transport, fate, hangs)
    app.publish.worker = PublishWorker(
        app.backend,
        read=app.store.read,
        run=fate.around(app.writer.run),
        render=app.render,
        mentions=app.mentions,
        clock=app.clock,
        operation_id=operation_id,
        interval=timedelta(seconds=10),
    )


def template(folder: Path) -> Path:
    """A folder with rules and an empty store, to be copied for each life."""
    rules = folder / "rules"
    rules.mkdir(parents=True)
    (rules / "triage.yaml").write_text(RULES)
    for name in ("severities.yaml", "calendars.yaml"):
        (rules / name).write_text((defaults.RULES / name).read_text())
    with world(_settings(folder, None), FakeClock(START)):
        pass
    return folder


def live(cell: Cell, like: Path, kill_at: int = 0) -> int:
    """One life; how many instants it had. AssertionError where anything is lost, twice or still waiting.

    `kill_at` is the instant of the daemon's death, 0 for none; it counts from when the operation is wanted.
    """
    operation, want = OPERATIONS[cell.operation]
    fault, lag, clock = FAULTS[cell.fault], LAGS[cell.lag], FakeClock(START)
    with tempfile.TemporaryDirectory(dir=like.parent) as name, FakeGitHub(now=clock.now, oracle=False) as github:
        shutil.copytree(like, name, dirs_exist_ok=True)
        settings, fate, died = _settings(Path(name), github), Fate(kill_at), False
        with world(settings, clock) as one:
            if cell.operation != "create":
                _first(one)
                one.advance(MINUTE)
            github.list_lag = lag
            github.fail(operation, fault)
            hangs = operation if isinstance(fault, Hang) else ""
            mortal(one.app, fate, hangs=hangs)
            want(one)
            try:
                one.advance(LONG_ENOUGH)
                _judge(cell, one, github)
            except Killed:
                died = True
        if died:
            with world(settings, clock) as one:
                mortal(one.app, Fate(0), hangs=hangs)
                one.advance(LONG_ENOUGH)
                _judge(cell, one, github)
    return fate.passed


def _judge(cell: Cell, one: World, github: FakeGitHub) -> None:
    (row,) = one.rows()
    assert row.address is not None, "no issue"
    assert row.failure == ""
    with one.app.store.read() as reader:
        assert not queue.front(reader.connection, one.clock.now() + timedelta(days=1)), "something still waits"
    true = github.issue(row.address.number)
    _judge_twins(cell, true, github)
    closed = cell.operation == "close"
    assert (row.incident.state is State.CLOSED) == closed
    assert (true.state, true.state_reason) == (("closed", "not_planned") if closed else ("open", None))
    if cell.operation == "update":
        assert "the-second" in (true.body or ""), "an update is lost"
    said = [
        comment.body.partition("\n")[2].strip() for issue in github.issues for comment in github.comments(issue.number)
    ]
    assert len(said) == len(set(said)), f"said twice: {said}"
    if cell.operation == "comment":
        assert sum("We know more" in text for text in said) == 1, f"not said: {said}"


def _judge_twins(cell: Cell, true: Issue, github: FakeGitHub) -> None:
    twins = [issue for issue in github.issues if issue.number != true.number]
    if cell.lag != "10 min":
        assert twins == [], "more than one issue"
    sent = {request.body["body"] for request in github.creates if isinstance(request.body, dict)}
    for twin in twins:
        assert (twin.state, twin.state_reason, twin.duplicate_of) == ("closed", "duplicate", true.id)
        assert twin.body in sent, "a twin's text was touched"


def _settings(folder: Path, github: FakeGitHub | None) -> Settings:
    # Not in one folder with the store: rules are read again when a file beside them changes.
    return settings_for(folder, github).model_copy(update={"rules": folder / "rules"})


def main(operations: Sequence[str]) -> int:
    logs.set_up(level="critical")
    failed = lives = 0
    with tempfile.TemporaryDirectory() as folder:
        like = template(Path(folder) / "template")
        for cell in (cell for cell in CELLS if not operations or cell.operation in operations):
            for kill_at in count():
                lives += 1
                try:
                    passed = live(cell, like, kill_at)
                except AssertionError as error:
                    failed += 1
                    sys.stdout.write(f"{cell} · killed at {kill_at}: {error}\n")
                    continue
                if 0 < passed < kill_at:
                    break
    sys.stdout.write(f"{lives} lives, {failed} failed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
