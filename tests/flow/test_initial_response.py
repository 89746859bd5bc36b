"""The first seconds of a major incident, and who comes together for it: the whole daemon in virtual time."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from fakes.github import FakeGitHub
from fakes.services import Receiver
from triaged.clock import FakeClock
from triaged.config import BridgeSettings, ChannelSettings, Settings
from triaged.core.events import MergeAsked, Noted, RoleGiven, SeverityChosen
from triaged.core.model import Impact, Role, Severity
from triaged.core.reports import SOURCE, Report, alert_of
from triaged.errors import StoreError
from triaged.intake.units import Answer, Delivery
from triaged.ports.source import Reading
from triaged.workers.assemble import MOST_TRIES
from world import ANN, START, World, alert, settings_for, world

RULES = Path(__file__).parents[2] / "rules"
MADE = b'{"url": "https://meet.example.com/made"}'
MINUTE = timedelta(minutes=1)
TEAMS = """
services: {checkout: {team: platform}, lonely: {team: shop}}
teams:
  platform: {channels: [ops], on_call: {rotation: [ann, bob], handover: 'monday 09:00', zone: UTC}}
  shop: {}
  stakeholders: {channels: [news]}
  management: {channels: [boss]}
people: {ann: {notify: ['json://%s/ann']}, bob: {notify: ['json://%s/bob']}}
"""
TRIAGE = """
matrix:
  extensive: [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate: [sev2, sev3, sev3, sev4]
  minor: [sev3, sev3, sev4, sev4]
default: {impact: moderate, urgency: high, category: error, team: platform}
key: [alertname]
rules:
- {name: top, match: ['sev="1"'], impact: extensive, urgency: critical, because: No purchase works.}
- {name: secret, match: ['secret="yes"'], restricted: true, category: security}
- {name: people, source: ['name="people"'], match: ['impact="extensive"'], impact: extensive, urgency: critical}
"""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def told() -> Iterator[Receiver]:
    """Everybody's phone, and every channel."""
    with Receiver() as running:
        yield running


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with Receiver(answer=MADE) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, told: Receiver) -> Settings:
    rules = tmp_path / "rules"
    rules.mkdir()
    for name in ("calendars.yaml", "severities.yaml"):
        (rules / name).write_text((RULES / name).read_text())
    (rules / "services.yaml").write_text(TEAMS % (told.place, told.place))
    (rules / "triage.yaml").write_text(TRIAGE)
    channels = {name: ChannelSettings(url=f"json://{told.place}/{name}") for name in ("ops", "news", "boss")}
    return settings_for(tmp_path).model_copy(update={"rules": rules, "channels": channels})


@pytest.fixture
def hooked(settings: Settings, hook: Receiver) -> Settings:
    """One whose bridges a service makes."""
    assert settings.rules is not None
    file = settings.rules / "severities.yaml"
    file.write_text(re.sub(r"bridge: \S+/\{\{ incident \}\}", "bridge: hook", file.read_text()))
    bridge = BridgeSettings(hook_url=f"http://{hook.place}/make")
    return settings.model_copy(update={"bridge": bridge})


def fire(one: World, name: str = "Down", **labels: str) -> None:
    assert one.deliver(alert(name, labels={"sev": "1", **labels}, starts=one.clock.now())).status == 200
    one.settle()


def bridges(one: World, incident_id: int = 1) -> list[str]:
    return [text for text in one.timeline(incident_id) if "bridge" in text]


def status_page(one: World) -> str:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(one.app.application)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:9876") as client:
            return await client.get("/status")

    return asyncio.run(ask()).text


# ---------------------------------------------------------------- the first seconds


def test_everybody_is_called_told_and_shown_while_github_is_down(
    tmp_path: Path, settings: Settings, told: Receiver, clock: FakeClock
) -> None:
    with FakeGitHub(now=clock.now) as github:
        backend = settings_for(tmp_path, github).backend
        with world(settings.model_copy(update={"backend": backend}), clock) as one:
            github.down()
            fire(one, service="checkout")
            one.advance(timedelta(seconds=10))
            assert github.issues == []
            assert re.search(r"checkout.*Investigating", status_page(one), re.DOTALL)
            paths = [request.path for request in told.requests]
            titles = {request.path: request.json["title"] for request in told.requests}
            assert set(paths) == {"/ann", "/boss", "/news"}
            assert titles["/ann"] == titles["/boss"] == "INC-1 Critical: Down"
            assert titles["/news"].startswith("INCIDENT ALERT")
            notice = next(request.json["message"] for request in told.requests if request.path == "/news")
            for words in (
                "Status: Investigating",
                "Severity: Critical",
                "updates every 30 minutes",
                "Next Update: 2026-",
            ):
                assert words in notice
            said = one.timeline(1)
            order = ("Down fires", "opened as sev1", "level 1 of 3", "incident commander: ann", "bridge: https://meet.")
            at = [next(n for n, text in enumerate(said) if text.startswith(words)) for words in order]
            assert at == sorted(at)
            (incident,) = one.incidents()
            assert incident.process.assembled_at == incident.opened_at == START
            github.up()
            one.advance(5 * MINUTE)
            (issue,) = github.issues
            body = issue.body or ""
    assert "- **Bridge:** [meet here](https://meet.example.com/INC-1)" in body
    assert "- **Incident commander:** ann" in body
    for role in ("technical", "communications", "scribe"):
        assert f"nobody yet: comment `/role {role} NAME`" in body


def test_a_report_of_a_person_calls_everybody_as_an_alert_does(settings: Settings, clock: FakeClock) -> None:
    with world(settings, clock) as one:
        found = alert_of(Report(key="a", by="bob", summary="Nobody can pay", impact=Impact.EXTENSIVE))
        one.app.writer.ask(Delivery(id="r", source=SOURCE, body=b"", reading=Reading(alerts=(found,), rejected=())))
        one.settle()
        assert one.incidents()[0].process.roles == {"commander": "ann"}
        assert bridges(one) == ["bridge: https://meet.example.com/INC-1"]


def test_no_notice_waits_for_the_bridge_and_what_is_told_later_has_it(
    hooked: Settings, hook: Receiver, told: Receiver, clock: FakeClock
) -> None:
    hook.statuses = [500]
    with world(hooked, clock) as one:
        fire(one)
        one.advance(11 * MINUTE)
    messages = {request.json["title"]: request.json["message"] for request in told.requests if request.path != "/news"}
    assert "Bridge: https://meet.example.com/made" in messages["INC-1 Critical needs you: Down"]
    assert "Bridge:" not in messages["INC-1 Critical: Down"]


def test_holders_of_roles_are_asked_by_notices_of_their_own(
    settings: Settings, told: Receiver, clock: FakeClock
) -> None:
    with world(settings, clock) as one:
        fire(one)
        one.act(1, RoleGiven(actor=ANN, role=Role.SCRIBE, person="bob"))
        one.advance(20 * MINUTE)
        one.act(1, Noted(actor=ANN, text="It is the database."))
        one.advance(11 * MINUTE)
        asked = [(r.path, r.json["message"]) for r in told.requests if "how does it go?" in r.json["title"]]
        assert [path for path, _ in asked] == ["/bob"]
        assert "You are scribe and wrote nothing since the last check-in" in asked[0][1]
        assert "check-in: bob (scribe) asked how it goes" in one.timeline(1)


def test_other_severities_have_no_bridge_until_they_are_raised(settings: Settings, clock: FakeClock) -> None:
    with world(settings, clock) as one:
        fire(one, sev="3")
        assert (bridges(one), one.incidents()[0].process.roles) == ([], {})
        one.act(1, SeverityChosen(actor=ANN, severity=Severity.SEV1))
        one.settle()
        assert bridges(one) == ["bridge: https://meet.example.com/INC-1"]


def test_where_nobody_is_on_call_the_bridge_is_made_all_the_same(settings: Settings, clock: FakeClock) -> None:
    with world(settings, clock) as one:
        fire(one, service="lonely")
        assert bridges(one) == ["bridge: https://meet.example.com/INC-1"]
        assert "incident commander: nobody yet, for nobody is on call for shop" in one.timeline(1)


# ---------------------------------------------------------------- a service makes the bridge


def test_a_service_is_asked_with_what_it_is_and_its_link_is_the_bridge(
    hooked: Settings, hook: Receiver, clock: FakeClock
) -> None:
    with world(hooked, clock) as one:
        fire(one)
        assert bridges(one) == ["bridge: https://meet.example.com/made"]
    (request,) = hook.requests
    assert request.json == {
        "incident": "INC-1",
        "title": "Down",
        "severity": "sev1",
        "service": "",
        "team": "platform",
        "url": "http://localhost:9876/incidents/INC-1",
    }


def test_a_service_that_fails_is_asked_again_with_the_same_key_and_told_once(
    hooked: Settings, hook: Receiver, told: Receiver, clock: FakeClock
) -> None:
    hook.statuses = [500, 500]
    with world(hooked, clock) as one:
        fire(one)
        assert one.incidents()[0].process.roles == {"commander": "ann"}
        assert {request.path for request in told.requests} == {"/ann", "/boss", "/news"}
        one.advance(MINUTE)
        assert bridges(one) == [
            "no bridge yet: expected 200 of the bridge's hook, got 500; it is tried again",
            "bridge: https://meet.example.com/made",
        ]
    keys = {request.headers["idempotency-key"] for request in hook.requests}
    assert (len(hook.requests), len(keys)) == (3, 1)


def test_a_service_that_always_fails_is_given_up_and_nothing_else_waits_for_it(
    hooked: Settings, hook: Receiver, clock: FakeClock
) -> None:
    hook.status = 500
    with world(hooked, clock) as one:
        fire(one)
        one.advance(9 * MINUTE)
        assert bridges(one)[-1] == "no bridge: expected 200 of the bridge's hook, got 500"
        assert len(bridges(one)) == 2
        one.advance(timedelta(hours=5))
        with one.app.store.read() as reader:
            issue = one.app.render(reader, 1)
        assert issue is not None
        assert "- **Bridge:** none, see the timeline" in issue.block
    assert len(hook.requests) == MOST_TRIES


def test_a_death_between_the_service_s_answer_and_the_commit_asks_again_with_the_same_key(
    hooked: Settings, hook: Receiver, clock: FakeClock
) -> None:
    with world(hooked, clock) as one:
        one.deliver(alert("Down", labels={"sev": "1"}))
    with world(hooked, clock) as one:
        one.app.assemble.worker._ask = _die  # type: ignore[attr-defined]  # the process ends here
        with pytest.raises(Killed):
            one.settle()
    with world(hooked, clock) as one:
        one.settle()
        assert bridges(one) == ["bridge: https://meet.example.com/made"]
    assert len({json.dumps(dict(request.headers)) for request in hook.requests}) == 1
    assert len(hook.requests) == 2


def test_where_the_store_cannot_be_written_the_service_is_asked_again_with_the_same_key(
    hooked: Settings, hook: Receiver, clock: FakeClock
) -> None:
    with world(hooked, clock) as one:
        one.deliver(alert("Down", labels={"sev": "1"}))
        worker = one.app.assemble.worker
        ask = worker._ask  # type: ignore[attr-defined]  # the writer is as full as a disk
        worker._ask = lambda _unit: Answer(status=503, error="no disk")  # type: ignore[attr-defined]  # as above
        with pytest.raises(StoreError, match="no disk"):
            worker.step(clock.now())
        worker._ask = ask  # type: ignore[attr-defined]  # as above
        one.settle()
        assert bridges(one) == ["bridge: https://meet.example.com/made"]
    assert len({request.headers["idempotency-key"] for request in hook.requests}) == 1


class Killed(BaseException):
    """The process is gone."""


def _die(_unit: object) -> None:
    raise Killed


def test_of_a_restricted_incident_the_service_is_told_no_title(
    hooked: Settings, hook: Receiver, clock: FakeClock
) -> None:
    with world(hooked, clock) as one:
        fire(one, "BreakIn", secret="yes")
    assert hook.requests[0].json["title"] == "restricted"


def test_severities_that_say_hook_without_one_say_what_is_missing(hooked: Settings, clock: FakeClock) -> None:
    with world(hooked.model_copy(update={"bridge": None}), clock) as one:
        fire(one)
        said = "no bridge: severities.yaml says hook, and the configuration has no bridge.hook_url"
        assert bridges(one) == [said]


def test_two_replicas_make_one_bridge_known(hooked: Settings, hook: Receiver, clock: FakeClock) -> None:
    with world(hooked, clock) as one:
        one.deliver(alert("Down", labels={"sev": "1"}))
        worker = one.app.assemble.worker
        worker.tell([1])  # type: ignore[attr-defined]  # as another replica's would be told
        one.settle()
        worker.tell([1])  # type: ignore[attr-defined]  # as above
        one.settle()
        assert bridges(one) == ["bridge: https://meet.example.com/made"]
    assert len(hook.requests) == 1


def test_what_is_folded_meanwhile_has_its_parents_bridge(hooked: Settings, hook: Receiver, clock: FakeClock) -> None:
    with world(hooked, clock) as one:
        one.deliver(alert("Down", labels={"sev": "1"}))
        one.deliver(alert("Other", labels={"sev": "1"}))
        one.act(2, MergeAsked(actor=ANN, into=1))
        one.settle()
        assert (bridges(one, 1), bridges(one, 2)) == (["bridge: https://meet.example.com/made"], [])
    assert len(hook.requests) == 1
