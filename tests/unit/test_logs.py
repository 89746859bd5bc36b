"""Logs: one JSON object a line, the ids that are bound, and no value that a traceback's frames held."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import structlog

from triaged import logs


class Lines(StringIO):
    """Standard error as a file, or as a terminal."""

    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture(autouse=True)
def _former_ids() -> Iterator[None]:
    """Leave no id bound."""
    yield
    structlog.contextvars.clear_contextvars()


def set_up(monkeypatch: pytest.MonkeyPatch, *, terminal: bool = False, level: str = "info") -> Lines:
    lines = Lines(terminal=terminal)
    monkeypatch.setattr(sys, "stderr", lines)
    logs.set_up(level=level)
    return lines


def fail_with(password: str) -> None:
    """A bug in a frame that holds a secret."""
    raise KeyError(len(password))


def test_every_line_is_one_json_object_with_level_logger_and_an_instant_in_utc(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = set_up(monkeypatch)
    structlog.get_logger("triaged.app").info("rules in force", hash="abc", text="two\nlines", count=3)
    (line,) = lines.objects
    at = datetime.fromisoformat(line.pop("timestamp"))
    assert at.utcoffset() == timedelta()
    assert line == {
        "event": "rules in force",
        "hash": "abc",
        "text": "two\nlines",
        "count": 3,
        "level": "info",
        "logger": "triaged.app",
    }


def test_bound_ids_are_in_every_line_until_they_are_unbound(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = set_up(monkeypatch)
    log = structlog.get_logger("triaged.intake")
    with structlog.contextvars.bound_contextvars(incident="INC-7", delivery="d-1"):
        log.info("inside")
        logging.getLogger("somebody.else").warning("inside, %s", "too")
    log.info("outside")
    inside, foreign, outside = lines.objects
    assert (inside["incident"], inside["delivery"]) == ("INC-7", "d-1")
    assert (foreign["incident"], foreign["delivery"]) == ("INC-7", "d-1")
    assert (foreign["event"], foreign["logger"], foreign["level"]) == ("inside, too", "somebody.else", "warning")
    assert "incident" not in outside


def test_a_traceback_is_part_of_its_line_without_the_values_of_its_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = set_up(monkeypatch)
    secret = "hunter" + str(len("ab"))
    try:
        fail_with(secret)
    except KeyError:
        structlog.get_logger("triaged.workers").exception("step failed", worker="publish")
        logging.getLogger("uvicorn.error").exception("in the server")
    ours, theirs = lines.objects
    for line in (ours, theirs):
        assert "fail_with(secret)" in line["exception"]
        assert "KeyError: 7" in line["exception"]
    assert "hunter2" not in lines.getvalue()


def test_a_traceback_on_a_terminal_shows_no_values_of_its_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = set_up(monkeypatch, terminal=True)
    secret = "hunter" + str(len("ab"))
    try:
        fail_with(secret)
    except KeyError:
        structlog.get_logger("triaged.workers").exception("step failed", worker="publish")
    text = lines.getvalue()
    assert "step failed" in text
    assert "KeyError: 7" in text
    assert "hunter2" not in text


def test_what_json_does_not_know_does_not_cost_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = set_up(monkeypatch)
    structlog.get_logger("triaged").info("odd", span=timedelta(minutes=1), word="\ud800")
    (line,) = lines.objects
    assert "60" in line["span"]


@pytest.mark.parametrize(
    ("level", "seen"), [("debug", ["a", "b", "c"]), ("info", ["b", "c"]), ("WARNING", ["c"]), ("error", [])]
)
def test_lines_below_the_level_are_not_written(monkeypatch: pytest.MonkeyPatch, level: str, seen: list[str]) -> None:
    lines = set_up(monkeypatch, level=level)
    log = structlog.get_logger("triaged.x")
    log.debug("a")
    log.info("b")
    log.warning("c")
    assert [line["event"] for line in lines.objects] == seen


@pytest.mark.parametrize("name", ["httpx", "httpcore.connection", "alembic.runtime.migration", "uvicorn.access"])
def test_libraries_that_tell_of_every_request_are_heard_from_warning_on(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    lines = set_up(monkeypatch, level="debug")
    logging.getLogger(name).info("GET /")
    logging.getLogger(name).warning("refused")
    assert [line["event"] for line in lines.objects] == ["refused"]


def test_setting_up_twice_writes_every_line_once(monkeypatch: pytest.MonkeyPatch) -> None:
    set_up(monkeypatch)
    lines = set_up(monkeypatch)
    structlog.get_logger("triaged").info("once")
    assert len(lines.objects) == 1
