"""The episodes of one source as reconciliation compares them: those that go on, and the newest of some alerts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, or_, select, text

from triaged.core.model import Episode
from triaged.core.reconciling import Standing
from triaged.store import schema as s
from triaged.store.codec import from_us

_AT_ONCE = 500


def unfinished(connection: Connection, source: str) -> dict[str, Standing]:
    """What goes on of a source, by fingerprint; by the incidents' indexes, as history is long."""
    incident, c = s.incidents.c, s.episodes.c
    going_on = or_(text("state != 'closed'"), text("state = 'closed' AND firing > 0"))
    ids = list(connection.execute(select(incident.id).where(going_on, incident.firing > 0)).scalars())
    found: dict[str, Standing] = {}
    for some in _slices(ids):
        query = select(c.fingerprint, c.digest, c.starts_at).where(
            c.incident_id.in_(some), c.ended_at.is_(None), c.source == source
        )
        for fingerprint, digest, starts_at in connection.execute(query):
            found[fingerprint] = Standing(digest=bytes(digest), starts_at=from_us(starts_at))
    return found


def newest(connection: Connection, fingerprints: Iterable[str]) -> dict[str, Episode]:
    """The newest episodes of these alerts, by fingerprint."""
    c = s.episodes.c
    found: dict[str, Episode] = {}
    for some in _slices(list(fingerprints)):
        query = select(*(c[name] for name in s.EPISODE.names)).where(c.fingerprint.in_(some), c.last == 1)
        for row in connection.execute(query):
            episode = s.EPISODE.decode(tuple(row))
            found[episode.fingerprint] = episode
    return found


def _slices(values: list[object] | list[int] | list[str]) -> Iterator[list[object]]:
    for at in range(0, len(values), _AT_ONCE):
        yield list(values[at : at + _AT_ONCE])
