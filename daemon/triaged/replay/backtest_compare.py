"""Two outcomes of one history side by side: which incidents are the same, by the alerts that they hold, and which not.

Incidents of either side belong together where they share an episode of an alert (its fingerprint, and the instant at
which its firing arrived). One that shares none appeared or vanished; two that share with one were merged, or split; and
one of each side that share only with each other are the same incident, perhaps with other values.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime
from enum import StrEnum, unique
from heapq import nsmallest
from itertools import chain
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from triaged.replay.backtest_outcomes import FIELDS, Outcome, outcomes

SHOWN: Final = 5
"""How many incidents of a merge or split are told one by one; of the others there is the number."""

_COLUMNS: Final = "id, title, severity, team, opened_at, alerts, pages, response, resolution"
_PAIRS: Final = """
CREATE TEMP TABLE pairs AS
SELECT DISTINCT a.incident_id AS a, b.incident_id AS b
FROM main.members a JOIN other.members b ON b.fingerprint = a.fingerprint AND b.begun_at = a.begun_at;
CREATE INDEX temp.ix_pairs_a ON pairs (a);
CREATE INDEX temp.ix_pairs_b ON pairs (b);
CREATE TEMP TABLE several_a AS SELECT a AS id FROM pairs GROUP BY a HAVING count(*) > 1;
CREATE TEMP TABLE several_b AS SELECT b AS id FROM pairs GROUP BY b HAVING count(*) > 1;
CREATE TEMP TABLE same AS
SELECT a, b FROM pairs WHERE a NOT IN (SELECT id FROM several_a) AND b NOT IN (SELECT id FROM several_b);
"""
_TANGLED: Final = "SELECT a, b FROM pairs WHERE a IN (SELECT id FROM several_a) OR b IN (SELECT id FROM several_b)"
_ALONE: Final = "SELECT {columns} FROM {side}.outcomes WHERE id NOT IN (SELECT {end} FROM pairs) ORDER BY id"
_ONE: Final = "SELECT {columns} FROM {side}.outcomes WHERE id = ?"
_SUMS: Final = (
    "SELECT severity, count(*), sum(pages), sum(response), sum(resolution)"
    " FROM {side}.outcomes GROUP BY severity ORDER BY severity"
)
_CHANGED: Final = (
    "SELECT {left}, {right} FROM same JOIN main.outcomes a ON a.id = same.a JOIN other.outcomes b ON b.id = same.b"
    " WHERE {differ} ORDER BY a.id"
)


@unique
class Kind(StrEnum):
    """How incidents differ, the gravest difference first."""

    VANISHES = "vanishes"
    APPEARS = "appears"
    CHANGES = "changes"
    MERGES = "merges"
    SPLITS = "splits"
    REGROUPS = "regroups"


class Difference(Struct, frozen=True, kw_only=True):
    """What became of some incidents: those `before` and `after`, how many there are, and which fields changed."""

    kind: Kind
    before: tuple[Outcome, ...] = ()
    after: tuple[Outcome, ...] = ()
    before_number: int = 0
    after_number: int = 0
    changed: tuple[str, ...] = ()


class Sums(Struct, frozen=True, kw_only=True):
    """One side in numbers."""

    issues: int
    pages: int
    response: int
    resolution: int
    severities: dict[str, int]


class Compared(Struct, kw_only=True):
    """Both sides in numbers, how often which difference was found, and the gravest differences one by one.

    `moved` counts incidents by former and new severity.
    """

    before: Sums
    after: Sums
    kinds: Counter[str]
    moved: dict[tuple[str, str], int]
    fields: Counter[str]
    differences: list[Difference] = field(default_factory=list)

    @property
    def number(self) -> int:
        """How many differences there are, listed or not."""
        return self.kinds.total()


def compare(
    before: Path, after: Path, *, most: int, recorded: Path | None = None, fields: Iterable[str] = FIELDS
) -> Compared:
    """The differences of two files of outcomes in these fields; at most `most` are listed, gravest first.

    With `recorded`, a third such file, incidents of `before` have the names of those. Memory grows with what is merged
    and split only, by 200 bytes an incident.
    """
    with closing(sqlite3.connect(before)) as connection:
        connection.execute("ATTACH ? AS other", (str(after),))
        connection.executescript(_PAIRS)
        kinds: Counter[str] = Counter()
        changed: Counter[str] = Counter()

        def counted(differences: Iterable[Difference]) -> Iterator[Difference]:
            for difference in differences:
                kinds[difference.kind.value] += 1
                changed.update(difference.changed)
                yield difference

        every = chain(_alone(connection), _changed(connection, tuple(fields)), _regrouped(connection))
        listed = nsmallest(most, counted(every), key=_gravity) if most else [*_exhausted(counted(every))]
        if recorded is not None:
            connection.execute("ATTACH ? AS recorded", (str(recorded),))
            listed = [replace(one, before=tuple(_named(connection, one.before))) for one in listed]
        return Compared(
            before=_sums(connection, "main"),
            after=_sums(connection, "other"),
            kinds=kinds,
            moved=_moved(connection),
            fields=changed,
            differences=listed,
        )


def _alone(connection: sqlite3.Connection) -> Iterator[Difference]:
    rows = connection.execute(_ALONE.format(columns=_COLUMNS, side="main", end="a"))
    for outcome in outcomes(rows):
        yield Difference(kind=Kind.VANISHES, before=(outcome,), before_number=1)
    rows = connection.execute(_ALONE.format(columns=_COLUMNS, side="other", end="b"))
    for outcome in outcomes(rows):
        yield Difference(kind=Kind.APPEARS, after=(outcome,), after_number=1)


def _changed(connection: sqlite3.Connection, fields: tuple[str, ...]) -> Iterator[Difference]:
    columns = _COLUMNS.split(", ")
    query = _CHANGED.format(
        left=", ".join(f"a.{column}" for column in columns),
        right=", ".join(f"b.{column}" for column in columns),
        differ=" OR ".join(f"a.{name} != b.{name}" for name in fields),
    )
    for row in connection.execute(query):
        former, latter = outcomes([row[: len(columns)], row[len(columns) :]])
        changed = tuple(name for name in fields if getattr(former, name) != getattr(latter, name))
        yield Difference(
            kind=Kind.CHANGES, before=(former,), after=(latter,), before_number=1, after_number=1, changed=changed
        )


def _regrouped(connection: sqlite3.Connection) -> Iterator[Difference]:
    """Groups of incidents that hang together: merged, split, or both."""
    for before, after in _groups(connection.execute(_TANGLED)):
        kind = Kind.MERGES if len(after) == 1 else Kind.SPLITS if len(before) == 1 else Kind.REGROUPS
        yield Difference(
            kind=kind,
            before=_gravest(connection, "main", before),
            after=_gravest(connection, "other", after),
            before_number=len(before),
            after_number=len(after),
        )


def _groups(pairs: Iterable[tuple[int, int]]) -> Iterator[tuple[list[int], list[int]]]:
    """The ids of either side of each connected part of the graph that the pairs span.

    Of the two sides, those of the left are kept as even numbers, those of the right as odd ones.
    """
    root: dict[int, int] = {}

    def find(node: int) -> int:
        while (parent := root.setdefault(node, node)) != node:
            root[node] = root[parent]
            node = parent
        return node

    for a, b in pairs:
        root[find(2 * a)] = find(2 * b + 1)
    parts: dict[int, tuple[list[int], list[int]]] = {}
    for node in sorted(root):
        parts.setdefault(find(node), ([], []))[node % 2].append(node // 2)
    yield from parts.values()


def _gravest(connection: sqlite3.Connection, side: str, ids: list[int]) -> tuple[Outcome, ...]:
    found: list[Outcome] = []
    for number in ids:
        found.extend(outcomes(connection.execute(_ONE.format(columns=_COLUMNS, side=side), (number,))))
        if len(found) > 10 * SHOWN:
            found = nsmallest(SHOWN, found, key=_order)
    return tuple(nsmallest(SHOWN, found, key=_order))


def _named(connection: sqlite3.Connection, listed: Iterable[Outcome]) -> Iterator[Outcome]:
    """Each with the name of the recorded incident that holds most of its alerts."""
    query = (
        "SELECT r.incident_id FROM main.episodes e JOIN recorded.members r"
        " ON r.fingerprint = e.fingerprint AND r.begun_at = e.begun_at WHERE e.incident_id = ?"
        " GROUP BY r.incident_id ORDER BY count(*) DESC, r.incident_id LIMIT 1"
    )
    for outcome in listed:
        found = connection.execute(query, (outcome.id,)).fetchone()
        yield outcome if found is None else replace(outcome, name=f"INC-{found[0]}")


def _sums(connection: sqlite3.Connection, side: str) -> Sums:
    rows = connection.execute(_SUMS.format(side=side)).fetchall()
    return Sums(
        issues=sum(row[1] for row in rows),
        pages=sum(row[2] for row in rows),
        response=sum(row[3] for row in rows),
        resolution=sum(row[4] for row in rows),
        severities={row[0]: row[1] for row in rows},
    )


def _moved(connection: sqlite3.Connection) -> dict[tuple[str, str], int]:
    rows = connection.execute(
        "SELECT a.severity, b.severity, count(*) FROM same JOIN main.outcomes a ON a.id = same.a"
        " JOIN other.outcomes b ON b.id = same.b WHERE a.severity != b.severity GROUP BY 1, 2 ORDER BY 1, 2"
    )
    return {(former, latter): number for former, latter, number in rows}


def _order(outcome: Outcome) -> tuple[str, datetime, int]:
    return outcome.severity, outcome.opened_at, outcome.id


def _gravity(difference: Difference) -> tuple[Any, ...]:
    """Severities first (sev1 before sev2), then what changed people's nights, then time."""
    gravest = min(_order(outcome) for outcome in (*difference.before, *difference.after))
    kinds = list(Kind)
    is_severity = difference.kind is not Kind.CHANGES or "severity" in difference.changed
    return gravest[0], not is_severity, gravest[1], kinds.index(difference.kind), gravest[2]


def _exhausted(differences: Iterator[Difference]) -> Iterator[Difference]:
    """Goes through all of them, for the counts alone."""
    for _ in differences:
        continue
    return iter(())
