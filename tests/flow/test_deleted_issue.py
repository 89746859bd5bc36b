"""Death at any instant between an issue's deletion and its successor: told once, and one successor."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from dying import Fate, Killed
from fakes.github import FakeGitHub
from faulting import mortal, template
from triaged.clock import FakeClock
from triaged.core.events import CloseAsked, Record, ReopenAsked, Updated
from triaged.core.model import CloseReason
from world import ANN, START, World, alert, settings_for, world

MINUTE = timedelta(minutes=1)
EVERY = 5


def life(folder: Path, *, kill_at: int) -> int:
    """One life in which the issue is deleted and the incident opened again; how many instants it had."""
    clock, fate = FakeClock(START), Fate(kill_at)
    with FakeGitHub(now=clock.now, oracle=False) as github:
        settings = settings_for(folder, github).model_copy(update={"rules": folder / "rules"})
        with world(settings, clock) as one:
            one.deliver(alert())
            one.advance(MINUTE)
            github.person("ann").delete_issue(1)
            mortal(one.app, fate)
            try:
                one.act(1, Updated(actor=ANN, text="It goes on."))
                one.advance(MINUTE)
            except Killed:
                pass
        with world(settings, clock) as one:
            one.advance(timedelta(minutes=3))
            one.act(1, CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record()))
            one.advance(MINUTE)
            mortal(one.app, fate)
            try:
                one.act(1, ReopenAsked(actor=ANN, reason="It is not over."))
                one.advance(MINUTE)
            except Killed:
                pass
        with world(settings, clock) as one:
            one.advance(timedelta(minutes=20))
            _judge(one, github, kill_at)
    return fate.passed


def _judge(one: World, github: FakeGitHub, kill_at: int) -> None:
    (row,) = one.rows()
    assert (row.failure, row.address and row.address.number) == ("", 2), kill_at
    assert [issue.number for issue in github.issues] == [2], kill_at
    told = [text for text in one.timeline(1) if "deleted" in text or "replaced" in text]
    assert ["was deleted" in text for text in told] == [True, False], (kill_at, told)
    said = [comment.body.partition("\n")[2] for comment in github.comments(2)]
    assert len(said) == len(set(said)), (kill_at, said)
    with one.app.store.read() as reader:
        assert reader.gauges(one.clock.now()).pending == 0, kill_at


@pytest.mark.no_cover
def test_death_at_any_instant_leaves_one_successor_of_a_deleted_issue_and_tells_it_once(tmp_path: Path) -> None:
    like = template(tmp_path / "template")

    def live(kill_at: int) -> int:
        folder = tmp_path / f"life-{kill_at}"
        shutil.copytree(like, folder)
        return life(folder, kill_at=kill_at)

    instants = live(0)
    assert instants > 20
    # All of them take long; with EVERY = 1 they are all there.
    for kill_at in range(1, instants + 1, EVERY):
        assert live(kill_at) > 0
