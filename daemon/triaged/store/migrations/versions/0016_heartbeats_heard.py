"""Heartbeats: since when the alert fires that was heard last, and until when the daemon listened."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("heartbeats", sa.Column("started_at", sa.BigInteger(), nullable=True))
    op.add_column("heartbeats", sa.Column("listened_at", sa.BigInteger(), nullable=True))
