"""What people do in a test: the acts of the API with the same fields, read from YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from triaged.core.events import (
    Acknowledged,
    Act,
    CloseAsked,
    MergeAsked,
    Record,
    ReopenAsked,
    ResolveAsked,
    SeverityChosen,
    SplitAsked,
)
from triaged.core.model import Actor, ActorKind, CloseReason, Severity
from triaged.rulefiles.values import Fields, Value
from triaged.rulefiles.words import some_span

_RECORD: Final = ("summary", "root_cause", "fix", "prevention")
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "ack": ("by", "for"),
    "severity": ("by", "severity", "reason"),
    "resolve": ("by", *_RECORD),
    "close": ("by", "reason", *_RECORD),
    "reopen": ("by", "reason"),
    "merge": ("by", "into", "reason"),
    "split": ("by", "reason"),
}
"""The acts, and what may stand beside each in a step."""
ELSEWHERE: Final[Mapping[str, tuple[str, ...]]] = {"silence": ("by", "for", "reason")}
"""Acts that need what no test has."""
NEEDED: Final[Mapping[str, str]] = {"severity": "severity", "merge": "into"}
"""What must stand beside them."""
UNKNOWN: Final = 0
"""The incident that another is merged into, until the test runs: files name it by labels of its alerts."""
REASONS: Final = tuple(reason.value for reason in CloseReason if reason is not CloseReason.UNOPENED)
"""Why a person closes."""
BY: Final = "local"


def read(value: Value, fields: Fields) -> Act | None:
    """The act of a step with these fields; None after it has left a finding."""
    if value.word in ELSEWHERE:
        value.complain("expected an act on the incident alone: silence asks an Alertmanager, and a test has none")
        return None
    act = value.one_of(FIELDS) or ""
    actor = Actor(name=fields.read("by", Value.text) or BY, kind=ActorKind.PERSON)
    if act in NEEDED and NEEDED[act] not in fields:
        value.complain(f"expected a key {NEEDED[act]} beside it, got none")
        return None
    match act:
        case "ack":
            lasting = fields.read("for", lambda span: span.plain(some_span, "a duration like 4h"))
            return Acknowledged(actor=actor, lasting=lasting)
        case "severity":
            severity = fields["severity"].choice(Severity)
            return SeverityChosen(actor=actor, severity=severity, reason=_reason(fields)) if severity else None
        case "resolve":
            return ResolveAsked(actor=actor, record=_record(fields))
        case "close":
            word = fields.read("reason", lambda word: word.one_of(REASONS)) or CloseReason.COMPLETED
            return CloseAsked(actor=actor, reason=CloseReason(word), record=_record(fields))
        case "reopen":
            return ReopenAsked(actor=actor, reason=_reason(fields))
        case "merge":
            return MergeAsked(actor=actor, into=UNKNOWN, reason=_reason(fields))
        case "split":
            return SplitAsked(actor=actor, reason=_reason(fields))
        case _:
            return None


def _reason(fields: Fields) -> str:
    return fields.read("reason", Value.text) or ""


def _record(fields: Fields) -> Record:
    return Record(**{name: fields.read(name, Value.text) or "" for name in _RECORD})
