"""What is empty: wherever a reader refuses it, so does the JSON Schema that editors get."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, TypeGuard

import pytest
import yaml
from jsonschema import Draft202012Validator

from triaged.cli.schema import KNOWN
from triaged.errors import Finding
from triaged.replay.ruletests import reading
from triaged.replay.ruletests import schema as ruletests
from triaged.rulefiles.marks import Items, Node, Scalar, Table, compose
from triaged.rulefiles.schemas import FILES
from triaged.rulefiles.values import Value

ROOT = Path(__file__).parents[2]
PLACE = {"line": 1, "column": 1}
EMPTIES: dict[str, Node] = {
    "nothing": Scalar(**PLACE, text="", kind="null"),
    '""': Scalar(**PLACE, text="", kind="str"),
    '" "': Scalar(**PLACE, text=" ", kind="str"),
    "[]": Items(**PLACE, items=()),
    "{}": Table(**PLACE, entries=()),
}
LONG = 8
"""Of such lists only one item is kept, for none asks anything of the others."""
MORE = {
    "triage": """
matrix: {extensive: [sev1, sev1, sev2, sev3]}
rules:
- {name: a, annotations: [a=b], source: [name=b], until: 2027-01-01, during: b, at_most: sev4, repository: a/b,
   delay: 5m, close: person, restricted: true, stop: true, grows: [{when: {alerts: 5, firing_for: 5m,
   refires: {count: 3, within: 1h}}, urgency: high}]}
""",
    "services": """
services: {a: {match: [a=b], users: few, code: [a/b], healthy: [a < b], links: {a: 'https://b'},
   depends_on: [a], downtime: {budget: 1h, within: 30d}}}
teams:
  a: {repository: a/b, channels: [b], on_call: {rotation: [ann], handover: monday 09:00, zone: UTC}, hours: b}
  b: {on_call: {rotation: [ann], from: 2026-11-23, ical: 'https://b', ical_file: /b}}
people: {ann: {github: ann, notify: ['mailto://b']}}
""",
    "severities": """
sev1: {at_risk: 0.5, review: {between: [48h, 72h]}, escalation: [{after: 5m, repeat: 5m, during: business}],
   bridge: hook, roles: [scribe], check_in_every: 5m, ask_reporter_for: 5m,
   flapping: {refires: 3, within: 6h, verify_for: 2h},
   close_unattended: true}
""",
    "calendars": """
a: {zone: UTC, hours: {friday: ['09:00-12:00']}, holidays: {country: DE, subdivision: BE}, closed: [2026-12-28],
    open: [2026-11-28], periods: [{from: 2026-11-20T00:00, to: 2026-12-01}]}
""",
    "heartbeats": "a: {match: [a=b], every: 5m, grace: 5m, by: [c], forget_after: 5h, unheard: missing}",
    "maintenance": "- {match: [a=b], from: 2026-12-01T22:00Z, to: 2026-12-02T02:00Z, reason: Kernel, all: true}",
    "sources": """
protocol: sns
topics: ['arn:aws:sns:eu-west-1:123456789012:alarms']
status: {from: a, firing: [b], resolved: [c], ignored: [d], default: firing}
labels: {a: {from: b, map: {c: d}, default: e}, b: {value: c}}
annotations_from: a
starts_at: a
ends_at: {from: b}
generator_url: c
""",
    "tests": """
- {test: a, alert: {labels: {a: b}, annotations: {a: b}, source: c, starts_at: -5m}, annotations: {a: b}, source: c,
   at: 2026-11-23T03:00:00Z, expect: {close: person, restricted: true, repository: a/b}}
- {test: b, alerts: [{a: b}], expect: {key: {a: b}, because: [a], dropped: a, labels: [a], at_risk: [response],
   parent: {a: b}, timeline: [a], delay: 5m, due: {growth: 1h, storm: 1h, response_at_risk: 5m, resolution_at_risk: 5m},
   incidents: 1, issues: 1, fold: storm}}
- {test: c, steps: [{at: 0m, post: {a: b}, expect: {firing: 1, round: 1}}, {at: 1m, resolve: {a: b}},
   {at: 1m, resolve: [{a: b}]}, {at: 2m, act: ack, for: 1h, of: {a: b}},
   {at: 2m, act: review, outcome: waived, expect: {review: none, actions: 1, due: {review: 1h, action: 1h}}},
   {at: 2m, act: action, text: a, kind: tool, owner: b, due: 14d}, {at: 2m, act: action, done: 1},
   {at: 2m, act: merge, into: {a: b}},
   {at: 2m, act: escalate, to: a, take_over: true, expect: {level: 1, owner: a, due: {escalation: 5m}}},
   {at: 2m, expect: {bridge: b, roles: {commander: a}, due: {check_in: 5m, reporter: 5m}}},
   {at: 2m, act: pause, until: 2026-11-23T05:00Z, reason: vendor}, {at: 2m, act: eta, none: true},
   {at: 3m, act: close, reason: completed, summary: a, root_cause: b, fix: c, prevention: d}]}
""",
}
"""What no file uses."""


def texts() -> Iterator[tuple[str, str]]:
    globs = {**{name: described.glob for name, described in FILES.items()}, "tests": ruletests.GLOB}
    for name, glob in globs.items():
        yield from ((name, file.read_text(encoding="utf-8")) for file in sorted((ROOT / "rules").glob(glob)))
    yield from MORE.items()


def as_json(node: Node) -> Any:
    match node:
        case Table():
            return {key.text: as_json(value) for key, value in node.entries}
        case Items():
            return [as_json(item) for item in node.items]
        case Scalar(kind="str" | "timestamp"):
            return node.text
        case Scalar():
            return yaml.safe_load(node.text)


def emptied(node: Node, path: str, words: frozenset[str]) -> Iterator[tuple[str, str, Node, str]]:
    """Every document in which one value or key is empty: its place, what it is, the document, and the key's path.

    The place has `*` for names that operators choose.
    """
    for told, empty in EMPTIES.items():
        yield "", told, empty, path
    if isinstance(node, Table):
        yield from emptied_below(node, path, words)
    if isinstance(node, Items):
        for at, item in enumerate(node.items):
            before, after = (node.items[:at], node.items[at + 1 :]) if not is_long(node) else ((), ())
            for place, told, inner, inside in emptied(item, f"{path}[{len(before)}]", words):
                yield f"[]{place}", told, replace(node, items=(*before, inner, *after)), inside


def is_long(node: Node) -> TypeGuard[Items]:
    return isinstance(node, Items) and len(node.items) >= LONG


def emptied_below(node: Table, path: str, words: frozenset[str]) -> Iterator[tuple[str, str, Node, str]]:
    paths = [value.path for _, value in Value(node=node, path=path, file="", findings=[]).entries()]
    others = [(key, replace(value, items=value.items[:1]) if is_long(value) else value) for key, value in node.entries]
    for at, (key, value) in enumerate(node.entries):
        before, after = others[:at], others[at + 1 :]
        name = f".{key.text if key.text in words else '*'}"
        for place, told, inner, inside in emptied(value, paths[at], words):
            yield name + place, told, replace(node, entries=(*before, (key, inner), *after)), inside
        for told, empty in EMPTIES.items():
            if isinstance(empty, Scalar):
                other = replace(node, entries=(*before, (empty, value), *after))
                _, emptied_key = Value(node=other, path=path, file="", findings=[]).entries()[at]
                yield f"{name} as key", told, other, emptied_key.path


@cache
def cases() -> dict[tuple[str, str, str], tuple[Node, str]]:
    """One document for each sort of place that there is in any of the files."""
    found: dict[tuple[str, str, str], tuple[Node, str]] = {}
    for name, text in texts():
        node = compose("x.yaml", text, [])
        assert node is not None
        words = frozenset(keywords(KNOWN[name][1]()))
        for place, told, other, path in emptied(node, "", words):
            found.setdefault((name, place, told), (other, path))
    return found


def keywords(schema: Any) -> Iterator[str]:
    """The keys that a schema names."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for inner in schema.values():
            yield from keywords(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from keywords(inner)


def findings(name: str, node: Node) -> list[Finding]:
    found: list[Finding] = []
    root = Value(node=node, path="", file="x.yaml", findings=found)
    if name == "tests":
        reading.read_node(root)
    else:
        FILES[name].read(root)
    return found


@pytest.mark.parametrize("name", [name for name in KNOWN if name != "config"])
def test_what_is_empty_where_its_reader_refuses_that_is_refused_by_the_schema(name: str) -> None:
    validator = Draft202012Validator(KNOWN[name][1]())
    refused, lax = 0, []
    for (of, place, told), (node, path) in cases().items():
        if of != name:
            continue
        # What is missed elsewhere then (a team that is named, and is gone) is no matter of shape.
        if any(finding.path == path for finding in findings(name, node)):
            refused += 1
            if validator.is_valid(as_json(node)):
                lax.append(f"{place}: {told}")
    assert lax == []
    assert refused > 20


@pytest.mark.parametrize("name", [name for name in KNOWN if name != "config"])
def test_each_keyword_stands_somewhere_in_what_is_emptied(name: str) -> None:
    tried = {word for of, place, _ in cases() if of == name for word in re.split(r"[.\[\] ]+", place)}
    assert {*keywords(KNOWN[name][1]())} - tried == set()
