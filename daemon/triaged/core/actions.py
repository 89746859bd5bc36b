"""Action items: what people set themselves to do so that an incident does not come again, until it is done."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from triaged.core import wording
from triaged.core.draft import Draft
from triaged.core.effects import Audience, NoticeKind, Notify, PublishIssue
from triaged.core.events import ActionAsked
from triaged.core.model import ActionItem, ActionKind, Entry, Incident
from triaged.core.naming import expect_known
from triaged.core.reviewing import asked, days_after, opening
from triaged.core.sla import BUSINESS, Policy
from triaged.errors import ActError

MOST: Final = 50
"""So many an incident has: what is to be done beyond that wants a place of its own."""
FURTHEST: Final = timedelta(days=2 * 366)
AFTER: Final = (1, 5, 10, 20)
"""On which working days after it was due its owner is reminded once more."""


def act(draft: Draft, event: ActionAsked) -> None:
    """Add an action item, or say that one is done; also of what is folded, whose items stay its own."""
    if event.done is None:
        _add(draft, event)
    else:
        _done(draft, event, event.done)
    draft.effects.append(PublishIssue(incident_id=draft.incident.id))


def reminds_at(incident: Incident, policy: Policy) -> datetime | None:
    """When the owner of an action item is reminded next, if at all."""
    return min((at for item in incident.process.actions for at in _left(item, policy)[:1]), default=None)


def remind(draft: Draft) -> None:
    """Tell the owner of each item that is due by now, or has been for some days."""
    items = []
    for item in draft.incident.process.actions:
        passed = sum(at <= draft.now for at in _left(item, draft.policy))
        if passed:
            items.append(replace(item, reminded=item.reminded + passed))
            _tell(draft, items[-1])
        else:
            items.append(item)
    draft.proceed(actions=tuple(items))


def words(item: ActionItem) -> str:
    """`action item 2 (process) of bob, due 2026-11-30 09:00 UTC: …`."""
    whose = f" of {item.owner}" if item.owner else ""
    due = f", due {wording.instant(item.due_at)}" if item.due_at else ""
    return f"action item {item.id} ({item.kind}){whose}{due}: {item.text}"


def _tell(draft: Draft, item: ActionItem) -> None:
    to = (item.owner,) if item.owner else asked(draft.incident)
    reminded = " and ".join(word.replace("_", " ") for word in to)
    draft.tell(Entry.ACTION, f"not done yet: {words(item)}; {reminded} reminded of it")
    text = words(item)
    # Not by way of the draft, which leaves telling of what is folded to its parent: that has not these items.
    draft.effects.append(
        Notify(
            incident_id=draft.incident.id,
            kind=NoticeKind.ACTION,
            audience=Audience.RESPONDERS,
            key=f"action:{item.id}:{item.reminded}",
            to=to,
            text=f"{text[0].upper()}{text[1:]}",
        )
    )


def _left(item: ActionItem, policy: Policy) -> tuple[datetime, ...]:
    """When its owner is still to be reminded of it."""
    if item.due_at is None or item.done_at is not None:
        return ()
    return _instants(item.due_at, policy)[item.reminded :]


def _instants(due_at: datetime, policy: Policy) -> tuple[datetime, ...]:
    """When somebody is reminded of what is due then: in working time, because none of it is worth an evening."""
    calendar = policy.calendars.get(BUSINESS)
    first = opening(calendar, due_at)
    return (first, *(days_after(calendar, first, days) for days in AFTER))


def _add(draft: Draft, event: ActionAsked) -> None:
    actions = draft.incident.process.actions
    text = event.text.strip()
    if not text:
        raise ActError("text: expected what is to be done, or done with the number of an action item, got nothing")
    if len(actions) >= MOST:
        raise ActError(f"{draft.incident.name} has {MOST} action items: expected no more than that")
    context = draft.context
    if event.owner and context.people:
        expect_known(
            event.owner,
            (*context.people, *context.teams),
            field="owner",
            among="one of the people or teams of services.yaml",
        )
    item = ActionItem(
        id=len(actions) + 1,
        kind=event.kind or ActionKind.PREVENTIVE,
        text=text,
        by=event.actor.name,
        at=draft.now,
        owner=event.owner,
        due_at=_due_at(draft.now, event),
    )
    draft.proceed(actions=(*actions, item))
    draft.tell(Entry.ACTION, f"{words(item)} (by {event.actor.name})", by=event.actor)


def _due_at(now: datetime, event: ActionAsked) -> datetime | None:
    if event.due_in is not None and event.due_in > FURTHEST:
        raise ActError(f"due: expected at most {FURTHEST.days} days from now, got {wording.span(event.due_in)}")
    due_at = event.due_at if event.due_in is None else now + event.due_in
    if due_at is not None and not now < due_at <= now + FURTHEST:
        raise ActError(
            f"due: expected an instant after now ({wording.instant(now)}), at most {FURTHEST.days} days ahead,"
            f" got {wording.instant(due_at)}"
        )
    return due_at


def _done(draft: Draft, event: ActionAsked, number: int) -> None:
    incident, actions = draft.incident, draft.incident.process.actions
    found = next((item for item in actions if item.id == number), None)
    if found is None:
        there = f"one of 1 to {len(actions)}" if actions else "an incident with action items"
        raise ActError(f"done: {incident.name} has no action item {number}: expected {there}")
    if found.done_at is not None:
        raise ActError(f"done: action item {number} was done at {wording.instant(found.done_at)} by {found.done_by}")
    done = replace(found, done_at=draft.now, done_by=event.actor.name)
    draft.proceed(actions=tuple(done if item.id == number else item for item in actions))
    text = f"done by {event.actor.name}: action item {number} ({found.kind}): {found.text}"
    draft.tell(Entry.ACTION, text, by=event.actor)
