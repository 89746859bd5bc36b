"""Maintenance in what stands around the daemon: reload, issue, explain, rule tests, backtest, retention."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from severities import severities
from triaged import rulefiles
from triaged.app import rules_of
from triaged.clock import FakeClock
from triaged.core.maintenance import Plan
from triaged.explaining.arrival import prospects
from triaged.explaining.former import Former
from triaged.intake.units import Delivery, PlanWindow, Rules
from triaged.replay.backtest import backtest
from triaged.replay.met import met
from triaged.replay.ruletests.reading import read as read_tests
from triaged.replay.ruletests.running import Runner
from triaged.replay.world import World as Replay
from triaged.sources import alertmanager
from triaged.store.history import Span
from triaged.store.store import Store
from web_desk import RULES
from world import START, World, alert, body, settings_for, world

WINDOW = """
- {match: ['cluster="eu-1"'], from: 2026-11-23T09:00Z, to: 2026-11-23T10:00Z, reason: Kernel upgrade}
"""
HOUR = timedelta(hours=1)


def ruled(text: str = WINDOW) -> Mapping[str, str]:
    return {**RULES, "maintenance.yaml": text}


def written(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in ruled(text).items():
        (folder / name).write_text(content)
    return folder


def plan(begins_at: datetime, ends_at: datetime) -> Plan:
    return Plan(
        name="", match=('cluster="eu-1"',), begins_at=begins_at, ends_at=ends_at, reason="Deploy 7", by="ci"
    )  # fmt: skip


def test_a_reload_moves_what_windows_hold_and_a_start_does(tmp_path: Path) -> None:
    folder = written(tmp_path / "rules", WINDOW)
    settings = settings_for(tmp_path).model_copy(update={"rules": folder})
    clock = FakeClock(START)
    with world(settings, clock) as daemon:
        daemon.deliver(alert("Slow"))
        daemon.advance(timedelta(minutes=10))
        assert not daemon.incidents()
        written(folder, WINDOW.replace("10:00Z", "11:00Z"))
        assert daemon.app.reload() == []
        daemon.advance(HOUR)
        assert not daemon.incidents()
        assert pending_until(daemon) == [START + 2 * HOUR]
    written(folder, "[]")
    with world(settings, clock) as daemon:
        assert [incident.opened_at for incident in daemon.incidents()] == [START + timedelta(minutes=70)]


def pending_until(daemon: World) -> list[datetime | None]:
    with daemon.app.store.read() as reader:
        return [incident.pending_until for incident in reader.pending(10)]


def test_the_issue_says_it_once_the_incident_opens(tmp_path: Path) -> None:
    settings = settings_for(tmp_path).model_copy(update={"rules": written(tmp_path / "rules", WINDOW)})
    with world(settings, FakeClock(START)) as daemon:
        daemon.deliver(alert("Slow"))
        daemon.settle()
        assert not [*(tmp_path / "incidents").glob("*.md")]
        daemon.advance(HOUR)
        (issue,) = (tmp_path / "incidents").glob("*.md")
        expected = "**Held back** by maintenance until 2026-11-23 10:00 UTC: Kernel upgrade, by maintenance.yaml"
        assert expected in issue.read_text(encoding="utf-8")


def test_explaining_an_alert_says_which_window_would_hold_it_back(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/triaged.db")
    store.migrate()
    sent = alertmanager.read("am", body([alert("Slow")])).alerts
    rules = rules_of(rulefiles.read(ruled()))
    (found,) = prospects(store, sent, rules, Former(), START)
    assert found.told[-1] == (
        "held back by maintenance until 2026-11-23 10:00 UTC (Kernel upgrade, by maintenance.yaml)"
    )
    assert met_windows(store, rules) is None
    store.close()


def met_windows(store: Store, rules: Rules) -> set[str] | None:
    with store.read() as reader:
        found = met(reader, rules.rule_set)
    return None if found is None else {*found.windows}


def test_check_knows_which_windows_recorded_alerts_would_have_met(tmp_path: Path) -> None:
    other = WINDOW.replace("eu-1", "us-1")
    rules = rules_of(rulefiles.read(ruled(WINDOW + other)))
    with Replay(rules, START, readers={"am": alertmanager.read}) as lived:
        lived.ask(Delivery(id="d", source="am", body=body([alert("Slow")])))
        assert met_windows(lived.store, rules) == {rules.rule_set.windows[0].id}


TEST = """
- test: what a window holds back opens at its end
  at: 2026-11-23T09:30:00Z
  steps:
  - {at: 0m, fire: {alertname: Slow, cluster: eu-1}}
  - {at: 0m, expect: {state: pending}}
  - {at: 30m, expect: {state: open}}
"""


def test_rule_tests_play_the_windows_of_the_rules() -> None:
    files = rulefiles.read({**ruled(), "severities.yaml": severities()})
    (case,) = read_tests("a.yaml", TEST, [])
    with Runner(rules_of(files), files.sources) as runner:
        assert runner.run(case).failure is None
    without = rulefiles.read({**ruled("[]"), "severities.yaml": severities()})
    with Runner(rules_of(without), without.sources) as runner:
        failure = runner.run(case).failure
    assert failure is not None
    assert "pending" in failure.problems[0].text


def test_a_backtest_plays_windows_as_they_were_and_as_the_other_rules_have_them(tmp_path: Path) -> None:
    """Lived: one alert held by a window of the API, one by no window; the other rules would have held that, too."""
    url = f"sqlite:///{tmp_path}/triaged.db"
    store = Store(url)
    store.migrate()
    rules = rules_of(rulefiles.read(ruled("[]")))
    with Replay(rules, START, readers={"am": alertmanager.read}, store=store) as lived:
        lived.ask(PlanWindow(plan=plan(START, START + HOUR)))
        for name, cluster in (("Held", "eu-1"), ("Free", "us-1")):
            sent = alert(name, labels={"cluster": cluster})
            lived.ask(Delivery(id="d", source="am", body=body([sent])))
        lived.advance(START + timedelta(minutes=30))
        for name, cluster in (("Held", "eu-1"), ("Free", "us-1")):
            ended = alert(name, "resolved", labels={"cluster": cluster}, ends=lived.clock.now())
            lived.ask(Delivery(id="d", source="am", body=body([ended])))
        lived.advance(START + 5 * HOUR)
    store.close()
    span = Span(since=START, until=START + 6 * HOUR)
    same = backtest(url, ruled("[]"), span, most=10)
    assert (same.reproduced.differences, same.compared.differences, same.notes) == ([], [], ())
    other = backtest(url, ruled(WINDOW.replace("eu-1", "us-1")), span, most=10)
    assert other.reproduced.differences == []
    assert [(one.kind, one.before[0].title.partition(" ·")[0]) for one in other.compared.differences] == [
        ("vanishes", "Free")
    ]


def test_a_backtest_of_a_span_within_a_window_holds_back_what_began_in_it_before_the_span(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/triaged.db"
    store = Store(url)
    store.migrate()
    rules = rules_of(rulefiles.read(ruled("[]")))
    with Replay(rules, START, readers={"am": alertmanager.read}, store=store) as lived:
        lived.ask(PlanWindow(plan=plan(START, START + HOUR)))
        lived.advance(START + timedelta(minutes=30))
        sent = alert("Late", labels={"cluster": "eu-1"}, starts=START + timedelta(minutes=10))
        lived.ask(Delivery(id="d", source="am", body=body([sent])))
        ended = {**sent, "status": "resolved", "endsAt": (START + timedelta(minutes=40)).isoformat()}
        lived.advance(START + timedelta(minutes=40))
        lived.ask(Delivery(id="d", source="am", body=body([ended])))
        lived.advance(START + 5 * HOUR)
    store.close()
    span = Span(since=START + timedelta(minutes=20), until=START + 4 * HOUR)
    assert backtest(url, ruled("[]"), span, most=10).reproduced.differences == []


def test_windows_are_kept_as_long_as_incidents(tmp_path: Path) -> None:
    with world(settings_for(tmp_path), FakeClock(START)) as daemon:
        daemon.app.writer.ask(PlanWindow(plan=plan(START, START + HOUR)))
        kept = daemon.app.settings.retention.incidents
        daemon.advance(HOUR)
        for later, expected in ((kept - HOUR, 1), (2 * HOUR, 0)):
            daemon.clock.move_to(daemon.clock.now() + later)
            while daemon.app.retention.worker.step(daemon.clock.now()):
                """Slice after slice."""
            with daemon.app.store.begin() as transaction:
                assert (transaction.plan("MW-1") is not None) == bool(expected)
