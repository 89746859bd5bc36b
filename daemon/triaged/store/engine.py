"""Connections: one writer and short readers on SQLite (WAL, synchronous=FULL), a pool on PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from triaged.errors import ConfigError, Conflict, StoreError

_OLDEST_SQLITE = (3, 38, 0)
# https://www.postgresql.org/docs/current/errcodes-appendix.html: serialization_failure, deadlock_detected
_RETRYABLE = ("40001", "40P01")


def engines(url: str) -> tuple[Engine, Engine]:
    """The writer's engine and the readers'; the same one where there is only one database connection to have.

    Raises ConfigError for a URL that names neither SQLite nor PostgreSQL.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        engine = create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, paramstyle="format")
        return engine, engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    if parsed.get_backend_name() != "sqlite":
        raise ConfigError(f"store: expected sqlite:///FILE or postgresql://…, got {parsed.drivername}://")
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise ConfigError(f"store: expected SQLite 3.38 or newer, this Python has {sqlite3.sqlite_version}")
    if not parsed.database:
        memory = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        _prepare(memory, writes=True)
        return memory, memory
    try:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"store: {parsed.database}: its folder cannot be made: {error.strerror}") from error
    plain = f"sqlite:///{parsed.database}"
    writer = create_engine(plain, pool_size=1, max_overflow=0, connect_args={"check_same_thread": False})
    reader = create_engine(plain, pool_size=4, max_overflow=8, connect_args={"check_same_thread": False})
    _prepare(writer, writes=True)
    _prepare(reader, writes=False)
    return writer, reader


@contextmanager
def translated() -> Iterator[None]:
    """The database's refusals as ours: Conflict where another try may do, StoreError where the store is not there.

    Statements run through SQLAlchemy or on the driver's cursor: either raises its own classes.
    """
    try:
        yield
    except Exception as error:
        raised = refusal(error)
        if raised is None:
            raise
        raise raised from error


def refusal(raised: Exception) -> StoreError | None:
    """What a database's refusal is to us, told by the names that PEP 249 gives to every driver's errors; else None."""
    gone = isinstance(raised, DBAPIError) and raised.connection_invalidated
    error = raised.orig if isinstance(raised, DBAPIError) else raised
    names = {kind.__name__ for kind in type(error).__mro__}
    if "Error" not in names or "Warning" in names:
        return None
    if "IntegrityError" in names or getattr(error, "sqlstate", None) in _RETRYABLE:
        return Conflict(str(error))
    # SQLite says DatabaseError itself of a file that is damaged or no database.
    if gone or "OperationalError" in names or type(error).__name__ == "DatabaseError":
        return StoreError(str(error))
    return None


def _prepare(engine: Engine, *, writes: bool) -> None:
    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        # The driver shall begin nothing by itself: it opens no transaction for a SELECT, and a read that turns into
        # a write later fails at once when another connection wrote meanwhile (SQLAlchemy docs, "SQLite: transactions").
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "busy_timeout=5000",
            # A checkpoint every 1,000 pages (the default) would stop the writer several times a second in a storm.
            "wal_autocheckpoint=8000",
            "cache_size=-16000",
            "temp_store=MEMORY",
            *(() if writes else ("query_only=ON",)),
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.connection.cursor().execute("BEGIN IMMEDIATE" if writes else "BEGIN").close()
