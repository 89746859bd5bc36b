"""What people do on the issues of reviews and problems, how issues lead to each other, and which number is whose."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from fakes.github import FakeGitHub
from triaged import defaults
from triaged.clock import FakeClock
from triaged.config import GitHubSettings, Settings
from triaged.core.events import ActionAsked, CloseAsked, Record
from triaged.core.model import CloseReason, State
from triaged.ports.backend import Address
from triaged.store import problems, queue
from world import ANN, START, World, alert, settings_for, world

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
TRIAGE = """
matrix:
  extensive: [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate: [sev2, sev3, sev3, sev4]
  minor: [sev3, sev3, sev4, sev4]
default: {impact: moderate, urgency: high, category: error, team: platform}
key: [alertname]
problems: {same_key: {incidents: 2, within: 7d}}
rules:
- {name: grave, match: ['severity="critical"'], impact: extensive, urgency: critical}
- {name: paying, match: ['alertname="Pay"'], repository: acme/pay}
"""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def github(clock: FakeClock) -> Iterator[FakeGitHub]:
    with FakeGitHub(now=clock.now) as fake:
        yield fake


def polling(folder: Path, github: FakeGitHub) -> Settings:
    settings = settings_for(folder, github)
    rules = folder / "rules"
    rules.mkdir()
    (rules / "triage.yaml").write_text(TRIAGE)
    for name in ("severities.yaml", "calendars.yaml"):
        shutil.copy(defaults.RULES / name, rules)
    known = settings.backend.github
    assert isinstance(known, GitHubSettings)
    polled = known.model_copy(update={"poll_every": None, "labels": ("cluster",)})
    return settings.model_copy(
        update={"rules": rules, "backend": settings.backend.model_copy(update={"github": polled})}
    )


@pytest.fixture
def daemon(tmp_path: Path, clock: FakeClock, github: FakeGitHub) -> Iterator[World]:
    with world(polling(tmp_path, github), clock) as one:
        yield one


def reviewed(daemon: World) -> str:
    """A Sev-1 that is over, for which a review was asked for, with an action item; the review's name."""
    daemon.deliver(alert())
    daemon.advance(MINUTE)
    daemon.act(1, ActionAsked(actor=ANN, text="Add a limit"))
    daemon.deliver(alert(status="resolved", ends=daemon.clock.now()))
    daemon.advance(MINUTE)
    daemon.clock.move_to(daemon.clock.now() + HOUR)
    daemon.advance(MINUTE)
    (incident,) = daemon.incidents()
    assert incident.state is State.RESOLVED
    assert incident.process.review is not None
    return incident.process.review.name


def test_a_review_and_its_incident_lead_to_each_other_by_plain_links(daemon: World, github: FakeGitHub) -> None:
    name = reviewed(daemon)
    incident, review = github.issue(1), github.issue(2)
    assert f"[{name}]({led(github, 2)})" in (incident.body or "")
    assert f"[its issue]({led(github, 1)})" in (review.body or "")


def led(github: FakeGitHub, number: int) -> str:
    """Where an issue is."""
    return f"{github.url}/{github.repository.full_name}/issues/{number}"


def test_what_people_say_on_a_reviews_issue_enters_the_incidents_timeline_and_not_the_issue(
    daemon: World, github: FakeGitHub
) -> None:
    name = reviewed(daemon)
    github.person("bob-acme").comment(2, "The limit was missing.")
    daemon.advance(MINUTE)
    daemon.act(1, ActionAsked(actor=ANN, text="Write it down"))
    daemon.advance(MINUTE)
    told = [text for text in daemon.timeline(1) if "The limit was missing." in text]
    assert [text.partition(" (")[0] for text in told] == [f"on {name}: The limit was missing."]
    assert "The limit was missing." not in (github.issue(2).body or "")
    assert "The limit was missing." not in (github.issue(1).body or "")


def test_a_tick_on_a_reviews_issue_marks_an_action_item_done_and_taking_it_back_is_only_told(
    daemon: World, github: FakeGitHub
) -> None:
    name = reviewed(daemon)
    bob, body = github.person("bob-acme"), github.issue(2).body or ""
    bob.edit_body(2, body.replace("- [ ] 1. ", "- [x] 1. "))
    daemon.advance(2 * MINUTE)
    (item,) = daemon.incidents()[0].process.actions
    assert (item.done_at is not None, item.done_by) == (True, "somebody on the issue")
    body = github.issue(2).body or ""
    assert body.count("Add a limit") == 1
    assert "- [x] 1. " in body
    bob.edit_body(2, body.replace("- [x] 1. ", "- [ ] 1. "))
    daemon.advance(2 * MINUTE)
    (item,) = daemon.incidents()[0].process.actions
    assert item.done_at is not None
    told = [text for text in daemon.timeline(1) if "ticked" in text]
    assert told == [f"no longer ticked on {name}: action item 1"]
    assert "- [x] 1. " in (github.issue(2).body or "")


def test_an_action_item_that_is_done_elsewhere_is_no_news_of_its_issue(daemon: World) -> None:
    reviewed(daemon)
    daemon.act(1, ActionAsked(actor=ANN, text="", done=1))
    daemon.advance(5 * MINUTE)
    assert [text for text in daemon.timeline(1) if "ticked" in text] == []
    assert sum(text.startswith("done by") for text in daemon.timeline(1)) == 1


def test_a_problem_and_its_incidents_lead_to_each_other_and_its_comments_are_kept(
    daemon: World, github: FakeGitHub
) -> None:
    for _ in range(2):
        begun = daemon.clock.now()
        warning = {"severity": "warning"}
        daemon.deliver(alert("Disk", labels=warning, starts=begun))
        daemon.advance(MINUTE)
        if len(daemon.incidents()) == 1:
            daemon.deliver(alert("Disk", "resolved", labels=warning, starts=begun, ends=daemon.clock.now()))
            daemon.act(1, CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record()))
            daemon.advance(MINUTE)
            daemon.clock.move_to(daemon.clock.now() + 30 * HOUR)
    daemon.advance(5 * MINUTE)
    (problem,) = (one for one in github.issues if "PRB-" in one.title)
    (second,) = (one for one in github.issues if one.title.startswith("INC-2"))
    assert f"[issue]({led(github, second.number)})" in (problem.body or "")
    assert f"[issue]({led(github, 1)})" in (problem.body or "")
    assert f"[its issue]({led(github, problem.number)})" in (second.body or "")
    said = github.person("bob-acme").comment(problem.number, "The disk is too small.\n\n/nonsense")
    daemon.advance(MINUTE)
    number = int(problem.title.partition(" ")[0].removeprefix("PRB-"))
    assert any(text.startswith("The disk is too small.") and str(said.id) in text for text in daemon.timeline(number))
    assert "too small" not in (github.issue(problem.number).body or "")
    with daemon.app.store.read() as reader:
        assert problems.one(reader.connection, number) is not None


def test_what_people_tick_stands_as_confirmed_on_page_and_api_until_they_take_it_back(
    daemon: World, github: FakeGitHub
) -> None:
    daemon.deliver(alert())
    daemon.advance(MINUTE)
    bob, body = github.person("bob-acme"), github.issue(1).body or ""
    bob.edit_body(1, body.replace("- [ ] Users confirm", "- [x] Users confirm"))
    daemon.advance(MINUTE)
    confirmed = "Users confirm that it works"
    assert asked(daemon, "/api/v1/incidents/INC-1").json()["confirmed"] == [confirmed]
    assert f"<dt>Confirmed on its issue</dt><dd>{confirmed}</dd>" in asked(daemon, "/incidents/INC-1").text
    bob.edit_body(1, body)
    daemon.advance(MINUTE)
    assert asked(daemon, "/api/v1/incidents/INC-1").json()["confirmed"] == []


def asked(daemon: World, path: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(daemon.app.application)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:9876") as client:
            return await client.get(path)

    return asyncio.run(ask())


def test_labels_of_alerts_are_labels_of_the_issue(daemon: World, github: FakeGitHub) -> None:
    daemon.deliver(alert())
    daemon.advance(MINUTE)
    assert "cluster: eu-1" in github.labels(1)
    daemon.deliver(alert(labels={"cluster": "eu-2"}))
    daemon.advance(MINUTE)
    assert {"cluster: eu-1", "cluster: eu-2"} <= {*github.labels(1)}


class Both:
    """An incident each in two repositories, where both issues have the number 1."""

    def __init__(self, daemon: World, github: FakeGitHub) -> None:
        self.daemon, self.github = daemon, github
        self.pay = github.add_repository("acme/pay")
        daemon.deliver(alert())
        daemon.deliver(alert("Pay"))
        daemon.advance(MINUTE)
        assert [*self.pay.issues] == [1] == [issue.number for issue in github.issues]
        self.at_pay = github.person("bob-acme", repository=self.pay)

    def address(self, number: int) -> Address:
        with self.daemon.app.store.read() as reader:
            found = queue.publication_of(reader.connection, number)
        assert found is not None
        assert found.address is not None
        return found.address


def test_issues_of_one_number_in_two_repositories_are_never_taken_for_each_other(
    daemon: World, github: FakeGitHub
) -> None:
    both = Both(daemon, github)
    both.at_pay.comment(1, "Paying is slow.")
    both.at_pay.label(1, "acknowledged")
    assert daemon.app._hint("acme/pay", 1)
    assert not daemon.app._hint("acme/elsewhere", 1)
    daemon.advance(MINUTE)
    first, second = daemon.incidents()
    assert (first.acknowledged_by, second.acknowledged_by) == (None, "bob-acme")
    assert [any("Paying is slow." in text for text in daemon.timeline(number)) for number in (1, 2)] == [False, True]
    both.at_pay.close(1)
    daemon.advance(MINUTE)
    assert [one.state for one in daemon.incidents()] == [State.OPEN, State.CLOSED]
    assert (github.issue(1).state, both.pay.issues[1].state) == ("open", "closed")


def test_a_transferred_issue_is_known_by_its_new_place_and_its_old_number_is_free(
    daemon: World, github: FakeGitHub
) -> None:
    both = Both(daemon, github)
    both.at_pay.transfer(1, github.repository)
    daemon.deliver(alert("Pay", labels={"pod": "b"}))
    daemon.advance(MINUTE)
    place = both.address(2)
    assert (place.repository, place.number) == ("acme/incidents", 2)
    github.person("bob-acme").close(2)
    daemon.advance(MINUTE)
    assert [one.state for one in daemon.incidents()] == [State.OPEN, State.CLOSED]
    assert not daemon.app._hint("acme/pay", 1)
