"""Silences: what a person's act wants to be silent in an Alertmanager."""

revision = "0010"
down_revision = "0009"


def upgrade() -> None: ...
