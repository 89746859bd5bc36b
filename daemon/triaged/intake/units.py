"""What enters the writer's queue, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from triaged.core.events import (
    Act,
    Assembled,
    DowntimeAddedUp,
    EvidenceFound,
    HealthSeen,
    NobodyTold,
    OnIssue,
    SilenceFailed,
)
from triaged.core.maintenance import Plan
from triaged.core.model import Deadline
from triaged.core.observed import Looked
from triaged.core.rules import RuleSet
from triaged.core.sla import Policy
from triaged.core.solving import ProblemAct
from triaged.core.staleness import Unheard
from triaged.core.suppression import Suppression
from triaged.ports.backend import Address, Kind
from triaged.ports.looks import Basis, Opened
from triaged.ports.source import Reading


class Rules(Struct, frozen=True, kw_only=True):
    """The rules in force: what judges, the policy that new incidents freeze, and the texts that both came from."""

    rule_set: RuleSet
    policy: Policy
    files: Mapping[str, str]
    policy_files: Mapping[str, str]


class Delivery(Struct, frozen=True, kw_only=True):
    """One webhook request: bytes in, an answer's status out; nothing else crosses.

    `reading` is there where the door had to read the body already. `expects` is the digest of the newest episode by
    fingerprint, None for none: an alert whose newest is another one by now changes nothing.
    """

    id: str
    source: str
    body: bytes
    reading: Reading | None = None
    expects: Mapping[str, bytes | None] | None = None


class Ask(Struct, frozen=True, kw_only=True):
    """A person's act on an incident. With `quietly`, one that changes nothing is no error: a worker saw it done."""

    incident_id: int
    act: Act
    quietly: bool = False


class Passed(Struct, frozen=True, kw_only=True):
    """A deadline has passed."""

    deadline: Deadline


class Heard(Struct, frozen=True, kw_only=True):
    """A heartbeat says by a request that it is alive, or has `failed`; `labels` tell which series."""

    name: str
    labels: Mapping[str, str]
    failed: bool = False


class Listen(Struct, frozen=True, kw_only=True):
    """Heartbeats may be missing by now."""


class Expect(Struct, frozen=True, kw_only=True):
    """Other rules may expect other heartbeats; where the daemon has just `started`, nobody listened for a while."""

    started: bool


class Leave(Struct, frozen=True, kw_only=True):
    """The daemon stops: nobody listens to heartbeats from now on."""


class RulesEnded(Struct, frozen=True):
    """The last day of a rule may be over: what fires, and one that has ended matched, is judged anew."""


class Job(Struct, frozen=True, kw_only=True):
    """A worker's own statements (claims, results, retention), run in the writer's transaction in their turn."""

    run: Callable[[Any, datetime], Any]


class PlanWindow(Struct, frozen=True, kw_only=True):
    """A maintenance window is asked for."""

    plan: Plan


class EndWindow(Struct, frozen=True, kw_only=True):
    """The window of that id or name is to end now, says somebody."""

    name: str
    by: str


class WindowsChanged(Struct, frozen=True, kw_only=True):
    """Other rules may have other maintenance windows: what is held back follows, beginning after that incident."""

    after: int = 0


class Suppress(Struct, frozen=True, kw_only=True):
    """All that Alertmanagers keep quiet about of a source, now."""

    source: str
    suppressions: tuple[Suppression, ...]


class Stale(Struct, frozen=True, kw_only=True):
    """Of some incidents nothing was heard for long; of others something was heard again.

    Of those that are `asked` for now, that does not count any more.
    """

    began: tuple[Unheard, ...]
    ended: tuple[int, ...]
    asked: tuple[int, ...] = ()

    @property
    def incident_ids(self) -> list[int]:
        return [*(one.incident_id for one in self.began), *self.ended, *self.asked]


class Happened(Struct, frozen=True, kw_only=True):
    """What a worker was asked to do for an incident came out so that people have to know it."""

    incident_id: int
    event: SilenceFailed | NobodyTold | DowntimeAddedUp | Assembled | HealthSeen | EvidenceFound | OnIssue


class Recurring(Struct, frozen=True, kw_only=True):
    """These incidents opened, ended or went elsewhere: they may recur. `seen` is up to which row that was looked at."""

    incident_ids: tuple[int, ...]
    seen: int


class AskProblem(Struct, frozen=True, kw_only=True):
    """A person's act on a problem; `quietly` as of Ask."""

    number: int
    act: ProblemAct
    quietly: bool = False


class Observed(Struct, frozen=True, kw_only=True):
    """An issue was looked at, after we had heard at `hinted_at` that it may have changed.

    `number` and `kind` say what it is of, `incident_id` is the incident that acts on it are of, 0 where it is of none.
    `basis` is what we had written before the look: where that is another one by now it says nothing (409). `remarks` is
    how many comments of others there are in all.
    """

    number: int
    kind: Kind
    incident_id: int
    looked: Looked
    basis: Basis
    hinted_at: datetime
    through_at: datetime
    remarks: int


class Adopt(Struct, frozen=True, kw_only=True):
    """A person reported something by opening the issue at that address."""

    address: Address
    opened: Opened


Watching = Heard | Listen | Expect | Leave
Planning = PlanWindow | EndWindow | WindowsChanged
Solving = Recurring | AskProblem
Happening = Happened | Observed | Adopt
Unit = Delivery | Ask | Passed | RulesEnded | Suppress | Stale | Happening | Watching | Planning | Solving | Job


class Answer(Struct, frozen=True, kw_only=True):
    """What became of a unit: an HTTP status; `error` is for a person, `value` what a job gave.

    `then` is to be asked next, where a unit was too much for one transaction.
    """

    status: int = 200
    error: str = ""
    value: Any = None
    then: WindowsChanged | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
