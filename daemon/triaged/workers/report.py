"""What is told of an incident, gathered from the store, the rules in force and its frozen policy."""

from __future__ import annotations

from collections.abc import Callable

from triaged.core.model import Objective
from triaged.core.sla import Policy
from triaged.intake.units import Rules
from triaged.ports.backend import Report
from triaged.store.reading import Reader

_EPISODES = 25
_ENTRIES = 40


def gather(
    reader: Reader, incident_id: int, *, rules: Rules, policy: Callable[[Reader, str], Policy], public_url: str
) -> Report | None:
    """The report of an incident; None where there is no such incident, or none that was opened."""
    row = reader.incident(incident_id)
    if row is None or row.incident.opened_at is None:
        return None
    incident = row.incident
    episodes = reader.episodes(incident_id, firing=True, limit=_EPISODES)
    if not episodes:
        episodes = reader.episodes(incident_id, firing=False, limit=_EPISODES)
    targets = policy(reader, incident.policy).severities[incident.severity].targets
    return Report(
        incident=incident,
        episodes=tuple(episodes),
        timeline=tuple(reader.timeline(incident_id, _ENTRIES)),
        targets={objective: targets[objective].text for objective in Objective},
        service=rules.rule_set.services.get(incident.service),
        public_url=public_url,
    )
