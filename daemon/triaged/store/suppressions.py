"""What Alertmanagers keep quiet about, as rows; few, and read by an alert's fingerprint."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, and_, delete, select

from triaged.core.model import Episode
from triaged.core.suppression import Changes, Hush, Suppression
from triaged.store import schema as s

_AT_ONCE = 500
_columns = [s.suppressions.c[name] for name in s.SUPPRESSION.names]


def of_source(connection: Connection, source: str) -> list[Suppression]:
    """All of one source."""
    rows = connection.execute(select(*_columns).where(s.suppressions.c.source == source))
    return [s.SUPPRESSION.decode(tuple(row)) for row in rows]


def silences(connection: Connection) -> list[Suppression]:
    """All silences, of any source; no inhibitions."""
    rows = connection.execute(select(*_columns).where(s.suppressions.c.hush == Hush.SILENCE.value))
    return [s.SUPPRESSION.decode(tuple(row)) for row in rows]


def of_episodes(connection: Connection, episodes: Iterable[Episode]) -> dict[str, tuple[Suppression, ...]]:
    """Those of the episodes' alerts, by fingerprint; what has ended is quiet by itself."""
    wanted = [episode.fingerprint for episode in episodes if episode.ended_at is None]
    found: dict[str, tuple[Suppression, ...]] = {}
    for at in range(0, len(wanted), _AT_ONCE):
        c = s.suppressions.c
        query = select(*_columns).where(c.fingerprint.in_(wanted[at : at + _AT_ONCE])).order_by(c.fingerprint, c.ref)
        for row in connection.execute(query):
            one = s.SUPPRESSION.decode(tuple(row))
            found[one.fingerprint] = (*found.get(one.fingerprint, ()), one)
    return found


def of_incident(connection: Connection, incident_id: int) -> list[Suppression]:
    """Those of what fires in the incident."""
    c, e = s.suppressions.c, s.episodes.c
    firing = select(e.fingerprint).where(e.incident_id == incident_id, e.ended_at.is_(None))
    rows = connection.execute(select(*_columns).where(c.fingerprint.in_(firing)).order_by(c.fingerprint, c.ref))
    return [s.SUPPRESSION.decode(tuple(row)) for row in rows]


def forget_others(connection: Connection, sources: Iterable[str]) -> None:
    """Delete those of sources whose Alertmanager is asked no more."""
    connection.execute(delete(s.suppressions).where(s.suppressions.c.source.not_in(list(sources))))


def save(connection: Connection, changes: Changes) -> None:
    """Write what began or changed, delete what is over."""
    c = s.suppressions.c
    for (fingerprint, ref), one in sorted(changes.items()):
        connection.execute(delete(s.suppressions).where(and_(c.fingerprint == fingerprint, c.ref == ref)))
        if one is not None:
            row = dict(zip(s.SUPPRESSION.names, s.SUPPRESSION.encode(one), strict=True))
            connection.execute(s.suppressions.insert().values(**row))
