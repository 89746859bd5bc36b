"""What people do to issues: hints, what was seen, and from when on repositories are listed."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    hinted, placed = sa.text("hinted_at IS NOT NULL"), sa.text("number IS NOT NULL")
    op.create_index(
        "ix_publications_place",
        "publications",
        ["repository", "number"],
        sqlite_where=placed,
        postgresql_where=placed,
    )
    op.create_table(
        "looks",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hinted_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("due_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("attempts", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("failure", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("through_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("closed_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("bot_closes", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("labels", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("assignees", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("ticks", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("remark", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("remarked_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("remarks", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("shown", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_looks")),
    )
    op.create_index("ix_looks_hinted", "looks", ["due_at"], sqlite_where=hinted, postgresql_where=hinted)
    op.create_table(
        "polls",
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("since_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("repository", name=op.f("pk_polls")),
    )
