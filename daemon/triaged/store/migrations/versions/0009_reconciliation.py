"""Reconciliation: what an Alertmanager silences or inhibits."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "suppressions",
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("hush", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("ends_at", sa.BigInteger()),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.CheckConstraint("hush = 'silence' OR hush = 'inhibition'", name=op.f("ck_suppressions_hush")),
        sa.PrimaryKeyConstraint("fingerprint", "ref", name=op.f("pk_suppressions")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_suppressions_source", "suppressions", ["source"], unique=False)
