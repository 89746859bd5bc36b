"""What was seen of issues, as rows: hints that one changed, and from when on each repository is listed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec.structs import replace
from sqlalchemy import Connection, delete, func, insert, select, update

from triaged.ports.backend import Address
from triaged.ports.looks import Basis, Look
from triaged.ports.store import UNSURE, Publication
from triaged.store import queue
from triaged.store import schema as s
from triaged.store.codec import from_us, to_json, to_us

MOST_REPOSITORIES: Final = 200
_FOUND_OUT_IN: Final = timedelta(seconds=5)
_L, _P, _C = s.looks.c, s.publications.c, s.comments.c
_look = [_L[name] for name in s.LOOK.names]


class Looks:
    """The writer's questions and statements, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def basis(self, number: int) -> Basis | None:
        found = queue.publication_of(self._connection, number)
        return None if found is None else basis(found)

    def of(self, number: int) -> Look | None:
        """Nobody else takes a look at it in until the end of the transaction."""
        query = select(*_look).where(_L.number == number).with_for_update()
        row = self._connection.execute(query).first()
        return None if row is None else s.LOOK.decode(tuple(row))

    def known(self, address: Address) -> bool:
        return bool(at_places(self._connection, address.repository, [address.number]))

    def keep(self, look: Look) -> None:
        former = self.of(look.number)
        if former is None:
            self._connection.execute(insert(s.looks).values(_cells(replace(look, hinted_at=None))))
            return
        again = former.hinted_at is not None and (look.hinted_at is None or former.hinted_at > look.hinted_at)
        kept = replace(look, hinted_at=former.hinted_at if again else None, due_at=former.due_at)
        self._connection.execute(update(s.looks).where(_L.number == look.number).values(_cells(kept)))

    def state(self, number: int, *, closed: bool, now: datetime) -> None:
        """What was written last is no longer what stands there: whatever it should be is written again."""
        queue.want(self._connection, number, now, closed=int(closed), digest="")


def basis(publication: Publication) -> Basis:
    """What was written last; where nobody knows what that was, whoever is to find it out is at work."""
    claimed_until = publication.claimed_until
    if publication.digest == UNSURE:
        claimed_until = max(claimed_until or publication.due_at, publication.due_at + _FOUND_OUT_IN)
    return Basis(
        closed=publication.closed,
        labels=publication.labels,
        digest=publication.digest,
        claimed_until=claimed_until,
        assigned=publication.assigned,
    )


def of(connection: Connection, numbers: Collection[int]) -> dict[int, Look]:
    """What was seen of these, by number."""
    rows = connection.execute(select(*_look).where(_L.number.in_(numbers)))
    return {look.number: look for row in rows if (look := s.LOOK.decode(tuple(row)))}


def hint(connection: Connection, numbers: Iterable[int], now: datetime) -> None:
    """Issues of these may have changed. What failed waits for its time all the same."""
    at = to_us(now)
    for number in sorted(set(numbers)):
        fresh = update(s.looks).where(_L.number == number, _L.attempts == 0).values(hinted_at=at, due_at=at)
        if connection.execute(fresh).rowcount:
            continue
        if connection.execute(update(s.looks).where(_L.number == number).values(hinted_at=at)).rowcount:
            continue
        connection.execute(insert(s.looks).values(_cells(Look(number=number, hinted_at=now, due_at=now))))


def hint_met(connection: Connection, number: int, shown: tuple[str, ...], now: datetime) -> None:
    """A write to the issue met what somebody else did; until then it showed these labels."""
    hint(connection, [number], now)
    unmet = (_L.number == number, _L.shown == to_json(()))
    connection.execute(update(s.looks).where(*unmet).values(shown=to_json(shown)))


def expect_assigned(connection: Connection, number: int, logins: tuple[str, ...], now: datetime) -> None:
    """We are about to assign these there, and may never learn that we did: who finds them there knows of it."""
    look = of(connection, [number]).get(number)
    if look is None:
        fresh = Look(number=number, due_at=now, assignees=logins)
        connection.execute(insert(s.looks).values(_cells(fresh)))
        return
    known = to_json(tuple(dict.fromkeys((*look.assignees, *logins))))
    connection.execute(update(s.looks).where(_L.number == number).values(assignees=known))


def hint_place(connection: Connection, repository: str, number: int, now: datetime) -> bool:
    """The issue there may have changed; whether it is one of ours."""
    found = at_places(connection, repository, [number])
    hint(connection, [one.incident_id for one in found.values()], now)
    return bool(found)


def at_places(connection: Connection, repository: str, numbers: Collection[int]) -> dict[int, Publication]:
    """What was published there, by its number there."""
    query = select(*(_P[n] for n in s.PUBLICATION.names)).where(
        _P.repository == repository, _P.number.in_(numbers), _P.number.is_not(None)
    )
    found = (s.PUBLICATION.decode(tuple(row)) for row in connection.execute(query))
    return {one.number: one for one in found if one.number is not None}


def due(connection: Connection, now: datetime, but: Collection[int]) -> Look | None:
    """The one that waits longest to be looked at, and may be."""
    query = select(*_look).where(_L.hinted_at.is_not(None), _L.due_at <= to_us(now), _L.number.not_in(but))
    row = connection.execute(query.order_by(_L.due_at, _L.number).limit(1)).first()
    return None if row is None else s.LOOK.decode(tuple(row))


def next_due(connection: Connection) -> datetime | None:
    at = connection.execute(select(func.min(_L.due_at)).where(_L.hinted_at.is_not(None))).scalar()
    return None if at is None else from_us(at)


def fail(connection: Connection, look: Look, due_at: datetime, failure: str) -> None:
    """It could not be looked at, and is tried again then."""
    values = {"attempts": look.attempts + 1, "due_at": to_us(due_at), "failure": failure[:500]}
    connection.execute(update(s.looks).where(_L.number == look.number).values(values))


def drop(connection: Connection, look: Look) -> None:
    """There is nothing to look at."""
    values = {"attempts": 0, "hinted_at": None, "failure": ""}
    connection.execute(update(s.looks).where(_L.number == look.number).values(values))


def give_up(connection: Connection, look: Look, now: datetime) -> None:
    """It can never be looked at; whoever writes to it is to find out whether it was deleted."""
    drop(connection, look)
    queue.want(connection, look.number, now, digest="")


def ours(connection: Connection, number: int, operations: Collection[str]) -> set[str]:
    """Those operations that are of comments of ours on its issue."""
    query = select(_C.operation).where(_C.incident_id == number, _C.operation.in_([*operations]))
    return {*connection.execute(query).scalars()}


def said(connection: Connection, numbers: Collection[int]) -> dict[int, int]:
    """How many comments we wrote on each."""
    written = (_C.done_at.is_not(None), _C.failure == "", _C.reaction == "")
    query = select(_C.incident_id, func.count()).where(_C.incident_id.in_(numbers), *written)
    return dict(map(tuple, connection.execute(query.group_by(_C.incident_id))))


# ---------------------------------------------------------------- repositories


def repositories(connection: Connection, backend: str) -> list[str]:
    """Where issues are, each found by the index alone."""
    found: list[str] = []
    last = ""
    while len(found) < MOST_REPOSITORIES:
        query = select(func.min(_P.repository)).where(_P.number.is_not(None), _P.repository > last)
        name = connection.execute(query).scalar()
        if name is None:
            break
        last = name
        here = select(_P.incident_id).where(_P.number.is_not(None), _P.repository == name, _P.backend == backend)
        if connection.execute(here.limit(1)).first() is not None:
            found.append(name)
    return found


def listed_since(connection: Connection, repository: str) -> datetime | None:
    """From when on it is to be listed; None where it never was."""
    at = connection.execute(select(s.polls.c.since_at).where(s.polls.c.repository == repository)).scalar()
    return None if at is None else from_us(at)


def list_since(connection: Connection, repository: str, since: datetime) -> None:
    mine = s.polls.c.repository == repository
    if not connection.execute(update(s.polls).where(mine).values(since_at=to_us(since))).rowcount:
        connection.execute(insert(s.polls).values(repository=repository, since_at=to_us(since)))


def hint_all(connection: Connection, repository: str, now: datetime) -> None:
    """All issues there that are not closed, for nobody knows what became of them."""
    there = (_P.number.is_not(None), _P.repository == repository, _P.gone == 0)
    query = select(_P.incident_id).where(*there, _P.closed == 0)
    hint(connection, connection.execute(query).scalars(), now)


def rename(connection: Connection, former: str, name: str) -> None:
    """A repository has another name: all its issues moved with it."""
    c = s.polls.c
    connection.execute(update(s.publications).where(_P.repository == former).values(repository=name))
    connection.execute(delete(s.polls).where(c.repository == name))
    connection.execute(update(s.polls).where(c.repository == former).values(repository=name))


def _cells(look: Look) -> dict[str, Any]:
    return dict(zip(s.LOOK.names, s.LOOK.encode(look), strict=True))
