"""JSON Schema of tests/*.yaml, from the keys that the reader knows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from triaged.replay.ruletests.acting import FIELDS
from triaged.replay.ruletests.expecting import DUE, EXPECTATIONS, KEYS
from triaged.replay.ruletests.reading import DOES, FIRING_KEYS, START, STEP_KEYS, TEST_KEYS
from triaged.rulefiles.sketch import DRAFT, Schema, schema_of
from triaged.rulefiles.words import SHAPES, span

GLOB = "tests/*.yaml"
TEXT: Schema = {"type": "string"}
LABELS: Schema = {"type": ["object", "null"], "additionalProperties": TEXT}
# What is written in more than one way, where a blank sheet is asked only for one of them.
SEVERAL_WAYS: dict[str, Schema] = {
    "because": {"anyOf": [TEXT, {"type": "array", "items": TEXT}]},
    "timeline": {"anyOf": [TEXT, {"type": "array", "items": TEXT}]},
    "key": {"anyOf": [LABELS, {"type": "array", "items": TEXT}]},
    "parent": {"anyOf": [LABELS, {"const": "none"}]},
    "delay": TEXT,
    "dropped": {"type": ["boolean", "string"]},
}


def schema() -> Schema:
    """The schema of a file of tests; which keys may stand beside each other is left to the reader."""
    expect = _closed({name: _expected(name) for name in KEYS if name != "due"})
    expect["properties"]["due"] = _closed(dict.fromkeys(DUE, TEXT))
    firing = {"anyOf": [_closed(_known(FIRING_KEYS, labels=LABELS, annotations=LABELS), ("labels",)), LABELS]}
    firings = {"anyOf": [firing, {"type": "array", "items": firing}]}
    act_fields = dict.fromkeys(name for names in FIELDS.values() for name in names)
    step = _closed(
        {
            **_known(act_fields, into=LABELS),
            **_known(
                STEP_KEYS,
                at={**SHAPES[span]},
                fire=firings,
                post={"type": ["object", "array"]},
                resolve={"anyOf": [{"const": "all"}, LABELS, {"type": "array", "items": LABELS}]},
                act={"enum": [*FIELDS]},
                of=LABELS,
                expect=expect,
            ),
        },
        ("at",),
    )
    step["anyOf"] = [{"required": [name]} for name in (*DOES, "expect")]
    test = _known(
        TEST_KEYS,
        alert=firing,
        alerts={"type": "array", "items": firing},
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
