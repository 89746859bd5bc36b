"""Reviews and action items as rows: written with the incident that they stand on, for metrics and calendars."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from msgspec.structs import replace
from sqlalchemy import Connection, and_, func, or_, select, tuple_

from triaged.core.downtime import CATEGORIES, Down
from triaged.core.model import CloseReason, Entry, Incident, ReviewOutcome, State
from triaged.ports.reviews import ActionRow, Dated, ReviewRow
from triaged.store import schema as s
from triaged.store.codec import from_us, to_us

_R, _A, _I = s.reviews.c, s.action_items.c, s.incidents.c
_MOST_DOWN: Final = 1_000
_LONGEST_US: Final = timedelta(days=30) // timedelta(microseconds=1)
"""How long an incident is taken to last at most: by its opening there is an index."""
Row = TypeVar("Row", ReviewRow, ActionRow)
_review = [_R[name] for name in s.REVIEW.names]
_action = [_A[name] for name in s.ACTION_ITEM.names]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many there are, by team."""

    open: dict[str, int]
    overdue: dict[str, int]
    actions: dict[str, int]


def save(connection: Connection, incidents: Iterable[Incident], now: datetime) -> None:
    """Write the rows of these incidents; one that is as it was stays as it is, with the instant of its last change."""
    there = list(incidents)
    ids = [incident.id for incident in there]
    reviews = {
        row.number: row for row in map(_as_review, connection.execute(select(*_review).where(_R.incident_id.in_(ids))))
    }
    items = {
        (row.incident_id, row.id): row
        for row in map(_as_action, connection.execute(select(*_action).where(_A.incident_id.in_(ids))))
    }
    for incident in sorted(there, key=lambda one: one.id):
        for review in _review_of(incident, now):
            known = reviews.get(review.number)
            if known is None:
                connection.execute(s.reviews.insert().values(_values(s.REVIEW.names, s.REVIEW.encode(review))))
            elif (changed := _changed(known, review)) is not None:
                cells = _values(s.REVIEW.names, s.REVIEW.encode(changed))
                connection.execute(s.reviews.update().where(_R.number == review.number).values(cells))
        for item in _actions_of(incident, now):
            before = items.get((item.incident_id, item.id))
            if before is None:
                cells = _values(s.ACTION_ITEM.names, s.ACTION_ITEM.encode(item))
                connection.execute(s.action_items.insert().values(cells))
            elif (later := _changed(before, item)) is not None:
                cells = _values(s.ACTION_ITEM.names, s.ACTION_ITEM.encode(later))
                of = tuple_(_A.incident_id, _A.id) == (item.incident_id, item.id)
                connection.execute(s.action_items.update().where(of).values(cells))


def incident_of(connection: Connection, number: int) -> int | None:
    """The incident whose review has this number."""
    found: int | None = connection.execute(select(_R.incident_id).where(_R.number == number)).scalar()
    return found


def dated_reviews(connection: Connection, limit: int) -> list[Dated]:
    """The reviews of incidents that everybody may know of, the ones that are due last first."""
    query = select(_I.title, *_review).join(s.incidents, _I.id == _R.incident_id).where(_I.restricted == 0)
    rows = connection.execute(query.order_by(_R.due_at.desc(), _R.number.desc()).limit(limit))
    return [Dated(title=row[0], row=_as_review(tuple(row)[1:])) for row in rows]


def dated_actions(connection: Connection, limit: int) -> list[Dated]:
    """Likewise the action items that are due at an instant."""
    query = select(_I.title, *_action).join(s.incidents, _I.id == _A.incident_id).where(_I.restricted == 0)
    rows = connection.execute(
        query.where(_A.due_at.is_not(None)).order_by(_A.due_at.desc(), _A.incident_id, _A.id).limit(limit)
    )
    return [Dated(title=row[0], row=_as_action(tuple(row)[1:])) for row in rows]


def counts(connection: Connection, now: datetime) -> Counts:
    """What is to be held and to be done; reads no more than that."""
    is_open = _R.state == ReviewOutcome.OPEN.value
    run = connection.execute
    return Counts(
        open=dict(_pairs(run(select(_R.team, func.count()).where(is_open).group_by(_R.team)))),
        overdue=dict(
            _pairs(run(select(_R.team, func.count()).where(is_open, _R.due_at < to_us(now)).group_by(_R.team)))
        ),
        actions=dict(_pairs(run(select(_A.team, func.count()).where(_A.done_at.is_(None)).group_by(_A.team)))),
    )


def ended_since(connection: Connection, entry: int, services: Collection[str]) -> list[str]:
    """Which of these services had an incident that was over after that entry was written."""
    t = s.timeline.c
    ended = t.entry.in_([Entry.RESOLVED.value, Entry.CLOSED.value])
    query = select(_I.service).distinct().join(s.timeline, t.incident_id == _I.id).where(t.id > entry, ended)
    return [service for (service,) in connection.execute(query) if service in services]


def down(connection: Connection, service: str, since: datetime) -> list[Down]:
    """The incidents while which a service was down after an instant, which are over; at most a thousand."""
    ended_at = func.coalesce(_I.restored_at, _I.closed_at)
    completed = and_(_I.state == State.CLOSED.value, _I.close_reason == CloseReason.COMPLETED.value)
    query = (
        select(ended_at, _R.state, *(_I[name] for name in s.INCIDENT.names))
        .outerjoin(s.reviews, _R.incident_id == _I.id)
        .where(_I.service == service, _I.category.in_([one.value for one in CATEGORIES]), _I.parent.is_(None))
        .where(_I.opened_at >= to_us(since) - _LONGEST_US, ended_at > to_us(since))
        .where(or_(completed, _I.state == State.RESOLVED.value))
        .order_by(_I.id.desc())
        .limit(_MOST_DOWN)
    )
    return [
        Down(
            incident_id=incident.id,
            began_at=incident.began_at,
            ended_at=from_us(ended),
            reviewed=state is not None and state != ReviewOutcome.WITHDRAWN.value,
        )
        for ended, state, incident in (
            (row[0], row[1], s.INCIDENT.decode(tuple(row)[2:])) for row in connection.execute(query)
        )
    ]


def _pairs(rows: Iterable[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    return ((team, count) for team, count in rows)


def _review_of(incident: Incident, now: datetime) -> Iterator[ReviewRow]:
    review = incident.process.review
    if review is not None:
        yield ReviewRow(
            number=review.number,
            incident_id=incident.id,
            team=incident.team,
            severity=review.severity,
            opens_at=review.opens_at,
            due_at=review.due_at,
            state=review.outcome,
            changed_at=now,
        )


def _actions_of(incident: Incident, now: datetime) -> Iterator[ActionRow]:
    for item in incident.process.actions:
        yield ActionRow(
            incident_id=incident.id,
            id=item.id,
            team=incident.team,
            kind=item.kind,
            owner=item.owner,
            text=item.text,
            due_at=item.due_at,
            done_at=item.done_at,
            changed_at=now,
        )


def _changed(before: Row, after: Row) -> Row | None:
    """The row as it is to be written; None where nothing of it changed."""
    if replace(after, changes=before.changes, changed_at=before.changed_at) == before:
        return None
    return replace(after, changes=before.changes + 1)


def _values(names: Iterable[str], cells: Iterable[object]) -> dict[str, object]:
    return dict(zip(names, cells, strict=True))


def _as_review(row: Iterable[object]) -> ReviewRow:
    return s.REVIEW.decode(tuple(row))


def _as_action(row: Iterable[object]) -> ActionRow:
    return s.ACTION_ITEM.decode(tuple(row))
