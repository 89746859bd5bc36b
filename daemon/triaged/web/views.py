"""What the pages show of an incident, in words that need no colour to be understood."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, unique
from pathlib import PurePosixPath
from urllib.parse import unquote

from triaged.core import wording
from triaged.core.model import Incident, Objective, Outcome, Severity, State
from triaged.ports.backend import Address
from triaged.ports.store import AlertRecord, IncidentRow


@unique
class Standing(StrEnum):
    """How an objective stands; each has a shape, a word and a colour of its own."""

    ON_TIME = "on-time"
    AT_RISK = "at-risk"
    OVERDUE = "overdue"
    MET = "met"
    MISSED = "missed"
    WAITING = "waiting"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An objective as a page shows it; `percent` is how much of its time has gone, None where no clock runs."""

    name: str
    standing: Standing
    text: str
    due_at: datetime | None
    percent: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One incident of the board; `issue` is a URL that may be followed, `issue_name` what to call it."""

    incident: Incident
    age: str
    response: Target
    resolution: Target
    issue: str
    issue_name: str
    failure: str
    hidden: bool
    unheard: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """An alert that could not be taken in."""

    received_at: datetime
    source: str
    fate: str
    why: str


def row(found: IncidentRow, now: datetime, *, hidden: bool) -> Row:
    incident, address = found.incident, found.address
    return Row(
        incident=incident,
        age=short(now - (incident.opened_at or incident.created_at)),
        response=target(incident, Objective.RESPONSE, now),
        resolution=target(incident, Objective.RESOLUTION, now),
        issue=web_url(address.url) if address else "",
        issue_name=_called(address) if address else "",
        failure=found.failure,
        hidden=hidden,
        unheard="" if found.unheard is None else found.unheard.words,
    )


def gravest_first(rows: Iterable[Row]) -> list[Row]:
    """By severity, then what nobody has taken, then what is due first."""
    order = [State.OPEN, State.ACKNOWLEDGED, State.VERIFYING, State.RESOLVED, State.CLOSED]

    def rank(one: Row) -> tuple[int, int, float, int]:
        incident = one.incident
        due = [t.due_at for t in (one.response, one.resolution) if t.percent is not None and t.due_at is not None]
        first = min(due).timestamp() if due else float("inf")
        return incident.severity.rank, order.index(incident.state), first, -incident.id

    return sorted(rows, key=rank)


def target(incident: Incident, objective: Objective, now: datetime) -> Target:
    """How this objective stands at `now`, computed from recorded instants only."""
    started, due, risk_at, risk, outcome, done = _facts(incident, objective)
    name = str(objective)
    paused_until = incident.process.paused_until if objective is Objective.RESOLUTION else None
    if due is None or started is None or outcome is Outcome.NOT_REQUIRED:
        text = "not required" if outcome is Outcome.NOT_REQUIRED else "no target"
        return Target(name=name, standing=Standing.NONE, text=text, due_at=due)
    if outcome is Outcome.MET:
        text = f"met in {short((done or due) - started)}"
        return Target(name=name, standing=Standing.MET, text=text, due_at=due)
    if outcome is Outcome.BREACHED and (done is not None or incident.state in (State.RESOLVED, State.CLOSED)):
        text = f"missed by {short(done - due)}" if done is not None else "missed"
        return Target(name=name, standing=Standing.MISSED, text=text, due_at=due)
    if outcome is None and incident.state is State.VERIFYING:
        return Target(name=name, standing=Standing.WAITING, text="waits while verifying", due_at=due)
    if paused_until is not None and outcome is None:
        text = f"paused until {wording.instant(paused_until)}"
        return Target(name=name, standing=Standing.WAITING, text=text, due_at=due)
    percent = max(0, min(100, round(100 * ((now - started) / (due - started)) if due > started else 100)))
    if outcome is Outcome.BREACHED or now > due:
        standing, text = Standing.OVERDUE, f"overdue {short(now - due)}"
    else:
        near = risk or (risk_at is not None and now >= risk_at)
        standing, text = Standing.AT_RISK if near else Standing.ON_TIME, f"{short(due - now)} left"
    return Target(name=name, standing=standing, text=text, due_at=due, percent=percent)


def unread(record: AlertRecord) -> Unread:
    """Why it could not be taken in, without the traceback that is kept with it."""
    lines = record.reason.strip().splitlines() or ["no reason was kept"]
    return Unread(received_at=record.received_at, source=record.source, fate=str(record.fate), why=lines[-1][:300])


def short(length: timedelta) -> str:
    """`2 h 5 min`: a span without the units that nobody reads at its size; `under a minute` below that."""
    seconds = abs(length.total_seconds())
    if seconds < 60:
        return "under a minute"
    unit = 60 if seconds < 86_400 else 3_600
    return wording.span(timedelta(seconds=seconds // unit * unit))


def called(severity: Severity) -> str:
    """`Sev-1`: as people write it."""
    return f"Sev-{severity.rank + 1}"


def web_url(url: str) -> str:
    """The URL where a browser may follow it, else "": labels and annotations are the sender's text."""
    return url if url.lower().startswith(("http://", "https://")) and url.isprintable() else ""


_Facts = tuple[datetime | None, datetime | None, datetime | None, bool, Outcome | None, datetime | None]


def _facts(incident: Incident, objective: Objective) -> _Facts:
    """Start, due, at risk since, flagged at risk, outcome, done."""
    if objective is Objective.RESPONSE:
        return (
            incident.response_started_at,
            incident.response_due_at,
            incident.response_at_risk_at,
            incident.response_at_risk,
            incident.response_outcome,
            incident.acknowledged_at,
        )
    return (
        incident.round_at,
        incident.resolution_due_at,
        incident.resolution_at_risk_at,
        incident.resolution_at_risk,
        incident.resolution_outcome,
        incident.restored_at,
    )


def _called(address: Address) -> str:
    """What people call an issue: the file's name, or GitHub's short form."""
    if address.backend == "local":
        return unquote(PurePosixPath(address.url).name)
    return f"{address.repository}#{address.number}"
