"""The record of an incident that is over: what people have still to write down of it, and its figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from triaged.core import wording
from triaged.core.draft import Draft
from triaged.core.model import ActorKind, CloseReason, Entry, Incident, State

RECORD: Final = ("summary", "root_cause", "fix", "prevention")
"""What people write down when it is over."""
_MOST_PEOPLE: Final = 20


def missing(incident: Incident) -> tuple[str, ...]:
    """What people have still to write down of a Sev-1 or Sev-2 that is over, in the order of the closing.

    Nobody is asked for anything where the daemon closed it: then nobody had to do with it.
    """
    over = incident.state is State.RESOLVED or incident.close_reason is CloseReason.COMPLETED
    nobodys = incident.state is State.CLOSED and incident.closed_by_kind is not ActorKind.PERSON
    if not over or nobodys or incident.parent is not None or not incident.severity.pages:
        return ()
    return tuple(name for name in RECORD if not getattr(incident, name).strip())


def closed(draft: Draft, *, by: str = "") -> None:
    """It was closed (`by` a person): its figures are written down."""
    incident = draft.incident
    if incident.parent is not None:
        return
    actors = [*dict.fromkeys((*draft.context.actors, *filter(None, (by,))))]
    draft.tell(Entry.FIGURES, f"in figures: {figures(incident, actors)}")


def figures(incident: Incident, actors: list[str]) -> str:
    """How long it took, against what was promised, how much fired, and who acted."""
    return "; ".join((*_spans(incident), *_amounts(incident), _people(actors)))


def _spans(incident: Incident) -> Iterator[str]:
    over_at = incident.restored_at or incident.closed_at or incident.started_at
    lasted = wording.span(over_at - incident.began_at)
    yield f"lasted {lasted}, from {wording.instant(incident.began_at)} to {wording.instant(over_at)}"
    since = incident.response_started_at
    taken = incident.acknowledged_at
    after = (
        "never acknowledged" if taken is None or since is None else f"acknowledged after {wording.span(taken - since)}"
    )
    yield f"{after} (response {_outcome(incident.response_outcome)})"
    if incident.restored_at is not None and incident.round_at is not None:
        took = wording.span(incident.restored_at - incident.round_at)
        yield f"restored after {took} (resolution {_outcome(incident.resolution_outcome)})"
    else:
        yield f"not restored (resolution {_outcome(incident.resolution_outcome)})"


def _amounts(incident: Incident) -> Iterator[str]:
    yield wording.count(incident.alerts, "alert")
    refires = len(incident.process.watch.refired)
    if refires:
        yield f"quiet and back {wording.count(refires, 'time')}"
    if incident.round > 1:
        yield f"{incident.round} rounds"
    if incident.process.updates:
        yield wording.count(incident.process.updates, "update")


def _people(actors: list[str]) -> str:
    return f"people who acted: {wording.listing(actors, most=_MOST_PEOPLE)}" if actors else "nobody acted"


def _outcome(outcome: str | None) -> str:
    return "undecided" if outcome is None else str(outcome).replace("_", " ")
