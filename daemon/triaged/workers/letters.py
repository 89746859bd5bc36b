"""What is said: the letter of a notice about an incident as it is now, or one letter for many notices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from triaged.core import cadence, wording
from triaged.core.effects import Audience, NoticeKind
from triaged.core.evidence import Evidence, briefly
from triaged.core.model import Incident, Severity, State
from triaged.core.rules import RuleSet
from triaged.ports.channel import Letter, Page, PageState, Piece, PieceKind
from triaged.ports.store import IncidentRow, Notice
from triaged.rulefiles.templates import Said, Templates, link, say

WORDS: Final = {Severity.SEV1: "Critical", Severity.SEV2: "High", Severity.SEV3: "Medium", Severity.SEV4: "Low"}
"""The severities as the process names them to people outside."""
_FOR_STAKEHOLDERS: Final = {
    NoticeKind.OPENED: "initial_notification",
    NoticeKind.RESOLVED: "resolution_notice",
    NoticeKind.REVIEW: "review",
}
_FOR_RESPONDERS: Final = {
    NoticeKind.OPENED: "opened",
    NoticeKind.ESCALATED: "escalated",
    NoticeKind.SEVERITY_RAISED: "raised",
    NoticeKind.JUDGED_ABOVE: "raised",
    NoticeKind.REOPENED: "reopened",
    NoticeKind.UPDATE_DUE: "update_due",
    NoticeKind.PAUSE_OVER: "pause_over",
    NoticeKind.CHECK_IN: "check_in",
    NoticeKind.RESOLVED: "resolved",
    NoticeKind.REVIEW: "review",
    NoticeKind.ACTION: "action",
}
_AGAIN: Final = "The issue has come back. Our team is investigating."
_MOST_SERVICES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What letters are written with: the rules and templates in force, and where people find our pages."""

    rules: RuleSet
    templates: Templates
    public_url: str


def letter_of(
    notice: Notice, row: IncidentRow, desk: Desk, *, every: timedelta | None, found: Evidence | None = None
) -> Letter:
    """The letter of one notice; `every` is how often stakeholders are told, `found` its evidence, if any yet."""
    incident = row.incident
    if incident.restricted:
        # Whoever reads a channel may not be allowed to see the alert: the page asks who looks.
        return _restricted(incident, notice, desk.public_url)
    template = desk.templates[template_of(notice)]
    said = {**_facts(row, desk), **_progress(notice, incident, every), "text": say("text", notice.text)}
    if found is not None and notice.audience is Audience.RESPONDERS:
        said["evidence"] = say("evidence", briefly(found, incident.started_at))
    subject, body = template.render(said)
    page = page_of(incident, PageState.TRIGGERED, desk.public_url)
    return Letter(subject=subject, body=body, markdown=template.markdown, page=page)


def template_of(notice: Notice) -> str:
    """The name of the template of a notice."""
    special = _FOR_STAKEHOLDERS if notice.audience is Audience.STAKEHOLDERS else _FOR_RESPONDERS
    return special.get(notice.kind, "status_update")


def several(letters: Sequence[tuple[Letter, Incident]]) -> Letter:
    """One letter that lists what many say; the gravest stands first."""
    incidents = {incident.id for _, incident in letters}
    about = wording.count(len(incidents), "incident")
    subject = f"{wording.count(len(letters), 'notice')} about {about}"
    body: list[Piece] = []
    for letter, _ in letters:
        body += (
            _ours("- "),
            *letter.subject,
            _ours(" "),
            Piece(kind=PieceKind.LINK, text=letter.page.url),
            _ours("\n"),
        )
    return Letter(subject=(_ours(subject),), body=tuple(body), markdown=False, page=letters[0][0].page)


def page_of(incident: Incident, state: PageState, public_url: str) -> Page:
    """The incident as a paging service shows it; the key is its own page's URL, which no other daemon's has."""
    url = own_page(incident, public_url)
    title = "restricted" if incident.restricted else incident.title
    summary = f"{incident.name} {WORDS[incident.severity]}: {title}"
    return Page(key=url, state=state, severity=incident.severity, summary=summary, source=incident.service, url=url)


def own_page(incident: Incident, public_url: str) -> str:
    return f"{public_url}/incidents/{incident.name}"


def _restricted(incident: Incident, notice: Notice, public_url: str) -> Letter:
    what = str(notice.kind).replace("_", " ")
    page = page_of(incident, PageState.TRIGGERED, public_url)
    subject = (_ours(f"{incident.name} {WORDS[incident.severity]}: restricted ({what})"),)
    body = (_ours("Its own page says more: "), Piece(kind=PieceKind.LINK, text=page.url))
    return Letter(subject=subject, body=body, markdown=False, page=page)


def _facts(row: IncidentRow, desk: Desk) -> dict[str, Said]:
    """What it is, and where more is to be found."""
    incident, rules, public_url = row.incident, desk.rules, desk.public_url
    service = rules.services.get(incident.service)
    affected = (incident.service, *rules.catalogue.needed_by(incident.service)) if incident.service else ()
    texts = {
        "service": incident.service,
        "severity": WORDS[incident.severity],
        "services": wording.listing(affected, most=_MOST_SERVICES) if affected else "",
        "incident": incident.name,
        "title": incident.title,
        "state": str(incident.state),
        "team": incident.team,
        "because": " ".join(incident.because),
        "firing": wording.count(incident.firing, "alert"),
        "owner": incident.process.owner or incident.acknowledged_by or "",
        "summary": incident.summary or " ".join(incident.because),
        "root_cause": incident.root_cause,
        "prevention": incident.prevention,
        "workaround": incident.process.workaround,
    }
    links = {
        "url": own_page(incident, public_url),
        "status_page": f"{public_url}/status",
        "bridge": incident.process.bridge,
        "issue": row.address.url if row.address else "",
        "runbook": service.runbook if service else "",
    }
    said = {name: say(name, text) for name, text in texts.items()}
    return {**said, **{name: link(name, _web(url)) for name, url in links.items()}}


def _progress(notice: Notice, incident: Incident, every: timedelta | None) -> dict[str, Said]:
    """Where it stands, and when what is expected; of times to come always the latest that is known."""
    process, update = incident.process, incident.process.update
    again = notice.kind is NoticeKind.REOPENED
    reasons = " ".join(incident.because)
    impact = (update.impact if update else "") or reasons
    ended_at = incident.restored_at or incident.closed_at
    due = not incident.state.working
    texts = {
        "status": "Investigating" if again else (update.status if update else "") or cadence.status(incident),
        "impact": impact,
        "current_impact": impact,
        "update": _AGAIN if again else update.text if update else "",
        "next_steps": update.next_steps if update else "",
        "start_time": wording.instant(incident.started_at),
        "since": wording.instant(incident.started_at),
        "opened": _at(incident.opened_at),
        "update_minutes": f"{every // timedelta(minutes=1)}" if every else "",
        "next_update": _at(process.update_due_at or (notice.created_at + every if every else None)),
        "eta": _at(process.eta),
        "resolution_time": _at(ended_at),
        "duration": wording.span(ended_at - incident.began_at) if ended_at else "",
        "response_due": "" if due or incident.state is not State.OPEN else _at(incident.response_due_at),
        "resolution_due": "" if due else _at(incident.resolution_due_at),
    }
    return {name: say(name, text) for name, text in texts.items()}


def _at(at: datetime | None) -> str:
    return "" if at is None else wording.instant(at)


def _web(url: str) -> str:
    """A URL that may stand as a link; "" for anything that could be more than that."""
    fit = url.startswith(("http://", "https://")) and url.isascii() and not set(url) & set(" \t\r\n<>\"'()[]`\\|")
    return url if fit else ""


def _ours(text: str) -> Piece:
    return Piece(kind=PieceKind.OURS, text=text)
