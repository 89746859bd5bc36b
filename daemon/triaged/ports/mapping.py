"""What a mapped source says: which parts of its JSON are an alert's status, labels, annotations and instants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Final

from jmespath.parser import ParsedResult

ONCE: Final = "once"
"""The type of a node of ours in an expression's tree. Its one child asks the body alone, so that its value is the same
for all alerts of the body; its `value` says whether it stands where each element of a list is asked."""


@unique
class Protocol(StrEnum):
    """How the sender wraps its JSON, proves who it is and wants to be answered."""

    PLAIN = "plain"
    SNS = "sns"
    PAGERDUTY = "pagerduty"


@unique
class Meaning(StrEnum):
    """What a status means; an `ignored` one is no alert."""

    FIRING = "firing"
    RESOLVED = "resolved"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """A text: what the expression finds, put through `map`; `default` where there is no expression or it finds nothing.

    With a `map`, `default` also stands for what the map does not know; without a default that stays as it is.
    """

    expression: ParsedResult | None = None
    map: Mapping[str, str] = field(default_factory=dict)
    default: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPick:
    """What the found text means, by its lower case; `default` (None: none given) for every other text and for none."""

    expression: ParsedResult | None
    words: Mapping[str, Meaning]
    default: Meaning | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceMapping:
    """A mapped source, compiled.

    `alerts` finds the alerts in a body, None: the body is one. `identity` names the labels that say which alert it is;
    empty: all of them. `at` is the start of what fires and the end of what is resolved. `topics` are the SNS topics
    whose subscription is confirmed without a person.
    """

    name: str
    protocol: Protocol = Protocol.PLAIN
    topics: frozenset[str] = frozenset()
    alerts: ParsedResult | None = None
    status: StatusPick
    labels: Mapping[str, Pick]
    labels_from: ParsedResult | None = None
    identity: tuple[str, ...] = ()
    annotations: Mapping[str, Pick]
    annotations_from: ParsedResult | None = None
    at: Pick | None = None
    starts_at: Pick | None = None
    ends_at: Pick | None = None
    generator_url: Pick | None = None
