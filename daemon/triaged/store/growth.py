"""Growth: who counts for which condition, and whether a condition holds, each by one indexed query."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Dialect, Select, bindparam, delete, func, select

from triaged.core.growth import Growth
from triaged.store import schema as s
from triaged.ports.store import GrowthStep
from triaged.store.codec import from_us, to_us
from triaged.store.statements import Statement, upsert


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

    def save(self, connection: Connection, steps: Iterable[GrowthStep], now: datetime) -> None:
        """Write joinings and leavings of alerts down, in order."""
        joined: list[tuple[int, str, int, int]] = []
        left: list[tuple[int, str, int]] = []
        refired: list[tuple[int, str, int, int]] = []
        counted: list[tuple[int, str, str, str, int]] = []
        for step in steps:
            row = (step.incident_id, step.ref, step.episode_id)
            if step.began:
                joined.append((*row, to_us(step.since_at)))
            else:
                left.append(row)
            if step.refires:
                refired.append((*row, to_us(now)))
            by = 1 if step.began else -1
            counted.extend((step.incident_id, step.ref, label, value, by) for label, value in step.values.items())
        self._join.run(connection, joined)
        self._leave.run(connection, left)
        self._refire.run(connection, refired)
        self._count.run(connection, counted)


def holds(connection: Connection, incident_id: int, growth: Growth, now: datetime) -> tuple[bool, datetime | None]:
    """Whether all that the condition asks holds now, and if not the instant at which time alone may make it hold.

    Every query stops at the threshold, so that its cost does not grow with the incident.
    """
    members, values, refires = s.growth_members, s.growth_values, s.growth_refires
    mine = (members.c.incident_id == incident_id, members.c.ref == growth.ref)
    if growth.alerts is not None and not _reaches(connection, select(members.c.episode_id).where(*mine), growth.alerts):
        return False, None
    for label, wanted in growth.distinct.items():
        different = select(values.c.value).where(
            values.c.incident_id == incident_id,
            values.c.ref == growth.ref,
            values.c.label == label,
            values.c.firing > 0,
        )
        if not _reaches(connection, different, wanted):
            return False, None
    if growth.refires is not None:
        recent = select(refires.c.episode_id).where(
            refires.c.incident_id == incident_id,
            refires.c.ref == growth.ref,
            refires.c.at >= to_us(now - growth.refires.within),
        )
        if not _reaches(connection, recent, growth.refires.count):
            return False, None
    oldest = connection.execute(select(func.min(members.c.since_at)).where(*mine)).scalar()
    if oldest is None:
        return False, None
    if growth.firing_for is not None:
        ripe_at = from_us(oldest) + growth.firing_for
        if ripe_at > now:
            return False, ripe_at
    return True, None


def forget(connection: Connection, incident_ids: list[int]) -> None:
    """Remove what counted for conditions of these incidents; they ask no more."""
    for table in (s.growth_members, s.growth_values, s.growth_refires):
        connection.execute(delete(table).where(table.c.incident_id.in_(incident_ids)))


def _reaches(connection: Connection, rows: Select[Any], wanted: int) -> bool:
    limited = rows.limit(wanted).subquery()
    found: int = connection.execute(select(func.count()).select_from(limited)).scalar_one()
    return found >= wanted
