"""Everything that can happen to an incident, as values: the only input of `decide`."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from triaged.core.episodes import Change
from triaged.core.evidence import Evidence
from triaged.core.health import Answer
from triaged.core.maintenance import NO_COVER, Cover
from triaged.core.model import (
    ActionKind,
    Actor,
    CloseReason,
    DeadlineKind,
    Link,
    ReviewOutcome,
    Role,
    Severity,
    Verdict,
)
from triaged.core.reports import Reported
from triaged.core.staleness import Unheard
from triaged.core.suppression import Suppression


class AlertFired(Struct, frozen=True, kw_only=True):
    """An alert fires: `change` is BEGAN, CONTINUED or HEARD, `starts_at` its episode's; `name` is for people.

    `cover` is the maintenance that is under way over it; `found_in` the Alertmanager that we asked; `reported` is there
    where a person reports it.
    """

    name: str
    source: str
    verdict: Verdict
    change: Change
    starts_at: datetime
    cover: Cover = NO_COVER
    found_in: str = ""
    reported: Reported | None = None


class AlertResolved(Struct, frozen=True, kw_only=True):
    """An episode of the incident ended at `ended_at`; `gone_from` is the Alertmanager that knows it no more."""

    name: str
    ended_at: datetime
    gone_from: str = ""


class SuppressionsChanged(Struct, frozen=True, kw_only=True):
    """Silences and inhibitions of what fires in the incident: which began and ended, or none where words changed."""

    began: tuple[Suppression, ...] = ()
    ended: tuple[Suppression, ...] = ()


class SilencesSeen(Struct, frozen=True, kw_only=True):
    """The silences of what fires in the incident, as they are now; `ended` are the ids of those that were before."""

    rows: tuple[Suppression, ...]
    ended: tuple[str, ...] = ()


class SilenceFailed(Struct, frozen=True, kw_only=True):
    """A silence that a person asked for could not be made, or (`lifting`) removed; `again` says that it is tried on."""

    alertmanager: str
    why: str
    lifting: bool
    again: bool


class NotHeardOf(Struct, frozen=True, kw_only=True):
    """Nothing was heard for long of all that fires in the incident."""

    unheard: Unheard


class HeardAgain(Struct, frozen=True, kw_only=True):
    """That is over: something of it was heard, or (`asked`) who sends its alerts is asked from now on."""

    unheard: Unheard
    asked: bool = False


class Grew(Struct, frozen=True, kw_only=True):
    """Growth condition `ref` held; `verdict` is that of its alerts with all conditions that have held.

    `cover` is the maintenance over all that fires in an incident that is held back.
    """

    ref: str
    verdict: Verdict
    cover: Cover = NO_COVER


class GrowthAwaited(Struct, frozen=True, kw_only=True):
    """A growth condition may hold at `at`, by time alone; None: none waits for time."""

    at: datetime | None


class DeadlinePassed(Struct, frozen=True, kw_only=True):
    """The deadline of this kind that was due at `due_at` has passed; `cover` as in Grew."""

    kind: DeadlineKind
    due_at: datetime
    cover: Cover = NO_COVER


class MaintenanceChanged(Struct, frozen=True, kw_only=True):
    """Windows were added, moved, ended early or removed; `cover` as in Grew.

    `over` says that the window that holds the incident back is over, rather than changed.
    """

    cover: Cover
    over: bool = False


class WentOver(Struct, frozen=True, kw_only=True):
    """A person opened incident `into` again, which is of the same problem: what waits goes over into it."""

    into: int


class FoldAsked(Struct, frozen=True, kw_only=True):
    """The first of the context's parents that may take the incident in shall do so."""


class ParentQuiet(Struct, frozen=True, kw_only=True):
    """The parent's own alerts have been quiet for its window."""


class ParentFolded(Struct, frozen=True, kw_only=True):
    """The parent was folded itself: its own parent `into`, of that severity, tells of both."""

    into: int
    severity: Severity


class ParentClosed(Struct, frozen=True, kw_only=True):
    """A person closed the parent, which holds for what is folded into it."""

    close: CloseAsked


class StormGoesOn(Struct, frozen=True, kw_only=True):
    """Incidents still open as fast as in a storm; asked again at `until`."""

    until: datetime


class Record(Struct, frozen=True, kw_only=True):
    """What a person writes down when resolving or closing; empty says nothing new."""

    summary: str = ""
    root_cause: str = ""
    fix: str = ""
    prevention: str = ""


class Acknowledged(Struct, frozen=True, kw_only=True):
    """A person takes the incident, for a time or for as long as the policy says; one found later did so at `at`."""

    actor: Actor
    lasting: timedelta | None = None
    at: datetime | None = None


class SeverityChosen(Struct, frozen=True, kw_only=True):
    actor: Actor
    severity: Severity
    reason: str = ""


class ResolveAsked(Struct, frozen=True, kw_only=True):
    """A person says that the service works again."""

    actor: Actor
    record: Record


class CloseAsked(Struct, frozen=True, kw_only=True):
    """A close; one found on the issue later carries the instant `at` of the close, and the severity `seen` there."""

    actor: Actor
    reason: CloseReason
    record: Record
    at: datetime | None = None
    seen: Severity | None = None


class ReopenAsked(Struct, frozen=True, kw_only=True):
    actor: Actor
    reason: str = ""


class MergeAsked(Struct, frozen=True, kw_only=True):
    """The incident is the same problem as incident `into`, which the context brings along, says a person."""

    actor: Actor
    into: int
    reason: str = ""


class SplitAsked(Struct, frozen=True, kw_only=True):
    """The incident is a problem of its own, says a person."""

    actor: Actor
    reason: str = ""


class SilenceAsked(Struct, frozen=True, kw_only=True):
    """A person wants the incident's alerts silent in their Alertmanager, for a time or for the usual one."""

    actor: Actor
    lasting: timedelta | None = None
    reason: str = ""


class PauseAsked(Struct, frozen=True, kw_only=True):
    """A person stops the resolution clock, until an instant or for a span (one of the two), because `reason`."""

    actor: Actor
    reason: str
    until: datetime | None = None
    lasting: timedelta | None = None


class ResumeAsked(Struct, frozen=True, kw_only=True):
    """A person ends a pause before its time."""

    actor: Actor
    reason: str = ""


Pausing = PauseAsked | ResumeAsked


class EscalateAsked(Struct, frozen=True, kw_only=True):
    """A person wants the next level told, or the level or person that `to` names; `take_over` makes them own it."""

    actor: Actor
    to: str = ""
    reason: str = ""
    take_over: bool = False


class Unacknowledged(Struct, frozen=True, kw_only=True):
    """A person gives an acknowledgement back: nobody has the incident any more."""

    actor: Actor
    reason: str = ""


class Assigned(Struct, frozen=True, kw_only=True):
    """A person says who works on the incident: a person or a team; "" is nobody."""

    actor: Actor
    to: str
    reason: str = ""


class RoleGiven(Struct, frozen=True, kw_only=True):
    """A person says who holds a role; "" is nobody."""

    actor: Actor
    role: Role
    person: str


class Noted(Struct, frozen=True, kw_only=True):
    """A person writes something down; `decision:` and `hypothesis:` before it say what it is."""

    actor: Actor
    text: str


class Updated(Struct, frozen=True, kw_only=True):
    """A person tells stakeholders; the expectation is an instant or a span from now, neither leaves it as it is."""

    actor: Actor
    text: str
    eta: datetime | None = None
    eta_in: timedelta | None = None
    status: str = ""
    impact: str = ""
    next_steps: str = ""


class Expected(Struct, frozen=True, kw_only=True):
    """A person says when the service is expected to work again: at an instant, after a span; neither: nobody knows."""

    actor: Actor
    at: datetime | None = None
    lasting: timedelta | None = None


class WorkedAround(Struct, frozen=True, kw_only=True):
    """A person says what helps until it is fixed; "" is nothing any more."""

    actor: Actor
    text: str


Working = Unacknowledged | Assigned | RoleGiven | Noted | Updated | Expected | WorkedAround


class NobodyTold(Struct, frozen=True, kw_only=True):
    """A notice of this key found nobody to be sent to."""

    key: str


class Assembled(Struct, frozen=True, kw_only=True):
    """The bridge where people meet, and who is on call to command, "" where there is none.

    `failure` says why there is no bridge, `again` that it is tried on.
    """

    bridge: str = ""
    commander: str = ""
    failure: str = ""
    again: bool = False


class HealthSeen(Struct, frozen=True, kw_only=True):
    """What the health queries of the incident's service said in this round; `unasked` is why some gave no answer."""

    round: int
    answers: tuple[Answer, ...]
    unasked: str = ""


class EvidenceFound(Struct, frozen=True, kw_only=True):
    """What a look around found about the incident."""

    evidence: Evidence


class ReviewAsked(Struct, frozen=True, kw_only=True):
    """A person held the review, or waives it because of `reason`; `open`: it is to be held (again)."""

    actor: Actor
    outcome: ReviewOutcome
    reason: str = ""


class ActionAsked(Struct, frozen=True, kw_only=True):
    """A person adds an action item, due at an instant or after a span, or says that the one of number `done` is."""

    actor: Actor
    text: str = ""
    kind: ActionKind | None = None
    owner: str = ""
    due_at: datetime | None = None
    due_in: timedelta | None = None
    done: int | None = None


class KnowledgeAdded(Struct, frozen=True, kw_only=True):
    """A person keeps a link to what is known, for this incident and the next ones like it."""

    actor: Actor
    link: Link


Reviewing = ReviewAsked | ActionAsked


class Said(Struct, frozen=True, kw_only=True):
    """A person wrote a comment on the issue, which is at `url`; `where` names what it is of, where that is another."""

    actor: Actor
    text: str
    url: str
    at: datetime
    where: str = ""


class Ticked(Struct, frozen=True, kw_only=True):
    """Somebody ticked items of people's part of the issue, or took the tick away; `where` as of Said."""

    done: tuple[str, ...] = ()
    undone: tuple[str, ...] = ()
    where: str = ""


class ClosedByBot(Struct, frozen=True, kw_only=True):
    """A bot closed the issue, which is no person's close; `left` says that it stays so."""

    name: str
    left: bool


class Undone(Struct, frozen=True, kw_only=True):
    """What a person did to the issue (`what`) cannot be, says `why`: the issue is made to look like the incident."""

    actor: Actor
    what: str
    why: str


class Adopted(Struct, frozen=True, kw_only=True):
    """The issue in which a person of that login reported it, at `url`, is the incident's issue from now on.

    `like` is an incident that is open for the same problem, `titled` its title.
    """

    actor: Actor
    login: str
    url: str
    like: int | None = None
    titled: str = ""


OnIssue = Said | Ticked | ClosedByBot | Undone | Adopted


class DowntimeAddedUp(Struct, frozen=True, kw_only=True):
    """The service of an incident that is over was down for longer than its budget allows within a time."""

    down_for: timedelta
    budget: timedelta
    within: timedelta


Act = (
    Acknowledged
    | SeverityChosen
    | ResolveAsked
    | CloseAsked
    | ReopenAsked
    | MergeAsked
    | SplitAsked
    | SilenceAsked
    | Pausing
    | EscalateAsked
    | Working
    | Reviewing
    | KnowledgeAdded
)
Folding = FoldAsked | ParentFolded | ParentQuiet | ParentClosed | StormGoesOn | WentOver
Surroundings = (
    MaintenanceChanged
    | SuppressionsChanged
    | NotHeardOf
    | HeardAgain
    | SilencesSeen
    | SilenceFailed
    | NobodyTold
    | Assembled
    | DowntimeAddedUp
    | HealthSeen
    | EvidenceFound
    | OnIssue
)
Event = AlertFired | AlertResolved | Grew | GrowthAwaited | DeadlinePassed | Surroundings | Folding | Act
