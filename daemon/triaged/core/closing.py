"""The end of the watch: what holds an incident that is quiet, when it is resolved, and whether the daemon closes it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from triaged.core import objectives, record, reporter, verification, wording
from triaged.core.alerting import verify
from triaged.core.draft import Draft
from triaged.core.effects import Audience, CommentKind, KeepHealth, NoticeKind
from triaged.core.events import HealthSeen, ParentQuiet
from triaged.core.health import Answer, Phase
from triaged.core.model import DAEMON, CloseReason, Entry, Incident, Outcome, State
from triaged.core.recipients import TEAM

AGAIN: Final = timedelta(minutes=1)
"""How often it is asked whether what holds it still does."""
FRESH: Final = timedelta(minutes=3)
"""How old an answer may be that lets it be resolved."""
PATIENCE: Final = timedelta(minutes=10)
"""How long after the window health is waited for that cannot be asked."""
LONGEST_HELD: Final = timedelta(hours=24)
"""How long after its restoration new incidents may hold it."""
_SHOWN: Final = 5
_LONGEST_QUERY: Final = 200


def window_over(draft: Draft) -> None:
    """The stability window is over: it is resolved, unless something holds it."""
    incident = draft.incident
    if incident.firing:
        # It was reported by none that we know: whatever fires, nothing is over.
        verification.change(draft, ask_at=draft.now + AGAIN)
        return
    notes: list[str] = []
    if incident.parent is None and incident.process.watch.failing and draft.context.health:
        # What was said last stands, also where nobody can be asked any more.
        _go_back(draft)
        return
    if incident.parent is None and (_others_hold(draft, notes) or _health_holds(draft, notes)):
        verification.change(draft, ask_at=draft.now + AGAIN)
        return
    _resolve(draft, notes)


def health_seen(draft: Draft, event: HealthSeen) -> None:
    """Health queries were asked, in the round that they were asked for: one that does not hold restarts the window."""
    incident = draft.incident
    back = verification.is_back(incident)
    watched = back or incident.state is State.VERIFYING
    if not watched or incident.parent is not None or event.round != incident.round:
        return
    if event.answers:
        draft.effects.append(KeepHealth(incident_id=incident.id, round=incident.round, answers=event.answers))
    now = [answer for answer in event.answers if answer.phase is Phase.AFTER]
    failing = [answer for answer in now if answer.holds is False]
    silent = [answer for answer in now if answer.holds is None]
    unasked = event.unasked or (f"{_queries(silent)} gave no value" if silent else "")
    if failing and back:
        _still_unhealthy(draft, failing)
    elif failing:
        _unhealthy(draft, failing)
    elif unasked:
        _unknown(draft, unasked)
    elif now and back:
        verify(draft, draft.now, "all health queries hold")
        verification.change(draft, asked_at=draft.now)
    elif now:
        _healthy(draft)
    over_at = verification.ends_at(draft.incident, draft.policy)
    if over_at is not None and draft.now >= over_at:
        window_over(draft)


def _unhealthy(draft: Draft, failing: Sequence[Answer]) -> None:
    watch, restored_at = draft.incident.process.watch, draft.incident.restored_at
    names = tuple(answer.query for answer in failing)
    verification.change(
        draft, since=draft.now, asked_at=draft.now, failing=names, unasked="", ask_at=None, unknown_at=None
    )
    if restored_at is not None and draft.now >= restored_at + verification.window(draft.incident, draft.policy):
        _go_back(draft)
        return
    if names == watch.failing:
        return
    does = "does" if len(failing) == 1 else "do"
    told = f"nothing fires, but {_queries(failing)} {does} not hold"
    span = verification.in_words(draft.incident, draft.policy)
    draft.tell(Entry.HEALTH, f"{told}: watched for {span} from {wording.instant(draft.now)}")
    draft.publish()


def _go_back(draft: Draft) -> None:
    """As if it had never been quiet: its clocks and levels go on, for nobody says that the service works."""
    incident = draft.incident
    failing = incident.process.watch.failing
    span = wording.span(verification.window(incident, draft.policy))
    verification.go_back(draft)
    objectives.answered(draft)
    does = "does" if len(failing) == 1 else "do"
    names = wording.listing([query[:_LONGEST_QUERY] for query in failing], most=_SHOWN)
    told = f"nothing fires, but {names} {does} not hold after {span}"
    state = draft.incident.state
    draft.tell(Entry.HEALTH, f"{told}: back to {state}, watched again once all hold")
    draft.publish(urgent=True)


def _still_unhealthy(draft: Draft, failing: Sequence[Answer]) -> None:
    watch = draft.incident.process.watch
    names = tuple(answer.query for answer in failing)
    verification.change(draft, asked_at=draft.now, failing=names, unasked="")
    if names != watch.failing or watch.unasked:
        draft.publish()


def _unknown(draft: Draft, why: str) -> None:
    known = not draft.incident.process.watch.unasked
    verification.change(draft, unasked=why)
    if known:
        draft.tell(Entry.HEALTH, f"its health cannot be told: {why}")
        draft.publish()


def _healthy(draft: Draft) -> None:
    watch = draft.incident.process.watch
    verification.change(draft, asked_at=draft.now, failing=(), unasked="", unknown_at=None)
    if watch.failing or watch.unasked:
        over_at = verification.ends_at(draft.incident, draft.policy) or draft.now
        until = f", watched until {wording.instant(over_at)}" if over_at > draft.now else ""
        draft.tell(Entry.HEALTH, f"all health queries hold{until}")
        draft.publish()


def _others_hold(draft: Draft, notes: list[str]) -> bool:
    """New incidents of the service, or of what needs it, hold it: what was done may have side effects.

    Only what opened after it fell silent, so that no two hold each other; and not for ever.
    """
    incident = draft.incident
    restored_at = incident.restored_at or draft.now
    new = [one for one in draft.context.related if _opened_after(one, incident)]
    names = wording.listing([one.name for one in new], most=_SHOWN)
    if new and draft.now >= restored_at + LONGEST_HELD:
        notes.append(f"{names} opened since, and held it for {wording.span(LONGEST_HELD)}")
        new = []
    ids = tuple(one.id for one in new)
    former = incident.process.watch.waits_for
    verification.change(draft, waits_for=ids)
    if ids and ids != former:
        services = _services(new)
        where = f" on {services}" if services else ""
        draft.tell(Entry.HELD, f"not verified yet: {names} opened since{where}")
        draft.publish()
    return bool(ids)


def _opened_after(other: Incident, incident: Incident) -> bool:
    opened_at, restored_at = other.round_at, incident.restored_at
    return opened_at is not None and restored_at is not None and opened_at > restored_at


def _health_holds(draft: Draft, notes: list[str]) -> bool:
    """Whether it waits for what health queries say: they hold, or cannot be asked for long, then that is noted."""
    watch, since = draft.incident.process.watch, verification.starts_at(draft.incident)
    if not draft.context.health:
        return False
    asked_at = watch.asked_at
    if asked_at is not None and since is not None and asked_at >= max(since, draft.now - FRESH):
        return False
    unknown_at = watch.unknown_at or draft.now
    verification.change(draft, unknown_at=unknown_at)
    why = watch.unasked or "nobody has asked its queries lately"
    if draft.now >= unknown_at + PATIENCE:
        notes.append(f"its health could not be told: {why}")
        return False
    if watch.unknown_at is None:
        waits = f"not verified yet: waits for what its health queries say, for {wording.span(PATIENCE)} at most"
        draft.tell(Entry.HELD, f"{waits} ({why})")
        draft.publish()
    return True


def _resolve(draft: Draft, notes: Sequence[str]) -> None:
    """Resolved, and closed where the policy leaves that to the daemon."""
    incident = draft.incident
    draft.set(state=State.RESOLVED, former_state=None, resolved_at=draft.now)
    verification.change(draft, ask_at=None, waits_for=(), unknown_at=None)
    objectives.restored(draft)
    draft.tally("incidents_resolved_total")
    restored_at = incident.restored_at or draft.now
    lasted = wording.span(restored_at - incident.began_at)
    but = "".join(f"; {note}" for note in notes)
    draft.tell(Entry.RESOLVED, f"resolved: quiet since {wording.instant(restored_at)}, after {lasted}{but}")
    said = "".join(f" {note[0].upper()}{note[1:]}." for note in notes)
    draft.comment(CommentKind.RESOLVED, f"Resolved. Restored at {wording.instant(restored_at)}, after {lasted}.{said}")
    of = f"{NoticeKind.RESOLVED}:{incident.round}"
    draft.notify(NoticeKind.RESOLVED, (TEAM,), audience=Audience.RESPONDERS, key=of)
    draft.tell_stakeholders(NoticeKind.RESOLVED, of=str(incident.round))
    draft.publish(urgent=True)
    draft.for_folded = ParentQuiet()
    _close(draft, asks=True)


def nobody_answered(draft: Draft) -> None:
    """Whoever reported it does not say whether it works again: it is closed as it would have been."""
    draft.proceed(asked_until=None)
    _close(draft, asks=False)
    draft.publish(urgent=True)


def _close(draft: Draft, *, asks: bool) -> None:
    """Close what needs no person, or have who reported it asked before (`asks`).

    Of one that is folded no person would know that it waits for them.
    """
    incident = draft.incident
    policy = draft.policy.severities[incident.severity]
    unattended = policy.close_unattended and incident.close != "person" and _nobody_had_to(incident)
    verification.change(draft, unattended=unattended)
    by_daemon = (incident.close or policy.close) == "daemon"
    closes = by_daemon or unattended or incident.parent is not None
    if (asks and reporter.ask(draft, closes=closes)) or not closes:
        return
    draft.set(
        state=State.CLOSED,
        closed_at=draft.now,
        closed_by=DAEMON.name,
        closed_by_kind=DAEMON.kind,
        close_reason=CloseReason.COMPLETED,
    )
    draft.tally("incidents_closed_total", reason=str(CloseReason.COMPLETED), by="daemon")
    draft.lift_silences()
    why = f"{incident.severity} needs no person to close it"
    if unattended and not by_daemon:
        why = "nobody took it, and it was over before a response was due: no person has to close it, and no review"
    draft.tell(Entry.CLOSED, f"closed: {why}")
    record.closed(draft)


def _nobody_had_to(incident: Incident) -> bool:
    """Whether it was over, the first time, before anybody had to take it, and nobody did anything about it."""
    return (
        incident.parent is None
        and incident.round == 1
        and incident.acknowledged_at is None
        and incident.covered is None
        and incident.response_outcome is Outcome.NOT_REQUIRED
    )


def _queries(answers: Sequence[Answer]) -> str:
    """The queries, each with the value that it gave."""
    told = [f"{a.query[:_LONGEST_QUERY]}{'' if a.value is None else f' ({a.value:.4g})'}" for a in answers]
    return wording.listing(told, most=_SHOWN)


def _services(incidents: Sequence[Incident]) -> str:
    """Where they opened; of what is restricted whoever sees this may not know that."""
    known = (one.service for one in incidents if not one.restricted)
    return wording.listing([*dict.fromkeys(known)], most=_SHOWN)
