"""To whom the issue is assigned: who has the incident, else who is on call; what people assign and take off wins."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dying import Fate, Killed
from fakes.github import FakeGitHub, LostAnswer
from triaged import defaults
from triaged.clock import FakeClock
from triaged.config import GitHubSettings, Settings
from triaged.core.events import Acknowledged, Assigned
from triaged.core.model import State
from triaged.workers.publish import PublishWorker
from world import ANN, START, World, alert, settings_for, world

MINUTE = timedelta(minutes=1)
TRIAGE = """
matrix:
  extensive: [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate: [sev2, sev3, sev3, sev4]
  minor: [sev3, sev3, sev4, sev4]
default: {impact: significant, urgency: high, category: error, team: platform}
key: [alertname]
rules: []
"""
SERVICES = """
teams:
  platform: {on_call: {rotation: [eve, bob], handover: 'monday 12:00', zone: UTC}}
people:
  ann: {github: ann-acme}
  bob: {github: bob-acme}
  eve: {github: eve-acme}
  max: {}
"""


def assigning(folder: Path, github: FakeGitHub) -> Settings:
    """Bob is on call until noon, then eve."""
    settings = settings_for(folder, github)
    rules = folder / "rules"
    rules.mkdir(exist_ok=True)
    (rules / "triage.yaml").write_text(TRIAGE)
    (rules / "services.yaml").write_text(SERVICES)
    for name in ("severities.yaml", "calendars.yaml"):
        shutil.copy(defaults.RULES / name, rules)
    known = settings.backend.github
    assert isinstance(known, GitHubSettings)
    backend = settings.backend.model_copy(update={"github": known.model_copy(update={"poll_every": None})})
    return settings.model_copy(update={"backend": backend, "rules": rules})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def github(clock: FakeClock) -> Iterator[FakeGitHub]:
    with FakeGitHub(now=clock.now) as fake:
        for login in ("ann-acme", "bob-acme", "eve-acme"):
            fake.person(login)
        yield fake


@pytest.fixture
def daemon(tmp_path: Path, clock: FakeClock, github: FakeGitHub) -> Iterator[World]:
    with world(assigning(tmp_path, github), clock) as one:
        one.deliver(alert())
        one.advance(MINUTE)
        yield one


def assigned(github: FakeGitHub, number: int = 1) -> list[str]:
    return [user.login for user in github.issue(number).assignees]


def writes(github: FakeGitHub) -> list[str]:
    return [request.operation for request in github.requests if request.method != "GET"]


def changed(daemon: World, pod: str) -> None:
    """Something that the issue has to tell."""
    daemon.deliver(alert(labels={"pod": pod}))
    daemon.advance(MINUTE)


def test_who_is_on_call_is_assigned_with_the_creation_and_that_acknowledges_nothing(
    daemon: World, github: FakeGitHub
) -> None:
    assert assigned(github) == ["bob-acme"]
    assert "add_assignees" not in writes(github)
    daemon.advance(10 * MINUTE)
    (incident,) = daemon.incidents()
    assert (incident.state, incident.process.owner) == (State.OPEN, "")
    assert not github.requests_of("list_events")
    # Nor does the list of what changed make us look at the issue, but for the first one of a repository.
    assert len(github.requests_of("get_issue")) <= 2


def test_a_hand_over_of_the_rota_alone_writes_nothing_and_shows_with_the_next_change(
    daemon: World, github: FakeGitHub
) -> None:
    daemon.advance(2 * MINUTE)
    before = len(github.requests_of("get_issue"))
    daemon.clock.move_to(START + timedelta(hours=3, seconds=1))
    daemon.app.publish.worker.step(daemon.clock.now())
    assert len(github.requests_of("get_issue")) == before
    changed(daemon, "b")
    assert assigned(github) == ["eve-acme"]


def test_who_takes_it_is_assigned_in_place_of_who_was_on_call(daemon: World, github: FakeGitHub) -> None:
    daemon.act(1, Acknowledged(actor=ANN))
    daemon.advance(MINUTE)
    assert assigned(github) == ["ann-acme"]
    daemon.act(1, Assigned(actor=ANN, to="eve"))
    daemon.advance(MINUTE)
    assert assigned(github) == ["eve-acme"]


def test_whom_a_person_takes_off_stays_off_until_somebody_else_has_it(daemon: World, github: FakeGitHub) -> None:
    github.person("zoe").unassign(1, "bob-acme")
    changed(daemon, "b")
    assert assigned(github) == []
    daemon.act(1, Acknowledged(actor=ANN))
    daemon.advance(MINUTE)
    assert assigned(github) == ["ann-acme"]


def test_whom_a_person_assigns_stays_and_ours_goes(daemon: World, github: FakeGitHub) -> None:
    github.person("zoe").assign(1, "eve-acme")
    daemon.advance(MINUTE)
    (incident,) = daemon.incidents()
    assert (incident.acknowledged_by, incident.process.owner) == ("zoe", "eve")
    assert assigned(github) == ["eve-acme"]
    daemon.act(1, Assigned(actor=ANN, to="bob"))
    daemon.advance(MINUTE)
    # Eve was assigned by zoe: she is not ours to take off.
    assert assigned(github) == ["eve-acme", "bob-acme"]


def test_who_has_no_login_is_not_assigned(daemon: World, github: FakeGitHub) -> None:
    daemon.act(1, Assigned(actor=ANN, to="max"))
    daemon.advance(MINUTE)
    assert assigned(github) == []


def test_what_is_over_keeps_whom_it_was_assigned_to(daemon: World, github: FakeGitHub) -> None:
    daemon.deliver(alert(status="resolved", ends=daemon.clock.now()))
    daemon.advance(timedelta(minutes=40))
    daemon.clock.move_to(START + timedelta(hours=3, minutes=1))
    daemon.advance(2 * MINUTE)
    (incident,) = daemon.incidents()
    assert incident.state in (State.RESOLVED, State.CLOSED)
    assert not github.requests_of("remove_assignees")


def test_an_assignee_whom_github_refuses_costs_no_issue_and_is_tried_once(tmp_path: Path, clock: FakeClock) -> None:
    with FakeGitHub(now=clock.now) as github, world(assigning(tmp_path, github), clock) as daemon:
        daemon.deliver(alert(), alert("Other"))
        daemon.advance(10 * MINUTE)
        assert len(github.issues) == 2
        assert [request.status for request in github.requests_of("create_issue")] == [422, 201, 201]


def test_a_create_whose_answer_was_lost_has_assigned_all_the_same(tmp_path: Path, clock: FakeClock) -> None:
    with FakeGitHub(now=clock.now) as github, world(assigning(tmp_path, github), clock) as daemon:
        github.person("bob-acme")
        github.list_lag = timedelta(seconds=60)
        github.fail("create_issue", LostAnswer())
        daemon.deliver(alert())
        daemon.advance(10 * MINUTE)
        assert assigned(github) == ["bob-acme"]
        assert daemon.incidents()[0].state is State.OPEN


@pytest.mark.no_cover
def test_death_at_any_instant_assigns_once_and_acknowledges_nothing(tmp_path: Path) -> None:
    # Just before each call; just after one is the same as just before the next.
    kill_at, died = -1, True
    while died:
        kill_at += 2
        folder = tmp_path / str(kill_at)
        folder.mkdir()
        died = one_life(folder, Fate(kill_at))
    assert kill_at > 9


def one_life(folder: Path, fate: Fate) -> bool:
    """Whether the daemon was killed at its instant, with the rota handed over meanwhile."""
    clock = FakeClock(START)
    with FakeGitHub(now=clock.now) as github:
        for login in ("bob-acme", "eve-acme"):
            github.person(login)
        settings, died = assigning(folder, github), False
        with world(settings, clock) as one:
            one.deliver(alert())
            one.settle()
            clock.move_to(START + timedelta(hours=3, minutes=1))
            publish = one.app.publish.worker
            assert isinstance(publish, PublishWorker)
            publish._run = fate.around(publish._run)
            client = publish._backend._client  # type: ignore[attr-defined]
            client.assign, client.unassign = fate.around(client.assign), fate.around(client.unassign)
            try:
                changed(one, "b")
            except Killed:
                died = True
        with world(settings, clock) as one:
            one.advance(MINUTE)
            (incident,) = one.incidents()
            assert (incident.acknowledged_by, incident.process.owner) == (None, "")
            assert assigned(github) == ["eve-acme"]
    return died
