"""The schema that migrations build is the one that the code is written for, on both engines."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Index, MetaData, Table, inspect, text

from building import episode, incident, minutes
from triaged.core.effects import Tally
from triaged.core.model import Key
from triaged.errors import Conflict
from triaged.ports.store import Batch, Counted, Wanted
from triaged.store import migrating, schema
from triaged.store.store import HEAD, Store
from waiting import wait_until

KEY = Key(digest="v1:0123456789abcdef", pairs=(("service", "checkout"),))


@pytest.fixture(params=["sqlite", "postgres"])
def unmigrated(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store's URL at which there is nothing yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/new.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def opened(unmigrated: str) -> Iterator[Callable[[], Store]]:
    """Opens that store, once more each time."""
    stores: list[Store] = []

    def open_one() -> Store:
        stores.append(Store(unmigrated))
        return stores[-1]

    yield open_one
    for store in stores:
        store.close()


def partial(index: Index) -> str | None:
    where = index.dialect_options["sqlite"]["where"]
    return None if where is None else str(where)


def test_the_migrated_schema_is_the_schema_of_the_code(opened: Callable[[], Store]) -> None:
    store = opened()
    store.migrate()
    with store.read() as reader:
        found = compare_metadata(
            MigrationContext.configure(reader.connection, opts={"compare_type": True, "compare_server_default": True}),
            schema.metadata,
        )
    assert found == []


def test_every_check_of_the_schema_is_in_the_database(opened: Callable[[], Store]) -> None:
    store = opened()
    store.migrate()
    expected = {
        str(check.name)
        for table in schema.metadata.sorted_tables
        for check in table.constraints
        if isinstance(check, CheckConstraint)
    }
    with store.read() as reader:
        looked = inspect(reader.connection)
        found = {check["name"] for table in looked.get_table_names() for check in looked.get_check_constraints(table)}
    assert found == expected
    assert "ck_incidents_state" in expected


def test_every_partial_index_of_the_schema_is_in_the_database(opened: Callable[[], Store]) -> None:
    store = opened()
    store.migrate()
    expected = {
        (index.name, index.unique)
        for table in schema.metadata.sorted_tables
        for index in table.indexes
        if partial(index) is not None
    }
    with store.read() as reader:
        if store.alone:
            unique = "sql LIKE 'CREATE UNIQUE%'"
            query = f"SELECT name, {unique} FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'"
        else:
            query = (
                "SELECT c.relname, i.indisunique FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
                " WHERE i.indpred IS NOT NULL"
            )
        found = {(name, bool(is_unique)) for name, is_unique in reader.connection.execute(text(query))}
    assert found == expected
    assert len(expected) >= 6


def test_a_second_migration_has_nothing_to_do(opened: Callable[[], Store]) -> None:
    store = opened()
    assert store.migrate()
    assert not store.migrate()
    assert not opened().migrate()


def test_the_store_expects_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(migrating.config()).get_current_head() == HEAD


def test_migrations_are_one_line_of_numbers() -> None:
    scripts = list(ScriptDirectory.from_config(migrating.config()).walk_revisions())
    numbers = sorted(script.revision for script in scripts)
    assert numbers == [f"{i:04}" for i in range(1, len(numbers) + 1)]
    assert sorted(script.down_revision or "0000" for script in scripts) == [f"{i:04}" for i in range(len(numbers))]


def test_data_survives_a_migration_from_the_first_schema(opened: Callable[[], Store]) -> None:
    store = opened()
    with store.begin() as transaction:
        migrating.upgrade(transaction.connection, "0001")
    with store.begin() as transaction:
        number = transaction.next_id("incident")
        connection = transaction.connection
        first = Table("incidents", MetaData(), autoload_with=connection)
        values = dict(zip(schema.INCIDENT.names, schema.INCIDENT.encode(incident()), strict=True))
        connection.execute(first.insert().values({column.name: values[column.name] for column in first.columns}))
        transaction.save(
            Batch(
                keys={KEY.digest: (12, KEY)},
                episodes={1: episode()},
                tallies=[Tally(metric="m_total", labels={})],
            ),
            minutes(2),
        )
    store.migrate()
    with store.begin() as transaction:
        assert transaction.next_id("incident") == number + 1
        assert transaction.owners([KEY.digest]) == {KEY.digest: 12}
        assert transaction.last_episodes([episode().fingerprint]) == {episode().fingerprint: episode()}
    with store.read() as reader:
        assert [row.incident for row in reader.incidents(Wanted())] == [incident()]
        assert reader.totals() == [Counted(metric="m_total", labels={}, value=1.0)]


def test_a_migration_that_fails_leaves_the_store_as_it_was(opened: Callable[[], Store]) -> None:
    store = opened()
    with store.begin() as transaction:
        transaction.connection.execute(text("CREATE TABLE totals (metric TEXT)"))
    with pytest.raises(Exception, match="totals"):
        store.migrate()
    with store.read() as reader:
        assert inspect(reader.connection).get_table_names() == ["totals"]
    with store.begin() as transaction:
        transaction.connection.execute(text("DROP TABLE totals"))
    assert store.migrate()


def test_a_store_that_a_newer_release_has_migrated_is_left_as_it_is(opened: Callable[[], Store]) -> None:
    store = opened()
    store.migrate()
    with store.begin() as transaction:
        transaction.connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert not store.migrate()
    with store.begin() as transaction:
        transaction.save(Batch(incidents={12: incident()}), minutes(2))


def test_of_two_processes_that_migrate_at_once_the_second_finds_nothing_to_do(
    opened: Callable[[], Store], unmigrated: str
) -> None:
    program = (
        "import sys; from triaged.store.store import Store; store = Store(sys.argv[1]); print(flush=True);"
        " store.migrate(); store.close()"
    )
    store = opened()
    with store.begin() as transaction:
        migrating.upgrade(transaction.connection)
        second = subprocess.Popen(
            [sys.executable, "-c", program, unmigrated], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert second.stdout is not None
        second.stdout.readline()
        if not store.alone:
            waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            wait_until(lambda: transaction.connection.execute(waits).scalar_one(), what="the second process to wait")
    _, complaint = second.communicate(timeout=30)
    assert (second.returncode, complaint) == (0, "")
    with store.begin() as transaction:
        assert transaction.next_id("incident") == 1


def test_a_migrated_copy_refuses_what_the_schema_refuses(migrated_sqlite: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    shutil.copyfile(migrated_sqlite, copy)
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    store = Store(f"sqlite:///{copy}")
    with pytest.raises(Conflict), store.begin() as transaction:
        transaction.save(Batch(incidents={12: incident(opened_at=None)}), minutes(2))
    store.close()
