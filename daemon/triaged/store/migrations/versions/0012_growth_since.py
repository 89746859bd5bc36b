"""Growth: how long an alert counts is indexed only where a condition asks that."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.drop_index("ix_growth_members_since", table_name="growth_members")
    asked = sa.text("since_at > 0")
    op.create_index(
        "ix_growth_members_since",
        "growth_members",
        ["incident_id", "ref", "since_at"],
        sqlite_where=asked,
        postgresql_where=asked,
    )
