"""Evidence: what was found about an incident."""

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    pass
