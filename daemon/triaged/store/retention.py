"""Forgetting: raw alerts and closed incidents beyond their time, in slices short enough to go unnoticed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, Row, delete, select

from triaged.store import schema as s
from triaged.store.codec import to_us

_RECORDS = 200
_INCIDENTS = 5


def forget_records(connection: Connection, before: datetime) -> int:
    """Delete a slice of the raw alerts received before an instant; how many went."""
    c = s.alert_records.c
    ids = select(c.id).where(c.received_at < to_us(before)).order_by(c.received_at).limit(_RECORDS)
    return connection.execute(delete(s.alert_records).where(c.id.in_(ids.scalar_subquery()))).rowcount


def forget_incidents(connection: Connection, before: datetime) -> list[int]:
    """Delete a few incidents closed before an instant on which nothing fires, with all that is theirs; which went."""
    c = s.incidents.c
    query = select(c.id).where(c.closed_at < to_us(before), c.firing == 0).order_by(c.closed_at).limit(_INCIDENTS)
    ids = list(connection.execute(query).scalars())
    if not ids:
        return []
    forget_numbered(connection, connection.execute(select(s.reviews.c.number).where(s.reviews.c.incident_id.in_(ids))))
    for table in (
        s.timeline,
        s.acts,
        s.episodes,
        s.deadlines,
        s.comments,
        s.publications,
        s.silences,
        s.notices,
        s.messages,
        s.growth_members,
        s.growth_values,
        s.growth_refires,
        s.incident_keys,
        s.unheard,
        s.health,
        s.findings,
        s.reviews,
        s.action_items,
        s.problem_incidents,
        s.knowledge,
    ):
        connection.execute(delete(table).where(table.c.incident_id.in_(ids)))
    connection.execute(delete(s.looks).where(s.looks.c.number.in_(ids)))
    connection.execute(delete(s.incidents).where(c.id.in_(ids)))
    return ids


def forget_numbered(connection: Connection, numbers: Iterable[Row[tuple[int]]]) -> None:
    """Delete what was published, or is to be, of reviews or problems with these numbers."""
    ids = [number for (number,) in numbers]
    for table in (s.comments, s.publications):
        connection.execute(delete(table).where(table.c.incident_id.in_(ids)))
    connection.execute(delete(s.looks).where(s.looks.c.number.in_(ids)))
