"""Comments that answer one, issues that people opened or deleted and whom we assigned, and creations by their time."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    zero, sent = sa.text("0"), sa.text("intended_at IS NOT NULL")
    op.add_column("comments", sa.Column("reaction", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("comments", sa.Column("calls", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("comments", sa.Column("to_comment", sa.BigInteger(), nullable=True))
    op.add_column("publications", sa.Column("assigned", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("publications", sa.Column("gone", sa.BigInteger(), nullable=False, server_default=zero))
    op.add_column("publications", sa.Column("adopted", sa.BigInteger(), nullable=False, server_default=zero))
    for table in ("comments", "publications"):
        op.create_index(f"ix_{table}_intended_at", table, ["intended_at"], sqlite_where=sent, postgresql_where=sent)
