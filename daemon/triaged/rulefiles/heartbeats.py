"""heartbeats.yaml: what must keep arriving, by name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Final

from triaged.core import conditions
from triaged.core.heartbeats import FORGET_AFTER, OWN_LABELS, Heartbeat, Unheard
from triaged.errors import Finding
from triaged.rulefiles import words
from triaged.rulefiles.sheet import Sheet
from triaged.rulefiles.values import Value

FILE: Final = "heartbeats.yaml"
KEYS: Final = {
    "match": "The labels of alerts that are this heartbeat. Left out: it is heard by POST alone.",
    "every": "How often it is heard.",
    "grace": "How much later than that it may be; without it as much as `every`.",
    "by": "Labels whose values tell one sender from another; each is missing on its own.",
    "forget_after": "A sender that was missing for so long, while others are heard, is gone for good.",
    "unheard": "What a heartbeat is that was never heard yet.",
}
MOST: Final = 200
_NAMES_OF_NOBODY: Final = ("QzxWvkJqpz", "qzxwvkjqpz", "QZXWVKJQPZ")
"""Who takes all of these does not ask for a name that he knows."""


def read(root: Value | None) -> tuple[Heartbeat, ...]:
    """The heartbeats in their order, without those that have findings."""
    entries = root.entries() if root else []
    if root and len(entries) > MOST:
        root.complain(f"expected at most {MOST} heartbeats, got {len(entries)}")
    found = []
    for key, value in entries[:MOST]:
        name = key.shaped(r"[\w.-]{1,60}", "a name of letters, digits, _, . and -")
        before = len(value.findings)
        heartbeat = _heartbeat(name or "", value)
        if name is not None and len(value.findings) == before:
            found.append(heartbeat)
    return tuple(found)


def doubts(sheet: Sheet) -> Iterator[Finding]:
    """A finding for each heartbeat that no alert can be: its matchers clash, or an earlier one takes all of them."""
    places = sheet.entries(FILE)
    matched = [one for one in sheet.rules.heartbeats if one.match]
    asked = [conditions.of_labels(one.match) for one in matched]
    impossible = {at for at in range(len(matched)) if conditions.clash(asked[at], {})}
    for at, heartbeat in enumerate(matched):
        key = places[heartbeat.name][0]
        if at in impossible:
            yield key.noted(f"heartbeat {heartbeat.name} can never match: its matchers clash")
        elif all(map(partial(_takes, heartbeat), _NAMES_OF_NOBODY)):
            yield key.noted(
                f"heartbeat {heartbeat.name} takes alerts of whatever name: what it takes opens no incident",
                "ask for one alertname",
            )
    for later, at in conditions.hidden(asked, {*range(len(matched))} - impossible).items():
        if later not in impossible:
            key, first = places[matched[later].name][0], places[matched[at].name][0]
            yield key.noted(
                f"heartbeat {key.word} is never heard by its match: heartbeat {first.word} in line "
                f"{first.node.line} takes all of it"
            )


def _takes(heartbeat: Heartbeat, alertname: str) -> bool:
    """Whether alerts of that name may be this heartbeat."""
    return all(matcher.matches(alertname) for matcher in heartbeat.match if matcher.name == "alertname")


def _heartbeat(name: str, value: Value) -> Heartbeat:
    fields = value.fields(KEYS, required=("every",))
    every = fields.read("every", _some_span) or timedelta(minutes=1)
    grace = fields.read("grace", lambda span: span.plain(words.span))
    return Heartbeat(
        name=name,
        match=fields.many("match", Value.matchers),
        every=every,
        grace=every if grace is None else grace,
        by=fields.many("by", lambda by: by.names(_label)),
        forget_after=fields.read("forget_after", _some_span) or FORGET_AFTER,
        unheard=fields.read("unheard", lambda word: word.choice(Unheard)) or Unheard.MISSING,
    )


def _some_span(value: Value) -> timedelta | None:
    return value.plain(words.some_span)


def _label(value: Value) -> str | None:
    """The name of a label that HeartbeatMissed can carry."""
    name = value.phrase("the name of a label")
    if name in OWN_LABELS:
        value.wrong(f"expected another label than {words.listed(OWN_LABELS)}: HeartbeatMissed has its own")
        return None
    return name
