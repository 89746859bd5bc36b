"""Issues that people deleted where they stood: nothing of them waits any more, until a new round makes another one."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select, update

from triaged.core import commenting
from triaged.core.model import DAEMON, Entry, TimelineEntry
from triaged.ports.backend import Issue, Kind
from triaged.ports.store import Publication
from triaged.store import queue
from triaged.store import schema as s
from triaged.store.codec import to_us

_P: Final = s.publications.c
_C: Final = s.comments.c


def bury(connection: Connection, publication: Publication, issue: Issue, now: datetime) -> bool:
    """The issue is gone; whether that was not known yet. Its timeline says so, once.

    It was gone before this round began where that is what the issue was to be opened for: then it is made anew.
    """
    reopens = publication.closed and not issue.closed and issue.round > 1
    same = (_P.incident_id == publication.incident_id, _P.number == publication.number, _P.gone == 0)
    values: dict[str, Any] = {"gone": issue.round - reopens, "attempts": 0, "searches": 0, "failure": ""}
    waits = {"wanted": _P.wanted + 1, "due_at": to_us(now)} if reopens else {"done": _P.wanted}
    ended = {**values, **waits, "doubtful_at": None, "claimed_until": None}
    if connection.execute(update(s.publications).where(*same).values(ended)).rowcount == 0:
        return False
    again = "a reopening makes another one" if issue.kind is Kind.INCIDENT else "it does not come back"
    _tell(connection, publication, issue.kind, f"{_whose(publication, issue.kind)} was deleted: {again}", now)
    if not reopens:
        _give_up(connection, publication.incident_id, now)
    return True


def rest(connection: Connection, publication: Publication, now: datetime) -> None:
    """What was wanted of an issue that is gone is wanted no more, and neither are its comments."""
    queue.record_publication(connection, publication, {"done": publication.wanted, "due_at": to_us(now)})
    _give_up(connection, publication.incident_id, now)


def replace(connection: Connection, publication: Publication, kind: Kind, now: datetime) -> None:
    """In a new round it is published anew, once, by whom the claim is of; the timeline says in place of what."""
    if queue.record_publication(connection, publication, {**queue.ANEW, "due_at": to_us(now)}):
        _tell(connection, publication, kind, f"{_whose(publication, kind)} is replaced by another one", now)
        full = (_C.incident_id == publication.incident_id, _C.failure == commenting.FULL, _C.done_at.is_not(None))
        # That was said of the former one.
        connection.execute(update(s.comments).where(*full).values(failure=commenting.GONE))


def _give_up(connection: Connection, number: int, now: datetime) -> None:
    waiting = (_C.incident_id == number, _C.done_at.is_(None))
    values: dict[str, Any] = {"done_at": to_us(now), "failure": commenting.GONE, "claimed_until": None}
    connection.execute(update(s.comments).where(*waiting).values(values))


def _whose(publication: Publication, kind: Kind) -> str:
    name = "its issue" if kind is Kind.INCIDENT else f"the issue of {kind}-{publication.incident_id}"
    return f"{name} {publication.url}"


def _tell(connection: Connection, publication: Publication, kind: Kind, text: str, now: datetime) -> None:
    """In its own timeline; of a review, in that of its incident."""
    told = publication.incident_id
    if kind is Kind.REVIEW:
        of = select(s.reviews.c.incident_id).where(s.reviews.c.number == publication.incident_id)
        told = connection.execute(of).scalar() or told
    entry = TimelineEntry(incident_id=told, at=now, entry=Entry.PUBLISHED, by=DAEMON.name, text=text)
    queue.tell(connection, entry)
