"""What becomes of an incident whose repository or issue people renamed, moved, closed off or deleted at GitHub.

Each time: what the operator sees, how often GitHub is asked, and that it goes on by itself once it is mended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from fakes.github import FakeGitHub, Limited, Role
from fakes.github.people import Person
from triaged.clock import FakeClock
from triaged.config import BackendSettings, GitHubAppSettings, GitHubSettings, Settings
from triaged.core.events import Updated
from triaged.core.model import State
from world import ANN, START, World, alert, settings_for, world

MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def github(clock: FakeClock) -> Iterator[FakeGitHub]:
    with FakeGitHub(now=clock.now) as fake:
        yield fake


@pytest.fixture
def ann(github: FakeGitHub) -> Person:
    return github.person("ann")


@pytest.fixture
def daemon(tmp_path: Path, clock: FakeClock, github: FakeGitHub) -> Iterator[World]:
    with world(settings_for(tmp_path, github), clock) as one:
        yield one


def quiet(name: str = "HighErrorRate", **more: Any) -> dict[str, Any]:
    """An alert of Sev-3, of which nothing is said in comments while it fires."""
    return alert(name, labels={"severity": "warning", **more.pop("labels", {})}, **more)


def seen(daemon: World) -> str:
    """What the incident's page says of its publishing; "" while all is well."""
    return daemon.rows()[0].failure


def opened(daemon: World) -> None:
    """An incident with its issue."""
    daemon.deliver(quiet())
    daemon.advance(MINUTE)
    assert daemon.rows()[0].address is not None


def change(daemon: World) -> None:
    """Something that the issue has to tell: one more of it fires."""
    daemon.deliver(quiet(labels={"pod": f"p{daemon.clock.now().timestamp():.0f}"}))
    daemon.settle()


def asked_within(github: FakeGitHub, daemon: World, span: timedelta) -> list[datetime]:
    """The instants of all that GitHub is asked in order to write while this span passes: polls go on beside it."""
    before = len(github.requests)
    daemon.advance(span)
    asked = github.requests[before:]
    return [request.at for request in asked if request.query.get("sort") != "updated"]


def gaps(instants: list[datetime]) -> set[timedelta]:
    """The time between one burst of requests and the next, in whole minutes."""
    minutes = sorted({at.replace(second=0, microsecond=0) for at in instants})
    return {later - earlier for earlier, later in pairwise(minutes)}


# ---------------------------------------------------------------- it goes on elsewhere


def test_after_a_rename_the_issue_goes_on_under_the_new_name_and_nothing_fails(
    daemon: World, github: FakeGitHub, ann: Person
) -> None:
    opened(daemon)
    ann.rename_repository("acme/alarms")
    change(daemon)
    daemon.advance(MINUTE)
    address = daemon.rows()[0].address
    assert address is not None
    assert (address.repository, address.number, seen(daemon)) == ("acme/alarms", 1, "")
    daemon.deliver(quiet("Another"))
    daemon.advance(MINUTE)
    assert len(github.issues) == 2


def test_a_transferred_issue_is_followed_to_its_new_repository_and_number(
    daemon: World, github: FakeGitHub, ann: Person
) -> None:
    opened(daemon)
    target = github.add_repository("acme/pay")
    github.person("bob", repository=target).open("Theirs")
    ann.transfer(1, target)
    change(daemon)
    daemon.advance(MINUTE)
    address = daemon.rows()[0].address
    assert address is not None
    assert (address.repository, address.number, seen(daemon)) == ("acme/pay", 2, "")
    before = len(github.requests)
    change(daemon)
    daemon.advance(MINUTE)
    assert {request.status for request in github.requests[before:]} == {200}, "the old place is asked no more"


def test_an_issue_that_was_transferred_where_we_may_not_look_is_told_and_asked_for_each_quarter_of_an_hour(
    daemon: World, github: FakeGitHub, ann: Person
) -> None:
    opened(daemon)
    target = github.add_repository("acme/secret", role=Role.NONE)
    ann.transfer(1, target)
    change(daemon)
    assert "GitHub answered get_issue in acme/incidents with 404, not_found: Not Found" in seen(daemon)
    instants = asked_within(github, daemon, 6 * QUARTER)
    assert (len(instants), gaps(instants)) == (6, {QUARTER})
    github.grant(github.bot.login, Role.WRITE, repository=target)
    daemon.advance(QUARTER)
    assert seen(daemon) == ""
    assert github.issue(1).moved_to is not None


# ---------------------------------------------------------------- it is closed off for a while


def archive(ann: Person) -> Callable[[], None]:
    ann.archive_repository()
    return lambda: ann.archive_repository(archived=False)


def disable(ann: Person) -> Callable[[], None]:
    ann.disable_issues()
    return lambda: ann.disable_issues(enabled=True)


CLOSED_OFF = [
    (archive, "403, archived: Repository was archived so is read-only."),
    (disable, "410, issues_disabled: Issues are disabled for this repo"),
]


@pytest.mark.parametrize(("shut", "words"), CLOSED_OFF)
def test_a_repository_that_takes_no_issues_is_told_asked_each_quarter_of_an_hour_and_caught_up_with(
    daemon: World, github: FakeGitHub, ann: Person, shut: Callable[[Person], Callable[[], None]], words: str
) -> None:
    opened(daemon)
    reopen = shut(ann)
    with capture_logs() as logs:
        change(daemon)
    assert words in seen(daemon)
    assert "in acme/incidents" in seen(daemon)
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["not published"]
    instants = asked_within(github, daemon, 6 * QUARTER)
    assert gaps(instants) == {QUARTER}
    assert len(instants) <= 12
    reopen()
    mended_at = daemon.clock.now()
    daemon.advance(QUARTER)
    assert seen(daemon) == ""
    assert github.issue(1).updated_at >= mended_at


@pytest.mark.parametrize(("shut", "words"), CLOSED_OFF)
def test_a_storm_for_a_repository_that_takes_no_issues_asks_once_each_quarter_of_an_hour(
    daemon: World, github: FakeGitHub, ann: Person, shut: Callable[[Person], Callable[[], None]], words: str
) -> None:
    reopen = shut(ann)
    for number in range(15):
        daemon.deliver(quiet(f"Alert{number}"))
    instants = asked_within(github, daemon, 4 * QUARTER - MINUTE)
    assert len(instants) == 4, "one asks for all"
    assert all(words in row.failure for row in daemon.rows())
    reopen()
    daemon.advance(QUARTER + 3 * MINUTE)
    assert not [row for row in daemon.rows() if row.failure]
    assert len(github.issues) == 15


def test_a_repository_that_is_gone_does_not_hold_up_the_issues_of_others(
    tmp_path: Path, clock: FakeClock, github: FakeGitHub
) -> None:
    with world(settings_for(tmp_path, github), clock) as daemon:
        github.grant(github.bot.login, Role.NONE)
        for number in range(15):
            daemon.deliver(quiet(f"Alert{number}"))
        instants = asked_within(github, daemon, 4 * QUARTER - MINUTE)
        assert len(instants) == 4
        assert "404, not_found: Not Found" in seen(daemon)
        github.grant(github.bot.login, Role.WRITE)
        daemon.advance(QUARTER + 3 * MINUTE)
        assert len(github.issues) == 15


def test_a_locked_conversation_that_takes_no_comment_is_told_and_the_comment_comes_once_it_is_unlocked(
    daemon: World, github: FakeGitHub, ann: Person
) -> None:
    opened(daemon)
    ann.lock_issue(1)
    github.grant(github.bot.login, Role.TRIAGE)
    daemon.deliver(quiet(status="resolved", ends=daemon.clock.now()))
    with capture_logs() as logs:
        daemon.advance(2 * QUARTER)
    told = [line["error"] for line in logs if line["event"] == "not published"]
    assert any("403, locked: Unable to create comment because issue is locked." in line for line in told)
    tries = len(github.requests_of("create_comment"))
    daemon.advance(4 * QUARTER)
    assert len(github.requests_of("create_comment")) <= tries + 4
    assert github.comments(1) == []
    github.issue(1).locked = False
    daemon.advance(QUARTER)
    assert len(github.comments(1)) == 1


# ---------------------------------------------------------------- it is gone


def pending(daemon: World) -> int:
    with daemon.app.store.read() as reader:
        return reader.gauges(daemon.clock.now()).pending


def test_a_deleted_issue_is_told_once_and_asked_for_no_more(daemon: World, github: FakeGitHub, ann: Person) -> None:
    opened(daemon)
    url = daemon.rows()[0].address
    assert url is not None
    ann.delete_issue(1)
    with capture_logs() as logs:
        change(daemon)
        assert seen(daemon) == f"its issue {url.url} was deleted"
        daemon.act(1, Updated(actor=ANN, text="It goes on."))
        change(daemon)
        assert asked_within(github, daemon, 6 * QUARTER) == []
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["issue deleted"]
    assert [text for text in daemon.timeline(1) if "deleted" in text] == [
        f"its issue {url.url} was deleted: a reopening makes another one"
    ]
    assert (pending(daemon), daemon.rows()[0].address, len(github.creates)) == (0, None, 1)


def test_a_comment_that_meets_a_deleted_issue_is_given_up_with_it(
    daemon: World, github: FakeGitHub, ann: Person
) -> None:
    opened(daemon)
    github.fail("update_issue", Limited(retry_after=60))
    daemon.act(1, Updated(actor=ANN, text="It goes on."))
    daemon.settle()
    ann.delete_issue(1)
    daemon.advance(QUARTER)
    assert "was deleted" in seen(daemon)
    assert pending(daemon) == 0
    assert asked_within(github, daemon, 6 * QUARTER) == []


def test_a_deletion_that_only_a_look_meets_is_told_too(daemon: World, github: FakeGitHub, ann: Person) -> None:
    opened(daemon)
    ann.delete_issue(1)
    daemon.app._hint("acme/incidents", 1)
    daemon.advance(MINUTE)
    assert "was deleted" in seen(daemon)
    assert asked_within(github, daemon, 6 * QUARTER) == []


@pytest.mark.parametrize("known_before", [True, False])
def test_after_a_deletion_a_new_round_makes_another_issue_once_and_says_in_place_of_what(
    tmp_path: Path, clock: FakeClock, github: FakeGitHub, ann: Person, *, known_before: bool
) -> None:
    settings = settings_for(tmp_path, github)
    with world(settings, clock) as daemon:
        opened(daemon)
        daemon.deliver(quiet(status="resolved", ends=clock.now()))
        daemon.advance(2 * timedelta(hours=1))
        (first,) = daemon.rows()
        assert (first.incident.state, first.address is not None) == (State.CLOSED, True)
        ann.delete_issue(1)
        if known_before:
            daemon.app._hint("acme/incidents", 1)
            daemon.advance(MINUTE)
            assert "was deleted" in seen(daemon)
    with world(settings, clock) as daemon:
        daemon.deliver(quiet(starts=clock.now()))
        daemon.advance(2 * MINUTE)
        (row,) = daemon.rows()
        assert row.incident.round == 2
        assert (row.failure, row.address and row.address.number, pending(daemon)) == ("", 2, 0)
        issue = github.issue(2)
        assert issue.state == "open"
        assert first.address is not None
        assert f"its issue `{first.address.url}` is replaced by another one" in (issue.body or "")
        assert not [comment for comment in github.comments(2) if "esolved" in comment.body]
    with world(settings, clock) as daemon:
        change(daemon)
        daemon.advance(DAY)
        assert len(github.creates) <= 2 + len(github.comments(2)) + 1
        assert {issue.number for issue in github.issues} == {2}


def test_a_file_that_was_deleted_does_not_come_back_and_a_missing_folder_deletes_nothing(
    tmp_path: Path, clock: FakeClock
) -> None:
    folder = tmp_path / "incidents"
    with world(settings_for(tmp_path), clock) as daemon:
        daemon.deliver(quiet(), quiet("Another"))
        daemon.advance(MINUTE)
        folder.rename(tmp_path / "away")
        change(daemon)
        assert "there is no folder" in seen(daemon)
        (tmp_path / "away").rename(folder)
        daemon.advance(MINUTE)
        assert seen(daemon) == ""
        (folder / "INC-1.md").unlink()
        change(daemon)
        daemon.advance(MINUTE)
        assert seen(daemon).endswith("/INC-1.md was deleted")
        assert pending(daemon) == 0
        assert not (folder / "INC-1.md").exists()


# ---------------------------------------------------------------- an App


@pytest.fixture
def as_app(tmp_path: Path, clock: FakeClock, github: FakeGitHub) -> Iterator[World]:
    """The daemon as a GitHub App that is installed at acme."""
    app = github.add_app()
    github.install(app)
    key = tmp_path / "app.pem"
    key.write_bytes(app.pem)
    given = GitHubSettings(
        repository=github.repository.full_name,
        api_url=github.url,
        app=GitHubAppSettings(id=app.client_id, private_key_file=key),
    )
    backend = BackendSettings(type="github", github=given)
    settings = Settings(store=f"sqlite:///{tmp_path}/triaged.db", backend=backend)
    with world(settings, clock) as one:
        yield one


def test_an_app_opens_updates_and_closes_an_issue_in_its_own_name(as_app: World, github: FakeGitHub) -> None:
    opened(as_app)
    change(as_app)
    as_app.deliver(quiet(status="resolved", ends=as_app.clock.now()))
    as_app.advance(3 * timedelta(hours=1))
    (issue,) = github.issues
    assert issue.author.login == "triaged[bot]"
    assert {comment.author.login for comment in github.comments(1)} == {"triaged[bot]"}
    assert 401 not in [request.status for request in github.requests]


def test_an_app_that_is_uninstalled_is_told_asked_for_each_quarter_and_goes_on_when_it_is_back(
    as_app: World, github: FakeGitHub
) -> None:
    opened(as_app)
    (installation,) = github.apps.installations.values()
    github.uninstall(installation)
    as_app.advance(2 * timedelta(hours=1))
    for number in range(10):
        as_app.deliver(quiet(f"Alert{number}"))
    as_app.advance(MINUTE)
    words = "is not installed on acme/incidents, or was not given this repository"
    assert words in as_app.rows()[-1].failure
    instants = asked_within(github, as_app, 4 * QUARTER - MINUTE)
    assert gaps(instants) == {QUARTER}
    assert len(instants) <= 8
    github.install(installation.app)
    as_app.advance(QUARTER + 2 * MINUTE)
    assert len(github.issues) == 11
    assert not [row for row in as_app.rows() if row.failure]
