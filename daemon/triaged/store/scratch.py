"""A store to be thrown away: a replay's, on disk so that memory stays bounded, and never waiting for that disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace
from sqlalchemy import Connection, create_engine, event, select
from sqlalchemy.pool import StaticPool
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from triaged.core.model import Incident, Outcome
from triaged.ports.store import Batch
from triaged.store import schema as s
from triaged.store.codec import from_us, to_us
from triaged.store.engine import translated
from triaged.store.reading import Reader
from triaged.store.recent import Recent
from triaged.store.statements import Cursor
from triaged.store.store import Store
from triaged.store.transaction import Statements, Transaction

"""The severities that notify people at once."""

# No journal on disk and no fsync: after a crash there is nothing to go on with. What does not fit the cache spills.
_PRAGMAS: Final = (
    "page_size=8192",
    "journal_mode=MEMORY",
    "synchronous=OFF",
    "locking_mode=EXCLUSIVE",
    "foreign_keys=OFF",
    "cache_size=-65536",
    "temp_store=MEMORY",
)
_TABLES: Final = (
    "CREATE INDEX ix_episodes_fingerprint ON episodes (fingerprint, begun_at)",
    "CREATE TABLE happenings (incident_id INTEGER NOT NULL, what TEXT NOT NULL)",
)
_DUE: Final = "SELECT due_at FROM deadlines ORDER BY due_at LIMIT 1"
_HAPPENED: Final = "INSERT INTO happenings VALUES (?, ?)"


class ScratchStore(Store):
    """A migrated, empty SQLite store in a new file, of one thread, in one transaction until `close` commits it.

    What nobody asks of a replay (raw alerts, timeline, publishing, totals) is not kept. Instead the table `happenings`
    tells by incident what happened to it: `page` (it would have notified people at once), and the objectives that were
    breached, `response` and `resolution`.
    """

    def __init__(self, file: Path) -> None:
        engine = create_engine(f"sqlite:///{file}", poolclass=StaticPool)
        event.listen(engine, "connect", _prepare)
        self._writer = self._reader = engine
        self._lock = None
        self.alone = True
        self._statements = _statements()
        self._recent = Recent()
        self._ids = {"incident": count(1), "episode": count(1)}
        with translated():
            self._connection: Connection = engine.connect()
            driver: Any = self._connection.connection.driver_connection
            self._cursor: Cursor = driver.cursor()
            self._cursor.execute("BEGIN", ())
            for statement in (*_schema(), *_TABLES):
                self._cursor.execute(statement, ())

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """As the writer's, within the long one: what raises leaves no trace, and the rest stays."""
        execute = self._cursor.execute
        with translated():
            execute("SAVEPOINT unit", ())
            transaction = ScratchTransaction(self._connection, self._cursor, self._statements, self._recent)
            transaction.ids = self._ids
            transaction.before = {}
            try:
                yield transaction
                transaction.note()
            except BaseException:
                execute("ROLLBACK TO unit", ())
                raise
            finally:
                execute("RELEASE unit", ())
        self._remember(transaction)

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """What is there now."""
        with translated():
            yield Reader(self._connection)

    def next_due_at(self) -> datetime | None:
        """When the next deadline is due; in 3 µs, because a replay asks before each delivery."""
        self._cursor.execute(_DUE, ())
        rows = self._cursor.fetchall()
        return from_us(rows[0][0]) if rows else None

    def incident_of(self, fingerprint: str, begun_at: datetime) -> int | None:
        """The incident that holds this episode of an alert, or else the alert's newest."""
        c = s.episodes.c
        query = select(c.incident_id).where(c.fingerprint == fingerprint)
        order = ((c.begun_at == to_us(begun_at)).desc(), c.last.desc())
        found = self._connection.execute(query.order_by(*order).limit(1)).scalar()
        return None if found is None else int(found)

    def close(self) -> None:
        """Commit, so that the file can be read by others."""
        if not self._connection.closed:
            self._cursor.execute("COMMIT", ())
            self._cursor.close()
            self._connection.close()
        self._writer.dispose()


class ScratchTransaction(Transaction):
    """The writer's own, which keeps less and notes what happened."""

    ids: dict[str, Any]
    before: dict[int, Incident | None]

    def next_id(self, of: str) -> int:
        number: int = next(self.ids[of])
        return number

    def save(self, batch: Batch, now: datetime) -> None:
        for incident in batch.incidents.values():
            self.before.setdefault(incident.id, self._incidents.get(incident.id))
        super().save(replace(batch, records=[], timeline=[], acts=[], wants={}, comments=[], tallies=[]), now)

    def note(self) -> None:
        """Write down what the whole transaction did: growth is saved apart from what grew."""
        happened = [
            (incident_id, what)
            for incident_id, before in self.before.items()
            for what in _happenings(before, self._incidents[incident_id])
        ]
        if happened:
            self._cursor.executemany(_HAPPENED, happened)


# Compiled once a process: that takes longer than a short replay.
@cache
def _statements() -> Statements:
    return Statements(create_engine("sqlite://").dialect, "")


@cache
def _schema() -> tuple[str, ...]:
    tables = s.metadata.sorted_tables
    indexes = (index for table in tables for index in sorted(table.indexes, key=lambda one: str(one.name)))
    made: list[ExecutableDDLElement] = [*map(CreateTable, tables), *map(CreateIndex, indexes)]
    dialect = create_engine("sqlite://").dialect
    return tuple(str(one.compile(dialect=dialect)) for one in made)


def _happenings(before: Incident | None, after: Incident) -> Iterator[str]:
    """What one commit did to an incident; a page counts once, however much came together."""
    if after.opened_at is None:
        return
    opened = before is None or after.round > before.round
    if after.parent is None and _pages(before, after, opened=opened):
        yield "page"
    for what in ("response", "resolution"):
        is_breached = getattr(after, f"{what}_outcome") is Outcome.BREACHED
        was_breached = not opened and getattr(before, f"{what}_outcome") is Outcome.BREACHED
        if is_breached and not was_breached:
            yield what


def _pages(before: Incident | None, after: Incident, *, opened: bool) -> bool:
    if opened or before is None:
        return after.severity.pages
    # Judged graver while a person's severity stands: people are told all the same.
    raised = after.severity.graver_than(before.severity) and after.severity.pages
    return raised or (after.judged.graver_than(before.judged) and after.judged.pages)


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
