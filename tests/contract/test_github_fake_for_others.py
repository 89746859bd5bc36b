"""A client that others wrote, PyGithub, works with the fake as with GitHub and understands each of its answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from github import (
    Auth,
    BadCredentialsException,
    Github,
    GithubException,
    RateLimitExceededException,
    UnknownObjectException,
)
from github.Issue import Issue
from github.Repository import Repository

from fakes.github import FakeGitHub, Limited, Role
from triaged.clock import FakeClock
from world import START


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def fake(clock: FakeClock) -> Iterator[FakeGitHub]:
    """What PyGithub sends is its own affair (it names no version); what the fake answers is held to the description."""
    with FakeGitHub(now=clock.now) as running:
        yield running
        running.violations[:] = [words for words in running.violations if " → " in words]


@pytest.fixture
def github(fake: FakeGitHub) -> Iterator[Github]:
    with client(fake) as made:
        yield made


def client(fake: FakeGitHub, *, token: str = "") -> Github:
    """It sends everything once and at once."""
    auth = Auth.Token(token or fake.token)
    return Github(
        auth=auth,
        base_url=fake.url,
        timeout=5,
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
    )


@pytest.fixture
def repository(github: Github) -> Repository:
    return github.get_repo("acme/incidents")


@pytest.fixture
def issue(repository: Repository) -> Issue:
    return repository.create_issue("Checkout fails", "It burns.", labels=["severity: sev1"])


def test_who_it_is_and_where(github: Github, repository: Repository, fake: FakeGitHub) -> None:
    assert github.get_user().login == "triaged-bot"
    assert (repository.full_name, repository.private, repository.has_issues) == ("acme/incidents", True, True)
    assert repository.permissions.push
    assert not repository.permissions.admin
    assert repository.owner.type == "Organization"


def standing(issue: Issue) -> tuple[object, ...]:
    return issue.state, issue.state_reason, issue.closed_at


def test_an_issue_from_its_creation_to_its_end(issue: Issue, fake: FakeGitHub) -> None:
    assert (issue.number, issue.title, issue.body) == (1, "Checkout fails", "It burns.")
    assert (issue.user.login, issue.created_at, standing(issue)) == ("triaged-bot", START, ("open", None, None))
    issue.edit(body="It is out.", state="closed", state_reason="not_planned")
    assert (issue.body, standing(issue)) == ("It is out.", ("closed", "not_planned", START))
    assert issue.closed_by is not None
    assert issue.closed_by.login == "triaged-bot"
    fake.person("bob").reopen(1)
    assert issue.update()
    assert standing(issue) == ("open", "reopened", None)
    done = [(event.event, event.actor.login) for event in issue.get_events()]
    assert done == [("labeled", "triaged-bot"), ("closed", "triaged-bot"), ("reopened", "bob")]


def test_comments(issue: Issue, fake: FakeGitHub, clock: FakeClock) -> None:
    comment = issue.create_comment("On it.")
    assert (comment.body, comment.user.login, comment.created_at) == ("On it.", "triaged-bot", START)
    clock.advance(timedelta(minutes=5))
    fake.person("bob").comment(1, "Me too.")
    comment.edit("On it!")
    listed = [(one.body, one.user.login, one.updated_at - START) for one in issue.get_comments()]
    assert listed == [("On it!", "triaged-bot", timedelta(minutes=5)), ("Me too.", "bob", timedelta(minutes=5))]
    assert issue.get_comment(comment.id).html_url == f"{fake.url}/acme/incidents/issues/1#issuecomment-{comment.id}"
    assert [one.body for one in issue.get_comments(since=clock.now() + timedelta(minutes=1))] == []


def test_a_reaction_is_one_however_often_it_is_given(issue: Issue, fake: FakeGitHub) -> None:
    said = fake.person("bob").comment(1, "/ack")
    comment = issue.get_comment(said.id)
    first, again = comment.create_reaction("rocket"), comment.create_reaction("rocket")
    assert (first.content, first.user.login, first.id) == ("rocket", "triaged-bot", again.id)
    assert fake.reactions(said) == ["rocket"]
    assert [request.status for request in fake.requests_of("react")] == [201, 200]


def test_labels_and_assignees(repository: Repository, issue: Issue, fake: FakeGitHub) -> None:
    fake.person("bob")
    made = repository.create_label("team: pay", "0550ae", "Who pays")
    issue.add_to_labels(made, "new/one")
    issue.remove_from_labels("severity: sev1")
    assert [(label.name, label.color) for label in issue.get_labels()] == [
        ("team: pay", "0550ae"),
        ("new/one", "ededed"),
    ]
    issue.set_labels("team: pay")
    made.edit("team: payments", "0550af")
    assert sorted((label.name, label.description) for label in repository.get_labels()) == [
        ("new/one", None),
        ("severity: sev1", None),
        ("team: payments", "Who pays"),
    ]
    assert repository.get_label("TEAM: payments").color == "0550af"
    issue.add_to_assignees("bob")
    assert [user.login for user in issue.assignees] == ["bob"]
    issue.remove_from_assignees("bob")
    assert issue.assignees == []


def test_lists_of_many_pages(repository: Repository, fake: FakeGitHub, clock: FakeClock) -> None:
    bob = fake.person("bob")
    for number in range(70):
        clock.advance(timedelta(minutes=1))
        bob.open(f"Issue {number}")
    bob.close(7)
    newest = repository.get_issues(state="all")
    assert newest.totalCount == 70
    assert [one.number for one in newest] == [*range(70, 0, -1)]
    assert [one.number for one in repository.get_issues(state="closed")] == [7]
    since = START + timedelta(minutes=66)
    changed = repository.get_issues(state="all", sort="updated", direction="asc", since=since)
    assert [one.number for one in changed] == [66, 67, 68, 69, 7, 70]


def test_what_people_may(repository: Repository, fake: FakeGitHub) -> None:
    asked = {"ann": Role.ADMIN, "bob": Role.TRIAGE, "eve": Role.NONE}
    for login, role in asked.items():
        fake.grant(login, role)
    assert [repository.get_collaborator_permission(login) for login in asked] == ["admin", "read", "none"]
    assert [repository.get_collaborator_role_name(login) for login in asked] == ["admin", "triage", "none"]


def test_what_is_left_of_the_limits(github: Github, repository: Repository, fake: FakeGitHub) -> None:
    assert repository.name == "incidents"
    left = github.get_rate_limit().rate
    assert (left.limit, left.remaining, left.reset) == (5_000, 4_999, START + timedelta(hours=1))
    assert github.rate_limiting == (4_999, 5_000)
    fake.fail("create_issue", Limited(retry_after=60))
    with pytest.raises(RateLimitExceededException, match="temporarily blocked from content creation"):
        repository.create_issue("One too many")


def test_a_renamed_repository_and_an_answer_that_is_known(repository: Repository, fake: FakeGitHub) -> None:
    assert not repository.update()
    fake.person("ann").rename_repository("acme/operations")
    assert repository.update()
    assert repository.full_name == "acme/operations"
    assert fake.requests[-2].status == 301


def edit_what_is_deleted(issue: Issue, fake: FakeGitHub) -> None:
    fake.person("bob").delete_issue(1)
    issue.edit(body="Too late.")


ERRORS: dict[str, tuple[Callable[[Issue, FakeGitHub], object], type[GithubException], int, str]] = {
    "nowhere": (lambda issue, _: issue.repository.get_issue(99), UnknownObjectException, 404, "Not Found"),
    "too long": (lambda issue, _: issue.create_comment("x" * 65_537), GithubException, 422, "Validation Failed"),
    "a title of nothing": (lambda issue, _: issue.edit(title=""), GithubException, 422, "Validation Failed"),
    "a stranger": (
        lambda _, fake: client(fake, token="ghp_nobody").get_repo("acme/incidents"),
        BadCredentialsException,
        401,
        "Bad credentials",
    ),
    "deleted": (edit_what_is_deleted, GithubException, 410, "This issue was deleted"),
}


@pytest.mark.parametrize("error", ERRORS)
def test_errors(issue: Issue, fake: FakeGitHub, error: str) -> None:
    doing, kind, status, words = ERRORS[error]
    with pytest.raises(kind) as caught:
        doing(issue, fake)
    assert (type(caught.value), caught.value.status, caught.value.data["message"]) == (kind, status, words)
