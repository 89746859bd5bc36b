"""Growth: who counts for which condition, and whether a condition holds, each by one indexed query."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Select,
    Table,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    text,
)

from triaged.core.growth import Growth
from triaged.core.keys import digest
from triaged.ports.store import GrowthStep
from triaged.store import schema as s
from triaged.store.codec import from_us, to_us
from triaged.store.statements import Cursor, Statement, upsert

_LONGEST = 200


class GrowthTable:
    """The growth tables of one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        members, refires = s.growth_members, s.growth_refires
        ids = ["incident_id", "ref", "episode_id"]
        self._join = upsert(dialect, members, [*ids, "since_at"], on=ids)
        self._refire = upsert(dialect, refires, [*ids, "at"], on=ids, keep=True)
        self._leave = Statement(
            delete(members).where(
                members.c.incident_id == bindparam("incident_id"),
                members.c.ref == bindparam("ref"),
                members.c.episode_id == bindparam("episode_id"),
            ),
            dialect,
            ids,
        )
        values = s.growth_values
        self._count = upsert(
            dialect,
            values,
            ["incident_id", "ref", "label", "value", "firing"],
            on=["incident_id", "ref", "label", "value"],
            change=lambda new: {"firing": values.c.firing + new.firing},
        )

        def counted(element: Select[Any], *names: str) -> Statement:
            # SQLite's LIMIT brings an OFFSET of its own as a parameter, unless one is said.
            limited = element.limit(bindparam("most")).offset(literal_column("0")).subquery()
            return Statement(select(func.count()).select_from(limited), dialect, ["incident_id", "ref", *names, "most"])

        self._members = counted(select(members.c.episode_id).where(*_of(members)))
        self._values = counted(
            select(values.c.value).where(
                *_of(values), values.c.label == bindparam("label"), values.c.firing > text("0")
            ),
            "label",
        )
        self._recent = counted(
            select(refires.c.episode_id).where(*_of(refires), refires.c.at >= bindparam("since")), "since"
        )
        timed = members.c.since_at > text("0")
        self._oldest = Statement(
            select(func.min(members.c.since_at)).where(*_of(members), timed), dialect, ["incident_id", "ref"]
        )

    def save(self, cursor: Cursor, steps: Iterable[GrowthStep], now: datetime) -> None:
        """Write joinings and leavings of alerts down; of one alert's in a batch the last says whether it counts."""
        joined: dict[tuple[int, str, int], tuple[int, str, int, int]] = {}
        left: dict[tuple[int, str, int], tuple[int, str, int]] = {}
        refired: list[tuple[int, str, int, int]] = []
        counted: list[tuple[int, str, str, str, int]] = []
        for step in steps:
            row = (step.incident_id, step.ref, step.episode_id)
            if step.began:
                left.pop(row, None)
                joined[row] = (*row, 0 if step.since_at is None else to_us(step.since_at))
            else:
                joined.pop(row, None)
                left[row] = row
            if step.refires:
                refired.append((*row, to_us(now)))
            by = 1 if step.began else -1
            counted.extend((step.incident_id, step.ref, label, _short(v), by) for label, v in step.values.items())
        self._join.run(cursor, [*joined.values()])
        self._leave.run(cursor, [*left.values()])
        self._refire.run(cursor, refired)
        self._count.run(cursor, counted)

    def holds(self, cursor: Cursor, incident_id: int, growth: Growth, now: datetime) -> tuple[bool, datetime | None]:
        """Whether all that the condition asks holds now, else the instant at which time alone may make it hold.

        Every query stops at the threshold, so that its cost does not grow with the incident.
        """

        def reaches(question: Statement, *parameters: object, wanted: int) -> bool:
            found: int = question.scalar(cursor, (*parameters, wanted))
            return found >= wanted

        mine = (incident_id, growth.ref)
        if not reaches(self._members, *mine, wanted=growth.alerts or 1):
            return False, None
        for label, wanted in growth.distinct.items():
            if not reaches(self._values, *mine, label, wanted=wanted):
                return False, None
        if growth.refires is not None:
            since = to_us(now - growth.refires.within)
            if not reaches(self._recent, *mine, since, wanted=growth.refires.count):
                return False, None
        if growth.firing_for is not None:
            ripe_at = from_us(self._oldest.scalar(cursor, mine)) + growth.firing_for
            if ripe_at > now:
                return False, ripe_at
        return True, None


def _short(value: str) -> str:
    """A value as it is counted: PostgreSQL has no index rows above 2,704 bytes, and labels may be longer."""
    return value if len(value) <= _LONGEST else digest([value])


def forget(connection: Connection, incident_ids: list[int]) -> None:
    """Remove what counted for conditions of these incidents; they ask no more."""
    for table in (s.growth_members, s.growth_values, s.growth_refires):
        connection.execute(delete(table).where(table.c.incident_id.in_(incident_ids)))


def _of(table: Table) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return table.c.incident_id == bindparam("incident_id"), table.c.ref == bindparam("ref")
