"""The client against the fake GitHub under every fault: what it returns, what it raises, what it never does."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fakes.github import (
    FakeGitHub,
    Fault,
    Garbled,
    Hang,
    Held,
    LateCommit,
    Limited,
    LostAnswer,
    Redirect,
    Reset,
    Role,
    ServerError,
    Slow,
)
from fakes.github.faults import CONTENT_LIMIT, SECONDARY_LIMIT
from triaged import secretfile
from triaged.backends.github.client import GitHubClient
from triaged.backends.github.failures import Answered, failure
from triaged.backends.github.transport import API_VERSION, Access, Surroundings
from triaged.backends.github.wire import IssueChange, NewIssue, NewLabel
from triaged.clock import FakeClock
from triaged.errors import DeliveryError
from triaged.secretfile import Secret

START = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
REPOSITORY = "acme/incidents"
FULL_ISSUE = "Commenting is disabled on issues with more than 2500 comments"
ISSUE = NewIssue(title="[sev1] Checkout fails", body="It burns.", labels=("sev1",))


class World:
    """A fake, a clock, and clients for them; every pause and every observation is kept."""

    def __init__(self, fake: FakeGitHub, clock: FakeClock) -> None:
        self.fake = fake
        self.clock = clock
        self.pauses: list[float] = []
        self.observed: list[tuple[str, str]] = []
        self.tokens = [fake.token]
        self._clients: list[GitHubClient] = []

    def client(
        self,
        *,
        api_url: str | None = None,
        token: Callable[[], str] | None = None,
        timeout: timedelta = timedelta(seconds=5),
    ) -> GitHubClient:
        access = Access(api_url=api_url or self.fake.url, token=token or self.token, timeout=timeout)
        around = Surroundings(now=self.clock.now, pause=self.pauses.append, observe=self.observe)
        client = GitHubClient(access, around)
        self._clients.append(client)
        return client

    def token(self) -> str:
        """The next of the tokens; the last one from then on."""
        return self.tokens.pop(0) if len(self.tokens) > 1 else self.tokens[0]

    def observe(self, operation: str, outcome: str, span: float) -> None:
        assert span >= 0
        self.observed.append((operation, outcome))

    def close(self) -> None:
        for client in self._clients:
            client.close()


@pytest.fixture
def world() -> Iterator[World]:
    clock = FakeClock(START)
    with FakeGitHub(now=clock.now) as fake:
        world = World(fake, clock)
        yield world
        world.close()


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


def create(client: GitHubClient) -> DeliveryError:
    """The error of a create that fails."""
    return failing(lambda: client.create_issue(REPOSITORY, ISSUE))


def patience(fault: Fault, *, seconds: float) -> timedelta:
    """A short time limit only where it must pass: a busy machine may be slow to answer."""
    return timedelta(seconds=seconds if isinstance(fault, Hang | Slow) else 5)


def meaning(status: int, body: object, headers: dict[str, str] | None = None) -> DeliveryError:
    """The error of such an answer to a create."""
    answered = Answered(
        operation="create_issue", status=status, headers=headers or {}, body=json.dumps(body).encode(), is_write=True
    )
    return failure(answered, START)


# ---------------------------------------------------------------- what it returns


def test_a_created_issue_comes_back_as_github_took_it(client: GitHubClient, fake: FakeGitHub) -> None:
    issue = client.create_issue(REPOSITORY, ISSUE).value
    assert (issue.number, issue.title, issue.body, issue.state) == (1, "[sev1] Checkout fails", "It burns.", "open")
    assert (issue.label_names, issue.repository, issue.created_at) == (("sev1",), REPOSITORY, START)
    assert issue.user is not None
    assert issue.user.login == fake.bot.login
    assert client.get_issue(REPOSITORY, 1).value == issue


def test_labels_that_were_dropped_for_want_of_push_access_show_in_the_answer(
    client: GitHubClient, fake: FakeGitHub
) -> None:
    fake.grant(fake.bot.login, Role.READ)
    assert client.create_issue(REPOSITORY, ISSUE).value.label_names == ()


def test_an_update_sends_only_what_is_set(client: GitHubClient, fake: FakeGitHub) -> None:
    client.create_issue(REPOSITORY, ISSUE)
    fake.person("ann").edit_title(1, "Hers")
    closed = client.update_issue(REPOSITORY, 1, IssueChange(state="closed", state_reason="not_planned")).value
    assert (closed.title, closed.state, closed.state_reason, closed.closed_at) == (
        "Hers",
        "closed",
        "not_planned",
        START,
    )
    assert closed.closed_by is not None
    assert closed.closed_by.login == fake.bot.login
    assert fake.writes[-1].body == {"state": "closed", "state_reason": "not_planned"}


def test_a_duplicate_is_closed_with_the_id_of_the_other_issue(client: GitHubClient, fake: FakeGitHub) -> None:
    first = client.create_issue(REPOSITORY, ISSUE).value
    client.create_issue(REPOSITORY, ISSUE)
    change = IssueChange(state="closed", state_reason="duplicate", duplicate_issue_id=first.id)
    assert client.update_issue(REPOSITORY, 2, change).value.state_reason == "duplicate"
    assert fake.issue(2).duplicate_of == first.id


def test_comments_are_written_and_listed_from_an_instant_on(world: World, client: GitHubClient) -> None:
    client.create_issue(REPOSITORY, ISSUE)
    world.fake.person("ann").comment(1, "early")
    world.clock.advance(timedelta(minutes=1))
    written = client.create_comment(REPOSITORY, 1, "resolved").value
    assert list(client.list_comments(REPOSITORY, 1, since=world.clock.now())) == [written]
    assert [comment.body for comment in client.list_comments(REPOSITORY, 1)] == ["early", "resolved"]


def test_labels_are_added_and_removed_without_touching_others_and_both_are_idempotent(
    client: GitHubClient, fake: FakeGitHub
) -> None:
    client.create_issue(REPOSITORY, ISSUE)
    fake.person("ann").label(1, "customer")
    for _ in range(2):
        added = client.add_labels(REPOSITORY, 1, ("team/pay",)).value
        assert [label.name for label in added] == ["sev1", "customer", "team/pay"]
    for _ in range(2):
        client.remove_label(REPOSITORY, 1, "team/pay")
    assert fake.labels(1) == ["sev1", "customer"]


def test_removing_a_label_from_an_issue_that_is_not_there_is_an_error(client: GitHubClient) -> None:
    assert failing(lambda: client.remove_label(REPOSITORY, 7, "sev1")).reason == "not_found"


def test_a_label_is_made_once_and_keeps_the_colour_that_people_gave_it(client: GitHubClient, fake: FakeGitHub) -> None:
    label = NewLabel(name="sev1: now", color="b60205", description="Critical")
    assert client.ensure_label(REPOSITORY, label).value.color == "b60205"
    fake.repository.labels["sev1: now"].color = "000000"
    assert client.ensure_label(REPOSITORY, label).value.color == "000000"
    assert len(fake.requests_of("create_label")) == 1


def test_a_label_that_someone_makes_in_the_same_moment_is_taken_as_it_is(
    client: GitHubClient, fake: FakeGitHub
) -> None:
    ann = fake.person("ann")
    number = ann.open("Hers").number
    held = fake.fail("create_label", Held())
    with ThreadPoolExecutor(1) as pool:
        ensured = pool.submit(client.ensure_label, REPOSITORY, NewLabel(name="sev1", color="b60205"))
        assert held.arrived.wait(5)
        ann.label(number, "Sev1")
        held.release()
        assert ensured.result(5).value.name == "Sev1"
    assert [request.status for request in fake.requests] == [404, 422, 200]


def test_a_label_that_may_not_be_made_or_read_is_an_error(client: GitHubClient, fake: FakeGitHub) -> None:
    label = NewLabel(name="sev1", color="b60205")
    fake.grant(fake.bot.login, Role.READ)
    assert failing(lambda: client.ensure_label(REPOSITORY, label)).reason == "forbidden"
    fake.fail("get_label", Limited())
    assert failing(lambda: client.ensure_label(REPOSITORY, label)).reason == "secondary_limit"


def test_account_and_repository_are_told(client: GitHubClient, fake: FakeGitHub) -> None:
    assert client.whoami().login == fake.bot.login
    repository = client.repository(REPOSITORY).value
    assert (repository.full_name, repository.archived, repository.has_issues) == (REPOSITORY, False, True)
    assert repository.permissions is not None
    assert repository.permissions.push
    fake.grant(fake.bot.login, Role.TRIAGE)
    restricted = client.repository(REPOSITORY).value.permissions
    assert restricted is not None
    assert (restricted.push, restricted.triage) == (False, True)


def test_the_list_is_newest_first_over_all_pages_and_states_and_without_pull_requests(
    client: GitHubClient, fake: FakeGitHub
) -> None:
    ann = fake.person("ann")
    for _ in range(120):
        ann.open("Again")
    for _ in range(10):
        ann.open("Fix it", pull_request=True)
    for _ in range(121):
        ann.open("Again")
    ann.close(3)
    expected = [*range(251, 130, -1), *range(120, 0, -1)]
    assert [issue.number for issue in client.list_issues(REPOSITORY)] == expected
    assert [request.query.get("page") for request in fake.requests] == [None, "2", "3"]


def test_pages_that_nobody_asks_for_are_not_fetched(client: GitHubClient, fake: FakeGitHub) -> None:
    ann = fake.person("ann")
    for _ in range(120):
        ann.open("Again")
    assert next(client.list_issues(REPOSITORY)).number == 120
    assert len(fake.requests) == 1


def test_a_lagging_list_does_not_show_what_was_just_created(world: World, client: GitHubClient) -> None:
    world.fake.list_lag = timedelta(seconds=60)
    client.create_issue(REPOSITORY, ISSUE)
    assert list(client.list_issues(REPOSITORY)) == []
    world.clock.advance(timedelta(seconds=60))
    assert len(list(client.list_issues(REPOSITORY))) == 1


@pytest.mark.parametrize("version", ["2022-11-28", "2026-03-10"])
def test_answers_of_either_version_of_the_api_are_understood(
    client: GitHubClient, fake: FakeGitHub, version: str
) -> None:
    fake.speak(version)
    made = client.create_issue(REPOSITORY, ISSUE).value
    fake.person("ann").assign(1, "ann")
    assigned = client.get_issue(REPOSITORY, 1).value
    assert (made.number, assigned.assignees and assigned.assignees[0].login) == (1, "ann")
    assert client.update_issue(REPOSITORY, 1, IssueChange(state="closed")).value.state_reason == "completed"
    assert client.create_comment(REPOSITORY, 1, "hello").value.body == "hello"
    assert [issue.number for issue in client.list_issues(REPOSITORY)] == [1]
    assert client.ensure_label(REPOSITORY, NewLabel(name="sev1", color="b60205")).value.name == "sev1"
    assert client.repository(REPOSITORY).value.full_name == REPOSITORY
    assert client.whoami().login == fake.bot.login


def test_the_version_of_the_api_is_asked_for_by_name(world: World) -> None:
    assert API_VERSION == "2022-11-28"
    # The fake fails the test where the header is missing, and answers 400 to a version that it does not know.
    assert world.client().whoami().login == world.fake.bot.login


# ---------------------------------------------------------------- writes are sent once


@pytest.mark.parametrize(
    ("fault", "reason", "done"),
    [
        (LostAnswer(), "connection", True),
        (Reset(), "connection", False),
        (Hang(), "timeout", False),
        (Hang(after_commit=True), "timeout", True),
        (LateCommit(timedelta(seconds=8)), "connection", False),
        (ServerError(status=500), "server_error", False),
        (ServerError(status=502), "server_error", False),
        (ServerError(status=502, after_commit=True), "server_error", True),
        (ServerError(status=503, after_commit=True), "server_error", True),
        (ServerError(status=504, after_commit=True), "server_error", True),
        (Slow(timedelta(seconds=1)), "timeout", True),
        (Garbled(), "unreadable_answer", True),
        (Garbled(b"\xff\xfe"), "unreadable_answer", True),
        (Garbled(b"[" * 100_000), "unreadable_answer", True),
    ],
)
def test_a_create_with_an_unclear_end_is_ambiguous_and_never_sent_again(
    world: World, fault: Fault, reason: str, *, done: bool
) -> None:
    client = world.client(timeout=patience(fault, seconds=0.2))
    world.fake.fail("create_issue", fault)
    error = create(client)
    assert (error.reason, error.ambiguous) == (reason, True)
    assert error.retry_at == START + timedelta(seconds=5)
    assert len(world.fake.creates) == 1
    assert world.pauses == []
    assert world.observed == [("create_issue", "ok" if reason == "unreadable_answer" else reason)]
    world.fake.wait_until(lambda fake: len(fake.issues) == done, seconds=2)


@pytest.mark.parametrize("operation", ["update_issue", "create_comment", "add_labels", "remove_label"])
def test_no_other_write_is_sent_again_either(client: GitHubClient, fake: FakeGitHub, operation: str) -> None:
    client.create_issue(REPOSITORY, ISSUE)
    calls: dict[str, Callable[[], object]] = {
        "update_issue": lambda: client.update_issue(REPOSITORY, 1, IssueChange(body="x")),
        "create_comment": lambda: client.create_comment(REPOSITORY, 1, "x"),
        "add_labels": lambda: client.add_labels(REPOSITORY, 1, ("a",)),
        "remove_label": lambda: client.remove_label(REPOSITORY, 1, "sev1"),
    }
    fake.fail(operation, ServerError(after_commit=True))
    error = failing(calls[operation])
    assert (error.reason, error.ambiguous, len(fake.requests_of(operation))) == ("server_error", True, 1)


def test_a_refused_connection_is_not_ambiguous_because_nothing_was_sent(world: World, client: GitHubClient) -> None:
    world.fake.down(refuse=True)
    error = create(client)
    assert (error.reason, error.ambiguous) == ("connection", False)
    world.fake.up()
    assert client.create_issue(REPOSITORY, ISSUE).value.number == 1


def test_an_answer_that_trickles_in_for_ever_ends_at_the_time_limit(world: World) -> None:
    readings = iter(range(0, 1000, 10))
    around = Surroundings(now=world.clock.now, pause=world.pauses.append, monotonic=lambda: float(next(readings)))
    slow = GitHubClient(Access(api_url=world.fake.url, token=world.token, timeout=timedelta(seconds=15)), around)
    error = create(slow)
    slow.close()
    assert (error.reason, error.ambiguous) == ("timeout", True)


# ---------------------------------------------------------------- reads are repeated


@pytest.mark.parametrize(
    "fault", [LostAnswer(), Reset(), Hang(), ServerError(status=500), ServerError(status=503), Garbled()]
)
def test_a_read_is_repeated_with_growing_pauses_and_then_succeeds(world: World, fault: Fault) -> None:
    world.fake.person("ann").open("Hers")
    client = world.client(timeout=patience(fault, seconds=0.5))
    world.fake.fail("get_issue", fault, times=2)
    assert client.get_issue(REPOSITORY, 1).value.number == 1
    assert world.pauses == [0.5, 1.0]
    assert len(world.fake.requests_of("get_issue")) == 3


def test_a_read_that_fails_three_times_is_given_up_and_not_ambiguous(world: World, client: GitHubClient) -> None:
    world.fake.down()
    error = failing(lambda: list(client.list_issues(REPOSITORY)))
    assert (error.reason, error.ambiguous, len(world.fake.requests)) == ("server_error", False, 3)
    assert world.observed == [("list_issues", "server_error")] * 3


@pytest.mark.parametrize("fault", [Limited(retry_after=9), Limited(status=429)])
def test_a_read_that_meets_a_limit_is_not_repeated(client: GitHubClient, fake: FakeGitHub, fault: Fault) -> None:
    fake.fail("list_issues", fault)
    assert failing(lambda: list(client.list_issues(REPOSITORY))).reason == "secondary_limit"
    assert len(fake.requests) == 1


def test_a_failure_on_the_second_page_repeats_only_that_page(world: World, client: GitHubClient) -> None:
    ann = world.fake.person("ann")
    for _ in range(150):
        ann.open("Again")
    issues = client.list_issues(REPOSITORY)
    first = next(issues)
    world.fake.fail("list_issues", ServerError())
    assert [first.number, *(issue.number for issue in issues)] == list(range(150, 0, -1))
    assert [request.query.get("page") for request in world.fake.requests] == [None, "2", "2"]


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize("kind", ["content", "secondary"])
@pytest.mark.parametrize(("retry_after", "seconds"), [(7, 7), (None, 60), (0, 1), (10**9, 86_400)])
def test_a_secondary_limit_says_when_to_come_back_and_is_not_ambiguous(
    client: GitHubClient, fake: FakeGitHub, status: Any, kind: Any, retry_after: int | None, seconds: int
) -> None:
    fake.fail("create_issue", Limited(status=status, kind=kind, retry_after=retry_after))
    error = create(client)
    assert (error.reason, error.ambiguous) == ("secondary_limit", False)
    assert error.retry_at == START + timedelta(seconds=seconds)


def test_too_fast_answered_as_a_validation_error_is_a_limit_all_the_same(
    client: GitHubClient, fake: FakeGitHub
) -> None:
    fake.fail("create_issue", Limited(status=422))
    error = create(client)
    assert (error.reason, error.retry_at) == ("secondary_limit", START + timedelta(minutes=1))


@pytest.mark.parametrize("status", [403, 429])
def test_a_used_up_primary_limit_lasts_until_its_reset(world: World, client: GitHubClient, status: Any) -> None:
    world.fake.limits.status = status
    world.fake.limits.exhaust(world.fake.token, at=START)
    world.clock.advance(timedelta(minutes=20))
    error = create(client)
    assert error.reason == "rate_limited"
    assert error.retry_at == START + timedelta(hours=1, seconds=1)
    assert client.rate_limit_remaining == 0
    world.clock.move_to(error.retry_at)
    client.create_issue(REPOSITORY, ISSUE)
    assert world.fake.limits.impatient == 0
    assert client.rate_limit_remaining == 4_999


def test_without_rate_limit_headers_nothing_is_known_about_the_limit(world: World, client: GitHubClient) -> None:
    world.fake.limits.enabled = False
    client.create_issue(REPOSITORY, ISSUE)
    assert client.rate_limit_remaining is None


# ---------------------------------------------------------------- refusals


def test_a_too_long_body_is_invalid_for_good_and_the_message_says_why(client: GitHubClient) -> None:
    error = failing(lambda: client.create_issue(REPOSITORY, NewIssue(title="x", body="x" * 65_537)))
    assert (error.reason, error.retry_at, error.ambiguous) == ("invalid", None, False)
    assert "body is too long (maximum is 65536 characters)" in str(error)


def test_text_that_json_cannot_carry_is_invalid_and_not_sent(client: GitHubClient, fake: FakeGitHub) -> None:
    assert failing(lambda: client.create_comment(REPOSITORY, 1, "\ud800")).reason == "invalid"
    assert fake.requests == []


@pytest.mark.parametrize("name", ["incidents", "acme/incidents/issues", "../incidents", "acme/..", "acme/a b", ""])
def test_what_is_no_repository_is_never_asked_for(client: GitHubClient, fake: FakeGitHub, name: str) -> None:
    assert failing(lambda: client.get_issue(name, 1)).reason == "invalid"
    assert fake.requests == []


def test_an_archived_repository_and_disabled_issues_may_be_mended_by_someone(
    client: GitHubClient, fake: FakeGitHub
) -> None:
    later = START + timedelta(minutes=15)
    ann = fake.person("ann")
    ann.archive_repository()
    archived = create(client)
    assert (archived.reason, archived.retry_at) == ("archived", later)
    ann.archive_repository(archived=False)
    ann.disable_issues()
    disabled = create(client)
    assert (disabled.reason, disabled.retry_at) == ("issues_disabled", later)


def test_a_deleted_issue_is_gone_for_good(client: GitHubClient, fake: FakeGitHub) -> None:
    client.create_issue(REPOSITORY, ISSUE)
    fake.person("ann").delete_issue(1)
    error = failing(lambda: client.update_issue(REPOSITORY, 1, IssueChange(body="x")))
    assert (error.reason, error.retry_at) == ("gone", None)


def test_a_locked_issue_and_a_full_one_take_no_comment_ever(client: GitHubClient, fake: FakeGitHub) -> None:
    client.create_issue(REPOSITORY, ISSUE)
    ann = fake.person("ann")
    for _ in range(2_500):
        ann.comment(1, "again")
    full = failing(lambda: client.create_comment(REPOSITORY, 1, "one more"))
    ann.lock_issue(1)
    fake.grant(fake.bot.login, Role.READ)
    locked = failing(lambda: client.create_comment(REPOSITORY, 1, "hello"))
    assert (full.reason, full.retry_at, locked.reason, locked.retry_at) == ("comment_limit", None, "locked", None)


def test_a_missing_permission_is_named(client: GitHubClient, fake: FakeGitHub) -> None:
    fake.person("ann").open("Hers")
    fake.grant(fake.bot.login, Role.READ)
    error = failing(lambda: client.update_issue(REPOSITORY, 1, IssueChange(body="x")))
    assert (error.reason, error.retry_at) == ("forbidden", START + timedelta(minutes=15))
    assert "it needs the permission issues=write" in str(error)


def test_a_repository_that_may_not_be_seen_is_not_found(client: GitHubClient, fake: FakeGitHub) -> None:
    fake.grant(fake.bot.login, Role.NONE)
    error = create(client)
    assert (error.reason, error.retry_at, error.ambiguous) == ("not_found", START + timedelta(minutes=15), False)


def test_an_app_s_installation_has_no_account(world: World, client: GitHubClient) -> None:
    world.fake.add_token("ghs_1_app", "triaged[bot]")
    world.tokens = ["ghs_1_app"]
    assert failing(client.whoami).reason == "forbidden"


@pytest.mark.parametrize(
    ("status", "headers", "message", "reason", "wait"),
    [
        (400, {}, "Problems parsing JSON", "invalid", None),
        (403, {"x-ratelimit-remaining": "0"}, "", "rate_limited", 60),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "nonsense"}, "", "rate_limited", 60),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, "", "rate_limited", 1),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9" * 30}, "", "rate_limited", 3601),
        (403, {"x-ratelimit-remaining": "0", "retry-after": "5"}, "", "rate_limited", 5),
        (403, {"x-ratelimit-remaining": "0", "retry-after": "5"}, "a secondary rate limit", "secondary_limit", 5),
        (403, {"retry-after": "Mon, 23 Nov 2026 03:10:00 GMT"}, "", "secondary_limit", 600),
        (403, {"retry-after": "Mon, 23 Nov 2026 02:10:00 GMT"}, "", "secondary_limit", 1),
        (403, {"retry-after": "soon"}, "abuse detection mechanism", "secondary_limit", 60),
        (403, {"x-ratelimit-remaining": "4999"}, "Repository was archived so is read-only.", "archived", 900),
        (403, {"x-ratelimit-remaining": "4999"}, "Unable to create comment because issue is locked.", "locked", None),
        (403, {"x-ratelimit-remaining": "4999"}, "Repository access blocked", "forbidden", 900),
        (403, {"x-ratelimit-remaining": "4999"}, SECONDARY_LIMIT, "secondary_limit", 60),
        (403, {"x-ratelimit-remaining": "4999"}, CONTENT_LIMIT, "secondary_limit", 60),
        (403, {"x-ratelimit-remaining": "4999", "retry-after": "90"}, CONTENT_LIMIT, "secondary_limit", 90),
        (403, {"retry-after": "7"}, "Repository was archived so is read-only.", "secondary_limit", 7),
        (403, {"retry-after": "7"}, FULL_ISSUE, "secondary_limit", 7),
        (403, {"x-ratelimit-remaining": "4999"}, FULL_ISSUE, "comment_limit", None),
        (403, {"x-ratelimit-remaining": "4999"}, "You have been blocked from commenting", "forbidden", 900),
        (403, {}, "This installation has been suspended", "not_installed", 900),
        (403, {}, "Maximum number of login attempts exceeded. Please try again later.", "unauthorized", 300),
        (503, {"retry-after": "30"}, "", "server_error", 30),
        (429, {}, "", "secondary_limit", 60),
        (422, {}, "Validation Failed", "invalid", None),
        (451, {}, "Repository access blocked", "invalid", None),
        (304, {}, "", "redirected", None),
        (599, {}, "", "server_error", 5),
    ],
)
def test_headers_are_believed_before_words_and_no_header_stops_the_daemon_for_long(
    status: int, headers: dict[str, str], message: str, reason: str, wait: int | None
) -> None:
    error = meaning(status, {"message": message, "errors": None}, headers)
    assert (error.reason, error.retry_at) == (reason, None if wait is None else START + timedelta(seconds=wait))


def test_a_reset_is_counted_from_github_s_own_clock_however_wrong_ours_is() -> None:
    github_s = START + timedelta(minutes=20)
    headers = {
        "date": "Mon, 23 Nov 2026 03:20:00 GMT",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": str(int((github_s + timedelta(seconds=90)).timestamp())),
    }
    assert meaning(403, {}, headers).retry_at == START + timedelta(seconds=91)


def test_a_422_with_github_s_abuse_code_is_a_limit() -> None:
    error = meaning(422, {"message": "Validation Failed", "errors": [{"code": "abuse", "field": "base"}]})
    assert error.reason == "secondary_limit"


def test_a_422_whose_errors_are_plain_words_is_told_in_those_words() -> None:
    error = meaning(422, {"message": "Validation Failed", "errors": ["Title is odd"]})
    assert str(error).endswith("invalid: Validation Failed Title is odd")


# ---------------------------------------------------------------- the token


def test_a_token_that_was_rotated_meanwhile_is_read_again_once(world: World, client: GitHubClient) -> None:
    world.fake.add_token("ghs_2_next", world.fake.bot.login)
    world.fake.revoke(world.fake.token)
    world.tokens = [world.fake.token, "ghs_2_next"]
    assert client.create_issue(REPOSITORY, ISSUE).value.number == 1
    assert [request.status for request in world.fake.requests] == [401, 201]


def test_a_wrong_token_is_tried_once_and_then_left_alone_for_a_while(world: World, client: GitHubClient) -> None:
    world.tokens = ["ghs_wrong"]
    error = create(client)
    assert (error.reason, error.retry_at, error.ambiguous) == ("unauthorized", START + timedelta(minutes=5), False)
    assert len(world.fake.requests) == 1


def unreadable() -> str:
    raise PermissionError(13, "Permission denied", "/run/secrets/github")


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (lambda: "", "empty"),
        (lambda: "ghp_with\nnewline", "characters that no token has"),
        (lambda: "ghp_ünïcode", "characters that no token has"),
        (unreadable, "cannot be read: Permission denied"),
    ],
)
def test_a_token_that_cannot_be_used_is_never_sent_nor_shown(
    world: World, token: Callable[[], str], words: str
) -> None:
    error = create(world.client(token=token))
    assert error.reason == "unauthorized"
    assert words in str(error)
    assert "ghp_" not in str(error)
    assert world.fake.requests == []


def test_a_newline_at_the_end_of_the_token_file_does_no_harm(world: World) -> None:
    token = f"{world.fake.token}\n"
    assert world.client(token=lambda: token).whoami().login == world.fake.bot.login


def test_a_token_file_that_is_gone_for_a_moment_is_told_and_read_again_with_the_next_request(
    world: World, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    client = world.client(token=lambda: secretfile.first(file, Secret.TOKEN))
    error = create(client)
    assert (error.reason, error.retry_at) == ("unauthorized", START + timedelta(minutes=5))
    assert "the token cannot be read: " in str(error)
    file.write_text(world.fake.token)
    assert client.create_issue(REPOSITORY, ISSUE).value.number == 1


@pytest.mark.parametrize(
    "fault",
    [
        LostAnswer(),
        Reset(),
        Hang(),
        ServerError(),
        Limited(),
        Garbled(),
        Redirect(location="https://elsewhere.example{path}"),
        Redirect(location="{path}"),
    ],
)
def test_the_token_is_in_no_message_no_traceback_no_repr_and_no_log(
    world: World, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = world.fake.token
    client = world.client(timeout=patience(fault, seconds=0.2))
    world.fake.fail("create_issue", fault, times=9)
    error = create(client)
    shown = "".join(traceback.format_exception(error)) + repr(error) + caplog.text + repr(client)
    assert secret not in shown
    assert error.__context__ is None
    assert error.__cause__ is None
    assert secret not in repr(Access(api_url=world.fake.url, token=world.token))


@pytest.mark.parametrize(
    "secret",
    ["ghs_16_" + "eyJhbGciOi.J9-x_" * 30, "eyJhbGciOi.eyJpc3Mi.x-_" * 9, "github_pat_" + "11A" * 20, "ghp_" + "a" * 36],
)
def test_a_token_that_a_proxy_sends_back_is_not_repeated(secret: str) -> None:
    error = meaning(403, {"message": f"Who is {secret} ?\nNobody."})
    assert str(error) == "GitHub answered create_issue with 403, forbidden: Who is [secret] ? Nobody."


# ---------------------------------------------------------------- redirects


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_write_follows_a_redirect_on_the_same_host_with_method_and_body(
    client: GitHubClient, fake: FakeGitHub, status: Any
) -> None:
    place = f"{fake.url}/repositories/{fake.repository.id}/issues"
    fake.fail("create_issue", Redirect(location=place, status=status))
    reply = client.create_issue(REPOSITORY, ISSUE)
    assert (reply.value.number, reply.moved_to) == (1, f"/repositories/{fake.repository.id}/issues")
    assert [request.method for request in fake.requests] == ["POST", "POST"]
    assert fake.requests[0].body == fake.requests[1].body


@pytest.mark.parametrize("status", [302, 307])
def test_a_temporary_redirect_is_followed_and_not_to_be_remembered(
    client: GitHubClient, fake: FakeGitHub, status: Any
) -> None:
    place = f"{fake.url}/repositories/{fake.repository.id}/issues"
    fake.fail("create_issue", Redirect(location=place, status=status, message="Found"))
    assert client.create_issue(REPOSITORY, ISSUE).moved_to is None


def test_after_a_rename_every_call_goes_on_and_tells_the_new_name(client: GitHubClient, fake: FakeGitHub) -> None:
    client.create_issue(REPOSITORY, ISSUE)
    ann = fake.person("ann")
    ann.rename_repository("acme/alarms")
    place = f"/repositories/{fake.repository.id}"
    written = client.update_issue(REPOSITORY, 1, IssueChange(body="new"))
    assert (written.moved_to, written.value.repository) == (f"{place}/issues/1", "acme/alarms")
    assert client.get_issue(REPOSITORY, 1).moved_to == f"{place}/issues/1"
    assert client.create_comment(REPOSITORY, 1, "hello").moved_to == f"{place}/issues/1/comments"
    assert client.repository(REPOSITORY).value.full_name == "acme/alarms"
    for _ in range(100):
        ann.open("Again")
    assert len(list(client.list_issues(REPOSITORY))) == 101
    assert client.get_issue("acme/alarms", 1).moved_to is None


def test_a_transferred_issue_is_found_in_its_new_repository(client: GitHubClient, fake: FakeGitHub) -> None:
    client.create_issue(REPOSITORY, ISSUE)
    target = fake.add_repository("acme/pay")
    target_person = fake.person("ann", repository=target)
    target_person.open("Theirs")
    fake.person("ann").transfer(1, target)
    moved = client.update_issue(REPOSITORY, 1, IssueChange(body="new"))
    assert (moved.value.repository, moved.value.number) == ("acme/pay", 2)
    assert moved.moved_to == f"/repositories/{target.id}/issues/2"


@pytest.mark.parametrize(
    "location",
    [
        "https://elsewhere.example{path}",
        "http://127.0.0.1:1{path}",
        "//elsewhere.example{path}",
        "http://[broken",
    ],
)
def test_no_redirect_is_followed_to_another_host_port_or_scheme(
    client: GitHubClient, fake: FakeGitHub, location: str
) -> None:
    fake.fail("create_issue", Redirect(location=location))
    error = create(client)
    assert (error.reason, error.ambiguous, len(fake.requests)) == ("redirected", False, 1)


def test_the_token_never_reaches_another_server(world: World, client: GitHubClient) -> None:
    with FakeGitHub() as elsewhere:
        world.fake.fail("create_issue", Redirect(location=elsewhere.url + "{path}"))
        assert create(client).reason == "redirected"
        next_page = f'<{elsewhere.url}/repos/acme/incidents/issues?page=2>; rel="next"'
        world.fake.fail("list_issues", Garbled(body=None, headers={"Link": next_page}))
        assert failing(lambda: list(client.list_issues(REPOSITORY))).reason == "redirected"
        assert elsewhere.requests == []


@pytest.mark.parametrize("link", ["<http://127.0.0.1:port/>", "<https://user:secret@127.0.0.1/>"])
def test_no_link_to_an_odd_address_is_followed(client: GitHubClient, fake: FakeGitHub, link: str) -> None:
    fake.fail("list_issues", Garbled(body=None, headers={"Link": f'{link}; rel="next"'}))
    assert failing(lambda: list(client.list_issues(REPOSITORY))).reason == "redirected"


def test_pages_that_lead_in_a_circle_end(client: GitHubClient, fake: FakeGitHub) -> None:
    client.create_issue(REPOSITORY, ISSUE)
    circle = f"{fake.url}/repos/acme/incidents/issues?state=all&page=1"
    fake.fail("list_issues", Garbled(body=None, headers={"Link": f'<{circle}>; rel="next"'}), times=9)
    assert [issue.number for issue in client.list_issues(REPOSITORY)] == [1, 1]


def test_redirects_without_end_are_given_up(client: GitHubClient, fake: FakeGitHub) -> None:
    fake.fail("create_issue", Redirect(location="{path}"), times=9)
    assert create(client).reason == "redirected"
    assert len(fake.requests) == 4


def test_an_enterprise_server_is_reached_below_its_prefix(world: World) -> None:
    with FakeGitHub(now=world.clock.now, prefix="/api/v3") as server:
        client = world.client(api_url=f"{server.url}/")
        client.create_issue(REPOSITORY, ISSUE)
        server.person("ann").rename_repository("acme/alarms")
        moved = client.get_issue(REPOSITORY, 1).moved_to
        assert moved == f"/repositories/{server.repository.id}/issues/1"


# ---------------------------------------------------------------- metrics


def test_every_request_is_observed_with_its_outcome(world: World, client: GitHubClient) -> None:
    client.create_issue(REPOSITORY, ISSUE)
    world.fake.fail("create_comment", Limited())
    failing(lambda: client.create_comment(REPOSITORY, 1, "x"))
    assert world.observed == [("create_issue", "ok"), ("create_comment", "secondary_limit")]
