"""How findings are written: the line with a marker, GitHub's commands, JSON; what a file says is never obeyed."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from triaged.cli.findings import SHOWN_NOTICES, Level, Told, counted, write_github, write_json, write_text
from triaged.errors import Finding


def finding(
    line: int = 1, column: int = 1, *, message: str = "expected x, got y", hint: str = "", path: str = "a.b"
) -> Finding:
    return Finding(file="triage.yaml", line=line, column=column, path=path, message=message, hint=hint)


def told(found: Finding, path: Path | None = None, level: Level = Level.ERROR) -> Told:
    return Told(level=level, finding=found, path=path)


def text_of(*findings: Told, width: int = 80, terminal: bool = False) -> str:
    out = io.StringIO()
    write_text(
        Console(
            file=out,
            width=width,
            force_terminal=terminal,
            highlight=False,
            color_system="standard" if terminal else None,
        ),
        findings,
    )
    return out.getvalue()


def github_of(*findings: Told) -> list[str]:
    out = io.StringIO()
    write_github(Console(file=out, width=80, highlight=False), findings)
    return out.getvalue().splitlines()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules").mkdir()
    return tmp_path / "rules" / "triage.yaml"


# ---------------------------------------------------------------- text


def test_a_finding_shows_its_line_with_a_marker_under_the_word_and_the_hint(file: Path) -> None:
    file.write_text("rules:\n- impact: hihg\n")
    assert text_of(told(finding(2, 11, hint="did you mean high?"), file)) == (
        "rules/triage.yaml:2:11: error: a.b: expected x, got y\n"
        "    2 | - impact: hihg\n"
        "      |           ^^^^ did you mean high?\n"
    )


@pytest.mark.parametrize(
    ("line", "column", "marked"),
    [
        ("match: ['a=\"1\"', b]", 9, "'a=\"1\"'"),
        ("match: {a: b}", 8, "{"),
        ('name: "x y" # z', 7, '"x y"'),
        ("\tname: x", 2, "name"),
        ("name: 日本 x", 7, "日本"),
        ("日本: {x: 1}", 6, "x"),
        ("name", 9, ""),
    ],
)
def test_the_marker_stands_under_the_word_also_behind_tabs_and_wide_characters(
    file: Path, line: str, column: int, marked: str
) -> None:
    file.write_text(f"{line}\n")
    shown, marker = (one.partition(" | ")[2] for one in text_of(told(finding(1, column), file)).splitlines()[1:])
    cells = "".join(character * (2 if ord(character) > 0x2000 else 1) for character in shown)
    begin = marker.index("^")
    expected = "".join(character * (2 if ord(character) > 0x2000 else 1) for character in marked)
    assert cells[begin : marker.rindex("^") + 1] == expected or not marked


@pytest.mark.parametrize("column", [1, 60, 5_000, 99_990])
def test_of_a_very_long_line_the_part_with_the_marker_is_shown(file: Path, column: int) -> None:
    file.write_text("x" * (column - 1) + " wrong " + "y" * 100_000)
    _, shown, marker = text_of(told(finding(1, column + 1), file), width=80, terminal=False).splitlines()
    assert len(shown) < 140
    begin = marker.index("^")
    assert shown[begin : begin + 5] == "wrong"


@pytest.mark.parametrize("content", [None, b"", b"\n\n"])
def test_without_a_line_to_show_the_hint_stands_in_the_message(file: Path, content: bytes | None) -> None:
    if content is not None:
        file.write_bytes(content)
    said = text_of(told(finding(1, 1, hint="write y"), file))
    assert said == "rules/triage.yaml:1:1: error: a.b: expected x, got y; write y\n"


def test_a_finding_in_no_file_is_told_by_its_own_name() -> None:
    assert text_of(told(finding(path=""))) == "triage.yaml:1:1: error: expected x, got y\n"


def test_a_file_outside_of_the_working_directory_is_named_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert told(finding(), tmp_path / "a.yaml").file == str(tmp_path / "a.yaml")
    assert told(finding(), Path("b.yaml")).file == "b.yaml"


def test_colours_come_on_a_terminal_only(file: Path) -> None:
    file.write_text("impact: x\n")
    found = told(finding(), file)
    assert "\x1b[" in text_of(found, terminal=True)
    assert "\x1b" not in text_of(found)
    assert re.sub(r"\x1b\[[0-9;]*m", "", text_of(found, terminal=True)) == text_of(found)


def test_of_very_many_findings_the_first_are_shown_and_of_notices_a_few() -> None:
    errors = [told(finding(n)) for n in range(1, 151)]
    notices = [told(finding(n), level=Level.NOTICE) for n in range(1, 50)]
    said = text_of(*errors, *notices).splitlines()
    assert len(said) == 100 + SHOWN_NOTICES + 1
    assert said[-1] == "… and 89 more (--format json lists all)"
    assert len(github_of(*errors, *notices)) == 100 + SHOWN_NOTICES


@pytest.mark.parametrize(
    ("errors", "warnings", "notices", "expected"),
    [
        (2, 1, 0, "2 errors and 1 warning"),
        (1, 2, 3, "1 error, 2 warnings and 3 notices"),
        (0, 1, 0, "1 warning"),
        (0, 0, 0, ""),
    ],
)
def test_findings_are_counted_in_words(errors: int, warnings: int, notices: int, expected: str) -> None:
    levels = [Level.ERROR] * errors + [Level.WARNING] * warnings + [Level.NOTICE] * notices
    assert counted(told(finding(), level=level) for level in levels) == expected


# ---------------------------------------------------------------- GitHub


def test_a_workflow_command_names_file_line_column_and_key(file: Path) -> None:
    file.write_text("x\n")
    assert github_of(told(finding(3, 7, hint="write y"), file, Level.WARNING)) == [
        "::warning file=rules/triage.yaml,line=3,col=7,title=a.b::expected x, got y; write y"
    ]
    assert github_of(told(finding(path=""), file)) == [
        "::error file=rules/triage.yaml,line=1,col=1,title=triaged check::expected x, got y"
    ]


def test_a_workflow_command_is_escaped_as_github_reads_it() -> None:
    odd = finding(message="50%: a,b\r\n::error::x", path="a:b,c%\n")
    assert github_of(told(odd)) == [
        "::error file=triage.yaml,line=1,col=1,title=a%3Ab%2Cc%25\\n::50%25: a,b\\r\\n::error::x"
    ]


@given(st.text(), st.text())
def test_no_text_ends_a_workflow_command_or_begins_another(message: str, path: str) -> None:
    (line,) = github_of(told(finding(message=message, path=path)))
    properties, _, _ = line.removeprefix("::error ").partition("::")
    assert len(properties.split(",")) == 4


# ---------------------------------------------------------------- JSON


def test_json_lists_all_findings_with_their_parts(file: Path) -> None:
    out = io.StringIO()
    many = [told(finding(2, 3, hint="write y"), file, Level.WARNING)] * 120
    write_json(Console(file=out, width=20, highlight=False), many, {"ok": True})
    read = json.loads(out.getvalue())
    assert read["ok"] is True
    assert len(read["findings"]) == 120
    assert read["findings"][0] == {
        "level": "warning",
        "file": "rules/triage.yaml",
        "line": 2,
        "column": 3,
        "key": "a.b",
        "message": "expected x, got y",
        "hint": "write y",
    }


# ---------------------------------------------------------------- what a file says is never obeyed


@given(st.text(max_size=60), st.integers(1, 70), st.text(max_size=20))
def test_no_control_character_of_a_file_reaches_the_output(line: str, column: int, message: str) -> None:
    odd = f"\x1b[2J\x07\x9b{line}"
    found = told(finding(1, column, message=odd + message, hint=odd, path=odd))
    out = io.StringIO()
    console = Console(file=out, width=80, highlight=False)
    write_text(console, [found])
    write_github(console, [found])
    write_json(console, [found], {})
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", out.getvalue())


def test_a_line_break_in_a_value_makes_no_line_of_the_output() -> None:
    said = text_of(told(finding(message="got a\nb.yaml:1:1: error: c", path="a\nb", hint="d\ne")))
    assert said == "triage.yaml:1:1: error: a\\nb: got a\\nb.yaml:1:1: error: c; d\\ne\n"


def test_control_characters_of_the_line_that_is_shown_are_escaped(file: Path) -> None:
    file.write_text("name: a\x1b[2Jb\n")
    assert text_of(told(finding(1, 7), file)).splitlines()[1] == "    1 | name: a\\x1b[2Jb"
