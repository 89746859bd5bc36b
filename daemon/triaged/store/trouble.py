"""What of the stored work is stuck: deadlines that did not act, issues that the backend does not take."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, func, select

from triaged.core import wording
from triaged.store import schema as s
from triaged.store.codec import from_us, to_us

LATE_AFTER: Final = timedelta(minutes=1)
STUCK_AFTER: Final = timedelta(minutes=10)


def trouble(connection: Connection, now: datetime) -> str:
    """What is stuck, in words; "" where all is well. What only waits for its turn is not stuck."""
    d, p, m = s.deadlines.c, s.publications.c, s.comments.c
    late = connection.execute(
        select(func.count()).select_from(s.deadlines).where(d.due_at < to_us(now - LATE_AFTER))
    ).scalar_one()
    if late:
        return f"{wording.count(late, 'deadline')} passed and did not act"
    failing = (
        select(func.min(p.wanted_at)).where(p.wanted != p.done, p.attempts > 0),
        select(func.min(m.created_at)).where(m.done_at.is_(None), m.attempts > 0),
    )
    found = [at for query in failing if (at := connection.execute(query).scalar()) is not None]
    if found and now - (oldest := from_us(min(found))) > STUCK_AFTER:
        return f"what has waited for the backend for {wording.span(now - oldest)} fails"
    return ""
