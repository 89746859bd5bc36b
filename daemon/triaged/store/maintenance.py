"""The table of maintenance windows that were asked for while the daemon ran, and what they hold back."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, select, text, update

from triaged.core.maintenance import Plan
from triaged.store import schema as s
from triaged.store.codec import to_us

_plan = [s.windows.c[name] for name in s.PLAN.names]


def unfinished(connection: Connection, now: datetime) -> list[Plan]:
    """The windows that are not over, in the order in which they were asked for."""
    c = s.windows.c
    rows = connection.execute(select(*_plan).where(c.ends_at > to_us(now)).order_by(c.number))
    return [s.PLAN.decode(tuple(row)) for row in rows]


def newest(connection: Connection, limit: int) -> list[Plan]:
    """The windows that begin last, first."""
    c = s.windows.c
    rows = connection.execute(select(*_plan).order_by(c.begins_at.desc(), c.number.desc()).limit(limit))
    return [s.PLAN.decode(tuple(row)) for row in rows]


def within(connection: Connection, since: datetime, until: datetime, limit: int) -> list[Plan]:
    """The windows that were running at some instant of a span, in the order in which they began; the first of them."""
    c = s.windows.c
    query = select(*_plan).where(c.begins_at < to_us(until), c.ends_at > to_us(since), c.ends_at > c.begins_at)
    rows = connection.execute(query.order_by(c.begins_at, c.number).limit(limit))
    return [s.PLAN.decode(tuple(row)) for row in rows]


def find(connection: Connection, name: str) -> Plan | None:
    """The newest window of that name, or the one with that id (`MW-7`)."""
    c = s.windows.c
    number = name.removeprefix("MW-")
    is_it = c.number == int(number) if name != number and number.isdecimal() else c.name == name
    row = connection.execute(select(*_plan).where(is_it).order_by(c.number.desc()).limit(1)).first()
    return None if row is None else s.PLAN.decode(tuple(row))


def keep(connection: Connection, plan: Plan) -> int:
    """Store a window, a new one (its number is 0) or another form of one that is there; its number."""
    values = dict(zip(s.PLAN.names, s.PLAN.encode(plan), strict=True))
    number = values.pop("number")
    if number:
        connection.execute(update(s.windows).where(s.windows.c.number == number).values(values))
        return int(number)
    made = connection.execute(s.windows.insert().values(values)).inserted_primary_key
    return int(made[0]) if made else 0


def held(connection: Connection, after: int, most: int) -> list[int]:
    """The incidents that maintenance holds back, in their order; the first `most` above `after`."""
    held_back = text("state = 'pending' AND held_until IS NOT NULL")
    query = select(s.incidents.c.id).where(held_back, s.incidents.c.id > after)
    return list(connection.execute(query.order_by(s.incidents.c.id).limit(most)).scalars())


def forget(connection: Connection, before: datetime) -> int:
    """Delete the windows that were over before an instant; how many."""
    return connection.execute(delete(s.windows).where(s.windows.c.ends_at < to_us(before))).rowcount
