"""What people write down while they work on an incident: who has it, what they found, what others are told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, assert_never

from triaged.core import cadence, objectives, wording
from triaged.core.acts import renew
from triaged.core.draft import Draft
from triaged.core.effects import Audience, CommentKind, NoticeKind
from triaged.core.events import (
    Assigned,
    Expected,
    Noted,
    RoleGiven,
    Unacknowledged,
    Updated,
    WorkedAround,
    Working,
)
from triaged.core.model import Entry, Role, State, Update
from triaged.core.naming import expect_known
from triaged.errors import ActError

FURTHEST: Final = timedelta(days=366)
"""How far ahead the service may be expected to work again."""
KINDS: Final = {"decision": Entry.DECISION, "hypothesis": Entry.HYPOTHESIS}
"""What a note is that begins with one of these words and a colon."""

_AT_WORK: Final = (State.OPEN, State.ACKNOWLEDGED, State.VERIFYING)
_NOT_CLOSED: Final = (*_AT_WORK, State.RESOLVED)
_PREFIX: Final = re.compile(rf"({'|'.join(KINDS)})\s*:\s*", re.IGNORECASE)


def work(draft: Draft, event: Working) -> None:
    """Do one of these acts; whoever acts has not forgotten the incident."""
    match event:
        case Unacknowledged():
            _give_back(draft, event)
        case Assigned():
            _assign(draft, event)
        case RoleGiven():
            _give_role(draft, event)
        case Noted():
            _note(draft, event)
        case Updated():
            _update(draft, event)
        case Expected():
            _expect(draft, event)
        case WorkedAround():
            _work_around(draft, event)
        case _:
            assert_never(event)
    if draft.incident.state.unfinished:
        renew(draft)
    draft.publish()


def _give_back(draft: Draft, event: Unacknowledged) -> None:
    """As one that expired: the response that was given stays given, and the levels are told from the first."""
    incident = draft.incident
    watched = incident.state is State.VERIFYING
    if State.ACKNOWLEDGED not in (incident.state, incident.former_state):
        raise ActError(f"{incident.name} is {incident.state}: expected one that somebody has acknowledged")
    former = incident.acknowledged_by
    if incident.by_silence:
        draft.void_silences()
    draft.set(acknowledged_by=None, acknowledged_until=None, by_silence=False)
    draft.set(**{"former_state" if watched else "state": State.OPEN})
    whose = "gives it back" if event.actor.name == former else f"ends the acknowledgement by {former}"
    text = f"{event.actor.name} {whose}{_because(event.reason)}"
    draft.tell(Entry.ACKNOWLEDGEMENT_ENDED, text, by=event.actor)
    objectives.end_pause(draft, "nobody has it any more")


def _assign(draft: Draft, event: Assigned) -> None:
    _allow(draft, _NOT_CLOSED, "assigned")
    if event.to:
        _know(event.to, "to", people=draft.context.people, teams=draft.context.teams)
    former = draft.incident.process.owner
    draft.proceed(owner=event.to)
    whose = f"assigned to {event.to}" if event.to else "assigned to nobody"
    was = f" (was {former})" if former and former != event.to else ""
    draft.tell(Entry.ASSIGNED, f"{whose}{was} by {event.actor.name}{_because(event.reason)}", by=event.actor)


def _give_role(draft: Draft, event: RoleGiven) -> None:
    _allow(draft, _NOT_CLOSED, "given roles")
    if event.person:
        _know(event.person, "person", people=draft.context.people)
    roles = {role: name for role, name in draft.incident.process.roles.items() if role != event.role}
    former = draft.incident.process.roles.get(event.role, "")
    if event.person:
        roles[event.role] = event.person
    # In one order, so that the issue does not change with the order of acts.
    draft.proceed(roles={role: roles[role] for role in Role if role in roles})
    was = f" (was {former})" if former and former != event.person else ""
    text = f"{wording.role(event.role)}: {event.person or 'nobody'}{was}, says {event.actor.name}"
    draft.tell(Entry.ROLE, text, by=event.actor)


def _note(draft: Draft, event: Noted) -> None:
    found = _PREFIX.match(event.text)
    entry = KINDS[found[1].lower()] if found else Entry.NOTE
    text = event.text[found.end() :] if found else event.text
    if not text.strip():
        raise ActError("text: expected what is to be noted, got nothing")
    draft.tell(entry, text if entry is Entry.NOTE else f"{entry}: {text}", by=event.actor)


def _update(draft: Draft, event: Updated) -> None:
    """Stakeholders are told, by their channels and on the issue; of what is restricted only who works on it."""
    _allow(draft, _NOT_CLOSED, "told of")
    if not event.text.strip():
        raise ActError("text: expected what stakeholders are told, got nothing")
    if event.eta is not None or event.eta_in is not None:
        eta = _expected_at(draft.now, event.eta, event.eta_in)
        draft.proceed(eta=eta)
    last = draft.incident.process.update
    update = Update(
        at=draft.now,
        by=event.actor.name,
        text=event.text,
        status=event.status or cadence.status(draft.incident),
        impact=event.impact or (last.impact if last else ""),
        next_steps=event.next_steps,
    )
    number = draft.incident.process.updates + 1
    draft.proceed(update=update, updates=number)
    cadence.told(draft)
    lines = _lines(draft, update)
    draft.tell(Entry.UPDATE, f"update by {update.by}: {' · '.join(lines)}", by=event.actor)
    draft.comment(CommentKind.UPDATE, "\n".join([f"Update by {update.by}: {lines[0]}", *lines[1:]]), of=str(number))
    restricted = draft.incident.restricted
    draft.notify(
        NoticeKind.UPDATE,
        ("team",) if restricted else ("stakeholders", "team"),
        audience=Audience.RESPONDERS if restricted else Audience.STAKEHOLDERS,
        key=f"update:{number}",
        text="\n".join(lines),
    )


def _lines(draft: Draft, update: Update) -> list[str]:
    """An update as everybody reads it: what is known, and always when more is."""
    incident = draft.incident
    said = [("Status", update.status), ("Impact", update.impact), ("Next steps", update.next_steps)]
    eta, next_at = incident.process.eta, cadence.next_at(incident)
    said += [
        ("Workaround", incident.process.workaround),
        ("Expected to work again", wording.instant(eta) if eta else "not known yet"),
        ("Next update", wording.instant(next_at) if next_at else "when there is news"),
    ]
    if incident.state is State.RESOLVED:
        said = said[:3]
    return [update.text, *(f"{name}: {text}" for name, text in said if text)]


def _expect(draft: Draft, event: Expected) -> None:
    _allow(draft, _AT_WORK, "given an expectation")
    nobody_knows = event.at is None and event.lasting is None
    eta = None if nobody_knows else _expected_at(draft.now, event.at, event.lasting)
    former = draft.incident.process.eta
    draft.proceed(eta=eta)
    when = f"expected to work again at {wording.instant(eta)}" if eta else "nobody knows yet when it works again"
    was = f" (was {wording.instant(former)})" if former and former != eta else ""
    draft.tell(Entry.ETA, f"{when}{was}, says {event.actor.name}", by=event.actor)


def _work_around(draft: Draft, event: WorkedAround) -> None:
    _allow(draft, _AT_WORK, "given a workaround")
    draft.proceed(workaround=event.text)
    text = (
        f"workaround by {event.actor.name}: {event.text}" if event.text else f"no workaround, says {event.actor.name}"
    )
    draft.tell(Entry.WORKAROUND, text, by=event.actor)


def _expected_at(now: datetime, at: datetime | None, lasting: timedelta | None) -> datetime:
    if lasting is not None and lasting > FURTHEST:
        raise ActError(f"eta: expected at most {FURTHEST.days} days from now, got {wording.span(lasting)}")
    eta = at if at is not None else now + (lasting or timedelta())
    if not now < eta <= now + FURTHEST:
        raise ActError(
            f"eta: expected an instant after now ({wording.instant(now)}), at most {FURTHEST.days} days ahead,"
            f" got {wording.instant(eta)}"
        )
    return eta


def _know(name: str, field: str, *, people: Sequence[str], teams: Sequence[str] = ()) -> None:
    """Refuse who is not in the rules, where these name people."""
    if people:
        among = "people or teams" if teams else "people"
        expect_known(name, (*people, *teams), field=field, among=f"one of the {among} of services.yaml")


def _allow(draft: Draft, states: tuple[State, ...], what: str) -> None:
    incident = draft.incident
    if incident.state not in states:
        allowed = wording.listing([str(state) for state in states], most=len(states))
        raise ActError(f"{incident.name} is {incident.state} and cannot be {what}: expected one that is {allowed}")


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""
