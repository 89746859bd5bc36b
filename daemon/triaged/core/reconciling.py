"""An Alertmanager's alerts beside our episodes: what was missed, and what is gone."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from msgspec import Struct

SETTLED_AFTER: Final = timedelta(minutes=10)
"""An Alertmanager forgets all alerts when it restarts; by then each Prometheus has sent its own again."""
APART: Final = timedelta(seconds=30)
"""Two readings without an alert count as two when they lie this far apart."""


class Found(Struct, frozen=True, kw_only=True):
    """An alert in an Alertmanager's answer: `wanted` says that it is active, and routed to us."""

    wanted: bool
    starts_at: datetime | None
    ends_at: datetime | None


class Member(Struct, frozen=True, kw_only=True):
    """The answer of one member of a cluster: read at `at`, running since `started_at`, alerts by our fingerprint."""

    at: datetime
    started_at: datetime
    alerts: Mapping[str, Found]

    @property
    def settled(self) -> bool:
        return self.at - self.started_at >= SETTLED_AFTER


class Standing(Struct, frozen=True, kw_only=True):
    """Our newest episode of an alert, as far as it is compared."""

    digest: bytes
    starts_at: datetime


class Absence(Struct, frozen=True, kw_only=True):
    """An episode that no answer holds: since which reading, and until when the last one held it to fire."""

    since_at: datetime
    digest: bytes


class Memory(Struct, frozen=True, kw_only=True):
    """What former rounds saw. `waits` are alerts missed once, `ends` the last known endsAt of our episodes' alerts."""

    read_before: bool = False
    waits: frozenset[str] = frozenset()
    absent: Mapping[str, Absence] = MappingProxyType({})
    ends: Mapping[str, datetime] = MappingProxyType({})


class Round(Struct, frozen=True, kw_only=True):
    """What a round comes to: fingerprints to take in, ends by fingerprint of what is gone, and the new memory."""

    missed: tuple[str, ...]
    gone: Mapping[str, datetime]
    memory: Memory


def compare(
    memory: Memory,
    members: Sequence[Member],
    ours: Mapping[str, Standing],
    *,
    eager: Container[str] = frozenset(),
) -> Round:
    """What this round's answers (of the members that could be read) say against our unfinished episodes.

    `ours` was read before the answers: what began or ended meanwhile is not taken for missed. What is `eager` need not
    be missed twice; nor is anything in the first round after our start.
    """
    if not members:
        # Two readings in a row: one that failed lies between them.
        unread = Memory(read_before=memory.read_before, waits=memory.waits, ends=memory.ends)
        return Round(missed=(), gone={}, memory=unread)
    wanted = {fingerprint for member in members for fingerprint, found in member.alerts.items() if found.wanted}
    lacking = frozenset(wanted - ours.keys())
    first = not memory.read_before
    missed = tuple(sorted(one for one in lacking if first or one in eager or one in memory.waits))
    absent = _absences(memory, members, ours)
    at = max(member.at for member in members)
    gone = {
        fingerprint: _ended_at(absence, memory.ends.get(fingerprint), ours[fingerprint])
        for fingerprint, absence in absent.items()
        if at - absence.since_at >= APART
    }
    ends = _ends(memory, members, ours)
    return Round(missed=missed, gone=gone, memory=Memory(read_before=True, waits=lacking, absent=absent, ends=ends))


def _absences(memory: Memory, members: Sequence[Member], ours: Mapping[str, Standing]) -> dict[str, Absence]:
    if not any(member.settled for member in members):
        return {}
    at = max(member.at for member in members)
    absent: dict[str, Absence] = {}
    for fingerprint, standing in ours.items():
        if any(fingerprint in member.alerts for member in members):
            continue
        former = memory.absent.get(fingerprint)
        same = former is not None and former.digest == standing.digest
        absent[fingerprint] = former if former and same else Absence(since_at=at, digest=standing.digest)
    return absent


def _ended_at(absence: Absence, known: datetime | None, standing: Standing) -> datetime:
    """Its last known end where that lies before the first reading without it, else that reading."""
    ended_at = absence.since_at if known is None else min(known, absence.since_at)
    return max(ended_at, standing.starts_at) if standing.starts_at <= absence.since_at else absence.since_at


def _ends(memory: Memory, members: Sequence[Member], ours: Mapping[str, Standing]) -> dict[str, datetime]:
    """Of what is there the latest endsAt of any member, of what is not the last known one."""
    ends: dict[str, datetime] = {}
    for fingerprint in ours:
        found = [member.alerts[fingerprint].ends_at for member in members if fingerprint in member.alerts]
        told = [at for at in found if at is not None]
        known = max(told) if told else memory.ends.get(fingerprint)
        if known is not None:
            ends[fingerprint] = known
    return ends


def same_start(found: datetime, stored: datetime) -> bool:
    """Whether two startsAt are one: Alertmanager's API gives milliseconds, its webhook nanoseconds."""
    return abs(found - stored) < timedelta(milliseconds=1)
