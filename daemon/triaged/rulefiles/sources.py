"""sources/NAME.yaml: which parts of a sender's JSON are an alert's status, labels, annotations and instants."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import jmespath
from jmespath import exceptions
from jmespath.functions import Functions
from jmespath.parser import ParsedResult

from triaged.core import heartbeats, reports, storm
from triaged.ports.mapping import Meaning, Pick, Protocol, SourceMapping, StatusPick
from triaged.rulefiles.steady import BODY, marked
from triaged.rulefiles.values import Fields, Value
from triaged.rulefiles.words import nearest

KEYS = (
    "protocol",
    "topics",
    "alerts",
    "status",
    "labels",
    "labels_from",
    "identity",
    "annotations",
    "annotations_from",
    "at",
    "starts_at",
    "ends_at",
    "generator_url",
)
PICK_KEYS = ("from", "map", "default", "value")
STATUS_KEYS = ("from", "firing", "resolved", "ignored", "default")
NAME: Final = r"[a-z0-9][a-z0-9_-]{0,40}"
RESERVED: Final = ("alertmanager", heartbeats.SOURCE, storm.SOURCE, reports.SOURCE)
"""Sources that are built in."""
MOST_SOURCES: Final = 100
_TOPIC: Final = r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+(\.fifo)?"
_LONGEST: Final = 1_000
# Each may double what is found, one after the other.
_MOST_BUILT: Final = 6


def read(name: str, root: Value) -> SourceMapping | None:
    """The mapping of the source `name`; None after findings."""
    before = len(root.findings)
    if re.fullmatch(NAME, name) is None:
        root.complain("expected a file name of at most 41 lower-case letters, digits, _ and -, then .yaml")
    elif name in RESERVED:
        root.complain(f"expected another file name: {name} is built in")
    fields = root.fields(KEYS, either=("labels", "labels_from"))
    mapping = SourceMapping(
        name=name,
        protocol=fields.read("protocol", lambda word: word.choice(Protocol)) or Protocol.PLAIN,
        topics=frozenset(fields.many("topics", _topics)),
        alerts=fields.read("alerts", _expression),
        status=fields.read("status", _status) or StatusPick(expression=None, words={}, default=None),
        labels=fields.read("labels", _labels) or {},
        labels_from=fields.read("labels_from", _expression),
        identity=fields.many("identity", _identity),
        annotations=fields.read("annotations", _picks) or {},
        annotations_from=fields.read("annotations_from", _expression),
        at=fields.read("at", _pick),
        starts_at=fields.read("starts_at", _pick),
        ends_at=fields.read("ends_at", _pick),
        generator_url=fields.read("generator_url", _pick),
    )
    if len(root.findings) == before:
        _agree(root, fields, mapping)
    return mapping if len(root.findings) == before else None


def _agree(root: Value, fields: Fields, mapping: SourceMapping) -> None:
    """What the keys demand of one another."""
    if mapping.at is not None and (mapping.starts_at is not None or mapping.ends_at is not None):
        fields["at"].complain("expected either at, or starts_at and ends_at")
    if mapping.topics and mapping.protocol is not Protocol.SNS:
        fields["topics"].complain("expected protocol: sns beside topics")
    for label in mapping.identity if mapping.labels_from is None else ():
        if label not in mapping.labels:
            fields["identity"].complain(f"expected names of labels, got {label}", nearest(label, mapping.labels))


def _topics(value: Value) -> Iterator[str]:
    what = "the ARN of an SNS topic like arn:aws:sns:eu-west-1:123456789012:alarms"
    yield from value.each(lambda item: item.shaped(_TOPIC, what))


def _identity(value: Value) -> tuple[str, ...]:
    what, hint = "at least one label", "leave the key out where all of them say which alert it is"
    return value.names() if value.filled(what, hint) else ()


def _status(value: Value) -> StatusPick:
    return value.either(_status_word, _status_table)


def _status_word(value: Value) -> StatusPick:
    return StatusPick(expression=_expression(value), words={m.value: m for m in Meaning}, default=None)


def _status_table(value: Value) -> StatusPick:
    fields = value.fields(STATUS_KEYS, required=("from",))
    words: dict[str, Meaning] = {}
    for meaning in Meaning:
        for item in fields.many(meaning.value, Value.items):
            word = item.plain(str.lower, "a status as the sender writes it")
            if word is not None and word in words:
                item.complain(f"expected every status once, got {word} again")
            elif word is not None:
                words[word] = meaning
    default = fields.read("default", lambda word: word.choice(Meaning))
    return StatusPick(expression=fields.read("from", _expression), words=words, default=default)


def _labels(value: Value) -> Mapping[str, Pick]:
    return _picks(value) if value.filled("at least one label") else {}


def _picks(value: Value) -> Mapping[str, Pick]:
    found = {name: _pick(inner) for name, inner in value.by_name()}
    return {name: pick for name, pick in found.items() if pick is not None}


def _pick(value: Value) -> Pick | None:
    """An expression; `{from: …}` with a map and a default; or `{value: …}`, a constant."""
    return value.either(_pick_word, _pick_table)


def _pick_word(value: Value) -> Pick | None:
    expression = _expression(value)
    return None if expression is None else Pick(expression=expression)


def _pick_table(value: Value) -> Pick | None:
    fields = value.fields(PICK_KEYS, either=("from", "value"))
    constant = fields.read("value", lambda word: word.phrase("text that is always the same"))
    expression = fields.read("from", _expression)
    table = fields.read("map", _map) or {}
    default = fields.read("default", lambda word: word.text())
    if "value" in fields:
        if len(fields) > 1:
            fields["value"].complain("expected no other key beside value: it is always the same")
        return Pick(default=constant or "")
    return Pick(expression=expression, map=table, default=default or "")


def _map(value: Value) -> Mapping[str, str]:
    if not value.filled("at least one of the sender's words with yours"):
        return {}
    found = {key.word: inner.text() for key, inner in value.entries()}
    return {sent: ours for sent, ours in found.items() if ours is not None}


def _expression(value: Value) -> ParsedResult | None:
    """A compiled JMESPath expression (https://jmespath.org/specification.html), with one function more: `body()`."""
    text = value.phrase("a JMESPath expression")
    if text is None:
        return None
    if len(text) > _LONGEST:
        value.complain(f"expected a JMESPath expression of at most {_LONGEST:,} characters, got {len(text):,}")
        return None
    try:
        tree: Any = jmespath.compile(text).parsed
        compiled = ParsedResult(text, marked(tree))  # type: ignore[arg-type]  # the stubs know no type of ours
    except exceptions.JMESPathError as problem:
        value.wrong(f"expected a JMESPath expression ({_told(problem)})")
        return None
    except RecursionError:
        value.wrong("expected a JMESPath expression that is not nested so deep")
        return None
    return compiled if _functions_exist(value, tree) and _is_bounded(value, tree) else None


def _told(problem: exceptions.JMESPathError) -> str:
    """The library's words without its drawing of the place."""
    if isinstance(problem, exceptions.IncompleteExpressionError):
        return "it ends too early"
    place = getattr(problem, "lex_position", None)
    words = getattr(problem, "message", None) or getattr(problem, "msg", "") or str(problem).splitlines()[0]
    return words if place is None else f"character {place + 1}: {words}"


def _is_bounded(value: Value, tree: Any) -> bool:
    """Whether the expression cannot make much more of a body than it is; else leaves a finding."""
    built, waiting = 0, [tree]
    while waiting:
        node = waiting.pop()
        waiting.extend(child for child in node["children"] if isinstance(child, dict))
        built += node["type"] in ("multi_select_list", "multi_select_dict")
    if built > _MOST_BUILT:
        value.complain(
            f"expected at most {_MOST_BUILT} lists and objects ([a, b], {{a: b}}) in an expression, got {built}"
        )
    return built <= _MOST_BUILT


def _functions_exist(value: Value, tree: Any) -> bool:
    """Whether every function is one that there is, called with as many arguments as it takes; else leaves findings.

    Asked now, because JMESPath itself would only say so while an alert waits.
    """
    known: dict[str, Any] = {**Functions.FUNCTION_TABLE, BODY: {"signature": ()}}
    right, waiting = True, [tree]
    while waiting:
        node = waiting.pop()
        waiting.extend(child for child in node["children"] if isinstance(child, dict))
        if node["type"] != "function_expression":
            continue
        name, given = node["value"], len(node["children"])
        if name not in known:
            value.complain(f"expected a function of JMESPath, got {name}()", nearest(name, known))
            right = False
            continue
        signature = known[name]["signature"]
        variadic = bool(signature) and bool(signature[-1].get("variadic"))
        if given < len(signature) or (given > len(signature) and not variadic):
            value.complain(f"expected {len(signature)} arguments of {name}(), got {given}")
            right = False
    return right
