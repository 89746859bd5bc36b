"""Notices: one message for each address."""

revision = "0015"
down_revision = "0014"


def upgrade() -> None: ...
