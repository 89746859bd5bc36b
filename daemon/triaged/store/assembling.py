"""Which incidents may want their people together."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select, text

from triaged.store import schema as s


def working(connection: Connection, severities: Iterable[str]) -> list[int]:
    """What people work on, or should, of these severities, the newest first; what is folded is left out."""
    c = s.incidents.c
    # What is not closed has an index: said so, SQLite takes it.
    live = text("state != 'closed' AND state IN ('open', 'acknowledged')")
    grave = c.severity.in_([str(one) for one in severities])
    query = select(c.id).where(live, grave, c.parent.is_(None)).order_by(c.id.desc())
    return list(connection.execute(query).scalars())
