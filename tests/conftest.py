"""Stores for the tests, empty and migrated: SQLite in a file, SQLite in memory, and a real PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from triaged.store.store import Store

if TYPE_CHECKING:
    from postgres import Postgres  # pytest imports the plugin itself, so that its assertions explain themselves

pytest_plugins = ["postgres"]

ENGINES = ("sqlite", "memory", "postgres")


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file for tests to copy: a migration costs more than most tests."""
    file = tmp_path_factory.mktemp("migrated") / "triaged.db"
    store = Store(f"sqlite:///{file}")
    store.migrate()
    store.checkpoint()
    store.close()
    return file


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: Postgres) -> str:
    """A migrated database for tests to copy."""
    name = postgres_server.create_database()
    store = Store(postgres_server.url(name))
    store.migrate()
    store.close()
    return name


@pytest.fixture(params=ENGINES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store of the test's own, migrated (in memory: whoever opens it migrates it)."""
    if request.param == "memory":
        return "sqlite://"
    if request.param == "sqlite":
        file = tmp_path / "triaged.db"
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), file)
        return f"sqlite:///{file}"
    copy: Callable[[str], str] = request.getfixturevalue("postgres_url_from")
    return copy(request.getfixturevalue("migrated_postgres"))


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """That store, open."""
    opened = Store(store_url, replica="one")
    if store_url == "sqlite://":
        opened.migrate()
    yield opened
    opened.close()
