"""Escalation: who is told next while nobody takes an incident, or where it goes wrong; each level once, in order."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Final

from triaged.core import wording
from triaged.core.briefing import brief
from triaged.core.draft import Draft
from triaged.core.effects import Audience, CommentKind, NoticeKind
from triaged.core.events import EscalateAsked, NobodyTold
from triaged.core.model import DAEMON, Actor, Entry, Incident, Outcome, Severity, State
from triaged.core.naming import expect_known
from triaged.core.recipients import NEXT, ON_CALL, TEAM
from triaged.core.sla import ALWAYS, Level, Policy
from triaged.errors import ActError

REPEAT_AFTER: Final = timedelta(minutes=15)
"""The last level is told again no sooner than this where it does not say when."""
ELSEWHERE: Final = "other"
"""The level, as a label, of an escalation to somebody by name."""


@unique
class Ground(StrEnum):
    """Why a level is told."""

    OPENED = "opened"
    NOT_ACKNOWLEDGED = "not_acknowledged"
    RESPONSE_BREACHED = "response_breached"
    RESOLUTION_AT_RISK = "resolution_at_risk"
    RESOLUTION_BREACHED = "resolution_breached"
    SEVERITY_RAISED = "severity_raised"
    ACKNOWLEDGEMENT_ENDED = "acknowledgement_ended"
    NOBODY_TOLD = "nobody_told"
    ASKED = "asked"


_TOLD_OTHERWISE: Final = (Ground.OPENED, Ground.SEVERITY_RAISED)
"""The issue tells of these by itself."""
_IN_WORDS: Final = {
    Ground.RESPONSE_BREACHED: "the response objective is breached",
    Ground.RESOLUTION_AT_RISK: "the resolution objective is at risk",
    Ground.RESOLUTION_BREACHED: "the resolution objective is breached",
    Ground.ACKNOWLEDGEMENT_ENDED: "the acknowledgement ended",
}


def follow(draft: Draft) -> None:
    """Escalate as what became of the incident asks for: the last thing of every decision."""
    before, incident = draft.before, draft.incident
    if incident is before:
        return
    if not _is_asked_for(incident):
        if incident.process.escalates_at is not None:
            draft.proceed(escalates_at=None, escalates_for="")
        return
    ground = _asked_anew(before, incident)
    if ground is not None:
        _ask(draft, ground)
    elif _is_taken(incident) and not _is_taken(before):
        draft.proceed(escalates_at=None, escalates_for="")
    elif ladder_of(incident) is not ladder_of(before) and not _is_taken(incident):
        _plan(draft, min(incident.process.level, len(_levels(draft))))
    else:
        _go_wrong(draft)
    act(draft)


def act(draft: Draft) -> None:
    """Tell every level whose time has come; those that came while nobody could tell them, in one go."""
    if not stands(draft.incident):
        return
    while (at := draft.incident.process.escalates_at) is not None and at <= draft.now:
        process = draft.incident.process
        ground = Ground(process.escalates_for or Ground.NOT_ACKNOWLEDGED)
        level = min(process.level + 1, len(_levels(draft)))
        _tell(draft, level, ground, _because(draft, ground))
        _plan(draft, level, at_once=ground)


def stands(incident: Incident) -> bool:
    """Whether levels are told now: not while it is verified, nor while somebody has it and waits for others."""
    return incident.state is State.OPEN or (incident.state.working and incident.process.paused_at is None)


def nobody(draft: Draft, event: NobodyTold) -> None:
    """The level told last was told to nobody: the next one is told at once, after the last there is none."""
    incident = draft.incident
    process, levels = incident.process, _levels(draft)
    if not (stands(incident) and process.level and event.key == key_of(incident)):
        return
    if process.level < len(levels):
        at = _opens(draft.policy, levels[process.level], draft.now)
        draft.proceed(escalates_at=at, escalates_for=str(Ground.NOBODY_TOLD))
        act(draft)


def escalate(draft: Draft, event: EscalateAsked) -> None:
    """A person wants the next level told, the one of a number, or somebody by name: at once, whatever the hours."""
    incident, levels = draft.incident, _levels(draft)
    asks = f"{event.actor.name} asks for it" + (f": {event.reason}" if event.reason else "")
    number = re.fullmatch(r"(?:level ?)?([0-9]{1,3})", event.to, re.IGNORECASE)
    if event.to and number is None:
        _know(draft, event.to)
        words: tuple[str, ...] = (event.to,)
        _tell_named(draft, event.to, asks, by=event.actor)
    else:
        level = int(number[1]) if number else min(incident.process.level + 1, len(levels))
        if not 1 <= level <= len(levels):
            raise ActError(_expected_level(incident, levels, level if number else None))
        words = levels[level - 1].notify
        _tell(draft, level, Ground.ASKED, asks, by=event.actor)
        _plan(draft, max(level, incident.process.level))
    if event.take_over:
        owner = _owner(words, incident.team)
        draft.proceed(owner=owner)
        draft.tell(Entry.ESCALATED, f"{event.actor.name} hands it over to {owner}", by=event.actor)
    draft.publish(urgent=True)


def key_of(incident: Incident) -> str:
    """The key of the notice by which the level that was told last was told."""
    process = incident.process
    at = process.told_at.isoformat() if process.told_at else ""
    return f"escalated:{incident.round}:{ladder_of(incident)}:{process.level}:{at}"


def ladder_of(incident: Incident) -> Severity:
    """The severity whose levels are told: that of the incident, or a graver one that no person has seen."""
    covered, judged = incident.covered, incident.judged
    unseen = incident.chosen is not None and covered is not None and judged.graver_than(covered)
    return judged if unseen and judged.graver_than(incident.severity) else incident.severity


# ---------------------------------------------------------------- when


def _is_asked_for(incident: Incident) -> bool:
    """Whether anybody is to be told of it at all: what is folded is its parent's matter."""
    return incident.state.unfinished and incident.opened_at is not None and incident.parent is None


def _is_taken(incident: Incident) -> bool:
    return State.ACKNOWLEDGED in (incident.state, incident.former_state)


def _asked_anew(before: Incident, incident: Incident) -> Ground | None:
    """Why the levels begin anew with the first, if they do."""
    if incident.round != before.round:
        return Ground.OPENED
    if ladder_of(incident).graver_than(ladder_of(before)):
        return Ground.SEVERITY_RAISED
    asked = incident.response_started_at != before.response_started_at
    return Ground.ACKNOWLEDGEMENT_ENDED if asked or (_is_taken(before) and not _is_taken(incident)) else None


def _ask(draft: Draft, ground: Ground) -> None:
    draft.proceed(asked_at=draft.clock_at, told_at=None, level=0)
    levels = _levels(draft)
    at = _planned(draft.policy, levels, draft.clock_at) if levels else None
    draft.proceed(escalates_at=at, escalates_for=str(ground) if levels else "")


def _go_wrong(draft: Draft) -> None:
    """An objective is at risk or breached: the next level is brought forward, unless one was told since then."""
    before, incident, process = draft.before, draft.incident, draft.incident.process
    levels = _levels(draft)
    found = _went_wrong(before, incident)
    if found is None or not levels:
        return
    ground, due_at = found
    repeats = process.level >= len(levels) and not _is_taken(incident)
    if repeats or (process.told_at is not None and due_at is not None and process.told_at >= due_at):
        return
    at = _opens(draft.policy, levels[min(process.level, len(levels) - 1)], draft.now)
    if process.escalates_at is None or at < process.escalates_at:
        draft.proceed(escalates_at=at, escalates_for=str(ground))


def _went_wrong(before: Incident, incident: Incident) -> tuple[Ground, datetime | None] | None:
    """What just went wrong with the objectives of an incident at work, and when that was due."""
    if not incident.state.working:
        return None
    breached = Outcome.BREACHED
    if incident.resolution_outcome is breached is not before.resolution_outcome:
        return Ground.RESOLUTION_BREACHED, incident.resolution_due_at
    if incident.resolution_at_risk and not before.resolution_at_risk:
        return Ground.RESOLUTION_AT_RISK, incident.resolution_at_risk_at
    if incident.response_outcome is breached is not before.response_outcome and not _is_taken(incident):
        return Ground.RESPONSE_BREACHED, incident.response_due_at
    return None


def _plan(draft: Draft, level: int, *, at_once: Ground | None = None) -> None:
    """After so many levels: the next at its time; after the last the same again; none while somebody has it.

    `at_once` is the reason of what was just told, which is that of levels at the same instant, too.
    """
    incident, levels = draft.incident, _levels(draft)
    process = incident.process
    at = None
    if levels and not _is_taken(incident):
        if level < len(levels):
            at = _planned(draft.policy, levels[level:], process.asked_at or draft.now)
        else:
            last = levels[-1]
            again = last.repeat or max(last.after, REPEAT_AFTER)
            at = _opens(draft.policy, last, (process.told_at or draft.now) + again)
    same = at_once is not None and at is not None and at == process.asked_at
    draft.proceed(level=level, escalates_at=at, escalates_for=str(at_once) if same else "")


def _planned(policy: Policy, levels: tuple[Level, ...], asked_at: datetime) -> datetime:
    """When the first of these is told: it waits for its hours, but never longer than one after it."""
    return min(_opens(policy, level, asked_at + level.after) for level in levels)


def _opens(policy: Policy, level: Level, at: datetime) -> datetime:
    """The instant, or the next one in the level's hours; a calendar that ran out must silence nobody."""
    if level.during == ALWAYS:
        return at
    try:
        return policy.calendars[level.during].add(at, timedelta())
    except ValueError:
        return at


def _levels(draft: Draft) -> tuple[Level, ...]:
    return draft.policy.severities[ladder_of(draft.incident)].escalation


# ---------------------------------------------------------------- telling


def _tell(draft: Draft, level: int, ground: Ground, why: str, *, by: Actor = DAEMON) -> None:
    process, levels = draft.incident.process, _levels(draft)
    again = level <= process.level
    to = levels[level - 1].notify
    draft.proceed(level=level, told_at=draft.now)
    what = f"level {level} of {len(levels)} ({wording.listing(to, most=5)})"
    draft.tell(Entry.ESCALATED, f"{what} is told{' again' if again else ''}: {why}", by=by)
    unanswered = () if _is_taken(draft.incident) else tuple(w for one in levels[: process.level] for w in one.notify)
    told = tuple(dict.fromkeys(unanswered))
    text = "" if ground is Ground.OPENED else brief(draft.incident, why, told, draft.context.history)
    opened = NoticeKind.OPENED if draft.incident.round == 1 else NoticeKind.REOPENED
    kind = opened if ground is Ground.OPENED else NoticeKind.ESCALATED
    draft.notify(kind, to, audience=Audience.RESPONDERS, key=key_of(draft.incident), text=text)
    if not (again and ground is Ground.NOT_ACKNOWLEDGED) and ground not in _TOLD_OTHERWISE:
        of = f"{draft.incident.round}:{ladder_of(draft.incident)}:{level}:{ground}:{draft.now.isoformat()}"
        draft.comment(CommentKind.ESCALATED, f"Escalated to {what}: {why.rstrip('.')}.", of=of, calls=to)
    if not (again and ground is Ground.NOT_ACKNOWLEDGED) and ground is not Ground.OPENED:
        draft.tally("escalations_total", level=str(level), reason=str(ground))
    draft.publish(urgent=True)


def _tell_named(draft: Draft, name: str, why: str, *, by: Actor) -> None:
    """Somebody outside of the levels: an expert, another team, a vendor."""
    at = draft.now.isoformat()
    draft.tell(Entry.ESCALATED, f"{name} is told: {why}", by=by)
    text = brief(draft.incident, why, (), draft.context.history)
    key = f"escalated:{draft.incident.round}:{name}:{at}"
    draft.notify(NoticeKind.ESCALATED, (name,), audience=Audience.RESPONDERS, key=key, text=text)
    of, said = f"{draft.incident.round}:{name}:{at}", f"Escalated to {name}: {why.rstrip('.')}."
    draft.comment(CommentKind.ESCALATED, said, of=of, calls=(name,))
    draft.tally("escalations_total", level=ELSEWHERE, reason=str(Ground.ASKED))


def _because(draft: Draft, ground: Ground) -> str:
    incident = draft.incident
    match ground:
        case Ground.OPENED:
            return f"{'opened' if incident.round == 1 else 'reopened'} as {incident.severity}"
        case Ground.SEVERITY_RAISED:
            return f"its severity is {ladder_of(incident)} now"
        case Ground.NOBODY_TOLD:
            return f"nobody could be told at level {incident.process.level}"
        case Ground.NOT_ACKNOWLEDGED:
            since = incident.process.asked_at or draft.now
            return f"nobody has acknowledged it for {wording.span(draft.now - since)}"
        case _:
            return _IN_WORDS[ground]


def _know(draft: Draft, name: str) -> None:
    """Refuse whom nothing can reach; where it is not known what there is, any name may be somebody's."""
    context = draft.context
    if context.channels is None or not (context.people or context.teams or context.channels):
        return
    known = (*context.people, *context.teams, *context.channels, ON_CALL, NEXT, TEAM)
    expect_known(name, known, field="to", among="a level, or one of the people, teams or channels")


def _expected_level(incident: Incident, levels: tuple[Level, ...], got: int | None) -> str:
    severity = ladder_of(incident)
    if not levels:
        return f"{incident.name} cannot be escalated to a level: {severity} has none; say whom in `to`"
    return f"to: expected a level from 1 to {len(levels)} of {severity}, or a name, got {got}"


def _owner(words: tuple[str, ...], team: str) -> str:
    """Who has it from then on, as far as it can be said before somebody is asked who is on call."""
    said = {"on_call": f"who is on call for {team}", "on_call.next": f"who is next on call for {team}", "team": team}
    return ", ".join(said.get(word, word) for word in words)
