"""A change whose answer was lost may come ten seconds late: it undoes no later one, and passes for nobody's act."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dying import Fate, Killed
from fakes.github import FakeGitHub, LateCommit
from faulting import mortal, template
from triaged.clock import FakeClock
from triaged.config import Settings
from triaged.core.events import CloseAsked, Record, ReopenAsked
from triaged.core.model import CloseReason, State
from world import ANN, START, World, alert, settings_for, world

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
LATE = LateCommit(timedelta(seconds=10))


@pytest.fixture(scope="module")
def like(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("late") / "template")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def github(clock: FakeClock) -> Iterator[FakeGitHub]:
    with FakeGitHub(now=clock.now, oracle=False) as fake:
        yield fake


@pytest.fixture
def settings(tmp_path: Path, like: Path, github: FakeGitHub) -> Settings:
    folder = tmp_path / "daemon"
    shutil.copytree(like, folder)
    return settings_for(folder, github).model_copy(update={"rules": folder / "rules"})


@pytest.fixture
def daemon(settings: Settings, clock: FakeClock) -> Iterator[World]:
    with world(settings, clock) as one:
        one.deliver(alert())
        one.advance(MINUTE)
        yield one


def more(daemon: World, pod: str) -> None:
    daemon.deliver(alert(labels={"pod": pod}))


def close(daemon: World) -> None:
    daemon.act(1, CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record()))


def reopen(daemon: World) -> None:
    daemon.act(1, ReopenAsked(actor=ANN, reason="It is not over."))


def test_a_late_change_does_not_undo_what_was_written_meanwhile(daemon: World, github: FakeGitHub) -> None:
    github.fail("update_issue", LATE)
    more(daemon, "the-second")
    daemon.advance(3 * SECOND)
    more(daemon, "the-third")
    daemon.advance(MINUTE)
    body = github.issue(1).body or ""
    assert "the-second" in body
    assert "the-third" in body
    (lost,) = (request for request in github.requests_of("update_issue") if request.status is None)
    then = next(request for request in github.requests_of("update_issue") if request.at > lost.at)
    assert then.at - lost.at >= timedelta(seconds=12)
    assert then.at - lost.at <= timedelta(seconds=20)


def test_what_has_become_again_as_it_was_written_last_is_written_all_the_same(
    daemon: World, github: FakeGitHub
) -> None:
    """The change that was lost stands there by then."""
    with daemon.app.store.read() as reader:
        before = daemon.app.render(reader, 1)
    github.fail("update_issue", LATE)
    more(daemon, "the-second")
    daemon.advance(3 * SECOND)
    daemon.app.publish.worker._render = lambda *_: before  # type: ignore[attr-defined]
    daemon.advance(MINUTE)
    assert before is not None
    assert "the-second" not in (github.issue(1).body or "")


@pytest.mark.parametrize(("first", "then", "state"), [(close, reopen, "open"), (reopen, close, "closed")])
def test_a_late_close_is_no_person_s_close(
    daemon: World,
    github: FakeGitHub,
    first: Callable[[World], None],
    then: Callable[[World], None],
    state: str,
) -> None:
    if first is reopen:
        close(daemon)
        daemon.advance(MINUTE)
    github.fail("update_issue", LATE)
    first(daemon)
    daemon.advance(3 * SECOND)
    then(daemon)
    daemon.app._hint("acme/incidents", 1)
    daemon.advance(timedelta(minutes=3))
    (incident,) = daemon.incidents()
    assert github.issue(1).state == state
    assert (incident.state is State.CLOSED) == (state == "closed")
    assert incident.round == 2
    daemon.app._hint("acme/incidents", 1)
    daemon.advance(MINUTE)
    assert (daemon.incidents(), github.issue(1).state) == ([incident], state)


def test_a_person_s_close_while_a_change_is_in_doubt_is_theirs(daemon: World, github: FakeGitHub) -> None:
    github.fail("update_issue", LATE)
    more(daemon, "the-second")
    daemon.advance(3 * SECOND)
    github.person("ann").close(1, "not_planned")
    daemon.advance(2 * MINUTE)
    (incident,) = daemon.incidents()
    assert (incident.state, incident.closed_by, github.issue(1).state) == (State.CLOSED, "ann", "closed")


def test_after_a_death_nothing_is_written_before_what_was_sent_can_come_no_more(
    settings: Settings, clock: FakeClock, github: FakeGitHub
) -> None:
    with world(settings, clock) as one:
        one.deliver(alert())
        one.advance(MINUTE)
        github.fail("update_issue", LATE)
        # The commit of the claim, the request for the issue in four instants, then the one that changes it.
        mortal(one.app, Fate(2 + 4 + 2))
        more(one, "the-second")
        with pytest.raises(Killed):
            one.advance(MINUTE)
    assert [request.status for request in github.requests_of("update_issue")][-1] is None, "it died in the midst of it"
    died_at = clock.now()
    with world(settings, clock) as one:
        more(one, "the-third")
        one.advance(MINUTE)
        written = [request.at for request in github.requests_of("update_issue") if request.at > died_at]
        assert written
        assert written[0] - died_at >= timedelta(seconds=12)
        assert "the-third" in (github.issue(1).body or "")
