"""The board of what needs people, and the page of one incident."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never

from fastapi import APIRouter
from fastapi.responses import Response

from triaged.core import cadence, wording
from triaged.core.catalogue import Service
from triaged.core.maintenance import Phase
from triaged.core.model import Episode, Incident, Severity, State
from triaged.core.record import missing
from triaged.errors import NotFoundError
from triaged.explaining.why import why
from triaged.ports.store import Fate, IncidentRow, Wanted
from triaged.store import comments, findings, health, problems, suppressions
from triaged.store.codec import from_us
from triaged.store.reading import Gauges
from triaged.web import evidence, heartbeats, maintenance, oncall, reporting, views
from triaged.web.answers import masked
from triaged.web.desk import Desk, TheDesk
from triaged.web.maintenance import ShownWindow
from triaged.web.offers import offers
from triaged.web.pages import page

router: Final = APIRouter(include_in_schema=False)

MOST_ROWS: Final = 200
_MOST_PENDING: Final = 50
_MOST_REFUSED: Final = 10
_MOST_UNREAD: Final = 20
_MOST_BEATS: Final = 50
_MOST_FIRING: Final = 50
_MOST_FOLDED: Final = 20
_MOST_ENTRIES: Final = 200
_SLOW: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What stands on top of each page: the daemon's own state, in words, and whether each is as it should be."""

    now: datetime
    backlog: str
    backlog_good: bool
    rules: str
    reload: str
    reload_good: bool
    refused: Sequence[str]
    refused_more: int
    overdue: int
    counts: Mapping[Severity, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fires:
    """A firing episode as the page shows it, with the links that a browser may follow."""

    episode: Episode
    name: str
    labels: list[tuple[str, str]]
    text: str
    links: list[tuple[str, str]]


@router.get("/")
def show_board(desk: TheDesk) -> Response:
    """Open incidents, gravest first, and all else that waits for somebody."""
    now = desk.clock.now()
    with desk.store.read() as reader:
        gauges = reader.gauges(now)
        found = reader.board(MOST_ROWS)
        pending = reader.pending(_MOST_PENDING)
        unread = reader.records(fates=(Fate.REJECTED, Fate.FAILED), limit=_MOST_UNREAD)
        windows = maintenance.on_board(desk, reader, now)
        beats = heartbeats.on_board(desk, reader, now, most=_MOST_BEATS)
        on_call = oncall.on_board(desk, reader, now)
        latest = [] if found else reader.incidents(Wanted(limit=5))
    rows = views.gravest_first(_row(desk, one, now) for one in found)
    live = sum(gauges.open.values())
    return page(
        "board.html",
        desk,
        header=_header(desk, gauges, now),
        open=_in(rows, State.OPEN, State.ACKNOWLEDGED, State.VERIFYING),
        resolved=_in(rows, State.RESOLVED),
        left=_in(rows, State.CLOSED),
        pending=[(one, _opens(one, now)) for one in pending],
        unread=[views.unread(record) for record in unread],
        heartbeats=beats,
        on_call=on_call,
        unreadable=desk.unreadable(),
        reporting=reporting.on_board(desk),
        windows=[(one, _passes(one, now)) for one in windows],
        latest=[_row(desk, one, now) for one in latest],
        more=max(0, live - sum(1 for row in rows if row.incident.state is not State.CLOSED)),
    )


@router.get("/incidents/{name}")
def show_incident(name: str, desk: TheDesk) -> Response:
    """One incident: why it is what it is, what of it fires, what happened, what can be done."""
    number = re.fullmatch(r"INC-([0-9]{1,18})", name, re.IGNORECASE)
    now = desk.clock.now()
    with desk.store.read() as reader:
        found = reader.incident(int(number[1])) if number else None
        if found is None or found.incident.opened_at is None:
            raise NotFoundError(f"there is no incident {name[:60]}")
        row = _row(desk, found, now)
        incident = row.incident
        episodes = [] if row.hidden else reader.episodes(incident.id, firing=True, limit=_MOST_FIRING)
        entries = [] if row.hidden else reader.timeline(incident.id, _MOST_ENTRIES)
        quiet = suppressions.of_episodes(reader.connection, episodes)
        deadlines = reader.deadlines(incident.id)
        folded, folded_count = reader.folded(incident.id, _MOST_FOLDED)
        on_call = oncall.of_team(desk, reader, incident.team)
        said = () if row.hidden else health.of_round(reader.connection, incident)
        judged = None if row.hidden else why(reader, incident, desk.rules(), desk.former)
        policy = desk.former.policy(reader, incident.policy, current=desk.rules())
        looked = None if row.hidden else findings.of_incident(reader.connection, incident.id)
        problem = None if row.hidden else problems.of_incident(reader.connection, incident.id)
        kept = () if row.hidden else problems.known(reader.connection, incident)
        unsaid = comments.unsaid(reader.connection, incident.id)
        header = _header(desk, reader.gauges(now), now)
    service = desk.rules().rule_set.services.get(incident.service)
    return page(
        "incident.html",
        desk,
        header=header,
        row=row,
        incident=incident,
        fires=[_fires(episode) for episode in episodes],
        quiet=quiet,
        entries=entries[::-1],
        cut=len(entries) == _MOST_ENTRIES,
        deadlines=[(d, views.short(d.due_at - now), d.due_at < now) for d in deadlines],
        links=_service_links(service),
        evidence=evidence.on_page(looked),
        judged=judged,
        on_call=on_call,
        offers=offers(desk, incident),
        next_update_at=cadence.next_at(incident),
        roles=policy.severities[incident.severity].roles if _runs(row) else (),
        missing=missing(incident),
        health=said,
        folded=folded,
        folded_count=folded_count,
        problem=problem,
        kept=kept,
        unsaid=unsaid,
    )


def _runs(row: views.Row) -> bool:
    """Whether people run it, or should, as far as a page may tell."""
    return row.incident.state.unfinished and row.incident.parent is None and not row.hidden


def _row(desk: Desk, found: IncidentRow, now: datetime) -> views.Row:
    """A page cannot show a token: where tokens are asked for, of a restricted incident it shows title and link only."""
    hidden = desk.tokens.configured and found.incident.restricted
    return views.row(masked(found) if hidden else found, now, hidden=hidden)


def _in(rows: list[views.Row], *states: State) -> list[views.Row]:
    return [row for row in rows if row.incident.state in states]


def _opens(incident: Incident, now: datetime) -> str:
    left = (incident.pending_until or now) - now
    return f"opens in {views.short(left)}" if left.total_seconds() > 0 else "opens now"


def _passes(window: ShownWindow, now: datetime) -> str:
    """When it begins or ends, as seen from now."""
    match window.state:
        case Phase.PLANNED:
            lasts = wording.span(window.ends_at - window.begins_at)
            return f"begins in {views.short(window.begins_at - now)}, for {lasts}"
        case Phase.RUNNING:
            return f"ends in {views.short(window.ends_at - now)}"
        case Phase.PAST:
            early = f", by {window.ended_by}" if window.ended_by else ""
            return f"ended {views.short(now - window.ends_at)} ago{early}"
        case _:
            assert_never(window.state)


def _header(desk: Desk, gauges: Gauges, now: datetime) -> Header:
    oldest = None if gauges.oldest_pending is None else now - from_us(gauges.oldest_pending)
    backlog = f"{gauges.pending:,} waiting, the oldest for {wording.span(oldest)}" if oldest else "nothing waits"
    value = desk.metrics.registry.get_sample_value
    good = value("triaged_config_last_reload_successful") != 0
    at = value("triaged_config_last_reload_success_timestamp_seconds") or 0
    since = f", in force since {wording.instant(from_us(int(at * 1_000_000)))}" if at else ""
    active = (State.OPEN, State.ACKNOWLEDGED, State.VERIFYING)
    counts = {
        severity: sum(n for (sev, _, state), n in gauges.open.items() if sev == severity and state in active)
        for severity in Severity
    }
    return Header(
        now=now,
        backlog=backlog,
        backlog_good=oldest is None or oldest.total_seconds() < _SLOW,
        rules=desk.rules().rule_set.hash[:12],
        reload=f"loaded{since}" if good else f"the last reload was refused; the former rules stay{since}",
        reload_good=good,
        refused=desk.refused()[:_MOST_REFUSED],
        refused_more=max(0, len(desk.refused()) - _MOST_REFUSED),
        overdue=gauges.overdue,
        counts=counts,
    )


def _fires(episode: Episode) -> Fires:
    annotations = episode.annotations
    links = [("graph", episode.generator_url)]
    links += [(name.removesuffix("_url"), url) for name, url in annotations.items() if name.endswith("_url")]
    links += [(name, annotations[name]) for name in ("runbook", "dashboard") if name in annotations]
    return Fires(
        episode=episode,
        name=episode.labels.get("alertname") or next(iter(episode.labels.values()), "an alert"),
        labels=sorted((name, value) for name, value in episode.labels.items() if name != "alertname"),
        text=annotations.get("summary") or annotations.get("description") or annotations.get("message", ""),
        links=[(name, url) for name, url in links if views.web_url(url)],
    )


def _service_links(service: Service | None) -> list[tuple[str, str]]:
    """What the catalogue links to; an URL with a placeholder is no place to go."""
    if service is None:
        return []
    links = [("runbook", service.runbook), *service.links.items()]
    return [(name, url) for name, url in links if views.web_url(url) and "{{" not in url]
