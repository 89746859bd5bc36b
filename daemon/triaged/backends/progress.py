"""Who works on an incident, and what others may expect: owner, roles, expectation, workaround, the last update."""

from __future__ import annotations

from collections.abc import Iterator

from triaged.backends.text import passage, prose
from triaged.core import cadence, wording
from triaged.core.model import Incident, State

LONGEST_TEXT = 1_000


def progress(incident: Incident, *, roles: bool = True) -> str:
    """The whole section; "" where nobody said anything yet, and no update is due. `roles` may stand elsewhere."""
    lines = [*_people(incident, roles=roles), *_expectations(incident)]
    facts = "\n".join(f"- {line}" for line in lines)
    return "\n\n".join(filter(None, (facts and f"#### Progress\n\n{facts}", _last(incident))))


def _people(incident: Incident, *, roles: bool) -> Iterator[str]:
    process = incident.process
    if process.owner:
        yield f"**Owner:** {prose(process.owner, most=80)}"
    if roles and process.roles:
        held = (f"{wording.role(role)} {prose(name, most=80)}" for role, name in process.roles.items())
        yield f"**Roles:** {', '.join(held)}"


def _expectations(incident: Incident) -> Iterator[str]:
    process = incident.process
    if incident.state in (State.RESOLVED, State.CLOSED):
        return
    if process.eta is not None:
        yield f"**Expected to work again:** {wording.instant(process.eta)}"
    if process.workaround:
        yield f"**Workaround:** {prose(process.workaround, most=LONGEST_TEXT)}"
    next_at = cadence.next_at(incident)
    if next_at is not None:
        yield f"**Next update due:** {wording.instant(next_at)}"


def _last(incident: Incident) -> str:
    update = incident.process.update
    if update is None:
        return ""
    said = [("Status", update.status), ("Impact", update.impact), ("Next steps", update.next_steps)]
    text = "\n".join([update.text, *(f"{name}: {value}" for name, value in said if value)])
    by = prose(update.by, most=80)
    return f"**Last update**, {wording.instant(update.at)} by {by}:\n\n{passage(text, most=LONGEST_TEXT)}"
