"""Check-ins of a major incident: whoever holds a role says now and then how it goes, or is asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from triaged.core import wording
from triaged.core.draft import Draft
from triaged.core.effects import Audience, NoticeKind
from triaged.core.model import Actor, Entry, Incident
from triaged.core.sla import Policy

MOST_IN_A_ROW: Final = 4
"""Who has not answered so often is asked no more until they write something."""


def follow(draft: Draft, actor: Actor | None = None) -> None:
    """Check-ins as what became of the incident asks for; `actor` is the person who acted, if one did."""
    before, incident = draft.before, draft.incident
    unchanged = incident is before and actor is None
    if unchanged or not (incident.process.roles or before.process.roles):
        return
    process, every = incident.process, _every(incident, draft.policy)
    if every is None:
        if process.check_in_at is not None:
            draft.proceed(check_in_at=None, owes={})
        return
    at, former = process.check_in_at, set(before.process.roles.values())
    if at is None:
        at, former = draft.now + every, set()
    elif _stands(incident) and not _stands(before):
        # Who just came back from waiting has the whole time again.
        at = draft.now + every
    owes = {
        name: process.owes.get(name, 0)
        for name in dict.fromkeys(process.roles.values())
        if (name in process.owes or name not in former) and not _is(actor, name)
    }
    if at != process.check_in_at or owes != process.owes:
        draft.proceed(check_in_at=at, owes=owes)


def asks_at(incident: Incident) -> datetime | None:
    """When holders of roles are asked next; nobody while it is paused or watched, or is another one's matter."""
    return incident.process.check_in_at if _stands(incident) else None


def ask(draft: Draft) -> None:
    """Ask everybody who holds a role and wrote nothing since the last check-in: each by a notice of their own."""
    incident, process = draft.incident, draft.incident.process
    due_at = process.check_in_at or draft.now
    every = _every(incident, draft.policy)
    held = _held(process.roles)
    asked = [name for name in held if process.owes.get(name, MOST_IN_A_ROW) < MOST_IN_A_ROW]
    owes = {name: min(process.owes[name] + 1, MOST_IN_A_ROW) if name in process.owes else 0 for name in held}
    draft.proceed(check_in_at=None if every is None else draft.now + every, owes=owes)
    if not asked:
        return
    names = [f"{name} ({held[name]})" for name in asked]
    draft.tell(Entry.CHECK_IN, f"check-in: {wording.listing(names, most=len(names))} asked how it goes")
    for name in asked:
        draft.notify(
            NoticeKind.CHECK_IN,
            (name,),
            audience=Audience.RESPONDERS,
            key=f"check_in:{incident.round}:{due_at.isoformat()}:{name}",
            text=f"You are {held[name]} and wrote nothing since the last check-in: how does it go, what is next?",
        )


def _every(incident: Incident, policy: Policy) -> timedelta | None:
    """How often people check in, where there are any who could."""
    goes_on = incident.state.unfinished and incident.parent is None and bool(incident.process.roles)
    return policy.severities[incident.severity].check_in_every if goes_on else None


def _stands(incident: Incident) -> bool:
    return incident.state.working and incident.parent is None and incident.process.paused_at is None


def _held(roles: Mapping[str, str]) -> dict[str, str]:
    """By each name, the roles that the person holds, in words."""
    held: dict[str, str] = {}
    for role, name in roles.items():
        held[name] = f"{held[name]} and {wording.role(role)}" if name in held else wording.role(role)
    return held


def _is(actor: Actor | None, name: str) -> bool:
    """Whether it is that person who acts, be it through a program: `ann (via bot)`."""
    return actor is not None and (actor.name == name or actor.name.startswith(f"{name} (via "))
