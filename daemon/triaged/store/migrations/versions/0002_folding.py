"""Incidents that are folded into others, and storms."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("incidents", schema=None) as batch_op:
        batch_op.add_column(sa.Column("parent", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("fold", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("folded_at", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("storm_until", sa.BigInteger(), nullable=True))
        batch_op.create_check_constraint(op.f("ck_incidents_fold"), "fold IN ('storm', 'dependency', 'merge')")
        batch_op.create_check_constraint(op.f("ck_incidents_folded"), "(parent IS NULL) = (fold IS NULL)")
        batch_op.create_index(
            "ix_incidents_service",
            ["service"],
            unique=False,
            sqlite_where=sa.text("service != '' AND state IN ('open', 'acknowledged')"),
            postgresql_where=sa.text("service != '' AND state IN ('open', 'acknowledged')"),
        )
        batch_op.create_index(
            "ix_incidents_parent",
            ["parent"],
            unique=False,
            sqlite_where=sa.text("parent IS NOT NULL"),
            postgresql_where=sa.text("parent IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_incidents_opened_at",
            ["opened_at"],
            unique=False,
            sqlite_where=sa.text("opened_at IS NOT NULL"),
            postgresql_where=sa.text("opened_at IS NOT NULL"),
        )
