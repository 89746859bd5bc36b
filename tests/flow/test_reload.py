"""Reload: a good set of rules comes into force whole; a bad one leaves the former; what is open stays as it was."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from process.daemon import Daemon
from triaged.clock import FakeClock
from triaged.core.events import Acknowledged
from triaged.core.model import Incident, Severity, State
from waiting import wait_until
from web_desk import RULES
from world import ANN, START, World, alert, body, settings_for, world


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of rules that tests edit."""
    return written(tmp_path / "rules")


@pytest.fixture
def daemon(tmp_path: Path, folder: Path, clock: FakeClock) -> Iterator[World]:
    settings = settings_for(tmp_path).model_copy(update={"rules": folder})
    with world(settings, clock) as one:
        yield one


def written(folder: Path) -> Path:
    folder.mkdir()
    for name, text in RULES.items():
        (folder / name).write_text(text)
    return folder


def edit(folder: Path, name: str, old: str, new: str) -> None:
    """Change every place in a file that reads so."""
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))


def metric(daemon: World, name: str) -> float | None:
    return daemon.app.metrics.registry.get_sample_value(name)


def rules_in_force(daemon: World) -> list[str]:
    """The hashes that triaged_rules_info shows."""
    (family,) = daemon.app.metrics.rules.collect()
    return [sample.labels["hash"] for sample in family.samples]


def fire(daemon: World, name: str, **labels: str) -> Incident:
    """The newest incident after an alert."""
    assert daemon.deliver(alert(name, labels=labels)).status == 200
    return daemon.incidents()[-1]


# ---------------------------------------------------------------- a good set


def test_a_good_set_judges_what_comes_after_it(daemon: World, folder: Path, clock: FakeClock) -> None:
    assert fire(daemon, "First", grave="2").severity is Severity.SEV2
    former = daemon.app.intake.rules.rule_set.hash
    edit(folder, "triage.yaml", "impact: significant, urgency: high", "impact: minor, urgency: low")
    clock.advance(timedelta(hours=1))
    assert daemon.app.reload() == []
    assert fire(daemon, "Second", grave="2").severity is Severity.SEV4
    assert rules_in_force(daemon) == [daemon.app.intake.rules.rule_set.hash]
    assert rules_in_force(daemon) != [former]
    assert metric(daemon, "triaged_config_last_reload_successful") == 1
    assert metric(daemon, "triaged_config_last_reload_success_timestamp_seconds") == clock.now().timestamp()


def test_the_same_files_again_are_the_same_set(daemon: World) -> None:
    former = rules_in_force(daemon)
    assert daemon.app.reload() == []
    assert rules_in_force(daemon) == former


def test_what_a_rule_dropped_is_judged_once_the_rule_is_gone(daemon: World, folder: Path) -> None:
    drop = "- {name: noise, match: ['alertname=\"Noise\"'], drop: Nobody reads it., because: Noise.}\n"
    edit(folder, "triage.yaml", "rules:\n", f"rules:\n{drop}")
    assert daemon.app.reload() == []
    assert daemon.deliver(alert("Noise")).counts == {"dropped": 1}
    edit(folder, "triage.yaml", drop, "")
    assert daemon.app.reload() == []
    assert daemon.deliver(alert("Noise")).counts == {"began": 1}


# ---------------------------------------------------------------- a bad set


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("impact: significant, urgency: high", "impact: enormous, urgency: high", "impact: expected"),
        ("rules:\n", "rulez:\n", "rulez: expected"),
        ("rules:\n", "rules: [\n", "no valid YAML"),
    ],
)
def test_a_bad_set_keeps_the_former_and_says_what_is_wrong_line_by_line(
    daemon: World, folder: Path, old: str, new: str, expected: str
) -> None:
    former, taken_at = rules_in_force(daemon), metric(daemon, "triaged_config_last_reload_success_timestamp_seconds")
    edit(folder, "triage.yaml", old, new)
    daemon.clock.advance(timedelta(hours=1))
    problems = daemon.app.reload()
    assert any(problem.startswith("triage.yaml:") and expected in problem for problem in problems), problems
    assert rules_in_force(daemon) == former
    assert metric(daemon, "triaged_config_last_reload_successful") == 0
    assert metric(daemon, "triaged_config_last_reload_success_timestamp_seconds") == taken_at
    assert fire(daemon, "Later", grave="2").severity is Severity.SEV2


def test_nothing_of_a_set_with_one_bad_file_comes_into_force(daemon: World, folder: Path) -> None:
    edit(folder, "triage.yaml", "impact: significant, urgency: high", "impact: minor, urgency: low")
    edit(folder, "severities.yaml", "response: 1h", "response: soon")
    problems = daemon.app.reload()
    assert len(problems) == 1
    assert problems[0].startswith("severities.yaml:12:")
    assert fire(daemon, "Later", grave="2").severity is Severity.SEV2


def test_every_mistake_is_a_line_of_its_own(daemon: World, folder: Path) -> None:
    edit(folder, "triage.yaml", "urgency: high", "urgency: hi")
    edit(folder, "severities.yaml", "response: 1h", "response: soon")
    edit(folder, "calendars.yaml", "Europe/Berlin", "Europe/Atlantis")
    assert sorted(problem.split(":")[0] for problem in daemon.app.reload()) == [
        "calendars.yaml",
        "severities.yaml",
        "triage.yaml",
        "triage.yaml",
    ]


def test_a_folder_that_is_gone_keeps_the_former_rules(daemon: World, folder: Path) -> None:
    folder.rename(folder.parent / "elsewhere")
    problems = daemon.app.reload()
    assert len(problems) == 1
    assert f"{folder}: expected a folder with rules" in problems[0]
    assert fire(daemon, "Later", grave="2").severity is Severity.SEV2


def test_a_good_set_after_a_bad_one_ends_the_alarm(daemon: World, folder: Path) -> None:
    edit(folder, "triage.yaml", "rules:\n", "rulez:\n")
    assert daemon.app.reload() != []
    edit(folder, "triage.yaml", "rulez:\n", "rules:\n")
    assert daemon.app.reload() == []
    assert metric(daemon, "triaged_config_last_reload_successful") == 1


# ---------------------------------------------------------------- what is open


def test_an_open_incident_keeps_its_alerts_when_the_key_changes(daemon: World, folder: Path) -> None:
    before = fire(daemon, "Broken", grave="2", service="shop")
    edit(folder, "triage.yaml", "key: [alertname, service]", "key: [cluster]")
    assert daemon.app.reload() == []
    assert fire(daemon, "Broken", grave="2", service="shop").id == before.id
    joined = fire(daemon, "Another", grave="2")
    assert joined.id == before.id, "the new key leads to the incident as well"
    assert joined.firing == 2
    for name, labels in (("Broken", {"grave": "2", "service": "shop"}), ("Another", {"grave": "2"})):
        daemon.deliver(alert(name, "resolved", labels=labels, ends=START + timedelta(minutes=5)))
    (after,) = daemon.incidents()
    assert (after.firing, after.state) == (0, State.VERIFYING)


def test_an_open_incident_keeps_the_policy_of_its_opening(daemon: World, folder: Path) -> None:
    before = fire(daemon, "Broken", grave="2")
    edit(folder, "severities.yaml", "{response: 1h, resolution: 8h}", "{response: 5m, resolution: 10m}")
    assert daemon.app.reload() == []
    assert fire(daemon, "Broken", grave="2") == before
    after = fire(daemon, "Later", grave="2")
    assert before.response_due_at == START + timedelta(hours=1)
    assert after.response_due_at == START + timedelta(minutes=5)
    assert before.policy != after.policy
    daemon.advance(timedelta(minutes=6))
    breached = [row.incident.id for row in daemon.rows() if row.incident.response_outcome is not None]
    assert breached == [after.id]
    daemon.act(before.id, Acknowledged(actor=ANN))
    daemon.advance(timedelta(minutes=55))
    assert [incident.response_outcome for incident in daemon.incidents()] == ["met", "breached"]


def test_an_open_incident_keeps_its_policy_over_a_reload_and_a_restart(
    tmp_path: Path, folder: Path, clock: FakeClock
) -> None:
    settings = settings_for(tmp_path).model_copy(update={"rules": folder})
    with world(settings, clock) as before:
        opened = fire(before, "Broken", grave="2")
    edit(folder, "severities.yaml", "{response: 1h, resolution: 8h}", "{response: 5m, resolution: 10m}")
    with world(settings, clock) as after:
        after.advance(timedelta(minutes=30))
        assert after.incidents() == [opened]
        after.advance(timedelta(minutes=31))
        assert after.incidents()[0].response_outcome == "breached"


def test_rules_that_judge_an_open_incident_higher_raise_it_and_lower_never(daemon: World, folder: Path) -> None:
    fire(daemon, "Broken", grave="2")
    edit(folder, "triage.yaml", "impact: significant, urgency: high", "impact: minor, urgency: low")
    assert daemon.app.reload() == []
    assert fire(daemon, "Broken", grave="2").severity is Severity.SEV2
    edit(
        folder,
        "triage.yaml",
        "impact: minor, urgency: low, because: Some",
        "impact: extensive, urgency: high, because: Some",
    )
    assert daemon.app.reload() == []
    raised = fire(daemon, "Broken", grave="2")
    assert (raised.id, raised.severity) == (1, Severity.SEV1)


# ---------------------------------------------------------------- the real daemon


def test_a_real_daemon_reloads_on_post_and_on_sighup_and_outlives_bad_rules(tmp_path: Path) -> None:
    folder = written(tmp_path / "rules")
    with Daemon(tmp_path, rules="rules") as daemon:
        assert daemon.deliver(body([alert("First", labels={"grave": "2"})])).status_code == 200
        edit(folder, "triage.yaml", "impact: significant, urgency: high", "impact: minor, urgency: low")
        answer = daemon.post("/-/reload")
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")
        assert f'triaged_rules_info{{hash="{answer.json()["rules"]}"}} 1.0' in daemon.get("/metrics").text
        assert daemon.deliver(body([alert("Second", labels={"grave": "2"})])).status_code == 200

        edit(folder, "triage.yaml", "rules:\n", "rulez:\n")
        refused = daemon.post("/-/reload")
        assert refused.status_code == 400
        assert refused.json()["errors"][0].startswith("triage.yaml:")
        assert daemon.metric("triaged_config_last_reload_successful") == 0

        edit(folder, "triage.yaml", "rulez:\n", "rules:\n")
        process = daemon._process
        assert process is not None
        os.kill(process.pid, signal.SIGHUP)
        wait_until(lambda: daemon.metric("triaged_config_last_reload_successful") == 1, what="the good set")
        edit(folder, "triage.yaml", "rules:\n", "rulez:\n")
        os.kill(process.pid, signal.SIGHUP)
        wait_until(lambda: daemon.metric("triaged_config_last_reload_successful") == 0, what="the bad set")
        assert "rules refused, the former ones stay in force" in daemon.log.read_text()

        assert daemon.deliver(body([alert("Third", labels={"grave": "2"})])).status_code == 200
        assert daemon.metric("triaged_rules_info") == 1
        found = {incident["title"].split(" ")[0]: incident["severity"] for incident in daemon.incidents()}
        assert [severity for _, severity in sorted(found.items())] == ["sev2", "sev4", "sev4"]
