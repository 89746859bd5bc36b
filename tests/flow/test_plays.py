"""The incident process played through: a Sev-1 and a Sev-4, from the first alert to the review, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from fakes.github import FakeGitHub
from fakes.services import Receiver
from triaged.clock import FakeClock
from triaged.config import ChannelSettings, Settings
from world import START, World, alert, settings_for, world

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
RULES = Path(__file__).parents[2] / "rules"
HERE = "http://127.0.0.1:9876"
SERVICES = """
services:
  checkout:
    match: ['namespace="shop"', 'deployment=~"checkout.*"']
    team: payments
    tier: 1
    users: most
    functions: [payment]
    revenue: true
    runbook: https://runbooks.example.com/checkout
    depends_on: [postgres-main]
  postgres-main: {match: ['namespace="data"'], team: platform, tier: 1}
teams:
  platform: {channels: [ops], on_call: {rotation: [cid], handover: 'monday 09:00', zone: UTC}}
  payments: {channels: [pay], on_call: {rotation: [ann, bob], handover: 'monday 09:00', zone: UTC}}
  security: {}
  management: {channels: [management]}
  stakeholders: {channels: [news]}
people:
  ann: {github: ann-acme, notify: ['json://%s/ann']}
  bob: {notify: ['json://%s/bob']}
  cid: {}
"""
CHANNELS = ("ops", "pay", "management", "news")


@dataclass(slots=True)
class Play:
    """The daemon with its API, GitHub behind it, and one receiver for all channels, each at a path of its own."""

    daemon: World
    github: FakeGitHub
    receiver: Receiver

    def act(self, act: str, **fields: Any) -> dict[str, Any]:
        """What a person asks over the API; then the workers have ten seconds for what follows from it."""
        answer = self._ask("POST", f"/api/v1/incidents/INC-1/{act}", json=fields)
        assert answer.status_code == 200, answer.text
        self.daemon.advance(timedelta(seconds=10))
        found: dict[str, Any] = answer.json()
        return found

    @property
    def incident(self) -> dict[str, Any]:
        found: dict[str, Any] = self._ask("GET", "/api/v1/incidents/INC-1").json()
        return found

    @property
    def timeline(self) -> str:
        return "\n".join(f"{entry['by']}: {entry['text']}" for entry in self.incident["timeline"])

    @property
    def issue(self) -> str:
        return self.github.issues[0].body or ""

    @property
    def comments(self) -> str:
        return "\n".join(comment.body or "" for comment in self.github.comments(self.github.issues[0].number))

    def page(self, path: str) -> str:
        return self._ask("GET", path).text

    def told(self, who: str) -> list[str]:
        """Title and text of everything that went to a channel or a person, oldest first."""
        requests = [request for request in self.receiver.requests if request.path == f"/{who}"]
        return [f"{request.json['title']}\n{request.json['message']}" for request in requests]

    def _ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.daemon.app.application)
            async with httpx.AsyncClient(transport=transport, base_url=HERE) as client:
                return await client.request(method, path, **request)

        return asyncio.run(ask())


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, github: FakeGitHub, receiver: Receiver) -> Settings:
    """The shipped rules, with services and teams of one's own."""
    rules = tmp_path / "rules"
    rules.mkdir()
    for name in ("calendars.yaml", "severities.yaml", "triage.yaml"):
        (rules / name).write_text((RULES / name).read_text())
    (rules / "services.yaml").write_text(SERVICES % (receiver.place, receiver.place))
    channels = {name: ChannelSettings(url=f"json://{receiver.place}/{name}") for name in CHANNELS}
    return settings_for(tmp_path, github).model_copy(update={"rules": rules, "channels": channels})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def github(clock: FakeClock) -> Iterator[FakeGitHub]:
    with FakeGitHub(now=clock.now) as fake:
        yield fake


@pytest.fixture
def play(settings: Settings, clock: FakeClock, github: FakeGitHub, receiver: Receiver) -> Iterator[Play]:
    with world(settings, clock) as daemon:
        yield Play(daemon=daemon, github=github, receiver=receiver)


def test_a_sev1_is_played_from_the_first_alert_to_the_review(play: Play) -> None:
    fire = {"labels": {"namespace": "shop", "deployment": "checkout"}}
    daemon, clock = play.daemon, play.daemon.clock

    # 1, 2: detected, logged, categorized: payment fails for most users, and it carries revenue.
    assert daemon.deliver(alert("ServiceDown", **fire)).status == 200
    daemon.settle()
    assert (play.incident["severity"], play.incident["service"]) == ("sev1", "checkout")
    assert len(play.github.issues) == 1

    # 3: who is on call, management and stakeholders know within the second; the status page too.
    assert play.told("ann")
    assert play.told("management")
    assert "INCIDENT ALERT - checkout" in play.told("news")[0]
    assert "checkout" in play.page("/status")

    # 5: nobody takes it: the next one on call is told after ten minutes, then all again.
    daemon.advance(10 * MINUTE)
    assert play.told("bob")
    play.act("ack", by="bob")

    # 4: what bob finds out is written down by itself.
    play.act("note", by="bob", text="hypothesis: the release of nine o'clock drops carts")
    play.act("role", by="bob", role="communications", person="ann")
    daemon.advance(20 * MINUTE)

    # 8: ann is reminded of the update and writes it.
    assert any("update" in text.lower() for text in play.told("ann")[1:])
    play.act("update", by="ann", text="We roll back.", eta="30m")
    assert "We roll back." in play.told("news")[-1]
    assert "We roll back." in play.comments
    assert "We roll back." in play.page("/status")

    # 6, 7: mended, quiet, watched.
    clock.advance(15 * MINUTE)
    assert daemon.deliver(alert("ServiceDown", "resolved", ends=clock.now(), **fire)).status == 200
    play.act("resolve", by="bob", summary="Carts were dropped.", root_cause="A bad release.", fix="Rolled back.")
    assert play.incident["state"] == "verifying"
    daemon.advance(30 * MINUTE)
    assert play.incident["state"] == "resolved"
    assert "INCIDENT RESOLVED - checkout" in play.told("news")[-1]

    # 9: a person closes it.
    play.act("close", by="bob", prevention="A canary.")
    assert play.incident["state"] == "closed"
    assert play.github.issues[0].state == "closed"
    print(play.issue)
    print(play.timeline)


def test_a_sev4_is_played_without_waking_anybody(play: Play) -> None:
    fire = {"labels": {"namespace": "shop", "deployment": "checkout", "severity": "info"}}
    daemon, clock = play.daemon, play.daemon.clock

    # 1, 2: at night, and nobody is hurt.
    clock.move_to(START.replace(hour=23))
    assert daemon.deliver(alert("QueueSomewhatLong", starts=clock.now(), **fire)).status == 200
    daemon.settle()
    assert (play.incident["severity"], play.incident["state"]) == ("sev4", "open")

    # 3: its team is told when it works again; stakeholders hear nothing, the clock of a working day runs.
    daemon.advance(8 * HOUR)
    assert play.told("pay") == []
    daemon.advance(3 * HOUR)
    assert len(play.told("pay")) == 1
    assert play.told("ann") == []
    assert play.told("news") == []

    # 4, 6: it ends by itself in the morning.
    assert daemon.deliver(alert("QueueSomewhatLong", "resolved", ends=clock.now(), **fire)).status == 200
    daemon.settle()
    assert play.incident["state"] == "verifying"

    # 7, 9: watched for ten minutes, then closed by the daemon with its figures; nobody has to write anything.
    daemon.advance(11 * MINUTE)
    assert play.incident["state"] == "closed"
    assert play.github.issues[0].state == "closed"
    assert play.told("ann") == []

    # 10: no review.
    print(play.issue, play.timeline, play.told("pay"))
