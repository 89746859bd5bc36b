"""The post-incident review: when it begins and is due, who is reminded of it, and how it ends.

One that is over has at most one review, whatever its rounds: while it is open again the review is withdrawn, and its
next resolution asks for the same one anew.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from triaged.core import wording
from triaged.core.calendars import Calendar
from triaged.core.draft import Draft
from triaged.core.effects import Audience, NoticeKind
from triaged.core.events import DowntimeAddedUp, ReviewAsked
from triaged.core.model import ActorKind, CloseReason, Entry, Incident, Review, ReviewOutcome, Role, State
from triaged.core.recipients import ON_CALL, TEAM
from triaged.core.sla import BUSINESS, Policy
from triaged.errors import ActError

BETWEEN: Final = (timedelta(hours=48), timedelta(hours=72))
"""When a review is to be held after the resolution, where its severity says nothing of it."""
AFTER: Final = (1, 2, 3, 4, 5)
"""On which working days after it was due somebody is reminded once more."""
_ONE_DAY: Final = timedelta(days=1)
_A_WEEK: Final = 7

Between = tuple[timedelta, timedelta]


def follow(draft: Draft) -> None:
    """Begin a review where it is over now, and take it back where it is not any more: what every decision ends with."""
    before, incident = draft.before, draft.incident
    if is_over(incident):
        if not is_over(before):
            _begin(draft)
    elif incident.process.review is not None and incident.process.review.outcome is ReviewOutcome.OPEN:
        _withdraw(draft)


def is_over(incident: Incident) -> bool:
    """Whether there is something to look back on: it works again, and it was no false alarm or another's matter."""
    completed = incident.state is State.CLOSED and incident.close_reason is CloseReason.COMPLETED
    return incident.parent is None and (completed or incident.state is State.RESOLVED)


def window(calendar: Calendar | None, over_at: datetime, between: Between) -> tuple[datetime, datetime]:
    """The earliest and the latest instant (UTC) for a review of what was over then, both while the calendar is open.

    Where the earliest has to wait for the calendar there is as much time after it as otherwise. None: elapsed time,
    and so where the calendar opens no more.
    """
    earliest, latest = between
    opens_at = opening(calendar, over_at + earliest)
    return opens_at, opening(calendar, opens_at + (latest - earliest))


def opening(calendar: Calendar | None, at: datetime) -> datetime:
    """The instant itself where the calendar is open then, else its next opening."""
    if calendar is None:
        return at
    try:
        return calendar.add(at, timedelta())
    except ValueError:
        return at


def days_after(calendar: Calendar | None, at: datetime, days: int) -> datetime:
    """An instant of open time so many working days later; elapsed days where there are no more of them."""
    if calendar is not None:
        try:
            return opening(calendar, calendar.add_business_days(at, days))
        except ValueError:
            pass
    return at + days * _ONE_DAY


def reminders(review: Review, policy: Policy) -> tuple[datetime, ...]:
    """When somebody is reminded: when it opens, the working day before it is due, when it is due, some days after."""
    calendar = policy.calendars.get(review.hours)
    before = (review.due_at - _ONE_DAY * days for days in range(1, _A_WEEK + 1))
    eve = next((at for at in before if calendar is None or calendar.is_open(at)), review.opens_at)
    between = (eve,) if review.opens_at < eve else ()
    return (
        review.opens_at,
        *between,
        review.due_at,
        *(days_after(calendar, review.due_at, days) for days in AFTER),
    )


def reminds_at(incident: Incident, policy: Policy) -> datetime | None:
    """When somebody is reminded next, if at all."""
    review = incident.process.review
    if review is None or review.outcome is not ReviewOutcome.OPEN:
        return None
    instants = reminders(review, policy)
    return instants[review.reminded] if review.reminded < len(instants) else None


def remind(draft: Draft) -> None:
    """Tell whoever has it, and its team; when it opens, stakeholders are invited too. After downtime one tells all."""
    review = draft.incident.process.review
    assert review is not None  # noqa: S101 - a deadline of a review stands for one
    instants = reminders(review, draft.policy)
    passed = sum(at <= draft.now for at in instants)
    opens = review.reminded == 0
    draft.proceed(review=replace(review, reminded=passed))
    to = asked(draft.incident)
    due = f"was due at {wording.instant(review.due_at)}" if draft.now > review.due_at else _due(review, draft.now)
    draft.tell(Entry.REVIEW, f"its review {due}: {' and '.join(word.replace('_', ' ') for word in to)} reminded of it")
    text = f"{review.name} {due}."
    key = f"review:{review.begun_at.isoformat()}:{passed}"
    draft.notify(NoticeKind.REVIEW, to, audience=Audience.RESPONDERS, key=key, text=text)
    if opens and draft.now <= review.due_at:
        draft.tell_stakeholders(NoticeKind.REVIEW, of=review.begun_at.isoformat(), text=f"You are invited: it {due}.")


def asked(incident: Incident) -> tuple[str, ...]:
    """Who is reminded of what is left to do when an incident is over."""
    process = incident.process
    whose = process.roles.get(Role.COMMANDER, "") or process.owner
    return (whose, TEAM) if whose else (TEAM, ON_CALL)


def review(draft: Draft, event: ReviewAsked) -> None:
    """A person held the review, does without it, or wants one (again)."""
    incident, found = draft.incident, draft.incident.process.review
    if event.outcome is ReviewOutcome.OPEN:
        _open(draft, event)
        return
    if found is None or found.outcome is ReviewOutcome.WITHDRAWN:
        why = "has none" if found is None else "is not over"
        raise ActError(f"{incident.name} {why}: expected an incident with a review; outcome open begins one")
    if found.outcome is not ReviewOutcome.OPEN:
        raise ActError(f"{found.name} was {found.outcome} by {found.by}: expected one that is open")
    if event.outcome is ReviewOutcome.WAIVED and not event.reason.strip():
        raise ActError("reason: expected why there is no review, got nothing")
    ended = replace(found, outcome=event.outcome, by=event.actor.name, at=draft.now, reason=event.reason)
    draft.proceed(review=ended)
    because = f": {event.reason}" if event.reason else ""
    draft.tell(Entry.REVIEW, f"review {event.outcome} by {event.actor.name}{because}", by=event.actor)
    draft.publish()


def add_up(draft: Draft, event: DowntimeAddedUp) -> None:
    """A service was down for longer than ops allow: its last incident is reviewed, whatever its severity."""
    incident, found = draft.incident, draft.incident.process.review
    if not is_over(incident) or (found is not None and found.outcome is not ReviewOutcome.WITHDRAWN):
        return
    down, budget, within = (wording.span(one) for one in (event.down_for, event.budget, event.within))
    _start(draft, f"{incident.service} was down for {down} in {within}, more than its budget of {budget}")


def _begin(draft: Draft) -> None:
    incident, found = draft.incident, draft.incident.process.review
    policy = draft.policy.severities[incident.severity]
    nobody_had_to = incident.process.watch.unattended and incident.closed_by_kind is ActorKind.DAEMON
    said = found is not None and found.outcome in (ReviewOutcome.HELD, ReviewOutcome.WAIVED)
    # One that was begun for a reason of its own is asked for anew whatever the severity says.
    because = found.because if found is not None else ""
    if not said and (because or (policy.review is not None and not nobody_had_to)):
        _start(draft, because)


def _start(draft: Draft, because: str = "") -> None:
    incident, policy = draft.incident, draft.policy
    hours = next((name for name in (draft.context.hours, BUSINESS) if name in policy.calendars), "")
    between = policy.severities[incident.severity].review or BETWEEN
    opens_at, due_at = window(policy.calendars.get(hours), draft.now, between)
    former = incident.process.review
    begun = Review(
        number=former.number if former else 0,
        severity=incident.severity,
        begun_at=draft.now,
        opens_at=opens_at,
        due_at=due_at,
        hours=hours,
        because=because,
    )
    draft.proceed(review=begun)
    when = f"to be reviewed between {wording.instant(opens_at)} and {wording.instant(due_at)}"
    draft.tell(Entry.REVIEW, f"{when}: {because}" if because else when)
    draft.publish()


def _withdraw(draft: Draft) -> None:
    incident, found = draft.incident, draft.incident.process.review
    assert found is not None  # noqa: S101 - `follow` asked
    draft.proceed(review=replace(found, outcome=ReviewOutcome.WITHDRAWN))
    if incident.parent is not None:
        why = f"INC-{incident.parent} tells of it"
    elif incident.state is State.CLOSED:
        why = f"closed as {str(incident.close_reason).replace('_', ' ')}"
    else:
        why = "it is open again; its next resolution asks for it anew"
    draft.tell(Entry.REVIEW, f"its review is withdrawn: {why}")
    draft.publish()


def _open(draft: Draft, event: ReviewAsked) -> None:
    """One that was held or waived goes on as it was; where there is none, one begins."""
    incident, found = draft.incident, draft.incident.process.review
    if not is_over(incident):
        raise ActError(f"{incident.name} is {incident.state}: expected one that is resolved, or closed as completed")
    if found is not None and found.outcome is ReviewOutcome.OPEN:
        raise ActError(f"{found.name} is open: expected an incident without an open review")
    because = f"{event.actor.name} asks for it" + (f": {event.reason}" if event.reason else "")
    if found is None or found.outcome is ReviewOutcome.WITHDRAWN:
        _start(draft, because)
        return
    draft.proceed(review=replace(found, outcome=ReviewOutcome.OPEN, by="", at=None, reason=""))
    draft.tell(Entry.REVIEW, f"its review is open again: {because}", by=event.actor)
    draft.publish()


def _due(found: Review, now: datetime) -> str:
    """How it stands before it is overdue."""
    if now == found.due_at:
        return "is due now"
    return f"is due by {wording.instant(found.due_at)}"
