"""Reviews beside a decision: their number, the calendar of their team, and what of them is to be written."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from triaged.core.events import CloseAsked, DeadlinePassed, DowntimeAddedUp, Event, ReviewAsked
from triaged.core.model import Incident
from triaged.core.rules import RuleSet
from triaged.ports.store import Batch, Transaction, Want

_BEGINNING: Final = (DeadlinePassed, CloseAsked, ReviewAsked, DowntimeAddedUp)
"""Events by which a review may begin."""


def hours_of(rules: RuleSet, incident: Incident, event: Event) -> str:
    """The calendar in which the incident's team works, where that may be asked; "" where it has none."""
    team = rules.teams.get(incident.team) if isinstance(event, _BEGINNING) else None
    return (team.hours or "") if team is not None else ""


def numbered(incident: Incident, transaction: Transaction) -> Incident:
    """The incident with a number for its review, where that has none yet."""
    review = incident.process.review
    if review is None or review.number:
        return incident
    number = transaction.next_id("incident")
    return replace(incident, process=replace(incident.process, review=replace(review, number=number)))


def write(batch: Batch, before: Incident | None, incident: Incident, *, published: bool) -> None:
    """Have its rows written where they may have changed, and its issue where that or the incident's changed.

    While the incident is open again its review waits: what happens meanwhile is told there when it is over.
    """
    review, actions = incident.process.review, incident.process.actions
    if before is None or (review is None and not actions):
        return
    same = (review, actions, incident.team) == (before.process.review, before.process.actions, before.team)
    if not same:
        batch.reviews[incident.id] = incident
    stood = (before.state, before.parent, before.restricted)
    moved = stood != (incident.state, incident.parent, incident.restricted)
    told = published and not incident.state.unfinished
    if review is not None and (told or moved or not same):
        batch.wants[review.number] = Want(severity=incident.severity, urgent=False)
