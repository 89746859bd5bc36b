"""Death at every instant of publishing: before and after each commit and each request; then a new daemon."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from dying import Fate, Killed, MortalBackend
from fakes.github import FakeGitHub
from triaged import defaults
from triaged.app import App
from triaged.clock import FakeClock
from triaged.core.model import State
from triaged.ids import operation_id
from triaged.store import queue
from triaged.workers.publish import PublishWorker
from world import START, World, alert, settings_for, world

# Every line of it is measured elsewhere: to follow them costs as much time as the lives do.
pytestmark = pytest.mark.no_cover

WARNING = {"severity": "warning"}
# A daemon is started for each instant of death: the shipped rules would be most of the time.
RULES = """
matrix:
  extensive: [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate: [sev2, sev3, sev3, sev4]
  minor: [sev3, sev3, sev4, sev4]
default: {impact: moderate, urgency: high, category: error, team: platform}
key: [alertname, cluster]
rules: []
"""


def mortal(app: App, fate: Fate) -> None:
    """Put the publishing of this daemon into the hands of fate."""
    app.publish.worker = PublishWorker(
        MortalBackend(app.backend, fate),
        read=app.store.read,
        run=fate.around(app.writer.run),
        render=app.render,
        mentions=app.mentions,
        clock=app.clock,
        operation_id=operation_id,
        interval=timedelta(seconds=10),
    )


def live(one: World, *, already_resolved: bool) -> None:
    """A warning that comes, grows by a pod, goes and is closed by the daemon."""
    one.deliver(alert(labels=WARNING))
    one.advance(timedelta(minutes=5))
    one.deliver(alert(labels={**WARNING, "pod": "b"}))
    one.advance(timedelta(minutes=5))
    if not already_resolved:
        end = one.clock.now()
        one.deliver(
            alert(status="resolved", labels=WARNING, ends=end),
            alert(status="resolved", labels={**WARNING, "pod": "b"}, ends=end),
        )
    one.advance(timedelta(hours=1))


@pytest.mark.parametrize("lag", [timedelta(), timedelta(seconds=60)])
def test_death_at_any_instant_leaves_one_issue_and_each_comment_once(tmp_path: Path, lag: timedelta) -> None:
    kill_at, died = 0, True
    while died:
        kill_at += 1
        died = _one_life(tmp_path / f"{kill_at}", kill_at, lag)
    # Create, two or three updates, a comment, each with claim, request and record.
    assert kill_at > 20


def _one_life(folder: Path, kill_at: int, lag: timedelta) -> bool:
    """Whether the daemon was killed at that instant; asserts that nothing came of it."""
    rules = folder / "rules"
    rules.mkdir(parents=True)
    clock = FakeClock(START)
    # A lag changes what GitHub answers and not what is asked: once is enough to hold it against GitHub's description.
    with FakeGitHub(now=clock.now, oracle=not lag) as github:
        github.list_lag = lag
        (rules / "triage.yaml").write_text(RULES)
        for name in ("severities.yaml", "calendars.yaml"):
            (rules / name).write_text((defaults.RULES / name).read_text())
        settings = settings_for(folder, github).model_copy(update={"rules": rules})
        fate = Fate(kill_at)
        died = False
        with world(settings, clock) as one:
            mortal(one.app, fate)
            try:
                live(one, already_resolved=False)
            except Killed:
                died = True
            found = one.incidents()
        if died:
            with world(settings, clock) as one:
                live(one, already_resolved=False)
                found = one.incidents()
        (incident,) = found
        (issue,) = github.issues
        where = f"killed at instant {kill_at}"
        assert incident.state is State.CLOSED, where
        assert (issue.state, issue.state_reason) == ("closed", "completed"), where
        bodies = [comment.body.partition("\n")[2] for comment in github.comments(issue.number)]
        assert len(bodies) == len(set(bodies)), where
        assert sum("Resolved." in body for body in bodies) == incident.round, where
    return died


def test_what_was_claimed_and_never_sent_is_sent_by_the_next_daemon_at_once(tmp_path: Path) -> None:
    clock = FakeClock(START)
    settings = settings_for(tmp_path)
    with world(settings, clock) as one:
        one.deliver(alert())
        with one.app.store.read() as reader:
            (waiting,) = queue.front(reader.connection, clock.now())
        one.app.publish.worker._claim(queue.claim_publication, waiting.id, clock.now())  # type: ignore[attr-defined]
    with world(settings, clock) as one:
        one.settle()
        (row,) = one.rows()
        assert row.address is not None
