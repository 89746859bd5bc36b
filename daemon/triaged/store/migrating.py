"""Migrations run by Alembic: numbered, forward only, never edited once they have landed."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, func, select

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x74726961676564  # "triaged": PostgreSQL's advisory locks are named by numbers


def config() -> Config:
    """Alembic's configuration, without an ini file."""
    found = Config()
    found.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return found


def upgrade(connection: Connection, to: str = "head") -> None:
    """Apply every migration up to `to` that the database does not have, in the connection's transaction.

    Several processes may do it at once: one goes first, the others find nothing left to do.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    settings = config()
    settings.attributes["connection"] = connection
    command.upgrade(settings, to)
