"""What the API says of an incident, as described JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace
from pydantic import BaseModel

from triaged.core import cadence, checkins
from triaged.core.health import Phase
from triaged.core.model import (
    NO_WATCH,
    Category,
    CloseReason,
    DeadlineKind,
    Entry,
    Episode,
    Fold,
    Impact,
    Incident,
    Objective,
    Outcome,
    Role,
    Severity,
    State,
    Urgency,
)
from triaged.core.record import missing
from triaged.core.silences import Stage
from triaged.core.suppression import Hush, Suppression
from triaged.ports.store import IncidentRow
from triaged.store import findings, health, silences, suppressions
from triaged.store.reading import Reader
from triaged.web import evidence
from triaged.web.known import KnownLink, PartOf, known
from triaged.web.reviews import ActionItem, Reviewed, reviewed

MOST_EPISODES = 200
MOST_ENTRIES = 500


class Error(BaseModel):
    """Every refusal: what was expected, and what came."""

    error: str


class Target(BaseModel):
    """An objective of the present round; `outcome` is final once it is there."""

    due_at: datetime | None
    at_risk: bool
    outcome: Outcome | None


class IssueAddress(BaseModel):
    """Where the incident is published."""

    backend: str
    repository: str
    number: int
    url: str


class Silent(BaseModel):
    """Nothing was heard since then of what fires in an incident, for three times what is usual, or more."""

    since_at: datetime
    every_seconds: int


class Paused(BaseModel):
    """The resolution clock stands still, because of `reason`."""

    since: datetime
    until: datetime
    reason: str


class Published(BaseModel):
    """What a person told stakeholders."""

    at: datetime
    by: str
    text: str
    status: str
    impact: str
    next_steps: str


class Working(BaseModel):
    """Who works on it, and what others may expect; of `updates` in all, `update` is the last one of this round."""

    owner: str
    roles: Mapping[Role, str]
    eta: datetime | None
    workaround: str
    updates: int
    update: Published | None
    next_update_at: datetime | None
    bridge: str
    check_in_at: datetime | None


class Listed(BaseModel):
    """An incident as lists show it; instants are UTC."""

    id: str
    title: str
    state: State
    severity: Severity
    judged: Severity
    chosen_by: str | None
    team: str
    service: str
    category: Category
    impact: Impact
    urgency: Urgency
    restricted: bool
    alerts: int
    firing: int
    round: int
    started_at: datetime
    opened_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    acknowledged_until: datetime | None
    restored_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    closed_by: str | None
    close_reason: CloseReason | None
    response: Target
    resolution: Target
    follows: str | None
    parent: str | None
    fold: Fold | None
    unheard: Silent | None
    paused: Paused | None
    url: str
    issue: IssueAddress | None


class Incidents(BaseModel):
    """A page of the list, newest first; `next_cursor` leads to the next one."""

    incidents: list[Listed]
    next_cursor: str | None


class Quiet(BaseModel):
    """Why Alertmanager does not tell of an alert: a silence, or another alert that inhibits it."""

    hush: Hush
    ref: str
    by: str
    ends_at: datetime | None
    comment: str


class Firing(BaseModel):
    """One firing of an alert that goes on."""

    fingerprint: str
    source: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    generator_url: str
    starts_at: datetime
    severity: Severity
    suppressed: list[Quiet]


class Silenced(BaseModel):
    """A silence that somebody asked for: to be made, made, or to be removed; `failure` is what came of it last."""

    by: str
    reason: str
    matchers: Mapping[str, str]
    asked_at: datetime
    ends_at: datetime
    stage: Stage
    failure: str


class Due(BaseModel):
    """An instant at which something is due."""

    kind: DeadlineKind
    due_at: datetime


class Told(BaseModel):
    """What happened, when, by whom."""

    at: datetime
    entry: Entry
    by: str
    text: str


class Said(BaseModel):
    """What a health query said: whether it held (null: it gave no value), and the value farthest off."""

    query: str
    phase: Phase
    at: datetime
    holds: bool | None
    value: float | None


class Watched(BaseModel):
    """The verification of the present round: `until` is when it is asked next whether it is over, null when it is.

    `refires` is how often it fired again after it had been quiet. `failing` are health queries that did not hold last,
    `unasked` is why some gave no answer, `waits_for` are new incidents that hold it.
    """

    until: datetime | None
    refires: int
    failing: list[str]
    unasked: str
    waits_for: list[str]
    health: list[Said]


class Shown(Listed):
    """An incident with everything that is known of it: at most 200 firing episodes, the newest 500 timeline entries.

    `on_call` is who is on call for its team now, then the next ones; `missing` are the fields that are still to be
    written down of a Sev-1 or Sev-2 that is over; `confirmed` are the items that people have ticked on its issue.
    """

    because: list[str]
    matched: list[str]
    labels: list[str]
    rule_set: str
    policy: str
    summary: str
    root_cause: str
    fix: str
    prevention: str
    publishing_failure: str
    on_call: list[str]
    process: Working
    missing: list[str]
    confirmed: list[str]
    problem: PartOf | None
    knowledge: list[KnownLink]
    review: Reviewed | None
    actions: list[ActionItem]
    episodes: list[Firing]
    verification: Watched
    evidence: evidence.EvidenceShown | None
    silences: list[Silenced]
    deadlines: list[Due]
    timeline: list[Told]


def listed(row: IncidentRow, public_url: str) -> Listed:
    """The short form."""
    return Listed.model_validate(_fields(row, public_url))


def shown(reader: Reader, row: IncidentRow, public_url: str, *, whole: bool, on_call: Iterable[str] = ()) -> Shown:
    """The long form; without `whole` only what lists show too."""
    incident = row.incident
    fields = _fields(row, public_url)
    for name in ("because", "matched", "labels"):
        fields[name] = list(getattr(incident, name))
    for name in ("rule_set", "policy", "summary", "root_cause", "fix", "prevention"):
        fields[name] = getattr(incident, name)
    episodes = reader.episodes(incident.id, firing=True, limit=MOST_EPISODES) if whole else []
    entries = reader.timeline(incident.id, MOST_ENTRIES) if whole else []
    quiet = suppressions.of_episodes(reader.connection, episodes)
    asked = silences.of_incident(reader.connection, incident.id) if whole else []
    return Shown.model_validate(
        {
            **fields,
            "publishing_failure": row.failure,
            "on_call": [*on_call],
            "process": _working(incident),
            "missing": [*missing(incident)],
            "confirmed": [*incident.process.ticked],
            **reviewed(incident),
            **known(reader, incident, public_url, whole=whole),
            "episodes": [_firing(e, quiet.get(e.fingerprint, ())) for e in episodes],
            "verification": _watched(reader, incident, whole=whole),
            "evidence": evidence.answered(findings.of_incident(reader.connection, incident.id) if whole else None),
            "silences": [{name: getattr(one, name) for name in Silenced.model_fields} for one in asked],
            "deadlines": [{"kind": d.kind, "due_at": d.due_at} for d in reader.deadlines(incident.id)],
            "timeline": [{"at": e.at, "entry": e.entry, "by": e.by, "text": e.text} for e in entries],
        }
    )


def _watched(reader: Reader, incident: Incident, *, whole: bool) -> dict[str, object]:
    watch = incident.process.watch if whole else NO_WATCH
    due = (d.due_at for d in reader.deadlines(incident.id) if d.kind is DeadlineKind.VERIFICATION)
    said = health.of_round(reader.connection, incident) if whole else ()
    return {
        "until": next(due, None),
        "refires": len(watch.refired),
        "failing": [*watch.failing],
        "unasked": watch.unasked,
        "waits_for": [f"INC-{number}" for number in watch.waits_for],
        "health": [{name: getattr(one, name) for name in Said.model_fields} for one in said],
    }


def _working(incident: Incident) -> dict[str, object]:
    process, update = incident.process, incident.process.update
    return {
        **{name: getattr(process, name) for name in ("owner", "eta", "workaround", "updates")},
        "roles": dict(process.roles),
        "update": update and {name: getattr(update, name) for name in Published.model_fields},
        "next_update_at": cadence.next_at(incident),
        "bridge": process.bridge,
        "check_in_at": checkins.asks_at(incident),
    }


def _firing(episode: Episode, suppressed: Iterable[Suppression]) -> dict[str, object]:
    fields = {name: getattr(episode, name) for name in Firing.model_fields if name != "suppressed"}
    fields["suppressed"] = [{name: getattr(one, name) for name in Quiet.model_fields} for one in suppressed]
    return fields


def masked(row: IncidentRow) -> IncidentRow:
    """A restricted incident for those who may not know more of it than its title and its link."""
    process = replace(row.incident.process, paused_for="", owner="", roles={}, workaround="", update=None, eta=None)
    process = replace(process, review=None, actions=(), bridge="", knowledge=(), ticked=(), watch=NO_WATCH)
    hidden = replace(
        row.incident,
        because=(),
        matched=(),
        labels=(),
        service="",
        summary="",
        root_cause="",
        fix="",
        prevention="",
        process=process,
    )
    return replace(row, incident=hidden, failure="")


def _fields(row: IncidentRow, public_url: str) -> dict[str, object]:
    incident, address = row.incident, row.address
    own = {"id", "response", "resolution", "follows", "parent", "unheard", "paused", "url", "issue"}
    fields: dict[str, object] = {n: getattr(incident, n) for n in Listed.model_fields if n not in own}
    return {
        **fields,
        "id": incident.name,
        "response": _target(incident, Objective.RESPONSE),
        "resolution": _target(incident, Objective.RESOLUTION),
        "parent": None if incident.parent is None else f"INC-{incident.parent}",
        "follows": None if incident.follows is None else f"INC-{incident.follows}",
        "unheard": row.unheard and {n: getattr(row.unheard, n) for n in Silent.model_fields},
        "paused": _paused(incident),
        "url": f"{public_url}/incidents/{incident.name}",
        "issue": None if address is None else {n: getattr(address, n) for n in IssueAddress.model_fields},
    }


def _paused(incident: Incident) -> dict[str, object] | None:
    process = incident.process
    if process.paused_at is None:
        return None
    return {"since": process.paused_at, "until": process.paused_until, "reason": process.paused_for}


def _target(incident: Incident, objective: Objective) -> dict[str, object]:
    if objective is Objective.RESPONSE:
        due, risk, outcome = incident.response_due_at, incident.response_at_risk, incident.response_outcome
    else:
        due, risk, outcome = incident.resolution_due_at, incident.resolution_at_risk, incident.resolution_outcome
    return {"due_at": due, "at_risk": risk, "outcome": outcome}
