"""What health queries said of incidents: of each query the last answer before, during and after a round."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, and_, delete, or_, select

from triaged.core.effects import KeepHealth
from triaged.core.health import Answer
from triaged.core.model import Incident, State
from triaged.core.verification import is_back
from triaged.store import schema as s

_answer = [s.health.c[name] for name in s.HEALTH.names]
_MOST_WATCHED = 1_000


def save(connection: Connection, kept: Iterable[KeepHealth]) -> None:
    """Write answers down, each in place of the former one of its query and phase."""
    c = s.health.c
    rows = {(one.incident_id, one.round, answer.query, answer.phase): answer for one in kept for answer in one.answers}
    for (incident_id, number, query, phase), answer in sorted(rows.items()):
        mine = {"incident_id": incident_id, "round": number}
        same = (c.incident_id == incident_id, c.round == number, c.query == query, c.phase == phase.value)
        connection.execute(delete(s.health).where(*same))
        cells = dict(zip(s.HEALTH.names, s.HEALTH.encode(answer), strict=True))
        connection.execute(s.health.insert().values(**mine, **cells))


def of_round(connection: Connection, incident: Incident) -> tuple[Answer, ...]:
    """What was said in the present round of an incident, in the order of the queries."""
    c = s.health.c
    query = select(*_answer).where(c.incident_id == incident.id, c.round == incident.round).order_by(c.query, c.phase)
    return tuple(s.HEALTH.decode(tuple(row)) for row in connection.execute(query))


def watched(connection: Connection, services: Iterable[str]) -> list[Incident]:
    """Incidents of these services whose health is asked now, gravest first; what is folded is so with its parent."""
    c = s.incidents.c
    may_be_back = and_(c.state.in_([one.value for one in State if one.working]), c.firing == 0)
    query = (
        select(*(c[name] for name in s.INCIDENT.names))
        .where(or_(c.state == State.VERIFYING.value, may_be_back), c.service.in_([*services]), c.parent.is_(None))
        .order_by(c.severity, c.id)
        .limit(_MOST_WATCHED)
    )
    found = (s.INCIDENT.decode(tuple(row)) for row in connection.execute(query))
    return [one for one in found if one.state is State.VERIFYING or is_back(one)]
