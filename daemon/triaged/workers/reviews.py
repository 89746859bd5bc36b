"""What is told of a review, gathered from the store: its incident, all that happened, and who took part."""

from __future__ import annotations

from msgspec.structs import replace
from sqlalchemy import func, select

from triaged.core.model import Incident
from triaged.core.recipients import STAKEHOLDERS
from triaged.explaining.former import Former
from triaged.intake.units import Rules
from triaged.ports.backend import Places
from triaged.ports.reviews import ReviewReport
from triaged.store import queue, reviews
from triaged.store import schema as s
from triaged.store.reading import Reader
from triaged.workers.report import gather

_ENTRIES = 400
_MOST_PARTICIPANTS = 40


def gather_review(  # noqa: PLR0913 - what a report is made of
    reader: Reader, number: int, *, rules: Rules, former: Former, public_url: str, places: Places, chosen: str = ""
) -> ReviewReport | None:
    """The report of the review with this number; None where there is none. `chosen` is as of an incident's report."""
    incident_id = reviews.incident_of(reader.connection, number)
    row = None if incident_id is None else reader.incident(incident_id)
    told = None
    if row is not None:
        told = gather(reader, row.incident.id, rules=rules, former=former, public_url=public_url, places=places)
    if row is None or told is None or row.incident.process.review is None:
        return None
    incident = row.incident
    found = queue.publication_of(reader.connection, number)
    address = found.address if found is not None else None
    repository = address.repository if address else chosen or places.of(incident)
    timeline = tuple(reader.timeline(incident.id, _ENTRIES))
    return ReviewReport(
        report=replace(
            told, timeline=timeline, repository=repository, hidden=told.hidden or places.hides(incident, repository)
        ),
        review=row.incident.process.review,
        incident_at=row.address,
        participants=_participants(reader, incident),
        invited=STAKEHOLDERS in rules.rule_set.teams and not incident.restricted,
    )


def _participants(reader: Reader, incident: Incident) -> tuple[str, ...]:
    """Who acted, in the order of their first act, and who had it or a role of it."""
    c = s.acts.c
    query = select(c.by).where(c.incident_id == incident.id).group_by(c.by).order_by(func.min(c.id))
    acted = [by for (by,) in reader.connection.execute(query.limit(_MOST_PARTICIPANTS))]
    named = (incident.process.owner, *incident.process.roles.values())
    return tuple(dict.fromkeys(filter(None, (*acted, *named))))[:_MOST_PARTICIPANTS]
