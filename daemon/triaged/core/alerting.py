"""What alerts do to an incident: open it, join it, reopen it, fall silent."""

from __future__ import annotations

from datetime import datetime
from enum import Enum, auto, unique
from typing import assert_never

from triaged.core import objectives, verification, wording
from triaged.core.draft import Draft
from triaged.core.effects import CommentKind, NoticeKind
from triaged.core.episodes import Change
from triaged.core.events import AlertFired, AlertResolved, ParentQuiet
from triaged.core.folding import fold, home, leave, leave_if_alone, unfold_if_graver
from triaged.core.holding import still_waits, waits, waits_too
from triaged.core.judging import judge, restrict
from triaged.core.model import DAEMON, Actor, ActorKind, CloseReason, Entry, Incident, State, Verdict
from triaged.core.sla import Policy


@unique
class Place(Enum):
    """Where a firing belongs: the incident that owns its key, as a member, a reopening or a record; or a new one."""

    JOIN = auto()
    REOPEN = auto()
    RECORD = auto()
    OPEN = auto()


def place(owner: Incident, event: AlertFired, policy: Policy, now: datetime) -> Place:
    """Where an episode that begins or continues now belongs, seen from the incident that owns or last owned its key.

    `policy` is the one frozen on `owner`. A person's close covers what the person could see.
    """
    if owner.state.unfinished:
        return Place.JOIN
    if owner.closed_by_person and event.change is Change.CONTINUED and _held(owner):
        return Place.RECORD
    if owner.close_reason is CloseReason.UNOPENED:
        return Place.OPEN
    ended_at = owner.restored_at or owner.closed_at or now
    inside = now - ended_at <= policy.severities[owner.severity].reopen_within
    if owner.closed_by_person:
        if event.verdict.severity.graver_than(owner.closed_covering or owner.judged):
            return Place.OPEN
        if inside and owner.close_reason is not CloseReason.COMPLETED:
            return Place.RECORD
    # What would reopen one, and is under maintenance, waits for its end: as a new incident that follows.
    held = event.cover.of(event.verdict.severity) is not None
    return Place.REOPEN if inside and not held else Place.OPEN


def _held(closed: Incident) -> bool:
    """Whether an alert fired when it was closed: one does yet, or ended after that."""
    last_ended_at, closed_at = closed.last_ended_at, closed.closed_at
    return closed.firing > 0 or (last_ended_at is not None and closed_at is not None and last_ended_at >= closed_at)


def fired(draft: Draft, event: AlertFired) -> None:
    """An alert fires that belongs to this incident."""
    if event.change is Change.HEARD:
        _heard(draft, event)
        return
    incident = draft.incident
    draft.set(
        alerts=incident.alerts + (event.change is Change.BEGAN),
        firing=incident.firing + 1,
        started_at=min(incident.started_at, event.starts_at, draft.now),
        last_begun_at=draft.now,
    )
    _tell_fires(draft, event)
    restrict(draft, event.verdict, why=f"{event.name} fires")
    draft.publish()
    match incident.state:
        case State.PENDING:
            judge(draft, event.verdict, why=f"{event.name} fires")
            if not waits_too(draft, event):
                open_now(draft, f"{event.name} does not wait")
        case State.OPEN | State.ACKNOWLEDGED:
            judge(draft, event.verdict, why=f"{event.name} fires")
            leave_if_alone(draft)
        case State.VERIFYING:
            _back_from_verifying(draft, event)
            judge(draft, event.verdict, why=f"{event.name} fires")
            unfold_if_graver(draft)
            leave_if_alone(draft)
        case State.RESOLVED | State.CLOSED:
            if place(incident, event, draft.policy, draft.now) is Place.REOPEN:
                reopen(draft, f"{event.name} fires again")
                judge(draft, event.verdict, why=f"{event.name} fires")
            elif event.reported is not None:
                # Nobody would ever send its end.
                draft.set(firing=incident.firing)
        case _:
            assert_never(incident.state)


def _tell_fires(draft: Draft, event: AlertFired) -> None:
    if event.reported is not None:
        by = Actor(name=event.reported.by, kind=ActorKind.PERSON)
        draft.tell(Entry.FIRED, event.reported.text, by=by)
        return
    found = f", found in Alertmanager {event.found_in}" if event.found_in else ""
    draft.tell(Entry.FIRED, f"{event.name} fires since {wording.instant(event.starts_at)}{found}")


def silent(draft: Draft, event: AlertResolved) -> None:
    """An episode of this incident ended."""
    incident = draft.incident
    # Ends arrive out of order: the incident is restored when the last of its alerts ended, not when we heard of it.
    last_ended_at = max(event.ended_at, incident.last_ended_at or event.ended_at)
    draft.set(firing=max(0, incident.firing - 1), last_ended_at=last_ended_at)
    if not draft.incident.firing and incident.storm_until is not None:
        draft.set(storm_until=None)
    gone = f", no longer in Alertmanager {event.gone_from}" if event.gone_from else ""
    draft.tell(Entry.RESOLVED_ALERT, f"{event.name} resolved at {wording.instant(event.ended_at)}{gone}")
    draft.publish()
    if draft.incident.firing or not incident.state.working:
        return
    verify(draft, last_ended_at, "nothing fires any more")


def open_first(draft: Draft, event: AlertFired) -> None:
    """The incident's first alert: open at once, or wait where its rule or maintenance says so."""
    verdict = event.verdict
    draft.set(alerts=1, firing=1, started_at=min(event.starts_at, draft.now), last_begun_at=draft.now)
    _tell_fires(draft, event)
    if not waits(draft, event):
        open_now(draft, " ".join(verdict.because) or _by_rules(verdict))


def open_now(draft: Draft, why: str) -> None:
    """Open the incident: from this instant it has a number, and an issue and clocks unless it is folded."""
    draft.set(state=State.OPEN, opened_at=draft.now, pending_until=None, delayed_until=None)
    draft.tell(Entry.OPENED, f"opened as {draft.incident.severity}: {why}")
    if draft.incident.follows is not None:
        draft.tell(Entry.FOLLOWED, f"follows INC-{draft.incident.follows}")
    found = home(draft)
    if found is not None:
        fold(draft, *found)
        return
    objectives.start_round(draft)
    draft.tally("incidents_opened_total")
    draft.tell_stakeholders(NoticeKind.OPENED)
    draft.publish(urgent=True)


def _by_rules(verdict: Verdict) -> str:
    """Why, where no rule says it in words."""
    rules = "rule" if len(verdict.matched) == 1 else "rules"
    return f"by {rules} {', '.join(verdict.matched)}" if verdict.matched else "no rule matched, so the defaults hold"


def verify(draft: Draft, restored_at: datetime, why: str) -> None:
    """Nothing fires any more: watch for the stability window."""
    incident = draft.incident
    draft.set(state=State.VERIFYING, former_state=incident.state, restored_at=restored_at)
    window = verification.begin(draft)
    draft.tell(Entry.VERIFYING, f"{why}; watched for {window} from {wording.instant(restored_at)}")
    draft.publish(urgent=True)


def parent_quiet(draft: Draft, _event: ParentQuiet) -> None:
    """The parent's own alerts were quiet for its window: what still fires was no part of it, all else ends with it."""
    incident = draft.incident
    if not incident.state.working:
        return
    if incident.firing:
        leave(draft, f"it still fires, and INC-{incident.parent} is over")
    else:
        # A person reopened it, and merged it then.
        verify(draft, draft.now, f"INC-{incident.parent} is over")


def reopen(draft: Draft, why: str, *, by: Actor = DAEMON) -> None:
    """A new round of the same incident: open, with its own objectives."""
    draft.set(
        state=State.OPEN,
        former_state=None,
        last_ended_at=None,
        restored_at=None,
        resolved_at=None,
        closed_at=None,
        closed_by=None,
        closed_by_kind=None,
        close_reason=None,
        closed_covering=None,
        parent=None,
        fold=None,
        folded_at=None,
    )
    draft.proceed(reopened_at=draft.now)
    if by is DAEMON:
        verification.refired(draft)
    else:
        verification.forget(draft)
    found = home(draft) if by is DAEMON else None
    if found is not None:
        draft.tell(Entry.REOPENED, f"reopened: {why}")
        fold(draft, *found)
        return
    objectives.start_round(draft)
    draft.tally("incidents_reopened_total")
    draft.tell(Entry.REOPENED, f"reopened, round {draft.incident.round}: {why}", by=by)
    draft.comment(CommentKind.REOPENED, f"Reopened: {why}.")
    draft.tell_stakeholders(NoticeKind.REOPENED, of=str(draft.incident.round))
    draft.publish(urgent=True)


def _heard(draft: Draft, event: AlertFired) -> None:
    incident = draft.incident
    if event.starts_at < incident.started_at:
        draft.set(started_at=event.starts_at)
        draft.publish()
    restrict(draft, event.verdict, why=f"{event.name} is judged anew")
    if incident.state.unfinished:
        judge(draft, event.verdict, why=f"{event.name} is judged anew")
        if draft.incident.state is State.PENDING and not still_waits(draft, event):
            open_now(draft, f"{event.name} does not wait")


def _back_from_verifying(draft: Draft, event: AlertFired) -> None:
    incident = draft.incident
    draft.set(state=incident.former_state or State.OPEN, former_state=None, restored_at=None)
    verification.refired(draft)
    objectives.answered(draft)
    draft.tell(Entry.REFIRED, f"{event.name} fires again: back to {draft.incident.state}")
    draft.publish(urgent=True)
