"""Staleness: when an alert was last heard of, and how often its group repeats."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "hearings",
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("heard_at", sa.BigInteger(), nullable=False),
        sa.Column("gaps", sa.Text(), nullable=False),
        sa.Column("every_seconds", sa.BigInteger()),
        sa.CheckConstraint("every_seconds > 0", name=op.f("ck_hearings_every")),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_hearings")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "unheard",
        sa.Column("incident_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("since_at", sa.BigInteger(), nullable=False),
        sa.Column("every_seconds", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_unheard")),
    )
