"""Logs as the daemon sets them up, and empty migrated stores: SQLite in a file or in memory, a real PostgreSQL."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Dialect, create_engine
from sqlalchemy.pool import NullPool

from migrated import lay_store
from triaged import logs
from triaged.store.schema import metadata
from triaged.store.store import Store
from triaged.store.transaction import Statements

if TYPE_CHECKING:
    from postgres import Postgres  # pytest imports the plugin itself, so that its assertions explain themselves

pytest_plugins = ["commands", "postgres"]


@pytest.fixture(scope="session", autouse=True)
def _set_up_logs() -> None:
    """As the daemon sets them up, whichever test is the first to log; without its lines on standard error."""
    root = logging.getLogger()
    before = root.handlers[:]
    logs.set_up(level="warning")
    root.handlers[:] = before


@pytest.fixture(scope="session", autouse=True)
def _statements_compiled_once() -> Iterator[None]:
    """For all stores of a dialect, where each compiles its own: that costs more than most tests do with a store."""
    made: dict[tuple[str, str], Statements] = {}

    def compiled(dialect: Dialect, replica: str) -> Statements:
        key = dialect.name, replica
        if key not in made:
            made[key] = Statements(dialect, replica)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("triaged.store.store.Statements", compiled)
        yield


@pytest.fixture(autouse=True)
def _former_logs() -> Iterator[None]:
    """Leaves the logs as they were, whatever command a test ran in this process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def logged() -> Iterator[StringIO]:
    """The lines that the daemon logs meanwhile, from warnings on."""
    lines = StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(logs.formatter(terminal=False))
    root = logging.getLogger()
    root.addHandler(handler)
    yield lines
    root.removeHandler(handler)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file for tests to copy."""
    file = tmp_path_factory.mktemp("migrated") / "triaged.db"
    lay_store(file)
    return file


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: Postgres) -> str:
    """A migrated database that tests use one after the other: a copy for each would cost most of their time."""
    name = postgres_server.create_database()
    store = Store(postgres_server.url(name))
    store.migrate()
    store.close()
    return postgres_server.url(name)


@pytest.fixture(scope="session")
def emptied_postgres(migrated_postgres: str) -> Iterator[Callable[[], str]]:
    """Gives that database with every row deleted. Raises where a former test still holds a lock."""
    statements = ["SET LOCAL lock_timeout = '10s'"]
    statements += [f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)]
    engine = create_engine(migrated_postgres, poolclass=NullPool)

    def empty() -> str:
        with engine.begin() as connection:
            connection.exec_driver_sql("; ".join(statements))
        return migrated_postgres

    yield empty
    engine.dispose()


@pytest.fixture
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Gives the URL of an empty store of the test's own, migrated (in memory: by `store`, which opens it)."""

    def make(engine: str) -> str:
        if engine == "memory":
            return "sqlite://"
        if engine == "sqlite":
            file = tmp_path / "triaged.db"
            shutil.copyfile(request.getfixturevalue("migrated_sqlite"), file)
            return f"sqlite:///{file}"
        emptied: Callable[[], str] = request.getfixturevalue("emptied_postgres")
        return emptied()

    return make


@pytest.fixture(params=["sqlite", "memory", "postgres"])
def store_url(request: pytest.FixtureRequest, new_store: Callable[[str], str]) -> str:
    """One of every engine."""
    return new_store(request.param)


@pytest.fixture
def store(store_url: str, migrated_sqlite: Path) -> Iterator[Store]:
    """That store, open."""
    opened = Store(store_url, replica="one")
    if store_url == "sqlite://":
        with closing(sqlite3.connect(migrated_sqlite)) as migrated, opened.read() as reader:
            memory: Any = reader.connection.connection.driver_connection
            migrated.backup(memory)
    yield opened
    opened.close()
