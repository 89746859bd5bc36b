"""The client as a GitHub App, against the fake: its tokens are found, minted, renewed, and refused without harm."""

from __future__ import annotations

import base64
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from building import issue
from fakes.github import FakeGitHub, Garbled, Held, Limited, Redirect, ServerError
from fakes.github.apps import App, Installation, key_pair
from triaged.backends.github import keyfile
from triaged.backends.github.assertion import assertion
from triaged.backends.github.backend import GitHubBackend
from triaged.backends.github.client import GitHubClient
from triaged.backends.github.installations import Installations
from triaged.backends.github.settings import App as AppSettings
from triaged.backends.github.settings import Settings
from triaged.backends.github.transport import Access, Surroundings
from triaged.backends.github.wire import IssueChange, NewIssue
from triaged.clock import FakeClock
from triaged.errors import ConfigError, DeliveryError
from waiting import wait_until

START = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
REPOSITORY = "acme/incidents"
ISSUE = NewIssue(title="[sev1] Checkout fails", body="It burns.", labels=("sev1",))
MINUTE = timedelta(minutes=1)
OPERATION = "5f3a5f3a5f3a5f3a5f3a5f3a5f3a5f3a"


class World:
    """A fake with an App at acme, two clocks, and clients that go as the App."""

    def __init__(self) -> None:
        self.clock = FakeClock(START)
        self.ahead = timedelta()
        """What GitHub's clock is ahead of ours."""
        self.fake = FakeGitHub(now=lambda: self.clock.now() + self.ahead)
        self.pauses: list[float] = []
        self.observed: list[tuple[str, str]] = []
        self._clients: list[GitHubClient] = []
        self._backends: list[GitHubBackend] = []

    def open(self) -> None:
        self.fake.__enter__()
        self.app: App = self.fake.add_app()
        self.installation: Installation = self.fake.install(self.app)

    def close(self) -> None:
        for client in self._clients:
            client.close()
        for backend in self._backends:
            backend.close()
        self.fake.__exit__(None, None, None)

    def settings(self, **changes: Any) -> AppSettings:
        given: dict[str, Any] = {"id": str(self.app.id), "key": lambda: key_pair(self.app.key), "home": REPOSITORY}
        return AppSettings(**given | changes)

    def client(self, **changes: Any) -> GitHubClient:
        access = Access(api_url=self.fake.url, app=self.settings(**changes), timeout=timedelta(seconds=5))
        client = GitHubClient(access, self.around)
        self._clients.append(client)
        return client

    def backend(self) -> GitHubBackend:
        settings = Settings(repository=REPOSITORY, api_url=self.fake.url, app=self.settings())
        backend = GitHubBackend(settings, self.around)
        self._backends.append(backend)
        return backend

    @property
    def around(self) -> Surroundings:
        return Surroundings(now=self.clock.now, pause=self.pause, observe=self.observe)

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.advance(timedelta(seconds=seconds))

    def observe(self, operation: str, outcome: str, span: float) -> None:
        self.observed.append((operation, outcome))

    def asked(self) -> list[tuple[str, int | None]]:
        """Every request and its status, in order."""
        return [(request.operation, request.status) for request in self.fake.requests]

    def minted(self) -> int:
        return len(self.fake.requests_of("access_token"))


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    made.open()
    yield made
    made.close()


@pytest.fixture
def fake(world: World) -> FakeGitHub:
    return world.fake


@pytest.fixture
def client(world: World) -> GitHubClient:
    return world.client()


def failing(call: Callable[[], object]) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        call()
    return caught.value


def create(client: GitHubClient, repository: str = REPOSITORY) -> DeliveryError:
    return failing(lambda: client.create_issue(repository, ISSUE))


def waiting_for_a_token() -> int:
    """How many threads stand at the lock."""
    code = Installations.of.__code__
    return sum(frame.f_code is code for frame in sys._current_frames().values())


FIRST_CREATE = [("installation", 200), ("access_token", 201), ("create_issue", 201)]


# ---------------------------------------------------------------- the assertion


def test_the_assertion_is_signed_by_rs256_and_says_who_and_for_how_long() -> None:
    head, claims, signature = assertion("Iv23liX", key_pair("first"), START).split(".")
    read = [json.loads(base64.urlsafe_b64decode(part + "==")) for part in (head, claims)]
    now = int(START.timestamp())
    assert read == [{"alg": "RS256", "typ": "JWT"}, {"iat": now - 60, "exp": now + 540, "iss": "Iv23liX"}]
    assert "=" not in head + claims + signature


# ---------------------------------------------------------------- tokens


def test_the_first_request_finds_the_installation_and_mints_a_token_and_the_next_need_neither(
    world: World, client: GitHubClient
) -> None:
    assert client.create_issue(REPOSITORY, ISSUE).value.user is not None
    assert world.asked() == FIRST_CREATE
    client.update_issue(REPOSITORY, 1, IssueChange(body="new"))
    list(client.list_issues(REPOSITORY))
    assert world.minted() == 1
    assert world.pauses == []


def test_an_issue_of_the_app_is_written_by_its_bot(client: GitHubClient) -> None:
    author = client.create_issue(REPOSITORY, ISSUE).value.user
    assert author is not None
    assert (author.login, author.type) == ("triaged[bot]", "Bot")
    assert client.whoami() == author


def test_the_client_id_is_as_good_as_the_id(world: World) -> None:
    client = world.client(id=world.app.client_id)
    assert client.create_issue(REPOSITORY, ISSUE).value.number == 1


def test_a_named_installation_is_not_looked_for(world: World) -> None:
    client = world.client(installation_id=world.installation.id)
    client.create_issue(REPOSITORY, ISSUE)
    assert world.asked() == FIRST_CREATE[1:]


def test_a_token_of_520_characters_with_dots_dashes_and_underscores_is_sent_as_it_is(
    world: World, client: GitHubClient
) -> None:
    client.create_issue(REPOSITORY, ISSUE)
    (token,) = world.fake.apps.grants
    assert len(token) > 500
    assert set("._-") <= set(token)


def test_a_token_is_renewed_ten_minutes_before_it_expires(world: World, client: GitHubClient) -> None:
    client.create_issue(REPOSITORY, ISSUE)
    world.clock.advance(50 * MINUTE - timedelta(seconds=1))
    client.get_issue(REPOSITORY, 1)
    assert world.minted() == 1
    world.clock.advance(timedelta(seconds=1))
    client.get_issue(REPOSITORY, 1)
    assert (world.minted(), len(world.fake.requests_of("installation"))) == (2, 1)


def test_a_day_of_requests_each_minute_meets_no_refused_token(world: World, client: GitHubClient) -> None:
    client.create_issue(REPOSITORY, ISSUE)
    for _ in range(24 * 60):
        world.clock.advance(MINUTE)
        client.get_issue(REPOSITORY, 1)
    assert {status for _, status in world.asked()} == {200, 201}
    assert world.minted() == 1 + 24 * 60 // 50


def test_all_repositories_of_an_owner_share_a_token_and_each_owner_has_its_own(
    world: World, client: GitHubClient
) -> None:
    for name in ("acme/security", "other/incidents"):
        world.fake.add_repository(name)
    world.fake.install(world.app, "other")
    for name in (REPOSITORY, "acme/security", "other/incidents", "other/incidents"):
        client.create_issue(name, ISSUE)
    # One token for each owner that has been met, although each repository's installation is looked for.
    assert (world.minted(), len(world.fake.requests_of("installation"))) == (2, 3)
    owners = {grant.installation.account.login for grant in world.fake.apps.grants.values()}
    assert owners == {"acme", "other"}


def test_following_pages_which_name_the_repository_by_id_go_with_its_token(world: World, client: GitHubClient) -> None:
    theirs = world.fake.add_repository("other/incidents")
    world.fake.install(world.app, "other")
    ann = world.fake.person("ann", repository=theirs)
    for _ in range(150):
        ann.open("Again")
    assert len(list(client.list_issues("other/incidents"))) == 150
    assert world.minted() == 1


# ---------------------------------------------------------------- many threads


def test_of_many_threads_that_need_a_token_one_mints_it(world: World, client: GitHubClient) -> None:
    world.fake.person("ann").open("Hers")
    held = world.fake.fail("access_token", Held())
    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(client.get_issue, REPOSITORY, 1) for _ in range(8)]
        assert held.arrived.wait(5)
        held.release()
        assert {one.result(5).value.number for one in asking} == {1}
    assert (world.minted(), len(world.fake.requests_of("installation"))) == (1, 1)


def test_threads_that_waited_for_a_token_that_did_not_come_do_not_ask_one_after_the_other(
    world: World, client: GitHubClient
) -> None:
    world.fake.uninstall(world.installation)
    held = world.fake.fail("installation", Held())
    with ThreadPoolExecutor(7) as pool:
        asking = [pool.submit(create, client) for _ in range(7)]
        assert held.arrived.wait(5)
        wait_until(lambda: waiting_for_a_token() == 6)
        held.release()
        reasons = {one.result(5).reason for one in asking}
    assert reasons == {"not_installed"}
    assert len(world.fake.requests_of("installation")) == 1
    assert world.fake.creates == []


def test_threads_whose_token_was_revoked_renew_it_once(world: World, client: GitHubClient) -> None:
    client.create_issue(REPOSITORY, ISSUE)
    world.clock.advance(5 * MINUTE)
    (token,) = world.fake.apps.grants
    world.fake.revoke(token)
    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(client.get_issue, REPOSITORY, 1) for _ in range(8)]
        assert {one.result(5).value.number for one in asking} == {1}
    assert world.minted() == 2


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_not_known_everywhere_yet_is_used_again_after_two_seconds(
    world: World, client: GitHubClient, status: Any
) -> None:
    world.fake.apps.lag, world.fake.apps.young_status = timedelta(seconds=2), status
    assert client.create_issue(REPOSITORY, ISSUE).value.number == 1
    assert world.asked() == [*FIRST_CREATE[:2], ("create_issue", status), ("create_issue", 201)]
    assert world.pauses == [2.0]


@pytest.mark.parametrize(("status", "reason"), [(401, "unauthorized"), (403, "forbidden")])
def test_a_new_token_that_is_refused_again_is_a_failure_and_no_other_is_minted(
    world: World, client: GitHubClient, status: Any, reason: str
) -> None:
    world.fake.apps.lag, world.fake.apps.young_status = timedelta(minutes=1), status
    error = create(client)
    assert (error.reason, error.ambiguous, world.pauses) == (reason, False, [2.0])
    assert (len(world.fake.creates), world.minted(), world.fake.issues) == (2, 1, [])


def test_a_limit_is_not_taken_for_a_young_token(world: World, client: GitHubClient) -> None:
    world.fake.fail("create_issue", Limited(retry_after=30))
    assert create(client).reason == "secondary_limit"
    assert (len(world.fake.creates), world.pauses) == (1, [])


def test_a_write_with_an_unclear_end_is_not_sent_again_however_young_its_token_is(
    world: World, client: GitHubClient
) -> None:
    world.fake.fail("create_issue", ServerError(status=502, after_commit=True))
    error = create(client)
    assert (error.reason, error.ambiguous, len(world.fake.creates)) == ("server_error", True, 1)


def test_a_token_that_is_refused_in_the_midst_is_renewed_once_and_the_write_is_done_once(
    world: World, client: GitHubClient
) -> None:
    client.create_issue(REPOSITORY, ISSUE)
    world.clock.advance(5 * MINUTE)
    world.fake.revoke(*world.fake.apps.grants)
    client.create_issue(REPOSITORY, ISSUE)
    assert world.asked()[3:] == [("create_issue", 401), *FIRST_CREATE]
    assert len(world.fake.issues) == 2


def test_an_app_that_was_installed_anew_goes_on_under_its_new_installation(world: World, client: GitHubClient) -> None:
    client.create_issue(REPOSITORY, ISSUE)
    world.fake.uninstall(world.installation)
    world.fake.install(world.app)
    world.clock.advance(55 * MINUTE)
    # The token has to be renewed, of an installation that is gone.
    client.create_issue(REPOSITORY, ISSUE)
    assert world.asked()[3:] == [("access_token", 404), *FIRST_CREATE]


def test_a_repository_that_went_to_another_owner_is_written_with_that_owner_s_token(
    world: World, client: GitHubClient
) -> None:
    client.create_issue(REPOSITORY, ISSUE)
    world.fake.install(world.app, "other")
    world.clock.advance(5 * MINUTE)
    world.fake.person("ann").rename_repository("other/incidents")
    written = client.update_issue(REPOSITORY, 1, IssueChange(body="new")).value
    assert (written.repository, written.body) == ("other/incidents", "new")
    assert world.minted() == 2


def test_a_repository_that_went_where_the_app_is_not_installed_is_told_as_that(
    world: World, client: GitHubClient
) -> None:
    client.create_issue(REPOSITORY, ISSUE)
    world.clock.advance(5 * MINUTE)
    world.fake.person("ann").rename_repository("other/incidents")
    error = failing(lambda: client.update_issue(REPOSITORY, 1, IssueChange(body="new")))
    assert (error.reason, error.ambiguous) == ("not_installed", False)
    assert error.retry_at == world.clock.now() + timedelta(minutes=15)


def test_what_is_not_found_where_a_redirect_led_is_told_with_that_place(world: World, client: GitHubClient) -> None:
    world.fake.person("ann").rename_repository("acme/alarms")
    error = failing(lambda: client.get_issue(REPOSITORY, 7))
    assert error.reason == "not_found"
    place = f"/repositories/{world.fake.repository.id}/issues/7"
    assert (
        str(error)
        == f"GitHub answered get_issue in acme/incidents with 404, not_found: Not Found; it has moved to {place}"
    )


def test_what_is_not_found_again_and_again_does_not_look_for_the_installation_each_time(
    world: World, client: GitHubClient
) -> None:
    for _ in range(10):
        assert failing(lambda: client.get_issue(REPOSITORY, 7)).reason == "not_found"
        world.clock.advance(MINUTE)
    assert len(world.fake.requests_of("installation")) == 2


# ---------------------------------------------------------------- no token to be had


def test_an_app_that_is_not_installed_there_is_told_by_its_name_and_sends_nothing(world: World) -> None:
    world.fake.uninstall(world.installation)
    error = create(world.client())
    assert (error.reason, error.retry_at, error.ambiguous) == ("not_installed", START + timedelta(minutes=15), False)
    assert f"the GitHub App {world.app.id} is not installed on acme/incidents" in str(error)
    assert world.asked() == [("installation", 404)]
    assert world.observed == [("installation", "not_found"), ("create_issue", "not_installed")]


def test_a_repository_that_was_not_given_to_the_app_is_told_likewise(world: World, client: GitHubClient) -> None:
    other = world.fake.add_repository("acme/other")
    world.fake.uninstall(world.installation)
    world.fake.install(world.app, repositories=[other])
    assert create(client).reason == "not_installed"
    assert client.create_issue("acme/other", ISSUE).value.number == 1


def test_a_suspended_installation_is_told_and_comes_back_by_itself(world: World, client: GitHubClient) -> None:
    world.installation.suspended = True
    error = create(client)
    assert (error.reason, error.retry_at) == ("not_installed", START + timedelta(minutes=15))
    assert "This installation has been suspended" in str(error)
    world.installation.suspended = False
    assert client.create_issue(REPOSITORY, ISSUE).value.number == 1


def test_a_suspension_in_the_midst_is_told_at_once(world: World, client: GitHubClient) -> None:
    client.create_issue(REPOSITORY, ISSUE)
    world.installation.suspended = True
    assert create(client).reason == "not_installed"


@pytest.mark.parametrize("changes", [{"id": "4711"}, {"key": lambda: key_pair("another")}])
def test_an_id_and_a_key_that_do_not_belong_together_are_told_as_that(world: World, changes: dict[str, Any]) -> None:
    error = create(world.client(**changes))
    assert (error.reason, error.retry_at, error.ambiguous) == ("unauthorized", START + timedelta(minutes=5), False)
    assert "do the id and the private key of backend.github.app belong together?" in str(error)
    assert len(world.fake.requests) == 1


def test_a_named_installation_that_is_not_there_is_told_by_its_number(world: World) -> None:
    error = create(world.client(installation_id=99))
    assert error.reason == "not_installed"
    assert "is not installed on installation 99, which GitHub does not find" in str(error)


def test_a_key_that_is_renewed_in_its_file_needs_no_restart(world: World, tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(world.app.pem)
    client = world.client(key=lambda: keyfile.load(file))
    client.create_issue(REPOSITORY, ISSUE)
    world.app.key = "second"
    world.clock.advance(61 * MINUTE)
    assert create(client).reason == "unauthorized"
    file.write_bytes(world.app.pem)
    assert client.create_issue(REPOSITORY, ISSUE).value.number == 2


def test_a_key_file_that_cannot_be_read_is_told_and_nothing_is_asked(world: World, tmp_path: Path) -> None:
    error = create(world.client(key=lambda: keyfile.load(tmp_path / "absent.pem")))
    assert error.reason == "unauthorized"
    assert "GitHub was not asked" in str(error)
    assert str(error).endswith("absent.pem: expected a GitHub App's private key in PEM, got: No such file or directory")
    assert world.fake.requests == []


@pytest.mark.parametrize(
    "body", [b'{"token": ', b'{"token": "ghs_x"}', b'{"token": "gh s\\n", "expires_at": "2026-11-23T04:00:00Z"}']
)
def test_a_token_that_cannot_be_read_or_sent_is_a_passing_trouble_that_did_nothing(
    world: World, client: GitHubClient, body: bytes
) -> None:
    world.fake.fail("access_token", Garbled(body))
    error = create(client)
    assert (error.reason, error.ambiguous) == ("unreadable_answer", False)
    assert client.create_issue(REPOSITORY, ISSUE).value.number == 1


def test_trouble_while_a_token_is_minted_is_not_ambiguous_for_the_write_that_waits_for_it(
    world: World, client: GitHubClient
) -> None:
    world.fake.fail("access_token", ServerError(status=502, after_commit=True))
    error = create(client)
    assert (error.reason, error.ambiguous, world.fake.creates) == ("server_error", False, [])


def test_a_token_that_cannot_be_renewed_in_time_is_used_until_it_expires(world: World, client: GitHubClient) -> None:
    client.create_issue(REPOSITORY, ISSUE)
    world.clock.advance(51 * MINUTE)
    world.fake.fail("access_token", ServerError(status=503), times=9)
    with capture_logs() as logs:
        for _ in range(5):
            client.get_issue(REPOSITORY, 1)
        world.clock.advance(MINUTE)
        client.get_issue(REPOSITORY, 1)
    # The first try and another one a minute later, not one with each request.
    assert world.minted() == 3
    assert [line["event"] for line in logs] == ["GitHub token not renewed"] * 2
    world.clock.advance(8 * MINUTE)
    assert create(client).reason == "server_error"


def test_a_token_that_seems_to_be_over_at_once_is_not_minted_anew_with_each_request(
    world: World, client: GitHubClient
) -> None:
    world.fake.apps.lasts = timedelta(seconds=30)
    client.create_issue(REPOSITORY, ISSUE)
    for _ in range(5):
        client.get_issue(REPOSITORY, 1)
    assert world.minted() == 1


# ---------------------------------------------------------------- permissions


def test_a_permission_that_the_installation_lacks_is_named(world: World, client: GitHubClient) -> None:
    world.fake.uninstall(world.installation)
    world.fake.install(world.app, permissions={"issues": "read", "metadata": "read"})
    error = create(client)
    assert error.reason == "forbidden"
    assert "it needs the permission issues=write" in str(error)


# ---------------------------------------------------------------- clocks


@pytest.mark.parametrize("ahead", [timedelta(minutes=-12), timedelta(minutes=-4), timedelta(minutes=15)])
def test_a_wrong_clock_of_ours_is_noticed_by_github_s_date_and_the_token_comes_all_the_same(
    world: World, client: GitHubClient, ahead: timedelta
) -> None:
    world.ahead = ahead
    with capture_logs() as logs:
        assert client.create_issue(REPOSITORY, ISSUE).value.number == 1
    assert world.asked() == [("installation", 401), *FIRST_CREATE]
    assert [(line["event"], line["seconds"]) for line in logs] == [
        ("clock differs from GitHub's", -ahead.total_seconds())
    ]
    for _ in range(120):
        world.clock.advance(MINUTE)
        client.get_issue(REPOSITORY, 1)
    assert 401 not in [status for _, status in world.asked()[1:]]


def test_a_wrong_clock_and_a_wrong_key_are_told_after_two_tries(world: World) -> None:
    world.ahead = timedelta(minutes=-12)
    world.app.key = "second"
    error = create(world.client(key=lambda: key_pair("first")))
    assert (error.reason, error.ambiguous) == ("unauthorized", False)
    assert "do the id and the private key of backend.github.app belong together?" in str(error)
    assert world.asked() == [("installation", 401)] * 2


def test_clocks_that_agree_within_seconds_are_taken_as_the_same(world: World, client: GitHubClient) -> None:
    world.ahead = timedelta(seconds=4)
    with capture_logs() as logs:
        client.create_issue(REPOSITORY, ISSUE)
    assert (client.ahead, logs) == (timedelta(), [])


@pytest.mark.parametrize("date", ["Thu, 01 Jan 1970 00:00:00 GMT", "yesterday", "", "Mon, 23 Nov 2026 03:00:00 -0000"])
def test_a_date_that_is_nobody_s_clock_is_not_believed(world: World, client: GitHubClient, date: str) -> None:
    world.fake.fail("installation", Garbled(body=None, headers={"Date": date}))
    client.create_issue(REPOSITORY, ISSUE)
    assert client.ahead == timedelta()


def test_what_was_created_is_found_again_although_our_clock_is_ahead(world: World) -> None:
    world.ahead = timedelta(minutes=-20)
    backend = world.backend()
    address = backend.create(issue(), OPERATION)
    assert world.backend().find(OPERATION, START, "") == address


# ---------------------------------------------------------------- who we are


def test_only_the_marker_of_our_own_bot_counts_as_ours(world: World) -> None:
    made = world.backend().create(issue(), OPERATION)
    body = world.fake.issue(1).body or ""
    for login in ("ann", "other[bot]", "triaged"):
        world.fake.person(login).open("Copied", body)
    assert world.backend().find(OPERATION, START, "") == made


def test_while_github_does_not_say_who_we_are_nothing_is_taken_for_ours(world: World) -> None:
    world.fake.person("other[bot]").open("Copied", f"<!-- triaged:v1 op={OPERATION} inc=1 -->\n")
    world.fake.fail("app", ServerError(status=503), times=9)
    assert failing(lambda: world.backend().find(OPERATION, START, "")).reason == "server_error"


# ---------------------------------------------------------------- secrets


@pytest.mark.parametrize("reason", ["unauthorized", "forbidden", "server_error", "not_installed"])
def test_neither_token_nor_assertion_nor_key_is_in_any_message_log_or_repr(
    world: World, caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    caplog.set_level(logging.DEBUG)
    client = world.client()
    client.create_issue(REPOSITORY, ISSUE)
    (token,) = world.fake.apps.grants
    world.clock.advance(5 * MINUTE)
    if reason == "unauthorized":
        world.fake.revoke(token)
        world.fake.apps.lag = timedelta(hours=2)
    elif reason == "server_error":
        world.fake.fail("create_issue", ServerError())
    elif reason == "forbidden":
        world.fake.apps.lag, world.fake.apps.young_status = timedelta(hours=2), 403
    else:
        world.fake.uninstall(world.installation)
    error = create(client)
    shown = "".join(traceback.format_exception(error)) + caplog.text + repr(client) + repr(world.settings())
    assert error.reason == reason
    assert token not in shown
    assert "eyJ" not in shown
    assert "PRIVATE" not in shown


@pytest.mark.parametrize("operation", ["installation", "access_token", "create_issue"])
def test_neither_assertion_nor_token_goes_to_another_host(world: World, client: GitHubClient, operation: str) -> None:
    with FakeGitHub() as elsewhere:
        world.fake.fail(operation, Redirect(location=elsewhere.url + "{path}"))
        assert create(client).reason == "redirected"
        assert elsewhere.requests == []


def test_an_app_on_an_enterprise_server_asks_below_its_prefix(world: World) -> None:
    with FakeGitHub(now=world.clock.now, prefix="/api/v3") as server:
        app = server.add_app()
        server.install(app)
        access = Access(api_url=f"{server.url}/", app=world.settings(id=str(app.id)))
        client = GitHubClient(access, world.around)
        server.person("ann").rename_repository("acme/alarms")
        assert client.create_issue(REPOSITORY, ISSUE).value.repository == "acme/alarms"
        client.close()
        statuses = [(request.operation, request.status) for request in server.requests]
    moved = [("installation", 301), ("installation", 200), ("access_token", 201)]
    assert statuses == [*moved, ("create_issue", 307), ("create_issue", 201)]


def test_a_key_that_raises_is_not_asked_for_twice(world: World) -> None:
    asked: list[int] = []

    def absent() -> Any:
        asked.append(1)
        raise ConfigError("key.pem: expected a private key")

    create(world.client(key=absent))
    assert len(asked) == 1
