"""Verification: how long what fell silent is watched, and from when on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from msgspec.structs import replace

from triaged.core import wording
from triaged.core.draft import Draft
from triaged.core.model import Incident, State, Watch
from triaged.core.sla import Flapping, Policy

MOST_REFIRES: Final = 50
"""Instants that are kept: rules cannot ask for more."""


def window(incident: Incident, policy: Policy) -> timedelta:
    """The stability window of an incident that is quiet: longer where it flaps."""
    usual = policy.severities[incident.severity].verify_for
    flapping = flaps(incident, policy)
    return usual if flapping is None else max(usual, flapping.verify_for)


def flaps(incident: Incident, policy: Policy) -> Flapping | None:
    """What its severity takes for flapping, where it fired again as often and as lately, after it had been quiet."""
    flapping = policy.severities[incident.severity].flapping
    if flapping is None or incident.restored_at is None:
        return None
    since = incident.restored_at - flapping.within
    lately = sum(at >= since for at in incident.process.watch.refired)
    return flapping if lately >= flapping.refires else None


def starts_at(incident: Incident) -> datetime | None:
    """From when on the window counts: its restoration, or later where its health did not hold."""
    restored_at, since = incident.restored_at, incident.process.watch.since
    return restored_at if restored_at is None or since is None else max(restored_at, since)


def ends_at(incident: Incident, policy: Policy) -> datetime | None:
    """When the window is over; None while it is not watched."""
    since = starts_at(incident)
    return None if incident.state is not State.VERIFYING or since is None else since + window(incident, policy)


def due_at(incident: Incident, policy: Policy) -> datetime | None:
    """When it is asked next whether it is verified: at the end of the window, and then as what holds it says."""
    over, again = ends_at(incident, policy), incident.process.watch.ask_at
    return over if over is None or again is None else max(over, again)


def begin(draft: Draft) -> str:
    """Watch it from its restoration; how long, and why so long, in words."""
    forget(draft)
    return in_words(draft.incident, draft.policy)


def in_words(incident: Incident, policy: Policy) -> str:
    """How long it is watched, and why that is longer than usual."""
    span = wording.span(window(incident, policy))
    flapping = flaps(incident, policy)
    if flapping is None:
        return span
    usual = wording.span(policy.severities[incident.severity].verify_for)
    times, within = wording.count(flapping.refires, "time"), wording.span(flapping.within)
    return f"{span} instead of {usual} (it flaps: quiet and back {times} within {within})"


def refired(draft: Draft) -> None:
    """It was quiet, and fires again: that counts, and what was known of its health does not any more."""
    _count(draft)
    forget(draft)


def forget(draft: Draft) -> None:
    """It is at work again: what was known of its health counts no more."""
    change(draft, **_UNKNOWN)


def go_back(draft: Draft) -> None:
    """It is not well after a whole window: back to where it was, until all health queries hold. That counts, too."""
    incident = draft.incident
    draft.set(state=incident.former_state or State.OPEN, former_state=None, restored_at=None)
    failing = incident.process.watch.failing
    _count(draft)
    change(draft, **{**_UNKNOWN, "failing": failing, "back_at": draft.now})


def is_back(incident: Incident) -> bool:
    """Whether it is at work only because its health did not hold."""
    return incident.state.working and not incident.firing and incident.process.watch.back_at is not None


def _count(draft: Draft) -> None:
    former = draft.incident.process.watch.refired
    change(draft, refired=(*former, draft.now)[-MOST_REFIRES:])


def change(draft: Draft, **changes: Any) -> None:
    """Change what its verification knows."""
    watch = draft.incident.process.watch
    after = replace(watch, **changes)
    if after != watch:
        draft.proceed(watch=after)


_UNKNOWN: Final[dict[str, Any]] = {
    name: value
    for name, value in zip(Watch.__struct_fields__, Watch.__struct_defaults__, strict=True)
    if name != "refired"
}
"""What is known at the beginning of a window."""
