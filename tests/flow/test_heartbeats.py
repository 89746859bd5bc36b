"""Heartbeats through the whole daemon in virtual time: heard, missed, heard again, over restarts and reloads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from commands import Run
from triaged import rulefiles
from triaged.clock import FakeClock
from triaged.core.heartbeats import MOST_SERIES
from triaged.core.model import Severity, State
from triaged.errors import ConfigError
from triaged.explaining.arrival import prospects
from triaged.intake.units import Delivery, Heard
from triaged.replay.met import met
from triaged.sources import alertmanager
from triaged.store import heartbeats
from triaged.workers.reload import STILL_FOR
from web_desk import RULES
from world import START, World, alert, body, settings_for, world

WATCHDOG = "watchdog: {match: ['alertname=\"Watchdog\"'], every: 5m, grace: 5m, by: [cluster], unheard: wait}\n"
BACKUP = "backup: {every: 1d, grace: 2h}\n"
MISSED = (
    "{name: blind, match: ['alertname=\"HeartbeatMissed\"'], impact: extensive, urgency: critical, because: Blind.}"
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rules = tmp_path / "rules"
    rules.mkdir()
    for name, content in RULES.items():
        (rules / name).write_text(content)
    (rules / "triage.yaml").write_text(RULES["triage.yaml"] + f"- {MISSED}\n")
    (rules / "heartbeats.yaml").write_text(WATCHDOG)
    return rules


@pytest.fixture
def daemon(tmp_path: Path, folder: Path, clock: FakeClock) -> Iterator[World]:
    with world(settings_for(tmp_path).model_copy(update={"rules": folder}), clock) as one:
        one.settle()
        yield one


def beat(one: World, **labels: str) -> None:
    answer = one.deliver(alert("Watchdog", labels={"severity": "none", **labels}))
    assert (answer.status, answer.counts) == (200, {"heartbeat": 1})


def missing(one: World) -> list[str]:
    with one.app.store.read() as reader:
        return [found.labels.get("cluster", "") for found in heartbeats.read(reader.connection) if found.missed_at]


def keep_beating(one: World, span: timedelta, **labels: str) -> None:
    for _ in range(span // timedelta(minutes=5)):
        beat(one, **labels)
        one.advance(timedelta(minutes=5))


def test_a_watchdog_that_keeps_arriving_opens_nothing_and_each_repeat_is_heard(daemon: World) -> None:
    keep_beating(daemon, timedelta(hours=2))
    assert daemon.incidents() == []
    assert len(daemon.app.known) == 0, "a repeat must reach the writer"


def test_a_watchdog_that_stops_is_one_sev1_and_ends_it_when_it_is_heard_again(daemon: World) -> None:
    beat(daemon)
    daemon.advance(timedelta(minutes=9, seconds=59))
    assert daemon.incidents() == []
    daemon.advance(timedelta(seconds=1))
    (incident,) = daemon.incidents()
    assert (incident.severity, incident.state, incident.source) == (Severity.SEV1, State.OPEN, "heartbeats")
    assert incident.opened_at == START + timedelta(minutes=10)
    assert incident.started_at == START + timedelta(minutes=5)
    daemon.advance(timedelta(hours=1))
    assert len(daemon.incidents()) == 1
    beat(daemon)
    (incident,) = daemon.incidents()
    assert incident.state is State.VERIFYING
    keep_beating(daemon, timedelta(minutes=40))
    assert daemon.incidents()[0].state is State.RESOLVED


def test_a_resolved_watchdog_counts_as_missing_at_once(daemon: World) -> None:
    beat(daemon)
    daemon.deliver(alert("Watchdog", "resolved", labels={"severity": "none"}, ends=START))
    (incident,) = daemon.incidents()
    assert incident.severity is Severity.SEV1


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_members_of_one_series_in_one_delivery_the_one_that_fires_counts(daemon: World, order: int) -> None:
    members = [
        alert("Watchdog", labels={"replica": "a"}),
        alert("Watchdog", "resolved", labels={"replica": "b"}, ends=START),
    ]
    assert daemon.deliver(*members[::order]).counts == {"heartbeat": 2}
    assert daemon.incidents() == []


def test_a_late_copy_of_a_resolve_of_yesterday_says_nothing_of_the_firing_of_now(daemon: World) -> None:
    day = timedelta(days=1)
    beat(daemon)
    daemon.settle()
    daemon.deliver(alert("Watchdog", "resolved", starts=START - 2 * day, ends=START - day))
    assert daemon.incidents() == []


def test_series_that_are_too_many_are_told_once_and_are_not_counted_as_heard(daemon: World) -> None:
    many = [alert("Watchdog", labels={"cluster": str(number)}) for number in range(MOST_SERIES + 20)]
    with capture_logs() as logs:
        answers = [daemon.deliver(*many), daemon.deliver(*many)]
    assert [answer.counts for answer in answers] == [{"heartbeat": MOST_SERIES, "not followed": 20}] * 2
    assert [one["heartbeat"] for one in logs if one["event"] == "heartbeat not followed"] == ["watchdog"]


def test_a_restart_that_is_shorter_than_the_grace_puts_off_what_is_due_by_its_own_length(
    tmp_path: Path, folder: Path, clock: FakeClock
) -> None:
    settings = settings_for(tmp_path).model_copy(update={"rules": folder})
    with world(settings, clock) as before:
        beat(before)
        before.advance(timedelta(minutes=8))
    clock.advance(timedelta(minutes=1))
    with world(settings, clock) as after:
        after.advance(timedelta(minutes=2) - timedelta(seconds=1))
        assert after.incidents() == []
        after.advance(timedelta(seconds=1))
        assert [one.severity for one in after.incidents()] == [Severity.SEV1]


def test_a_longer_interval_mends_what_is_missing_no_more_by_it(daemon: World, folder: Path) -> None:
    beat(daemon)
    daemon.advance(timedelta(minutes=10))
    reloaded(daemon, folder, WATCHDOG.replace("every: 5m", "every: 1h"))
    assert [one.state for one in daemon.incidents()] == [State.VERIFYING]
    assert missing(daemon) == []


def test_after_our_own_downtime_everyone_gets_a_whole_interval(tmp_path: Path, folder: Path, clock: FakeClock) -> None:
    settings = settings_for(tmp_path).model_copy(update={"rules": folder})
    with world(settings, clock) as before:
        beat(before)
        before.settle()
    clock.advance(timedelta(hours=3))
    with world(settings, clock) as after:
        after.advance(timedelta(minutes=9))
        assert after.incidents() == []
        after.advance(timedelta(minutes=1))
        assert [one.severity for one in after.incidents()] == [Severity.SEV1]


def test_what_was_missing_before_a_restart_is_still_missing_and_is_one_incident(
    tmp_path: Path, folder: Path, clock: FakeClock
) -> None:
    settings = settings_for(tmp_path).model_copy(update={"rules": folder})
    with world(settings, clock) as before:
        beat(before)
        before.advance(timedelta(minutes=11))
    with world(settings, clock) as after:
        after.advance(timedelta(minutes=30))
        assert missing(after) == ["eu-1"]
        beat(after)
        assert [one.state for one in after.incidents()] == [State.VERIFYING]


def reloaded(one: World, folder: Path, text: str) -> None:
    (folder / "heartbeats.yaml").write_text(text)
    assert one.app.reload() == []
    one.advance(STILL_FOR)


def test_a_heartbeat_that_is_taken_out_of_the_rules_ends_its_incident(daemon: World, folder: Path) -> None:
    beat(daemon)
    daemon.advance(timedelta(minutes=10))
    reloaded(daemon, folder, BACKUP)
    assert [one.state for one in daemon.incidents()] == [State.VERIFYING]
    assert missing(daemon) == []


def test_an_alert_that_other_rules_make_a_heartbeat_leaves_its_incident(daemon: World, folder: Path) -> None:
    reloaded(daemon, folder, BACKUP)
    daemon.deliver(alert("Watchdog"))
    assert [one.state for one in daemon.incidents()] == [State.OPEN]
    reloaded(daemon, folder, WATCHDOG)
    beat(daemon, severity="critical")
    assert [one.state for one in daemon.incidents()] == [State.VERIFYING]


def test_a_job_that_was_never_heard_is_missing_an_interval_after_it_was_first_expected(
    daemon: World, folder: Path
) -> None:
    reloaded(daemon, folder, BACKUP)
    daemon.advance(timedelta(hours=26) - STILL_FOR - timedelta(seconds=1))
    assert daemon.incidents() == []
    daemon.advance(timedelta(seconds=1))
    (incident,) = daemon.incidents()
    assert incident.title.startswith("HeartbeatMissed")
    assert daemon.app.writer.ask(Heard(name="backup", labels={})).status == 200
    assert daemon.incidents()[0].state is State.VERIFYING


def test_what_was_asked_for_proves_nothing_of_the_way_here(daemon: World) -> None:
    beat(daemon)
    daemon.advance(timedelta(minutes=9))
    asked = Delivery(id="asked", source="alertmanager", body=body([alert("Watchdog")]), expects={})
    assert daemon.app.writer.ask(asked).counts == {"heartbeat": 1}
    daemon.advance(timedelta(minutes=1))
    assert [one.severity for one in daemon.incidents()] == [Severity.SEV1]


def test_a_heartbeat_among_alerts_costs_them_nothing(daemon: World) -> None:
    other = alert("Watchdog", "resolved", labels={"cluster": "us-1"})
    answer = daemon.deliver(alert("Watchdog"), alert("Down", labels={"grave": "1"}), other)
    assert answer.counts == {"heartbeat": 2, "began": 1}
    assert sorted(one.title.split(" ")[0] for one in daemon.incidents()) == ["Down", "HeartbeatMissed"]


def test_a_missed_heartbeat_is_recorded_so_that_a_backtest_has_it(daemon: World) -> None:
    beat(daemon)
    daemon.advance(timedelta(minutes=10))
    beat(daemon)
    with daemon.app.store.read() as reader:
        records = [(one.source, one.fate.value) for one in reader.newest(10)]
    assert records == [("heartbeats", "ended"), ("heartbeats", "began")]


def test_what_would_become_of_a_watchdog_is_told(daemon: World) -> None:
    rules, now = daemon.app.intake.rules, daemon.clock.now()
    alerts = alertmanager.read("am", body([alert("Watchdog"), alert("Watchdog", "resolved")])).alerts
    fires, ends = prospects(daemon.app.store, alerts, rules, daemon.app.former, now)
    assert fires.words.startswith("is heartbeat watchdog, which is heard: no rule is asked, and it opens no incident")
    assert ends.words.startswith("is heartbeat watchdog, which counts as missing at once")


def test_explain_tells_of_a_heartbeat_only_that_it_is_one(triaged: Run, folder: Path) -> None:
    said = triaged("explain", "--rules", folder, "--alert", 'alertname="Watchdog", cluster="eu-1"')
    assert "arriving   it is heartbeat watchdog, which is heard: no rule is asked, and it opens no incident" in said.out
    assert "severity" not in said.out


def test_check_tells_which_heartbeats_were_never_heard(daemon: World, folder: Path) -> None:
    reloaded(daemon, folder, WATCHDOG + BACKUP)
    beat(daemon)
    daemon.deliver(alert("Down", labels={"grave": "4"}))
    rules = daemon.app.intake.rules.rule_set
    with daemon.app.store.read() as reader:
        history = met(reader, rules)
    assert history is not None
    files = rulefiles.load(folder)
    assert [str(one) for one in rulefiles.unmet(files.sheet, history) if one.file == "heartbeats.yaml"] == [
        "heartbeats.yaml:2:1: backup: heartbeat backup was never heard"
    ]


# ---------------------------------------------------------------- the file


def findings(text: str) -> list[str]:
    try:
        rulefiles.read({**RULES, "heartbeats.yaml": text})
    except ConfigError as error:
        return [str(finding) for finding in error.findings]
    return []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: {grace: 5m}", "heartbeats.yaml:1:4: a: expected a key every, got none"),
        ("a: {every: 0m}", "heartbeats.yaml:1:12: a.every: expected a duration of more than nothing, like 15m, got 0m"),
        (
            "a: {every: 5m, match: []}",
            "heartbeats.yaml:1:23: a.match: expected at least one matcher, got an empty list",
        ),
        ("a: {every: 5m, evry: 5m}", "heartbeats.yaml:1:16: a.evry: expected match, every, grace, by, forget_after or"),
        ("a b: {every: 5m}", 'heartbeats.yaml:1:1: "a b": expected a name of letters, digits, _, . and -'),
        ("a: {every: 5m, by: [alertname]}", "expected another label than alertname or heartbeat: HeartbeatMissed has"),
        ("a: {every: 5m, unheard: never}", "heartbeats.yaml:1:25: a.unheard: expected missing or wait, got never"),
        ("[a]", "heartbeats.yaml:1:1: expected a mapping, got a list"),
    ],
)
def test_each_mistake_is_told_with_its_line(text: str, expected: str) -> None:
    (found,) = findings(text)
    assert expected in found


def test_a_good_file_is_read_with_its_defaults() -> None:
    files = rulefiles.read({**RULES, "heartbeats.yaml": WATCHDOG + BACKUP.replace(", grace: 2h", "")})
    watchdog, backup = files.rules.heartbeats
    assert (watchdog.name, watchdog.by, str(watchdog.unheard)) == ("watchdog", ("cluster",), "wait")
    assert (backup.grace, backup.forget_after, str(backup.unheard)) == (backup.every, timedelta(days=7), "missing")
    assert files.hash != rulefiles.read(RULES).hash


@pytest.mark.parametrize(
    ("match", "warned"),
    [
        ('cluster="eu"', True),
        ('alertname=~".*"', True),
        ('alertname=~".+"', True),
        ('alertname!=""', True),
        ('alertname!="Down"', True),
        ('alertname!~"Node.*"', True),
        ('alertname=~"[A-Za-z]+"', True),
        ('alertname="Watchdog"', False),
        ('alertname=~"Watch.*|Dead.*"', False),
        ('alertname=~".*Watchdog"', False),
        ('alertname=~".+", alertname="Watchdog"', False),
    ],
)
def test_check_warns_of_a_heartbeat_that_takes_alerts_of_whatever_name(match: str, warned: bool) -> None:
    text = f"a: {{match: ['{match}'], every: 5m}}\n"
    found = rulefiles.read({**RULES, "heartbeats.yaml": text}, today=START.date()).warnings
    told = [one.message for one in found if one.file == "heartbeats.yaml"]
    assert told == ["heartbeat a takes alerts of whatever name: what it takes opens no incident"] * warned


def test_check_warns_of_heartbeats_that_take_too_little_or_too_much() -> None:
    text = (
        "a: {match: ['alertname=~\"Watch.*\"'], every: 5m}\n"
        "b: {match: ['alertname=\"Watchdog\"'], every: 5m}\n"
        "c: {match: ['alertname=\"X\"', 'alertname=\"Y\"'], every: 5m}\n"
        "d: {match: ['cluster=\"eu\"'], every: 5m}\n"
    )
    found = rulefiles.read({**RULES, "heartbeats.yaml": text}, today=START.date()).warnings
    assert [str(one) for one in found if one.file == "heartbeats.yaml"] == [
        "heartbeats.yaml:2:1: b: heartbeat b is never heard by its match: heartbeat a in line 1 takes all of it",
        "heartbeats.yaml:3:1: c: heartbeat c can never match: its matchers clash",
        "heartbeats.yaml:4:1: d: heartbeat d takes alerts of whatever name: what it takes opens no incident; "
        "ask for one alertname",
    ]
