"""To whom an incident's issue is assigned: who has the incident, else who is on call for it."""

from __future__ import annotations

from datetime import datetime

from triaged.core.model import Incident, State
from triaged.core.oncall import Rota

AT_WORK = (State.OPEN, State.ACKNOWLEDGED)


def is_asked(incident: Incident) -> bool:
    """Whether it is still to be said whose it is: of what is over, or told by another incident, nobody asks."""
    return incident.state in AT_WORK and incident.parent is None


def assignees(incident: Incident, rota: Rota, now: datetime) -> tuple[str, ...]:
    """The logins at GitHub of whose it is at the aware instant `now`; nobody whom the catalogue has no login of.

    A person who has it comes before the rota, which counts while nobody does, or a team. Who is no person of the
    catalogue is nobody: anything may be written as a name where an act comes in by the API.
    """
    whose = incident.process.owner or incident.acknowledged_by or ""
    team = whose or incident.team
    names = (whose,) if whose in rota.people else rota.now(team, now)[:1]
    return tuple(login for name in names if (login := rota.people[name].github))
