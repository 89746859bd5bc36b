"""The words of the domain as frozen values: alert, episode, verdict, incident, deadline, timeline entry."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum, unique
from types import MappingProxyType

from msgspec import Struct, field

NOTHING: Mapping[str, str] = MappingProxyType({})


class Ranked(StrEnum):
    """A closed set declared from the gravest to the lightest; `rank` 0 is the gravest."""

    rank: int

    def __init__(self, _value: str) -> None:
        self.rank = len(type(self).__members__)

    def graver_than(self, other: Ranked) -> bool:
        return self.rank < other.rank


@unique
class Severity(Ranked):
    SEV1 = "sev1"
    SEV2 = "sev2"
    SEV3 = "sev3"
    SEV4 = "sev4"

    @property
    def pages(self) -> bool:
        """Whether it does not wait: not for a delay, not in a queue, not in another incident's issue."""
        return self in (Severity.SEV1, Severity.SEV2)


@unique
class Impact(Ranked):
    EXTENSIVE = "extensive"
    SIGNIFICANT = "significant"
    MODERATE = "moderate"
    MINOR = "minor"


@unique
class Urgency(Ranked):
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@unique
class Category(StrEnum):
    OUTAGE = "outage"
    DEGRADATION = "degradation"
    SECURITY = "security"
    DATA_LOSS = "data_loss"
    ERROR = "error"
    CRITICAL_FUNCTION = "critical_function"


@unique
class State(StrEnum):
    """Where an incident stands: `unfinished` ones own their keys, `working` ones are a matter for people now."""

    PENDING = "pending"
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    VERIFYING = "verifying"
    RESOLVED = "resolved"
    CLOSED = "closed"

    unfinished: bool
    working: bool

    def __init__(self, value: str) -> None:
        self.unfinished = value not in ("resolved", "closed")
        self.working = value in ("open", "acknowledged")


@unique
class Objective(StrEnum):
    RESPONSE = "response"
    RESOLUTION = "resolution"


@unique
class Outcome(StrEnum):
    """How an objective of a round ended; final once recorded."""

    MET = "met"
    BREACHED = "breached"
    NOT_REQUIRED = "not_required"


@unique
class CloseReason(StrEnum):
    """Why an incident was closed; `unopened` is a pending one that ended before its deadline."""

    COMPLETED = "completed"
    FALSE_ALARM = "false_alarm"
    NOT_PLANNED = "not_planned"
    DUPLICATE = "duplicate"
    UNOPENED = "unopened"


@unique
class Fold(StrEnum):
    """Why an incident is folded into another."""

    STORM = "storm"
    DEPENDENCY = "dependency"
    MERGE = "merge"


@unique
class ActorKind(StrEnum):
    DAEMON = "daemon"
    PERSON = "person"
    BOT = "bot"


class Actor(Struct, frozen=True, kw_only=True):
    """Who did it: a person by the name that they are known by, or the daemon itself."""

    name: str
    kind: ActorKind


DAEMON = Actor(name="triaged", kind=ActorKind.DAEMON)


@unique
class AlertStatus(StrEnum):
    FIRING = "firing"
    RESOLVED = "resolved"


class Alert(Struct, frozen=True, kw_only=True):
    """One label set of one source as it was just sent.

    `starts_at`/`ends_at` are None where the sender gave none; `digest` is blake2b-16 of source and raw bytes;
    `mended` says in words what had to be repaired to read it; `found_in` names the Alertmanager that was asked for it.
    """

    fingerprint: str
    source: str
    status: AlertStatus
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime | None
    ends_at: datetime | None
    generator_url: str
    digest: bytes
    raw: bytes
    mended: tuple[str, ...] = ()
    found_in: str = ""


class Episode(Struct, frozen=True, kw_only=True):
    """One firing of an alert, from a firing to its end.

    `starts_at` is the sender's earliest startsAt (the first firing's arrival where it gave none), `begun_at` the
    arrival; `verdict` names the stored verdict; `refires` says that the alert had fired in this incident before;
    `last` holds for the newest episode of its alert.
    """

    id: int
    fingerprint: str
    source: str
    incident_id: int
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    generator_url: str
    starts_at: datetime
    begun_at: datetime
    ended_at: datetime | None
    severity: Severity
    verdict: str
    digest: bytes
    refires: bool = False
    last: bool = True


class Key(Struct, frozen=True, kw_only=True):
    """Which alerts belong together: a versioned digest of label names and values, and the pairs in words."""

    digest: str
    pairs: tuple[tuple[str, str], ...]


class Verdict(Struct, frozen=True, kw_only=True):
    """What the rules say of one alert.

    `matched` are the names of the matching rules in order; `severity` is the matrix's answer limited by `at_most`;
    `dropped` is the reason where a rule dropped the alert (the last of `matched`), `growing` the references of the
    growth conditions whose rule matched; `because` the reasons that set the gravest axes.
    """

    impact: Impact
    urgency: Urgency
    severity: Severity
    category: Category
    service: str
    team: str
    key: Key
    at_most: Severity | None = None
    matched: tuple[str, ...] = ()
    because: tuple[str, ...] = ()
    growing: tuple[str, ...] = ()
    dropped: str | None = None
    delay: timedelta | None = None
    close: str | None = None
    repository: str | None = None
    labels: tuple[str, ...] = ()
    restricted: bool = False

    @property
    def unmatched(self) -> bool:
        return not self.matched


@unique
class Role(StrEnum):
    """The roles of a major incident."""

    COMMANDER = "commander"
    TECHNICAL = "technical"
    COMMUNICATIONS = "communications"
    SCRIBE = "scribe"


class Update(Struct, frozen=True, kw_only=True):
    """What a person told stakeholders: `status` is where it stands, `impact` what is noticed of it."""

    at: datetime
    by: str
    text: str
    status: str
    impact: str = ""
    next_steps: str = ""


@unique
class ReviewOutcome(StrEnum):
    """Where a review stands; `withdrawn` while its incident is open again, or where there is nothing to review."""

    OPEN = "open"
    HELD = "held"
    WAIVED = "waived"
    WITHDRAWN = "withdrawn"


class Review(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The post-incident review of an incident; its number is from the sequence of incidents, 0 until it has one.

    `severity` is the incident's at its resolution (`begun_at`). It is to be held from `opens_at` to `due_at`, both
    moved into the open time of the calendar `hours` ("": elapsed time). `because` says why, where that is not the
    severity. `reminded` counts the reminders; `by`, `at` and `reason` are of whoever held or waived it.
    """

    severity: Severity
    begun_at: datetime
    opens_at: datetime
    due_at: datetime
    number: int = 0
    hours: str = ""
    because: str = ""
    reminded: int = 0
    outcome: ReviewOutcome = ReviewOutcome.OPEN
    by: str = ""
    at: datetime | None = None
    reason: str = ""

    @property
    def name(self) -> str:
        return f"REV-{self.number}"


@unique
class ActionKind(StrEnum):
    """What an action item is to better."""

    PREVENTIVE = "preventive"
    PROCESS = "process"
    TOOL = "tool"
    TRAINING = "training"


class ActionItem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something to be done so that an incident does not come again, or is handled better; `id` counts within it.

    `reminded` counts how often its owner was reminded that it is due.
    """

    id: int
    kind: ActionKind
    text: str
    by: str
    at: datetime
    owner: str = ""
    due_at: datetime | None = None
    done_at: datetime | None = None
    done_by: str = ""
    reminded: int = 0


class Watch(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of an incident that is verified: whether it stays well, and what that waits for.

    `refired` are the instants at which it fired again after it had been quiet. The stability window counts from its
    restoration, or from `since` where something did not hold later. `failing` are the health queries that did not hold
    when all were answered last, at `asked_at`; `unasked` is why some were not answered since. `waits_for` are new
    incidents that hold it. Once the window is over and something holds it, that is asked again at `ask_at`; health is
    waited for since `unknown_at`. `back_at` is when it went back to work, because its health did not hold.
    `unattended` says that it was over before anybody had to take it, and nobody did.
    """

    refired: tuple[datetime, ...] = ()
    since: datetime | None = None
    asked_at: datetime | None = None
    failing: tuple[str, ...] = ()
    unasked: str = ""
    waits_for: tuple[int, ...] = ()
    ask_at: datetime | None = None
    unknown_at: datetime | None = None
    back_at: datetime | None = None
    unattended: bool = False


NO_WATCH = Watch()


class Link(Struct, frozen=True, kw_only=True):
    """Where more is known: a URL and what it leads to."""

    url: str
    title: str


class Reporter(Struct, frozen=True, kw_only=True):
    """Who reported an incident by opening its issue: the login there, and the name by which the rules know it."""

    login: str
    name: str


class Process(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where people are with an incident: who has it, what they said, and whose turn it is next.

    `owner` is who works on it, `roles` who holds which role of a major incident. `eta` is when restoration is expected,
    `workaround` what helps until then. A pause (`paused_at` … `paused_until`, `paused_for` in words) stops the
    resolution clock; `pauses` are those of this round that are over. `level` counts the levels of escalation that were
    told since somebody was last asked for (`asked_at`), the last of them at `told_at`; the next one is told at
    `escalates_at`, because of `escalates_for` where it is not time alone. `updated_at` is when
    stakeholders were told last, `update_due_at` when they are to be told next, `nudged` how often the update that is
    due was asked for. `update` is what they were told last, the one of that number (`updates`). `voided` are silences
    that acknowledge it no more in this round: it was judged graver, or a person gave back what they did. `review` is
    the one of its last resolution, `actions` what people set themselves to do. `watch` is what its verification knows.
    `bridge` is where people meet, `assembled_at` when they were called together. Who holds a role is asked at
    `check_in_at` how it goes; `owes` are those who wrote nothing since the last time, with how often they were asked.
    `reopened_at` is when it was opened again last.
    Evidence was found last in `found_round`, when it was of severity `found_for`.
    `knowledge` are links to what is known. `ticked` are the items that people have ticked on its issue.
    `reporter` opened its issue; `like` is the incident that was open for the same problem then, and that they may merge
    it into. `asked_until` is how long they are waited for since they were asked whether it works again.
    """

    owner: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)
    eta: datetime | None = None
    workaround: str = ""
    paused_at: datetime | None = None
    paused_until: datetime | None = None
    paused_for: str = ""
    pauses: tuple[tuple[datetime, datetime], ...] = ()
    level: int = 0
    escalates_at: datetime | None = None
    updated_at: datetime | None = None
    update_due_at: datetime | None = None
    nudged: int = 0
    asked_at: datetime | None = None
    told_at: datetime | None = None
    escalates_for: str = ""
    update: Update | None = None
    updates: int = 0
    voided: tuple[str, ...] = ()
    review: Review | None = None
    actions: tuple[ActionItem, ...] = ()
    watch: Watch = NO_WATCH
    bridge: str = ""
    assembled_at: datetime | None = None
    check_in_at: datetime | None = None
    owes: Mapping[str, int] = field(default_factory=dict)
    found_round: int = 0
    found_for: Severity | None = None
    knowledge: tuple[Link, ...] = ()
    ticked: tuple[str, ...] = ()
    reopened_at: datetime | None = None
    reporter: Reporter | None = None
    like: int | None = None
    asked_until: datetime | None = None


NO_PROCESS = Process()


class Incident(Struct, frozen=True, kw_only=True):
    """One problem, from its first alert to its closing; it carries counts and instants, never its alerts.

    `severity` is what acts: the person's `chosen` one, else `judged`, the gravest that the rules judged in this round
    and before (the daemon never lowers it). `covered` is what was judged when the standing acts of people were done.
    `impact`, `urgency`, `because` belong to the gravest verdict. `firing` counts unfinished episodes, `alerts` all.
    `last_begun_at` is when its newest episode arrived; `last_ended_at` the latest end among its alerts, or a person's
    resolve while it fired.
    `former_state` is where a re-fire during `verifying` goes back to. `round_at` is when the present round began.
    `grown` are references of growth conditions that held. `policy` is the hash of the frozen severities and calendars.
    While it is folded into `parent` (for the reason `fold`) it has no issue, notifications or clocks of its own.
    `split_at` is when a person split it off: the daemon folds it no more.
    `storm_until` is when a storm is asked again whether it goes on.
    `held_by` is the maintenance window that holds it back, or did before it opened, `held_for` its reason in words,
    `held_until` its end; `delayed_until` is until when the delays of rules alone would hold it back.
    `silences` are those in Alertmanager that acknowledged it last, `by_silence` says that this is what stands.
    """

    id: int
    state: State
    title: str
    key: str
    source: str
    service: str
    team: str
    category: Category
    impact: Impact
    urgency: Urgency
    severity: Severity
    judged: Severity
    rule_set: str
    policy: str
    created_at: datetime
    started_at: datetime
    because: tuple[str, ...] = ()
    matched: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    repository: str | None = None
    restricted: bool = False
    close: str | None = None
    chosen: Severity | None = None
    chosen_by: str | None = None
    covered: Severity | None = None
    alerts: int = 0
    firing: int = 0
    pending_until: datetime | None = None
    round: int = 0
    opened_at: datetime | None = None
    round_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    acknowledged_until: datetime | None = None
    former_state: State | None = None
    last_begun_at: datetime | None = None
    last_ended_at: datetime | None = None
    restored_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None
    closed_by_kind: ActorKind | None = None
    close_reason: CloseReason | None = None
    closed_covering: Severity | None = None
    response_started_at: datetime | None = None
    response_due_at: datetime | None = None
    response_at_risk_at: datetime | None = None
    response_at_risk: bool = False
    response_outcome: Outcome | None = None
    resolution_due_at: datetime | None = None
    resolution_at_risk_at: datetime | None = None
    resolution_at_risk: bool = False
    resolution_outcome: Outcome | None = None
    grows_at: datetime | None = None
    grown: tuple[str, ...] = ()
    follows: int | None = None
    parent: int | None = None
    fold: Fold | None = None
    folded_at: datetime | None = None
    split_at: datetime | None = None
    storm_until: datetime | None = None
    summary: str = ""
    root_cause: str = ""
    fix: str = ""
    prevention: str = ""
    held_by: str | None = None
    held_for: str | None = None
    held_until: datetime | None = None
    delayed_until: datetime | None = None
    silences: tuple[str, ...] = ()
    by_silence: bool = False
    process: Process = NO_PROCESS

    @property
    def name(self) -> str:
        return f"INC-{self.id}"

    @property
    def began_at(self) -> datetime:
        """When users began to suffer: by its first alert, or by what opened it again, for it was well in between."""
        return self.process.reopened_at or self.started_at

    @property
    def closed_by_person(self) -> bool:
        return self.state is State.CLOSED and self.closed_by_kind is ActorKind.PERSON


@unique
class DeadlineKind(StrEnum):
    OPENING = "opening"
    RESPONSE_AT_RISK = "response_at_risk"
    RESPONSE = "response"
    RESOLUTION_AT_RISK = "resolution_at_risk"
    RESOLUTION = "resolution"
    ACKNOWLEDGEMENT = "acknowledgement"
    VERIFICATION = "verification"
    GROWTH = "growth"
    STORM = "storm"
    PAUSE = "pause"
    ESCALATION = "escalation"
    UPDATE = "update"
    REVIEW = "review"
    ACTION = "action"
    CHECK_IN = "check_in"
    REPORTER = "reporter"


class Deadline(Struct, frozen=True, kw_only=True):
    """The instant at which something of an incident is due; at most one of a kind stands for an incident."""

    incident_id: int
    kind: DeadlineKind
    due_at: datetime


@unique
class Entry(StrEnum):
    """What a timeline entry tells of."""

    FIRED = "fired"
    RESOLVED_ALERT = "alert_resolved"
    PENDING = "pending"
    UNOPENED = "unopened"
    OPENED = "opened"
    REOPENED = "reopened"
    SEVERITY = "severity"
    GREW = "grew"
    ACKNOWLEDGED = "acknowledged"
    ACKNOWLEDGEMENT_ENDED = "acknowledgement_ended"
    VERIFYING = "verifying"
    REFIRED = "refired"
    RESOLVED = "resolved"
    CLOSED = "closed"
    AT_RISK = "at_risk"
    MET = "met"
    BREACHED = "breached"
    NOT_REQUIRED = "not_required"
    KEY = "key"
    FOLLOWED = "followed"
    FOLDED = "folded"
    UNFOLDED = "unfolded"
    PUBLISHED = "published"
    SUPPRESSED = "suppressed"
    SUPPRESSION_ENDED = "suppression_ended"
    UNHEARD = "unheard"
    HEARD_AGAIN = "heard_again"
    NOTIFIED = "notified"
    SILENCE = "silence"
    ESCALATED = "escalated"
    PAUSED = "paused"
    RESUMED = "resumed"
    LATE = "late"
    ASSIGNED = "assigned"
    ROLE = "role"
    NOTE = "note"
    DECISION = "decision"
    HYPOTHESIS = "hypothesis"
    UPDATE = "update"
    UPDATE_DUE = "update_due"
    ETA = "eta"
    WORKAROUND = "workaround"
    EVIDENCE = "evidence"
    REVIEW = "review"
    ACTION = "action"
    HEALTH = "health"
    HELD = "held"
    RECORDED = "recorded"
    FIGURES = "figures"
    BRIDGE = "bridge"
    CHECK_IN = "check_in"
    PROBLEM = "problem"
    KNOWLEDGE = "knowledge"
    COMMENT = "comment"
    TICKED = "ticked"
    RESTRICTED = "restricted"


class TimelineEntry(Struct, frozen=True, kw_only=True):
    """What happened to an incident, when, by whom, in plain words; append-only."""

    incident_id: int
    at: datetime
    entry: Entry
    by: str
    text: str


class Tried(Struct, frozen=True, kw_only=True):
    """One rule tried on one alert: `failed` is the first condition that did not hold, with the value that it saw.

    `held` are the conditions of a rule that matched, each with the value that it saw, where somebody asked for them.
    """

    rule: str
    matched: bool
    failed: str = ""
    saw: str = ""
    held: tuple[tuple[str, str], ...] = ()
    sets: Mapping[str, str] = field(default_factory=dict)
    because: str = ""
