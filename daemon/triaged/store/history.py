"""The recorded history as a backtest reads it: in order of arrival, in pages, so that any length fits into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Select, and_, func, or_, select

from triaged.core.maintenance import Plan
from triaged.core.model import Incident, Outcome
from triaged.ports.store import AlertRecord, Fate
from triaged.store import acts, maintenance
from triaged.store import schema as s
from triaged.store.acts import Acted
from triaged.store.codec import from_us, to_us
from triaged.store.reading import Reader

PAGE: Final = 5_000
MOST_WINDOWS: Final = 10_000
_MOST_ALERTS: Final = 50
_UNREAD: Final = (Fate.REJECTED.value, Fate.FAILED.value)
_record = [s.alert_records.c[name] for name in s.RECORD.names]

Read = Callable[[], AbstractContextManager[Reader]]


class Span(Struct, frozen=True, kw_only=True):
    """The part of the history that is asked for: from `since` on, before `until` (aware, UTC)."""

    since: datetime
    until: datetime


class Extent(Struct, frozen=True, kw_only=True):
    """What is recorded in a span: alerts that can be replayed, and those that could not be read or had failed."""

    records: int
    rejected: int
    failed: int


class Member(Struct, frozen=True, kw_only=True):
    """An episode as it is matched: which alert, when its firing arrived, and the incident that holds it."""

    fingerprint: str
    begun_at: datetime
    incident_id: int


class Held(Struct, frozen=True, kw_only=True):
    """A recorded incident, and how often its last round breached each objective (0 or 1)."""

    incident: Incident
    response: int
    resolution: int


class History:
    """Reads in short transactions of their own, so that a daemon on the same store is not held up."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def begins_at(self) -> datetime | None:
        """When the oldest recorded alert arrived."""
        return self._instant(select(func.min(s.alert_records.c.received_at)))

    def ends_at(self) -> datetime | None:
        return self._instant(select(func.max(s.alert_records.c.received_at)))

    def extent(self, span: Span) -> Extent:
        c = s.alert_records.c
        query = select(c.fate, func.count()).where(*_within(c.received_at, span)).group_by(c.fate)
        with self._read() as reader:
            found = {str(fate): int(number) for fate, number in reader.connection.execute(query)}
        rejected, failed = found.pop(Fate.REJECTED, 0), found.pop(Fate.FAILED, 0)
        return Extent(records=sum(found.values()), rejected=rejected, failed=failed)

    def records(self, span: Span) -> Iterator[AlertRecord]:
        """What arrived in the span and could be read, in the order of arrival."""
        c = s.alert_records.c
        query = select(*_record).where(*_within(c.received_at, span), c.fate.not_in(_UNREAD))
        return map(s.RECORD.decode, self._paged(query, c.received_at, c.id, names=s.RECORD.names))

    def standing(self, at: datetime) -> Iterator[AlertRecord]:
        """The last that was recorded of each alert before `at`, oldest first: what fires then is among it."""
        c = s.alert_records.c
        last = select(func.max(c.id)).where(c.received_at < to_us(at), c.fate.not_in(_UNREAD)).group_by(c.fingerprint)
        query = select(*_record).where(c.id.in_(last.scalar_subquery()), c.fate != Fate.ENDED.value)
        return map(s.RECORD.decode, self._paged(query, c.received_at, c.id, names=s.RECORD.names))

    def members(self, span: Span) -> Iterator[Member]:
        """The episodes of the span; one that went on at its beginning is taken to have begun then, as a replay does."""
        c = s.episodes.c
        since, until = to_us(span.since), to_us(span.until)
        going_on = or_(c.begun_at >= since, c.ended_at.is_(None), c.ended_at >= since)
        query = select(c.fingerprint, c.begun_at, c.incident_id, c.id).where(c.begun_at < until, going_on)
        for fingerprint, begun_at, incident_id, _ in self._paged(query, c.id, c.id, names=("", "", "", "id")):
            begun = from_us(max(begun_at, since))
            yield Member(fingerprint=fingerprint, begun_at=begun, incident_id=incident_id)

    def incidents(self, span: Span) -> Iterator[Held]:
        """The incidents that were created in the span, or may have had alerts in it."""
        c = s.incidents.c
        since, until = to_us(span.since), to_us(span.until)
        alive = or_(c.created_at >= since, c.closed_at.is_(None), c.closed_at >= since, c.firing > 0)
        query = select(*(c[name] for name in s.INCIDENT.names)).where(c.created_at < until, alive)
        for row in self._paged(query, c.id, c.id, names=s.INCIDENT.names):
            incident = s.INCIDENT.decode(row)
            yield Held(
                incident=incident,
                response=int(incident.response_outcome is Outcome.BREACHED),
                resolution=int(incident.resolution_outcome is Outcome.BREACHED),
            )

    def rule_sets(self, span: Span) -> list[str]:
        """The hashes of the rule sets that judged in the span, in the order in which they came into force."""
        c = s.alert_records.c
        query = select(c.rule_set, func.min(c.id)).where(*_within(c.received_at, span), c.fate.not_in(_UNREAD))
        with self._read() as reader:
            rows = reader.connection.execute(query.group_by(c.rule_set).order_by(func.min(c.id)))
            return [str(digest) for digest, _ in rows]

    def acts(self, span: Span) -> Iterator[Acted]:
        """What people did in the span, in order."""
        c = s.acts.c
        query = select(*(c[name] for name in acts.NAMES), c.id).where(*_within(c.at, span))
        for row in self._paged(query, c.at, c.id, names=(*acts.NAMES, "id")):
            yield acts.decode(row[:-1])

    def windows(self, span: Span) -> Iterator[Plan]:
        """The maintenance windows that were asked for and ran in the span, as they were in the end."""
        with self._read() as reader:
            yield from maintenance.within(reader.connection, span.since, span.until, MOST_WINDOWS)

    def alerts_of(self, incident_id: int, until: datetime) -> list[tuple[str, datetime]]:
        """The first alerts of a recorded incident that had begun at `until`, with when they did."""
        c = s.episodes.c
        query = select(c.fingerprint, c.begun_at).where(c.incident_id == incident_id, c.begun_at <= to_us(until))
        with self._read() as reader:
            rows = reader.connection.execute(query.order_by(c.id).limit(_MOST_ALERTS))
            return [(str(fingerprint), from_us(begun_at)) for fingerprint, begun_at in rows]

    def rule_set(self, digest: str) -> dict[str, str] | None:
        """The texts of a rule set that was in force, by file name."""
        query = select(s.rule_sets.c.files).where(s.rule_sets.c.hash == digest)
        with self._read() as reader:
            found = reader.connection.execute(query).scalar()
        return None if found is None else msgspec.json.decode(found, type=dict[str, str])

    def _instant(self, query: Select[Any]) -> datetime | None:
        with self._read() as reader:
            found = reader.connection.execute(query).scalar()
        return None if found is None else from_us(found)

    def _paged(self, query: Select[Any], by: Any, then: Any, *, names: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
        """The rows in the order of two columns (both among the selected), a page a transaction."""
        where_by = names.index(by.name) if by.name in names else names.index(then.name)
        where_then = names.index(then.name)
        page = query.order_by(by, then).limit(PAGE)
        after: tuple[Any, Any] | None = None
        while True:
            asked = page
            if after is not None:
                asked = page.where(or_(by > after[0], and_(by == after[0], then > after[1])))
            with self._read() as reader:
                rows = [tuple(row) for row in reader.connection.execute(asked)]
            yield from rows
            if len(rows) < PAGE:
                return
            after = rows[-1][where_by], rows[-1][where_then]


def _within(column: Any, span: Span) -> tuple[Any, ...]:
    return column >= to_us(span.since), column < to_us(span.until)
