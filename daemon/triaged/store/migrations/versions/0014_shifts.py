"""On-call: shifts that were read from calendars elsewhere."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "shifts",
        sa.Column("team", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("who", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("begins_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ends_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.CheckConstraint("ends_at > begins_at", name=op.f("ck_shifts_span")),
        sa.PrimaryKeyConstraint("team", "number", name=op.f("pk_shifts")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "shift_readings",
        sa.Column("team", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("tried_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("read_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("until", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("failure", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("team", name=op.f("pk_shift_readings")),
        sqlite_with_rowid=False,
    )
