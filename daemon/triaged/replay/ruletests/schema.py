"""JSON Schema of tests/*.yaml, from the keys that the reader knows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from triaged.core.model import ActionKind, Role, Severity
from triaged.replay.ruletests.acting import FIELDS, OUTCOMES, REASONS
from triaged.replay.ruletests.expecting import DUE, EXPECTATIONS, KEYS
from triaged.replay.ruletests.reading import DOES, FIRING_KEYS, START, STEP_KEYS, TEST_KEYS
from triaged.rulefiles.sketch import DRAFT, SOMETHING, Schema, schema_of
from triaged.rulefiles.words import SHAPES, exact_instant, instant, some_span, span

GLOB = "tests/*.yaml"
TEXT: Schema = {"type": "string"}
PHRASE: Schema = {"type": "string", "pattern": SOMETHING}
NAMES: Schema = {"type": "array", "items": PHRASE, "uniqueItems": True}
LABELS: Schema = {
    "type": ["object", "null"],
    "propertyNames": {"pattern": SOMETHING},
    "additionalProperties": TEXT,
}
SOME_LABELS: Schema = {**LABELS, "type": "object", "minProperties": 1}
ALERT: Schema = {**SOME_LABELS, "not": {"additionalProperties": {"const": ""}}}
"""The labels of an alert, of which one at least has a value."""
# What is written in more than one way, where a blank sheet is asked only for one of them.
SEVERAL_WAYS: dict[str, Schema] = {
    "because": {"anyOf": [PHRASE, {**NAMES, "minItems": 1}]},
    "timeline": {"anyOf": [PHRASE, {**NAMES, "minItems": 1}]},
    "key": {"anyOf": [SOME_LABELS, {**NAMES, "minItems": 1}]},
    "parent": {"anyOf": [SOME_LABELS, {"const": "none"}]},
    "roles": {"anyOf": [SOME_LABELS, {"const": "none"}]},
    "delay": {"anyOf": [{"const": "none"}, {**SHAPES[some_span]}]},
    "dropped": {"anyOf": [{"type": "boolean"}, PHRASE]},
}
ACT_FIELDS: dict[str, Schema] = {
    "for": {**SHAPES[some_span]},
    "severity": {"enum": [severity.value for severity in Severity]},
    "into": SOME_LABELS,
    "take_over": {"type": "boolean"},
    "role": {"enum": [role.value for role in Role]},
    "eta": {**SHAPES[some_span]},
    "in": {**SHAPES[some_span]},
    "none": {"type": "boolean"},
    "until": {**SHAPES[exact_instant]},
    "outcome": {"enum": [*OUTCOMES]},
    "kind": {"enum": [kind.value for kind in ActionKind]},
    "due": {**SHAPES[some_span]},
    "done": {"type": "integer", "minimum": 1},
}


def schema() -> Schema:
    """The schema of a file of tests; which keys may stand beside each other is left to the reader."""
    expect = _closed({name: _expected(name) for name in KEYS if name != "due"})
    expect["minProperties"] = 1
    expect["properties"]["due"] = {**_closed(dict.fromkeys(DUE, PHRASE)), "minProperties": 1}
    firing = {
        "anyOf": [_closed(_known(FIRING_KEYS, labels=ALERT, annotations=LABELS, starts_at=PHRASE), ("labels",)), ALERT]
    }
    firings = {"anyOf": [firing, {"type": "array", "items": firing, "minItems": 1}]}
    act_fields = dict.fromkeys(name for names in FIELDS.values() for name in names)
    step = _closed(
        {
            **_known(act_fields, **ACT_FIELDS),
            **_known(
                STEP_KEYS,
                at={**SHAPES[span]},
                fire=firings,
                post={"type": ["object", "array"]},
                resolve={
                    "anyOf": [{"const": "all"}, SOME_LABELS, {"type": "array", "items": SOME_LABELS, "minItems": 1}]
                },
                act={"enum": [*FIELDS]},
                health={
                    "type": "object",
                    "propertyNames": {"pattern": SOMETHING},
                    "additionalProperties": {"anyOf": [{"type": "number"}, {"const": "none"}]},
                    "minProperties": 1,
                },
                of=SOME_LABELS,
                expect=expect,
            ),
        },
        ("at",),
    )
    step["anyOf"] = [{"required": [name]} for name in (*DOES, "expect")]
    closing = {"properties": {"act": {"const": "close"}}, "required": ["act"]}
    step |= {"if": closing, "then": {"properties": {"reason": {"enum": list(REASONS)}}}}
    test = _known(
        TEST_KEYS,
        alert=firing,
        test={"type": "string", "pattern": "^\\S(.*\\S)?$"},
        at={**SHAPES[instant]},
        alerts={"type": "array", "items": firing, "minItems": 1},
        annotations=LABELS,
        expect=expect,
        steps={"type": "array", "items": step, "minItems": 1},
    )
    items = {"type": ["array", "null"], "items": _closed(test, ("test",))}
    return {"$schema": DRAFT, "title": f"triaged: {GLOB}", **items}


def _expected(name: str) -> Schema:
    if name in SEVERAL_WAYS:
        return SEVERAL_WAYS[name]
    found = schema_of(lambda value: EXPECTATIONS[name].read(value, START), "")
    return {key: value for key, value in found.items() if key not in ("$schema", "title")} or TEXT


def _known(names: Iterable[str], **described: Schema) -> dict[str, Schema]:
    """Every name that the reader knows; those that are not described are texts."""
    return {name: described.get(name, TEXT) for name in names}


def _closed(properties: dict[str, Schema], required: tuple[str, ...] = ()) -> dict[str, Any]:
    closed: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**closed, "required": list(required)} if required else closed
