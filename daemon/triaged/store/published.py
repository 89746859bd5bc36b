"""What people told stakeholders of incidents, as it is kept with their acts."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select

from triaged.core.events import Updated
from triaged.store import acts
from triaged.store import schema as s
from triaged.store.acts import Acted


def updates_of(connection: Connection, incident_ids: Collection[int], limit: int) -> list[tuple[Acted, Updated]]:
    """The updates of these incidents, newest first, at most `limit` of all of them."""
    c = s.acts.c
    query = select(*(c[name] for name in acts.NAMES)).where(c.incident_id.in_(incident_ids), c.act == "update")
    found = [acts.decode(tuple(row)) for row in connection.execute(query.order_by(c.id.desc()).limit(limit))]
    return [(one, one.act) for one in found if isinstance(one.act, Updated)]
