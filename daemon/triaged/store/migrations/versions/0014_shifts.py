"""On-call: shifts that were read from calendars elsewhere."""

revision = "0014"
down_revision = "0013"


def upgrade() -> None: ...
