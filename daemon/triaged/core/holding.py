"""What holds an incident back before it opens: the delays of rules, maintenance windows, or both."""

from __future__ import annotations

from datetime import datetime

from triaged.core import wording
from triaged.core.draft import Draft
from triaged.core.events import AlertFired, WentOver
from triaged.core.maintenance import Cover, Window, until
from triaged.core.model import DAEMON, CloseReason, Entry, Incident, State, Verdict


def waits(draft: Draft, event: AlertFired) -> bool:
    """Hold a new incident back where its first alert waits; whether it does."""
    verdict, window = event.verdict, event.cover.of(event.verdict.severity)
    wait_until = _wait_until(verdict, window, draft.now)
    if wait_until is None:
        return False
    draft.set(pending_until=wait_until, delayed_until=_delayed_until(verdict, draft.now), **_held(window))
    if window is not None:
        draft.tell(Entry.PENDING, f"held back by {until(window)}")
    if verdict.delay is not None and draft.incident.delayed_until is not None:
        # A verdict does not say which of its rules gave the delay.
        rules = " or ".join(verdict.matched)
        draft.tell(Entry.PENDING, f"held back for {wording.span(verdict.delay)} by rule {rules}")
    return True


def waits_too(draft: Draft, event: AlertFired) -> bool:
    """An alert joins what is held back: whether it waits, too; then all wait no longer than that."""
    verdict, window = event.verdict, event.cover.of(event.verdict.severity)
    wait_until = _wait_until(verdict, window, draft.now)
    if wait_until is None:
        return False
    incident, delayed_until = draft.incident, _delayed_until(verdict, draft.now)
    draft.set(
        pending_until=min(incident.pending_until or wait_until, wait_until),
        delayed_until=_earlier(incident.delayed_until, delayed_until),
    )
    if window is not None and (incident.held_until is None or window.ends_at < incident.held_until):
        draft.set(**_held(window))
    return True


def still_waits(draft: Draft, event: AlertFired) -> bool:
    """An alert of what is held back is judged anew: whether it still waits. A delay alone never holds sev1 and sev2.

    What began outside of maintenance is not held back by one that begins later.
    """
    if not event.verdict.severity.pages:
        return True
    return draft.incident.held_until is not None and waits_too(draft, event)


def holds_on(draft: Draft, cover: Cover) -> bool:
    """Go on holding it back where maintenance covers all that fires in it; whether it does.

    Asked when it would open, and when windows changed. What no window ever held is not held by one that begins later.
    """
    incident, window = draft.incident, cover.of(draft.incident.judged)
    if incident.held_until is None or window is None:
        return False
    draft.set(pending_until=max(window.ends_at, incident.delayed_until or window.ends_at), **_held(window))
    if (window.ends_at, window.words) != (incident.held_until, incident.held_for):
        draft.tell(Entry.PENDING, f"now held back by {until(window)}")
    return True


def waits_for_one_outside(incident: Incident) -> bool:
    """Whether what is held back waits for the delay of an alert that no window covered, which is over before them."""
    until, held_until = incident.pending_until, incident.held_until
    return until is not None and held_until is not None and until < held_until


def never_opens(draft: Draft, why: str) -> None:
    """Close what waited, without having opened it."""
    draft.set(
        state=State.CLOSED,
        pending_until=None,
        delayed_until=None,
        closed_at=draft.now,
        closed_by=DAEMON.name,
        closed_by_kind=DAEMON.kind,
        close_reason=CloseReason.UNOPENED,
    )
    draft.tally("incidents_closed_total", reason=str(CloseReason.UNOPENED), by="daemon")
    draft.tell(Entry.UNOPENED, f"never opened: {why}")


def go_over(draft: Draft, event: WentOver) -> None:
    """What waited is part of the incident that a person opened again: its alerts fire there from now on."""
    if draft.incident.state is State.PENDING:
        # Its keys lead there by what it follows: also those of alerts that have ended.
        draft.set(firing=0, follows=event.into)
        never_opens(draft, f"it is the same problem as INC-{event.into}, which was reopened")


def _wait_until(verdict: Verdict, window: Window | None, now: datetime) -> datetime | None:
    """Until when the alert by itself would wait: for its rule's delay and for the window, whichever is later."""
    delayed_until = _delayed_until(verdict, now)
    if window is None or (delayed_until is not None and delayed_until > window.ends_at):
        return delayed_until
    return window.ends_at


def _delayed_until(verdict: Verdict, now: datetime) -> datetime | None:
    return None if verdict.delay is None or verdict.severity.pages else now + verdict.delay


def _held(window: Window | None) -> dict[str, object]:
    if window is None:
        return {}
    return {"held_by": window.id, "held_for": window.words, "held_until": window.ends_at}


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return None if one is None or other is None else min(one, other)
