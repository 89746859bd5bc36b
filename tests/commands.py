"""The command line in the tests' own process: what a command wrote, how it ended, and the rules that it reads."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from triaged.cli import main
from web_desk import RULES


@dataclass(frozen=True)
class Said:
    """What a command wrote, and its exit status."""

    status: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def triaged(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `triaged …` where the process stands; it never shows a traceback."""

    def run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["triaged", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return Said(status=int(ended.value.code or 0), out=out, err=err)

    return run


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A folder with the rules of the tests' desk."""
    folder = tmp_path / "rules"
    folder.mkdir()
    for name, text in RULES.items():
        (folder / name).write_text(text)
    return folder


def config_in(folder: Path, **keys: Any) -> Path:
    """A configuration with these keys."""
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(keys))
    return file
