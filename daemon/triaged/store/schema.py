"""The tables, one schema for SQLite and PostgreSQL; invariants that matter are constraints here."""

from __future__ import annotations

from enum import Enum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

from triaged.core.health import Answer, Phase
from triaged.core.heartbeats import Beat
from triaged.core.maintenance import Plan
from triaged.core.model import (
    ActionKind,
    CloseReason,
    Deadline,
    Episode,
    Fold,
    Incident,
    Outcome,
    ReviewOutcome,
    Severity,
    State,
    TimelineEntry,
)
from triaged.core.oncall import Reading
from triaged.core.problems import Counted, Problem, ProblemKind, ProblemState
from triaged.core.rotation import Shift
from triaged.core.silences import Stage
from triaged.core.staleness import Hearing, Unheard
from triaged.core.suppression import Hush, Suppression
from triaged.ports.channel import Message
from triaged.ports.looks import Look
from triaged.ports.reviews import ActionRow, ReviewRow
from triaged.ports.silences import WantedSilence
from triaged.ports.store import AlertRecord, Fate, Notice, PendingComment, Publication
from triaged.store.codec import Codec

INCIDENT = Codec(Incident)
EPISODE = Codec(Episode)
DEADLINE = Codec(Deadline)
ENTRY = Codec(TimelineEntry)
RECORD = Codec(AlertRecord)
PUBLICATION = Codec(Publication)
COMMENT = Codec(PendingComment)
NOTICE = Codec(Notice)
MESSAGE = Codec(Message)
SUPPRESSION = Codec(Suppression)
PLAN = Codec(Plan)
BEAT = Codec(Beat)
HEARING = Codec(Hearing)
UNHEARD = Codec(Unheard)
SILENCE = Codec(WantedSilence)
SHIFT = Codec(Shift)
HEALTH = Codec(Answer)
SHIFT_READING = Codec(Reading)
PROBLEM = Codec(Problem)
COUNTED = Codec(Counted)
REVIEW = Codec(ReviewRow)
ACTION_ITEM = Codec(ActionRow)
LOOK = Codec(Look)

# SQLite gives ids by itself only to a column declared exactly INTEGER.
ROW_ID = BigInteger().with_variant(Integer(), "sqlite")
_TYPES: dict[str, Any] = {
    "instant": BigInteger,
    "integer": BigInteger,
    "float": Float(53),
    "bytes": LargeBinary,
    "text": Text,
}

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)


# What rows have that a former release writes: it runs on this schema, too.
_DEFAULTS: dict[str, Any] = {
    "silences": "[]",
    "by_silence": text("0"),
    "process": "{}",
    "outcome": "waiting",
    "reaction": text("''"),
    "calls": "[]",
    "assigned": "[]",
    "gone": text("0"),
    "adopted": text("0"),
}


def _columns(codec: Codec[Any], *primary: str, but: frozenset[str] = frozenset()) -> list[Column[Any]]:
    return [
        Column(
            c.name,
            _TYPES[c.kind],
            primary_key=c.name in primary,
            nullable=c.nullable,
            autoincrement=False,
            server_default=_DEFAULTS.get(c.name),
        )
        for c in codec.columns
        if c.name not in but
    ]


def _one_of(column: str, values: type[Enum]) -> CheckConstraint:
    # Not IN: for a list of more than two SQLite fills a table each time, which takes a third of an alert's insert.
    return CheckConstraint(" OR ".join(f"{column} = '{v.value}'" for v in values), name=column)


def _only(condition: str) -> dict[str, Any]:
    """The rows that an index holds, as both dialects want to be told."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


incidents = Table(
    "incidents",
    metadata,
    *_columns(INCIDENT, "id"),
    _one_of("state", State),
    _one_of("severity", Severity),
    _one_of("judged", Severity),
    _one_of("close_reason", CloseReason),
    _one_of("response_outcome", Outcome),
    _one_of("resolution_outcome", Outcome),
    CheckConstraint("firing >= 0 AND firing <= alerts", name="firing"),
    CheckConstraint("state IN ('pending', 'closed') OR opened_at IS NOT NULL", name="opened"),
    CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name="closed"),
    CheckConstraint("state NOT IN ('verifying', 'resolved') OR restored_at IS NOT NULL", name="restored"),
    _one_of("fold", Fold),
    CheckConstraint("(parent IS NULL) = (fold IS NULL)", name="folded"),
    Index("ix_incidents_service", "service", **_only("service != '' AND state IN ('open', 'acknowledged')")),
    Index("ix_incidents_parent", "parent", **_only("parent IS NOT NULL")),
    Index("ix_incidents_opened_at", "opened_at", **_only("opened_at IS NOT NULL")),
    Index(
        "ix_incidents_unfinished",
        "state",
        "severity",
        **_only("state != 'closed'"),
    ),
    Index(
        "ix_incidents_closed_firing",
        "id",
        **_only("state = 'closed' AND firing > 0"),
    ),
    Index("ix_incidents_held", "id", **_only("state = 'pending' AND held_until IS NOT NULL")),
    Index("ix_incidents_by_silence", "id", **_only("by_silence = 1 AND state = 'acknowledged'")),
    Index(
        "ix_incidents_closed_at",
        "closed_at",
        **_only("closed_at IS NOT NULL"),
    ),
)

# Whose key it is: the unfinished incident's, or after its end the one that owned it last. The primary key is the
# promise "one key, one unfinished incident".
incident_keys = Table(
    "incident_keys",
    metadata,
    Column("key", Text, primary_key=True),
    Column("incident_id", BigInteger, ForeignKey("incidents.id"), nullable=False, index=True),
    Column("pairs", Text, nullable=False),
)

episodes = Table(
    "episodes",
    metadata,
    *_columns(EPISODE, "id"),
    _one_of("severity", Severity),
    CheckConstraint("ended_at IS NOT NULL OR last = 1", name="unfinished_is_last"),
    # One newest episode per alert, therefore (with the check above) at most one unfinished.
    Index(
        "uq_episodes_last", "fingerprint", unique=True, sqlite_where=text("last = 1"), postgresql_where=text("last = 1")
    ),
    # One index for both questions, what fires and what fired: every index is a page more to write for each new alert.
    Index("ix_episodes_incident", "incident_id", "ended_at"),
)

deadlines = Table(
    "deadlines",
    metadata,
    *_columns(DEADLINE, "incident_id", "kind"),
    Index("ix_deadlines_due_at", "due_at"),
    sqlite_with_rowid=False,
)

timeline = Table(
    "timeline",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    *_columns(ENTRY),
    Index("ix_timeline_incident", "incident_id", "id"),
)

# What people did, whole; the timeline tells it in words.
acts = Table(
    "acts",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("incident_id", BigInteger, nullable=False),
    Column("act", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("ix_acts_at", "at"),
    Index("ix_acts_incident_id", "incident_id"),
)

alert_records = Table(
    "alert_records",
    metadata,
    *_columns(RECORD, but=frozenset({"id"})),
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    _one_of("fate", Fate),
    Index("ix_alert_records_received_at", "received_at"),
    Index(
        "ix_alert_records_unread",
        "fate",
        "id",
        **_only("fate IN ('rejected', 'failed')"),
    ),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("rule_set", Text, nullable=False),
    Column("body", Text, nullable=False),
)

rule_sets = Table(
    "rule_sets",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("files", Text, nullable=False),
    Column("first_used_at", BigInteger, nullable=False),
)

policies = Table(
    "policies",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("files", Text, nullable=False),
    Column("first_used_at", BigInteger, nullable=False),
)

publications = Table(
    "publications",
    metadata,
    *_columns(PUBLICATION, "incident_id"),
    Index(
        "ix_publications_waiting",
        "rank",
        "due_at",
        **_only("wanted != done"),
    ),
    Index("ix_publications_doubtful_at", "doubtful_at", **_only("doubtful_at IS NOT NULL")),
    Index("ix_publications_intended_at", "intended_at", **_only("intended_at IS NOT NULL")),
    Index("ix_publications_place", "repository", "number", **_only("number IS NOT NULL")),
)

# What was seen of issues, by the number of what they are of; made with the first hint that one changed.
looks = Table(
    "looks",
    metadata,
    *_columns(LOOK, "number"),
    Index("ix_looks_hinted", "due_at", **_only("hinted_at IS NOT NULL")),
)

# From when on each repository is listed for what changed.
polls = Table(
    "polls",
    metadata,
    Column("repository", Text, primary_key=True),
    Column("since_at", BigInteger, nullable=False),
)

comments = Table(
    "comments",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    *_columns(COMMENT, but=frozenset({"id"})),
    Index("uq_comments_key", "incident_id", "key", unique=True),
    Index(
        "ix_comments_waiting",
        "rank",
        "due_at",
        **_only("done_at IS NULL"),
    ),
    Index("ix_comments_intended_at", "intended_at", **_only("intended_at IS NOT NULL")),
)

# What people are told by their channels: a notice is a decision's, its messages are one for each address.
notices = Table(
    "notices",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    *_columns(NOTICE, but=frozenset({"id"})),
    Index("uq_notices_key", "incident_id", "key", unique=True),
    Index("ix_notices_waiting", "rank", "id", **_only("done_at IS NULL")),
)
messages = Table(
    "messages",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    *_columns(MESSAGE, but=frozenset({"id"})),
    Index("uq_messages_address", "notice_id", "channel", "name", "place", unique=True),
    Index("ix_messages_incident_id", "incident_id"),
    Index("ix_messages_waiting", "channel", "rank", "id", **_only("done_at IS NULL")),
    Index("ix_messages_paged", "channel", **_only("page = 'triggered' OR page = 'acknowledged'")),
)

# Rows found by their whole key lie in the key's own tree on SQLite (sqlite_with_rowid=False): one page less to write.

# Growth, counted as alerts come and go, so that a condition is asked without reading an incident's alerts.
growth_members = Table(
    "growth_members",
    metadata,
    Column("incident_id", BigInteger, primary_key=True),
    Column("ref", Text, primary_key=True),
    Column("episode_id", BigInteger, primary_key=True),
    Column("since_at", BigInteger, nullable=False),
    # 0: the condition does not ask how long. Most do not, and every index is a page more to write for each new alert.
    Index("ix_growth_members_since", "incident_id", "ref", "since_at", **_only("since_at > 0")),
    sqlite_with_rowid=False,
)
growth_values = Table(
    "growth_values",
    metadata,
    Column("incident_id", BigInteger, primary_key=True),
    Column("ref", Text, primary_key=True),
    Column("label", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("firing", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
growth_refires = Table(
    "growth_refires",
    metadata,
    Column("incident_id", BigInteger, primary_key=True),
    Column("ref", Text, primary_key=True),
    Column("episode_id", BigInteger, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Index("ix_growth_refires_at", "incident_id", "ref", "at"),
    sqlite_with_rowid=False,
)

# The next id of what is numbered here and not by the database; one row a name. Numbers are never used twice.
sequences = Table(
    "sequences",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

totals = Table(
    "totals",
    metadata,
    Column("metric", Text, primary_key=True),
    Column("labels", Text, primary_key=True),
    Column("replica", Text, primary_key=True),
    Column("value", Float(53), nullable=False),
    sqlite_with_rowid=False,
)

# Each series of a heartbeat that is followed, and what was heard of it.
heartbeats = Table(
    "heartbeats",
    metadata,
    *_columns(BEAT, "name", "series"),
    sqlite_with_rowid=False,
)

# Maintenance windows that were asked for while the daemon ran; those of the rules folder stand there.
windows = Table(
    "windows",
    metadata,
    *_columns(PLAN, but=frozenset({"number"})),
    Column("number", ROW_ID, primary_key=True, autoincrement=True),
    CheckConstraint("ends_at >= begins_at", name="span"),
    Index("ix_windows_ends_at", "ends_at"),
    Index("ix_windows_begins_at", "begins_at"),
)

# Why alerts that fire are not told of by their Alertmanager, as it was read last.
suppressions = Table(
    "suppressions",
    metadata,
    *_columns(SUPPRESSION, "fingerprint", "ref"),
    _one_of("hush", Hush),
    Index("ix_suppressions_source", "source"),
    sqlite_with_rowid=False,
)

# Silences that people asked for, to be made in their Alertmanager and removed from it.
silences = Table(
    "silences",
    metadata,
    *_columns(SILENCE, but=frozenset({"id"})),
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    _one_of("stage", Stage),
    Index("ix_silences_incident_id", "incident_id"),
    Index("ix_silences_operation", "operation"),
    Index("ix_silences_due_at", "due_at", **_only("stage != 'over'")),
)

# When alerts were heard of last, and how often they repeat. One that was heard of only when it began has no row.
hearings = Table(
    "hearings",
    metadata,
    *_columns(HEARING, "fingerprint"),
    CheckConstraint("every_seconds > 0", name="every"),
    sqlite_with_rowid=False,
)

# Incidents that are not heard of: what fires in them may have ended unseen.
unheard = Table("unheard", metadata, *_columns(UNHEARD, "incident_id"))

# Who is on call, as calendars elsewhere said it last, in the order in which the shifts begin.
shifts = Table(
    "shifts",
    metadata,
    Column("team", Text, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    *_columns(SHIFT),
    CheckConstraint("ends_at > begins_at", name="span"),
    sqlite_with_rowid=False,
)

# What became of reading those calendars.
shift_readings = Table("shift_readings", metadata, *_columns(SHIFT_READING, "team"), sqlite_with_rowid=False)

# What lists, metrics and calendars ask of reviews and action items, which stand whole on their incident.
reviews = Table(
    "reviews",
    metadata,
    *_columns(REVIEW, "number"),
    _one_of("state", ReviewOutcome),
    _one_of("severity", Severity),
    CheckConstraint("due_at >= opens_at", name="span"),
    Index("uq_reviews_incident_id", "incident_id", unique=True),
    Index("ix_reviews_open", "due_at", **_only("state = 'open'")),
)
action_items = Table(
    "action_items",
    metadata,
    *_columns(ACTION_ITEM, "incident_id", "id"),
    _one_of("kind", ActionKind),
    Index("ix_action_items_open", "due_at", **_only("done_at IS NULL")),
    sqlite_with_rowid=False,
)

# What health queries said: in each round of an incident before it, when it opened, and while it was watched last.
health = Table(
    "health",
    metadata,
    Column("incident_id", BigInteger, primary_key=True, autoincrement=False),
    Column("round", BigInteger, primary_key=True, autoincrement=False),
    *_columns(HEALTH, "query", "phase"),
    _one_of("phase", Phase),
    sqlite_with_rowid=False,
)

# What recurs: one problem a cause, which opens anew rather than a second time.
problems = Table(
    "problems",
    metadata,
    *_columns(PROBLEM, "id"),
    _one_of("kind", ProblemKind),
    _one_of("state", ProblemState),
    CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name="closed"),
    Index("uq_problems_cause", "cause", unique=True),
    Index("ix_problems_open", "team", **_only("state = 'open'")),
    Index("ix_problems_closed_at", "closed_at", **_only("closed_at IS NOT NULL")),
)

# The incidents that count for problems, written after their opening; each is followed by one problem at most.
problem_incidents = Table(
    "problem_incidents",
    metadata,
    *_columns(COUNTED, "incident_id"),
    Index("ix_problem_incidents_key", "key", "opened_at", **_only("problem_id IS NULL")),
    Index("ix_problem_incidents_service", "service", "opened_at", **_only("problem_id IS NULL AND service != ''")),
    Index("ix_problem_incidents_problem_id", "problem_id", "incident_id", **_only("problem_id IS NOT NULL")),
)

# Up to which row the timelines of incidents were looked at.
problems_seen = Table(
    "problems_seen",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("timeline_id", BigInteger, nullable=False),
)

# Links to what is known, of the incident or problem with that number.
knowledge = Table(
    "knowledge",
    metadata,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    Column("incident_id", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("restricted", BigInteger, nullable=False),
    Column("url", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("uq_knowledge_url", "incident_id", "url", unique=True),
    Index("ix_knowledge_key", "key"),
    Index("ix_knowledge_service", "service", "category", **_only("service != ''")),
)

# What was found about incidents, the newest look at each; with what tells the alike, for which incidents have no index.
findings = Table(
    "findings",
    metadata,
    Column("incident_id", BigInteger, primary_key=True, autoincrement=False),
    Column("round", BigInteger, nullable=False),
    Column("severity", Text, nullable=False),
    Column("found_at", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("body", Text, nullable=False),
    _one_of("severity", Severity),
    Index("ix_findings_key", "key", "incident_id"),
    Index("ix_findings_service", "service", "category", "incident_id", **_only("service != ''")),
)
