"""The people of a major incident come together: a bridge where they meet, and somebody who commands."""

from __future__ import annotations

import re
from typing import Final

from triaged.core.draft import Draft
from triaged.core.effects import Assemble
from triaged.core.events import Assembled
from triaged.core.model import Entry, Incident, Role
from triaged.core.sla import Policy

_INCIDENT: Final = re.compile(r"\{\{ ?incident ?\}\}")


def follow(draft: Draft) -> None:
    """Ask for a bridge and a commander once its severity calls for them: when it opens, or is raised."""
    if is_wanted(draft.incident, draft.policy) and not is_wanted(draft.before, draft.policy):
        draft.effects.append(Assemble(incident_id=draft.incident.id))


def is_wanted(incident: Incident, policy: Policy) -> bool:
    """Whether people are to come together for it, and nobody called them yet; what is folded is its parent's matter."""
    severity = policy.severities[incident.severity]
    if not severity.bridge and not severity.roles:
        return False
    return incident.state.working and incident.parent is None and incident.process.assembled_at is None


def link(template: str, incident: Incident) -> str:
    """Where people meet for this incident: nothing but its name is put into the operator's link."""
    return _INCIDENT.sub(incident.name, template)


def assembled(draft: Draft, event: Assembled) -> None:
    """Show where people meet, and who commands until somebody else does; once, however often it is asked."""
    incident = draft.incident
    if incident.process.assembled_at is not None or incident.parent is not None or not incident.state.unfinished:
        return
    if Role.COMMANDER in draft.policy.severities[incident.severity].roles:
        _command(draft, event)
    if event.bridge:
        draft.proceed(bridge=event.bridge)
        draft.tell(Entry.BRIDGE, f"bridge: {event.bridge}")
    elif event.failure:
        still, on = (" yet", "; it is tried again") if event.again else ("", "")
        draft.tell(Entry.BRIDGE, f"no bridge{still}: {event.failure}{on}")
    if not event.again:
        draft.proceed(assembled_at=draft.now)
    if draft.timeline:
        draft.publish(urgent=True)


def _command(draft: Draft, event: Assembled) -> None:
    """Whoever is on call commands, where nobody does yet."""
    incident = draft.incident
    if Role.COMMANDER in incident.process.roles:
        return
    if event.commander:
        draft.proceed(roles={Role.COMMANDER: event.commander, **incident.process.roles})
        draft.tell(Entry.ROLE, f"incident commander: {event.commander}, who is on call for {incident.team}")
    elif not event.again:
        draft.tell(Entry.ROLE, f"incident commander: nobody yet, for nobody is on call for {incident.team}")
