"""No verb obeys what an alert says: it is shown on its own line, with what is no visible character escaped."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from triaged.cli import main
from triaged.cli.terminal import plain, plain_lines
from triaged.clock import FakeClock
from web_desk import RULES
from world import START, alert, body, settings_for, world

FORGED = "INC-99 sev1 open"
VALUE = f'a\x1b[2J\x9b3A\r\n{FORGED}\n\t\x07\u202e\u2028\u2066\u200b\x85\x0b", owner="me'
HOSTILE = alert(f"Odd\n{FORGED}\x1b]0;owned\x07", labels={"pod": VALUE, f"x\n{FORGED}": "1"})
ESCAPED = "a\\x1b[2J\\x9b3A\\r\\nINC-99"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with rules, a configuration and a store that holds a hostile alert."""
    rules = tmp_path / "rules"
    rules.mkdir()
    for name, text in RULES.items():
        (rules / name).write_text(text)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"store": "sqlite:///triaged.db", "rules": "rules"}))
    (tmp_path / "payload.json").write_bytes(body([HOSTILE, {"labels": VALUE}]))
    with world(settings_for(tmp_path), FakeClock(START)) as daemon:
        daemon.deliver(HOSTILE)
    return tmp_path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path) -> Callable[..., str]:
    """What `triaged …` says in that directory, on both streams."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "400")

    def triaged(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["triaged", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit):
            main()
        return "".join(capsys.readouterr())

    return triaged


def is_tame(said: str) -> bool:
    """Whether there is no control character but the ends of lines, and no line that the alert made up."""
    return not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2066]", said) and not re.search(
        rf"^\W*{FORGED}", said, re.MULTILINE
    )


@pytest.mark.parametrize(
    "verb",
    [
        ("explain", "payload.json"),
        ("explain", "payload.json", "--every"),
        ("explain", "INC-1", "--every"),
        ("explain", "--alert", f"alertname={json.dumps(HOSTILE['labels']['alertname'])}"),
        ("backtest", "--rules", "other"),
        ("backtest", "--rules", "other", "--format", "markdown"),
        ("backtest", "--rules", "other", "--format", "json"),
        ("check",),
        ("check", "--format", "github"),
        ("check", "--format", "json"),
        ("test", "rules"),
    ],
    ids=" ".join,
)
def test_a_verb_shows_what_a_hostile_alert_says_and_obeys_none_of_it(
    run: Callable[..., str], folder: Path, verb: tuple[str, ...]
) -> None:
    other = folder / "other"
    other.mkdir()
    for name, text in RULES.items():
        (other / name).write_text(text.replace("rules:\n", "rules:\n- {name: low, at_most: sev4}\n"))
    (folder / "rules" / "tests").mkdir()
    case = {"test": "t", "alert": {**HOSTILE["labels"]}, "expect": {"severity": "sev1", "because": FORGED}}
    (folder / "rules" / "tests" / "a.yaml").write_text(yaml.safe_dump([case]))

    said = run(*verb)

    assert is_tame(said)
    assert re.search(rf"Odd(\\+n| ){FORGED}", said), "a line break of Markdown's is a space"


def test_a_value_cannot_pass_for_another_label(run: Callable[..., str]) -> None:
    said = run("explain", "payload.json")
    assert ESCAPED in said.replace("\\\\", "\\")
    assert '", owner="me' not in said
    assert '\\", owner=\\"me' in said


@given(st.text(st.characters(), max_size=40))
def test_any_text_is_one_line_that_can_be_written(text: str) -> None:
    shown = plain(text)
    assert len(shown.splitlines()) <= 1
    assert not re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", shown)
    assert plain(shown) == shown
    assert plain_lines(f"{text}\n{text}").count("\n") == 2 * text.count("\n") + 1
