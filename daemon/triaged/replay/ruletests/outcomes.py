"""What became of a test: passed, or what was not as expected and what was to be seen then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from triaged.core.model import Alert, Incident
from triaged.replay.ruletests.cases import Case, Place, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that was not as expected, and where the file expects it."""

    place: Place
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An alert as it last fired, and when."""

    alert: Alert
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a test failed: at which step and in what; `alerts` are those that the step is about, the newest last."""

    step: Step
    problems: tuple[Problem, ...]
    alerts: tuple[Judged, ...]
    incident: Incident | None
    timeline: tuple[tuple[datetime, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a test; `matched` are rules that met an alert of it, `grown` growth conditions that held."""

    case: Case
    failure: Failure | None
    matched: frozenset[str]
    grown: frozenset[str]
    seconds: float
