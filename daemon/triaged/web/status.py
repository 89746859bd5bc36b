"""The status page: what stakeholders may know, in their words; nothing of alerts, rules and people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response

from triaged.core import cadence, wording
from triaged.core.maintenance import Phase
from triaged.core.model import CloseReason, Incident, Severity, State
from triaged.ports.store import IncidentRow, Wanted
from triaged.store.published import updates_of
from triaged.store.reading import Reader
from triaged.web import maintenance
from triaged.web.desk import Desk, TheDesk
from triaged.web.pages import page

router: Final = APIRouter(include_in_schema=False)

MOST_ROWS: Final = 200
_MOST_UPDATES: Final = 500
_MOST_OVER: Final = 10
_LATELY: Final = timedelta(days=7)
_ELSEWHERE: Final = "Other systems"
_KINDS: Final = {
    Severity.SEV1: "outage",
    Severity.SEV2: "serious disruption",
    Severity.SEV3: "disruption",
    Severity.SEV4: "minor issue",
}
_IMPACT: Final = {
    Severity.SEV1: "A function that business depends on is not available.",
    Severity.SEV2: "It is significantly degraded, or important features do not work.",
    Severity.SEV3: "It is degraded; most of it can be used.",
    Severity.SEV4: "A minor issue that hardly anybody notices.",
}
"""What is said of it until a person has said something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An update as it was published; `facts` are its further lines, each with its name."""

    at: datetime
    status: str
    text: str
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An incident in the words of the page."""

    name: str
    severity: Severity
    service: str
    kind: str
    status: str
    impact: str
    since_at: datetime
    facts: Sequence[tuple[str, str]]
    updates: Sequence[Told]


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """An incident that is over."""

    service: str
    kind: str
    restored_at: datetime
    lasted: str
    summary: str


@router.get("/status")
def show_status(desk: TheDesk) -> Response:
    """Services, current incidents with their updates, planned work, what was resolved lately."""
    now = desk.clock.now()
    with desk.store.read() as reader:
        rows = _public(reader.board(MOST_ROWS))
        current = [one for one in rows if one.state.working or one.state is State.VERIFYING]
        updates = _updates(reader, current)
        over = _over(desk, reader, now)
        windows = [one for one in maintenance.on_board(desk, reader, now) if one.state is not Phase.PAST]
    shown = [_shown(desk, one, updates.get(one.id, ()), now) for one in current]
    affected, well = _services(desk, current)
    return page("status.html", desk, now=now, current=shown, affected=affected, well=well, windows=windows, over=over)


def _public(rows: Iterable[IncidentRow]) -> list[Incident]:
    return [row.incident for row in rows if not row.incident.restricted and row.incident.parent is None]


def _updates(reader: Reader, incidents: Sequence[Incident]) -> Mapping[int, Sequence[Told]]:
    """The updates of each incident's present round, newest first."""
    since = {one.id: one.round_at for one in incidents}
    found: dict[int, list[Told]] = {}
    for acted, said in updates_of(reader.connection, since, _MOST_UPDATES):
        round_at = since[acted.incident_id]
        if round_at is not None and acted.at < round_at:
            continue
        facts = [("Impact", said.impact), ("Next steps", said.next_steps)]
        told = Told(at=acted.at, status=said.status, text=said.text, facts=[fact for fact in facts if fact[1]])
        found.setdefault(acted.incident_id, []).append(told)
    return found


def _shown(desk: Desk, incident: Incident, updates: Sequence[Told], now: datetime) -> Shown:
    process = incident.process
    update = process.update
    return Shown(
        name=incident.name,
        severity=incident.severity,
        service=_service(desk, incident),
        kind=_KINDS[incident.severity],
        status=cadence.status(incident),
        impact=(update.impact if update else "") or _IMPACT[incident.severity],
        since_at=incident.started_at,
        facts=_facts(incident, now),
        updates=updates,
    )


def _facts(incident: Incident, now: datetime) -> list[tuple[str, str]]:
    process = incident.process
    facts = [("Workaround", process.workaround)] if process.workaround else []
    if incident.state is State.VERIFYING:
        restored_at = wording.instant(incident.restored_at or now)
        return [*facts, ("Works again", f"since {restored_at}, and is being watched")]
    if process.eta is not None:
        late = ", which has passed" if process.eta < now else ""
        facts.append(("Expected to work again", wording.instant(process.eta) + late))
    else:
        facts.append(("Expected to work again", "not known yet"))
    next_at = cadence.next_at(incident)
    if next_at is None:
        return [*facts, ("Next update", "when there is news")]
    late = ", which is overdue" if next_at < now else ""
    return [*facts, ("Next update", wording.instant(next_at) + late)]


def _service(desk: Desk, incident: Incident) -> str:
    """A name of the catalogue; whatever else an alert may have carried is not for everybody."""
    return incident.service if incident.service in desk.rules().rule_set.services else _ELSEWHERE


def _services(desk: Desk, current: Sequence[Incident]) -> tuple[list[tuple[str, Severity, str]], list[str]]:
    """Services with something open, the gravest of each, in that order; and the names of all others."""
    worst: dict[str, Severity] = {}
    for incident in current:
        name = _service(desk, incident)
        if name not in worst or incident.severity.graver_than(worst[name]):
            worst[name] = incident.severity
    affected = sorted(((name, severity, _KINDS[severity]) for name, severity in worst.items()), key=_gravest)
    return affected, sorted(name for name in desk.rules().rule_set.services if name not in worst)


def _gravest(one: tuple[str, Severity, str]) -> tuple[int, str]:
    return one[1].rank, one[0]


def _over(desk: Desk, reader: Reader, now: datetime) -> Sequence[Over]:
    """What was resolved lately, the last first; what turned out to be nothing is not worth telling."""
    rows = reader.incidents(Wanted(states=(State.RESOLVED, State.CLOSED), limit=MOST_ROWS))
    told = [
        (one.restored_at, one)
        for one in _public(rows)
        if one.close_reason in (None, CloseReason.COMPLETED)
        and one.restored_at is not None
        and now - one.restored_at <= _LATELY
    ]
    told.sort(key=lambda pair: pair[0], reverse=True)
    return [_told(desk, one, at) for at, one in told[:_MOST_OVER]]


def _told(desk: Desk, incident: Incident, restored_at: datetime) -> Over:
    return Over(
        service=_service(desk, incident),
        kind=_KINDS[incident.severity],
        restored_at=restored_at,
        lasted=wording.span(restored_at - incident.started_at),
        summary=incident.summary,
    )
