"""The shifts that calendars elsewhere said last, and who is on call by them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec.structs import replace
from sqlalchemy import Connection, delete, select

from triaged.core.catalogue import Feed
from triaged.core.oncall import Reading, Rota
from triaged.core.rotation import Shift
from triaged.core.rules import RuleSet
from triaged.store import schema as s

_shift = [s.shifts.c[name] for name in s.SHIFT.names]
_reading = [s.shift_readings.c[name] for name in s.SHIFT_READING.names]


def rota(rules: RuleSet, connection: Connection) -> Rota:
    """Who is on call by these rules, and by what calendars said last; ask it soon, shifts change."""
    teams = [name for name, team in rules.teams.items() if isinstance(team.on_call, Feed)]
    found: dict[str, list[Shift]] = {name: [] for name in teams}
    if not teams:
        return Rota(teams=rules.teams, people=rules.people)
    rows = connection.execute(
        select(s.shifts.c.team, *_shift).where(s.shifts.c.team.in_(teams)).order_by(s.shifts.c.team, s.shifts.c.number)
    )
    for team, *row in rows:
        found[team].append(s.SHIFT.decode(row))
    known = {name: one for name, one in readings(connection).items() if name in found}
    return Rota(teams=rules.teams, people=rules.people, shifts=found, readings=known)


def readings(connection: Connection) -> dict[str, Reading]:
    """What became of each team's calendar, by team."""
    rows = connection.execute(select(*_reading))
    return {one.team: one for row in rows if (one := s.SHIFT_READING.decode(tuple(row)))}


def keep(connection: Connection, reading: Reading, shifts: Sequence[Shift]) -> None:
    """A good reading: these shifts stand in place of the former ones of the team."""
    connection.execute(delete(s.shifts).where(s.shifts.c.team == reading.team))
    rows = [
        {"team": reading.team, "number": number, **dict(zip(s.SHIFT.names, s.SHIFT.encode(shift), strict=True))}
        for number, shift in enumerate(sorted(shifts, key=lambda shift: shift.begins_at))
    ]
    if rows:
        connection.execute(s.shifts.insert(), rows)
    _write(connection, reading)


def fail(connection: Connection, reading: Reading) -> None:
    """A reading that failed: the shifts and the instant of the last good one stay."""
    former = readings(connection).get(reading.team)
    if former is not None:
        reading = replace(reading, read_at=former.read_at, until=former.until)
    _write(connection, reading)


def forget_others(connection: Connection, teams: Collection[str]) -> None:
    """Delete what was read for teams that have no calendar elsewhere any more."""
    for table in (s.shifts, s.shift_readings):
        connection.execute(delete(table).where(table.c.team.not_in(teams)))


def _write(connection: Connection, reading: Reading) -> None:
    connection.execute(delete(s.shift_readings).where(s.shift_readings.c.team == reading.team))
    row = dict(zip(s.SHIFT_READING.names, s.SHIFT_READING.encode(reading), strict=True))
    connection.execute(s.shift_readings.insert().values(row))
