"""The silences that people asked for: claims as leases, results fenced by the claim that they belong to."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, and_, bindparam, case, func, or_, select, text, update

from triaged.core.effects import MakeSilence
from triaged.core.silences import Stage
from triaged.ports.silences import WantedSilence
from triaged.store import schema as s
from triaged.store.codec import from_us, to_us

# Outlives a step's longest calls, to each member of a cluster.
LEASE: Final = timedelta(minutes=5)
MOST_SHOWN: Final = 20
_c = s.silences.c
_row = [_c[name] for name in s.SILENCE.names]
_NOW: Final[ColumnElement[Any]] = bindparam("now")
_ALIVE: Final = _c.stage != Stage.OVER.value
_FREE: Final = or_(_c.claimed_until.is_(None), _c.claimed_until < _NOW)
# What is to be made goes before what it replaces, due at the same instant: in between nothing would be silent.
_FIRST: Final = (
    select(_c.id)
    .where(_ALIVE, _c.due_at <= _NOW, _FREE)
    .order_by(_c.due_at, case((_c.stage == Stage.WANTED.value, 0), else_=1), _c.id)
    .limit(1)
)
_NEXT: Final = select(func.min(_c.due_at)).where(_ALIVE, _c.due_at > _NOW)


def save(connection: Connection, wanted: Iterable[MakeSilence], lifted: Iterable[int], now: datetime) -> None:
    """Write what is wanted, each in place of what its incident had; what those `lifted` had is to be removed.

    What is replaced or lifted in the batch in which it was asked for was never sent: it is over.
    """
    new = list(wanted)
    former = sorted({*lifted, *(one.incident_id for one in new)})
    if not former:
        return
    stands = and_(_c.incident_id.in_(former), _c.stage.in_([Stage.WANTED.value, Stage.MADE.value]))
    connection.execute(
        update(s.silences).where(stands).values(stage=Stage.LIFTING.value, due_at=to_us(now), attempts=0)
    )
    gone = set(lifted)
    last = {one.incident_id: at for at, one in enumerate(new)}
    for at, one in enumerate(new):
        stays = last[one.incident_id] == at and one.incident_id not in gone
        row = WantedSilence(
            id=0,
            incident_id=one.incident_id,
            source=one.source,
            matchers=one.matchers,
            by=one.by,
            reason=one.reason,
            asked_at=now,
            ends_at=one.ends_at,
            stage=Stage.WANTED if stays else Stage.OVER,
            due_at=now,
        )
        values = dict(zip(s.SILENCE.names, s.SILENCE.encode(row), strict=True))
        del values["id"]
        connection.execute(s.silences.insert().values(values))


def front(
    connection: Connection, now: datetime, *, source: str | None = None, known: Collection[str] = ()
) -> int | None:
    """The number of the silence of `source` (None: of none that is `known`) with which there is something to do now."""
    query = _FIRST.where(_of(source, known))
    found: int | None = connection.execute(query, {"now": to_us(now)}).scalar()
    return found


def next_due(
    connection: Connection, now: datetime, *, source: str | None = None, known: Collection[str] = ()
) -> datetime | None:
    """When there is something to do after `now`, of those that `front` looks at; None: nothing is planned."""
    found = connection.execute(_NEXT.where(_of(source, known)), {"now": to_us(now)}).scalar()
    return None if found is None else from_us(found)


def claim(connection: Connection, number: int, operation: str, now: datetime) -> WantedSilence | None:
    """Take the silence for LEASE, and commit before anything is sent what may be sent; None: somebody was faster.

    It comes back as it was, but for claim and mark: where `intended_at` is set it may have been made before.
    """
    query = select(*_row).where(_c.id == number, _ALIVE, _FREE).with_for_update(skip_locked=True)
    row = connection.execute(query, {"now": to_us(now)}).first()
    if row is None:
        return None
    found = s.SILENCE.decode(tuple(row))
    until, mark = now + LEASE, found.operation or operation
    new: dict[str, Any] = {"claimed_until": to_us(until), "operation": mark}
    if found.stage is Stage.WANTED and found.intended_at is None:
        new["intended_at"] = to_us(now)
    connection.execute(update(s.silences).where(_c.id == number).values(**new))
    return replace(found, claimed_until=until, operation=mark)


def intend(connection: Connection, claimed: WantedSilence, now: datetime) -> bool:
    """Note that it is about to be sent once more, under the same claim; whether that stands."""
    done = connection.execute(update(s.silences).where(_mine(claimed)).values(intended_at=to_us(now)))
    return done.rowcount == 1


def record(connection: Connection, claimed: WantedSilence, after: WantedSilence, *, unsent: bool = False) -> bool:
    """Write down what became of it and let the claim go, unless that has passed on; whether it was ours.

    Where it is to be removed meanwhile, it is: at once. With `unsent` the intent of the claim goes too.
    """
    same = _c.stage == claimed.stage.value
    values: dict[str, Any] = {
        "stage": case((same, after.stage.value), else_=_c.stage),
        "due_at": case((same, to_us(after.due_at)), else_=_c.due_at),
        "attempts": after.attempts,
        "failure": after.failure,
        "ref": after.ref,
        "claimed_until": None,
    }
    if unsent:
        values["intended_at"] = None
    return connection.execute(update(s.silences).where(_mine(claimed)).values(**values)).rowcount == 1


def of_incident(connection: Connection, incident_id: int) -> list[WantedSilence]:
    """Those that are not over, newest first."""
    query = select(*_row).where(_c.incident_id == incident_id, _ALIVE).order_by(_c.id.desc()).limit(MOST_SHOWN)
    return [s.SILENCE.decode(tuple(row)) for row in connection.execute(query)]


def makers(connection: Connection, operations: Iterable[str]) -> dict[str, str]:
    """Who asked for the silences with these ids in their mark."""
    wanted = sorted(set(operations))
    found: dict[str, str] = {}
    for at in range(0, len(wanted), 500):
        query = select(_c.operation, _c.by).where(_c.operation.in_(wanted[at : at + 500]))
        found.update((row[0], row[1]) for row in connection.execute(query))
    return found


def acknowledging(connection: Connection) -> list[int]:
    """The incidents that a silence acknowledges, oldest first."""
    c = s.incidents.c
    # In the words of the index: SQLite uses a partial one only where it can see that it holds.
    query = select(c.id).where(text("by_silence = 1 AND state = 'acknowledged'"))
    return list(connection.execute(query.order_by(c.id)).scalars())


def key_pairs(connection: Connection, key: str) -> tuple[tuple[str, str], ...]:
    """The names and values of a key; none where nothing owns it."""
    found = connection.execute(select(s.incident_keys.c.pairs).where(s.incident_keys.c.key == key)).scalar()
    return () if found is None else tuple((name, value) for name, value in msgspec.json.decode(found))


def _of(source: str | None, known: Collection[str]) -> ColumnElement[bool]:
    return _c.source.not_in(sorted(known)) if source is None else _c.source == source


def _mine(claimed: WantedSilence) -> ColumnElement[bool]:
    until = None if claimed.claimed_until is None else to_us(claimed.claimed_until)
    return and_(_c.id == claimed.id, _c.claimed_until == until)
