"""YAML text into nodes that know their line and column, within bounds, with every surprise of YAML refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.resolver import Resolver

from triaged.errors import Finding

LARGEST = 1024 * 1024
"""Bytes of one file."""
DEEPEST = 30
SHOWN = 60
"""Characters of a word that is too long."""
LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""YAML 1.1, 5.4, by which places are counted: a form feed is none."""
UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# Written in C where PyYAML was built with libyaml, as its wheels are: 10,000 rules in 0.1 s instead of 1.4 s.
Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """One word; `kind` is what YAML 1.1 takes a plain one for: str, bool, int, float, null, timestamp."""

    line: int
    column: int
    text: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A list."""

    line: int
    column: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A mapping; keys in their order, each once."""

    line: int
    column: int
    entries: tuple[tuple[Scalar, Node], ...]


Node = Scalar | Items | Table


class _Refused(Exception):  # noqa: N818 - carries the place of the one finding out of the recursion
    def __init__(self, line: int, column: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.line, self.column, self.message, self.hint = line, column, message, hint


def compose(file: str, text: str, findings: list[Finding]) -> Node | None:
    """The one document of the text; None, with a finding more, where it cannot be read. An empty one is a null."""
    composer = _Composer(file, findings)
    try:
        return composer.document(text)
    except _Refused as refused:
        problem = refused
    except yaml.MarkedYAMLError as broken:
        problem = _broken(broken, text)
    findings.append(
        Finding(
            file=file, line=problem.line, column=problem.column, path="", message=problem.message, hint=problem.hint
        )
    )
    return None


def _broken(broken: yaml.MarkedYAMLError, text: str) -> _Refused:
    """What is no YAML at all: where it breaks off, or begins where nothing ends it."""
    begins, ends = broken.context_mark, broken.problem_mark
    said, problem, mark = broken.context or "", broken.problem, ends or begins
    if mark and not text[mark.index :].strip():
        mark = begins
    elif begins and ends and begins.line != ends.line:
        said += f" that begins in line {begins.line + 1}"
    if mark and text[mark.index :].strip():
        place, tab = (mark.line + 1, mark.column + 1), text[mark.index :].startswith("\t")
    else:
        place, tab, problem = _last_place(text), False, "found the end of the file"
    message = ", ".join(filter(None, (said, problem)))
    return _Refused(*place, f"no valid YAML: {message}", "indent with spaces" if tab else "")


def _last_place(text: str) -> tuple[int, int]:
    """Line and column of the last character that can be seen."""
    lines = LINE_BREAK.split(text.rstrip())
    return len(lines), max(len(lines[-1]), 1)


class _Composer:
    def __init__(self, file: str, findings: list[Finding]) -> None:
        self._file = file
        self._findings = findings
        self._resolver: Any = Resolver()

    def document(self, text: str) -> Node:
        if len(text.encode(errors="surrogatepass")) > LARGEST:
            raise _Refused(1, 1, f"expected at most {LARGEST:,} bytes, got more")
        unprintable = UNPRINTABLE.search(text)
        if unprintable:
            before = text[: unprintable.start()]
            line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
            raise _Refused(line, column, f"expected printable characters, got U+{ord(unprintable[0]):04X}")
        events = yaml.parse(text, Loader=Loader)
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise _refused(event, "expected one document, got a second one")
                root = self._node(next(events), events, 0)
        return root or Scalar(line=1, column=1, text="", kind="null")

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _refused(event, "expected no anchors and aliases (& and *)", "write the value out")
        if tag := getattr(event, "tag", None):
            raise _refused(event, f"expected no tag, got {tag}", "put words that begin with ! in quotes")
        if depth > DEEPEST:
            raise _refused(event, f"expected at most {DEEPEST} levels")
        line, column = _place(event)
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(inner := next(events), yaml.SequenceEndEvent):
                items.append(self._node(inner, events, depth + 1))
            return Items(line=line, column=column, items=tuple(items))
        if isinstance(event, yaml.MappingStartEvent):
            return Table(line=line, column=column, entries=tuple(self._entries(events, depth)))
        return self._scalar(event)

    def _entries(self, events: Iterator[yaml.Event], depth: int) -> Iterator[tuple[Scalar, Node]]:
        lines: dict[str, int] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._node(event, events, depth + 1)
            if not isinstance(key, Scalar):
                raise _refused(event, "expected a word as key")
            value = self._node(next(events), events, depth + 1)
            if key.text in lines:
                name = key.text if len(key.text) <= SHOWN else f"{key.text[:SHOWN]}…"
                message = f"expected every key once, got {name} here and in line {lines[key.text]}"
                self._findings.append(
                    Finding(file=self._file, line=key.line, column=key.column, path=name, message=message)
                )
                continue
            lines[key.text] = key.line
            yield key, value

    def _scalar(self, event: yaml.Event) -> Scalar:
        line, column = _place(event)
        text, (plain, _) = getattr(event, "value", ""), getattr(event, "implicit", (True, False))
        kind = str(self._resolver.resolve(yaml.ScalarNode, text, (True, False))) if plain else ":str"
        return Scalar(line=line, column=column, text=text, kind=kind.rpartition(":")[2])


def _place(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _refused(event: yaml.Event, message: str, hint: str = "") -> _Refused:
    return _Refused(*_place(event), message, hint)
