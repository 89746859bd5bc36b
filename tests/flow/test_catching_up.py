"""After a time away: what people did on issues counts before a deadline acts on what nobody knew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from fakes.github import FakeGitHub
from triaged.clock import FakeClock
from triaged.core.model import CloseReason, Outcome, State
from triaged.workers.catching_up import PATIENCE
from world import START, alert, polling, world

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def github(clock: FakeClock) -> Iterator[FakeGitHub]:
    with FakeGitHub(now=clock.now) as fake:
        yield fake


def test_a_close_that_was_made_in_time_is_seen_before_the_deadlines_that_passed_since(
    tmp_path: Path, clock: FakeClock, github: FakeGitHub
) -> None:
    settings = polling(tmp_path, github, "people: {ann: {github: ann-acme}, bob: {github: bob-acme}}\n")
    with world(settings, clock) as before:
        before.deliver(alert())
        before.advance(MINUTE)
    clock.move_to(START + 10 * MINUTE)
    github.person("bob").close(1)
    clock.move_to(START + 10 * HOUR)
    with world(settings, clock) as after:
        after.settle()
        (incident,) = after.incidents()
        assert (incident.state, incident.close_reason) == (State.CLOSED, CloseReason.COMPLETED)
        assert (incident.response_outcome, incident.resolution_outcome) == (Outcome.MET, Outcome.MET)
        assert not [text for text in after.timeline(1) if "breached" in text]
        assert not [comment for comment in github.comments(1) if "Escalated" in comment.body]


def test_an_acknowledgement_counts_from_its_comment(tmp_path: Path, clock: FakeClock, github: FakeGitHub) -> None:
    settings = polling(tmp_path, github, "people: {ann: {github: ann-acme}, bob: {github: bob-acme}}\n")
    with world(settings, clock) as before:
        before.deliver(alert())
        before.advance(MINUTE)
    clock.move_to(START + 10 * MINUTE)
    github.person("bob-acme").comment(1, "/ack 4h")
    clock.move_to(START + 2 * HOUR)
    with world(settings, clock) as after:
        after.settle()
        (incident,) = after.incidents()
        assert (incident.state, incident.acknowledged_by) == (State.ACKNOWLEDGED, "bob")
        assert incident.acknowledged_at == START + 10 * MINUTE
        assert incident.acknowledged_until == START + 4 * HOUR + 10 * MINUTE
        assert incident.response_outcome is Outcome.MET
        assert [comment.author.login for comment in github.comments(1)] == ["bob-acme"]


def test_where_the_backend_does_not_answer_whoever_has_to_be_called_is_called_within_a_minute(
    tmp_path: Path, clock: FakeClock, github: FakeGitHub
) -> None:
    settings = polling(tmp_path, github, "people: {ann: {github: ann-acme}, bob: {github: bob-acme}}\n")
    with world(settings, clock) as before:
        before.deliver(alert())
        before.advance(MINUTE)
    clock.move_to(START + 2 * HOUR)
    github.down()
    with world(settings, clock) as after:
        after.settle()
        (incident,) = after.incidents()
        after.advance(PATIENCE)
        (late,) = after.incidents()
    assert incident.response_outcome is None
    assert late.response_outcome is Outcome.BREACHED
    assert incident.state is late.state is State.OPEN
