"""Staleness: when an alert was last heard of, and how often its group repeats."""

revision = "0011"
down_revision = "0010"


def upgrade() -> None: ...
