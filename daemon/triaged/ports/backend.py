"""Where incidents are published: what a backend takes, gives back and promises."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct, field

from triaged.core.catalogue import Service
from triaged.core.model import CloseReason, Episode, Incident, Key, Objective, TimelineEntry, Tried
from triaged.core.staleness import Unheard
from triaged.core.suppression import Suppression
from triaged.core.trace import Arithmetic, Grows


class Address(Struct, frozen=True, kw_only=True):
    """Where an issue is: backend, repository (or folder) and number together; `url` is for people."""

    backend: str
    repository: str
    number: int
    url: str


class Issue(Struct, frozen=True, kw_only=True):
    """An issue as it should be: `block` is the daemon's part of the body, `people` what people's part begins with.

    `repository` is where it is, or where it is to be made; "" where the backend has only one place.
    """

    incident_id: int
    repository: str = ""
    title: str
    block: str
    people: str
    labels: tuple[str, ...]
    closed: bool
    close_reason: CloseReason | None
    digest: str
    urgent: bool
    folded: bool = False
    """Whether another issue tells of it: then none is made for it, and one that there is stays closed."""


class Places(Struct, frozen=True, kw_only=True):
    """Where issues are made: commonly, and those of restricted incidents; "" where there is no such place."""

    common: str = ""
    restricted: str = ""

    def of(self, incident: Incident) -> str:
        """Where the issue of an incident is made now."""
        if incident.restricted and self.restricted:
            return self.restricted
        return (incident.repository or self.common) if self.common else ""

    def hides(self, incident: Incident, repository: str) -> bool:
        """Whether an issue in that repository may tell no more than title and link."""
        return incident.restricted and (not self.restricted or repository.lower() != self.restricted.lower())


class Related(Struct, frozen=True, kw_only=True):
    """Another incident, and where its issue is."""

    incident: Incident
    address: Address | None


class Written(Struct, frozen=True, kw_only=True):
    """What the daemon wrote last to an issue, to tell people's work from its own."""

    block: str
    labels: tuple[str, ...]
    closed: bool


class Found(Struct, frozen=True, kw_only=True):
    """The issue as it was found before writing: whether, by whom and since when it is closed."""

    address: Address
    closed: bool
    by: str = ""
    bot: bool = False
    reason: CloseReason = CloseReason.COMPLETED
    at: datetime | None = None


class Backend(Protocol):
    """Where incidents are published. Every failure is a DeliveryError; reads are idempotent, writes are not.

    `settled_after` is how long a write may stay hidden from `find` and `has_comment`: nothing found by then, none was
    written.
    """

    name: str
    settled_after: timedelta

    def ready_at(self, now: datetime, *, urgent: bool, creates: bool) -> datetime:
        """Earliest instant at which the backend's pace allows another write of this kind; `now` if at once."""
        ...

    def create(self, issue: Issue, operation: str) -> Address:
        """Create the issue with the operation's marker. Never repeats by itself."""
        ...

    def find(self, operation: str, since: datetime, repository: str) -> Address | None:
        """The issue there that carries the operation's marker and is ours, created since; None: not visible."""
        ...

    def update(self, address: Address, issue: Issue, last: Written) -> Found:
        """Make the issue look like this, keeping people's work; what was found there before. Idempotent."""
        ...

    def comment(self, address: Address, text: str, operation: str) -> None:
        """Write a comment with the operation's marker. Never repeats by itself."""
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
