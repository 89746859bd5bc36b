"""The comments of an issue as rows: queued or left out when they are decided, and how many of each there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, and_, func, or_, select

from triaged.core import commenting
from triaged.core.commenting import Said, Unsaid
from triaged.core.effects import Comment
from triaged.core.model import Severity
from triaged.ports.store import PendingComment
from triaged.store import schema as s
from triaged.store.codec import to_us

_C: Final = s.comments.c
UNSAID: Final = and_(_C.done_at.is_not(None), _C.failure != "")
"""Neither written nor to be: its failure says why."""
_OWN: Final = _C.kind.in_([kind.value for kind in commenting.OWN])


def queued(
    connection: Connection, comments: Iterable[tuple[Comment, Severity]], now: datetime
) -> Sequence[tuple[Any, ...]]:
    """The rows of what was just decided, but for their ids; what is left out is done.

    Decided here and nowhere else, in the transaction of the decision itself, so that no restart decides it again.
    """
    asked = [*comments]
    said = _said(connection, {comment.incident_id for comment, _ in asked}, now)
    rows = []
    for comment, severity in asked:
        so_far = said.get(comment.incident_id, Said())
        # A reaction is no comment: it notifies nobody.
        why = "" if comment.reaction else commenting.left_out(comment.kind, severity, so_far)
        if not why and not comment.reaction:
            said[comment.incident_id] = so_far.and_one(comment.kind)
        pending = PendingComment(
            id=0,
            incident_id=comment.incident_id,
            kind=comment.kind,
            key=comment.key,
            text=comment.text,
            rank=severity.rank,
            created_at=now,
            due_at=now,
            done_at=now if why else None,
            failure=why,
            reaction=comment.reaction,
            calls=comment.calls,
            to_comment=comment.to_comment,
        )
        rows.append(s.COMMENT.encode(pending)[1:])
    return rows


def unsaid(connection: Connection, incident_id: int) -> Unsaid:
    """What of an incident's comments is not on its issue, and why."""
    mine = _C.incident_id == incident_id
    rows = connection.execute(select(_C.failure, func.count().label("many")).where(mine, UNSAID).group_by(_C.failure))
    found = {row.failure: row.many for row in rows}
    failing = select(_C.failure).where(mine, _C.done_at.is_(None), _C.failure != "").order_by(_C.id).limit(1)
    return Unsaid(
        count=sum(found.values()),
        full=commenting.FULL in found,
        failure=connection.execute(failing).scalar() or "",
    )


def _said(connection: Connection, incident_ids: Iterable[int], now: datetime) -> dict[int, Said]:
    lately = and_(_OWN, _C.created_at > to_us(now - commenting.HOUR))
    counted = and_(or_(_C.done_at.is_(None), _C.failure == ""), _C.reaction == "")
    query = (
        select(
            _C.incident_id,
            func.count().filter(counted, lately),
            func.count().filter(counted, _OWN),
            func.count().filter(counted, ~_OWN),
            func.count().filter(UNSAID, _C.failure == commenting.FULL),
        )
        .where(_C.incident_id.in_([*incident_ids]))
        .group_by(_C.incident_id)
    )
    return {
        incident_id: Said(lately=hour, own=own, of_people=people, full=full > 0)
        for incident_id, hour, own, people, full in connection.execute(query)
    }
