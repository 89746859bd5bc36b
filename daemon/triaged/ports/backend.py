"""Where incidents are published: what a backend takes, gives back and promises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Protocol

from msgspec import Struct, field

from triaged.core.catalogue import Service
from triaged.core.commenting import Unsaid
from triaged.core.evidence import Evidence
from triaged.core.health import Answer
from triaged.core.keys import digest
from triaged.core.model import CloseReason, Episode, Incident, Key, Objective, Role, TimelineEntry, Tried
from triaged.core.problems import Kept, Problem
from triaged.core.staleness import Unheard
from triaged.core.suppression import Suppression
from triaged.core.trace import Arithmetic, Grows


class Address(Struct, frozen=True, kw_only=True):
    """Where an issue is: backend, repository (or folder) and number together; `url` is for people."""

    backend: str
    repository: str
    number: int
    url: str


@unique
class Kind(StrEnum):
    """What an issue is of; the value stands before its number."""

    INCIDENT = "INC"
    REVIEW = "REV"
    PROBLEM = "PRB"


class Issue(Struct, frozen=True, kw_only=True):
    """An issue as it should be: `block` is the daemon's part of the body, `people` what people's part begins with.

    `repository` is where it is, or where it is to be made; "" where the backend has only one place. `incident_id` is
    the number of what it is of: incidents, reviews and problems share one sequence.
    """

    incident_id: int
    kind: Kind = Kind.INCIDENT
    repository: str = ""
    title: str
    block: str
    people: str
    labels: tuple[str, ...]
    closed: bool
    close_reason: CloseReason | None
    urgent: bool
    folded: bool = False
    """Whether another issue tells of it: then none is made for it, and one that there is stays closed."""
    assignees: tuple[str, ...] = ()
    """Logins there of those whose it is, as far as we are to say."""
    round: int = 1
    """Of what it is of: each begins with a reopening."""

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.incident_id}"

    @property
    def digest(self) -> str:
        """The same for the same issue: what differs from it would be written."""
        parts = (self.title, self.block, self.people, *self.labels, str(self.closed), str(self.close_reason))
        return digest((*parts, *(f"@{login}" for login in self.assignees)))


class Placed(Protocol):
    """What decides where an issue is made, of an incident or a problem."""

    @property
    def restricted(self) -> bool: ...

    @property
    def repository(self) -> str | None: ...


class Places(Struct, frozen=True, kw_only=True):
    """Where issues are made: commonly, and those of restricted incidents; "" where there is no such place.

    `listed` are the other repositories that rules may name, `OWNER/*` for all of an owner; any where none are listed.
    `by_comment` says that people act there by commands in comments.
    """

    common: str = ""
    restricted: str = ""
    listed: tuple[str, ...] = ()
    by_comment: bool = False

    def allows(self, repository: str) -> bool:
        """Whether rules may name it. GitHub takes names that differ only in case for the same."""
        name = repository.lower()
        known = {one.lower() for one in (self.common, self.restricted, *self.listed)}
        return not self.listed or name in known or f"{name.partition('/')[0]}/*" in known

    def of(self, incident: Placed) -> str:
        """Where the issue of an incident is made now: in the common place where its own is allowed no more."""
        if incident.restricted and self.restricted:
            return self.restricted
        own = incident.repository if incident.repository and self.allows(incident.repository) else self.common
        return own if self.common else ""

    def hides(self, incident: Placed, repository: str) -> bool:
        """Whether an issue in that repository may tell no more than title and link."""
        return incident.restricted and (not self.restricted or repository.lower() != self.restricted.lower())


class Related(Struct, frozen=True, kw_only=True):
    """Another incident, and where its issue is."""

    incident: Incident
    address: Address | None


class Written(Struct, frozen=True, kw_only=True):
    """What the daemon wrote last to an issue, to tell people's work from its own; `assigned` are its assignees.

    `adopts` is the operation whose marker the issue is to get with our block, which is not in it yet; "" where it is.
    `unsure` says that it is closed, or open, by a write of which nobody knows whether it was done.
    """

    block: str
    labels: tuple[str, ...]
    closed: bool
    assigned: tuple[str, ...] = ()
    adopts: str = ""
    unsure: bool = False


class Found(Struct, frozen=True, kw_only=True):
    """The issue as it was found before writing: where, and whether it was closed."""

    address: Address
    closed: bool


class Twin(Struct, frozen=True, kw_only=True):
    """A second issue of one operation."""

    operation: str
    address: Address


class Backend(Protocol):
    """Where incidents are published. Every failure is a DeliveryError; reads are idempotent, writes are not.

    `settled_after` is how long an ambiguous create is looked for before it is sent again: an issue cannot wait longer.
    `hidden_for` is how long a write may stay hidden from `find`, `has_comment` and `close_twin` at worst: nothing found
    by then, none was written. A comment waits for as long; an issue sent again before may turn out to have a twin.
    `late_for` is how long a change whose answer was lost may still come and undo a later one. `remembers` is how far
    back it wants to know what was created, for its pace; nothing where it keeps none.
    """

    name: str
    settled_after: timedelta
    hidden_for: timedelta
    late_for: timedelta
    remembers: timedelta

    def ready_at(self, now: datetime, *, urgent: bool, creates: bool) -> datetime:
        """Earliest instant at which the backend's pace allows another write of this kind; `now` if at once."""
        ...

    def remember(self, creations: Iterable[datetime]) -> None:
        """When issues and comments were created with its credential, as the store knows it: none in the future."""
        ...

    def create(self, issue: Issue, operation: str) -> Address:
        """Create the issue with the operation's marker. Never repeats by itself."""
        ...

    def find(self, operation: str, since: datetime, repository: str) -> Address | None:
        """The issue there that carries the operation's marker and is ours, created since; None: not visible."""
        ...

    def close_twin(self, true: Mapping[str, Address], since: datetime, repository: str) -> Twin | None:
        """Close one open issue of ours there, made since, that carries one of these operations and is not its true one.

        As a duplicate of the true one, its text untouched; None: no such issue is visible.
        """
        ...

    def update(self, address: Address, issue: Issue, last: Written) -> Found:
        """Make the issue look like this, keeping people's work; what was found there before. Idempotent."""
        ...

    def comment(
        self,
        address: Address,
        text: str,
        operation: str,
        *,
        mentions: Sequence[str] = (),
        rows: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Write a comment with the operation's marker, that mentions these logins. Never repeats by itself.

        `rows` are shown below the text: commands, with what they do.
        """
        ...

    def react(self, address: Address, comment: int, reaction: str) -> None:
        """Give a comment there (its number) the reaction of that name. Idempotent."""
        ...

    def has_comment(self, address: Address, operation: str, since: datetime) -> bool:
        """Whether a comment of ours with the marker is visible."""
        ...

    def close(self) -> None:
        """Give connections back; nothing is asked of it afterwards."""
        ...


class Why(Struct, frozen=True, kw_only=True):
    """How the gravest alert of an incident was judged: the rules that matched, the sum, what may grow.

    `rule_set` is the hash of the rules that judged it; `keys` are some that the incident owns, `keys_left_out` how many
    more there are. Nothing in it depends on the rules in force or on the time of asking.
    """

    rule_set: str
    rules: tuple[Tried, ...]
    arithmetic: Arithmetic
    growing: tuple[Grows, ...]
    keys: tuple[Key, ...]
    keys_left_out: int


class Report(Struct, frozen=True, kw_only=True):
    """Everything that an issue tells: `episodes` are the firing ones first, at most some tens; `timeline` the newest.

    `parent` is what it is folded into; `folded` the newest of the `folded_count` incidents that are folded into it.
    `repository` is where the issue is or will be; `hidden` says that not everybody who reads there may know more than
    title and link. `targets` are the severity's targets as ops wrote them, by objective; `service` is the catalogue's
    entry, if any. `why` is None where the rules that judged it cannot be had any more. `suppressed` is
    what its Alertmanager keeps quiet about, by fingerprint; `unheard` is there while nothing is heard of its alerts.
    `health` is what health queries said in its round; `watched_until` is when its stability window ends, `watched_for`
    how long that is, in words. `informs` says that somebody is kept informed of such an incident, `by_comment` that
    people act by commands in comments. `roles` are those that its severity asks for; `meets` says that it asks for a
    bridge, too.
    `problem` is the one that follows the incident; `knowledge` are links that people kept of it, then of its like.
    `assignees` are as of its issue. `review_at` and `problem_at` are where the issues of these are.
    """

    incident: Incident
    episodes: tuple[Episode, ...]
    timeline: tuple[TimelineEntry, ...]
    targets: Mapping[Objective, str]
    service: Service | None
    public_url: str
    repository: str = ""
    hidden: bool = False
    parent: Related | None = None
    folded: tuple[Related, ...] = ()
    folded_count: int = 0
    why: Why | None = None
    suppressed: Mapping[str, tuple[Suppression, ...]] = field(default_factory=dict)
    unheard: Unheard | None = None
    health: tuple[Answer, ...] = ()
    watched_until: datetime | None = None
    watched_for: str = ""
    informs: bool = True
    roles: tuple[Role, ...] = ()
    meets: bool = False
    problem: Problem | None = None
    knowledge: tuple[Kept, ...] = ()
    evidence: Evidence | None = None
    by_comment: bool = False
    assignees: tuple[str, ...] = ()
    review_at: Address | None = None
    problem_at: Address | None = None
    unsaid: Unsaid = Unsaid()
