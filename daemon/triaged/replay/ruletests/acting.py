"""What people do in a test: the acts of the API with the same fields, read from YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from triaged.core.events import (
    Acknowledged,
    Act,
    ActionAsked,
    Assigned,
    CloseAsked,
    EscalateAsked,
    Expected,
    MergeAsked,
    Noted,
    PauseAsked,
    Record,
    ReopenAsked,
    ResolveAsked,
    ResumeAsked,
    ReviewAsked,
    RoleGiven,
    SeverityChosen,
    SplitAsked,
    Unacknowledged,
    Updated,
    WorkedAround,
)
from triaged.core.model import ActionKind, Actor, ActorKind, CloseReason, ReviewOutcome, Role, Severity
from triaged.rulefiles.values import Fields, Value
from triaged.rulefiles.words import exact_instant, some_span

_RECORD: Final = ("summary", "root_cause", "fix", "prevention")
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "ack": ("by", "for"),
    "severity": ("by", "severity", "reason"),
    "resolve": ("by", *_RECORD),
    "close": ("by", "reason", *_RECORD),
    "reopen": ("by", "reason"),
    "merge": ("by", "into", "reason"),
    "split": ("by", "reason"),
    "escalate": ("by", "to", "reason", "take_over"),
    "pause": ("by", "for", "until", "reason"),
    "resume": ("by", "reason"),
    "unack": ("by", "reason"),
    "assign": ("by", "to", "reason"),
    "role": ("by", "role", "person"),
    "note": ("by", "text"),
    "update": ("by", "text", "eta", "status", "impact", "next_steps"),
    "eta": ("by", "in", "none"),
    "workaround": ("by", "text"),
    "review": ("by", "outcome", "reason"),
    "action": ("by", "text", "kind", "owner", "due", "done"),
}
"""The acts, and what may stand beside each in a step."""
ELSEWHERE: Final[Mapping[str, tuple[str, ...]]] = {"silence": ("by", "for", "reason")}
"""Acts that need what no test has."""
_NEEDED_AT_WORK: Final = {"assign": "to", "role": "role", "note": "text", "update": "text", "workaround": "text"}
NEEDED: Final[Mapping[str, str]] = {"severity": "severity", "merge": "into", "pause": "reason", **_NEEDED_AT_WORK}
"""What must stand beside them."""
_TEXTS: Final[Mapping[str, tuple[str, ...]]] = {
    "unack": ("reason",),
    "assign": ("to", "reason"),
    "role": ("person",),
    "note": ("text",),
    "update": ("text", "status", "impact", "next_steps"),
    "workaround": ("text",),
}
"""The fields of some acts that are plain texts, called as in the event."""
UNKNOWN: Final = 0
"""The incident that another is merged into, until the test runs: files name it by labels of its alerts."""
REASONS: Final = tuple(reason.value for reason in CloseReason if reason is not CloseReason.UNOPENED)
"""Why a person closes."""
OUTCOMES: Final = tuple(one.value for one in ReviewOutcome if one is not ReviewOutcome.WITHDRAWN)
"""What a person says of a review."""
BY: Final = "local"


def read(value: Value, fields: Fields) -> Act | None:  # noqa: C901 - a table of acts
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
        case "escalate":
            over = fields.read("take_over", Value.flag) or False
            to = fields.read("to", Value.text) or ""
            return EscalateAsked(actor=actor, to=to, reason=_reason(fields), take_over=over)
        case "pause":
            return _pause(value, fields, actor)
        case "resume":
            return ResumeAsked(actor=actor, reason=_reason(fields))
        case "review":
            outcome = fields.read("outcome", lambda word: word.one_of(OUTCOMES)) or ReviewOutcome.HELD
            return ReviewAsked(actor=actor, outcome=ReviewOutcome(outcome), reason=_reason(fields))
        case "action":
            return _action(fields, actor)
        case _:
            return _working(act, value, fields)


def _working(act: str, value: Value, fields: Fields) -> Act | None:
    """What people write down while they work."""
    actor = Actor(name=fields.read("by", Value.text) or BY, kind=ActorKind.PERSON)
    texts = {name: fields.read(name, Value.text) or "" for name in _TEXTS.get(act, ())}
    match act:
        case "unack":
            return Unacknowledged(actor=actor, **texts)
        case "assign":
            return Assigned(actor=actor, **texts)
        case "role":
            role = fields["role"].choice(Role)
            return RoleGiven(actor=actor, role=role, **texts) if role else None
        case "note":
            return Noted(actor=actor, **texts)
        case "update":
            eta_in = fields.read("eta", lambda span: span.plain(some_span, "a duration like 4h"))
            return replace(Updated(actor=actor, text="", eta_in=eta_in), **texts)
        case "eta":
            nobody_knows = fields.read("none", Value.flag)
            if ("in" in fields) == bool(nobody_knows):
                value.complain("expected either `in` or `none: true` beside it")
                return None
            lasting = fields.read("in", lambda span: span.plain(some_span, "a duration like 4h"))
            return Expected(actor=actor, lasting=lasting)
        case "workaround":
            return WorkedAround(actor=actor, **texts)
        case _:
            return None


def _action(fields: Fields, actor: Actor) -> Act:
    due_in = fields.read("due", lambda span: span.plain(some_span, "a duration like 14d"))
    return ActionAsked(
        actor=actor,
        text=fields.read("text", Value.text) or "",
        kind=fields.read("kind", lambda kind: kind.choice(ActionKind)),
        owner=fields.read("owner", Value.text) or "",
        due_in=due_in,
        done=fields.read("done", lambda number: number.whole(least=1)),
    )


def _pause(value: Value, fields: Fields, actor: Actor) -> Act | None:
    if ("for" in fields) == ("until" in fields):
        got = "both" if "for" in fields else "none of them"
        value.complain(f"expected either `for` or `until` beside it, got {got}")
        return None
    lasting = fields.read("for", lambda span: span.plain(some_span, "a duration like 4h"))
    until = fields.read("until", lambda at: at.plain(exact_instant, "a date with time and offset"))
    return PauseAsked(actor=actor, reason=_reason(fields), until=until, lasting=lasting)


def _reason(fields: Fields) -> str:
    return fields.read("reason", Value.text) or ""


def _record(fields: Fields) -> Record:
    return Record(**{name: fields.read(name, Value.text) or "" for name in _RECORD})
