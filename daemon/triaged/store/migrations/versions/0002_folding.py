"""Incidents that are folded into others, and storms."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # Checks come with their column: to add them later SQLite would have to copy the table, which others refer to.
    fold = sa.Column(
        "fold",
        sa.Text(),
        sa.CheckConstraint("fold IN ('storm', 'dependency', 'merge')", name=op.f("ck_incidents_fold")),
        sa.CheckConstraint("(parent IS NULL) = (fold IS NULL)", name=op.f("ck_incidents_folded")),
    )
    op.add_column("incidents", sa.Column("parent", sa.BigInteger()))
    op.add_column("incidents", fold)
    op.add_column("incidents", sa.Column("folded_at", sa.BigInteger()))
    op.add_column("incidents", sa.Column("storm_until", sa.BigInteger()))
    for column, condition in (
        ("service", "service != '' AND state IN ('open', 'acknowledged')"),
        ("parent", "parent IS NOT NULL"),
        ("opened_at", "opened_at IS NOT NULL"),
    ):
        where = sa.text(condition)
        op.create_index(f"ix_incidents_{column}", "incidents", [column], sqlite_where=where, postgresql_where=where)
