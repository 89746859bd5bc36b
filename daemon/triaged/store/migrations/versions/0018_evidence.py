"""Evidence: what was found about an incident."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.create_table(
        "findings",
        sa.Column("incident_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("round", sa.BigInteger(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("found_at", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "severity = 'sev1' OR severity = 'sev2' OR severity = 'sev3' OR severity = 'sev4'",
            name=op.f("ck_findings_severity"),
        ),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_findings")),
    )
    # What was there before counts, too: without it all would be seen for the first time.
    op.execute(
        "INSERT INTO findings (incident_id, round, severity, found_at, key, service, category, body)"
        " SELECT id, round, severity, opened_at, key, service, category, '' FROM incidents"
        " WHERE opened_at IS NOT NULL AND parent IS NULL"
    )
    known = sa.text("service != ''")
    op.create_index("ix_findings_key", "findings", ["key", "incident_id"])
    op.create_index(
        "ix_findings_service",
        "findings",
        ["service", "category", "incident_id"],
        sqlite_where=known,
        postgresql_where=known,
    )
