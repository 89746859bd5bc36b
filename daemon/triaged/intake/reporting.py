"""People's reports in one batch: they have no sender who would tell of their end, so a person's word is it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from triaged.core.events import CloseAsked, Event, ParentClosed, ResolveAsked
from triaged.core.model import Alert, Episode, Incident
from triaged.core.reports import SOURCE

_ENDING: Final = (ResolveAsked, CloseAsked, ParentClosed)
"""What says that a problem is over."""


def ended_by(event: Event, incident: Incident, firing: Callable[[int], Iterable[Episode]]) -> list[Episode]:
    """The reports in the incident that are over when this is done."""
    if not isinstance(event, _ENDING):
        return []
    return of_people(incident, firing)


def of_people(incident: Incident, firing: Callable[[int], Iterable[Episode]]) -> list[Episode]:
    """The reports that go on in an incident."""
    return [episode for episode in firing(incident.id) if episode.source == SOURCE] if incident.firing else []


def only_recorded(alert: Alert, incident: Incident) -> bool:
    """Whether a report came to an incident that stays closed: nothing of it goes on."""
    return alert.source == SOURCE and not incident.state.unfinished
