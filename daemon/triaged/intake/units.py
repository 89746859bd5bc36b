"""What enters the writer's queue, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from triaged.core.events import Act
from triaged.core.model import Deadline
from triaged.core.rules import RuleSet
from triaged.core.sla import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules in force: what judges, the policy that new incidents freeze, and the texts that both came from."""

    rule_set: RuleSet
    policy: Policy
    files: Mapping[str, str]
    policy_files: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One webhook request: bytes in, an answer's status out; nothing else crosses."""

    id: str
    source: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A person's act on an incident. With `quietly`, one that changes nothing is no error: a worker saw it done."""

    incident_id: int
    act: Act
    quietly: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A deadline has passed."""

    deadline: Deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A worker's own statements (claims, results, retention), run in the writer's transaction in their turn."""

    run: Callable[[Any, datetime], Any]


Unit = Delivery | Ask | Passed | Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a unit: an HTTP status; `error` is for a person, `value` what a job gave."""

    status: int = 200
    error: str = ""
    value: Any = None
    counts: Mapping[str, int] = field(default_factory=dict)
