"""What enters the writer's queue, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from triaged.core.events import Act
from triaged.core.model import Deadline
from triaged.core.rules import RuleSet
from triaged.core.sla import Policy
from triaged.ports.source import Reading


class Rules(Struct, frozen=True, kw_only=True):
    """The rules in force: what judges, the policy that new incidents freeze, and the texts that both came from."""

    rule_set: RuleSet
    policy: Policy
    files: Mapping[str, str]
    policy_files: Mapping[str, str]


class Delivery(Struct, frozen=True, kw_only=True):
    """One webhook request: bytes in, an answer's status out; nothing else crosses.

    `reading` is there where the door had to read the body already.
    """

    id: str
    source: str
    body: bytes
    reading: Reading | None = None


class Ask(Struct, frozen=True, kw_only=True):
    """A person's act on an incident. With `quietly`, one that changes nothing is no error: a worker saw it done."""

    incident_id: int
    act: Act
    quietly: bool = False


class Passed(Struct, frozen=True, kw_only=True):
    """A deadline has passed."""

    deadline: Deadline


class RulesEnded(Struct, frozen=True):
    """The last day of a rule may be over: what fires, and one that has ended matched, is judged anew."""


class Job(Struct, frozen=True, kw_only=True):
    """A worker's own statements (claims, results, retention), run in the writer's transaction in their turn."""

    run: Callable[[Any, datetime], Any]


Unit = Delivery | Ask | Passed | RulesEnded | Job


class Answer(Struct, frozen=True, kw_only=True):
    """What became of a unit: an HTTP status; `error` is for a person, `value` what a job gave."""

    status: int = 200
    error: str = ""
    value: Any = None
    counts: Mapping[str, int] = field(default_factory=dict)
