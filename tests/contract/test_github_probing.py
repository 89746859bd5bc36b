"""What `triaged check --live` learns from GitHub: who we are, what is missing, where to set it, and without a trace."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from fakes.github import FakeGitHub, Garbled, LostAnswer, Role, ServerError
from fakes.github.apps import key_pair
from triaged.backends.github.administration import Administration
from triaged.backends.github.probing import (
    PROBE_TITLE,
    Credential,
    kind_of,
    probe_credential,
    probe_repository,
    write_probe,
)
from triaged.backends.github.settings import App
from triaged.backends.github.transport import Access, Surroundings
from triaged.clock import FakeClock
from triaged.ports.probe import Probed, Standing
from world import START

REPOSITORY = "acme/incidents"


class World:
    """A fake, and a client that asks it by a token, or as an App."""

    def __init__(self, fake: FakeGitHub, clock: FakeClock) -> None:
        self.fake = fake
        self.clock = clock
        self.client = self.by(Access(api_url=fake.url, token=lambda: fake.token))
        self.credential = Credential(api_url="https://api.github.com", kind="a fine-grained token")

    def by(self, access: Access) -> Administration:
        return Administration(access, Surroundings(now=self.clock.now, pause=lambda _: None))

    def as_app(self, **permissions: str) -> None:
        app = self.fake.add_app()
        self.fake.install(app, permissions=permissions)
        self.client.close()
        known = App(id=str(app.id), key=lambda: key_pair(app.key), home=REPOSITORY)
        self.client = self.by(Access(api_url=self.fake.url, app=known))
        self.credential = Credential(api_url="https://api.github.com")

    def who(self) -> list[Probed]:
        return [*probe_credential(self.client, self.credential, self.clock.now())]

    def where(self, repository: str = REPOSITORY) -> list[Probed]:
        return [*probe_repository(self.client, repository, self.credential)]

    def writing(self) -> list[Probed]:
        return [*write_probe(self.client, REPOSITORY, lambda _: None)]


@pytest.fixture
def world() -> Iterator[World]:
    clock = FakeClock(START)
    with FakeGitHub(now=clock.now) as fake:
        made = World(fake, clock)
        yield made
        made.client.close()


def only(found: list[Probed]) -> Probed:
    (one,) = found
    return one


# ---------------------------------------------------------------- who we are


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        ("github_pat_11ABC", "a fine-grained token"),
        ("ghp_abc", "a classic token"),
        ("ghs_1_a.b-c", "an App's installation token"),
        ("0123456789abcdef0123456789abcdef01234567", "a token"),
        ("", "a token"),
    ],
)
def test_a_token_is_known_by_its_beginning(token: str, kind: str) -> None:
    assert kind_of(token) == kind


def test_a_token_of_a_user_is_warned_of_since_it_may_be_a_person_s(world: World) -> None:
    found = only(world.who())
    assert found.standing is Standing.WARNING
    assert found.message == "asked as triaged-bot, by a fine-grained token"
    assert "GitHub App" in found.hint


def test_an_app_is_told_by_its_bot_and_not_doubted(world: World) -> None:
    world.as_app(issues="write", metadata="read")
    found = only(world.who())
    assert (found.standing, found.message) == (Standing.OK, "asked as triaged[bot], a GitHub App")


def test_a_bare_installation_token_is_warned_of_since_it_ends_within_the_hour(world: World) -> None:
    world.fake.add_token("ghs_bare", "other[bot]")
    world.client.close()
    world.client = world.by(Access(api_url=world.fake.url, token=lambda: "ghs_bare"))
    world.credential = Credential(api_url="https://api.github.com", kind=kind_of("ghs_bare"))
    found = only(world.who())
    assert found.standing is Standing.WARNING
    assert "an hour" in found.hint


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S +0000"])
@pytest.mark.parametrize(("days", "warned"), [(13, True), (15, False)])
def test_a_token_that_expires_within_two_weeks_is_warned_of(world: World, form: str, days: int, warned: bool) -> None:
    ends = (START + timedelta(days=days)).strftime(form)
    world.fake.fail("whoami", Garbled(body=None, headers={"GitHub-Authentication-Token-Expiration": ends}))
    said = [one.message for one in world.who()]
    assert any(f"expires at {START + timedelta(days=days):%Y-%m-%d}" in one for one in said) is warned


def test_an_expiry_that_is_no_instant_is_left_out(world: World) -> None:
    world.fake.fail("whoami", Garbled(body=None, headers={"GitHub-Authentication-Token-Expiration": "never"}))
    assert len(world.who()) == 1


@pytest.mark.parametrize(("scopes", "fit"), [("repo, gist", True), ("public_repo", True), ("gist", False), ("", False)])
def test_a_classic_token_without_the_scope_to_write_is_an_error(world: World, scopes: str, fit: bool) -> None:
    world.credential = Credential(api_url="https://api.github.com", kind=kind_of("ghp_x"))
    world.fake.fail("whoami", Garbled(body=None, headers={"X-OAuth-Scopes": scopes}))
    found = world.who()
    assert "every repository" in found[0].hint
    assert [one.standing for one in found[1:]] == ([] if fit else [Standing.ERROR])
    assert all("https://github.com/settings/tokens" in one.hint for one in found[1:])


@pytest.mark.parametrize(
    ("api_url", "kind", "page"),
    [
        ("https://api.github.com", "a fine-grained token", "https://github.com/settings/personal-access-tokens"),
        ("https://ghe.example.com:8443/api/v3", "a classic token", "https://ghe.example.com:8443/settings/tokens"),
        ("https://ghe.example.com/api/v3", "", "https://ghe.example.com/settings/apps, or that of the organization"),
    ],
)
def test_it_is_told_where_a_credential_is_changed(api_url: str, kind: str, page: str) -> None:
    assert Credential(api_url=api_url, kind=kind).page == page


def test_a_revoked_token_is_an_error_that_says_where_to_make_another(world: World) -> None:
    world.fake.revoke(world.fake.token)
    for found in (only(world.who()), only(world.where())):
        assert found.standing is Standing.ERROR
        assert "settings/personal-access-tokens" in found.hint
        assert world.fake.token not in found.message + found.hint


# ---------------------------------------------------------------- what we may


def test_who_may_write_is_told_that_labels_stick_and_leaves_no_trace(world: World) -> None:
    found = only(world.where())
    assert (found.standing, found.message) == (Standing.OK, "issues can be read and written, labels stick")
    assert (world.fake.issues, world.fake.repository.labels) == ([], {})
    assert [request.status for request in world.fake.writes] == [422, 422]


def test_who_may_only_read_is_told_that_labels_would_be_dropped(world: World) -> None:
    world.fake.grant(world.fake.bot.login, Role.READ)
    found = only(world.where())
    assert found.standing is Standing.ERROR
    assert "labels would be dropped" in found.message
    assert "issues=write" in found.message
    assert "issues: read and write" in found.hint


def test_who_may_triage_is_warned_that_labels_cannot_be_made_nor_commands_be_heeded(world: World) -> None:
    world.fake.grant(world.fake.bot.login, Role.TRIAGE)
    labels, commands = world.where()
    assert (labels.standing, commands.standing) == (Standing.WARNING, Standing.WARNING)
    assert "triaged github setup" in labels.hint
    assert "Must have push access" in commands.message
    assert "commands in comments" in commands.hint


@pytest.mark.parametrize(
    ("permissions", "message"),
    [
        ({"issues": "write", "metadata": "read"}, "labels stick"),
        ({"issues": "read", "metadata": "read"}, "issues=write"),
        ({"metadata": "read"}, "issues=read"),
    ],
)
def test_of_an_app_the_missing_permission_is_named(world: World, permissions: dict[str, str], message: str) -> None:
    world.as_app(**permissions)
    found = only(world.where())
    assert message in found.message
    assert (found.standing is Standing.OK) is ("stick" in message)


def test_a_repository_that_cannot_be_seen_is_an_error_that_says_both_reasons(world: World) -> None:
    found = only(world.where("acme/none"))
    assert found.standing is Standing.ERROR
    assert found.hint.startswith("there is no such repository, or the credential may not see it")


def test_an_archived_one_one_without_issues_and_a_renamed_one_are_told(world: World) -> None:
    ann = world.fake.person("ann")
    ann.disable_issues()
    assert only(world.where()).message == "issues are switched off"
    ann.disable_issues(enabled=True)
    ann.archive_repository()
    assert only(world.where()).message == "it is archived, and takes nothing"
    ann.archive_repository(archived=False)
    ann.rename_repository("acme/outages")
    renamed, fine = world.where()
    assert (renamed.standing, fine.standing) == (Standing.WARNING, Standing.OK)
    assert "acme/outages" in renamed.message


def test_trouble_at_github_is_an_error_and_nothing_is_claimed(world: World) -> None:
    world.fake.fail("create_label", ServerError(status=502))
    found = only(world.where())
    assert found.standing is Standing.ERROR
    assert "stick" not in found.message


# ---------------------------------------------------------------- really writing


def test_the_write_probe_opens_one_issue_with_a_label_and_closes_it(world: World) -> None:
    found = only(world.writing())
    assert found.standing is Standing.OK
    (issue,) = world.fake.issues
    assert (issue.title, issue.state, issue.state_reason) == (PROBE_TITLE, "closed", "not_planned")
    assert world.fake.labels(issue.number) == ["severity: sev4"]


def test_a_label_that_was_dropped_is_an_error_and_the_issue_is_closed_if_it_can_be(world: World) -> None:
    world.fake.grant(world.fake.bot.login, Role.READ)
    found = only(world.writing())
    assert found.standing is Standing.ERROR
    assert "its label was dropped" in found.message
    (issue,) = world.fake.issues
    assert issue.state == "closed"


def test_a_probe_that_cannot_be_closed_or_may_have_been_written_is_told_to_be_closed_by_hand(world: World) -> None:
    world.fake.fail("update_issue", ServerError(status=502))
    _, unclosed = world.writing()
    assert (unclosed.standing, unclosed.hint) == (Standing.ERROR, "close it by hand")
    world.fake.fail("create_issue", LostAnswer())
    lost = only(world.writing())
    assert PROBE_TITLE in lost.hint
    assert len(world.fake.creates) == 2
