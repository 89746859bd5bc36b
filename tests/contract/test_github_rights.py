"""What people may do in a repository, as GitHub tells it, held against the fake."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from fakes.github import FakeGitHub, Role
from fakes.github.apps import key_pair
from triaged.backends.github.client import GitHubClient
from triaged.backends.github.rights import BELIEVED_FOR, Right, Rights
from triaged.backends.github.settings import App, Settings
from triaged.backends.github.transport import Access, Surroundings
from triaged.backends.github.watch import GitHubWatch
from triaged.clock import FakeClock

PLACE = "acme/incidents"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 11, 23, 3, 0, tzinfo=UTC))


@pytest.fixture
def github(clock: FakeClock) -> Iterator[FakeGitHub]:
    with FakeGitHub(now=clock.now) as fake:
        yield fake


@pytest.fixture
def around(clock: FakeClock) -> Surroundings:
    return Surroundings(now=clock.now, pause=lambda span: clock.move_to(clock.now() + timedelta(seconds=span)))


@pytest.fixture
def rights(github: FakeGitHub, clock: FakeClock, around: Surroundings) -> Iterator[Rights]:
    client = GitHubClient(Access(api_url=github.url, token=lambda: github.token), around)
    yield Rights(client, clock.now)
    client.close()


@pytest.mark.parametrize("role", list(Role))
def test_each_role_is_the_right_of_its_name_whatever_the_older_word_beside_it(
    rights: Rights, github: FakeGitHub, role: Role
) -> None:
    github.person("zoe", role=role)
    assert rights.of(PLACE, "zoe") is Right[role.name]


def test_who_is_not_known_there_may_nothing(rights: Rights) -> None:
    assert rights.of(PLACE, "nobody/ever") is Right.NONE
    assert not rights.belongs(PLACE, "nobody/ever")


def test_an_answer_is_believed_for_some_minutes_whatever_the_case_of_its_names(
    rights: Rights, github: FakeGitHub, clock: FakeClock
) -> None:
    github.person("zoe", role=Role.READ)
    assert rights.belongs(PLACE, "zoe")
    github.person("zoe", role=Role.NONE)
    github.repository.private = False
    assert rights.belongs("Acme/Incidents", "ZOE")
    assert len(github.requests) == 2
    clock.move_to(clock.now() + BELIEVED_FOR)
    assert not rights.belongs(PLACE, "zoe")


def test_where_the_credential_may_not_ask_nobody_belongs(github: FakeGitHub, around: Surroundings) -> None:
    app = github.add_app()
    github.install(app, permissions={"issues": "write"})
    github.person("zoe", role=Role.ADMIN)
    named = App(id=str(app.id), key=lambda: key_pair(app.key), home=PLACE)
    watch = GitHubWatch(Settings(repository=PLACE, api_url=github.url, app=named), around, lambda now: now)
    assert watch.belongs(PLACE, "zoe") is False
    assert github.requests_of("permission")
    watch.close()
