"""Problems in the store: which incidents count, which problem follows them, what is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, delete, func, not_, select, update

from triaged.core.downtime import CATEGORIES as DOWN
from triaged.core.effects import KeepKnowledge
from triaged.core.model import Incident, Link
from triaged.core.problems import Alike, Cause, Counted, Kept, Problem, ProblemState
from triaged.ports.backend import Address
from triaged.ports.problems import ProblemRow
from triaged.store import retention
from triaged.store import schema as s
from triaged.store.codec import from_us, to_us

MOST_ALIKE: Final = 500
"""So many incidents of one cause are looked at; the newest."""
MOST_TOLD: Final = 100
"""So many unfinished incidents of a problem are told when something is known of it."""
MOST_OFFERED: Final = 5
_FORGOTTEN: Final = 5
_ONLY: Final = 1
_P, _C, _K, _I, _W = s.problems.c, s.problem_incidents.c, s.knowledge.c, s.incidents.c, s.problems_seen.c
_problem = [_P[name] for name in s.PROBLEM.names]
_counted = [_C[name] for name in s.COUNTED.names]
_kept = [_K.incident_id, _K.url, _K.title, _K.by, _K.at]
_RESTRICTED: Final = ((_I.id, _I.restricted), (_P.id, _P.restricted))
_address = [s.publications.c[name] for name in ("backend", "repository", "number", "url")]


class Problems:
    """The writer's questions and statements, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def counted(self, incident_ids: Sequence[int]) -> dict[int, Counted]:
        query = select(*_counted).where(_C.incident_id.in_(incident_ids)).with_for_update()
        rows = map(_as_counted, self._connection.execute(query))
        return {row.incident_id: row for row in rows}

    def alike(self, cause: Cause, since: datetime, until: datetime) -> list[Counted]:
        query = select(*_counted).where(
            _C.problem_id.is_(None), _C.opened_at > to_us(since), _C.opened_at <= to_us(until)
        )
        match cause.alike:
            case Alike.KEY:
                query = query.where(_C.key == cause.key)
            case Alike.SERVICE:
                query = query.where(_C.service == cause.service, _C.service != "", _C.category == str(cause.category))
            case Alike.DOWNTIME:
                down = [str(category) for category in DOWN]
                query = query.where(_C.service == cause.service, _C.service != "", _C.category.in_(down))
        query = query.order_by(_C.opened_at.desc(), _C.incident_id.desc()).limit(MOST_ALIKE)
        return [_as_counted(row) for row in self._connection.execute(query)]

    def of_cause(self, name: str) -> Problem | None:
        return self._one(select(*_problem).where(_P.cause == name))

    def of_number(self, number: int) -> Problem | None:
        return self._one(select(*_problem).where(_P.id == number))

    def unfinished(self, number: int) -> list[int]:
        query = (
            select(_C.incident_id)
            .join(s.incidents, _I.id == _C.incident_id)
            .where(_C.problem_id == number, _I.state != "closed")
            .order_by(_C.incident_id.desc())
        )
        return [*self._connection.execute(query.limit(MOST_TOLD)).scalars()]

    def since(self, number: int, at: datetime) -> list[Counted]:
        query = select(*_counted).where(_C.problem_id == number, _C.opened_at > to_us(at))
        rows = self._connection.execute(query.order_by(_C.opened_at.desc()).limit(MOST_ALIKE).with_for_update())
        return [_as_counted(row) for row in rows]

    def urls(self, number: int) -> list[str]:
        return [*self._connection.execute(select(_K.url).where(_K.incident_id == number)).scalars()]

    def keep(self, problems: Iterable[Problem], rows: Iterable[Counted]) -> None:
        for problem in problems:
            self._keep(s.problems, s.PROBLEM.names, s.PROBLEM.encode(problem))
        for row in rows:
            self._keep(s.problem_incidents, s.COUNTED.names, s.COUNTED.encode(row))

    def forget(self, incident_ids: Sequence[int]) -> None:
        self._connection.execute(delete(s.problem_incidents).where(_C.incident_id.in_(incident_ids)))

    def keep_links(self, links: Iterable[KeepKnowledge], now: datetime) -> None:
        for one in links:
            self._connection.execute(
                s.knowledge.insert().values(
                    incident_id=one.number,
                    key=one.key,
                    service=one.service,
                    category=str(one.category),
                    restricted=int(one.restricted),
                    url=one.link.url,
                    title=one.link.title,
                    by=one.by,
                    at=to_us(now),
                )
            )

    def seen(self, timeline_id: int) -> None:
        found = self._connection.execute(update(s.problems_seen).values(timeline_id=timeline_id))
        if not found.rowcount:
            self._connection.execute(s.problems_seen.insert().values(id=_ONLY, timeline_id=timeline_id))

    def _one(self, query: Select[Any]) -> Problem | None:
        row = self._connection.execute(query.with_for_update()).first()
        return None if row is None else _as_problem(row)

    def _keep(self, table: Any, names: Sequence[str], cells: Sequence[object]) -> None:
        """Write a row whose first column is its key."""
        values = dict(zip(names, cells, strict=True))
        key = table.c[names[0]]
        if not self._connection.execute(update(table).where(key == cells[0]).values(values)).rowcount:
            self._connection.execute(table.insert().values(values))


# ---------------------------------------------------------------- what workers, pages and metrics ask


def newest_entry(connection: Connection) -> int:
    """The row of the newest entry of all timelines; 0 where there is none."""
    found: int | None = connection.execute(select(func.max(s.timeline.c.id))).scalar()
    return found or 0


def seen_up_to(connection: Connection) -> int | None:
    """The row up to which the timelines were looked at; None: never yet."""
    found: int | None = connection.execute(select(_W.timeline_id)).scalar()
    return found


def entry_before(connection: Connection, at: datetime) -> int:
    """About the row of the last entry before an instant, by halves: nothing is indexed by time."""
    t = s.timeline.c
    low, high = 0, newest_entry(connection)
    while low < high:
        middle = (low + high + 1) // 2
        row = connection.execute(select(t.id, t.at).where(t.id >= middle).order_by(t.id).limit(1)).one()
        if row.at < to_us(at):
            low = max(row.id, middle)
        else:
            high = middle - 1
    return low


def news(connection: Connection, after: int, entries: Sequence[str], limit: int) -> list[tuple[int, int, datetime]]:
    """Row, incident and instant of the entries of these kinds after a row, in their order."""
    t = s.timeline.c
    query = select(t.id, t.incident_id, t.at).where(t.id > after, t.entry.in_(entries)).order_by(t.id).limit(limit)
    return [(row, incident_id, from_us(at)) for row, incident_id, at in connection.execute(query)]


def of_incident(connection: Connection, incident_id: int) -> Problem | None:
    """The problem that follows an incident, or did."""
    query = select(*_problem).join(s.problem_incidents, _C.problem_id == _P.id).where(_C.incident_id == incident_id)
    row = connection.execute(query).first()
    return None if row is None else _as_problem(row)


def known_of(connection: Connection, number: int) -> list[Kept]:
    """The links of an incident or a problem, oldest first."""
    return [_as_kept(row) for row in connection.execute(select(*_kept).where(_K.incident_id == number).order_by(_K.id))]


def known_elsewhere(connection: Connection, incident: Incident, limit: int) -> list[Kept]:
    """The newest links of others like this incident, each URL once; of what is restricted only to its like.

    It may have become so after the link was kept: each is asked now.
    """
    own = [_K.incident_id != incident.id]
    if not incident.restricted:
        restricted = [select(key).where(key == _K.incident_id, flag == 1).exists() for key, flag in _RESTRICTED]
        own += [_K.restricted == 0, *map(not_, restricted)]
    alike = [_K.key == incident.key]
    if incident.service:
        alike.append((_K.service == incident.service) & (_K.service != "") & (_K.category == str(incident.category)))
    found: dict[int, Kept] = {}
    for like in alike:
        rows = connection.execute(select(_K.id, *_kept).where(like, *own).order_by(_K.id.desc()).limit(2 * limit))
        found.update((row[0], _as_kept(tuple(row)[1:])) for row in rows)
    mine = {link.url for link in incident.process.knowledge}
    newest: dict[str, Kept] = {}
    for _, kept in sorted(found.items(), reverse=True):
        if kept.link.url not in mine:
            newest.setdefault(kept.link.url, kept)
    return [*newest.values()][:limit]


def known(connection: Connection, incident: Incident) -> tuple[Kept, ...]:
    """The links of an incident, then the newest of others like it, which are offered."""
    return (*known_of(connection, incident.id), *known_elsewhere(connection, incident, MOST_OFFERED))


def one(connection: Connection, number: int) -> ProblemRow | None:
    row = connection.execute(_rows().where(_P.id == number)).first()
    return None if row is None else _as_row(row)


def listed(
    connection: Connection, *, state: ProblemState | None, team: str | None, before: int | None, limit: int
) -> list[ProblemRow]:
    """Problems, newest first; None is any. `before` continues a listing below a problem's number."""
    query = _rows().order_by(_P.id.desc()).limit(limit)
    if state is not None:
        query = query.where(_P.state == state.value)
    if team is not None:
        query = query.where(_P.team == team)
    if before is not None:
        query = query.where(_P.id < before)
    return [_as_row(row) for row in connection.execute(query)]


def incidents_of(connection: Connection, number: int, limit: int) -> list[Incident]:
    """The newest incidents that a problem follows, newest first."""
    columns = [_I[name] for name in s.INCIDENT.names]
    query = select(*columns).join(s.problem_incidents, _C.incident_id == _I.id).where(_C.problem_id == number)
    rows = connection.execute(query.order_by(_C.incident_id.desc()).limit(limit))
    return [s.INCIDENT.decode(tuple(row)) for row in rows]


def open_by_team(connection: Connection) -> dict[str, int]:
    query = select(_P.team, func.count()).where(_P.state == ProblemState.OPEN.value).group_by(_P.team)
    rows = connection.execute(query).all()
    return {row[0]: row[1] for row in rows}


def forget(connection: Connection, before: datetime) -> int:
    """Delete a few problems that were closed before an instant, with all that is theirs; how many."""
    query = select(_P.id).where(_P.closed_at < to_us(before)).order_by(_P.closed_at).limit(_FORGOTTEN)
    gone = connection.execute(query).all()
    ids = [number for (number,) in gone]
    if ids:
        retention.forget_numbered(connection, gone)
        connection.execute(delete(s.timeline).where(s.timeline.c.incident_id.in_(ids)))
        connection.execute(delete(s.knowledge).where(_K.incident_id.in_(ids)))
        connection.execute(delete(s.problem_incidents).where(_C.problem_id.in_(ids)))
        connection.execute(delete(s.problems).where(_P.id.in_(ids)))
    return len(ids)


def _rows() -> Select[Any]:
    there = and_(s.publications.c.incident_id == _P.id, s.publications.c.gone == 0)
    joined = s.problems.outerjoin(s.publications, there)
    return select(*_problem, *_address).select_from(joined)


def _as_row(row: Iterable[Any]) -> ProblemRow:
    cells = tuple(row)
    backend, repository, number, url = cells[len(_problem) :]
    is_published = number is not None
    address = Address(backend=backend, repository=repository, number=number, url=url) if is_published else None
    return ProblemRow(problem=_as_problem(cells[: len(_problem)]), address=address)


def _as_problem(row: Iterable[Any]) -> Problem:
    return s.PROBLEM.decode(tuple(row))


def _as_counted(row: Iterable[Any]) -> Counted:
    return s.COUNTED.decode(tuple(row))


def _as_kept(row: Iterable[Any]) -> Kept:
    number, url, title, by, at = row
    return Kept(number=number, link=Link(url=url, title=title), by=by, at=from_us(at))
