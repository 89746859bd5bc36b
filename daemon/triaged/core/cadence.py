"""The cadence of updates: when stakeholders are to be told again, and who is reminded of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from triaged.core import wording
from triaged.core.draft import Draft
from triaged.core.effects import Audience, NoticeKind
from triaged.core.model import Entry, Incident, Role, State
from triaged.core.sla import Policy, waited

EARLY_SHARE: Final = 10
"""Somebody is reminded when a tenth of the interval is left, …"""
EARLY_LEAST: Final = timedelta(minutes=5)
"""… at least so long before, but in the interval's second half."""
_TWICE: Final = 2
"""Before an update is due, and when it is: nobody is reminded a third time of the same one."""


def follow(draft: Draft) -> None:
    """The next update is due as what became of the incident asks for: a thing that every decision ends with."""
    before, incident = draft.before, draft.incident
    if incident.round != before.round:
        # What was expected of the last round is over with it.
        draft.proceed(update=None, eta=None)
        _due(draft, draft.now)
    elif incident.severity.graver_than(before.severity) and incident.round:
        _due(draft, draft.clock_at, at_the_latest=incident.process.update_due_at)
    elif before.severity.graver_than(incident.severity) and incident.round:
        _due_again(draft)


def told(draft: Draft) -> None:
    """Stakeholders were told just now: the next time is an interval later."""
    draft.proceed(updated_at=draft.now)
    _due(draft, draft.clock_at)


def nudges_at(incident: Incident, policy: Policy) -> datetime | None:
    """When somebody is reminded next of the update that is due, if at all; who may not know is told nothing."""
    process = incident.process
    every = policy.severities[incident.severity].update_every
    if process.update_due_at is None or every is None or incident.restricted or process.nudged >= _TWICE:
        return None
    early = min(max(every / EARLY_SHARE, EARLY_LEAST), every / 2)
    return process.update_due_at if process.nudged else process.update_due_at - early


def next_at(incident: Incident) -> datetime | None:
    """When stakeholders are told next, where that is a matter of time: not when it is paused, watched, or over."""
    process = incident.process
    waits = process.paused_at is not None or incident.parent is not None or incident.restricted
    return process.update_due_at if incident.state.working and not waits else None


def status(incident: Incident) -> str:
    """Where it stands, as stakeholders are told."""
    match incident.state:
        case State.RESOLVED | State.CLOSED:
            return "Resolved"
        case State.VERIFYING:
            return "Monitoring"
        case _:
            update = incident.process.update
            return update.status if update else "Investigating"


def nudge(draft: Draft) -> None:
    """Remind whoever tells stakeholders: before an update is due, and when it is. What is told stays theirs."""
    incident = draft.incident
    process, due_at = incident.process, incident.process.update_due_at or draft.now
    due = draft.now >= due_at
    draft.proceed(nudged=_TWICE if due else 1)
    when = "is due" if due else f"is due at {wording.instant(due_at)}"
    to = _asked(incident)
    text = f"an update for stakeholders {when}"
    draft.tell(Entry.UPDATE_DUE, f"{text}: {' and '.join(word.replace('_', ' ') for word in to)} reminded of it")
    last = (
        f"The last one was at {wording.instant(process.updated_at)}." if process.updated_at else "There was none yet."
    )
    draft.notify(
        NoticeKind.UPDATE_DUE,
        to,
        audience=Audience.RESPONDERS,
        key=f"update_due:{incident.round}:{due_at.isoformat()}:{draft.incident.process.nudged}",
        text=f"{text[0].upper()}{text[1:]}. {last}",
    )


def _asked(incident: Incident) -> tuple[str, ...]:
    """Who is reminded. An owner may be somebody whom no channel reaches: then who is on call knows of it."""
    lead = incident.process.roles.get(Role.COMMUNICATIONS, "")
    owner = incident.process.owner
    return (lead,) if lead else (owner, "on_call") if owner else ("on_call",)


def _due_again(draft: Draft) -> None:
    """Another interval since stakeholders were told last; the time of pauses does not count."""
    incident = draft.incident
    round_at = incident.round_at or draft.now
    since = max(round_at, incident.process.updated_at or round_at)
    every = draft.policy.severities[incident.severity].update_every
    due_at = None if every is None else since + every
    for began_at, ended_at in incident.process.pauses:
        if due_at is not None and ended_at > since:
            due_at = waited(due_at, (max(began_at, since), ended_at))
    _plan(draft, due_at)


def _due(draft: Draft, since: datetime, *, at_the_latest: datetime | None = None) -> None:
    every = draft.policy.severities[draft.incident.severity].update_every
    due_at = None if every is None else since + every
    if at_the_latest is not None and (due_at is None or due_at >= at_the_latest):
        return
    _plan(draft, due_at)


def _plan(draft: Draft, due_at: datetime | None) -> None:
    if due_at != draft.incident.process.update_due_at or draft.incident.process.nudged:
        draft.proceed(update_due_at=due_at, nudged=0)
