"""The acts that a state allows, as a page offers them: a form, and a command for a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
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
_CLOSING: Final = [one.value for one in Reason]


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
    """An act in words, where it is asked for, its fields, and the same as a command."""

    title: str
    act: str
    path: str
    fields: Sequence[Field]
    command: str


Wanted = tuple[str, str, Mapping[str, str | Sequence[str]], tuple[str, ...]]
"""In words, the act, its fields with an example of each (or all that it takes), and those that are needed."""


def offers(desk: Desk, incident: Incident) -> list[Offer]:
    """What can be done with it now, the likeliest first."""
    return [offer(desk, f"/api/v1/incidents/{incident.name}", one) for one in _wanted(desk, incident)]


def offer(desk: Desk, of: str, wanted: Wanted) -> Offer:
    """An act on what stands at the path `of` of the API."""
    title, act, examples, needed = wanted
    fields = [_field(name, example, needed=name in needed) for name, example in examples.items()]
    who = "on_behalf_of" if desk.tokens.configured else "by"
    token = ' \\\n  -H "Authorization: Bearer $TRIAGED_TOKEN"' if desk.tokens.configured else ""
    body = {who: "YOUR NAME", **{field.name: field.example for field in fields}}
    return Offer(
        title=title,
        act=act,
        path=f"{of}/{act}",
        fields=fields,
        command=f"curl -sS -X POST {desk.public_url}{of}/{act}{token} \\\n"
        f"  -H 'Content-Type: application/json' \\\n"
        f"  -d '{json.dumps(body, ensure_ascii=False)}'",
    )


def _wanted(desk: Desk, incident: Incident) -> Iterator[Wanted]:
    finished = incident.state in (State.RESOLVED, State.CLOSED)
    if incident.parent is not None and not finished:
        yield "Split it off", "split", {"reason": "…"}, ()
    elif not finished:
        yield from _at_work(desk, incident)
    if incident.state is not State.CLOSED and (finished or incident.parent is None):
        record = {"summary": "…", "root_cause": "…", "fix": "…", "prevention": "…"}
        yield "Close it", "close", {"reason": _CLOSING, **record}, ()
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


def _at_work(desk: Desk, incident: Incident) -> Iterator[Wanted]:
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


def _field(name: str, example: str | Sequence[str], *, needed: bool) -> Field:
    choices = _CHOICES.get(name, ()) if isinstance(example, str) else example
    shown = example if isinstance(example, str) else example[0]
    return Field(name=name, example=shown, choices=choices, long=name in _LONG, needed=needed)
