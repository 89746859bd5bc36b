"""`triaged check` and `triaged schema`: what they say of good and bad folders, in each format, and how they end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from commands import Run, config_in
from triaged import rulefiles
from triaged.clock import FakeClock
from triaged.replay.met import met
from triaged.store.store import Store
from world import START, alert, settings_for, world

FIXTURES = Path(__file__).parents[1] / "fixtures" / "rules"
BAD_RULES = sorted((FIXTURES / "bad").glob("*.yaml"))
MARKED = re.compile(r"(rules/\S+?:\d+:\d+: (?:error|warning|notice): .+)(?:\n +\d+ \| .*\n +\| +\^+.*)?\n")


@pytest.fixture
def run(triaged: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs `triaged …` in a working directory, the output in a pipe."""
    monkeypatch.chdir(tmp_path)
    return triaged


def edited(file: Path, *changes: tuple[str, str]) -> None:
    text = file.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    file.write_text(text)


# ---------------------------------------------------------------- good rules


def test_the_shipped_rules_are_counted_and_leave_no_warning(run: Run) -> None:
    said = run("check", "--strict")
    assert (said.status, said.err) == (0, "")
    assert re.fullmatch(r"\d+ rules, \d+ services and \d+ teams are well formed \(.+, \w+\)\n", said.out)


def test_the_rules_that_the_configuration_names_are_read(run: Run, rules: Path) -> None:
    said = run("check", "--config", config_in(rules.parent, rules="rules"))
    assert said.status == 0
    assert said.out.startswith("5 rules, 1 service and 2 teams are well formed")
    assert str(rules) in said.out
    assert run("check", "--rules", rules).out == said.out


# ---------------------------------------------------------------- files of secrets

SECRETS = {
    "backend": {"type": "github", "github": {"repository": "a/b", "token_file": "github"}},
    "sources": {"eu": {"tokens_file": "eu", "basic_auth_file": "eu-basic"}},
    "api_tokens": {"ann": {"token_file": "ann"}},
    "heartbeat": {"url_file": "url"},
    "alertmanagers": [
        {"name": "a", "urls": ["http://a"], "token_file": "a"},
        {"name": "eu", "urls": ["http://b"], "basic_auth_file": "b"},
    ],
}


def test_each_file_of_secrets_without_which_the_daemon_does_not_start_is_an_error_at_its_key(
    run: Run, rules: Path
) -> None:
    file = config_in(rules.parent, rules="rules", **SECRETS)
    said = run("check", "--config", file)
    assert said.status == 1
    found = re.findall(r"error: (\S+): \S+/(\S+): (expected a file with \S+(?: \S+)?), got: No such file", said.out)
    assert sorted(found) == [
        ("alertmanagers[0].token_file", "a", "expected a file with a token"),
        ("alertmanagers[1].basic_auth_file", "b", "expected a file with user:password"),
        ("api_tokens.ann.token_file", "ann", "expected a file with a token"),
        ("backend.github.token_file", "github", "expected a file with a token"),
        ("heartbeat.url_file", "url", "expected a file with a URL"),
        ("sources.eu.basic_auth_file", "eu-basic", "expected a file with user:password"),
        ("sources.eu.tokens_file", "eu", "expected a file with a token"),
    ]
    assert run("check", "--config", file, "--no-secrets").status == 0
    for _, name, expected in found:
        secret = {"a URL": "http://h", "user:password": "me:x"}.get(expected.removeprefix("expected a file with "), "t")
        (rules.parent / name).write_text(f"# ours\n\n{secret}\n")
    assert run("check", "--config", file).status == 0


def test_a_file_of_secrets_that_the_environment_names_is_told_by_its_variable(
    run: Run, rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIAGED_HEARTBEAT__URL_FILE", "absent")
    said = run("check", "--config", config_in(rules.parent, rules="rules"))
    assert said.status == 1
    assert "environment:1:1: error: TRIAGED_HEARTBEAT__URL_FILE: " in said.out


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize("file", BAD_RULES, ids=lambda file: file.stem)
def test_every_error_of_a_bad_file_is_shown_with_its_line_at_once(run: Run, rules: Path, file: Path) -> None:
    name = f"{file.stem.partition('-')[0]}.yaml"
    for good in rules.iterdir():
        good.unlink()
    for good in (FIXTURES / "good" / "minimal").iterdir():
        (rules / good.name).write_bytes(good.read_bytes())
    (rules / name).write_bytes(file.read_bytes())

    said = run("check", "--rules", "rules")

    shown = MARKED.findall(said.out)
    expected = [line for line in file.with_suffix(".txt").read_text().splitlines() if line.startswith(name)]
    places = {line.partition(" ")[0] for line in shown}
    assert (said.status, said.err) == (1, "")
    assert {f"rules/{line.partition(' ')[0]}" for line in expected} <= places
    assert re.search(r"\d+ errors?$", said.out)


def test_an_error_shows_the_word_that_was_probably_meant_under_the_one_that_stands_there(run: Run, rules: Path) -> None:
    edited(rules / "triage.yaml", ("urgency: low", "urgency: lwo"), ("name: light,", "name: light, at_mots: sev3,"))
    assert run("check", "--rules", "rules").out == (
        "rules/triage.yaml:12:17: error: rules[2].at_mots: expected name, match, annotations, source, service, until, "
        "during, outside, impact, urgency, at_most, category, key, team, repository, delay, close, labels, restricted, "
        "stop, drop, because or grows, got an unknown key\n"
        "   12 | - {name: light, at_mots: sev3, match: ['grave=\"4\"'], impact: minor, urgency: lwo, because: Nobody "
        "noti…\n"
        "      |                 ^^^^^^^ did you mean at_most?\n"
        "rules/triage.yaml:12:78: error: rules[2].urgency: expected critical, high, medium or low, got lwo\n"
        "   12 | …ct: minor, urgency: lwo, because: Nobody notices.}\n"
        "      |                      ^^^ did you mean low?\n"
        "2 errors\n"
    )


def test_mistakes_of_the_configuration_and_of_named_rules_come_together(run: Run, rules: Path) -> None:
    file = config_in(rules.parent, lisen="here")
    edited(rules / "triage.yaml", ("sev1", "sev0"))
    said = run("check", "--config", "config.yaml", "--rules", "rules")
    assert said.status == 1
    assert "config.yaml:1:1: error: lisen: unknown key 'lisen'" in said.out
    assert "rules/triage.yaml:3:17: error: " in said.out
    assert "2 errors" in said.out
    assert run("check").out.count(" error: ") == 1, "config.yaml of the working directory is read where none is named"
    assert file.exists()


def test_what_cannot_be_checked_at_all_exits_with_2(run: Run, tmp_path: Path) -> None:
    for arguments, expected in (
        (["--rules", tmp_path / "nowhere"], "expected a folder with rules"),
        (["--config", tmp_path / "no.yaml"], "expected a configuration file, found none"),
        (["--format", "xml"], "Invalid value for '--format'"),
    ):
        said = run("check", *arguments)
        assert (said.status, said.out) == (2, "")
        assert expected in said.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            b"a: {zone: UTC,\n",
            "1:14: error: no valid YAML: while parsing a flow node, found the end of the file\n"
            "    1 | a: {zone: UTC,\n"
            "      |              ^\n",
        ),
        (
            b"a:\n  zone: UTC\n  open: [2026-12-24\n\n",
            "3:9: error: no valid YAML: while parsing a flow sequence, did not find expected ',' or ']'\n"
            "    3 |   open: [2026-12-24\n"
            "      |         ^\n",
        ),
        (
            b"[",
            "1:1: error: no valid YAML: while parsing a flow node, found the end of the file\n    1 | [\n      | ^\n",
        ),
        (
            b"caf\xe9: {zone: UTC}\n",
            "1:4: error: expected UTF-8, got the byte 0xe9\n    1 | caf\\xe9: {zone: UTC}\n      |    ^^^^\n",
        ),
    ],
)
def test_what_is_no_yaml_or_no_text_at_all_is_shown_at_its_line_too(
    run: Run, rules: Path, text: bytes, said: str
) -> None:
    (rules / "calendars.yaml").write_bytes(text)
    assert f"rules/calendars.yaml:{said}" in run("check", "--rules", "rules").out


# ---------------------------------------------------------------- warnings


def test_warnings_leave_the_status_at_0_unless_they_shall_count(run: Run, rules: Path) -> None:
    edited(rules / "triage.yaml", ("name: grave,", "name: grave, until: 2020-01-01,"))
    said = run("check", "--rules", "rules")
    assert said.status == 0
    assert said.out.splitlines()[0] == (
        "rules/triage.yaml:10:24: warning: rules[0].until: rule grave ended on 2020-01-01: remove it, or move the date"
    )
    assert said.out.splitlines()[-2] == "1 warning"
    assert said.out.splitlines()[-1].startswith("5 rules, ")
    assert run("check", "--rules", "rules", "--strict").status == 1


# ---------------------------------------------------------------- formats


def test_github_gets_commands_with_the_path_from_the_working_directory(run: Run, rules: Path) -> None:
    edited(rules / "triage.yaml", ("urgency: low", "urgency: lwo"))
    said = run("check", "--rules", rules, "--format", "github")
    assert said.status == 1
    assert said.out.splitlines()[0] == (
        "::error file=rules/triage.yaml,line=12,col=63,title=rules[2].urgency"
        "::expected critical, high, medium or low, got lwo; did you mean low?"
    )


def test_programs_get_json(run: Run, rules: Path) -> None:
    assert json.loads(run("check", "--rules", "rules", "--format", "json").out)["ok"] is True
    edited(rules / "services.yaml", ("team: payments", "team: storefront"))
    said = run("check", "--rules", "rules", "--format", "json")
    found = json.loads(said.out)
    assert (said.status, found["ok"]) == (1, False)
    assert [one["key"] for one in found["findings"]] == ["services.checkout.team"]
    edited(rules / "services.yaml", ("team: storefront", "team: payments"), ("platform: {}", "platform: {}, x: {}"))
    assert json.loads(run("check", "--rules", "rules", "--format", "json", "--strict").out)["ok"] is False


# ---------------------------------------------------------------- history


@pytest.fixture
def recorded(tmp_path: Path, rules: Path) -> Path:
    """A configuration whose store holds two alerts."""
    with world(settings_for(tmp_path), FakeClock(START)) as daemon:
        daemon.deliver(alert("Down", labels={"grave": "1"}))
        daemon.deliver(alert("Slow", labels={"grave": "2", "app": "checkout"}))
    return config_in(tmp_path, store="sqlite:///triaged.db", rules="rules")


def test_rules_that_no_recorded_alert_met_are_noticed(run: Run, recorded: Path) -> None:
    said = run("check", "--config", recorded, "--strict")
    assert said.status == 0
    noticed = re.findall(r"notice: rules\[\d\]\.name: rule (\S+) matched (.+)", said.out)
    assert noticed == [
        (name, "none of the 2 alerts recorded since 2026-11-23") for name in ("light", "slow", "break-in")
    ]
    assert "3 notices" in said.out
    assert "::notice file=rules/triage.yaml" in run("check", "--config", recorded, "--format", "github").out


def test_an_alert_counts_once_whatever_became_of_it_since(run: Run, rules: Path, tmp_path: Path) -> None:
    odd = {"grave": "9"}
    with world(settings_for(tmp_path), FakeClock(START)) as daemon:
        daemon.deliver(alert("Odd", labels=odd), alert("Down", labels={"grave": "1"}))
        daemon.deliver(alert("Odd", annotations={"summary": "It is worse."}, labels=odd))
        daemon.deliver(alert("Odd", status="resolved", ends=START, labels=odd))
        daemon.deliver(alert("Odd", starts=START + timedelta(seconds=1), labels=odd))
    said = run("check", "--config", config_in(tmp_path, store="sqlite:///triaged.db", rules="rules"))
    assert "no rule matched 1 alert recorded since 2026-11-23: Odd (1)" in said.out
    assert "matched none of the 2 alerts recorded" in said.out
    assert rules.exists()


def test_a_store_that_cannot_be_reached_from_here_is_told_and_no_error(
    run: Run, rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_in(tmp_path, store="postgresql://me@127.0.0.1:1/none", rules="rules")
    said = run("check", "--config", config)
    assert (said.status, rules.exists()) == (0, True)
    assert "store: the recorded alerts cannot be read: " in said.out
    monkeypatch.setitem(sys.modules, "psycopg", None)
    said = run("check", "--config", config)
    assert said.status == 0
    assert "store: the recorded alerts cannot be read: " in said.out


def test_only_so_many_of_the_newest_alerts_are_looked_at(recorded: Path, rules: Path) -> None:
    store = Store(f"sqlite:///{recorded.parent}/triaged.db")
    try:
        with store.read() as reader:
            newest = met(reader, rulefiles.load(rules).rules, most=1)
            every = met(reader, rulefiles.load(rules).rules)
    finally:
        store.close()
    assert newest is not None
    assert every is not None
    assert (newest.alerts, set(newest.rules), set(newest.services)) == (1, {"serious"}, {"checkout"})
    assert (every.alerts, set(every.rules), every.since) == (2, {"grave", "serious"}, START)


def test_of_a_store_without_a_recorded_alert_nothing_is_said(run: Run, rules: Path, tmp_path: Path) -> None:
    config = config_in(tmp_path, store="sqlite:///triaged.db", rules="rules")
    assert run("db", "migrate", "--config", config).status == 0
    said = run("check", "--config", config)
    assert (said.status, said.out.count("\n")) == (0, 1)
    assert rules.exists()


def test_the_recorded_alerts_are_left_alone_on_demand(run: Run, recorded: Path) -> None:
    assert "notice" not in run("check", "--config", recorded, "--no-history").out


def test_check_writes_nothing_into_the_store(run: Run, recorded: Path, tmp_path: Path) -> None:
    def rows() -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(tmp_path / "triaged.db")) as store:
            tables = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return [row for name in sorted(tables) for row in store.execute(f"SELECT * FROM {name}")]

    before = rows()
    run("check", "--config", recorded)
    assert rows() == before


def test_a_store_that_is_not_there_or_none_is_no_error_and_is_not_made(run: Run, rules: Path, tmp_path: Path) -> None:
    config = config_in(tmp_path, store="sqlite:///deep/triaged.db", rules="rules")
    assert run("check", "--config", config).status == 0
    assert not (tmp_path / "deep").exists()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "triaged.db").write_text("Dear diary, " * 100)
    said = run("check", "--config", config)
    assert said.status == 0
    assert "store: the recorded alerts cannot be read: " in said.out
    (tmp_path / "deep" / "triaged.db").write_bytes(b"")
    assert "store: the recorded alerts cannot be read: " in run("check", "--config", config).out
    assert rules.exists()


# ---------------------------------------------------------------- bad input


def as_folder(file: Path) -> None:
    file.mkdir()


def as_pipe(file: Path) -> None:
    os.mkfifo(file)


def as_socket(file: Path) -> None:
    with contextlib.chdir(file.parent), socket.socket(socket.AF_UNIX) as made:
        made.bind(file.name)  # short: a socket's name must be


def as_link_to_itself(file: Path) -> None:
    file.symlink_to(file)


def as_link_to_nothing(file: Path) -> None:
    file.symlink_to("nowhere")


def as_device(file: Path) -> None:
    file.symlink_to("/dev/zero")


def with_bytes(content: bytes) -> Callable[[Path], None]:
    def put(file: Path) -> None:
        file.write_bytes(content)

    return put


HOSTILE: dict[str, tuple[Callable[[Path], None], str]] = {
    "a folder": (as_folder, "1:1: error: expected a file that can be read, got: a folder"),
    "a pipe": (as_pipe, "1:1: error: expected a file, got a pipe"),
    "a socket": (as_socket, "1:1: error: expected a file that can be read, got: "),
    "a device": (as_device, "1:1: error: expected a file, got a device"),
    "a link to itself": (
        as_link_to_itself,
        "1:1: error: expected a file that can be read, got: Too many levels of sym",
    ),
    "a link to nothing": (as_link_to_nothing, "1:1: error: expected a file that can be read, got: No such file"),
    "bytes": (with_bytes(bytes(range(256))), "error: expected UTF-8, got the byte 0x80"),
    "an executable": (
        with_bytes(b"\x7fELF\x02\x01\x01\x00 rules"),
        "1:1: error: expected printable characters, got U+007F",
    ),
    "UTF-16": (with_bytes("a: 1".encode("utf-16")), "1:1: error: expected UTF-8, got the byte 0xff"),
    "nothing": (with_bytes(b""), "1:1: error: "),
    "ten megabytes": (with_bytes(b"a: 1\n" * 2_000_000), "1:1: error: expected at most 1,048,576 bytes, got more"),
    "one line of a megabyte": (with_bytes(b"a" * 1_000_000), "1:1: error: expected a mapping, got aaaaaaaa"),
    "a bomb of anchors": (
        with_bytes(b"a: &a [x,x,x]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\n"),
        "1:4: error: expected no anchors and aliases (& and *)",
    ),
    "an anchor of itself": (with_bytes(b"a: &a [*a]\n"), "1:4: error: expected no anchors and aliases (& and *)"),
    "a merge key": (with_bytes(b"a: {<<: *b}\n"), "1:9: error: expected no anchors and aliases (& and *)"),
    "deep nesting": (with_bytes(b"[" * 500_000), "error: expected at most 30 levels"),
    "deep nesting in blocks": (with_bytes(b"- " * 500_000), "error: expected at most 30 levels"),
    "an object of Python": (
        with_bytes(b"a: !!python/object/apply:os.system [id]\n"),
        "1:4: error: expected no tag, got tag:yaml.org,2002:python/object/apply:os.system",
    ),
    "thousands of unknown keys": (
        with_bytes(b"".join(b"k%d: 1\n" % n for n in range(15_000))),
        "got an unknown key",
    ),
    "thousands of equal keys": (with_bytes(b"a: 1\n" * 15_000), "expected every key once, got a here and in line 1"),
    "broken brackets": (with_bytes(b"a: [1, 2\nb: 3\n"), "error: no valid YAML: "),
    "directives": (with_bytes(b"%YAML 9.9\n---\na: 1\n"), "error: no valid YAML: "),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("file", ["triage.yaml", "config.yaml"])
def test_whatever_lies_there_is_an_error_at_its_line(run: Run, rules: Path, name: str, file: str) -> None:
    put, expected = HOSTILE[name]
    if file == "config.yaml" and name == "a pipe":
        return  # a configuration may come from one
    place = rules / file if file == "triage.yaml" else rules.parent / file
    place.unlink(missing_ok=True)
    put(place)

    said = run("check", "--rules", "rules", *(["--config", "config.yaml"] if file == "config.yaml" else []))

    if file == "config.yaml" and name == "nothing":
        assert said.status == 0, "an empty configuration is the defaults"
        return
    if file == "config.yaml" and name == "a device":
        expected = "1:1: error: expected at most 1,048,576 bytes, got more"
    shown = expected if file == "triage.yaml" else expected.partition("got an")[0].partition("expected a mapping")[0]
    assert said.status == 1
    assert shown.removeprefix("1:1: ") in said.out
    assert re.search(rf"{re.escape(file)}:\d+:\d+: error: ", said.out)


def test_a_configuration_may_come_out_of_a_pipe(run: Run, rules: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"rules: rules\n")
    os.close(writing)
    try:
        said = run("check", "--config", f"/dev/fd/{reading}", "--rules", rules)
    finally:
        os.close(reading)
    assert (said.status, said.out.partition(" rules")[0]) == (0, "5")


# Each would take a backtracking engine longer than the universe is old; RE2 takes linear time.
EXPLODING = [r"(a+)+b", r"(a|aa)+b", r"(.*)*b", r"(a|a)*b", r"([a-zA-Z]+)*b", "(" * 20 + "a" + "+)" * 20 + "b"]
REFUSED = [
    r"((a{1000}){1000}){1000}",
    r"a{100001}",
    r"(?P<x>a)(?P=x)",
    r"(?=a)",
    r"[z-a]",
    "(" * 5_000,
    r"\C",
    "a**",
    r"(?i",
]


@pytest.mark.parametrize("pattern", EXPLODING)
def test_a_pattern_that_explodes_elsewhere_is_taken_and_answers(run: Run, rules: Path, pattern: str) -> None:
    edited(rules / "triage.yaml", ("match: ['grave=\"1\"']", f"match: ['x=~\"{pattern}\"']"))
    assert run("check", "--rules", "rules").status == 0
    payload = rules.parent / "payload.json"
    payload.write_text(json.dumps({"alerts": [alert(labels={"x": "a" * 4_000})]}))
    assert "severity" in run("explain", payload, "--rules", rules).out


@pytest.mark.parametrize("pattern", REFUSED)
def test_a_pattern_that_re2_refuses_is_an_error_at_its_place(run: Run, rules: Path, pattern: str) -> None:
    edited(rules / "triage.yaml", ("match: ['grave=\"1\"']", f"match: ['x=~\"{pattern}\"']"))
    said = run("check", "--rules", "rules")
    assert said.status == 1
    assert "rules/triage.yaml:10:25: error: rules[0].match[0]: expected a regular expression" in said.out


# ---------------------------------------------------------------- schema


def test_schemas_are_listed_printed_and_written(run: Run, tmp_path: Path) -> None:
    listed = run("schema").out.split()[::2]
    assert {"config", "triage", "services", "severities", "calendars", "sources"} <= set(listed)
    printed = run("schema", "triage").out
    assert json.loads(printed)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    said = run("schema", "--directory", "schemas")
    assert said.out.splitlines() == [f"schemas/{name}.schema.json" for name in listed]
    assert (tmp_path / "schemas" / "triage.schema.json").read_text() == printed


def test_an_unknown_schema_or_a_folder_that_cannot_be_made_is_refused(run: Run, tmp_path: Path) -> None:
    said = run("schema", "triaged")
    assert (said.status, said.out) == (2, "")
    assert re.fullmatch(r"schema: expected config, triage, .+, got triaged\n", said.err)
    (tmp_path / "file").write_text("")
    assert "expected a folder to write to" in run("schema", "--directory", "file/x").err


# ---------------------------------------------------------------- what others run


def test_mistakes_in_the_tests_of_the_rules_are_found_too(run: Run, rules: Path) -> None:
    (rules / "tests").mkdir()
    (rules / "tests" / "a.yaml").write_text("- {test: x, alert: {a: b}, expect: {severty: sev1}}\n")
    said = run("check", "--rules", "rules")
    assert said.status == 1
    assert "rules/tests/a.yaml:1:37: error: [0].expect.severty: expected " in said.out
    assert "^^^^^^^ did you mean severity?" in said.out


def test_tests_in_subfolders_are_read_as_triaged_test_reads_them(run: Run, rules: Path) -> None:
    (rules / "tests" / "deep").mkdir(parents=True)
    (rules / "tests" / "deep" / "a.yml").write_text("- {test: x, alert: {a: b}, expect: {severty: sev1}}\n")
    assert "rules/tests/deep/a.yml:1:37: error: [0].expect.severty: " in run("check", "--rules", "rules").out


def test_a_file_that_nobody_reads_is_warned_of_after_the_errors_that_may_come_of_it(run: Run, rules: Path) -> None:
    (rules / "severities.yaml").rename(rules / "severities.yml")
    said = run("check", "--rules", "rules")
    assert said.status == 1
    first, second, *_, last = said.out.splitlines()
    assert first == "rules/severities.yaml:1:1: error: expected the file, got none"
    assert second.startswith("rules/severities.yml:1:1: warning: not read: expected triage.yaml, ")
    assert last == "1 error and 1 warning"


def commands_of(root: Path) -> Iterator[list[str]]:
    """The commands of the pre-commit hook and of the workflow for rule repositories."""
    (hook,) = yaml.safe_load((root / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert hook["id"] == "triaged-check"
    assert re.search(hook["files"], "rules/triage.yaml")
    assert not re.search(hook["files"], "docs/rules/triage.yaml")
    yield hook["entry"].split()
    workflow = yaml.safe_load((root / "deploy" / "github" / "rules.yml").read_text(encoding="utf-8"))
    for step in workflow["jobs"]["rules"]["steps"]:
        if step.get("run", "").startswith("triaged "):
            yield step["run"].split()


def test_the_hook_and_the_workflow_run_on_a_repository_with_the_shipped_rules(run: Run, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    shutil.copytree(root / "rules", tmp_path / "rules")
    commands = list(commands_of(root))
    assert [command[1] for command in commands] == ["check", "check", "test"]
    for command in commands:
        said = run(*command[1:])
        assert said.status == 0, said


def test_a_repository_that_the_configuration_does_not_allow_is_an_error_at_its_line(run: Run, rules: Path) -> None:
    edited(rules / "services.yaml", ("platform: {}", "platform: {repository: acme/infra}"))
    github = {"repository": "acme/incidents", "token": "t", "repositories": ["acme/pay"]}
    config = config_in(rules.parent, rules="rules", backend={"type": "github", "github": github})
    said = run("check", "--config", config)
    assert said.status == 1
    assert "error: teams.platform.repository: expected one of the repositories of the configuration:" in said.out
    github["repositories"] = ["acme/*"]
    assert (
        run(
            "check", "--config", config_in(rules.parent, rules="rules", backend={"type": "github", "github": github})
        ).status
        == 0
    )
