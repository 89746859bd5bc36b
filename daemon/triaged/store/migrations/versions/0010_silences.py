"""Silences: those that people asked for, and those that acknowledge an incident."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    # The former release knows nothing of them, and leaves them out where it writes an incident.
    op.add_column("incidents", sa.Column("silences", sa.Text(), nullable=False, server_default=sa.text("'[]'")))
    op.add_column("incidents", sa.Column("by_silence", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    op.create_index(
        "ix_incidents_by_silence",
        "incidents",
        ["id"],
        sqlite_where=sa.text("by_silence = 1 AND state = 'acknowledged'"),
        postgresql_where=sa.text("by_silence = 1 AND state = 'acknowledged'"),
    )
    op.create_table(
        "silences",
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("matchers", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("intended_at", sa.BigInteger()),
        sa.Column("claimed_until", sa.BigInteger()),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.CheckConstraint(
            "stage = 'wanted' OR stage = 'made' OR stage = 'lifting' OR stage = 'over'", name=op.f("ck_silences_stage")
        ),
    )
    op.create_index("ix_silences_incident_id", "silences", ["incident_id"])
    op.create_index("ix_silences_operation", "silences", ["operation"])
    op.create_index(
        "ix_silences_due_at",
        "silences",
        ["due_at"],
        sqlite_where=sa.text("stage != 'over'"),
        postgresql_where=sa.text("stage != 'over'"),
    )
