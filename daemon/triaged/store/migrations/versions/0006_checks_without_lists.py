"""Checks of values that are one of several: the same in words that SQLite works out faster.

For `IN` with more than two values it fills a table for each row. A check's text may be edited where it stands, which is
done in no time however large the store is: https://www.sqlite.org/lang_altertable.html#otheralter
"""

import re
from contextlib import suppress

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_LIST = re.compile(r"(\w+) IN \(('\w+'(?:, '\w+'){2,})\)")


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    run = connection.exec_driver_sql
    version = run("PRAGMA schema_version").scalar_one()
    tables = run("SELECT name, sql FROM sqlite_master WHERE type = 'table'").all()
    run("PRAGMA writable_schema = ON")
    # A build of SQLite that lets nobody edit its schema keeps the old text, which means the same.
    with suppress(sa.exc.OperationalError):
        for name, text in tables:
            run("UPDATE sqlite_master SET sql = ? WHERE name = ?", (_LIST.sub(_alternatives, text), name))
        run(f"PRAGMA schema_version = {version + 1}")
    run("PRAGMA writable_schema = RESET")


def _alternatives(found: re.Match[str]) -> str:
    return " OR ".join(f"{found[1]} = {value}" for value in found[2].split(", "))
