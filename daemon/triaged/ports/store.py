"""What the store keeps and gives back, and what one transaction of the writer can do."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from enum import StrEnum, unique
from typing import Final, Protocol

from msgspec import Struct, field

from triaged.core.effects import (
    Audience,
    Comment,
    CommentKind,
    KeepEvidence,
    KeepHealth,
    KeepKnowledge,
    MakeSilence,
    NoticeKind,
    Notify,
    Tally,
)
from triaged.core.events import Act
from triaged.core.growth import Growth
from triaged.core.heartbeats import Beat, Changes
from triaged.core.maintenance import Plan, Window
from triaged.core.model import Deadline, Episode, Incident, Key, Severity, State, TimelineEntry, Verdict
from triaged.core.staleness import Unheard
from triaged.core.suppression import Changes as SuppressionChanges
from triaged.core.suppression import Suppression
from triaged.ports.backend import Address
from triaged.ports.looks import LookTable
from triaged.ports.problems import ProblemTable


@unique
class Fate(StrEnum):
    """What became of an alert that was recorded raw."""

    BEGAN = "began"
    CONTINUED = "continued"
    CHANGED = "changed"
    ENDED = "ended"
    DROPPED = "dropped"
    REJECTED = "rejected"
    FAILED = "failed"


class AlertRecord(Struct, frozen=True, kw_only=True):
    """One alert as it was sent, kept where it changed something; `reason` says why it was dropped, rejected, failed.

    `rule_set` is the hash of the rules that judged it; with `raw` and `received_at` any decision can be replayed.
    """

    delivery: str
    received_at: datetime
    source: str
    fingerprint: str
    fate: Fate
    reason: str
    incident_id: int | None
    rule_set: str
    raw: bytes
    id: int = 0


UNSURE: Final = "?"
"""The digest of an issue of which nobody knows whether it was closed, or opened again, as we wished."""


class Publication(Struct, frozen=True, kw_only=True):
    """The state of an incident's issue: what is wanted, what was written last, and who works on it.

    `wanted` counts changes, `done` is the count that the last publishing saw: they differ while something waits.
    `operation` is the id in the issue's marker, drawn before the first create is sent; `intended_at` when that was;
    `created` says that the issue is known to exist. `digest` is of what was written last, `block` its text.
    `doubtful_at` is when the first create was sent of which we never learnt what became of it and after which another
    one went out: the issue may have a twin. None where it has none. `assigned` are the logins that we assigned there;
    `gone` is the round of what it is of in which the issue was deleted there, 0 while it is there; `adopted` says that
    people opened it and nothing of ours is in it yet.
    """

    incident_id: int
    rank: int
    wanted: int = 1
    done: int = 0
    wanted_at: datetime
    due_at: datetime
    claimed_until: datetime | None = None
    attempts: int = 0
    searches: int = 0
    operation: str = ""
    intended_at: datetime | None = None
    created: bool = False
    backend: str = ""
    repository: str = ""
    number: int | None = None
    url: str = ""
    digest: str = ""
    block: str = ""
    labels: tuple[str, ...] = ()
    closed: bool = False
    failure: str = ""
    doubtful_at: datetime | None = None
    assigned: tuple[str, ...] = ()
    gone: int = 0
    adopted: bool = False

    @property
    def address(self) -> Address | None:
        if self.number is None:
            return None
        return Address(backend=self.backend, repository=self.repository, number=self.number, url=self.url)


class PendingComment(Struct, frozen=True, kw_only=True):
    """A comment to be written once; `operation` stands in its marker, `intended_at` is set before it is sent.

    `calls` are recipients, in the words of the rules, whom it is about. `to_comment` is the number there of the comment
    that it answers; with a `reaction` (its name there) that is all.
    """

    id: int
    incident_id: int
    kind: CommentKind
    key: str
    text: str
    rank: int
    created_at: datetime
    due_at: datetime
    claimed_until: datetime | None = None
    attempts: int = 0
    searches: int = 0
    operation: str = ""
    intended_at: datetime | None = None
    done_at: datetime | None = None
    failure: str = ""
    reaction: str = ""
    calls: tuple[str, ...] = ()
    to_comment: int | None = None


class Notice(Struct, frozen=True, kw_only=True):
    """Something to tell people; when it is taken up it becomes one message for each address.

    `outcome` says in a word what became of it then: `taken` up, `nobody` found, `silent` without any channel,
    `overtaken` by the end; `waiting` before.
    """

    id: int
    incident_id: int
    kind: NoticeKind
    audience: Audience
    key: str
    recipients: tuple[str, ...]
    text: str
    rank: int
    created_at: datetime
    done_at: datetime | None = None
    outcome: str = "waiting"


@unique
class Write(StrEnum):
    """The three sorts of writes to a backend, in the order in which they go out among equals."""

    CREATE = "create"
    UPDATE = "update"
    COMMENT = "comment"


class Waiting(Struct, frozen=True, kw_only=True):
    """The front of one sort: what would be written next, and how grave its incident is (rank 0 is sev1)."""

    write: Write
    rank: int
    id: int


class Counted(Struct, frozen=True, kw_only=True):
    """A row of `totals`: a store counter, or one bucket, sum or count of a store histogram."""

    metric: str
    labels: Mapping[str, str]
    value: float


class IncidentRow(Struct, frozen=True, kw_only=True):
    """An incident with where its issue is, as lists and pages show it; `unheard` while nothing is heard of it."""

    incident: Incident
    address: Address | None
    failure: str
    unheard: Unheard | None = None


class Wanted(Struct, frozen=True, kw_only=True):
    """Which incidents to list: None is any; `before` continues a listing below an incident's number."""

    states: tuple[State, ...] | None = None
    severity: str | None = None
    team: str | None = None
    before: int | None = None
    limit: int = 100


class GrowthStep(Struct, kw_only=True):
    """An alert that counts for a growth condition began (or ended) to fire; `since_at` where that asks how long."""

    incident_id: int
    ref: str
    episode_id: int
    since_at: datetime | None
    values: Mapping[str, str]
    refires: bool
    began: bool


class Want(Struct, kw_only=True):
    """The issue of this incident shall be made true; `rank` orders the queue."""

    severity: Severity
    urgent: bool


class Batch(Struct):
    """Rows to write; maps are keyed so that several events of one incident are one row."""

    incidents: dict[int, Incident] = field(default_factory=dict)
    keys: dict[str, tuple[int, Key]] = field(default_factory=dict)
    episodes: dict[int, Episode] = field(default_factory=dict)
    former: list[int] = field(default_factory=list)
    verdicts: dict[str, tuple[str, str]] = field(default_factory=dict)
    records: list[AlertRecord] = field(default_factory=list)
    timeline: list[TimelineEntry] = field(default_factory=list)
    deadlines: dict[int, tuple[Deadline, ...]] = field(default_factory=dict)
    wants: dict[int, Want] = field(default_factory=dict)
    comments: list[tuple[Comment, Severity]] = field(default_factory=list)
    notices: list[tuple[Notify, Severity]] = field(default_factory=list)
    tallies: list[Tally] = field(default_factory=list)
    growth: list[GrowthStep] = field(default_factory=list)
    acts: list[tuple[int, Act]] = field(default_factory=list)
    beats: Changes = field(default_factory=dict)
    suppressions: SuppressionChanges = field(default_factory=dict)
    silences: list[MakeSilence] = field(default_factory=list)
    lifted: list[int] = field(default_factory=list)
    unheard: dict[int, Unheard | None] = field(default_factory=dict)
    reviews: dict[int, Incident] = field(default_factory=dict)
    health: list[KeepHealth] = field(default_factory=list)
    knowledge: list[KeepKnowledge] = field(default_factory=list)
    findings: dict[int, KeepEvidence] = field(default_factory=dict)
    adopted: dict[int, Address] = field(default_factory=dict)


class Transaction(Protocol):
    """One transaction of the writer; what it read is not valid after it."""

    def last_episodes(self, fingerprints: Iterable[str]) -> dict[str, Episode]:
        """The newest episode of each alert that ever fired, by fingerprint."""
        ...

    def owners(self, keys: Iterable[str]) -> dict[str, int]:
        """The incident that owns each key, or owned it last."""
        ...

    def incidents(self, ids: Iterable[int]) -> dict[int, Incident]: ...

    def working_on(self, services: Iterable[str]) -> list[int]:
        """The ids of open and acknowledged incidents of these services, oldest first."""
        ...

    def folded_into(self, incident_id: int) -> list[int]:
        """The ids of incidents that are folded into this one and not closed, oldest first."""
        ...

    def opened_since(self, at: datetime, most: int) -> int:
        """How many incidents opened at or after `at`, counted up to `most`."""
        ...

    def judged_otherwise(self, rule_set: str, version: str) -> Iterable[Episode]:
        """Firing episodes of unfinished incidents that another rule set (by its hash) judged last.

        Also those whose incident was opened by another version of keys. Read to the end before any other call.
        """
        ...

    def windows(self, now: datetime) -> tuple[Window, ...]:
        """The maintenance windows that were asked for and are not over at `now`; some may be."""
        ...

    def plan(self, name: str) -> Plan | None:
        """The newest window that was asked for by that name, or the one with that id."""
        ...

    def keep_plan(self, plan: Plan) -> Plan:
        """Store a window; with the number that it has then."""
        ...

    def held(self, after: int, most: int) -> list[int]:
        """The ids of incidents that maintenance holds back, in their order; the first `most` above `after`."""
        ...

    def firing(self, incident_id: int, most: int) -> list[Episode]:
        """What fires in an incident, oldest first; the first `most`."""
        ...

    def timeline(self, incident_id: int, most: int) -> list[TimelineEntry]:
        """The newest entries of an incident's timeline, in the order in which they happened."""
        ...

    def actors(self, incident_id: int) -> list[str]:
        """The names of the people who acted on an incident, in the order in which they began to."""
        ...

    def matched_by(self, rules: Container[str]) -> Iterable[Episode]:
        """Firing episodes of unfinished incidents whose verdict names one of these rules as matching."""
        ...

    def verdict(self, verdict_id: str) -> Verdict | None: ...

    def member_verdicts(self, incident_id: int, ref: str) -> list[Verdict]:
        """The different verdicts of the alerts that count for a growth condition, newest first, up to a hundred."""
        ...

    def growth_refs(self, incident_id: int) -> list[str]:
        """The growth conditions for which alerts of this incident count now."""
        ...

    def growth_holds(self, incident_id: int, condition: Growth, now: datetime) -> tuple[bool, datetime | None]:
        """Whether the condition holds, else the instant at which time alone may make it hold."""
        ...

    def beats(self) -> list[Beat]:
        """Every series of a heartbeat that is followed."""
        ...

    def suppressions(self, source: str) -> list[Suppression]:
        """What Alertmanagers keep quiet about of a source."""
        ...

    def silences(self) -> list[Suppression]:
        """All silences over alerts, of any source."""
        ...

    def silence_makers(self, operations: Iterable[str]) -> dict[str, str]:
        """Who asked for the silences with these ids in their mark."""
        ...

    def acknowledged_by_silence(self) -> list[int]:
        """The ids of incidents that a silence acknowledges, oldest first."""
        ...

    def key_pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """The names and values of a key; none where no incident has it."""
        ...

    def unheard(self, incident_ids: Sequence[int]) -> dict[int, Unheard]:
        """Those of the incidents of which nothing was heard for long."""
        ...

    @property
    def problems(self) -> ProblemTable:
        """What recurs."""
        ...

    @property
    def looks(self) -> LookTable:
        """What was seen of issues."""
        ...

    def next_id(self, of: str) -> int:
        """A fresh id of an `incident` or `episode`; gaps may occur, none is used twice."""
        ...

    def keep_files(self, table: str, digest: str, files: Mapping[str, str], now: datetime) -> None:
        """Store one of `rule_sets` or `policies` whole, once, before its first decision."""
        ...

    def policy_files(self, digest: str) -> dict[str, str] | None:
        """The texts of a frozen policy."""
        ...

    def save(self, batch: Batch, now: datetime) -> None:
        """Write a batch: parents before children, rows in the order of their keys."""
        ...


class Store(Protocol):
    """What the writer needs of a store."""

    def begin(self) -> AbstractContextManager[Transaction]:
        """A transaction, committed at the end of the block unless it raises StoreError, Conflict or anything else."""
        ...
