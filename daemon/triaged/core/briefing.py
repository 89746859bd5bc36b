"""What somebody who is called in has to know at once, in a few plain lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from triaged.core import wording
from triaged.core.model import Entry, Incident, State, TimelineEntry

MOST_DONE: Final = 5
_LONGEST: Final = 200
_NOT_DONE: Final = frozenset(
    {Entry.FIRED, Entry.RESOLVED_ALERT, Entry.KEY, Entry.PUBLISHED, Entry.ESCALATED, Entry.AT_RISK}
)
"""What merely happened, or is told above."""


def brief(incident: Incident, why: str, unanswered: Iterable[str], history: Iterable[TimelineEntry]) -> str:
    """Why they are called, who was told before, what was done; of a restricted incident only why.

    It stands beside what is always told: severity, what fires, since when, what is due, links. `unanswered` are those
    who were told before, and did not answer; `history` the newest entries of the timeline.
    """
    lines = [f"Why you: {why}."]
    if incident.restricted:
        return lines[0]
    if asked := list(unanswered):
        lines.append(f"Told before, without an answer: {wording.listing(asked, most=10)}.")
    lines += _standing(incident)
    done = [entry for entry in history if entry.entry not in _NOT_DONE][-MOST_DONE:]
    if done:
        lines += ["Done so far:", *(f"- {wording.instant(e.at)} {e.by}: {e.text[:_LONGEST]}" for e in done)]
    return "\n".join(lines)


def _standing(incident: Incident) -> Iterator[str]:
    process = incident.process
    if incident.state is State.ACKNOWLEDGED:
        yield f"Acknowledged by {incident.acknowledged_by}."
    if process.paused_at is not None:
        yield f"Paused: {process.paused_for[:_LONGEST]}"
    if process.eta is not None:
        yield f"Restoration is expected {wording.instant(process.eta)}."
    if process.workaround:
        yield f"Workaround: {process.workaround[:_LONGEST]}"
