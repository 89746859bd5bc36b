"""To whom the issue of an incident is assigned when it is written: asked of the rota only while nobody has it."""

from __future__ import annotations

from datetime import datetime

from triaged.core.assigning import assignees, is_asked
from triaged.core.model import Incident
from triaged.core.rules import RuleSet
from triaged.store import queue, shifts
from triaged.store.reading import Reader


def whose(reader: Reader, incident: Incident, rules: RuleSet, now: datetime) -> tuple[str, ...]:
    """The logins; of what is over those that it was assigned to last, so that nobody inherits old incidents."""
    if not is_asked(incident):
        written = queue.publication_of(reader.connection, incident.id)
        return () if written is None else written.assigned
    return assignees(incident, shifts.rota(rules, reader.connection), now)
