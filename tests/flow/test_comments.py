"""What is said in comments: to whom, how often at most, and what becomes of what an issue takes no more of."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from fakes.github import FakeGitHub, Limited, Role
from severities import severities
from triaged.clock import FakeClock
from triaged.config import Settings
from triaged.core.events import Acknowledged, Assigned, EscalateAsked, Updated
from triaged.core.model import State
from world import ANN, START, World, alert, settings_for, world

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
TRIAGE = """
matrix:
  extensive:   [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate:    [sev2, sev3, sev3, sev4]
  minor:       [sev3, sev3, sev4, sev4]
default: {impact: moderate, urgency: high, category: error, team: platform}
key: [alertname]
rules:
- {name: secret, match: ['secret="yes"'], restricted: true}
"""
SERVICES = """
teams:
  platform: {on_call: {rotation: [bob, carl], handover: 'monday 10:00', zone: UTC, from: 2026-11-16}}
people:
  ann: {github: ann-acme}
  bob: {github: bob-acme}
  carl: {github: carl-acme}
"""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def github(clock: FakeClock) -> Iterator[FakeGitHub]:
    with FakeGitHub(now=clock.now, oracle=False) as fake:
        yield fake


@pytest.fixture
def settings(tmp_path: Path, github: FakeGitHub) -> Settings:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "triage.yaml").write_text(TRIAGE)
    (rules / "services.yaml").write_text(SERVICES)
    (rules / "severities.yaml").write_text(severities(verify_for=(1,) * 4, close=("person",) * 4))
    return settings_for(tmp_path, github).model_copy(update={"rules": rules})


@pytest.fixture
def daemon(settings: Settings, clock: FakeClock) -> Iterator[World]:
    with world(settings, clock) as one:
        yield one


def flap(daemon: World, times: int, *, severity: str = "critical") -> None:
    """It fires, and is over for long enough to be resolved."""
    for _ in range(times):
        now = daemon.clock.now()
        daemon.deliver(alert(labels={"severity": severity}, starts=now))
        daemon.advance(timedelta(seconds=30))
        daemon.deliver(alert(status="resolved", labels={"severity": severity}, starts=now, ends=daemon.clock.now()))
        daemon.advance(timedelta(seconds=90))


def said(github: FakeGitHub) -> list[str]:
    return [comment.body.partition("\n")[2].strip() for comment in github.comments(1)]


def called(text: str) -> list[str]:
    return re.findall(r"@(?!\u200b)([\w-]+)", text)


def page(daemon: World) -> str:
    """The incident's page, as text."""

    async def get() -> str:
        transport = httpx.ASGITransport(app=daemon.app.application)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:9118") as client:
            return (await client.get("/incidents/INC-1")).text

    return " ".join(re.sub(r"<[^>]+>", " ", asyncio.run(get())).split())


# ---------------------------------------------------------------- whom they call


def test_what_notifies_calls_who_is_on_call_when_it_is_written_and_who_has_it(
    daemon: World, github: FakeGitHub
) -> None:
    daemon.deliver(alert())
    daemon.advance(MINUTE)
    daemon.act(1, Updated(actor=ANN, text="Ask @everybody."))
    daemon.advance(MINUTE)
    daemon.act(1, Assigned(actor=ANN, to="ann"))
    daemon.act(1, EscalateAsked(actor=ANN, to="bob", reason="It grows."))
    daemon.advance(MINUTE)
    update, escalated = said(github)
    assert called(update) == ["bob-acme"]
    assert called(escalated) == ["bob-acme", "ann-acme"]
    daemon.act(1, EscalateAsked(actor=ANN, to="carl", reason="He wrote it."))
    daemon.advance(MINUTE)
    assert called(said(github)[-1]) == ["carl-acme", "bob-acme", "ann-acme"]
    assert "He wrote it.\n" in said(github)[-1]
    daemon.advance(HOUR)
    before = len(said(github))
    daemon.act(1, Updated(actor=ANN, text="It is carl's turn."))
    daemon.advance(MINUTE)
    assert called(said(github)[before]) == ["carl-acme", "ann-acme"]


def test_of_what_is_restricted_people_are_called_and_nothing_is_told(daemon: World, github: FakeGitHub) -> None:
    daemon.deliver(alert(labels={"secret": "yes"}))
    daemon.act(1, Acknowledged(actor=ANN))
    daemon.advance(MINUTE)
    daemon.act(1, Updated(actor=ANN, text="The key of the vault leaked."))
    daemon.advance(MINUTE)
    assert said(github) == ["Update: the incident's own page says more.\n\n@bob-acme @ann-acme"]


# ---------------------------------------------------------------- how many


def test_what_flaps_is_told_ten_times_an_hour_and_the_issue_says_what_was_left_out(
    settings: Settings, clock: FakeClock, github: FakeGitHub
) -> None:
    with world(settings, clock) as daemon:
        flap(daemon, 15)
        (incident,) = daemon.incidents()
        assert incident.round == 15, "each time it was opened again"
        assert len(said(github)) == 10
        assert sum(text.startswith("reopened") for text in daemon.timeline(1)) == 14, "nothing is lost"
        assert "19 comments left out on the issue: what they would have said is below." in page(daemon)
        assert "*19 comments were left out, for they would have filled this issue: see the timeline.*" in (
            github.issue(1).body or ""
        )
    with world(settings, clock) as daemon:
        flap(daemon, 1)
        assert len(said(github)) == 10, "a restart decides nothing anew"
        daemon.deliver(alert(starts=clock.now()))
        daemon.act(1, EscalateAsked(actor=ANN, to="bob", reason="It flaps."))
        daemon.act(1, Updated(actor=ANN, text="We look at it."))
        daemon.advance(MINUTE)
        assert [text.partition(" ")[0] for text in said(github)[10:]] == ["Escalated", "Update"]
        daemon.advance(HOUR)
        daemon.act(1, EscalateAsked(actor=ANN, to="carl", reason="Another hour."))
        daemon.deliver(alert(status="resolved", ends=clock.now()))
        daemon.advance(2 * MINUTE)
        assert len(said(github)) == 14, "another hour"
        assert (github.issue(1).body or "").count("comments were left out") == 1


def test_an_outage_leaves_nothing_out_of_what_was_said_in_its_time(daemon: World, github: FakeGitHub) -> None:
    """It counts when something was to be said, not when GitHub took it."""
    daemon.deliver(alert())
    daemon.advance(MINUTE)
    github.fail("update_issue", Limited(retry_after=4 * 3600))
    for _ in range(3):
        flap(daemon, 3)
        daemon.advance(HOUR)
        assert said(github) == []
    daemon.advance(HOUR)
    assert len(said(github)) == 17
    assert "left out" not in (github.issue(1).body or "")


def test_where_github_takes_no_more_comments_they_are_given_up_and_the_issue_says_so(
    daemon: World, github: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.deliver(alert())
    daemon.advance(MINUTE)
    monkeypatch.setattr("fakes.github.comments.COMMENT_LIMIT", 0)
    with capture_logs() as logs:
        flap(daemon, 1)
        daemon.advance(HOUR)
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["comment given up"]
    assert len(github.requests_of("create_comment")) == 1
    assert "*1 comment was left out, for GitHub takes no more comments here: see the timeline.*" in (
        github.issue(1).body or ""
    )
    flap(daemon, 2)
    assert len(github.requests_of("create_comment")) == 1, "nor is it asked again"
    assert "5 comments left out on the issue, which takes no more:" in page(daemon)
    assert daemon.incidents()[0].state is State.RESOLVED
    with daemon.app.store.read() as reader:
        assert reader.gauges(daemon.clock.now()).pending == 0
    (row,) = daemon.rows()
    assert row.failure == ""


def test_a_comment_that_cannot_be_written_is_on_the_page(daemon: World, github: FakeGitHub) -> None:
    daemon.deliver(alert())
    daemon.advance(MINUTE)
    github.person("ann").lock_issue(1)
    github.grant(github.bot.login, Role.TRIAGE)
    daemon.act(1, Updated(actor=ANN, text="We look at it."))
    daemon.advance(MINUTE)
    assert "A comment waits: GitHub answered create_comment in acme/incidents with 403, locked" in page(daemon)
    github.grant(github.bot.login, Role.WRITE)
    daemon.advance(HOUR)
    assert "A comment waits" not in page(daemon)
    assert len(said(github)) == 1
