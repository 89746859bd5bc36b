"""Everything that a decision asks for, as values: committed with it, done after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, unique


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishIssue:
    """Make the issue look like the incident (a level: any number of them are one); `urgent` does not wait."""

    incident_id: int
    urgent: bool = False


@unique
class CommentKind(StrEnum):
    """What is worth a notification of everybody on the issue; all else only edits the body."""

    SEVERITY_RAISED = "severity_raised"
    JUDGED_ABOVE = "judged_above"
    REOPENED = "reopened"
    RESOLVED = "resolved"
    CLOSED_FIRING = "closed_firing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """Say something on the issue, once (an edge): `key` makes it unique within the incident."""

    incident_id: int
    kind: CommentKind
    key: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Raise the store counter `metric` by one; with `seconds`, observe them in the store histogram instead."""

    metric: str
    labels: Mapping[str, str]
    seconds: float | None = None


Effect = PublishIssue | Comment | Tally
