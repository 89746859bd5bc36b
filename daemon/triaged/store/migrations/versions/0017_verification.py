"""Verification: what health queries said."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "health",
        sa.Column("incident_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("round", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("query", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("phase", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("holds", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("value", sa.Float(53), autoincrement=False, nullable=True),
        sa.CheckConstraint("phase = 'before' OR phase = 'during' OR phase = 'after'", name=op.f("ck_health_phase")),
        sa.PrimaryKeyConstraint("incident_id", "round", "query", "phase", name=op.f("pk_health")),
        sqlite_with_rowid=False,
    )
