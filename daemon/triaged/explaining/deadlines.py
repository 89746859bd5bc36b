"""Why what is due is due then: each deadline traced back to the instant and the target that it follows from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import Struct

from triaged.core import wording
from triaged.core.escalation import ladder_of
from triaged.core.model import DeadlineKind, Entry, Incident, Objective, Outcome, Severity, TimelineEntry
from triaged.core.objectives import standing
from triaged.core.sla import ALWAYS, BUSINESS, Policy

_OBJECTIVES = {
    DeadlineKind.RESPONSE: Objective.RESPONSE,
    DeadlineKind.RESOLUTION: Objective.RESOLUTION,
}
_AT_RISK = {
    DeadlineKind.RESPONSE_AT_RISK: Objective.RESPONSE,
    DeadlineKind.RESOLUTION_AT_RISK: Objective.RESOLUTION,
}
_QUESTIONS = {
    DeadlineKind.GROWTH: "a growth condition may hold by time alone",
    DeadlineKind.STORM: "it is asked then whether the storm goes on",
}


class Due(Struct, frozen=True, kw_only=True):
    """A deadline that stands, and what it follows from, in words."""

    kind: DeadlineKind
    due_at: datetime
    derived: str


class Decided(Struct, frozen=True, kw_only=True):
    """An objective of the present round: when it is (or was) due and why then, and how it ended, if it has."""

    objective: Objective
    due_at: datetime
    derived: str
    outcome: Outcome | None


def due(incident: Incident, policy: Policy, timeline: Iterable[TimelineEntry]) -> tuple[Due, ...]:
    """The deadlines that stand for the incident, earliest first; `policy` is the one frozen on it."""
    entries = tuple(timeline)
    found = [
        Due(kind=deadline.kind, due_at=deadline.due_at, derived=_derived(incident, policy, deadline.kind, entries))
        for deadline in standing(incident, policy)
    ]
    return tuple(sorted(found, key=lambda one: (one.due_at, one.kind)))


def decided(incident: Incident, policy: Policy, timeline: Iterable[TimelineEntry]) -> tuple[Decided, ...]:
    """The objectives of the incident's present round; none before it was opened."""
    entries = tuple(timeline)
    found = []
    for objective in Objective:
        due_at, outcome = _target(incident, objective)
        if due_at is not None:
            derived = _objective(incident, policy, objective, entries)
            found.append(Decided(objective=objective, due_at=due_at, derived=derived, outcome=outcome))
    return tuple(found)


def _derived(incident: Incident, policy: Policy, kind: DeadlineKind, timeline: tuple[TimelineEntry, ...]) -> str:
    own = policy.severities[incident.severity]
    if kind in _AT_RISK:
        objective = _AT_RISK[kind]
        due_at, _ = _target(incident, objective)
        until = f", {wording.instant(due_at)}" if due_at else ""
        return f"{own.at_risk:.0%} of the way to the end of the {objective} objective{until}"
    if kind in _OBJECTIVES:
        return _objective(incident, policy, _OBJECTIVES[kind], timeline)
    if kind is DeadlineKind.OPENING:
        by = "a rule's delay" if incident.held_until is None else f"maintenance ({incident.held_for})"
        return f"first fired {wording.instant(incident.created_at)}, held back by {by}"
    if kind is DeadlineKind.VERIFICATION and incident.restored_at is not None:
        window = wording.span(own.verify_for)
        return f"quiet since {wording.instant(incident.restored_at)}, and {incident.severity} is watched for {window}"
    if kind is DeadlineKind.ACKNOWLEDGEMENT:
        how = "ends with the silence" if incident.by_silence else "ends unless somebody acts"
        return f"the acknowledgement by {incident.acknowledged_by} {how}"
    if kind is DeadlineKind.PAUSE:
        since = wording.instant(incident.process.paused_at) if incident.process.paused_at else "before"
        return f"paused since {since}: what was left of the resolution counts on then"
    if kind is DeadlineKind.ESCALATION:
        return _escalation(incident, policy)
    if kind is DeadlineKind.UPDATE:
        return _update(incident, policy)
    if kind is DeadlineKind.REPORTER and incident.process.reporter is not None:
        return f"{incident.process.reporter.name}, who reported it, was asked whether it works again"
    return _QUESTIONS.get(kind, "")


def _update(incident: Incident, policy: Policy) -> str:
    process, every = incident.process, policy.severities[incident.severity].update_every
    last = f"told last {wording.instant(process.updated_at)}" if process.updated_at else "not told yet"
    due = f", the next time at {wording.instant(process.update_due_at)}" if process.update_due_at else ""
    return f"stakeholders were {last}{due}: every {wording.span(every)} for {incident.severity}" if every else last


def _escalation(incident: Incident, policy: Policy) -> str:
    process, ladder = incident.process, ladder_of(incident)
    levels = policy.severities[ladder].escalation
    asked = f"somebody was asked for {wording.instant(process.asked_at)}" if process.asked_at else "nobody has it"
    if process.level >= len(levels):
        return f"{asked}; the last level of {ladder} is told again until somebody acknowledges it"
    level = levels[process.level]
    hours = "" if level.during == ALWAYS else f", in the hours of calendar {level.during}"
    return f"{asked} + {wording.span(level.after)}: level {process.level + 1} of {len(levels)} of {ladder}{hours}"


def _objective(incident: Incident, policy: Policy, objective: Objective, timeline: tuple[TimelineEntry, ...]) -> str:
    """`opened 2026-11-23 08:00 UTC + 15m (sev1, calendar always)`: the first start and target that give the instant."""
    due_at, _ = _target(incident, objective)
    for start, what in _starts(incident, objective, timeline):
        for severity in (incident.severity, *(other for other in Severity if other is not incident.severity)):
            if policy.due(severity, objective, start) == due_at:
                own = policy.severities[severity]
                target = own.targets[objective]
                calendar = BUSINESS if target.business_days is not None and own.calendar == ALWAYS else own.calendar
                counted = "elapsed time" if calendar == ALWAYS else f"open time of calendar {calendar}"
                kept = "" if severity is incident.severity else ", the earlier one is kept"
                return f"{what} {wording.instant(start)} + {target.text} ({severity}, {counted}{kept})"
    if objective is Objective.RESOLUTION and (incident.process.pauses or incident.process.paused_at):
        return _paused(incident)
    return "it follows from a severity that was chosen or judged meanwhile"


def _paused(incident: Incident) -> str:
    """The instants at which the clock stood still; what was left then counted on."""
    process = incident.process
    spans = [f"from {wording.instant(since)} to {wording.instant(until)}" for since, until in process.pauses]
    if process.paused_at is not None:
        spans.append(f"since {wording.instant(process.paused_at)}")
    return f"what was left counted on after pauses: {wording.listing(spans, most=5)}"


def _starts(
    incident: Incident, objective: Objective, timeline: tuple[TimelineEntry, ...]
) -> Iterator[tuple[datetime, str]]:
    own = incident.response_started_at if objective is Objective.RESPONSE else incident.round_at
    if own is not None:
        reopened = "reopened" if incident.round > 1 else "opened"
        yield own, reopened if own == incident.round_at else "asked for anew"
    for entry in timeline:
        if entry.entry in (Entry.SEVERITY, Entry.UNFOLDED):
            yield entry.at, "severity changed" if entry.entry is Entry.SEVERITY else "unfolded"


def _target(incident: Incident, objective: Objective) -> tuple[datetime | None, Outcome | None]:
    if objective is Objective.RESPONSE:
        return incident.response_due_at, incident.response_outcome
    return incident.resolution_due_at, incident.resolution_outcome
