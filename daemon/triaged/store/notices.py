"""Notices and their messages: taken up once, claims as leases, results fenced by the claim that they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, not_, or_, select, text, update

from triaged.core.model import DAEMON, Entry, Incident, State, TimelineEntry
from triaged.ports.channel import Ending, Message, PageState
from triaged.ports.store import Notice
from triaged.store import schema as s
from triaged.store.codec import from_us, to_us

# Outlives the longest delivery: a claim that ends while it runs would let a second worker send it again.
LEASE: Final = timedelta(minutes=2)
FARTHEST: Final = timedelta(minutes=10)
"""No message waits longer for its next try, whatever a service asks for; it is more than a claim and any two clocks.

What lies farther ahead was planned before the clock was put back, and holds nothing up.
"""
_n, _m = s.notices.c, s.messages.c
_notice = [_n[name] for name in s.NOTICE.names]
_message = [_m[name] for name in s.MESSAGE.names]
_NOW: Final[ColumnElement[Any]] = bindparam("now")
_HORIZON: Final[ColumnElement[Any]] = bindparam("horizon")
_HELD: Final = _m.claimed_until.between(_NOW, _HORIZON)
_FREE: Final = or_(_m.claimed_until.is_(None), not_(_HELD))
# One that was never tried waits for nothing.
_DUE: Final = or_(_m.due_at <= _NOW, _m.due_at > _HORIZON, _m.attempts == 0)
_WAITING: Final = select(*_notice).where(_n.done_at.is_(None)).order_by(_n.rank, _n.id).limit(bindparam("most"))
_FRONT: Final = (
    select(*_message)
    .where(_m.done_at.is_(None), _m.channel == bindparam("channel"), _DUE, _FREE)
    .order_by(_m.rank, _m.id)
    .limit(bindparam("most"))
)
_NEXT: Final = select(func.min(_m.due_at)).where(
    _m.done_at.is_(None), _m.channel == bindparam("channel"), _m.due_at > _NOW
)
_FLYING: Final = select(_m.incident_id, _m.name, _m.place).where(
    _m.done_at.is_(None), _m.channel == bindparam("channel"), _HELD
)
# In the words of the index: SQLite uses a partial one only where it can see that it holds.
_PAGED: Final = text("(messages.page = 'triggered' OR messages.page = 'acknowledged')")


class Paged(Struct, frozen=True, kw_only=True):
    """A paging service that was told of an incident, and what it is to be told now."""

    incident_id: int
    channel: str
    name: str
    place: int
    wanted: PageState


def waiting(connection: Connection, most: int) -> list[Notice]:
    """The gravest of those that nobody has taken up, the oldest of equals; of each incident one.

    What is said of its next one may depend on this.
    """
    found: dict[int, Notice] = {}
    for row in connection.execute(_WAITING, {"most": most}):
        notice = s.NOTICE.decode(tuple(row))
        found.setdefault(notice.incident_id, notice)
    return [*found.values()]


def take_up(connection: Connection, notice: Notice, outcome: str, now: datetime) -> bool:
    """Settle what becomes of a notice, unless another worker has; whether it was ours."""
    mine = and_(_n.id == notice.id, _n.done_at.is_(None))
    done = connection.execute(update(s.notices).where(mine).values(done_at=to_us(now), outcome=outcome))
    return done.rowcount == 1


def add(connection: Connection, messages: Iterable[Message]) -> None:
    """Keep messages to be sent; their ids are given here."""
    rows = [dict(zip(s.MESSAGE.names, s.MESSAGE.encode(one), strict=True)) for one in messages]
    for row in rows:
        del row["id"]
    if rows:
        connection.execute(s.messages.insert(), rows)


def notices(connection: Connection, ids: Iterable[int]) -> dict[int, Notice]:
    rows = connection.execute(select(*_notice).where(_n.id.in_(sorted(set(ids)))))
    found = (s.NOTICE.decode(tuple(row)) for row in rows)
    return {notice.id: notice for notice in found}


def notices_of(connection: Connection, incident_id: int) -> list[Notice]:
    """All notices of an incident, oldest first."""
    rows = connection.execute(select(*_notice).where(_n.incident_id == incident_id).order_by(_n.id))
    return [s.NOTICE.decode(tuple(row)) for row in rows]


def messages_of(connection: Connection, incident_id: int) -> list[Message]:
    """All messages of an incident, oldest first."""
    rows = connection.execute(select(*_message).where(_m.incident_id == incident_id).order_by(_m.id))
    return [s.MESSAGE.decode(tuple(row)) for row in rows]


def front(connection: Connection, channel: str, now: datetime, most: int) -> list[Message]:
    """The messages of a channel that are due and that nobody sends now, gravest first."""
    rows = connection.execute(_FRONT, {"channel": channel, "most": most, **_at(now)})
    return [s.MESSAGE.decode(tuple(row)) for row in rows]


def next_due(connection: Connection, channel: str, now: datetime) -> datetime | None:
    """When a message of that channel falls due after `now`; None: none is planned."""
    found = connection.execute(_NEXT, {"channel": channel, "now": to_us(now)}).scalar()
    return None if found is None else from_us(found)


def claim(connection: Connection, ids: Sequence[int], now: datetime) -> list[Message]:
    """Take these messages for LEASE, those that are still free, and note before anything is sent that it may be.

    One that was noted before comes back as `perhaps_twice`.
    """
    query = select(*_message).where(_m.id.in_(ids), _m.done_at.is_(None), _FREE).order_by(_m.rank, _m.id)
    found = [
        s.MESSAGE.decode(tuple(row)) for row in connection.execute(query.with_for_update(skip_locked=True), _at(now))
    ]
    until = now + LEASE
    claimed = [
        replace(
            one, claimed_until=until, intended_at=now, perhaps_twice=one.perhaps_twice or one.intended_at is not None
        )
        for one in found
    ]
    for one in claimed:
        values = {"claimed_until": to_us(until), "intended_at": to_us(now), "perhaps_twice": int(one.perhaps_twice)}
        connection.execute(update(s.messages).where(_m.id == one.id).values(**values))
    return claimed


def record(connection: Connection, claimed: Message, after: Message) -> bool:
    """Write down what became of a message and let the claim go, unless it has passed on; whether it was ours."""
    claim_until = None if claimed.claimed_until is None else to_us(claimed.claimed_until)
    cells = dict(zip(s.MESSAGE.names, s.MESSAGE.encode(after), strict=True))
    names = ("due_at", "intended_at", "perhaps_twice", "attempts", "ending", "done_at", "failure", "page")
    values = {name: cells[name] for name in names}
    mine = and_(_m.id == claimed.id, _m.claimed_until == claim_until)
    done = connection.execute(update(s.messages).where(mine).values(claimed_until=None, **values))
    return done.rowcount == 1


def messages_for(connection: Connection, notice_id: int) -> list[Message]:
    """All messages of a notice, in their order."""
    rows = connection.execute(select(*_message).where(_m.notice_id == notice_id).order_by(_m.id))
    return [s.MESSAGE.decode(tuple(row)) for row in rows]


def note_told(connection: Connection, messages: Iterable[tuple[int, str]]) -> None:
    """Remember what the timeline says of messages."""
    for message_id, told in messages:
        connection.execute(update(s.messages).where(_m.id == message_id).values(told=told))


def tell(connection: Connection, incident_id: int, words: str, now: datetime) -> None:
    """One more entry in the incident's timeline."""
    entry = TimelineEntry(incident_id=incident_id, at=now, entry=Entry.NOTIFIED, by=DAEMON.name, text=words)
    connection.execute(s.timeline.insert().values(dict(zip(s.ENTRY.names, s.ENTRY.encode(entry), strict=True))))


def pages_behind(connection: Connection, channel: str, now: datetime) -> list[Paged]:
    """The paging services of a channel that show an incident otherwise than it is, each once.

    Not those to which a message is under way: what arrives after the end would begin it anew, and wake somebody.
    """
    i = s.incidents.c
    flying = {tuple(row) for row in connection.execute(_FLYING, {"channel": channel, **_at(now)})}
    query = (
        select(_m.incident_id, _m.name, _m.place, _m.page, i.state, i.parent, i.former_state)
        .join(s.incidents, i.id == _m.incident_id)
        .where(_PAGED, _m.channel == channel)
        .order_by(_m.incident_id, _m.id)
    )
    found: dict[tuple[int, str, int], Paged] = {}
    for row in connection.execute(query):
        wanted = _wanted(row)
        key = (row.incident_id, row.name, row.place)
        if wanted is not None and wanted.value != row.page and key not in flying:
            found[key] = Paged(
                incident_id=row.incident_id, channel=channel, name=row.name, place=row.place, wanted=wanted
            )
    return list(found.values())


def _wanted(row: Any) -> PageState | None:
    """What the service is to show; None: as it does. One that is folded is its parent's matter."""
    if row.state in (State.RESOLVED, State.CLOSED) or row.parent is not None:
        return PageState.RESOLVED
    acknowledged = State.ACKNOWLEDGED in (row.state, row.former_state if row.state == State.VERIFYING else None)
    return PageState.ACKNOWLEDGED if acknowledged else None


def page_shows(connection: Connection, paged: Paged) -> None:
    """Remember what a paging service shows of an incident now."""
    same = and_(
        _m.incident_id == paged.incident_id,
        _m.channel == paged.channel,
        _m.name == paged.name,
        _m.place == paged.place,
        _PAGED,
    )
    connection.execute(update(s.messages).where(same).values(page=paged.wanted.value))


def _at(now: datetime) -> dict[str, int]:
    """What the conditions on time ask for."""
    return {"now": to_us(now), "horizon": to_us(now + FARTHEST)}


def is_over(incident: Incident) -> bool:
    return incident.state in (State.RESOLVED, State.CLOSED)


def ended(message: Message, ending: Ending, now: datetime, **changes: Any) -> Message:
    """The message at its end."""
    return replace(message, ending=ending, done_at=now, intended_at=None, **changes)
