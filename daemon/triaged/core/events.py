"""Everything that can happen to an incident, as values: the only input of `decide`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from triaged.core.episodes import Change
from triaged.core.model import Actor, CloseReason, DeadlineKind, Severity, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFired:
    """An alert fires: `change` is BEGAN, CONTINUED or HEARD, `starts_at` its episode's; `name` is for people."""

    name: str
    source: str
    verdict: Verdict
    change: Change
    starts_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertResolved:
    """An episode of the incident ended at `ended_at`."""

    name: str
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Grew:
    """Growth condition `ref` held; `verdict` is that of its alerts with all conditions that have held."""

    ref: str
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthAwaited:
    """A growth condition may hold at `at`, by time alone; None: none waits for time."""

    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlinePassed:
    """The deadline of this kind that was due at `due_at` has passed."""

    kind: DeadlineKind
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a person writes down when resolving or closing; empty says nothing new."""

    summary: str = ""
    root_cause: str = ""
    fix: str = ""
    prevention: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """A person takes the incident, for a time or for as long as the policy says."""

    actor: Actor
    lasting: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityChosen:
    actor: Actor
    severity: Severity
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveAsked:
    """A person says that the service works again."""

    actor: Actor
    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseAsked:
    """A close; one found on the issue later carries the instant `at` of the close, and the severity `seen` there."""

    actor: Actor
    reason: CloseReason
    record: Record
    at: datetime | None = None
    seen: Severity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReopenAsked:
    actor: Actor
    reason: str = ""


Act = Acknowledged | SeverityChosen | ResolveAsked | CloseAsked | ReopenAsked
Event = AlertFired | AlertResolved | Grew | GrowthAwaited | DeadlinePassed | Act
