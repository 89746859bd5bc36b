"""The table of heartbeats: a row for each series that is followed."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, delete, select

from triaged.core.heartbeats import Beat, Key
from triaged.store import schema as s
from triaged.store.statements import Cursor, upsert


def read(connection: Connection, *, locked: bool = False) -> list[Beat]:
    """All series in a stable order; `locked`, other replicas wait until the transaction is over."""
    query = select(*(s.heartbeats.c[name] for name in s.BEAT.names)).order_by(
        s.heartbeats.c.name, s.heartbeats.c.series
    )
    rows = connection.execute(query.with_for_update() if locked else query)
    return [s.BEAT.decode(tuple(row)) for row in rows]


def save(connection: Connection, cursor: Cursor, beats: Mapping[Key, Beat | None]) -> None:
    """Write these series; None deletes one. Sorted, so that two transactions never wait for each other crosswise."""
    rows = [s.BEAT.encode(beat) for _, beat in sorted(beats.items()) if beat is not None]
    upsert(connection.dialect, s.heartbeats, s.BEAT.names, on=["name", "series"]).run(cursor, rows)
    c = s.heartbeats.c
    for (name, series), beat in sorted(beats.items()):
        if beat is None:
            connection.execute(delete(s.heartbeats).where(c.name == name, c.series == series))
