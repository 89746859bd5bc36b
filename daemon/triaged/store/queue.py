"""The queue to the backend: claims as leases, results fenced by the claim they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, and_, or_, select, update

from triaged.ports.store import PendingComment, Publication
from triaged.store import schema as s
from triaged.store.codec import to_us

# Outlives the longest call: a claim that ends while its call runs would let a second worker do it again.
LEASE = timedelta(minutes=2)


def claim_publication(connection: Connection, now: datetime) -> Publication | None:
    """The issue to make true next, claimed for LEASE: gravest first, creates before updates, then the oldest."""
    p = s.publications.c
    query = (
        select(*(p[n] for n in s.PUBLICATION.names))
        .where(p.wanted != p.done, p.due_at <= to_us(now), _free(p.claimed_until, now))
        .order_by(p.rank, p.created, p.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    found = s.PUBLICATION.decode(tuple(row))
    claimed: Publication = _claimed(connection, s.publications, found, p.incident_id == found.incident_id, now)
    return claimed


def claim_comment(connection: Connection, now: datetime) -> tuple[PendingComment, Publication] | None:
    """The comment to write next with the issue that it goes to; only where that issue exists."""
    c, p = s.comments.c, s.publications.c
    query = (
        select(*(c[n] for n in s.COMMENT.names))
        .join(s.publications, p.incident_id == c.incident_id)
        .where(c.done_at.is_(None), c.due_at <= to_us(now), _free(c.claimed_until, now), p.created == 1)
        .order_by(c.rank, c.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=s.comments)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    found = s.COMMENT.decode(tuple(row))
    claimed = _claimed(connection, s.comments, found, c.id == found.id, now)
    publication = publication_of(connection, found.incident_id)
    return None if publication is None else (claimed, publication)


def publication_of(connection: Connection, incident_id: int) -> Publication | None:
    p = s.publications.c
    row = connection.execute(select(*(p[n] for n in s.PUBLICATION.names)).where(p.incident_id == incident_id)).first()
    return None if row is None else s.PUBLICATION.decode(tuple(row))


def record_publication(connection: Connection, claimed: Publication, changes: Mapping[str, Any]) -> bool:
    """Write a result down and let the claim go, unless the claim has passed to somebody else; whether it was ours."""
    p = s.publications.c
    return _record(connection, s.publications, claimed.claimed_until, p.incident_id == claimed.incident_id, changes)


def record_comment(connection: Connection, claimed: PendingComment, changes: Mapping[str, Any]) -> bool:
    return _record(connection, s.comments, claimed.claimed_until, s.comments.c.id == claimed.id, changes)


def keep_intent(connection: Connection, claimed: Publication | PendingComment, operation: str, now: datetime) -> None:
    """Commit what is about to be sent, before it is sent: after a crash it is known that it may have been."""
    table, where = _row_of(claimed)
    connection.execute(update(table).where(where).values(operation=operation, intended_at=to_us(now)))


def release_all(connection: Connection) -> None:
    """Let every claim go: only for a store that no other process works on."""
    for table in (s.publications, s.comments):
        connection.execute(update(table).where(table.c.claimed_until.is_not(None)).values(claimed_until=None))


def next_due(connection: Connection) -> int | None:
    """µs UTC at which the next issue or comment may be written; None when nothing waits."""
    p, c = s.publications.c, s.comments.c
    first = connection.execute(select(p.due_at).where(p.wanted != p.done).order_by(p.due_at).limit(1)).scalar()
    second = connection.execute(select(c.due_at).where(c.done_at.is_(None)).order_by(c.due_at).limit(1)).scalar()
    return min((at for at in (first, second) if at is not None), default=None)


def _free(claimed_until: Any, now: datetime) -> Any:  # noqa: ANN401 - SQL expressions
    return or_(claimed_until.is_(None), claimed_until < to_us(now))


def _claimed(connection: Connection, table: Table, found: Any, where: Any, now: datetime) -> Any:  # noqa: ANN401
    until = now + LEASE
    connection.execute(update(table).where(where).values(claimed_until=to_us(until)))
    codec = s.PUBLICATION if table is s.publications else s.COMMENT
    values = {name: getattr(found, name) for name in codec.names}
    return codec.cls(**{**values, "claimed_until": until})


def _record(
    connection: Connection, table: Table, claim: datetime | None, where: Any, changes: Mapping[str, Any]
) -> bool:  # noqa: ANN401
    mine = table.c.claimed_until == (None if claim is None else to_us(claim))
    done = connection.execute(update(table).where(and_(where, mine)).values(claimed_until=None, **changes))
    return done.rowcount == 1


def _row_of(claimed: Publication | PendingComment) -> tuple[Table, Any]:
    if isinstance(claimed, Publication):
        return s.publications, s.publications.c.incident_id == claimed.incident_id
    return s.comments, s.comments.c.id == claimed.id
