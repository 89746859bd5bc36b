"""Verification in the whole daemon, in virtual time, with a Prometheus that the test holds."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from building import RULES
from fakes.github import FakeGitHub
from fakes.prometheus import FakePrometheus
from triaged.clock import FakeClock
from triaged.config import PrometheusSettings, Settings
from triaged.core.events import Acknowledged, CloseAsked, Record, ResolveAsked, SeverityChosen
from triaged.core.model import ActorKind, CloseReason, Incident, Severity, State
from triaged.store import health
from world import ANN, START, World, alert, settings_for, world

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
QUERY = "shop:error_ratio < 0.01"
SERVICES = """
services:
  checkout:
    match: ['namespace="shop"']
    healthy: ['shop:error_ratio < 0.01']
    depends_on: [postgres]
  postgres:
    match: ['namespace="db"']
    healthy: ['pg_up == 1']
  other:
    match: ['namespace="other"']
teams: {security: {}, platform: {}}
"""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def prometheus(clock: FakeClock) -> Iterator[FakePrometheus]:
    with FakePrometheus(clock) as running:
        clock.move_to(START - HOUR)
        running.says("shop:error_ratio", 0.002)
        running.says("pg_up", 1)
        clock.move_to(START)
        yield running


@pytest.fixture
def github(clock: FakeClock) -> Iterator[FakeGitHub]:
    with FakeGitHub(now=clock.now) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, prometheus: FakePrometheus) -> Settings:
    rules = tmp_path / "rules"
    shutil.copytree(RULES, rules, ignore=shutil.ignore_patterns("tests"))
    (rules / "services.yaml").write_text(SERVICES)
    asked = PrometheusSettings(url=prometheus.url)
    return settings_for(tmp_path).model_copy(update={"rules": rules, "prometheus": asked})


@pytest.fixture
def running(settings: Settings, clock: FakeClock) -> Iterator[World]:
    with world(settings, clock) as found:
        yield found


def fire(running: World, name: str = "Slow", namespace: str = "shop", severity: str = "critical") -> None:
    """A Sev-2, or what the severity's label makes of it."""
    labels = {"namespace": namespace, "severity": severity}
    running.deliver(alert(name, labels=labels, starts=running.clock.now()))
    running.settle()


def end(running: World, name: str = "Slow", namespace: str = "shop", severity: str = "critical") -> None:
    labels = {"namespace": namespace, "severity": severity}
    now = running.clock.now()
    running.deliver(alert(name, "resolved", labels=labels, starts=now - MINUTE, ends=now))
    running.settle()


def after(running: World, minutes: float) -> None:
    running.advance(timedelta(minutes=minutes))


def one(running: World, number: int = 1) -> Incident:
    """The incident of that place in their order: reviews take numbers from between."""
    return running.incidents()[number - 1]


def told(running: World, text: str, number: int = 1) -> int:
    return sum(text in entry for entry in running.timeline(number))


# ---------------------------------------------------------------- health


def test_a_service_that_is_well_is_resolved_when_its_window_is_over(running: World) -> None:
    fire(running)
    after(running, 5)
    end(running)
    after(running, 19)
    assert one(running).state is State.VERIFYING
    after(running, 1)
    assert one(running).state is not State.VERIFYING
    assert not told(running, "not hold")


def test_a_query_that_does_not_hold_for_a_whole_window_ends_the_watch_until_it_holds(
    running: World, prometheus: FakePrometheus
) -> None:
    prometheus.says("shop:error_ratio", 0.12)
    fire(running, severity="critical")
    after(running, 5)
    end(running)
    after(running, 10)
    assert one(running).state is State.VERIFYING
    after(running, 11)
    assert one(running).state is State.OPEN
    assert told(running, "does not hold after 20 min: back to open") == 1
    page = seen(running, "/incidents/INC-1").text
    assert "Not healthy yet: shop:error_ratio &lt; 0.01" in page
    after(running, 60)
    assert told(running, "response objective breached") == 1
    assert one(running).process.escalates_at is not None, "an open Sev-2 always has a next step"
    prometheus.down = True
    after(running, 60)
    assert one(running).state is State.OPEN
    prometheus.down = False
    prometheus.says("shop:error_ratio", 0.004)
    after(running, 1)
    found = one(running)
    assert (found.state, found.restored_at) == (State.VERIFYING, running.clock.now())
    after(running, 20)
    assert one(running).state is State.RESOLVED


def test_a_prometheus_that_goes_away_after_a_bad_answer_lets_nothing_be_resolved(
    running: World, prometheus: FakePrometheus
) -> None:
    prometheus.says("shop:error_ratio", 0.5)
    fire(running)
    after(running, 5)
    end(running)
    after(running, 2)
    prometheus.down = True
    after(running, 60)
    assert one(running).state is State.OPEN
    assert told(running, "could not be told") == 0


def test_a_query_that_does_not_hold_keeps_it_watched_and_restarts_its_window(
    running: World, prometheus: FakePrometheus
) -> None:
    prometheus.says("shop:error_ratio", 0.12)
    fire(running)
    running.act(1, Acknowledged(actor=ANN))
    after(running, 5)
    end(running)
    assert told(running, f"nothing fires, but {QUERY} (0.12) does not hold: watched for 20 min from") == 1
    after(running, 15)
    assert one(running).state is State.VERIFYING
    assert told(running, "does not hold") == 1, "an answer that stays the same is told once"
    prometheus.says("shop:error_ratio", 0.004)
    after(running, 1)
    assert told(running, "all health queries hold, watched until 2026-11-23 09:40 UTC") == 1
    after(running, 17)
    assert one(running).state is State.VERIFYING
    after(running, 2)
    found = one(running)
    assert found.state is State.RESOLVED
    assert found.restored_at == START + 5 * MINUTE, "it is restored when its alerts ended"


def test_every_series_has_to_hold(running: World, prometheus: FakePrometheus) -> None:
    prometheus.says("shop:error_ratio", 0.5, pod="b")
    fire(running)
    end(running)
    assert told(running, "(0.5) does not hold") == 1


def test_values_before_during_and_after_are_kept(running: World, clock: FakeClock, prometheus: FakePrometheus) -> None:
    after(running, 30)
    prometheus.says("shop:error_ratio", 0.2)
    fire(running)
    after(running, 5)
    prometheus.says("shop:error_ratio", 0.003)
    end(running)
    after(running, 25)
    with running.app.store.read() as reader:
        kept = health.of_round(reader.connection, one(running))
    assert {answer.phase.value: (answer.value, answer.holds) for answer in kept} == {
        "before": (0.002, True),
        "during": (0.2, False),
        "after": (0.003, True),
    }
    assert len(prometheus.asked) < 30


def test_a_prometheus_that_cannot_be_asked_is_told_and_holds_it_for_a_bounded_time(
    running: World, prometheus: FakePrometheus
) -> None:
    fire(running)
    running.act(1, Acknowledged(actor=ANN))
    prometheus.down = True
    end(running)
    assert told(running, "its health cannot be told: 127.0.0.1") == 1
    after(running, 25)
    assert one(running).state is State.VERIFYING
    assert told(running, "not verified yet: waits for what its health queries say, for 10 min at most") == 1
    after(running, 5)
    assert one(running).state is State.RESOLVED
    assert told(running, "resolved: quiet since") == 1
    assert told(running, "its health could not be told: 127.0.0.1") == 1


def test_a_prometheus_that_answers_again_lets_it_be_resolved_at_once(
    running: World, prometheus: FakePrometheus
) -> None:
    fire(running)
    prometheus.down = True
    end(running)
    after(running, 22)
    prometheus.down = False
    after(running, 1)
    assert one(running).state in (State.RESOLVED, State.CLOSED)
    assert told(running, "could not be told") == 0


def test_a_query_without_a_value_does_not_hold_it_for_ever(running: World, prometheus: FakePrometheus) -> None:
    prometheus.ends("shop:error_ratio")
    fire(running)
    end(running)
    after(running, 30)
    assert one(running).state in (State.RESOLVED, State.CLOSED)
    assert told(running, f"its health could not be told: {QUERY} gave no value") == 1


def test_a_query_that_hangs_costs_some_seconds_and_no_other_answer(
    settings: Settings, clock: FakeClock, prometheus: FakePrometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triaged.workers.health.QUERY_SECONDS", 0.2)
    with world(settings, clock) as running:
        fire(running)
        prometheus.hangs = threading.Event()
        end(running)
        assert told(running, "did not answer within 0.2 s") == 1
        assert one(running).state is State.VERIFYING
        prometheus.hangs.set()
        prometheus.hangs = None
        after(running, 2)
        assert told(running, "all health queries hold") == 1


def test_after_a_restart_an_old_answer_does_not_count(
    settings: Settings, clock: FakeClock, prometheus: FakePrometheus
) -> None:
    with world(settings, clock) as running:
        fire(running)
        end(running)
        after(running, 2)
    clock.advance(HOUR)
    prometheus.says("shop:error_ratio", 0.9)
    with world(settings, clock) as running:
        running.settle()
        assert one(running).state is State.OPEN
        assert told(running, "does not hold after 20 min: back to open") == 1


def test_what_fires_again_forgets_what_its_health_was(running: World, prometheus: FakePrometheus) -> None:
    prometheus.says("shop:error_ratio", 0.12)
    fire(running)
    end(running)
    assert one(running).process.watch.failing == (QUERY,)
    fire(running)
    assert one(running).process.watch.failing == ()
    assert len(one(running).process.watch.refired) == 1


def test_without_a_prometheus_nobody_waits_for_health(tmp_path: Path, settings: Settings, clock: FakeClock) -> None:
    with world(settings.model_copy(update={"prometheus": None}), clock) as running:
        fire(running)
        end(running)
        after(running, 20)
        assert one(running).state is not State.VERIFYING


# ---------------------------------------------------------------- flapping


def test_what_flaps_is_watched_for_longer(running: World) -> None:
    for _ in range(3):
        fire(running)
        after(running, 2)
        end(running)
        after(running, 3)
    fire(running)
    end(running)
    assert told(running, "instead of 20 min (it flaps: quiet and back 3 times within 6 h)") == 1
    after(running, 60)
    assert one(running).state is State.VERIFYING
    after(running, 31)
    assert one(running).state is not State.VERIFYING


# ---------------------------------------------------------------- other incidents


def test_a_new_incident_of_what_needs_the_service_holds_it_until_that_is_quiet(running: World) -> None:
    fire(running, "Down", "db")
    running.act(1, Acknowledged(actor=ANN))
    after(running, 5)
    end(running, "Down", "db")
    after(running, 5)
    fire(running, "Slow", "shop")
    after(running, 60)
    assert one(running).state is State.VERIFYING
    assert told(running, "not verified yet: INC-2 opened since on checkout") == 1
    end(running, "Slow", "shop")
    after(running, 2)
    assert one(running).state is State.RESOLVED


def test_incidents_of_other_services_and_earlier_ones_do_not_hold_it(running: World) -> None:
    fire(running, "Other")
    fire(running, "Slow")
    after(running, 1)
    end(running, "Slow")
    fire(running, "Far", "other")
    after(running, 20)
    assert one(running, 2).state is not State.VERIFYING


# ---------------------------------------------------------------- closing


def test_a_sev2_that_nobody_took_and_that_was_over_in_time_is_closed_without_a_review(running: World) -> None:
    fire(running)
    after(running, 30)
    end(running)
    after(running, 20)
    found = one(running)
    assert (found.state, found.closed_by_kind) == (State.CLOSED, ActorKind.DAEMON)
    assert found.process.watch.unattended
    assert found.process.review is None
    assert told(running, "closed: nobody took it, and it was over before a response was due") == 1
    assert told(running, "in figures: lasted 30 min") == 1
    assert told(running, "nobody acted") == 1


def test_it_waits_for_a_person_when_somebody_acted_or_it_was_over_late_or_switched_off(
    settings: Settings, clock: FakeClock
) -> None:
    with world(settings, clock) as running:
        fire(running)
        running.act(1, SeverityChosen(actor=ANN, severity=Severity.SEV2))
        end(running)
        after(running, 20)
        assert one(running).state is State.RESOLVED
        fire(running, "Late")
        after(running, 61)
        end(running, "Late")
        after(running, 20)
        assert one(running, 2).state is State.RESOLVED
    assert settings.rules is not None
    severities = settings.rules / "severities.yaml"
    severities.write_text(severities.read_text().replace("close_unattended: true", "close_unattended: false"))
    with world(settings, clock) as running:
        fire(running, "Off")
        end(running, "Off")
        after(running, 20)
        assert one(running, 3).state is State.RESOLVED


def test_a_close_asks_for_what_is_missing_and_that_can_be_added_after_it(
    settings: Settings, clock: FakeClock, github: FakeGitHub, tmp_path: Path
) -> None:
    backend = settings_for(tmp_path, github).backend
    with world(settings.model_copy(update={"backend": backend}), clock) as running:
        fire(running)
        running.act(1, Acknowledged(actor=ANN))
        after(running, 30)
        end(running)
        after(running, 30)
        record = Record(summary="It was slow.", root_cause="A lock.")
        running.act(1, CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=record))
        after(running, 1)
        issue = github.issues[0]
        asked = "To add what is missing: comment `/resolve` with a line each: `fix: …`, `prevention: …`"
        assert asked in (issue.body or "")
        assert told(running, "in figures: lasted 30 min") == 1
        assert told(running, "acknowledged after 0 s (response met)") == 1
        assert told(running, "restored after 30 min (resolution met); 1 alert") == 1
        assert told(running, "people who acted: ann") == 1
        added = running.act(1, ResolveAsked(actor=ANN, record=Record(fix="We killed it.", prevention="A timeout.")))
        assert added.status == 200, added.error
        after(running, 1)
        assert told(running, "ann writes down: fix, prevention") == 1
        found = one(running)
        assert (found.state, found.fix) == (State.CLOSED, "We killed it.")
        body = github.repository.issues[issue.number].body or ""
        assert "☑ All actions documented" in body
        refused = running.act(1, ResolveAsked(actor=ANN, record=Record()))
        assert refused.status == 409


def test_the_issue_shows_the_checklist_and_the_values(
    settings: Settings, clock: FakeClock, github: FakeGitHub, prometheus: FakePrometheus, tmp_path: Path
) -> None:
    backend = settings_for(tmp_path, github).backend
    with world(settings.model_copy(update={"backend": backend}), clock) as running:
        prometheus.says("shop:error_ratio", 0.12)
        fire(running)
        running.act(1, Acknowledged(actor=ANN))
        after(running, 5)
        end(running)
        after(running, 2)
        issue = github.issues[0]
        watched = issue.body or ""
        assert "**Not healthy yet:** `shop:error_ratio < 0.01` does not hold" in watched
        assert "☐ Service fully restored" in watched
        assert "☐ Monitoring confirms stability" in watched
        after(running, 20)
        back = github.repository.issues[issue.number].body or ""
        assert "**Not healthy:** nothing fires, but `shop:error_ratio < 0.01` does not hold;" in back
        assert "#### Closing" not in back
        prometheus.down = True
        after(running, 5)
        assert "**Its health cannot be told:**" in (github.repository.issues[issue.number].body or "")
        prometheus.down = False
        prometheus.says("shop:error_ratio", 0.001)
        after(running, 30)
        resolved = github.repository.issues[issue.number].body or ""
        assert "0.002, holds (08:50)" in resolved
        assert "0.12, **does not hold** (09:00)" in resolved
        assert "0.001, holds" in resolved
        assert "☑ Service fully restored: nothing fires since 2026-11-23 09:3" in resolved
        assert "☑ Monitoring confirms stability: 2026-11-23 09:5" in resolved
        assert "☐ Root cause identified" in resolved


# ---------------------------------------------------------------- what is to be seen


def seen(running: World, path: str) -> httpx.Response:
    async def answered() -> httpx.Response:
        transport = httpx.ASGITransport(app=running.app.application)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:9876") as client:
            return await client.get(path)

    return asyncio.run(answered())


def test_the_api_and_the_page_tell_what_it_waits_for(running: World, prometheus: FakePrometheus) -> None:
    fire(running)
    assert seen(running, "/api/v1/incidents/INC-1").json()["verification"] == {
        "until": None,
        "refires": 0,
        "failing": [],
        "unasked": "",
        "waits_for": [],
        "health": [],
    }
    prometheus.says("shop:error_ratio", 0.12)
    end(running)
    watched = seen(running, "/api/v1/incidents/INC-1").json()["verification"]
    assert (watched["until"], watched["failing"]) == ("2026-11-23T09:20:00Z", [QUERY])
    said = {"query": QUERY, "phase": "after", "at": "2026-11-23T09:00:00Z", "holds": False, "value": 0.12}
    assert said in watched["health"]
    page = seen(running, "/incidents/INC-1").text
    assert "Not healthy yet: shop:error_ratio &lt; 0.01" in page
    assert "does not hold (0.12)" in page
    prometheus.down = True
    after(running, 2)
    assert "Its health cannot be told: 127.0.0.1" in seen(running, "/incidents/INC-1").text
