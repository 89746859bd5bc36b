"""Findings as people and programs read them: text with the line itself, GitHub's workflow commands, JSON."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from triaged.cli.terminal import plain, told
from triaged.core import wording
from triaged.errors import SHOWN_FINDINGS, Finding
from triaged.rulefiles.marks import LINE_BREAK
from triaged.rulefiles.texts import read_text

WIDTH = 110
"""Columns of a line that are shown where no terminal says how wide it is."""
SHOWN_NOTICES = 10
LEAD = 20
"""Columns shown before the marker of a line that is too long."""
WORD = re.compile(r"""'[^']*'|"(?:[^"\\]|\\.)*"|[^\s,\[\]{}:]+""")


@unique
class Level(StrEnum):
    """How much a finding matters: an error refuses the set, a warning does with --strict, a notice never does."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


COLOURS = {Level.ERROR: "bold red", Level.WARNING: "bold yellow", Level.NOTICE: "bold cyan"}


@unique
class Format(StrEnum):
    TEXT = "text"
    GITHUB = "github"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A finding with how much it matters and its file on disk, None where it stands in none."""

    level: Level
    finding: Finding
    path: Path | None

    @property
    def file(self) -> str:
        """The file as the reader of the output finds it: below the working directory, else absolute."""
        if self.path is None:
            return self.finding.file
        path = self.path.absolute()
        return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)

    @property
    def message(self) -> str:
        return f"{self.finding.message}; {self.finding.hint}" if self.finding.hint else self.finding.message


def write_text(console: Console, findings: Sequence[Told]) -> None:
    """Each with the offending line and a marker under it."""
    lines = _Lines()
    shown = _first(findings)
    for one in shown:
        finding = one.finding
        place = f"{one.file}:{finding.line}:{finding.column}: "
        excerpt = _excerpt(lines.of(one), finding.column, console.width if console.is_terminal else WIDTH)
        key = told(f"{finding.path}: " if finding.path else "", style="dim")
        said = told(finding.message if excerpt else one.message)
        head = (told(place, style="bold"), told(f"{one.level}: ", style=COLOURS[one.level]), key, said)
        console.print(Text.assemble(*head), soft_wrap=True)
        if excerpt:
            line, marker = excerpt
            gutter = f"{finding.line:>5} | "
            console.print(Text.assemble(told(gutter, style="dim"), told(line)), soft_wrap=True)
            under = (told(f"{'':>5} | ", style="dim"), told(marker, style=COLOURS[one.level]))
            console.print(Text.assemble(*under, told(f" {finding.hint}" if finding.hint else "")), soft_wrap=True)
    if left := len(findings) - len(shown):
        console.print(f"… and {left:,} more (--format json lists all)")


def write_github(console: Console, findings: Sequence[Told]) -> None:
    """Workflow commands that GitHub shows at the lines of a pull request.

    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#setting-an-error-message;
    the escapes are those of https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts.
    """
    for one in _first(findings):
        finding = one.finding
        values = {
            "file": one.file,
            "line": finding.line,
            "col": finding.column,
            "title": finding.path or "triaged check",
        }
        properties = ",".join(f"{name}={escaped(str(value), also=':,')}" for name, value in values.items())
        console.print(Text(f"::{one.level} {properties}::{escaped(one.message)}"), soft_wrap=True)


def write_json(console: Console, findings: Sequence[Told], more: Mapping[str, object]) -> None:
    """All of them in one object, beside `more`."""
    listed = [
        {
            "level": one.level,
            "file": one.file,
            "line": one.finding.line,
            "column": one.finding.column,
            "key": one.finding.path,
            "message": one.finding.message,
            "hint": one.finding.hint,
        }
        for one in findings
    ]
    console.print(Text(json.dumps({**more, "findings": listed}, indent=2)), soft_wrap=True)


def _first(findings: Sequence[Told]) -> list[Told]:
    """The first hundred, errors before warnings; of notices only a few, for none of them asks for anything."""
    errors, warnings, notices = ([one for one in findings if one.level is level] for level in Level)
    return [*[*errors, *warnings][:SHOWN_FINDINGS], *notices[:SHOWN_NOTICES]]


def counted(findings: Iterable[Told]) -> str:
    """`2 errors and 1 warning`; "" where there is none."""
    found = Counter(one.level for one in findings)
    words = [wording.count(found[level], level.value) for level in Level if found[level]]
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


class _Lines:
    """The lines of the files that findings are in, each file read once."""

    def __init__(self) -> None:
        self._files: dict[Path, list[str]] = {}

    def of(self, one: Told) -> str:
        if one.path is None:
            return ""
        if one.path not in self._files:
            text = read_text(one.path, one.path.name, broken=True)
            self._files[one.path] = [] if isinstance(text, Finding) else LINE_BREAK.split(text)
        lines = self._files[one.path]
        return lines[one.finding.line - 1] if one.finding.line <= len(lines) else ""


def _excerpt(line: str, column: int, width: int) -> tuple[str, str] | None:
    """The line, cut where it is too long, and the marker below it; None where there is nothing to show."""
    if not line.strip():
        return None
    room = max(width - 8, 2 * LEAD)
    at = min(column - 1, len(line))
    word = WORD.match(line, at)
    length = len(word[0]) if word else 1
    begin = 0 if len(line) <= room or at < room // 2 else at - LEAD
    before, after = line[begin:at].expandtabs(), line[at:].expandtabs()
    shown = ("…" if begin else "") + before
    marked = min(length, room)
    end = max(room - len(shown), marked)
    marker = " " * cell_len(plain(shown)) + "^" * cell_len(plain(after[:marked]) or " ")
    return shown + after[:end] + ("…" if len(after) > end else ""), marker


def escaped(text: str, *, also: str = "") -> str:
    """The text as a workflow command takes it; `also` names what else would end it."""
    text = plain(text)
    for character in "%" + also:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
