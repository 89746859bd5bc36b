"""Recent changes as GitHub tells them: what is understood, what is left out, and failures in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fakes.github import FakeGitHub, Garbled, Hang, Limited, Repository
from fakes.github.history import Kind, happen
from triaged.backends.github.settings import Settings
from triaged.backends.github.transport import Surroundings
from triaged.clock import FakeClock
from triaged.core.changes import ChangeKind
from triaged.workers import changes
from triaged.workers.changes import Changes

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
ASKED = ("list_deployments", "list_releases", "list_pulls", "list_commits")


class Hub:
    """A repository at the fake, and who reads its changes."""

    def __init__(self, github: FakeGitHub, clock: FakeClock) -> None:
        self.github = github
        self.clock = clock
        self.code: Repository = github.add_repository("acme/checkout")
        settings = Settings(repository="acme/incidents", api_url=github.url, token=lambda: github.token)
        around = Surroundings(now=clock.now, pause=lambda _: None)
        self.changes = Changes(settings, around, seconds=0.3)

    def asked(self) -> list[str]:
        return [one.operation for one in self.github.requests]


@pytest.fixture
def hub() -> Iterator[Hub]:
    clock = FakeClock(NOW)
    with FakeGitHub(now=clock.now) as github:
        made = Hub(github, clock)
        yield made
        made.changes.close()


def answered(hub: Hub, operation: str, body: object) -> None:
    """GitHub's next answer to that operation holds this."""
    hub.github.fail(operation, Garbled(body=json.dumps(body).encode()))


def test_each_kind_is_asked_once_and_known_for_a_minute(hub: Hub) -> None:
    assert hub.changes.of("acme/checkout", NOW) == changes.Found()
    assert hub.changes.of("acme/checkout", NOW + timedelta(minutes=10)) == changes.Found()
    assert hub.asked() == [*ASKED]
    hub.clock.advance(timedelta(minutes=2))
    hub.changes.of("acme/checkout", NOW)
    assert hub.asked() == [*ASKED, *ASKED]


def test_what_is_known_is_bounded(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_MOST_KNOWN", 1)
    for hours in (0, 5, 0):
        hub.changes.of("acme/checkout", NOW - timedelta(hours=hours))
    assert hub.asked() == [*ASKED] * 3


def test_the_version_before_is_that_of_the_same_environment(hub: Hub) -> None:
    told = [("staging", "v2", 3), ("production", "v1", 2), ("production", "v1", 1), ("production", "v2", 0)]
    shas = {"v1": "1" * 40, "v2": "2" * 40}
    for environment, ref, hours in told:
        at = NOW - timedelta(hours=hours)
        happen(hub.code, Kind.DEPLOYMENT, at=at, by=None, ref=ref, sha=shas[ref], environment=environment)
    found = hub.changes.of("acme/checkout", NOW).changes
    assert [(one.ref, one.before, one.where) for one in found] == [
        ("v2", "v1", "production"),
        ("v1", "", "production"),
        ("v1", "", "production"),
        ("v2", "", "staging"),
    ]
    assert found[0].url.endswith(f"/acme/checkout/compare/{'1' * 40}...{'2' * 40}")
    assert found[1].url.endswith(f"/acme/checkout/commit/{'1' * 40}")


def test_drafts_what_was_not_merged_and_what_has_no_date_are_left_out(hub: Hub) -> None:
    happen(hub.code, Kind.COMMIT, at=NOW, by=None, title="x")
    release = {"tag_name": "v1", "html_url": "https://x", "published_at": "2026-11-23T12:00:00Z"}
    answered(hub, "list_releases", [{**release, "draft": True}, {**release, "published_at": None}, release])
    pull = {"number": 1, "title": "x", "html_url": "https://x"}
    answered(hub, "list_pulls", [{**pull, "merged_at": None}, pull])
    commit: dict[str, Any] = {"sha": "a" * 40, "html_url": "https://x"}
    signed = {"name": None, "date": "2026-11-23T12:00:00Z"}
    answered(
        hub,
        "list_commits",
        [
            {**commit, "commit": {"message": "no author", "author": None, "committer": None}},
            {**commit, "commit": {"message": "no date", "author": {"name": "x"}}},
            {**commit, "commit": {"message": "kept\n\nbody", "author": signed}, "author": {}},
        ],
    )
    found = hub.changes.of("acme/checkout", NOW)
    assert [(one.kind, one.title, one.by) for one in found.changes] == [
        (ChangeKind.RELEASE, "", ""),
        (ChangeKind.COMMIT, "kept", ""),
    ]
    assert found.failures == ()


def test_a_commit_of_no_form_leads_nowhere(hub: Hub) -> None:
    deployment = {"sha": "../../x", "ref": "v1", "environment": "e", "created_at": "2026-11-23T12:00:00Z"}
    answered(hub, "list_deployments", [deployment])
    (found,) = hub.changes.of("acme/checkout", NOW).changes
    assert (found.ref, found.url) == ("v1", "")


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"{}",
        b"[" * 100_000,
        b'[{"tag_name": "v", "html_url": "x", "published_at": "2026-11-23T12:00:00"}]',
        b'[{"tag_name": "\xff"}]',
    ],
)
def test_what_cannot_be_read_costs_its_own_kind_only(hub: Hub, body: bytes) -> None:
    happen(hub.code, Kind.PULL, at=NOW, by=None, title="x")
    hub.github.fail("list_releases", Garbled(body=body))
    found = hub.changes.of("acme/checkout", NOW)
    assert [one.kind for one in found.changes] == [ChangeKind.PULL_REQUEST]
    (failure,) = found.failures
    assert failure.startswith("changes of acme/checkout (releases): GitHub's answer about releases cannot be read")


def test_what_is_not_there_is_told_once_for_all_kinds(hub: Hub) -> None:
    (failure,) = hub.changes.of("acme/missing", NOW).failures
    assert failure.startswith("changes of acme/missing: ")
    assert "with 404" in failure


def test_who_hangs_is_asked_no_further(hub: Hub) -> None:
    hub.github.fail("list_deployments", Hang())
    (failure,) = hub.changes.of("acme/checkout", NOW).failures
    assert failure == "changes of acme/checkout: 127.0.0.1 did not answer within 0.3 s"
    assert hub.asked() == ["list_deployments"]


def test_who_refuses_because_of_too_much_is_asked_no_further(hub: Hub) -> None:
    hub.github.fail("list_deployments", Limited(kind="secondary"))
    (failure,) = hub.changes.of("acme/checkout", NOW).failures
    assert "rate limit" in failure
    assert hub.asked() == ["list_deployments"]


def test_the_few_requests_that_are_left_are_not_spent(hub: Hub) -> None:
    hub.github.limits.primary = changes.FEW_LEFT
    (failure,) = hub.changes.of("acme/checkout", NOW).failures
    assert failure.endswith("(releases, pull requests, commits): only 499 requests are left to us at GitHub")
    assert hub.asked() == ["list_deployments"]


def test_pages_lie_on_the_host_of_the_api() -> None:
    one = changes._Deployment(sha="a" * 40, ref="v1", environment="e", created_at=NOW)
    pages = {}
    for url in ("https://api.github.com", "https://git.example.com/api/v3"):
        reader = Changes(
            Settings(repository="a/b", api_url=url, token=str), Surroundings(now=lambda: NOW, pause=lambda _: None)
        )
        pages[url] = reader._page("acme/x", one, None)
        reader.close()
    assert [*pages.values()] == [
        f"https://github.com/acme/x/commit/{'a' * 40}",
        f"https://git.example.com/acme/x/commit/{'a' * 40}",
    ]
