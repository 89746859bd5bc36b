"""tests/*.yaml: tests of rules, read with all that is wrong with them at once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, assert_never

import yaml

from triaged.errors import ConfigError, Finding
from triaged.replay.ruletests import acting
from triaged.replay.ruletests.cases import Case, Do, Fire, Firing, Labels, Place, Post, Resolve, Says, Step, Want
from triaged.replay.ruletests.expecting import DUE, EXPECTATIONS, KEYS, labels, some_labels
from triaged.replay.ruletests.health import number
from triaged.replay.ruletests.wording import NONE, in_words, instant, moment
from triaged.rulefiles import words
from triaged.rulefiles.marks import Items, Node, Scalar, Table, compose
from triaged.rulefiles.texts import read_text
from triaged.rulefiles.values import Fields, Value

TEST_KEYS: Final = ("test", "at", "source", "alert", "alerts", "annotations", "expect", "steps")
VERDICT_KEYS: Final = ("alert", "alerts", "annotations", "expect")
"""What a test of a verdict has instead of `steps`."""
STEP_KEYS: Final = ("at", "fire", "post", "resolve", "act", "health", "of", "expect")
DOES: Final = ("fire", "post", "resolve", "act", "health")
FIRING_KEYS: Final = ("labels", "annotations", "source", "starts_at")
"""The long form of an alert; the short one is its labels alone."""
SOURCE: Final = "alertmanager"
MOST_FINDINGS: Final = 10_000
"""After so many nobody reads on."""
START: Final = datetime(2026, 1, 7, 12, tzinfo=UTC)
"""When a test begins that does not say it: noon of a Wednesday."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile:
    """The tests of one file, in their order."""

    name: str
    cases: tuple[Case, ...]


def files_in(folder: Path) -> list[Path]:
    """The files of tests in a folder and below it, by name; what begins with a dot is an editor's or a volume's."""
    found = (path for path in folder.rglob("*.y*ml") if path.suffix in (".yaml", ".yml"))
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def read_all(paths: Iterable[Path]) -> tuple[CaseFile, ...]:
    """The tests of these files. Raises ConfigError with everything that is wrong with any of them."""
    findings: list[Finding] = []
    files = []
    for path in paths:
        text = read_text(path, str(path))
        if isinstance(text, Finding):
            findings.append(text)
        else:
            files.append(CaseFile(name=str(path), cases=read(str(path), text, findings)))
    if findings:
        raise ConfigError(findings=tuple(sorted({*findings})))
    return tuple(files)


def read(name: str, text: str, findings: list[Finding]) -> tuple[Case, ...]:
    """The tests of a text, as far as they have no findings."""
    node = compose(name, text, findings)
    return () if node is None else read_node(Value(node=node, path="", file=name, findings=findings))


def read_node(root: Value) -> tuple[Case, ...]:
    """The same of a document that is composed already."""
    cases: list[Case] = []
    lines: dict[str, int] = {}
    for item in () if root.nothing else root.items():
        if len(root.findings) > MOST_FINDINGS:
            break
        found = _cases(item)
        for case in found:
            if case.name in lines:
                item.complain(f"expected every test once, got {case.name!r} here and in line {lines[case.name]}")
            lines.setdefault(case.name, case.place.line)
        cases += found
    return tuple(cases)


def _cases(value: Value) -> list[Case]:
    fields = value.fields(TEST_KEYS, required=("test",))
    name = fields.read("test", lambda text: text.shaped(r"\S(.*\S)?", "a sentence on one line that says what holds"))
    source = fields.read("source", Value.text) or SOURCE
    start = fields.read("at", lambda at: at.plain(instant, "a date with time")) or START
    if "steps" in fields:
        for key in filter(fields.__contains__, VERDICT_KEYS):
            fields[key].complain(f"expected either `steps` or `{key}`, got both")
        steps = _steps(fields["steps"], start, source)
        return [Case(name=name or "?", place=place_of(value), start=start, steps=steps)]
    return _verdict_cases(value, fields, name or "?", start, source)


def _verdict_cases(value: Value, fields: Fields, name: str, start: datetime, source: str) -> list[Case]:
    """One case for each alert: alone in its own world, it fires, and that is all."""
    if "alert" in fields and "alerts" in fields:
        fields["alerts"].complain("expected either `alert` or `alerts`, got both")
    if not {"alert", "alerts"} & fields.keys():
        value.complain("expected `alert`, `alerts` or `steps`, got none of them")
    if "expect" not in fields:
        value.complain("expected a key expect, got none")
    annotations = fields.read("annotations", labels) or {}
    wants = fields.many("expect", lambda expect: _wants(expect, start))
    several = fields["alerts"].items() if "alerts" in fields and fields["alerts"].filled("at least one alert") else []
    one = [fields["alert"]] if "alert" in fields else []
    cases = []
    for alert in several or one:
        firing = _firing(alert, start, source, annotations)
        if firing is not None:
            place = place_of(alert)
            step = Step(at=start, place=place, does=Fire(firings=(firing,)), wants=wants)
            told = f"{name}: {in_words(firing.labels)}" if several else name
            cases.append(Case(name=told, place=place_of(value), start=start, steps=(step,)))
    return cases


def _steps(value: Value, start: datetime, source: str) -> tuple[Step, ...]:
    steps: list[Step] = []
    latest = start
    expects = False
    for item in value.items():
        step = _step(item, start, source)
        expects |= any(key.word == "expect" for key, _ in item.entries())
        if step.at < latest:
            item.complain("expected steps in their order in time, got one before the step above it")
        latest = max(latest, step.at)
        steps.append(step)
    if not expects:
        value.complain("expected at least one step with `expect`: what expects nothing tests nothing")
    return tuple(steps)


def _step(value: Value, start: datetime, source: str) -> Step:
    given = {key.word: inner for key, inner in value.entries()}
    act = given["act"].word if "act" in given else ""
    fields = value.fields((*STEP_KEYS, *{**acting.FIELDS, **acting.ELSEWHERE}.get(act, ())), required=("at",))
    after = fields.read("at", lambda at: at.plain(words.span, "a time since the test's start like 15m"))
    does = [key for key in DOES if key in fields]
    if len(does) > 1:
        fields[does[1]].complain(f"expected one of {words.listed(DOES)} in a step, got {words.listed(does)}")
    if not does and "expect" not in fields:
        value.complain(f"expected {words.listed((*DOES, 'expect'))}, got none of them")
    of = fields.read("of", some_labels)
    if of is not None and "act" not in fields and "expect" not in fields:
        fields["of"].complain("expected `of` only beside `act` or `expect`")
    return Step(
        at=start if after is None else start + after,
        place=place_of(value),
        does=_does(fields, start, source),
        of=of,
        wants=fields.many("expect", lambda expect: _wants(expect, start)),
    )


def _does(fields: Fields, start: datetime, source: str) -> Fire | Post | Resolve | Do | Says | None:
    if "fire" in fields:
        firings = [_firing(value, start, source, {}) for value in _one_or_many(fields["fire"])]
        return Fire(firings=tuple(filter(None, firings)))
    if "post" in fields:
        return Post(source=source, body=_body(fields["post"]))
    if "resolve" in fields:
        return Resolve(among=_among(fields["resolve"]))
    if "health" in fields:
        return Says(values=_said(fields["health"]))
    act = acting.read(fields["act"], fields) if "act" in fields else None
    return None if act is None else Do(act=act, into=fields.read("into", some_labels))


def _said(value: Value) -> dict[str, float | None]:
    entries = value.by_name() if value.filled("at least one health query with its value") else []
    return {query: None if said.word == NONE else said.plain(number, "a number or none") for query, said in entries}


def _body(value: Value) -> bytes:
    try:
        return json.dumps(_document(value.node), allow_nan=False).encode()
    except ValueError:
        value.complain("expected JSON, got a number that it has not: .nan, .inf, or one of thousands of digits")
        return b""


def _document(node: Node) -> object:
    """The JSON that a node stands for; YAML's dates are text."""
    match node:
        case Table():
            return {key.text: _document(inner) for key, inner in node.entries}
        case Items():
            return [_document(item) for item in node.items]
        case Scalar(kind="null" | "bool" | "int" | "float"):
            return yaml.safe_load(node.text)
        case Scalar():
            return node.text
        case _:
            assert_never(node)


def _among(value: Value) -> tuple[Labels, ...]:
    if value.word == "all":
        return ({},)
    if value.word or value.blank:
        value.wrong("expected all, the labels of alerts that end, or a list of such")
        return ()
    return tuple(map(some_labels, _one_or_many(value)))


def _one_or_many(value: Value) -> list[Value]:
    if value.length is None:
        return [value]
    return value.items() if value.filled("an alert's labels, or a list of such") else []


def _firing(value: Value, start: datetime, source: str, annotations: Labels) -> Firing | None:
    """An alert in its short form, its labels, or in its long one."""
    before = len(value.findings)
    fields = Fields(labels=value)
    if any(key.word == "labels" and isinstance(inner.node, Table) for key, inner in value.entries()):
        fields = value.fields(FIRING_KEYS, required=("labels",))
    firing = Firing(
        labels=fields.read("labels", labels) or {},
        annotations={**annotations, **(fields.read("annotations", labels) or {})},
        source=fields.read("source", Value.text) or source,
        starts_at=fields.read("starts_at", lambda at: at.plain(lambda text: moment(text, start), "a time")),
    )
    if len(value.findings) == before and not any(firing.labels.values()):
        value.wrong("expected at least one label with a value")
    return firing if len(value.findings) == before else None


def _wants(value: Value, start: datetime) -> list[Want]:
    if not value.filled("at least one thing that is expected"):
        return []
    fields = value.fields(KEYS)
    named: dict[str, Value] = {name: one for name, one in fields.items() if name != "due"}
    if "due" in fields:
        fields["due"].filled("at least one deadline")
        named |= {f"due.{kind}": one for kind, one in fields["due"].fields(DUE).items()}
    wants = []
    for name, one in named.items():
        before = len(one.findings)
        found = EXPECTATIONS[name].read(one, start)
        if len(one.findings) == before:
            wants.append(Want(name=name, value=found, place=place_of(one)))
    return wants


def place_of(value: Value) -> Place:
    return Place(file=value.file, line=value.node.line, column=value.node.column)
