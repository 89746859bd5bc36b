"""The state machine: one incident and one event in; the incident as it is then, and what follows from it, out."""

from __future__ import annotations

from datetime import datetime
from typing import Final, assert_never

from triaged.core import (
    actions,
    acts,
    alerting,
    assembling,
    cadence,
    checkins,
    closing,
    escalation,
    finding,
    folding,
    holding,
    judging,
    knowledge,
    noticing,
    pausing,
    reviewing,
    silencing,
    timers,
    wording,
    working,
)
from triaged.core.draft import Context, Decision, Draft
from triaged.core.events import (
    Acknowledged,
    Act,
    ActionAsked,
    Adopted,
    AlertFired,
    AlertResolved,
    Assembled,
    Assigned,
    CloseAsked,
    ClosedByBot,
    DeadlinePassed,
    DowntimeAddedUp,
    EscalateAsked,
    Event,
    EvidenceFound,
    Expected,
    FoldAsked,
    Grew,
    GrowthAwaited,
    HealthSeen,
    HeardAgain,
    KnowledgeAdded,
    MaintenanceChanged,
    MergeAsked,
    NobodyTold,
    Noted,
    NotHeardOf,
    ParentClosed,
    ParentFolded,
    ParentQuiet,
    PauseAsked,
    ReopenAsked,
    ResolveAsked,
    ResumeAsked,
    ReviewAsked,
    RoleGiven,
    Said,
    SeverityChosen,
    SilenceAsked,
    SilenceFailed,
    SilencesSeen,
    SplitAsked,
    StormGoesOn,
    SuppressionsChanged,
    Ticked,
    Unacknowledged,
    Undone,
    Updated,
    WentOver,
    WorkedAround,
)
from triaged.core.keys import ALONE
from triaged.core.model import Actor, Entry, Incident, State
from triaged.core.reports import IDENTITY
from triaged.errors import ActError

_UNNAMED: Final = frozenset({"alertname", ALONE, IDENTITY})
"""What of a key says nothing to people, or is the name already."""
_OF_ITSELF: Final = (SplitAsked, ReopenAsked, Noted, KnowledgeAdded, ActionAsked)
"""What may be asked of one that is folded: what somebody finds out, or is to do, is kept wherever they are."""


def begin(  # noqa: PLR0913 - the facts of a birth; each has one source in intake
    event: AlertFired, context: Context, now: datetime, *, incident_id: int, rule_set: str, follows: int | None = None
) -> Decision:
    """The decision that an alert's first firing makes a new incident: pending where it has to wait, else open."""
    verdict = event.verdict
    incident = Incident(
        id=incident_id,
        state=State.PENDING,
        title=title(event),
        key=verdict.key.digest,
        source=event.source,
        service=verdict.service,
        team=verdict.team,
        category=verdict.category,
        impact=verdict.impact,
        urgency=verdict.urgency,
        severity=verdict.severity,
        judged=verdict.severity,
        rule_set=rule_set,
        policy=context.policy.hash,
        created_at=now,
        started_at=min(event.starts_at, now),
        because=verdict.because,
        matched=verdict.matched,
        labels=verdict.labels,
        repository=verdict.repository,
        restricted=verdict.restricted,
        close=verdict.close,
        follows=follows,
    )
    draft = Draft(incident, context, now)
    alerting.open_first(draft, event)
    cadence.follow(draft)
    escalation.follow(draft)
    assembling.follow(draft)
    return draft.done()


def decide(incident: Incident, event: Event, context: Context, now: datetime) -> Decision:  # noqa: C901 - a table
    """What `event` makes of `incident` at `now` (aware UTC): pure, so that any decision can be replayed.

    Raises ActError where a person asks for what the incident's state does not allow.
    """
    draft = Draft(incident, context, now)
    actor: Actor | None = None
    match event:
        case AlertFired():
            alerting.fired(draft, event)
        case AlertResolved():
            alerting.silent(draft, event)
        case Grew():
            _grew(draft, event)
        case GrowthAwaited():
            if event.at != incident.grows_at:
                draft.set(grows_at=event.at)
        case DeadlinePassed():
            timers.passed(draft, event)
        case MaintenanceChanged():
            timers.maintenance_changed(draft, event)
        case WentOver():
            holding.go_over(draft, event)
        case SuppressionsChanged():
            _suppressed(draft, event)
        case NotHeardOf() | HeardAgain():
            _listened(draft, event)
        case SilencesSeen():
            silencing.seen(draft, event)
        case SilenceFailed():
            silencing.failed(draft, event)
        case FoldAsked():
            folding.fold_if_asked(draft, event)
        case ParentFolded():
            folding.follow_parent(draft, event)
        case ParentQuiet():
            alerting.parent_quiet(draft, event)
        case ParentClosed():
            acts.close(draft, event.close)
        case StormGoesOn():
            draft.set(storm_until=event.until)
        case HealthSeen():
            closing.health_seen(draft, event)
        case NobodyTold():
            escalation.nobody(draft, event)
        case Assembled():
            assembling.assembled(draft, event)
        case DowntimeAddedUp():
            reviewing.add_up(draft, event)
        case EvidenceFound():
            finding.found(draft, event)
        case Said() | Ticked() | ClosedByBot() | Undone() | Adopted():
            noticing.notice(draft, event)
            actor = event.actor if isinstance(event, Said) else None
        case _:
            _act(draft, event)
            actor = event.actor
    cadence.follow(draft)
    escalation.follow(draft)
    reviewing.follow(draft)
    assembling.follow(draft)
    checkins.follow(draft, actor)
    return draft.done()


def _act(draft: Draft, event: Act) -> None:  # noqa: C901 - a table
    """What a person asks for; what is asked of the parent holds for all that is folded into it."""
    incident = draft.incident
    if incident.parent is not None and incident.state.unfinished and not isinstance(event, _OF_ITSELF):
        raise ActError(f"{incident.name} is folded into INC-{incident.parent}: act on that, or split it off first")
    match event:
        case Acknowledged():
            acts.acknowledge(draft, event)
        case SeverityChosen():
            acts.choose_severity(draft, event)
        case ResolveAsked():
            acts.resolve(draft, event)
        case CloseAsked():
            acts.close(draft, event)
        case ReopenAsked():
            acts.reopen_by_person(draft, event)
        case MergeAsked():
            folding.merge(draft, event)
        case SplitAsked():
            folding.split(draft, event)
        case SilenceAsked():
            silencing.ask(draft, event)
        case PauseAsked():
            pausing.pause(draft, event)
        case ResumeAsked():
            pausing.resume(draft, event)
        case EscalateAsked():
            acts.escalate(draft, event)
        case Noted() | Unacknowledged() | Assigned() | RoleGiven() | Updated() | Expected() | WorkedAround():
            working.work(draft, event)
        case ReviewAsked():
            reviewing.review(draft, event)
        case ActionAsked():
            actions.act(draft, event)
        case KnowledgeAdded():
            knowledge.add(draft, event)
        case _:
            assert_never(event)


def title(event: AlertFired) -> str:
    """A stable title that can be found again: the alert's name and the other values of its key."""
    pairs = event.verdict.key.pairs
    others = [value for name, value in pairs if value and name not in _UNNAMED and value != event.name]
    return " · ".join([event.name, *others])


def _grew(draft: Draft, event: Grew) -> None:
    if event.ref in draft.incident.grown or not draft.incident.state.unfinished:
        return
    rule = event.ref.rpartition("#")[0]
    draft.set(grown=(*draft.incident.grown, event.ref))
    draft.tell(Entry.GREW, f"a growth condition of rule {rule} holds")
    draft.publish()
    judging.judge(draft, event.verdict, why=f"rule {rule} sees it grow")
    pages = draft.incident.state is State.PENDING and draft.incident.judged.pages
    if pages and not holding.holds_on(draft, event.cover):
        alerting.open_now(draft, "it grew")


def _suppressed(draft: Draft, event: SuppressionsChanged) -> None:
    """People see why it is quiet; what acts and what counts is the same."""
    for one in event.began:
        draft.tell(Entry.SUPPRESSED, one.words)
    for one in event.ended:
        draft.tell(Entry.SUPPRESSION_ENDED, f"no longer {one.shortly}")
    draft.publish()


def _listened(draft: Draft, event: NotHeardOf | HeardAgain) -> None:
    """People see that nobody knows whether it still fires; it goes on as if it did."""
    unheard = event.unheard
    if isinstance(event, HeardAgain):
        since = wording.instant(unheard.since_at)
        asked = f"whether it was heard of counts no more: its Alertmanager is asked; it was not since {since}"
        draft.tell(Entry.HEARD_AGAIN, asked if event.asked else f"heard of again; nothing was since {since}")
    else:
        draft.tell(Entry.UNHEARD, unheard.words)
    draft.publish()
