"""The acts that an incident's state allows, as its page offers them: a form, and a command for a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from triaged.core.model import ActionKind, Incident, ReviewOutcome, Role, Severity, State
from triaged.web.acts import Reason
from triaged.web.desk import Desk

_LONG: Final = frozenset({"text", "summary", "root_cause", "fix", "prevention", "impact", "next_steps"})
_CHOICES: Final = {
    "severity": tuple(one.value for one in Severity),
    "role": tuple(one.value for one in Role),
    "outcome": ("held", "waived"),
    "kind": tuple(one.value for one in ActionKind),
}
_CLOSING: Final = tuple(one.value for one in Reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a form: `choices` are all that it takes, none where it is a text, `long` over several lines."""

    name: str
    example: str
    choices: Sequence[str]
    long: bool
    needed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An act in words, with its fields, and the same as a command."""

    title: str
    act: str
    fields: Sequence[Field]
    command: str


_Wanted = tuple[str, str, dict[str, str], tuple[str, ...]]
"""In words, the act, its fields with an example of each, and those that are needed."""


def offers(desk: Desk, incident: Incident) -> list[Offer]:
    """What can be done with it now, the likeliest first."""
    return [_offer(desk, incident, one) for one in _wanted(desk, incident)]


def _wanted(desk: Desk, incident: Incident) -> Iterator[_Wanted]:
    finished = incident.state in (State.RESOLVED, State.CLOSED)
    if incident.parent is not None and not finished:
        yield "Split it off", "split", {"reason": "…"}, ()
    elif not finished:
        yield from _at_work(desk, incident)
    if incident.state is not State.CLOSED and (finished or incident.parent is None):
        record = {"summary": "…", "root_cause": "…", "fix": "…", "prevention": "…"}
        yield "Close it", "close", {"reason": "completed", **record}, ()
    if finished:
        if incident.process.review is not None and incident.process.review.outcome is ReviewOutcome.OPEN:
            yield "Say that it was reviewed", "review", {"outcome": "held", "reason": "…"}, ("outcome",)
        yield "Reopen it", "reopen", {"reason": "…"}, ()
    if incident.parent is None:
        yield "Keep a link to what is known", "knowledge", {"url": "https://…", "title": "…"}, ("url", "title")
        item = {"text": "…", "kind": "preventive", "owner": "NAME", "due": "14d"}
        yield "Add an action item", "action", item, ("text",)
    if incident.parent is not None or finished:
        yield "Write a note", "note", {"text": "decision: …"}, ("text",)


def _at_work(desk: Desk, incident: Incident) -> Iterator[_Wanted]:
    if State.ACKNOWLEDGED in (incident.state, incident.former_state):
        yield "Tell stakeholders", "update", _UPDATE, ("text",)
        yield "Give it back", "unack", {"reason": "…"}, ()
    else:
        yield "Acknowledge it", "ack", {"for": "4h"}, ()
        yield "Tell stakeholders", "update", _UPDATE, ("text",)
    yield "Write a note", "note", {"text": "hypothesis: …"}, ("text",)
    yield "Say when it works again", "eta", {"in": "2h"}, ("in",)
    yield "Say what helps until then", "workaround", {"text": "…"}, ("text",)
    yield "Assign it", "assign", {"to": "NAME", "reason": "…"}, ("to",)
    yield "Give a role", "role", {"role": "commander", "person": "NAME"}, ("role", "person")
    yield "Call others in", "escalate", {"to": "NAME", "reason": "…"}, ()
    yield "Change its severity", "severity", {"severity": "sev2", "reason": "…"}, ("severity",)
    if incident.process.paused_at is not None:
        yield "End the pause", "resume", {"reason": "…"}, ()
    elif incident.state is State.ACKNOWLEDGED:
        yield "Pause it", "pause", {"for": "2h", "reason": "…"}, ("for", "reason")
    yield "Say that it is fixed", "resolve", {"summary": "…", "root_cause": "…", "fix": "…"}, ()
    yield "Merge it into another", "merge", {"into": "INC-…", "reason": "…"}, ("into",)
    if incident.source in desk.silenceable:
        yield "Silence its alerts", "silence", {"for": "2h", "reason": "…"}, ()


_UPDATE: Final = {"text": "…", "status": "Identified", "impact": "…", "next_steps": "…", "eta": "2h"}


def _offer(desk: Desk, incident: Incident, wanted: _Wanted) -> Offer:
    title, act, examples, needed = wanted
    who = "on_behalf_of" if desk.tokens.configured else "by"
    token = ' \\\n  -H "Authorization: Bearer $TRIAGED_TOKEN"' if desk.tokens.configured else ""
    return Offer(
        title=title,
        act=act,
        fields=[_field(act, name, example, needed=name in needed) for name, example in examples.items()],
        command=f"curl -sS -X POST {desk.public_url}/api/v1/incidents/{incident.name}/{act}{token} \\\n"
        f"  -H 'Content-Type: application/json' \\\n"
        f"  -d '{json.dumps({who: 'YOUR NAME', **examples}, ensure_ascii=False)}'",
    )


def _field(act: str, name: str, example: str, *, needed: bool) -> Field:
    choices = _CLOSING if (act, name) == ("close", "reason") else _CHOICES.get(name, ())
    return Field(name=name, example=example, choices=choices, long=name in _LONG, needed=needed)
