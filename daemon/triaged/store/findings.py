"""What was found about incidents; which of them want a look; and, for that look, what else there is and was."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Select, and_, delete, func, or_, select, text

from triaged.core.effects import KeepEvidence
from triaged.core.evidence import MONTH, QUARTER, Evidence, Neighbour, Seen, Similar
from triaged.core.model import CloseReason, Entry, Incident, Severity
from triaged.store import schema as s
from triaged.store.codec import from_us, to_json, to_us

MOST_AROUND = 10
MOST_SIMILAR = 5
LONGEST_TEXT = 500
_MOST_COUNTED = 1_000
_MOST_READ = 20
_MOST_AT_START = 200
_OVERLAP = 500
"""Of replicas on one database a later entry may be seen before an earlier one."""
_BEGINNINGS = (Entry.OPENED, Entry.REOPENED, Entry.UNFOLDED, Entry.SEVERITY)
_body = msgspec.json.Decoder(Evidence)
_NOT_THE_SAME = (CloseReason.DUPLICATE.value, CloseReason.UNOPENED.value)


class Wanting(Struct, frozen=True, kw_only=True):
    """An incident that wants a look: how grave it is, and when it was looked at last, if ever."""

    incident_id: int
    severity: Severity
    found_at: datetime | None


def save(connection: Connection, kept: Iterable[KeepEvidence]) -> None:
    """Write down what was found, each in place of what was found before."""
    c = s.findings.c
    for one in sorted(kept, key=lambda one: one.incident_id):
        connection.execute(delete(s.findings).where(c.incident_id == one.incident_id))
        connection.execute(
            s.findings.insert().values(
                incident_id=one.incident_id,
                round=one.evidence.round,
                severity=one.evidence.severity.value,
                found_at=to_us(one.evidence.at),
                key=one.key,
                service=one.service,
                category=one.category,
                body=to_json(one.evidence),
            )
        )


def of_incident(connection: Connection, incident_id: int) -> Evidence | None:
    """What was found last about an incident; None where nobody has looked, or a release before looked otherwise."""
    c = s.findings.c
    body = connection.execute(select(c.body).where(c.incident_id == incident_id)).scalar()
    if not body:
        return None
    try:
        return _body.decode(body)
    except msgspec.ValidationError:
        return None


def mark(connection: Connection) -> int:
    """The newest timeline entry: what wants a look from now on is told after it."""
    return connection.execute(select(func.max(s.timeline.c.id))).scalar() or 0


def wanting(connection: Connection, after: int) -> list[Wanting]:
    """What opened, opened again, went its own way or grew since that mark, and was not looked at since."""
    t = s.timeline.c
    told = select(t.incident_id).where(
        t.id > max(0, after - _OVERLAP), t.entry.in_([entry.value for entry in _BEGINNINGS])
    )
    return _wanting(connection, _wanted().where(s.incidents.c.id.in_(told)))


def wanting_at_start(connection: Connection) -> list[Wanting]:
    """What opened while nobody looked: the newest ones of it."""
    live = text("incidents.state != 'closed'")
    return _wanting(connection, _wanted().where(live).order_by(s.incidents.c.id.desc()).limit(_MOST_AT_START))


def around(
    connection: Connection, incident: Incident, needs: Collection[str], needed_by: Collection[str]
) -> tuple[Neighbour, ...]:
    """Open incidents of the services that its own needs, then of those that need it; gravest first."""
    c = s.incidents.c
    query = (
        select(c.id, c.title, c.service, c.severity, c.opened_at, c.restricted)
        .where(
            c.service.in_([*needs, *needed_by]),
            text("service != '' AND state IN ('open', 'acknowledged')"),
            c.id != incident.id,
            c.opened_at.is_not(None),
        )
        .order_by(c.severity, c.id.desc())
        .limit(_MOST_COUNTED)
    )
    found = [
        Neighbour(
            incident_id=number,
            title="" if restricted else title,
            service=service,
            severity=Severity(severity),
            opened_at=from_us(opened_at),
            depends=service not in needs,
        )
        for number, title, service, severity, opened_at, restricted in connection.execute(query)
    ]
    return tuple(sorted(found, key=lambda one: one.depends)[:MOST_AROUND])


def seen(connection: Connection, incident: Incident, now: datetime) -> Seen:
    """How often incidents of its key opened before it."""
    opened = [from_us(at) for (at,) in connection.execute(_same_key(incident, s.incidents.c.opened_at))]
    # Of the same key at most one is open at a time: the order of numbers is that of openings.
    return Seen(
        month=sum(at > now - MONTH for at in opened),
        quarter=sum(at > now - QUARTER for at in opened),
        last_at=max(opened, default=None),
    )


def similar(connection: Connection, incident: Incident) -> tuple[Similar, ...]:
    """Past incidents of its key, then of its service and category; of each those first of which a solution is known.

    A restricted one is nobody else's matter.
    """
    found = _similar(connection, _same_key(incident, *_columns(), most=_MOST_READ), same=True)
    if incident.service:
        f = s.findings.c
        query = _before(incident, *_columns(), most=_MOST_READ).where(
            text("findings.service != ''"), f.service == incident.service, f.category == incident.category.value
        )
        known = {one.incident_id for one in found}
        found += [one for one in _similar(connection, query, same=False) if one.incident_id not in known]
    return tuple(found[:MOST_SIMILAR])


def _wanted() -> Select[Any]:
    i, f = s.incidents.c, s.findings.c
    # Severities sort as texts: sev1 is the gravest.
    return (
        select(i.id, i.severity, f.found_at)
        .select_from(s.incidents.outerjoin(s.findings, f.incident_id == i.id))
        .where(
            i.state.in_(["open", "acknowledged", "verifying"]),
            i.parent.is_(None),
            or_(f.incident_id.is_(None), f.round != i.round, f.severity > i.severity),
        )
    )


def _wanting(connection: Connection, query: Select[Any]) -> list[Wanting]:
    return [
        Wanting(
            incident_id=number, severity=Severity(severity), found_at=None if found_at is None else from_us(found_at)
        )
        for number, severity, found_at in connection.execute(query)
    ]


def _before(incident: Incident, *columns: Any, most: int) -> Select[Any]:
    """Incidents before this one that were problems of their own, newest first."""
    i, f = s.incidents.c, s.findings.c
    joined = s.findings.join(s.incidents, i.id == f.incident_id)
    joined = joined.outerjoin(s.publications, s.publications.c.incident_id == i.id)
    own = and_(i.parent.is_(None), or_(i.close_reason.is_(None), i.close_reason.not_in(_NOT_THE_SAME)))
    query = select(*columns).select_from(joined).where(f.incident_id < incident.id, own, i.opened_at.is_not(None))
    return query.order_by(f.incident_id.desc()).limit(most)


def _same_key(incident: Incident, *columns: Any, most: int = _MOST_COUNTED) -> Select[Any]:
    return _before(incident, *columns, most=most).where(s.findings.c.key == incident.key)


def _columns() -> tuple[Any, ...]:
    i = s.incidents.c
    told = (i.id, i.title, i.opened_at, i.started_at, i.restored_at, i.root_cause, i.fix, i.restricted)
    return (*told, s.publications.c.url)


def _similar(connection: Connection, query: Select[Any], *, same: bool) -> list[Similar]:
    found = []
    for number, title, opened_at, started_at, restored_at, root_cause, fix, restricted, url in connection.execute(
        query
    ):
        if restricted:
            continue
        took = None if restored_at is None else (from_us(restored_at) - from_us(started_at)) // timedelta(seconds=1)
        found.append(
            Similar(
                incident_id=number,
                title=title,
                opened_at=from_us(opened_at),
                took_seconds=took,
                root_cause=root_cause[:LONGEST_TEXT],
                fix=fix[:LONGEST_TEXT],
                same=same,
                url=url or "",
            )
        )
    return sorted(found, key=lambda one: not one.solved)
