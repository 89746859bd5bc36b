"""`triaged github setup` and `triaged check --live` as somebody at a terminal, a pipe or a workflow sees them."""

from __future__ import annotations

import io
import json
import socket
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from commands import Run, Said, config_in
from fakes.alertmanager import FakeAlertmanager
from fakes.github import FakeGitHub, Role
from fakes.prometheus import FakePrometheus
from fakes.services import Receiver
from triaged.backends.github import setup
from triaged.cli.live import answers
from triaged.clock import FakeClock
from triaged.ports.probe import Probed, Standing, fine
from world import START

FORM = ".github/ISSUE_TEMPLATE/incident-report.yml"
CHANGES = 16


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with FakeGitHub() as running:
        running.grant(running.bot.login, Role.ADMIN)
        yield running


@pytest.fixture(autouse=True)
def _no_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "GAP_SECONDS", 0.0)


@pytest.fixture
def config(fake: FakeGitHub, rules: Path) -> Path:
    return configured(rules, fake)


def configured(rules: Path, fake: FakeGitHub, **changes: Any) -> Path:
    (rules.parent / "token").write_text(fake.token)
    (rules.parent / "webhook").write_text("s3cret")
    github = {
        "repository": "acme/incidents",
        "api_url": fake.url,
        "token_file": "token",
        "webhook_secret_file": "webhook",
    }
    github |= changes.pop("github", {})
    keys = {"public_url": "https://triaged.example.com", "backend": {"type": "github", "github": github}}
    return config_in(rules.parent, rules="rules", store="sqlite:///triaged.db", **{**keys, **changes})


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    terminal = io.StringIO(text)
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdin", terminal)


# ---------------------------------------------------------------- triaged github setup


def test_a_dry_run_shows_every_change_and_makes_none(triaged: Run, config: Path, fake: FakeGitHub) -> None:
    said = triaged("github", "setup", "--dry-run", "--config", config)
    assert (said.status, said.err) == (0, "")
    assert said.out.startswith("acme/incidents\n  + make label 'severity: sev1' (#7f0000, Critical: ")
    assert said.out.count("\n  + ") == CHANGES
    assert said.out.endswith(f"{CHANGES} changes to make; nothing was changed\n")
    assert fake.writes == []


def test_with_yes_everything_is_made_and_the_second_time_there_is_nothing_to_do(
    triaged: Run, config: Path, fake: FakeGitHub
) -> None:
    first = triaged("github", "setup", "--yes", "--config", config)
    assert (first.status, first.out.splitlines()[-1]) == (0, f"{CHANGES} of {CHANGES} changes made")
    assert FORM in fake.repository.files
    (hook,) = fake.repository.hooks.values()
    assert hook.config["url"] == "https://triaged.example.com/api/v1/github/webhook"
    assert "s3cret" not in first.out
    written = len(fake.writes)
    again = triaged("github", "setup", "--config", config)
    assert (again.status, again.out.splitlines()[-1]) == (0, "nothing to do")
    assert len(fake.writes) == written


@pytest.mark.parametrize(("answer", "status", "made"), [("y\n", 0, True), ("n\n", 1, False), ("\n", 1, False)])
def test_at_a_terminal_it_asks_first(
    triaged: Run,
    config: Path,
    fake: FakeGitHub,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    status: int,
    made: bool,
) -> None:
    typed(monkeypatch, answer)
    said = triaged("github", "setup", "--config", config)
    assert said.status == status
    assert f"Make these {CHANGES} changes?" in said.out
    assert bool(fake.writes) is made


def test_where_nobody_can_be_asked_it_changes_nothing_and_says_what_it_expected(
    triaged: Run, config: Path, fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    said = triaged("github", "setup", "--config", config)
    assert said.status == 2
    assert "expected --yes, or a terminal to ask at" in said.err
    assert fake.writes == []


def test_what_may_not_be_done_is_told_with_the_file_and_its_place(triaged: Run, config: Path, fake: FakeGitHub) -> None:
    fake.repository.protected = True
    said = triaged("github", "setup", "--yes", "--config", config)
    assert said.status == 1
    assert f"acme/incidents: not done: write {FORM} on branch main" in said.out
    assert f"commit this as {FORM} to the branch main of" in said.out
    assert "\n- type: dropdown\n  id: impact\n" in said.out
    assert said.out.endswith(f"{CHANGES - 2} of {CHANGES} changes made\n")


def test_repositories_of_teams_services_rules_and_the_configuration_are_made_ready_each_once(
    triaged: Run, rules: Path, fake: FakeGitHub
) -> None:
    for name in ("acme/secret", "acme/pay", "acme/shop", "acme/listed"):
        fake.grant(fake.bot.login, Role.ADMIN, repository=fake.add_repository(name))
    text = (rules / "triage.yaml").read_text()
    rule = "- {name: pay, match: ['app=\"pay\"'], repository: Acme/Pay, impact: minor, because: It is theirs.}\n"
    (rules / "triage.yaml").write_text(f"{text.rstrip()}\n{rule}")
    services = rules / "services.yaml"
    services.write_text(
        services.read_text().replace("    team: payments\n", "    team: payments\n    repository: acme/shop\n", 1)
    )
    github = {"restricted_repository": "acme/secret", "repositories": ["acme/listed", "acme/*"]}
    config = configured(rules, fake, github=github)
    said = triaged("github", "setup", "--dry-run", "--config", config)
    heads = [line for line in said.out.splitlines() if line and not line.startswith(" ")]
    assert heads[:-1] == ["acme/incidents", "acme/secret", "acme/listed", "acme/shop", "Acme/Pay"]


def test_a_repository_that_cannot_be_seen_is_a_problem_and_the_others_are_made_ready(
    triaged: Run, rules: Path, fake: FakeGitHub
) -> None:
    config = configured(rules, fake, github={"restricted_repository": "acme/none"})
    said = triaged("github", "setup", "--yes", "--config", config)
    assert said.status == 1
    assert "acme/none\n  ! " in said.out
    assert FORM in fake.repository.files


@pytest.mark.parametrize("url", ["http://localhost:9876", "http://127.0.0.9:1", "http://[::1]:9876"])
def test_behind_a_loopback_address_there_is_no_webhook_and_it_says_so(
    triaged: Run, rules: Path, fake: FakeGitHub, url: str
) -> None:
    said = triaged("github", "setup", "--dry-run", "--config", configured(rules, fake, public_url=url))
    assert f"webhook: GitHub cannot reach public_url ({url}): the daemon asks GitHub for news itself" in said.out
    assert "add a webhook" not in said.out


def test_a_webhook_needs_a_secret_that_can_be_read(triaged: Run, rules: Path, fake: FakeGitHub) -> None:
    config = configured(rules, fake, github={"webhook_secret_file": None})
    said = triaged("github", "setup", "--dry-run", "--config", config)
    assert "backend.github.webhook_secret_file is not configured" in said.out
    config = configured(rules, fake, github={"webhook_secret_file": "absent"})
    said = triaged("github", "setup", "--dry-run", "--config", config)
    assert said.status == 2
    assert "absent: expected a file with a token" in said.err


def test_without_github_in_the_configuration_it_says_what_it_expected(triaged: Run, rules: Path) -> None:
    said = triaged("github", "setup", "--config", config_in(rules.parent, rules="rules"))
    assert said.status == 2
    assert said.err.startswith("backend.github: expected repository and a credential")


# ---------------------------------------------------------------- triaged check --live


def lines(said: Said) -> list[tuple[str, str]]:
    """Level and the rest of each line that tells of somebody who was asked."""
    found = [line.partition("  ") for line in said.out.splitlines()]
    return [(level, rest.strip()) for level, _, rest in found if level in {*Standing}]


def test_each_of_those_that_are_configured_is_asked_and_told_in_one_line(
    triaged: Run, rules: Path, fake: FakeGitHub
) -> None:
    clock = FakeClock(START)
    with FakeAlertmanager(clock) as alertmanager, FakePrometheus(clock) as prometheus, Receiver() as receiver:
        prometheus.says("vector(1)", 1)
        config = configured(
            rules,
            fake,
            alertmanagers=[{"name": "main", "urls": [alertmanager.url, "http://127.0.0.1:9"]}],
            prometheus={"url": prometheus.url},
            channels={"ops": {"url": f"json://{receiver.place}/"}},
            heartbeat={"url": f"http://{receiver.place}/s3cret"},
        )
        said = triaged("check", "--live", "--config", config)
        assert receiver.requests == []
    found = lines(said)
    member = alertmanager.url.removeprefix("http://")
    assert ("ok", "acme/incidents: issues can be read and written, labels stick") in found
    assert ("ok", f"prometheus: {prometheus.url.removeprefix('http://')} answers queries") in found
    assert any(
        level == "ok" and rest.startswith("channel ops: its URL is understood (json://)") for level, rest in found
    )
    assert ("ok", f"heartbeat: {receiver.place} can be reached; its URL was not asked") in found
    assert ("ok", f"alertmanager main, {member}: it answers") in found
    assert [level for level, rest in found if rest.startswith("alertmanager main, 127.0.0.1:9:")] == ["error"]
    assert said.status == 1
    assert "s3cret" not in said.out + said.err


def test_an_alertmanager_without_a_receiver_that_leads_here_is_a_warning(triaged: Run, rules: Path) -> None:
    with FakeAlertmanager(FakeClock(START)) as fake:
        fake.config = "receivers: [{name: pager}, {name: other, webhook_configs: [{url: <secret>}]}]"
        entry = {"name": "main", "urls": [fake.url], "receiver": "triaged.*"}
        said = triaged("check", "--live", "--config", config_in(rules.parent, alertmanagers=[entry]))
    (found,) = [(level, rest) for level, rest in lines(said) if rest.startswith("alertmanager")]
    assert found[0] == "warning"
    assert "no receiver that calls a webhook is called triaged.*, there are: other" in found[1]


def test_a_warning_ends_with_1_only_where_warnings_count(triaged: Run, config: Path) -> None:
    said = triaged("check", "--live", "--config", config)
    assert [level for level, _ in lines(said)] == ["warning", "ok"]
    assert said.out.splitlines()[-1] == "asked: 1 ok, 1 warning"
    assert said.status == 0
    assert triaged("check", "--live", "--strict", "--config", config).status == 1


def test_programs_and_workflows_get_the_same_in_their_own_forms(triaged: Run, config: Path, fake: FakeGitHub) -> None:
    fake.grant(fake.bot.login, Role.READ)
    said = triaged("check", "--live", "--format", "json", "--config", config)
    told = json.loads(said.out)
    assert (said.status, told["ok"]) == (1, False)
    assert [(one["what"], one["level"]) for one in told["live"]] == [("github", "warning"), ("acme/incidents", "error")]
    assert all(one["message"] and one["hint"] for one in told["live"])
    shown = triaged("check", "--live", "--format", "github", "--config", config).out
    assert "::error title=acme/incidents::issues can be written, but labels would be dropped" in shown
    assert "live" not in json.loads(triaged("check", "--format", "json", "--config", config).out)


def test_a_message_goes_to_a_channel_only_when_it_is_asked_for(triaged: Run, rules: Path, fake: FakeGitHub) -> None:
    with Receiver() as receiver:
        channels = {"ops": {"url": f"json://{receiver.place}/"}, "bad": {"url": "nosuch://x"}}
        config = configured(rules, fake, channels=channels)
        said = triaged("check", "--live", "--send", "--config", config)
        assert len(receiver.requests) == 1
        assert "nothing has happened" in receiver.requests[0].body.decode()
        receiver.status = 500
        refused = triaged("check", "--live", "--send", "--config", config)
    assert ("ok", "channel ops: a message was sent: see whether it has come") in lines(said)
    assert any(level == "error" and rest.startswith("channel bad: expected a URL") for level, rest in lines(said))
    assert any(level == "error" and "did not take a message" in rest for level, rest in lines(refused))


def test_the_write_probe_is_made_only_when_asked_for_and_only_where_nothing_is_wrong(
    triaged: Run, config: Path, fake: FakeGitHub
) -> None:
    triaged("check", "--live", "--config", config)
    assert fake.issues == []
    said = triaged("check", "--live", "--write-probe", "--config", config)
    assert [issue.state for issue in fake.issues] == ["closed"]
    assert any("its label stuck" in rest for _, rest in lines(said))
    fake.grant(fake.bot.login, Role.READ)
    triaged("check", "--live", "--write-probe", "--config", config)
    assert len(fake.issues) == 1


@pytest.mark.parametrize("option", ["--send", "--write-probe"])
def test_what_only_goes_with_live_is_refused_alone(triaged: Run, config: Path, option: str) -> None:
    said = triaged("check", option, "--config", config)
    assert said.status == 2
    assert "--live" in said.err


def test_local_files_are_looked_at_instead_of_github(triaged: Run, rules: Path) -> None:
    said = triaged("check", "--live", "--config", config_in(rules.parent, rules="rules"))
    assert lines(said) == [("ok", f"backend: issues can be written to {rules.parent}/incidents")]
    (rules.parent / "incidents").write_text("a file")
    said = triaged("check", "--live", "--config", config_in(rules.parent, rules="rules"))
    assert [level for level, _ in lines(said)] == ["error"]


def test_a_heartbeat_whose_host_cannot_be_reached_is_a_warning(triaged: Run, rules: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        said = triaged("check", "--live", "--config", config_in(rules.parent, heartbeat={"url": f"http://{place}/x"}))
    assert any(level == "warning" and rest.startswith(f"heartbeat: {place} cannot") for level, rest in lines(said))


# ---------------------------------------------------------------- within a minute


def test_whoever_does_not_answer_in_time_is_an_error_and_holds_up_nobody() -> None:
    released = threading.Event()

    def hangs() -> Iterator[Probed]:
        yield fine("slow", "first")
        released.wait(30)

    asked = {"slow": hangs, "quick": lambda: iter([fine("quick", "it answers")])}
    found = answers(asked, timedelta(seconds=0.05))
    released.set()
    assert [(one.what, one.standing) for one in found] == [
        ("slow", Standing.OK),
        ("slow", Standing.ERROR),
        ("quick", Standing.OK),
    ]
    assert "not done after 0.05 s" in found[1].message
