"""A Sev-2 from its alert to its review by comments on GitHub alone: once heard of by webhooks, once found by polling.

The daemon, its store, its door with HTTP and its GitHub client are real; GitHub is the fake, and time is virtual.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from fakes.github import Comment, FakeGitHub, Role
from triaged import defaults
from triaged.app import App
from triaged.clock import FakeClock
from triaged.config import GitHubSettings, Settings
from waiting import wait_until
from world import START, World, alert, body, settings_for, world

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
EVENING = START.replace(hour=18)
SERVICES = """
services:
  checkout:
    match: ['namespace="shop"', 'deployment="checkout"']
    team: payments
    tier: 2
    users: some
teams:
  platform: {}
  payments: {on_call: {rotation: [ann, bob], handover: 'monday 09:00', zone: UTC}}
  security: {}
  management: {}
  stakeholders: {}
people:
  ann: {github: ann-acme}
  bob: {github: bob-acme}
"""
SHOP = {"namespace": "shop", "deployment": "checkout"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evening:
    """GitHub as people see it, and the daemon behind it; `hooked`: GitHub posts webhooks to the daemon's door."""

    daemon: World
    github: FakeGitHub
    url: str
    hooked: bool

    def passes(self, span: timedelta) -> None:
        """Time goes by. A webhook is told of all that happened just now, the last first, and again."""
        if self.hooked:
            happened = self.github.webhooks.waiting
            told = self.github.webhooks.send(f"{self.url}/api/v1/github/webhook", [*reversed(happened), *happened])
            assert set(told) <= {202}
        self.github.webhooks.waiting.clear()
        self.daemon.advance(span)

    def alertmanager_sends(self, status: str) -> None:
        now = self.daemon.clock.now()
        told = alert(status=status, labels=SHOP, starts=EVENING, ends=None if status == "firing" else now)
        url = f"{self.url}/api/v1/alerts/alertmanager"
        assert httpx.post(url, content=body([told]), timeout=30, trust_env=False).is_success
        self.passes(MINUTE)

    def says(self, login: str, text: str, *, on: int = 1, role: Role = Role.WRITE) -> Comment:
        """Somebody comments; a minute later the daemon has done what follows from it."""
        comment = self.github.person(login, role=role).comment(on, text)
        self.passes(MINUTE)
        return comment

    def shown(self, number: int = 1) -> str:
        return self.github.issue(number).body or ""

    def assigned(self) -> list[str]:
        return [user.login for user in self.github.issue(1).assignees]

    def answers(self, number: int = 1) -> list[str]:
        """What the daemon has commented, without its marker."""
        ours = (one for one in self.github.comments(number) if one.author == self.github.bot)
        return [one.body.partition("\n")[2].strip() for one in ours]


def settings(folder: Path, github: FakeGitHub, *, hooked: bool) -> Settings:
    """The shipped rules, with services, teams and people of one's own."""
    rules = folder / "rules"
    rules.mkdir()
    for name in ("calendars.yaml", "severities.yaml", "triage.yaml"):
        (rules / name).write_text((defaults.RULES / name).read_text())
    (rules / "services.yaml").write_text(SERVICES)
    (folder / "secret").write_text(github.webhooks.secret)
    made = settings_for(folder, github)
    known = made.backend.github
    assert isinstance(known, GitHubSettings)
    # With webhooks it may poll, but too late for all that happens here.
    changes = {"webhook_secret_file": folder / "secret", "poll_every": 200 * HOUR} if hooked else {"poll_every": None}
    backend = made.backend.model_copy(update={"github": known.model_copy(update=changes)})
    return made.model_copy(update={"rules": rules, "backend": backend})


@contextmanager
def open_door(app: App) -> Iterator[str]:
    """The daemon's own HTTP server, its door's process included, on a free port; where it is."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    thread = threading.Thread(target=lambda: asyncio.run(app.door.serve(listener, "warning")), name="door")
    thread.start()

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/-/healthy", trust_env=False).is_success
        except httpx.TransportError:
            return False

    try:
        wait_until(answers, seconds=60, what="the door to be open")
        yield url
    finally:
        app.door.stop()
        thread.join()


@pytest.fixture(params=["webhooks", "polling"])
def evening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Evening]:
    clock, hooked = FakeClock(EVENING), request.param == "webhooks"
    with (
        FakeGitHub(now=clock.now) as github,
        world(settings(tmp_path, github, hooked=hooked), clock) as daemon,
        open_door(daemon.app) as url,
    ):
        for login in ("ann-acme", "bob-acme"):
            github.person(login)
        yield Evening(daemon=daemon, github=github, url=url, hooked=hooked)


def test_a_sev2_is_handled_from_its_alert_to_its_review_by_comments_alone(evening: Evening) -> None:
    github, clock = evening.github, evening.daemon.clock

    # Six o'clock in the evening: some purchases fail, and ann is on call.
    evening.alertmanager_sends("firing")
    (issue,) = github.issues
    assert issue.title == "INC-1 HighErrorRate · eu-1 · shop · checkout"
    assert set(github.labels(1)) >= {"severity: sev2", "team: payments", "category: degradation"}
    assert "Sev-2 High · open, not acknowledged" in evening.shown()
    assert evening.assigned() == ["ann-acme"]
    assert evening.answers() == []

    # Somebody passes by who may only read: nothing comes of it.
    meddling = evening.says("zoe", "/close false alarm", role=Role.READ)
    assert (issue.state, github.reactions(meddling)) == ("open", ["confused"])
    assert len(evening.answers()) == 1

    # Bob is quicker than ann.
    taken = evening.says("bob-acme", "I see it, too.\n\n/ack\n/assign me")
    assert github.reactions(taken) == ["rocket"]
    assert "Sev-2 High · acknowledged by bob" in evening.shown()
    assert evening.assigned() == ["bob-acme"]
    assert "I see it, too." not in evening.shown()

    # He finds something, and mistypes something.
    evening.says("bob-acme", "/note hypothesis: the release of half past five drops carts")
    assert "the release of half past five drops carts" in evening.shown()
    slip = evening.says("bob-acme", "/eta soon")
    assert github.reactions(slip) == []
    assert "expected a duration like" in evening.answers()[-1]

    # Stakeholders get their update, customers a way around, and ann is asked to come.
    evening.says(
        "bob-acme",
        "/workaround Pay by invoice.\n\n/update We roll the release back.\nimpact: One payment in three fails\neta: 1h",
    )
    assert "Pay by invoice." in evening.shown()
    update = evening.answers()[-1]
    assert "We roll the release back." in update
    assert "@bob-acme" in update
    evening.says("bob-acme", "/escalate to ann The rollback needs a second pair of eyes.")
    call = evening.answers()[-1]
    assert "The rollback needs a second pair of eyes." in call
    assert "@ann-acme" in call

    # It is mended. Nothing fires any more, and twenty minutes later it is believed.
    clock.advance(20 * MINUTE)
    evening.alertmanager_sends("resolved")
    evening.says("ann-acme", "/resolve Carts were dropped.\nroot_cause: A bad release.\nfix: Rolled back.")
    assert "Sev-2 High · quiet, being watched" in evening.shown()
    evening.passes(21 * MINUTE)
    assert "Sev-2 High · resolved" in evening.shown()
    assert evening.answers()[-1].startswith("Resolved. Restored at 2026-11-23 18:28 UTC, after 28 min")
    assert issue.state == "open"

    # A person closes a Sev-2, and says what is still missing.
    closed = evening.says("ann-acme", "/close\nprevention: A canary.")
    assert (issue.state, issue.state_reason, github.reactions(closed)) == ("closed", "completed", ["rocket"])
    for told in ("Carts were dropped.", "A bad release.", "Rolled back.", "A canary."):
        assert told in evening.shown(), told

    # Thursday at ten they sit together over the review's own issue. (Polling for three nights would cost minutes.)
    _, review = github.issues
    assert (review.title, review.state) == ("REV-2 Review of INC-1 HighErrorRate · eu-1 · shop · checkout", "open")
    clock.advance(63 * HOUR)
    evening.passes(MINUTE)
    item = evening.says("bob-acme", "/action A canary for the checkout\nowner: me\ndue: 14d", on=2)
    assert github.reactions(item) == ["rocket"]
    assert "A canary for the checkout" in evening.shown(2)
    held = evening.says("ann-acme", "/review held", on=2)
    assert (review.state, review.state_reason, github.reactions(held)) == ("closed", "completed", ["rocket"])

    # Nothing was said twice; people did nothing but comment; who has webhooks need not ask all the time.
    assert len(set(evening.answers())) == len(evening.answers())
    assert {comment.author.login for comment in github.comments(1)} == {"ann-acme", "bob-acme", "zoe", "triaged-bot"}
    assert {event.by for event in issue.events + review.events} == {github.bot}
    assert (len(github.requests_of("list_issues")) < 10) is evening.hooked
