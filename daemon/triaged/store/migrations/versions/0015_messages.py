"""Notices: one message for each address."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("notices", sa.Column("outcome", sa.Text(), nullable=False, server_default="waiting"))
    op.create_table(
        "messages",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("notice_id", sa.BigInteger(), nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("claimed_until", sa.BigInteger()),
        sa.Column("intended_at", sa.BigInteger()),
        sa.Column("perhaps_twice", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("ending", sa.Text(), nullable=False),
        sa.Column("done_at", sa.BigInteger()),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("page", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
    )
    address = ["notice_id", "channel", "name", "place"]
    op.create_index("uq_messages_address", "messages", address, unique=True)
    op.create_index("ix_messages_incident_id", "messages", ["incident_id"])
    waiting = sa.text("done_at IS NULL")
    op.create_index(
        "ix_messages_waiting", "messages", ["channel", "rank", "id"], sqlite_where=waiting, postgresql_where=waiting
    )
    paged = sa.text("page = 'triggered' OR page = 'acknowledged'")
    op.create_index("ix_messages_paged", "messages", ["channel"], sqlite_where=paged, postgresql_where=paged)
