"""The table of heartbeats: a row for each series that is followed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, select

from triaged.core.heartbeats import Beat, Heartbeat, Key, named, next_at
from triaged.store import schema as s
from triaged.store.statements import Cursor, Statement


def read(connection: Connection, *, locked: bool = False) -> list[Beat]:
    """All series in a stable order; `locked`, other replicas wait until the transaction is over."""
    query = select(*(s.heartbeats.c[name] for name in s.BEAT.names)).order_by(
        s.heartbeats.c.name, s.heartbeats.c.series
    )
    rows = connection.execute(query.with_for_update() if locked else query)
    return [s.BEAT.decode(tuple(row)) for row in rows]


def next_missed(connection: Connection, expected: Iterable[Heartbeat]) -> datetime | None:
    """When one of these will be missing, or is to be forgotten, unless it is heard before."""
    return next_at(named(expected), {beat.key: beat for beat in read(connection)})


def save(connection: Connection, cursor: Cursor, write: Statement, beats: Mapping[Key, Beat | None]) -> None:
    """Write these series by the statement for one; None deletes it.

    Sorted, so that two transactions never wait for each other crosswise.
    """
    rows = [s.BEAT.encode(beat) for _, beat in sorted(beats.items()) if beat is not None]
    write.run(cursor, rows)
    c = s.heartbeats.c
    for (name, series), beat in sorted(beats.items()):
        if beat is None:
            connection.execute(delete(s.heartbeats).where(c.name == name, c.series == series))
