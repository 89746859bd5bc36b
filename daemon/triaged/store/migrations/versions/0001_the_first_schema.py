"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "alert_records",
        sa.Column("delivery", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("received_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("fingerprint", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("fate", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("incident_id", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("rule_set", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("raw", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.CheckConstraint(
            "fate IN ('began', 'continued', 'changed', 'ended', 'dropped', 'rejected', 'failed')",
            name=op.f("ck_alert_records_fate"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_records")),
    )
    with op.batch_alter_table("alert_records", schema=None) as batch_op:
        batch_op.create_index("ix_alert_records_received_at", ["received_at"], unique=False)
        batch_op.create_index(
            "ix_alert_records_unread",
            ["fate", "id"],
            unique=False,
            sqlite_where=sa.text("fate IN ('rejected', 'failed')"),
            postgresql_where=sa.text("fate IN ('rejected', 'failed')"),
        )

    op.create_table(
        "comments",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("incident_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("rank", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("due_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("claimed_until", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("attempts", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("searches", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("operation", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("intended_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("done_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("failure", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comments")),
    )
    with op.batch_alter_table("comments", schema=None) as batch_op:
        batch_op.create_index(
            "ix_comments_waiting",
            ["rank", "due_at"],
            unique=False,
            sqlite_where=sa.text("done_at IS NULL"),
            postgresql_where=sa.text("done_at IS NULL"),
        )
        batch_op.create_index("uq_comments_key", ["incident_id", "key"], unique=True)

    op.create_table(
        "deadlines",
        sa.Column("incident_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("due_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "kind", name=op.f("pk_deadlines")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("deadlines", schema=None) as batch_op:
        batch_op.create_index("ix_deadlines_due_at", ["due_at"], unique=False)

    op.create_table(
        "episodes",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fingerprint", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("incident_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("labels", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("annotations", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("generator_url", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("starts_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("begun_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ended_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("severity", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("verdict", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(), autoincrement=False, nullable=False),
        sa.Column("refires", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.CheckConstraint("severity IN ('sev1', 'sev2', 'sev3', 'sev4')", name=op.f("ck_episodes_severity")),
        sa.CheckConstraint("ended_at IS NOT NULL OR last = 1", name=op.f("ck_episodes_unfinished_is_last")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_episodes")),
    )
    with op.batch_alter_table("episodes", schema=None) as batch_op:
        batch_op.create_index("ix_episodes_incident", ["incident_id", "ended_at"], unique=False)
        batch_op.create_index(
            "uq_episodes_last",
            ["fingerprint"],
            unique=True,
            sqlite_where=sa.text("last = 1"),
            postgresql_where=sa.text("last = 1"),
        )

    op.create_table(
        "growth_members",
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("episode_id", sa.BigInteger(), nullable=False),
        sa.Column("since_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "ref", "episode_id", name=op.f("pk_growth_members")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("growth_members", schema=None) as batch_op:
        batch_op.create_index("ix_growth_members_since", ["incident_id", "ref", "since_at"], unique=False)

    op.create_table(
        "growth_refires",
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("episode_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "ref", "episode_id", name=op.f("pk_growth_refires")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("growth_refires", schema=None) as batch_op:
        batch_op.create_index("ix_growth_refires_at", ["incident_id", "ref", "at"], unique=False)

    op.create_table(
        "growth_values",
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("firing", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "ref", "label", "value", name=op.f("pk_growth_values")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "incidents",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("title", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("service", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("team", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("category", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("impact", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("urgency", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("severity", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("judged", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("rule_set", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("policy", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("started_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("because", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("matched", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("labels", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("repository", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("restricted", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("close", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("chosen", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("chosen_by", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("covered", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("alerts", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("firing", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("pending_until", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("round", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("opened_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("round_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("acknowledged_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("acknowledged_by", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("acknowledged_until", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("former_state", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("last_begun_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("last_ended_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("restored_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("resolved_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("closed_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("closed_by", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("closed_by_kind", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("close_reason", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("closed_covering", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("response_started_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("response_due_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("response_at_risk_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("response_at_risk", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("response_outcome", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("resolution_due_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("resolution_at_risk_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("resolution_at_risk", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("resolution_outcome", sa.Text(), autoincrement=False, nullable=True),
        sa.Column("grows_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("grown", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("follows", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("summary", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("root_cause", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("fix", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("prevention", sa.Text(), autoincrement=False, nullable=False),
        sa.CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name=op.f("ck_incidents_closed")),
        sa.CheckConstraint(
            "close_reason IN ('completed', 'false_alarm', 'not_planned', 'duplicate', 'unopened')",
            name=op.f("ck_incidents_close_reason"),
        ),
        sa.CheckConstraint("judged IN ('sev1', 'sev2', 'sev3', 'sev4')", name=op.f("ck_incidents_judged")),
        sa.CheckConstraint(
            "resolution_outcome IN ('met', 'breached', 'not_required')", name=op.f("ck_incidents_resolution_outcome")
        ),
        sa.CheckConstraint(
            "response_outcome IN ('met', 'breached', 'not_required')", name=op.f("ck_incidents_response_outcome")
        ),
        sa.CheckConstraint("severity IN ('sev1', 'sev2', 'sev3', 'sev4')", name=op.f("ck_incidents_severity")),
        sa.CheckConstraint("state IN ('pending', 'closed') OR opened_at IS NOT NULL", name=op.f("ck_incidents_opened")),
        sa.CheckConstraint(
            "state IN ('pending', 'open', 'acknowledged', 'verifying', 'resolved', 'closed')",
            name=op.f("ck_incidents_state"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('verifying', 'resolved') OR restored_at IS NOT NULL", name=op.f("ck_incidents_restored")
        ),
        sa.CheckConstraint("firing >= 0 AND firing <= alerts", name=op.f("ck_incidents_firing")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
    )
    with op.batch_alter_table("incidents", schema=None) as batch_op:
        batch_op.create_index(
            "ix_incidents_closed_at",
            ["closed_at"],
            unique=False,
            sqlite_where=sa.text("closed_at IS NOT NULL"),
            postgresql_where=sa.text("closed_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_incidents_closed_firing",
            ["id"],
            unique=False,
            sqlite_where=sa.text("state = 'closed' AND firing > 0"),
            postgresql_where=sa.text("state = 'closed' AND firing > 0"),
        )
        batch_op.create_index(
            "ix_incidents_unfinished",
            ["state", "severity"],
            unique=False,
            sqlite_where=sa.text("state != 'closed'"),
            postgresql_where=sa.text("state != 'closed'"),
        )

    op.create_table(
        "policies",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        sa.Column("first_used_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_policies")),
    )
    op.create_table(
        "publications",
        sa.Column("incident_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rank", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("wanted", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("done", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("wanted_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("due_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("claimed_until", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("attempts", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("searches", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("operation", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("intended_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("created", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("backend", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("repository", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("url", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("block", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("labels", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("closed", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("failure", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_publications")),
    )
    with op.batch_alter_table("publications", schema=None) as batch_op:
        batch_op.create_index(
            "ix_publications_waiting",
            ["rank", "due_at"],
            unique=False,
            sqlite_where=sa.text("wanted != done"),
            postgresql_where=sa.text("wanted != done"),
        )

    op.create_table(
        "rule_sets",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        sa.Column("first_used_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_rule_sets")),
    )
    op.create_table(
        "sequences",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_sequences")),
    )
    op.create_table(
        "timeline",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("incident_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("by", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timeline")),
    )
    with op.batch_alter_table("timeline", schema=None) as batch_op:
        batch_op.create_index("ix_timeline_incident", ["incident_id", "id"], unique=False)

    op.create_table(
        "totals",
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("replica", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("metric", "labels", "replica", name=op.f("pk_totals")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "verdicts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("rule_set", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdicts")),
    )
    op.create_table(
        "incident_keys",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.BigInteger(), nullable=False),
        sa.Column("pairs", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name=op.f("fk_incident_keys_incident_id")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_incident_keys")),
    )
    with op.batch_alter_table("incident_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_incident_keys_incident_id"), ["incident_id"], unique=False)
