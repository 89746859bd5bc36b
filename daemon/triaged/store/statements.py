"""Statements compiled once per dialect and run on the driver's cursor: the short way from values to the database.

SQLAlchemy's execution costs 50 to 80 µs a statement, and its own parameters 10 µs a row; on the path of every alert the
same SQL goes to the driver directly, inside the transaction that SQLAlchemy began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Dialect, Table, bindparam, literal_column, null
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ClauseElement

_CHUNK = 512


class Cursor(Protocol):
    """What is used of a driver's cursor (PEP 249)."""

    @property
    def rowcount(self) -> int: ...

    def execute(self, sql: str, parameters: Sequence[Any], /) -> object: ...

    def executemany(self, sql: str, rows: Sequence[tuple[Any, ...]], /) -> object: ...

    def fetchall(self) -> list[Any]: ...

    def close(self) -> None: ...


class Statement:
    """One compiled statement; `run` takes tuples in the order of `names`."""

    def __init__(self, element: ClauseElement, dialect: Dialect, names: Sequence[str]) -> None:
        compiled = element.compile(dialect=dialect, column_keys=list(names))
        self.sql = str(compiled)
        order = tuple(compiled.positiontup or ())  # type: ignore[attr-defined]  # SQL compilers have it
        if order != tuple(names):
            raise AssertionError(f"expected the parameters {tuple(names)}, the compiled statement takes {order}")

    def run(self, cursor: Cursor, rows: Sequence[tuple[Any, ...]]) -> int:
        """How many rows of the table changed."""
        if not rows:
            return 0
        cursor.executemany(self.sql, rows)
        return cursor.rowcount

    def scalar(self, cursor: Cursor, row: tuple[Any, ...]) -> Any:
        """The one value that a question of one row and column gives."""
        cursor.execute(self.sql, row)
        found = cursor.fetchall()
        return found[0][0] if found else None


def upsert(  # noqa: PLR0913 - one statement, described once
    dialect: Dialect,
    table: Table,
    names: Sequence[str],
    *,
    on: Sequence[str],
    fixed: Mapping[str, int | str | None] = MappingProxyType({}),
    change: Callable[[Any], dict[str, Any]] | None = None,
    keep: bool = False,
    where: Any = None,
    returning: Any = None,
) -> Statement:
    """INSERT … ON CONFLICT (on): every other column anew, or `change(excluded)`, or nothing at all with `keep`.

    What is `fixed` stands in the statement itself: to hand a value over costs more than most columns. A row for which
    `where` does not hold stays as it is. SQLite took PostgreSQL's syntax; SQLAlchemy offers it in each dialect's own
    insert().
    """
    values: dict[str, ColumnElement[Any]] = {name: bindparam(name) for name in names if name in table.c}
    values |= {name: null() if value is None else literal_column(repr(value)) for name, value in fixed.items()}
    insert = (sqlite.insert if dialect.name == "sqlite" else postgresql.insert)(table).values(values)
    if keep:
        return Statement(insert.on_conflict_do_nothing(index_elements=list(on)), dialect, names)
    new = change(insert.excluded) if change else {n: insert.excluded[n] for n in names if n not in on}
    changing = insert.on_conflict_do_update(index_elements=list(on), set_=new, where=where)
    return Statement(changing if returning is None else changing.returning(returning), dialect, names)


class Lookup:
    """A SELECT by a list of values, in chunks; each size is compiled once, sizes are powers of two."""

    def __init__(self, build: Callable[[list[Any]], ClauseElement], dialect: Dialect) -> None:
        self._build = build
        self._dialect = dialect
        self._compiled: dict[int, str] = {}

    def rows(self, cursor: Cursor, values: Iterable[Any]) -> list[Any]:
        found: list[Any] = []
        wanted = list(dict.fromkeys(values))
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]
            size = 1 << (len(chunk) - 1).bit_length()
            chunk.extend([chunk[-1]] * (size - len(chunk)))
            sql = self._compiled.get(size)
            if sql is None:
                element = self._build([bindparam(f"v{i}") for i in range(size)])
                sql = self._compiled[size] = str(element.compile(dialect=self._dialect))
            cursor.execute(sql, chunk)
            found.extend(cursor.fetchall())
        return found
