"""`triaged test` as people and CI systems meet it: what it says, where, and with which exit status."""

from __future__ import annotations

import re
import shutil
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from commands import Run
from triaged import defaults, rulefiles

SHIPPED = Path(__file__).parents[2] / "rules"
PASSES = "- {test: a database that is down is a Sev-2, alert: {alertname: MySQLDown}, expect: {severity: sev2}}\n"
FAILS = "- {test: a full disk is a Sev-1, alert: {alertname: DiskFull}, expect: {severity: sev1}}\n"


@pytest.fixture
def run(triaged: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs `triaged test …` in a working directory with a copy of the shipped rules without tests."""
    shutil.copytree(SHIPPED, tmp_path / "rules", ignore=shutil.ignore_patterns("tests"))
    (tmp_path / "rules" / "tests").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return partial(triaged, "test")


def write(name: str, text: str) -> None:
    (Path("rules/tests") / name).write_text(text, encoding="utf-8")


def test_passing_tests_are_a_line_a_file_and_exit_with_0(run: Run) -> None:
    write("a.yaml", PASSES)
    write("longer.yaml", PASSES + "- {test: none, alert: {alertname: InfoInhibitor}, expect: {dropped: true}}")
    said = run("rules")
    assert (said.status, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0] == "rules/tests/a.yaml           1 test  ok"
    assert lines[1] == "rules/tests/longer.yaml     2 tests  ok"
    assert lines[2].startswith("3 tests: 3 passed, 0 failed, in ")


def test_a_failing_test_exits_with_1_and_is_told_with_its_place_on_lines_that_are_not_broken(run: Run) -> None:
    write("a.yaml", PASSES + FAILS)
    said = run("rules")
    assert (said.status, said.err) == (1, "")
    assert "\nFAILED rules/tests/a.yaml:2:3: a full disk is a Sev-1\n" in said.out
    assert "\n    rules/tests/a.yaml:2:83: severity: expected sev1, got sev3\n" in said.out
    assert "    + disk-almost-full  impact: moderate, category: degradation\n" in said.out
    assert "2 tests: 1 passed, 1 failed" in said.out


def test_what_a_test_says_cannot_speak_to_the_terminal(run: Run) -> None:
    write("a.yaml", '- {test: "[bold]\\e[31mt", alert: {alertname: "\\e[2J[red]"}, expect: {severity: sev1}}')
    said = run("rules")
    assert said.status == 1
    assert "\x1b" not in said.out
    assert "[bold]\\x1b[31mt" in said.out


def test_k_chooses_tests_by_their_name(run: Run) -> None:
    write("a.yaml", PASSES)
    write("b.yaml", FAILS)
    said = run("rules", "-k", "DATABASE")
    assert (said.status, "b.yaml" in said.out) == (0, False)
    said = run("rules", "-k", "nothing of the kind")
    assert (said.status, said.out) == (2, "")
    assert said.err == "expected tests with 'nothing of the kind' in their name, got none\n"


def test_coverage_names_what_no_test_met_with_its_line(run: Run) -> None:
    write("a.yaml", PASSES)
    said = run("rules", "--coverage")
    assert said.status == 0
    files = rulefiles.load(Path("rules"))
    total = len(files.rules.rules)
    assert f", 1 of {total} rules, 0 of " in said.out
    line = next(
        n for n, text in enumerate(files.files["triage.yaml"].splitlines(), 1) if "- name: info-inhibitor" in text
    )
    assert f"\n  rules/triage.yaml:{line}: no test meets rule info-inhibitor\n" in said.out
    assert "no test meets growth condition kube-node-not-ready#1\n" in said.out
    assert "no test meets rule database-down" not in said.out


def test_too_little_coverage_fails_although_all_tests_pass(run: Run) -> None:
    write("a.yaml", PASSES)
    said = run("rules", "--fail-under", "50")
    assert said.status == 1
    assert re.search(r"expected at least 50 % of the rules, got 0\.\d %", said.out)
    assert run("rules", "--fail-under", "0.5").status == 0
    assert run("rules", "--fail-under", "101").status == 2


def test_junit_is_written_for_failing_tests_too(run: Run, tmp_path: Path) -> None:
    write("a.yaml", PASSES + FAILS)
    assert run("rules", "--junit", "report.xml").status == 1
    (suite,) = Xml.parse(tmp_path / "report.xml").getroot()
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("rules/tests/a.yaml", "2", "1")
    said = run("rules", "--junit", "nowhere/report.xml")
    assert (said.status, said.err) == (2, "nowhere/report.xml: cannot be written: No such file or directory\n")


def test_what_cannot_be_read_exits_with_2_and_runs_nothing(run: Run) -> None:
    write("a.yaml", PASSES)
    write("b.yaml", "- {test: t, alert: {a: b}, expect: {sverity: sev1}}\n- {test: u, steps: []}")
    said = run("rules")
    assert (said.status, said.out) == (2, "")
    assert [line.split(": ")[0] for line in said.err.splitlines()] == [
        "rules/tests/b.yaml:1:37",
        "rules/tests/b.yaml:2:20",
    ]
    assert "did you mean severity?" in said.err


def test_rules_that_cannot_be_used_are_not_tested(run: Run) -> None:
    write("a.yaml", PASSES)
    Path("rules/severities.yaml").unlink()
    said = run("rules")
    assert (said.status, said.out) == (2, "")
    assert "severities.yaml:1:1: expected the file, got none" in said.err


def test_where_there_are_no_tests_it_says_so(run: Run) -> None:
    said = run("rules")
    assert (said.status, said.err) == (2, "rules/tests: expected a folder with *.yaml, or a file of tests, got none\n")


def test_a_file_without_tests_says_so_and_hidden_files_are_not_read(run: Run) -> None:
    write("a.yml", "# to be written\n")
    write(".a.yaml", "what an editor left: [")
    said = run("rules")
    assert (said.status, said.err) == (2, "expected tests in rules/tests/a.yml, got none\n")


def test_other_tests_may_be_run_by_files_and_folders(run: Run) -> None:
    Path("one.yaml").write_text(PASSES)
    Path("more/deep").mkdir(parents=True)
    Path("more/deep/two.yaml").write_text(FAILS)
    said = run("rules", "--tests", "one.yaml", "--tests", "more")
    assert said.status == 1
    assert [line.split()[0] for line in said.out.splitlines()[:2]] == ["one.yaml", "more/deep/two.yaml"]


def test_without_a_folder_the_rules_are_those_of_the_configuration_else_the_shipped_ones(run: Run) -> None:
    write("a.yaml", FAILS)
    Path("here.yaml").write_text("rules: ./rules\n")
    assert "rules/tests/a.yaml:1:3: a full disk" in run("--config", "here.yaml").out
    said = run("-k", "InstanceDown")
    assert said.status == 0
    assert str(defaults.RULES / "tests" / "hosts.yaml") in said.out


def test_tests_do_not_count_for_the_hash_of_the_rules_and_are_no_unknown_files(run: Run) -> None:
    del run
    before = rulefiles.load(Path("rules"))
    write("a.yaml", FAILS)
    after = rulefiles.load(Path("rules"))
    assert after.hash == before.hash
    assert [str(warning) for warning in after.warnings if "tests" in warning.file] == []
