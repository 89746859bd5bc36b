"""Everything that a decision asks for, as values: committed with it, done after it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum, unique

from msgspec import Struct

from triaged.core.evidence import Evidence
from triaged.core.health import Answer
from triaged.core.model import Category, Link


class PublishIssue(Struct, frozen=True, kw_only=True):
    """Make the issue look like the incident (a level: any number of them are one); `urgent` does not wait."""

    incident_id: int
    urgent: bool = False


@unique
class CommentKind(StrEnum):
    """What is worth a notification of everybody on the issue; all else only edits the body.

    ANSWER, HELP and REFUSED (to whom commands are not for) answer comments of people; to what HELP says the backend
    adds which commands there are.
    CLOSED_FIRING, UNHEARD, UNHEALTHY and MISSING are written no more: rows of a former release may be of them.
    """

    SEVERITY_RAISED = "severity_raised"
    JUDGED_ABOVE = "judged_above"
    REOPENED = "reopened"
    RESOLVED = "resolved"
    CLOSED_FIRING = "closed_firing"
    UNHEARD = "unheard"
    ESCALATED = "escalated"
    UPDATE = "update"
    UNHEALTHY = "unhealthy"
    MISSING = "missing"
    ANSWER = "answer"
    REFUSED = "refused"
    HELP = "help"
    LIKE = "like"
    WORKS_AGAIN = "works_again"
    MERGED = "merged"


class Comment(Struct, frozen=True, kw_only=True):
    """Say something on the issue, once (an edge): `key` makes it unique within the incident.

    `calls`, `to_comment` and `reaction` as of ports.store.PendingComment.
    """

    incident_id: int
    kind: CommentKind
    key: str
    text: str
    calls: tuple[str, ...] = ()
    reaction: str = ""
    to_comment: int | None = None


@unique
class NoticeKind(StrEnum):
    """What people are told of by their channels."""

    OPENED = "opened"
    ESCALATED = "escalated"
    SEVERITY_RAISED = "severity_raised"
    JUDGED_ABOVE = "judged_above"
    REOPENED = "reopened"
    UPDATE = "update"
    UPDATE_DUE = "update_due"
    PAUSE_OVER = "pause_over"
    RESOLVED = "resolved"
    REVIEW = "review"
    ACTION = "action"
    CHECK_IN = "check_in"


@unique
class Audience(StrEnum):
    """For whom a text is written: those who work on it, or those whom it concerns."""

    RESPONDERS = "responders"
    STAKEHOLDERS = "stakeholders"


class Notify(Struct, frozen=True, kw_only=True):
    """Tell people by their channels, once (an edge): `key` makes it unique within the incident.

    `to` are words, answered when it is sent: `on_call` and `on_call.next` of the incident's team, `team` for its
    channels, else the name of a person, a team or a channel. `text` is what is to be said beside what the template of
    its kind says of the incident.
    """

    incident_id: int
    kind: NoticeKind
    audience: Audience
    key: str
    to: tuple[str, ...]
    text: str = ""


class Tally(Struct, frozen=True, kw_only=True):
    """Raise the store counter `metric` by one; with `seconds`, observe them in the store histogram instead."""

    metric: str
    labels: Mapping[str, str]
    seconds: float | None = None


class MakeSilence(Struct, frozen=True, kw_only=True):
    """Have the Alertmanager of `source` silence what has these labels; in place of what was asked for before."""

    incident_id: int
    source: str
    matchers: Mapping[str, str]
    by: str
    reason: str
    ends_at: datetime


class LiftSilences(Struct, frozen=True, kw_only=True):
    """Remove what silences were asked for the incident, if any."""

    incident_id: int


class Assemble(Struct, frozen=True, kw_only=True):
    """Find a bridge and who is on call to command; it is not stored, for an incident tells that it wants it."""

    incident_id: int


class KeepHealth(Struct, frozen=True, kw_only=True):
    """Keep what health queries said in a round of the incident: of each query the last answer of each phase."""

    incident_id: int
    round: int
    answers: tuple[Answer, ...]


class KeepKnowledge(Struct, frozen=True, kw_only=True):
    """Keep a link to what is known, to be offered at what has the same key, or the same service and category."""

    number: int
    key: str
    service: str
    category: Category
    restricted: bool
    link: Link
    by: str


class KeepEvidence(Struct, frozen=True, kw_only=True):
    """Keep what was found about an incident, in place of what was found before."""

    incident_id: int
    key: str
    service: str
    category: str
    evidence: Evidence


Effect = (
    PublishIssue
    | Comment
    | Notify
    | Tally
    | MakeSilence
    | LiftSilences
    | KeepHealth
    | Assemble
    | KeepKnowledge
    | KeepEvidence
)
