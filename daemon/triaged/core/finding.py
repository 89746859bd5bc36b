"""Evidence enters an incident: once a round, and again where it is graver than it was."""

from __future__ import annotations

from triaged.core import evidence
from triaged.core.draft import Draft
from triaged.core.effects import KeepEvidence
from triaged.core.events import EvidenceFound
from triaged.core.model import Entry


def found(draft: Draft, event: EvidenceFound) -> None:
    """Keep what was found and show it; what is of a former round, or was found twice, comes too late."""
    incident, what = draft.incident, event.evidence
    if not evidence.is_wanted(incident) or what.round != incident.round:
        return
    draft.proceed(found_round=what.round, found_for=what.severity)
    kept = KeepEvidence(
        incident_id=incident.id,
        key=incident.key,
        service=incident.service,
        category=incident.category,
        evidence=what,
    )
    draft.effects.append(kept)
    draft.tell(Entry.EVIDENCE, evidence.in_words(what))
    draft.publish()
