"""Death at every instant at which a problem is made and published; then a new daemon: one problem, one issue."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from dying import Fate, Killed, MortalBackend
from fakes.github import FakeGitHub
from triaged import defaults
from triaged.app import App
from triaged.clock import FakeClock
from triaged.core.events import CloseAsked, Record
from triaged.core.model import CloseReason
from triaged.core.problems import Problem
from triaged.ids import operation_id
from triaged.store import problems
from triaged.workers.problems import ProblemsWorker
from triaged.workers.publish import PublishWorker
from world import ANN, START, World, alert, settings_for, world

# Every line of it is measured elsewhere: to follow them costs as much time as the lives do.
pytestmark = pytest.mark.no_cover

RULES = """
matrix:
  extensive: [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate: [sev2, sev3, sev3, sev4]
  minor: [sev3, sev3, sev4, sev4]
default: {impact: moderate, urgency: high, category: error, team: platform}
key: [alertname, cluster]
problems: {same_key: {incidents: 2, within: 7d}}
rules: []
"""
EVERY = 6
# Who dies at the same place of each life gets nowhere.
MOST = 5
AGAIN = START + timedelta(hours=40)


def mortal(app: App, fate: Fate) -> None:
    """Put what notices and publishes problems into the hands of fate."""
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
    (noticing,) = (loop for loop in app.loops if isinstance(loop.worker, ProblemsWorker))
    rules = app.intake.rules.rule_set.problems
    noticing.worker = ProblemsWorker(lambda: rules, read=app.store.read, ask=fate.around(app.writer.ask))


def first(one: World) -> None:
    """An incident of two days ago."""
    one.deliver(alert())
    one.settle()
    one.deliver(alert(status="resolved", ends=one.clock.now()))
    one.act(1, CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record()))
    one.advance(timedelta(minutes=2))
    one.clock.move_to(AGAIN)


def second(one: World) -> None:
    """The one that makes it a problem, told twice where somebody died of it."""
    one.deliver(alert(starts=AGAIN))
    one.advance(timedelta(minutes=4))


def found(one: World) -> list[Problem]:
    with one.app.store.read() as reader:
        rows = problems.listed(reader.connection, state=None, team=None, before=None, limit=9)
    return [row.problem for row in rows]


@pytest.mark.parametrize("kill_at", range(1, EVERY + 1))
def test_death_at_any_instant_leaves_one_problem_with_one_issue(tmp_path: Path, kill_at: int) -> None:
    clock, fate, deaths = FakeClock(START), Fate(kill_at, every=EVERY), 0
    with FakeGitHub(now=clock.now) as github:
        rules = tmp_path / "rules"
        rules.mkdir()
        (rules / "triage.yaml").write_text(RULES)
        for name in ("severities.yaml", "calendars.yaml"):
            (rules / name).write_text((defaults.RULES / name).read_text())
        settings = settings_for(tmp_path, github).model_copy(update={"rules": rules})
        with world(settings, clock) as one:
            first(one)
        lives = True
        while lives:
            with world(settings, clock) as one:
                if deaths < MOST:
                    mortal(one.app, fate)
                try:
                    second(one)
                    lives = False
                except Killed:
                    deaths += 1
        with world(settings, clock) as one:
            (problem,) = found(one)
            told = [one.timeline(number).count(f"part of problem {problem.name}") for number in (1, 2)]
        # To count, to create the issues of the second incident and of the problem, to update that of the first.
        assert deaths >= 2
        assert (problem.incidents, told) == (2, [1, 1])
        titles = [issue.title for issue in github.issues]
        assert sorted(title.split()[0] for title in titles) == ["INC-1", "INC-2", problem.name]
        bodies = {issue.title.split()[0]: issue.body or "" for issue in github.issues}
        assert all(f"[INC-{number}](" in bodies[problem.name] for number in (1, 2))
        assert all(problem.name in bodies[f"INC-{number}"] for number in (1, 2))
