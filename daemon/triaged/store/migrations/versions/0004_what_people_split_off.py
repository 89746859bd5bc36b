"""When a person split an incident off: the daemon folds it no more."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("incidents", sa.Column("split_at", sa.BigInteger()))
