"""Counters that outlive the process: rows raised in the transaction of the event, summed for the metrics."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Final

import msgspec
from sqlalchemy import Connection, Dialect, func, select

from triaged.core.effects import Tally
from triaged.ports.store import Counted
from triaged.store import schema as s
from triaged.store.statements import Cursor, upsert

_MINUTE: Final = 60.0
_HOUR: Final = 3_600.0
_DAY: Final = 86_400.0

# Upper bounds in seconds; they contain every shipped target, so that "within the target" can be read off exactly.
BUCKETS: Final[dict[str, tuple[float, ...]]] = {
    "incident_acknowledge_duration_seconds": (
        _MINUTE, 5 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE, _HOUR, 2 * _HOUR, 4 * _HOUR, 8 * _HOUR,
        _DAY, 3 * _DAY, 5 * _DAY,
    ),
    "incident_resolve_duration_seconds": (
        5 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE, _HOUR, 2 * _HOUR, 4 * _HOUR, 8 * _HOUR, _DAY, 3 * _DAY,
        5 * _DAY, 7 * _DAY, 14 * _DAY,
    ),
}  # fmt: skip


class Totals:
    """The table `totals`; each replica raises rows of its own, so that replicas do not wait for each other."""

    def __init__(self, dialect: Dialect, replica: str) -> None:
        self._replica = replica
        self._raise = upsert(
            dialect,
            s.totals,
            ["metric", "labels", "replica", "value"],
            on=["metric", "labels", "replica"],
            change=lambda new: {"value": s.totals.c.value + new.value},
        )

    def save(self, cursor: Cursor, tallies: Iterable[Tally]) -> None:
        """Raise the rows of these tallies; sorted, so that two transactions never wait for each other crosswise."""
        alike: dict[Hashable, tuple[Tally, int]] = {}
        for tally in tallies:
            found = (tally.metric, tally.seconds, *tally.labels.items())
            alike[found] = (tally, alike[found][1] + 1 if found in alike else 1)
        sums: dict[tuple[str, str], float] = {}
        for tally, times in alike.values():
            for metric, labels, value in _rows(tally):
                key = (metric, msgspec.json.encode(labels, order="sorted").decode())
                sums[key] = sums.get(key, 0.0) + value * times
        self._raise.run(cursor, [(m, labels, self._replica, v) for (m, labels), v in sorted(sums.items())])


def read(connection: Connection) -> list[Counted]:
    """All totals, summed over replicas, in a stable order."""
    columns = s.totals.c
    rows = connection.execute(
        select(columns.metric, columns.labels, func.sum(columns.value))
        .group_by(columns.metric, columns.labels)
        .order_by(columns.metric, columns.labels)
    )
    return [Counted(metric=m, labels=msgspec.json.decode(labels), value=v) for m, labels, v in rows]


def _rows(tally: Tally) -> Iterable[tuple[str, dict[str, str], float]]:
    labels = dict(tally.labels)
    if tally.seconds is None:
        yield tally.metric, labels, 1.0
        return
    yield f"{tally.metric}_sum", labels, tally.seconds
    yield f"{tally.metric}_count", labels, 1.0
    bound = next((b for b in BUCKETS[tally.metric] if tally.seconds <= b), None)
    if bound is not None:
        yield f"{tally.metric}_bucket", {**labels, "le": f"{bound:g}" if bound < 1e6 else str(bound)}, 1.0
