"""Reload: a good set of rules comes into force whole; a bad one leaves the former; what is open stays as it was."""

from __future__ import annotations

import asyncio
import html
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace
from sqlalchemy import text
from structlog.testing import capture_logs
from structlog.typing import EventDict

from process.daemon import Daemon
from triaged import rulefiles
from triaged.clock import FakeClock
from triaged.core import keys, storm
from triaged.core.events import Acknowledged
from triaged.core.model import Alert, Incident, Severity, State, Verdict
from triaged.core.rules import RuleSet
from triaged.errors import StoreError
from triaged.store.transaction import Transaction
from triaged.workers.reload import STILL_FOR
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
    for name, content in RULES.items():
        (folder / name).write_text(content)
    return folder


def edit(folder: Path, name: str, old: str, new: str) -> None:
    """Change every place in a file that reads so."""
    before = (folder / name).read_text()
    assert old in before
    (folder / name).write_text(before.replace(old, new))


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
        (stays,) = after.incidents()
        assert replace(stays, process=opened.process) == opened
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


# ---------------------------------------------------------------- files that change by themselves


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """A folder as Kubernetes mounts a ConfigMap: names that lead through one symbolic link, ..data."""
    folder = tmp_path / "rules"
    folder.mkdir()
    mount(folder, RULES)
    for name in RULES:
        (folder / name).symlink_to(f"..data/{name}")
    return folder


def mount(folder: Path, files: Mapping[str, str]) -> None:
    """Turn ..data round to new files, as the kubelet does: in one step."""
    version = folder / f"..{len(list(folder.iterdir()))}"
    version.mkdir()
    for name, content in files.items():
        (version / name).write_text(content)
    (folder / "..new").symlink_to(version.name)
    (folder / "..new").replace(folder / "..data")


LIGHT = RULES["triage.yaml"].replace("impact: significant, urgency: high", "impact: minor, urgency: low")
BROKEN = RULES["triage.yaml"].replace("rules:\n", "rulez:\n")


Logged = list[EventDict]


@pytest.fixture
def logged() -> Iterator[Logged]:
    """What is logged from here on."""
    with capture_logs() as found:
        yield found


def events(logged: Logged) -> list[str]:
    return [entry["event"] for entry in logged]


def refusals(logged: Logged) -> int:
    return sum(event.startswith("rules refused") for event in events(logged))


def test_a_changed_file_comes_into_force_once_it_has_lain_still(daemon: World, folder: Path) -> None:
    former = rules_in_force(daemon)
    (folder / "triage.yaml").write_text(LIGHT)
    daemon.settle()
    assert rules_in_force(daemon) == former
    daemon.advance(STILL_FOR)
    assert rules_in_force(daemon) != former
    assert fire(daemon, "Later", grave="2").severity is Severity.SEV4


def test_a_file_that_is_written_in_pieces_is_read_when_it_is_whole(daemon: World, folder: Path, logged: Logged) -> None:
    for end_of_piece in range(100, len(LIGHT), 100):
        (folder / "triage.yaml").write_text(LIGHT[:end_of_piece])
        daemon.advance(STILL_FOR - timedelta(seconds=1))
    (folder / "triage.yaml").write_text(LIGHT)
    daemon.advance(STILL_FOR)
    assert fire(daemon, "Later", grave="2").severity is Severity.SEV4
    assert refusals(logged) == 0


def test_a_file_that_an_editor_puts_in_the_place_of_the_old_one_is_read(daemon: World, folder: Path) -> None:
    former = (folder / "triage.yaml").stat()
    new = folder / ".triage.yaml.swp"
    new.write_text(LIGHT)
    os.utime(new, ns=(former.st_atime_ns, former.st_mtime_ns))
    new.replace(folder / "triage.yaml")
    daemon.advance(STILL_FOR)
    assert fire(daemon, "Later", grave="2").severity is Severity.SEV4


def test_a_config_map_that_kubernetes_turns_round_is_read(tmp_path: Path, mounted: Path, clock: FakeClock) -> None:
    with world(settings_for(tmp_path).model_copy(update={"rules": mounted}), clock) as daemon:
        mount(mounted, {**RULES, "triage.yaml": LIGHT})
        daemon.advance(STILL_FOR)
        assert fire(daemon, "Later", grave="2").severity is Severity.SEV4


def test_a_folder_that_is_a_link_to_another_checkout_is_read(tmp_path: Path, clock: FakeClock) -> None:
    written(tmp_path / "one")
    edit(written(tmp_path / "two"), "triage.yaml", "impact: significant, urgency: high", "impact: minor, urgency: low")
    folder = tmp_path / "rules"
    folder.symlink_to("one")
    with world(settings_for(tmp_path).model_copy(update={"rules": folder}), clock) as daemon:
        (tmp_path / "new").symlink_to("two")
        (tmp_path / "new").replace(folder)
        daemon.advance(STILL_FOR)
        assert fire(daemon, "Later", grave="2").severity is Severity.SEV4


def test_a_bad_file_is_refused_and_logged_once_and_a_good_one_ends_it(
    daemon: World, folder: Path, logged: Logged
) -> None:
    (folder / "triage.yaml").write_text(BROKEN)
    daemon.advance(timedelta(minutes=1))
    daemon.advance(timedelta(minutes=1))
    assert metric(daemon, "triaged_config_last_reload_successful") == 0
    assert fire(daemon, "Later", grave="2").severity is Severity.SEV2
    assert refusals(logged) == 1
    (folder / "triage.yaml").write_text(RULES["triage.yaml"])
    daemon.advance(STILL_FOR)
    assert metric(daemon, "triaged_config_last_reload_successful") == 1


def test_a_folder_that_goes_and_comes_back_at_once_troubles_nobody(daemon: World, folder: Path, logged: Logged) -> None:
    folder.rename(folder.parent / "elsewhere")
    daemon.advance(timedelta(seconds=1))
    (folder.parent / "elsewhere").rename(folder)
    daemon.advance(timedelta(minutes=1))
    assert refusals(logged) == 0


def test_what_somebody_has_reloaded_is_not_read_again(daemon: World, folder: Path, logged: Logged) -> None:
    (folder / "triage.yaml").write_text(LIGHT)
    daemon.settle()
    assert daemon.app.reload() == []
    daemon.advance(timedelta(minutes=1))
    assert events(logged).count("rules in force") == 1


def test_tests_notes_and_hidden_files_are_no_rules(daemon: World, folder: Path, logged: Logged) -> None:
    (folder / "tests").mkdir()
    (folder / "tests" / "shop.yaml").write_text("[]")
    (folder / ".git").mkdir()
    (folder / ".triage.yaml.swp").write_text("…")
    daemon.advance(timedelta(minutes=1))
    assert events(logged).count("rules in force") == 0


def test_a_set_that_changes_while_it_is_read_is_refused_whole_and_read_once_it_lies_still(
    daemon: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = rulefiles.load

    def interrupted(directory: Path) -> rulefiles.RuleFiles:
        found = load(directory)
        (folder / "triage.yaml").write_text(LIGHT)
        return found

    edit(folder, "severities.yaml", "response: 1h", "response: 2h")
    former = rules_in_force(daemon)
    with monkeypatch.context() as patched:
        patched.setattr(rulefiles, "load", interrupted)
        (problem,) = daemon.app.reload()
    assert "they changed while they were read" in problem
    assert rules_in_force(daemon) == former
    daemon.advance(STILL_FOR)
    assert fire(daemon, "Later", grave="2").severity is Severity.SEV4


def test_a_set_that_a_bug_hinders_is_not_read_again_and_the_former_stays(
    daemon: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_directory: Path) -> rulefiles.RuleFiles:
        raise ZeroDivisionError

    former = rules_in_force(daemon)
    monkeypatch.setattr(rulefiles, "load", broken)
    (folder / "triage.yaml").write_text(LIGHT)
    (watch,) = (loop.worker for loop in daemon.app.loops if loop.worker.name == "reload")
    watch.step(START)
    with pytest.raises(ZeroDivisionError):
        watch.step(START + STILL_FOR)
    assert not watch.step(START + 2 * STILL_FOR)
    assert daemon.app.refused == ("a bug of triaged hinders reading them: ZeroDivisionError",)
    assert metric(daemon, "triaged_config_last_reload_successful") == 0
    assert rules_in_force(daemon) == former


def test_rules_whose_coming_cannot_be_committed_do_not_judge(
    daemon: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    former, begin = rules_in_force(daemon), daemon.app.store.begin

    @contextmanager
    def full() -> Iterator[Transaction]:
        with begin() as transaction:
            yield transaction
            raise StoreError("the disk is full")

    (folder / "triage.yaml").write_text(LIGHT)
    with monkeypatch.context() as patched:
        patched.setattr(daemon.app.store, "begin", full)
        with pytest.raises(StoreError, match="the disk is full"):
            daemon.app.reload()
    assert rules_in_force(daemon) == former
    assert fire(daemon, "Meanwhile", grave="2").severity is Severity.SEV2
    assert daemon.app.reload() == []
    assert fire(daemon, "Later", grave="2").severity is Severity.SEV4


# ---------------------------------------------------------------- what people see


def page(daemon: World, path: str = "/") -> str:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(daemon.app.application)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:9876") as client:
            return await client.get(path)

    answer = asyncio.run(ask())
    assert answer.status_code == 200
    return html.unescape(answer.text)


def test_every_page_shows_what_is_wrong_with_the_rules_until_it_is_mended(daemon: World, folder: Path) -> None:
    fire(daemon, "First", grave="2")
    (folder / "triage.yaml").write_text(BROKEN)
    daemon.advance(STILL_FOR)
    for path in ("/", "/incidents/INC-1"):
        shown = page(daemon, path)
        assert "The rules on disk were refused." in shown
        assert "<code>triage.yaml:9:1: rulez: expected matrix, default, key" in shown
    (folder / "triage.yaml").write_text(LIGHT)
    daemon.advance(STILL_FOR)
    assert "refused" not in page(daemon)


def test_a_page_shows_ten_mistakes_and_how_many_more_there_are(daemon: World, folder: Path) -> None:
    edit(folder, "triage.yaml", "because:", "becauze:")
    edit(folder, "triage.yaml", "impact: ", "inpact: ")
    problems = daemon.app.reload()
    assert len(problems) > 10
    shown = page(daemon)
    assert [problem for problem in problems if f"<code>{problem}</code>" in shown] == problems[:10]
    assert f"and {len(problems) - 10} more" in shown


# ---------------------------------------------------------------- other keys


def end(daemon: World, name: str, **labels: str) -> None:
    """An alert of the beginning is over now."""
    daemon.deliver(alert(name, "resolved", labels=labels, ends=daemon.clock.now()))


def other_key(daemon: World, folder: Path, key: str = "[service]") -> None:
    edit(folder, "triage.yaml", "key: [alertname, service]", f"key: {key}")
    assert daemon.app.reload() == []


def test_what_joins_by_an_edited_key_finds_the_open_incident_before_any_alert_of_it_is_heard_again(
    daemon: World, folder: Path
) -> None:
    before = fire(daemon, "Broken", grave="2", service="shop")
    other_key(daemon, folder)
    assert fire(daemon, "Slow", grave="2", service="shop").id == before.id
    assert [incident.firing for incident in daemon.incidents()] == [2]


def test_an_alert_that_fires_again_under_an_edited_key_goes_back_to_its_incident(daemon: World, folder: Path) -> None:
    before = fire(daemon, "Broken", grave="2", service="shop")
    daemon.advance(timedelta(minutes=1))
    end(daemon, "Broken", grave="2", service="shop")
    other_key(daemon, folder)
    daemon.advance(timedelta(minutes=1))
    daemon.deliver(alert("Broken", labels={"grave": "2", "service": "shop"}, starts=daemon.clock.now()))
    (after,) = daemon.incidents()
    assert (after.id, after.state, after.firing) == (before.id, State.OPEN, 1)


def test_an_alert_that_fires_again_after_the_end_reopens_its_incident_under_an_edited_key(
    daemon: World, folder: Path
) -> None:
    before = fire(daemon, "Broken", grave="2", service="shop")
    daemon.advance(timedelta(minutes=1))
    end(daemon, "Broken", grave="2", service="shop")
    daemon.advance(timedelta(hours=2))
    assert [incident.state for incident in daemon.incidents()] == [State.RESOLVED]
    other_key(daemon, folder)
    daemon.deliver(alert("Broken", labels={"grave": "2", "service": "shop"}, starts=daemon.clock.now()))
    (after,) = daemon.incidents()
    assert (after.id, after.state, after.round) == (before.id, State.OPEN, 2)


def test_open_incidents_that_an_edited_key_would_have_made_one_keep_their_alerts_and_the_older_takes_what_comes(
    daemon: World, folder: Path
) -> None:
    first = fire(daemon, "Broken", grave="2", service="shop")
    second = fire(daemon, "Slow", grave="2", service="shop")
    assert first.id != second.id
    other_key(daemon, folder)
    daemon.deliver(alert("Slow", labels={"grave": "2", "service": "shop"}))
    daemon.deliver(alert("Lost", labels={"grave": "2", "service": "shop"}))
    assert [(incident.id, incident.firing) for incident in daemon.incidents()] == [(first.id, 2), (second.id, 1)]
    daemon.advance(timedelta(minutes=1))
    end(daemon, "Slow", grave="2", service="shop")
    assert [incident.state for incident in daemon.incidents()] == [State.OPEN, State.VERIFYING]


def test_open_incidents_whose_key_an_edit_splits_keep_all_their_alerts(daemon: World, folder: Path) -> None:
    edit(folder, "triage.yaml", "key: [alertname, service]", "key: [service]")
    daemon.app.reload()
    first = fire(daemon, "Broken", grave="2", service="shop")
    fire(daemon, "Slow", grave="2", service="shop")
    edit(folder, "triage.yaml", "key: [service]", "key: [alertname, service]")
    assert daemon.app.reload() == []
    for name in ("Broken", "Slow"):
        daemon.deliver(alert(name, labels={"grave": "2", "service": "shop", "pod": "b"}))
    assert [(incident.id, incident.firing) for incident in daemon.incidents()] == [(first.id, 4)]
    third = fire(daemon, "Lost", grave="2", service="shop")
    assert third.id != first.id, "what only the former key had put there is a problem of its own"


def test_an_edited_key_gives_no_key_to_an_incident_that_is_over(daemon: World, folder: Path) -> None:
    before = fire(daemon, "Broken", grave="2", service="shop")
    daemon.advance(timedelta(minutes=1))
    end(daemon, "Broken", grave="2", service="shop")
    daemon.advance(timedelta(hours=2))
    other_key(daemon, folder)
    assert fire(daemon, "Slow", grave="2", service="shop").id != before.id


def test_a_storm_keeps_the_one_key_that_no_rule_gave_it(daemon: World, folder: Path) -> None:
    edit(folder, "triage.yaml", "rules:\n", "storm: {opened: 2, within: 5m, severity: sev2}\nrules:\n")
    daemon.app.reload()
    fire(daemon, "Broken", grave="4", service="shop")
    fire(daemon, "Slow", grave="4", service="shop")
    assert [one.source for one in daemon.incidents()].count(storm.SOURCE) == 1
    other_key(daemon, folder)
    daemon.advance(timedelta(minutes=1))
    with daemon.app.store.read() as reader:
        query = text(
            "SELECT k.key FROM incident_keys k JOIN incidents i ON i.id = k.incident_id WHERE i.source = :source"
        )
        assert reader.connection.execute(query, {"source": storm.SOURCE}).scalars().all() == [storm.KEY.digest]


def test_a_bug_that_one_alert_meets_costs_the_others_no_key(
    daemon: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = fire(daemon, "Broken", grave="2", service="shop")
    good = fire(daemon, "Broken", grave="2", service="bank")
    judge = RuleSet.judge

    def breaks(rules: RuleSet, alert: Alert, now: datetime) -> Verdict:
        if alert.labels["service"] == "shop":
            raise ZeroDivisionError
        return judge(rules, alert, now)

    with monkeypatch.context() as patched:
        patched.setattr(RuleSet, "judge", breaks)
        other_key(daemon, folder)
    assert fire(daemon, "Slow", grave="2", service="shop").id not in (bad.id, good.id)
    daemon.deliver(alert("Slow", labels={"grave": "2", "service": "bank"}))
    assert [incident.firing for incident in daemon.incidents()] == [1, 2, 1]


@pytest.fixture
def upgraded(tmp_path: Path, folder: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A daemon with another key function than its predecessor, which left INC-1 resolved and INC-2 open."""
    settings = settings_for(tmp_path).model_copy(update={"rules": folder})
    with world(settings, clock) as before:
        fire(before, "Gone", grave="2", service="shop")
        before.advance(timedelta(minutes=1))
        end(before, "Gone", grave="2", service="shop")
        before.advance(timedelta(hours=2))
        fire(before, "Broken", grave="2", service="shop")
        assert [incident.state for incident in before.incidents()] == [State.RESOLVED, State.OPEN]
    monkeypatch.setattr(keys, "VERSION", "v2")
    with world(settings, clock) as after:
        yield after


def test_an_open_incident_takes_what_joins_it_by_an_upgraded_key_function(upgraded: World) -> None:
    joined = fire(upgraded, "Broken", grave="2", service="shop", pod="b")
    assert (joined.id, joined.firing) == (2, 2)
    with upgraded.app.store.read() as reader:
        found = reader.connection.execute(text("SELECT key FROM incident_keys WHERE incident_id = 2")).scalars()
        assert sorted(key.partition(":")[0] for key in found) == ["v1", "v2"]


def test_an_open_incident_hears_and_loses_its_alerts_under_an_upgraded_key_function(upgraded: World) -> None:
    assert fire(upgraded, "Broken", grave="2", service="shop").firing == 1
    upgraded.advance(timedelta(minutes=1))
    end(upgraded, "Broken", grave="2", service="shop")
    assert [incident.state for incident in upgraded.incidents()] == [State.RESOLVED, State.VERIFYING]
    upgraded.deliver(alert("Broken", labels={"grave": "2", "service": "shop"}, starts=upgraded.clock.now()))
    assert [incident.state for incident in upgraded.incidents()] == [State.RESOLVED, State.OPEN]


def test_a_resolved_incident_is_reopened_under_an_upgraded_key_function(upgraded: World) -> None:
    upgraded.deliver(alert("Gone", labels={"grave": "2", "service": "shop"}, starts=upgraded.clock.now()))
    assert [(one.id, one.state, one.round) for one in upgraded.incidents()] == [(1, State.OPEN, 2), (2, State.OPEN, 1)]


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
