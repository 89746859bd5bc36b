"""Issues that may have a twin."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.add_column("publications", sa.Column("doubtful_at", sa.BigInteger(), nullable=True))
    waits = sa.text("doubtful_at IS NOT NULL")
    op.create_index(
        "ix_publications_doubtful_at", "publications", ["doubtful_at"], sqlite_where=waits, postgresql_where=waits
    )
