"""The process on the clock: where people are with an incident, and what they are told."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    # Where nothing is said of it, nobody has done anything yet.
    op.add_column("incidents", sa.Column("process", sa.Text(), nullable=False, server_default="{}"))
    op.create_table(
        "notices",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("recipients", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
    )
    op.create_index("uq_notices_key", "notices", ["incident_id", "key"], unique=True)
    waiting = sa.text("done_at IS NULL")
    op.create_index("ix_notices_waiting", "notices", ["rank", "id"], sqlite_where=waiting, postgresql_where=waiting)
