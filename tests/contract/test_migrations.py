"""The schema that migrations build is the one that the code is written for, on both engines."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Index, MetaData, Table, inspect, text

import building
from building import episode, incident, minutes, named
from triaged import rulefiles
from triaged.app import rules_of
from triaged.core.effects import Tally
from triaged.core.model import Key
from triaged.errors import Conflict
from triaged.intake import verdicts
from triaged.intake.units import Delivery, Rules
from triaged.ports.store import Batch, Counted, Wanted
from triaged.replay.world import World
from triaged.sources import alertmanager
from triaged.store import migrating, schema
from triaged.store.store import HEAD, Store
from waiting import wait_until
from world import alert, body

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


def test_in_sqlite_every_check_has_the_text_of_the_schema(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/new.db")
    store.migrate()
    expected = {
        str(check.name): str(check.sqltext)
        for table in schema.metadata.sorted_tables
        for check in table.constraints
        if isinstance(check, CheckConstraint)
    }
    with store.read() as reader:
        looked = inspect(reader.connection)
        checks = [check for table in looked.get_table_names() for check in looked.get_check_constraints(table)]
        assert {check["name"]: check["sqltext"] for check in checks} == expected
        assert reader.connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
    store.close()


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


# ---------------------------------------------------------------- references of growth conditions (0005)


GROWS = """
matrix:
  extensive:   [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate:    [sev2, sev3, sev3, sev4]
  minor:       [sev3, sev3, sev4, sev4]
default: {impact: minor, urgency: high, category: error, team: platform}
key: [alertname]
rules:
- name: größer
  grows:INSERTED
  - {when: {distinct: {pod: 2, "zöne": 1}}, impact: significant, because: It spreads.}
  - {when: {alerts: 9, firing_for: 1h30m}, impact: extensive}
  - {when: {refires: {count: 9, within: 1d}}, impact: extensive, urgency: critical}
  - {when: {alerts: 9, firing_for: 1h30m}, impact: extensive, because: Told apart from its twin.}
"""
INSERTED = "\n  - {when: {alerts: 4}, impact: extensive, because: Four of them.}"
COUNTED = [schema.incidents, schema.verdicts, schema.growth_members, schema.growth_values, schema.growth_refires]


def rules(inserted: str = "") -> Rules:
    shipped = building.rule_files().files
    texts = {name: shipped[name] for name in ("severities.yaml", "calendars.yaml")}
    return rules_of(rulefiles.read({"triage.yaml": GROWS.replace("INSERTED", inserted), **texts}))


def pod(name: str, **more: str) -> dict[str, object]:
    return alert("Error", labels={"pod": name, "severity": "none", "zöne": "a"}, **more)


def contents(store: Store) -> list[list[tuple[object, ...]]]:
    with store.read() as reader:
        rows = [reader.connection.execute(table.select()).all() for table in COUNTED]
    return [sorted(tuple(row) for row in found) for found in rows]


def as_before(store: Store, rules: Rules) -> None:
    """Give every growth condition the reference that it had before: its place in its rule."""
    places = {growth.ref: name for rule in rules.rule_set.rules for name, growth in rule.growths()}
    with store.begin() as transaction:
        for table, column in (
            *((t, "ref") for t in COUNTED[2:]),
            (schema.incidents, "grown"),
            (schema.verdicts, "body"),
        ):
            for ref, place in sorted(places.items(), reverse=True):
                transaction.connection.execute(
                    text(f"UPDATE {table.name} SET {column} = replace({column}, :ref, :place)"),
                    {"ref": ref, "place": place},
                )
        transaction.connection.execute(text("UPDATE alembic_version SET version_num = '0004'"))


def only_0005(store: Store) -> None:
    """The schema of later migrations is there already."""
    with store.begin() as transaction:
        migrating.upgrade(transaction.connection, "0005")


def test_growth_counts_on_after_its_conditions_have_got_other_references(opened: Callable[[], Store]) -> None:
    store, sources = opened(), {"am": alertmanager.read}
    store.migrate()
    with World(rules(), minutes(0), readers=sources, store=store) as before:
        for sent in (pod("a"), pod("b"), pod("b", status="resolved"), pod("b"), pod("c")):
            (answer,) = before.ask(Delivery(id="d", source="am", body=body([sent])))
            assert answer.status == 200
            before.advance(before.clock.now() + timedelta(minutes=1))
    whole = contents(store)
    as_before(store, rules())
    assert contents(store) != whole
    assert all("v1:" not in str(found) for found in contents(store)[2:])

    upgraded = opened()
    only_0005(upgraded)
    assert contents(upgraded) == whole
    with World(rules(INSERTED), minutes(9), readers=sources, store=upgraded) as after:
        after.ask(Delivery(id="d", source="am", body=body([pod("a"), pod("b"), pod("c")])))
        (found,) = [after.incident(1)]
        assert found is not None
        assert (found.impact, named(rules(INSERTED).rule_set, found.grown)) == ("significant", ("größer#1",))


def test_growth_of_rules_that_the_store_has_no_more_stays_as_it_was(opened: Callable[[], Store]) -> None:
    store = opened()
    store.migrate()
    with store.begin() as transaction:
        grown = incident(grown=("gone#0",))
        said = building.verdict(growing=("gone#0",))
        rows = Batch(
            incidents={12: grown},
            episodes={1: episode()},
            verdicts={
                "v": ("unknown", verdicts.encode(said).decode()),
                "w": ("broken", verdicts.encode(said).decode()),
            },
        )
        transaction.save(rows, minutes(2))
        transaction.keep_files("rule_sets", "broken", {"triage.yaml": "rules: [{grows: [1]}, {"}, minutes(2))
        transaction.connection.execute(text("UPDATE alembic_version SET version_num = '0004'"))
    whole = contents(store)
    only_0005(store)
    assert contents(store) == whole
