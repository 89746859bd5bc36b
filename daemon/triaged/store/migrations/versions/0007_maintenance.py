"""Maintenance: incidents that a window holds back, and windows from pipelines."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("incidents", sa.Column("held_by", sa.Text()))
    op.add_column("incidents", sa.Column("held_for", sa.Text()))
    op.add_column("incidents", sa.Column("held_until", sa.BigInteger()))
    op.add_column("incidents", sa.Column("delayed_until", sa.BigInteger()))
    op.create_index(
        "ix_incidents_held",
        "incidents",
        ["id"],
        sqlite_where=sa.text("state = 'pending' AND held_until IS NOT NULL"),
        postgresql_where=sa.text("state = 'pending' AND held_until IS NOT NULL"),
    )
    op.create_table(
        "windows",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("match", sa.Text(), nullable=False),
        sa.Column("begins_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("all", sa.BigInteger(), nullable=False),
        sa.Column("ended_by", sa.Text()),
        sa.CheckConstraint("ends_at >= begins_at", name=op.f("ck_windows_span")),
    )
    op.create_index("ix_windows_ends_at", "windows", ["ends_at"])
    op.create_index("ix_windows_begins_at", "windows", ["begins_at"])
