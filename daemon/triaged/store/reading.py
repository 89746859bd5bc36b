"""Questions of pages, workers and metrics: short reads on connections that cannot write."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, Select, and_, func, select

from triaged.core.model import Deadline, Episode, Incident, State, TimelineEntry
from triaged.ports.backend import Address
from triaged.ports.store import AlertRecord, Counted, Fate, IncidentRow, Wanted
from triaged.store import schema as s
from triaged.store import totals
from triaged.store.codec import to_us

_incident = [s.incidents.c[n] for n in s.INCIDENT.names]
_episode = [s.episodes.c[n] for n in s.EPISODE.names]
_where_published = [s.publications.c[n] for n in ("backend", "repository", "number", "url", "failure", "gone")]
_not_heard_of = [s.unheard.c[n] for n in ("since_at", "every_seconds")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """What the store metrics need beside the totals, each from one indexed query over unfinished work."""

    open: dict[tuple[str, str, str], int]
    closed_firing: dict[tuple[str, str], int]
    at_risk: dict[tuple[str, str, str], int]
    breached_open: dict[tuple[str, str, str], int]
    next_deadline: dict[tuple[str, str, str], int]
    pending: int
    oldest_pending: int | None
    overdue: int


class Reader:
    """One short read transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def incidents(self, wanted: Wanted) -> list[IncidentRow]:
        """Incidents with a number, newest first."""
        c = s.incidents.c
        query = _rows().order_by(c.id.desc()).limit(wanted.limit).where(c.opened_at.is_not(None))
        if wanted.states is not None:
            query = query.where(c.state.in_([state.value for state in wanted.states]))
        if wanted.severity is not None:
            query = query.where(c.severity == wanted.severity)
        if wanted.team is not None:
            query = query.where(c.team == wanted.team)
        if wanted.before is not None:
            query = query.where(c.id < wanted.before)
        return [_incident_row(row) for row in self.connection.execute(query)]

    def board(self, limit: int) -> list[IncidentRow]:
        """What needs people, gravest first: everything not closed, and what was closed while it fires.

        What is folded is its parent's matter.
        """
        c = s.incidents.c
        own = c.parent.is_(None)
        live = _rows().where(own, c.state.in_(["open", "acknowledged", "verifying", "resolved"]))
        left = _rows().where(own, c.state == "closed", c.firing > 0, c.opened_at.is_not(None))
        rows = [_incident_row(r) for r in self.connection.execute(live.order_by(c.severity, c.id.desc()).limit(limit))]
        rows += [_incident_row(r) for r in self.connection.execute(left.order_by(c.id.desc()).limit(limit))]
        return rows

    def pending(self, limit: int) -> list[Incident]:
        """What is held back, next to open first."""
        query = select(*_incident).where(s.incidents.c.state == "pending").order_by(s.incidents.c.pending_until)
        return [s.INCIDENT.decode(tuple(row)) for row in self.connection.execute(query.limit(limit))]

    def incident(self, incident_id: int) -> IncidentRow | None:
        row = self.connection.execute(_rows().where(s.incidents.c.id == incident_id)).first()
        return None if row is None else _incident_row(row)

    def folded(self, incident_id: int, limit: int) -> tuple[list[IncidentRow], int]:
        """What is folded into an incident, newest first, and how many there are in all."""
        mine = s.incidents.c.parent == incident_id
        rows = self.connection.execute(_rows().where(mine).order_by(s.incidents.c.id.desc()).limit(limit)).all()
        found = [_incident_row(row) for row in rows]
        if len(found) < limit:
            return found, len(found)
        return found, self.connection.execute(select(func.count()).where(mine)).scalar_one()

    def episodes(self, incident_id: int, *, firing: bool, limit: int) -> list[Episode]:
        """Episodes of an incident: those that go on, oldest first, or else those that ended, newest first."""
        c = s.episodes.c
        query = select(*_episode).where(c.incident_id == incident_id).limit(limit)
        if firing:
            query = query.where(c.ended_at.is_(None)).order_by(c.id)
        else:
            query = query.where(c.ended_at.is_not(None)).order_by(c.ended_at.desc(), c.id.desc())
        return [s.EPISODE.decode(tuple(row)) for row in self.connection.execute(query)]

    def timeline(self, incident_id: int, limit: int) -> list[TimelineEntry]:
        """The newest entries of the timeline, in the order in which they happened."""
        c = s.timeline.c
        query = select(*(c[n] for n in s.ENTRY.names)).where(c.incident_id == incident_id).order_by(c.id.desc())
        return [s.ENTRY.decode(tuple(row)) for row in self.connection.execute(query.limit(limit))][::-1]

    def news(self, after: int) -> list[tuple[int, TimelineEntry]]:
        """Timeline entries of all incidents that were written after the one with this row id, oldest first."""
        c = s.timeline.c
        query = select(c.id, *(c[n] for n in s.ENTRY.names)).where(c.id > after).order_by(c.id).limit(1_000)
        return [(row[0], s.ENTRY.decode(tuple(row)[1:])) for row in self.connection.execute(query)]

    def incidents_of(self, fingerprints: Iterable[str]) -> dict[str, int]:
        """The incident that the newest episode of each of these alerts belongs to, by fingerprint."""
        c = s.episodes.c
        query = select(c.fingerprint, c.incident_id).where(c.fingerprint.in_(list(fingerprints)), c.last == 1)
        return {row[0]: row[1] for row in self.connection.execute(query)}

    def deadlines(self, incident_id: int) -> list[Deadline]:
        c = s.deadlines.c
        query = select(*(c[n] for n in s.DEADLINE.names)).where(c.incident_id == incident_id).order_by(c.due_at)
        return [s.DEADLINE.decode(tuple(row)) for row in self.connection.execute(query)]

    def due(self, now: datetime, limit: int) -> list[Deadline]:
        """Deadlines that have passed, in the order in which they were due."""
        c = s.deadlines.c
        query = select(*(c[n] for n in s.DEADLINE.names)).where(c.due_at <= to_us(now)).order_by(c.due_at, c.kind)
        return [s.DEADLINE.decode(tuple(row)) for row in self.connection.execute(query.limit(limit))]

    def next_due(self) -> Deadline | None:
        c = s.deadlines.c
        row = self.connection.execute(select(*(c[n] for n in s.DEADLINE.names)).order_by(c.due_at).limit(1)).first()
        return None if row is None else s.DEADLINE.decode(tuple(row))

    def records(self, *, fates: tuple[Fate, ...], limit: int) -> list[AlertRecord]:
        """The newest recorded alerts with one of these fates."""
        c = s.alert_records.c
        query = select(*(c[n] for n in s.RECORD.names)).where(c.fate.in_([f.value for f in fates]))
        rows = self.connection.execute(query.order_by(c.id.desc()).limit(limit))
        return [s.RECORD.decode(tuple(row)) for row in rows]

    def newest(self, limit: int) -> Iterator[AlertRecord]:
        """The newest recorded alerts that could be read, newest first, a few at a time in memory."""
        c = s.alert_records.c
        query = select(*(c[n] for n in s.RECORD.names)).where(c.fate.not_in([Fate.REJECTED.value, Fate.FAILED.value]))
        rows = self.connection.execution_options(yield_per=1_000).execute(query.order_by(c.id.desc()).limit(limit))
        return (s.RECORD.decode(tuple(row)) for row in rows)

    def known(self, rule_set: str) -> Iterator[tuple[str, bytes]]:
        """Fingerprint and digest of every alert whose episode goes on and that these rules have judged."""
        c, v = s.episodes.c, s.verdicts.c
        rows = self.connection.execution_options(yield_per=5_000).execute(
            select(c.fingerprint, c.digest)
            .join(s.verdicts, v.id == c.verdict)
            .where(c.ended_at.is_(None), c.last == 1, v.rule_set == rule_set)
        )
        for fingerprint, digest in rows:
            yield fingerprint, bytes(digest)

    def policy_files(self, digest: str) -> dict[str, str] | None:
        """The texts of a frozen policy."""
        found = self.connection.execute(select(s.policies.c.files).where(s.policies.c.hash == digest)).scalar()
        return None if found is None else json.loads(found)

    def totals(self) -> list[Counted]:
        return totals.read(self.connection)

    def gauges(self, now: datetime) -> Gauges:
        """Counts over what is unfinished; none of them reads closed incidents or history."""
        c, d = s.incidents.c, s.deadlines.c
        run = self.connection.execute
        unfinished = [state.value for state in State if state is not State.CLOSED and state is not State.PENDING]
        opened = run(
            select(c.severity, c.team, c.state, func.count())
            .where(c.state.in_(unfinished), c.parent.is_(None))
            .group_by(c.severity, c.team, c.state)
        )
        firing = run(
            select(c.severity, c.team, func.count())
            .where(c.state == "closed", c.firing > 0, c.closed_by_kind == "person", c.parent.is_(None))
            .group_by(c.severity, c.team)
        )
        at_risk: dict[tuple[str, str, str], int] = {}
        breached: dict[tuple[str, str, str], int] = {}
        next_due: dict[tuple[str, str, str], int] = {}
        working = and_(c.state.in_(["open", "acknowledged"]), c.parent.is_(None))
        for objective in ("response", "resolution"):
            outcome, risk = c[f"{objective}_outcome"], c[f"{objective}_at_risk"]
            group = (c.severity, c.team)
            for target, where in ((at_risk, (risk == 1, outcome.is_(None))), (breached, (outcome == "breached",))):
                rows = run(select(*group, func.count()).where(working, *where).group_by(*group))
                target.update({(sev, objective, team): n for sev, team, n in rows})
            # What stands, not what is written on the incident: while it is paused nothing is due.
            stands = s.incidents.join(s.deadlines, and_(d.incident_id == c.id, d.kind == objective))
            rows = run(select(*group, func.min(d.due_at)).select_from(stands).where(working).group_by(*group))
            next_due.update({(sev, objective, team): at for sev, team, at in rows if at is not None})
        p, m = s.publications.c, s.comments.c
        pending, oldest = run(select(func.count(), func.min(p.wanted_at)).where(p.wanted != p.done)).one()
        more, oldest_comment = run(select(func.count(), func.min(m.created_at)).where(m.done_at.is_(None))).one()
        overdue = run(
            select(func.count()).select_from(s.deadlines).where(s.deadlines.c.due_at < to_us(now) - 60_000_000)
        )
        return Gauges(
            open={(sev, team, state): n for sev, team, state, n in opened},
            closed_firing={(sev, team): n for sev, team, n in firing},
            at_risk=at_risk,
            breached_open=breached,
            next_deadline=next_due,
            pending=pending + more,
            oldest_pending=min((at for at in (oldest, oldest_comment) if at is not None), default=None),
            overdue=overdue.scalar_one(),
        )


def _rows() -> Select[tuple[object, ...]]:
    joined = s.incidents.outerjoin(s.publications, s.publications.c.incident_id == s.incidents.c.id)
    joined = joined.outerjoin(s.unheard, s.unheard.c.incident_id == s.incidents.c.id)
    return select(*_incident, *_where_published, *_not_heard_of).select_from(joined)


def _incident_row(row: Row[tuple[object, ...]]) -> IncidentRow:
    values = tuple(row)
    backend, repository, number, url, failure, gone, since_at, every_seconds = values[len(_incident) :]
    address = None
    failed = f"its issue {url} was deleted" if gone else str(failure or "")
    if number is not None and not gone:
        address = Address(backend=str(backend), repository=str(repository), number=int(str(number)), url=str(url))
    incident = s.INCIDENT.decode(values[: len(_incident)])
    unheard = None
    if since_at is not None and incident.state.working and incident.firing:
        unheard = s.UNHEARD.decode((incident.id, since_at, every_seconds))
    return IncidentRow(incident=incident, address=address, failure=failed, unheard=unheard)
