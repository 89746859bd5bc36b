"""Reviews of incidents, and their action items."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.create_table(
        "reviews",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("opens_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state = 'open' OR state = 'held' OR state = 'waived' OR state = 'withdrawn'", name=op.f("ck_reviews_state")
        ),
        sa.CheckConstraint(
            "severity = 'sev1' OR severity = 'sev2' OR severity = 'sev3' OR severity = 'sev4'",
            name=op.f("ck_reviews_severity"),
        ),
        sa.CheckConstraint("due_at >= opens_at", name=op.f("ck_reviews_span")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_reviews")),
    )
    is_open = sa.text("state = 'open'")
    op.create_index("uq_reviews_incident_id", "reviews", ["incident_id"], unique=True)
    op.create_index("ix_reviews_open", "reviews", ["due_at"], sqlite_where=is_open, postgresql_where=is_open)
    op.create_table(
        "action_items",
        sa.Column("incident_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kind = 'preventive' OR kind = 'process' OR kind = 'tool' OR kind = 'training'",
            name=op.f("ck_action_items_kind"),
        ),
        sa.PrimaryKeyConstraint("incident_id", "id", name=op.f("pk_action_items")),
        sqlite_with_rowid=False,
    )
    to_do = sa.text("done_at IS NULL")
    op.create_index("ix_action_items_open", "action_items", ["due_at"], sqlite_where=to_do, postgresql_where=to_do)
