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

    @property
    def outcomes(self) -> dict[str, str]:
        return {objective: self.incident[objective]["outcome"] for objective in ("response", "resolution")}

    @property
    def due(self) -> dict[str, str]:
        return {one["kind"]: one["due_at"] for one in self.incident["deadlines"]}

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
    daemon, clock = play.daemon, play.daemon.clock

    # 1, 2: detected, logged, categorized: nobody can pay, and it carries revenue.
    fire(play, "ServiceDown")
    assert (play.incident["severity"], play.incident["service"]) == ("sev1", "checkout")
    assert play.incident["category"] == "critical_function"

    # 3: on-call, management and stakeholders know at once, the status page too; the bridge and a commander are there.
    assert play.told("ann")[0].startswith("INC-1 Critical: ServiceDown")
    assert play.told("management")
    assert "INCIDENT ALERT - checkout" in play.told("news")[0]
    assert "outage" in play.page("/status")
    assert "https://meet.example.com/INC-1" in play.issue
    assert play.incident["process"]["roles"]["commander"] == "ann"

    # 5: nobody takes it: the next one on call is told after ten minutes.
    daemon.advance(10 * MINUTE)
    assert "Why you: nobody has acknowledged it for 10 min." in play.told("bob")[0]
    play.act("ack", by="bob")

    # 4: what there is to know was collected; what bob finds out is written down.
    assert "never seen before" in play.issue
    play.act("note", by="bob", text="hypothesis: the release of nine o'clock drops carts")
    play.act("role", by="bob", role="communications", person="ann")
    play.act("workaround", by="bob", text="Pay by invoice.")

    # 8: ann, who speaks to stakeholders, is reminded of the update before it is due, and writes it.
    daemon.advance(15 * MINUTE)
    assert "an update for stakeholders is due at 2026-11-23 09:30 UTC: ann reminded of it" in play.timeline
    play.act("update", by="ann", text="We roll back.", eta="30m")
    for place in (play.told("news")[-1], play.comments, play.page("/status")):
        assert "We roll back." in place
        assert "Pay by invoice." in place

    # 6, 7: mended, quiet, watched for half an hour.
    clock.advance(20 * MINUTE)
    end(play, "ServiceDown")
    play.act("resolve", by="bob", summary="Carts were dropped.", root_cause="A bad release.", fix="Rolled back.")
    assert play.incident["state"] == "verifying"
    daemon.advance(31 * MINUTE)
    assert play.incident["state"] == "resolved"
    assert "INCIDENT RESOLVED - checkout" in play.told("news")[-1]
    assert play.outcomes == {"response": "met", "resolution": "met"}

    # 9: the checklist says what facts tick; a person closes it, and it is summed up.
    assert "☑ Monitoring confirms stability" in play.issue
    assert "☐ Follow-up actions created" in play.issue
    play.act("close", by="bob", prevention="A canary.")
    assert (play.incident["state"], play.github.issues[0].state) == ("closed", "closed")
    assert "in figures: lasted 46 min" in play.timeline

    # 10: a review in working time, two to three days later, with what the talk needs; its action item is followed.
    review = play.incident["review"]
    assert (review["opens_at"], review["due_at"]) == ("2026-11-25T10:16:10Z", "2026-11-26T10:16:10Z")
    text = play.github.issues[1].body or ""
    assert "**Hypothesis** by bob: the release of nine o'clock drops carts" in text
    assert "## What went well\n\n## What could be improved\n" in text
    assert "REV-2" in play.page("/calendar.ics")
    play.act("action", by="ann", kind="preventive", text="Canary for the checkout", owner="bob", due="14d")
    daemon.advance(48 * HOUR)
    play.act("review", by="ann", outcome="held")
    assert play.github.issues[1].state == "closed"
    play.act("action", by="bob", done=1)
    assert play.incident["actions"][0]["done_by"] == "bob"


def test_a_sev4_is_played_without_waking_anybody(play: Play) -> None:
    daemon, clock = play.daemon, play.daemon.clock

    # 1, 2: late in the evening, and nobody is hurt.
    clock.move_to(START.replace(hour=23))
    fire(play, "QueueSomewhatLong", severity="info")
    assert (play.incident["severity"], play.incident["state"]) == ("sev4", "open")

    # 3, 5: its issue is there with its team; the message waits for the morning, and the clock of a working day runs.
    assert "team: payments" in play.github.labels(1)
    daemon.advance(9 * HOUR)
    assert play.told("pay") == []
    daemon.advance(2 * HOUR)
    assert len(play.told("pay")) == 1
    assert play.due["response"] == "2026-11-25T09:00:00Z"

    # 4: what there is to know is in the issue.
    assert "never seen before" in play.issue

    # 6, 7: it ends by itself, and is watched for ten minutes.
    end(play, "QueueSomewhatLong", severity="info")
    assert play.incident["state"] == "verifying"
    daemon.advance(11 * MINUTE)

    # 8, 9: closed by the daemon with its figures; stakeholders heard nothing, nobody was woken, nobody has to write.
    assert (play.incident["state"], play.github.issues[0].state) == ("closed", "closed")
    assert play.outcomes == {"response": "not_required", "resolution": "met"}
    assert (play.told("ann"), play.told("bob"), play.told("management"), play.told("news")) == ([], [], [], [])
    assert "in figures: lasted 11 h" in play.timeline
    assert "☑ Monitoring confirms stability" in play.issue
    assert "☐" not in play.issue

    # 10: nothing of it is reviewed.
    daemon.advance(72 * HOUR)
    assert play.incident["review"] is None
    assert len(play.github.issues) == 1


def fire(play: Play, name: str, **labels: str) -> None:
    """An alert of the checkout begins, and the workers have ten seconds for it."""
    now = play.daemon.clock.now()
    told = alert(name, labels={"namespace": "shop", "deployment": "checkout", **labels}, starts=now)
    assert play.daemon.deliver(told).status == 200
    play.daemon.advance(timedelta(seconds=10))


def end(play: Play, name: str, **labels: str) -> None:
    """It ends."""
    now = play.daemon.clock.now()
    told = alert(name, "resolved", labels={"namespace": "shop", "deployment": "checkout", **labels}, ends=now)
    assert play.daemon.deliver(told).status == 200
    play.daemon.advance(timedelta(seconds=10))
