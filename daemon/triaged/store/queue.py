"""The queue to the backend: claims as leases, results fenced by the claim they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from msgspec.structs import replace
from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    union_all,
    update,
)

from triaged.core.model import DAEMON, Entry, TimelineEntry
from triaged.ports.backend import Address, Issue, Kind
from triaged.ports.store import UNSURE, PendingComment, Publication, Waiting, Write
from triaged.store import schema as s
from triaged.store.codec import from_us, to_json, to_us

Row = TypeVar("Row", Publication, PendingComment)

# What another backend publishes anew: its number, the incident whose timeline tells of it, and its kind.
_UNFINISHED: Final = (
    select(
        s.incidents.c.id.label("number"), s.incidents.c.id.label("told"), literal_column("'INC'").label("kind")
    ).where(s.incidents.c.state != "closed"),
    select(s.reviews.c.number, s.reviews.c.incident_id, literal_column("'REV'")).where(s.reviews.c.state == "open"),
    select(s.problems.c.id, s.problems.c.id, literal_column("'PRB'")).where(s.problems.c.state == "open"),
)


# A row of an issue that is to be made anew, as though there had never been one.
ANEW: Final[Mapping[str, Any]] = {
    "created": 0,
    "operation": "",
    "intended_at": None,
    "number": None,
    "repository": "",
    "url": "",
    "digest": "",
    "block": "",
    "labels": to_json(()),
    "doubtful_at": None,
    "closed": 0,
    "attempts": 0,
    "searches": 0,
    "failure": "",
    "assigned": to_json(()),
    "gone": 0,
    "adopted": 0,
}


def _free(claimed_until: Any, now: Any) -> Any:
    return or_(claimed_until.is_(None), claimed_until < now)


# Asked after each commit that wants something: built anew each time, a look costs three times as much.
_P, _C = s.publications.c, s.comments.c
_NOW: Final[ColumnElement[Any]] = bindparam("now")
_FIRST_PUBLICATION: Final = (
    select(_P.rank, _P.incident_id)
    .where(_P.wanted != _P.done, _P.due_at <= _NOW, _P.created == bindparam("created"), _free(_P.claimed_until, _NOW))
    .order_by(_P.rank, _P.due_at)
    .limit(1)
)
_FIRST_COMMENT: Final = (
    select(_C.rank, _C.id)
    .join(s.publications, _P.incident_id == _C.incident_id)
    .where(_C.done_at.is_(None), _C.due_at <= _NOW, _free(_C.claimed_until, _NOW), _P.created == 1)
    # Of an issue that was deleted what waits for it decides first: it may be made anew.
    .where(or_(_P.gone == 0, _P.wanted == _P.done))
    .order_by(_C.rank, _C.id)
    .limit(1)
)
_NEXT_PUBLICATION: Final = select(func.min(_P.due_at)).where(_P.wanted != _P.done, _P.due_at > _NOW)
_NEXT_COMMENT: Final = select(func.min(_C.due_at)).where(_C.done_at.is_(None), _C.due_at > _NOW)

_CREATED: Final = (
    union_all(
        *(select(c.intended_at).where(c.intended_at > bindparam("since"), c.intended_at <= _NOW) for c in (_P, _C))
    )
    .order_by(literal_column("1").desc())
    .limit(bindparam("most"))
)

# Outlives the longest call: a claim that ends while its call runs would let a second worker do it again.
LEASE = timedelta(minutes=2)
MOST_CREATIONS: Final = 500


def front(connection: Connection, now: datetime) -> list[Waiting]:
    """What may be written now, one of each sort, gravest first and creates before updates before comments."""
    us = to_us(now)
    found = []
    for kind, created in ((Write.CREATE, 0), (Write.UPDATE, 1)):
        row = connection.execute(_FIRST_PUBLICATION, {"now": us, "created": created}).first()
        if row is not None:
            found.append(Waiting(write=kind, rank=row[0], id=row[1]))
    row = connection.execute(_FIRST_COMMENT, {"now": us}).first()
    if row is not None:
        found.append(Waiting(write=Write.COMMENT, rank=row[0], id=row[1]))
    order = list(Write)
    return sorted(found, key=lambda waiting: (waiting.rank, order.index(waiting.write)))


def creations(connection: Connection, now: datetime, within: timedelta) -> list[datetime]:
    """When issues and comments were sent to be created within that time, also where nobody learnt what became of it.

    By anybody who works on this store: the newest MOST_CREATIONS.
    """
    bounds = {"since": to_us(now - within), "now": to_us(now), "most": MOST_CREATIONS}
    return [from_us(at) for at in connection.execute(_CREATED, bounds).scalars()]


def claim_publication(connection: Connection, incident_id: int, operation: str, now: datetime) -> Publication | None:
    """Take the issue for LEASE, and commit before anything is sent what may be sent; None: somebody was faster.

    `operation` becomes the marker of a first create. The row comes back as it was, but for claim and marker: where
    `intended_at` is set a create may have been sent before, and must be looked for.
    """
    p = s.publications.c
    query = (
        select(*(p[n] for n in s.PUBLICATION.names))
        .where(p.incident_id == incident_id, p.wanted != p.done, _free(p.claimed_until, to_us(now)))
        .with_for_update(skip_locked=True)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    found = s.PUBLICATION.decode(tuple(row))
    return _claim(connection, s.publications, found, p.incident_id == incident_id, operation, now)


def claim_comment(
    connection: Connection, comment_id: int, operation: str, now: datetime
) -> tuple[PendingComment, Publication] | None:
    """Take the comment likewise, with the issue that it goes to."""
    c = s.comments.c
    query = (
        select(*(c[n] for n in s.COMMENT.names))
        .where(c.id == comment_id, c.done_at.is_(None), _free(c.claimed_until, to_us(now)))
        .with_for_update(skip_locked=True)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    found = s.COMMENT.decode(tuple(row))
    publication = publication_of(connection, found.incident_id)
    claimed = _claim(connection, s.comments, found, c.id == comment_id, operation, now)
    return None if publication is None else (claimed, publication)


def keep_sent(connection: Connection, claimed: Publication, issue: Issue) -> None:
    """Remember what a create is sent with and where to: there it is looked for after a crash, with these labels."""
    of = s.publications.c.incident_id == claimed.incident_id
    sent = {"labels": to_json(issue.labels), "assigned": to_json(issue.assignees), "repository": issue.repository}
    connection.execute(update(s.publications).where(of).values(**sent))


def adopt(connection: Connection, adopted: Mapping[int, Address], now: datetime) -> None:
    """The issues there, which people opened, are those of the incidents; nothing waits to be written to them yet."""
    for incident_id, address in sorted(adopted.items()):
        row = Publication(
            incident_id=incident_id,
            rank=0,
            wanted=0,
            wanted_at=now,
            due_at=now,
            created=True,
            backend=address.backend,
            repository=address.repository,
            number=address.number,
            url=address.url,
            adopted=True,
        )
        cells = dict(zip(s.PUBLICATION.names, s.PUBLICATION.encode(row), strict=True))
        connection.execute(s.publications.insert().values(cells))


def publication_of(connection: Connection, incident_id: int) -> Publication | None:
    p = s.publications.c
    row = connection.execute(select(*(p[n] for n in s.PUBLICATION.names)).where(p.incident_id == incident_id)).first()
    return None if row is None else s.PUBLICATION.decode(tuple(row))


def record_publication(connection: Connection, claimed: Publication, changes: Mapping[str, Any]) -> bool:
    """Write a result down and let the claim go, unless the claim has passed to somebody else; whether it was ours.

    What became urgent since the claim stays due at once, except after a failure.
    """
    p, new = s.publications.c, dict(changes)
    if "due_at" in new and not new.get("attempts"):
        new["due_at"] = case((p.due_at == p.claimed_until, new["due_at"]), else_=p.due_at)
    return _record(connection, s.publications, claimed.claimed_until, p.incident_id == claimed.incident_id, new)


def leave_out(connection: Connection, claimed: PendingComment, why: str, now: datetime) -> bool:
    """The comment is never written, and its issue shall say so; whether the claim was ours."""
    if not record_comment(connection, claimed, {"done_at": to_us(now), "failure": why}):
        return False
    want(connection, claimed.incident_id, now)
    return True


def want(connection: Connection, number: int, now: datetime, **changes: Any) -> None:
    """Have its issue made as it should be, soon; `changes` are of its row."""
    p, at = s.publications.c, to_us(now)
    # Never around a backoff.
    due_at = case((and_(p.attempts == 0, p.due_at > at), at), else_=p.due_at)
    wanted_at = case((p.wanted == p.done, at), else_=p.wanted_at)
    values = {"wanted": p.wanted + 1, "wanted_at": wanted_at, "due_at": due_at, **changes}
    connection.execute(update(s.publications).where(p.incident_id == number).values(values))


def record_comment(connection: Connection, claimed: PendingComment, changes: Mapping[str, Any]) -> bool:
    return _record(connection, s.comments, claimed.claimed_until, s.comments.c.id == claimed.id, changes)


def republish(connection: Connection, backend: str, now: datetime) -> int:
    """Have what is not over and published elsewhere published by `backend`, once; how many.

    Where each was before stands in the timeline from then on: of a review, in that of its incident.
    """
    p = s.publications.c
    unfinished = union_all(*_UNFINISHED).subquery()
    rows = connection.execute(
        select(p.incident_id, p.url, unfinished.c.told, unfinished.c.kind)
        .join(unfinished, unfinished.c.number == p.incident_id)
        .where(p.created == 1, p.backend != backend, p.gone == 0)
    ).all()
    for incident_id, url, told, kind in rows:
        entry = TimelineEntry(
            incident_id=told,
            at=now,
            entry=Entry.PUBLISHED,
            by=DAEMON.name,
            text=f"{'' if kind == Kind.INCIDENT else f'{kind}-{incident_id} '}was published at {url} before",
        )
        tell(connection, entry)
        connection.execute(
            update(s.publications)
            .where(p.incident_id == incident_id)
            .values(**ANEW, wanted=p.wanted + 1, due_at=to_us(now))
        )
    return len(rows)


def doubtful(connection: Connection, backend: str, most: int) -> list[Publication]:
    """The issues at a backend that may have a twin, oldest doubt first."""
    p = s.publications.c
    query = (
        select(*(p[n] for n in s.PUBLICATION.names))
        .where(p.doubtful_at.is_not(None), p.created == 1, p.backend == backend)
        .order_by(p.doubtful_at)
        .limit(most)
    )
    return [s.PUBLICATION.decode(tuple(row)) for row in connection.execute(query)]


def tell_of_twin(connection: Connection, publication: Publication, url: str, now: datetime) -> None:
    """Have the timeline say that a twin of the issue was closed: of a review's, that of its incident."""
    told = connection.execute(
        select(s.reviews.c.incident_id).where(s.reviews.c.number == publication.incident_id)
    ).scalar()
    entry = TimelineEntry(
        incident_id=publication.incident_id if told is None else told,
        at=now,
        entry=Entry.PUBLISHED,
        by=DAEMON.name,
        text=f"a second issue, {url}, was closed as a duplicate of {publication.url}",
    )
    tell(connection, entry)


def be_sure(connection: Connection, numbers: Iterable[int]) -> None:
    """These issues have no twin."""
    p = s.publications.c
    connection.execute(update(s.publications).where(p.incident_id.in_([*numbers])).values(doubtful_at=None))


def tell(connection: Connection, entry: TimelineEntry) -> None:
    """Write one more entry into a timeline."""
    connection.execute(s.timeline.insert().values(dict(zip(s.ENTRY.names, s.ENTRY.encode(entry), strict=True))))


def release_all(connection: Connection, changes_from: datetime | None = None) -> None:
    """Let every claim go: only for a store that no other process works on.

    An issue that was being changed may be so still, by a request that outlives its sender: it waits until then, and
    what was written last of it is not known.
    """
    p = s.publications.c
    if changes_from is not None:
        changed = (p.claimed_until == p.due_at, p.created == 1)
        at = to_us(changes_from)
        doubt = {"claimed_until": None, "due_at": at, "digest": case((p.digest == UNSURE, UNSURE), else_="")}
        connection.execute(update(s.publications).where(*changed).values(doubt))
    for table in (s.publications, s.comments, s.silences, s.messages):
        c = table.c
        due_at = case((c.due_at == c.claimed_until, literal_column("0")), else_=c.due_at)
        connection.execute(update(table).where(c.claimed_until.is_not(None)).values(claimed_until=None, due_at=due_at))


def next_due(connection: Connection, now: datetime) -> datetime | None:
    """µs UTC at which the next issue or comment falls due after `now`; None when none does."""
    due = (connection.execute(query, {"now": to_us(now)}).scalar() for query in (_NEXT_PUBLICATION, _NEXT_COMMENT))
    found = min((at for at in due if at is not None), default=None)
    return None if found is None else from_us(found)


def _claim(  # noqa: PLR0913 - one update, described once
    connection: Connection,
    table: Table,
    found: Row,
    where: ColumnElement[bool],
    operation: str,
    now: datetime,
) -> Row:
    until, marker = now + LEASE, found.operation or operation
    new: dict[str, Any] = {"claimed_until": to_us(until), "operation": marker}
    creates = isinstance(found, PendingComment) or not found.created
    if creates and found.intended_at is None:
        new["intended_at"] = to_us(now)
    if isinstance(found, Publication):
        # An urgent change meanwhile is told by another instant here: it must not wait for the next interval.
        new["due_at"] = to_us(until)
    connection.execute(update(table).where(where).values(**new))
    return replace(found, claimed_until=until, operation=marker)


def _record(
    connection: Connection, table: Table, claim: datetime | None, where: Any, changes: Mapping[str, Any]
) -> bool:
    mine = table.c.claimed_until == (None if claim is None else to_us(claim))
    done = connection.execute(update(table).where(and_(where, mine)).values(**{"claimed_until": None, **changes}))
    return done.rowcount == 1
