"""The store as one object: opened from a URL, migrated, written by one writer, read by everybody."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, inspect, text

from triaged.errors import ConfigError, StoreError
from triaged.store import queue
from triaged.store.engine import engines, translated
from triaged.store.reading import Reader
from triaged.store.recent import Recent
from triaged.store.rehearsal import Rehearsal
from triaged.store.transaction import Statements, Transaction

HEAD = "0023"


class Store:
    """Where everything that must outlive the process lies. Thread-safe; `begin` belongs to the writer alone.

    `url` is `sqlite:///FILE`, `sqlite://` (in memory) or `postgresql://…`; `replica` names this process in the totals.
    """

    def __init__(self, url: str, *, replica: str = "") -> None:
        with translated():
            self._writer, self._reader = engines(url)
        self._lock: IO[str] | None = None
        self.alone = self._writer.dialect.name == "sqlite"
        self._statements = Statements(self._writer.dialect, replica)
        self._recent = Recent()
        self._held: Connection | None = None

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """A transaction, committed at the end of the block unless it raises.

        Raises StoreError where the database cannot be reached or written, Conflict where it shall run again.
        """
        with translated(), self._connected() as connection, connection.begin():
            driver: Any = connection.connection.driver_connection
            with closing(driver.cursor()) as cursor:
                transaction = Transaction(connection, cursor, self._statements, self._recent)
                yield transaction
        self._remember(transaction)

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """A consistent view for short questions."""
        with translated(), self._reader.connect() as connection:
            yield Reader(connection)

    @contextmanager
    def rehearse(self) -> Iterator[Rehearsal]:
        """A transaction for what would be decided: it sees what is committed, and nothing of it is kept."""
        engine = self._reader if self.alone else self._writer
        with translated(), engine.connect() as connection:
            connection.begin()
            driver: Any = connection.connection.driver_connection
            with closing(driver.cursor()) as cursor:
                yield Rehearsal(connection, cursor, self._statements, Recent())

    def _connected(self) -> AbstractContextManager[Connection]:
        """The writer's connection; to SQLite it is held: fetching and returning it costs as much as ten statements."""
        if not self.alone:
            return self._writer.connect()
        if self._held is None:
            self._held = self._writer.connect()
        return nullcontext(self._held)

    def _remember(self, transaction: Transaction) -> None:
        """Keep what was just committed, where no other process can change it: reading it back costs 50 µs each."""
        if self.alone:
            self._recent.learn(transaction.saved, transaction.owned, transaction.spare_ids)
            self._recent.forget(transaction.deleted)
            self._recent.windows = transaction.planned

    def own(self) -> None:
        """Make sure that no other process writes to this SQLite store, until this one ends; safe to repeat.

        Two daemons on one file would each take the other's alerts for repeats. PostgreSQL takes several.
        """
        path = self._writer.url.database
        if not self.alone or not path or self._lock is not None:
            return
        try:
            lock = Path(f"{path}.lock").open("a")  # noqa: SIM115 - held until the process ends
        except OSError as error:
            raise ConfigError(f"store: {path}: cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise ConfigError(f"store: {path} is in use by another triaged") from error
        self._lock = lock

    def release(self, changes_from: datetime | None = None) -> None:
        """Let go of what a former process of this store had claimed; only where no other works on it.

        From `changes_from` on issues may be changed that it was changing, at once where that is None.
        """
        if self.alone:
            with self.begin() as transaction:
                queue.release_all(transaction.connection, changes_from)

    def migrate(self) -> bool:
        """Bring the schema to this release's; whether there was anything to do. Safe to repeat."""
        with translated(), self._reader.connect() as connection:
            has = inspect(connection).has_table("alembic_version")
            version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar() if has else None
        if version is not None and version >= HEAD:
            # A newer release may have migrated it: this one runs on the new schema.
            return False
        from triaged.store.migrating import upgrade  # noqa: PLC0415 - Alembic costs 20 MB that a start rarely needs

        with self.begin() as transaction:
            upgrade(transaction.connection)
        return True

    def backup(self, target: Path) -> None:
        """Copy a SQLite store while it is in use, and prove the copy whole; raises StoreError where it is not.

        Source: https://www.sqlite.org/backup.html
        """
        if not self.alone:
            raise StoreError("expected a SQLite store: use pg_dump for PostgreSQL")
        if target.exists():
            raise StoreError(f"{target} exists: expected a new file")
        try:
            with translated(), self._reader.connect() as connection, closing(sqlite3.connect(target)) as copy:
                source: Any = connection.connection.driver_connection
                source.backup(copy)
                found = copy.execute("PRAGMA integrity_check").fetchone()[0]
        except StoreError as error:
            target.unlink(missing_ok=True)
            raise StoreError(f"no copy at {target}: {error}") from error
        if found != "ok":
            raise StoreError(f"the copy {target} is damaged: {found}")

    def become(self, other: Store) -> None:
        """Make this SQLite store a copy of another one in memory; what it held is gone. It takes 1 ms when empty."""
        with translated(), other._connected() as source, self._connected() as target:
            original: Any = source.connection.driver_connection
            original.backup(target.connection.driver_connection)
        self._recent.clear()

    def checkpoint(self) -> None:
        """Fold SQLite's write-ahead log into the database file, so that a stopped store is one file."""
        if self.alone:
            with self._connected() as connection:
                connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()

    def close(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None
        self._writer.dispose()
        self._reader.dispose()
        if self._lock is not None:
            self._lock.close()
            self._lock = None
