"""What was heard of alerts, and incidents of which nothing was: rows that are written some at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, delete, exists, func, select, text

from triaged.core.staleness import Hearing, Listened, Unheard
from triaged.store import schema as s
from triaged.store.codec import from_us, to_us
from triaged.store.statements import Statement, upsert

_AT_ONCE = 500
_FORGOTTEN_AT_ONCE = 200
_hearing = [s.hearings.c[name] for name in s.HEARING.names]
_unheard = [s.unheard.c[name] for name in s.UNHEARD.names]


def hearings(connection: Connection, fingerprints: Iterable[str]) -> Iterator[Hearing]:
    """What was heard of those of the alerts that fire; of one without a row, that it began."""
    wanted = list(fingerprints)
    e, h = s.episodes.c, s.hearings.c
    joined = s.episodes.outerjoin(s.hearings, h.fingerprint == e.fingerprint)
    for at in range(0, len(wanted), _AT_ONCE):
        rows = connection.execute(
            select(e.fingerprint, e.source, e.begun_at, h.heard_at, h.gaps, h.every_seconds)
            .select_from(joined)
            .where(e.fingerprint.in_(wanted[at : at + _AT_ONCE]), e.last == 1, e.ended_at.is_(None))
        )
        for fingerprint, source, begun_at, heard_at, gaps, every_seconds in rows:
            heard_at = max(begun_at, heard_at or 0)
            yield s.HEARING.decode((fingerprint, source, heard_at, gaps or "[]", every_seconds))


def keep(connection: Connection, heard: Iterable[Hearing]) -> None:
    """Write these, sorted, so that two transactions never wait for each other crosswise."""
    rows = [s.HEARING.encode(one) for one in sorted(heard, key=lambda one: one.fingerprint)]
    _run(connection, upsert(connection.dialect, s.hearings, s.HEARING.names, on=["fingerprint"]), rows)


def forget(connection: Connection, before: datetime) -> int:
    """Delete some of those that were not heard of since an instant, and fire no more; how many went."""
    h, e = s.hearings.c, s.episodes.c
    fires = exists().where(e.fingerprint == h.fingerprint, e.last == 1, e.ended_at.is_(None))
    ids = select(h.fingerprint).where(h.heard_at < to_us(before), ~fires).limit(_FORGOTTEN_AT_ONCE)
    return connection.execute(delete(s.hearings).where(h.fingerprint.in_(ids.scalar_subquery()))).rowcount


def intervals(connection: Connection) -> dict[str, tuple[timedelta, timedelta]]:
    """The smallest and the largest interval that was learned from the alerts of each source."""
    h = s.hearings.c
    query = select(h.source, func.min(h.every_seconds), func.max(h.every_seconds))
    rows = connection.execute(query.where(h.every_seconds.is_not(None)).group_by(h.source))
    return {source: (timedelta(seconds=least), timedelta(seconds=most)) for source, least, most in rows}


def working(connection: Connection) -> list[int]:
    """The incidents that people work on, or should."""
    # What is not closed has an index: said so, SQLite takes it.
    query = select(s.incidents.c.id).where(text("state != 'closed' AND state IN ('open', 'acknowledged')"))
    return list(connection.execute(query).scalars())


def listened(connection: Connection, incident_ids: Sequence[int]) -> Iterator[tuple[int, list[Listened]]]:
    """What was heard of all that fires in each of these incidents; one in which nothing fires is left out."""
    e, h = s.episodes.c, s.hearings.c
    joined = s.episodes.outerjoin(s.hearings, h.fingerprint == e.fingerprint)
    for at in range(0, len(incident_ids), _AT_ONCE):
        these = incident_ids[at : at + _AT_ONCE]
        rows = connection.execute(
            select(e.incident_id, e.source, e.begun_at, h.heard_at, h.every_seconds)
            .select_from(joined)
            .where(e.incident_id.in_(these), e.ended_at.is_(None))
            .order_by(e.incident_id)
            .execution_options(yield_per=_AT_ONCE)
        )
        for incident_id, group in groupby(rows, key=itemgetter(0)):
            yield incident_id, [_listened(*row[1:]) for row in group]


def unheard(connection: Connection, incident_ids: Sequence[int] | None = None) -> dict[int, Unheard]:
    """Of which of these incidents (None: of which at all) nothing was heard, by incident."""
    query = select(*_unheard)
    if incident_ids is not None:
        query = query.where(s.unheard.c.incident_id.in_(incident_ids))
    found = [s.UNHEARD.decode(tuple(row)) for row in connection.execute(query)]
    return {one.incident_id: one for one in found}


def save(connection: Connection, rows: Mapping[int, Unheard | None]) -> None:
    """Write what is unheard now; None: it was heard again."""
    told = [s.UNHEARD.encode(one) for _, one in sorted(rows.items()) if one is not None]
    _run(connection, upsert(connection.dialect, s.unheard, s.UNHEARD.names, on=["incident_id"]), told)
    gone = [incident_id for incident_id, one in rows.items() if one is None]
    connection.execute(delete(s.unheard).where(s.unheard.c.incident_id.in_(gone)))


def _run(connection: Connection, statement: Statement, rows: Sequence[tuple[object, ...]]) -> None:
    cursor: Any = connection.connection.cursor()
    try:
        statement.run(cursor, rows)
    finally:
        cursor.close()


def _listened(source: str, begun_at: int, heard_at: int | None, every_seconds: int | None) -> Listened:
    every = None if every_seconds is None else timedelta(seconds=every_seconds)
    return Listened(source=source, heard_at=from_us(max(begun_at, heard_at or 0)), every=every)
