"""The pure core played by itself: alerts, acts and passing time on incidents in memory, as intake drives them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from building import START, minutes, verdict
from triaged.core.alerting import Place, place
from triaged.core.calendars import Calendar
from triaged.core.draft import Context, Decision
from triaged.core.effects import Comment, CommentKind, PublishIssue, Tally
from triaged.core.episodes import Change, follow
from triaged.core.events import (
    Acknowledged,
    Act,
    AlertFired,
    AlertResolved,
    CloseAsked,
    DeadlinePassed,
    Event,
    Grew,
    PauseAsked,
    Record,
    ReopenAsked,
    ResolveAsked,
    ResumeAsked,
    SeverityChosen,
)
from triaged.core.lifecycle import begin, decide
from triaged.core.model import (
    Actor,
    ActorKind,
    Alert,
    AlertStatus,
    CloseReason,
    Deadline,
    DeadlineKind,
    Entry,
    Episode,
    Incident,
    Objective,
    Severity,
    Verdict,
)
from triaged.core.objectives import standing
from triaged.core.sla import ALWAYS, BUSINESS, Policy, SeverityPolicy, Target

ANN = Actor(name="ann", kind=ActorKind.PERSON)
BOB = Actor(name="bob", kind=ActorKind.PERSON)
NAME = "HighErrorRate"


def severity_policy(
    response: Target,
    resolution: Target,
    *,
    verify_for: float,
    acknowledgement_for: timedelta | None = None,
    close: Literal["person", "daemon"] = "person",
) -> SeverityPolicy:
    return SeverityPolicy(
        targets={Objective.RESPONSE: response, Objective.RESOLUTION: resolution},
        compliance={Objective.RESPONSE: 0.95, Objective.RESOLUTION: 0.9},
        calendar=ALWAYS,
        at_risk=0.75,
        verify_for=timedelta(minutes=verify_for),
        reopen_within=timedelta(hours=24),
        acknowledgement_for=acknowledgement_for,
        close=close,
    )


def within(text: str, **span: int) -> Target:
    return Target(text=text, within=timedelta(**span))


# The targets of the product; the rest as shipped, written down here so that ops may edit the shipped ones.
POLICY = Policy(
    hash="policy",
    severities={
        Severity.SEV1: severity_policy(
            within("15m", minutes=15), within("4h", hours=4), verify_for=30, acknowledgement_for=timedelta(hours=2)
        ),
        Severity.SEV2: severity_policy(
            within("1h", hours=1), within("8h", hours=8), verify_for=20, acknowledgement_for=timedelta(hours=4)
        ),
        Severity.SEV3: severity_policy(within("4h", hours=4), within("3d", days=3), verify_for=15, close="daemon"),
        Severity.SEV4: severity_policy(
            Target(text="1bd", business_days=1), within("5d", days=5), verify_for=10, close="daemon"
        ),
    },
    calendars={
        BUSINESS: Calendar(name=BUSINESS, zone=ZoneInfo("UTC"), weekly=dict.fromkeys(range(5), ((time(9), time(17)),)))
    },
)
CONTEXT = Context(policy=POLICY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One decision: what it was asked of (None: a birth), with what, when, and what it said."""

    before: Incident | None
    event: Event
    at: datetime
    decision: Decision


class Play:
    """Incidents in memory, one for a key; every verb returns the decisions that it led to, in order.

    `minute`s count from START. Deadlines act at their instants as time passes with `to`; after `down_until` they act
    late.
    """

    def __init__(self, policy: Policy = POLICY) -> None:
        self.policy = policy
        self.now = START
        self.incidents: dict[int, Incident] = {}
        self.episodes: dict[str, Episode] = {}
        self.played: list[Played] = []
        self._owners: dict[str, int] = {}

    @property
    def incident(self) -> Incident:
        """The newest."""
        return self.incidents[max(self.incidents)]

    def due(self) -> dict[DeadlineKind, datetime]:
        """What stands for the newest incident."""
        return {deadline.kind: deadline.due_at for deadline in standing(self.incident, self.policy)}

    # ---- what happens

    def to(self, minute: float) -> list[Played]:
        """Time passes; every deadline on the way acts at its instant."""
        return self._pass(minutes(minute))

    def down_until(self, minute: float) -> list[Played]:
        """Time passes while nothing runs; what was due meanwhile acts then, late."""
        self.now = minutes(minute)
        return self._pass(self.now)

    def fire(
        self,
        name: str = NAME,
        says: Severity | Verdict = Severity.SEV2,
        *,
        since: float | None = None,
        stamped: bool = True,
    ) -> list[Played]:
        """An alert fires: since now, or since a minute; not `stamped`, its sender gives no startsAt."""
        says = says if isinstance(says, Verdict) else verdict(severity=says)
        starts_at = (self.now if since is None else minutes(since)) if stamped else None
        last = self.episodes.get(name)
        step = follow(last, _alert(name, starts_at=starts_at), self.now)
        if last is not None and step.change is Change.HEARD:
            heard = self._fired(name, says, step.change, step.at)
            self.episodes[name] = replace(last, starts_at=step.at)
            return self._decide(self.incidents[last.incident_id], heard)
        return self._fire(last, self._fired(name, says, step.change, step.at))

    def resolve(self, name: str = NAME, *, ended: float | None = None, stamped: bool = True) -> list[Played]:
        """An alert resolves: ended now, or at a minute; not `stamped`, its sender gives no endsAt."""
        ends_at = (self.now if ended is None else minutes(ended)) if stamped else None
        last = self.episodes.get(name)
        # Alertmanager names the start of what it resolves: that of an earlier episode where the resolve is a late copy.
        starts_at = ends_at if last is None else last.starts_at
        sent = _alert(name, starts_at=starts_at, ends_at=ends_at, status=AlertStatus.RESOLVED)
        step = follow(last, sent, self.now)
        if last is None or step.change is not Change.ENDED:
            return []
        self.episodes[name] = replace(last, ended_at=step.at)
        return self._decide(self.incidents[last.incident_id], AlertResolved(name=name, ended_at=step.at))

    def act(self, act: Act, *, on: int | None = None) -> list[Played]:
        """A person acts, on the newest incident or on the one of that id."""
        return self._decide(self.incident if on is None else self.incidents[on], act)

    def grow(self, severity: Severity, *, ref: str = "revenue-degraded#0") -> list[Played]:
        return self._decide(self.incident, Grew(ref=ref, verdict=verdict(severity=severity)))

    def tell(self, event: Event) -> list[Played]:
        """Any event, to the newest incident."""
        return self._decide(self.incident, event)

    # ---- how

    def _pass(self, until: datetime) -> list[Played]:
        before = len(self.played)
        while (first := self._first_due()) is not None and first.due_at <= until:
            self.now = max(self.now, first.due_at)
            self._decide(self.incidents[first.incident_id], DeadlinePassed(kind=first.kind, due_at=first.due_at))
            assert first not in standing(self.incidents[first.incident_id], self.policy), "a deadline acts once"
        self.now = until
        return self.played[before:]

    def _first_due(self) -> Deadline | None:
        every = [deadline for incident in self.incidents.values() for deadline in standing(incident, self.policy)]
        return min(every, key=lambda deadline: deadline.due_at, default=None)

    def _fired(self, name: str, says: Verdict, change: Change, starts_at: datetime) -> AlertFired:
        return AlertFired(name=name, source="alertmanager", verdict=says, change=change, starts_at=starts_at)

    def _fire(self, last: Episode | None, event: AlertFired) -> list[Played]:
        key = event.verdict.key.digest
        former = None if last is None else self.incidents[last.incident_id]
        owner = self.incidents.get(self._owners.get(key, 0))
        if event.change is Change.CONTINUED:
            owner = owner or former
            event = event if owner is former else replace(event, change=Change.BEGAN)
        if owner is None or place(owner, event, self.policy, self.now) is Place.OPEN:
            event = replace(event, change=Change.BEGAN)
            follows = owner.id if owner is not None and owner.opened_at is not None else None
            decision = begin(
                event,
                Context(policy=self.policy),
                self.now,
                incident_id=len(self.incidents) + 1,
                rule_set="rules",
                follows=follows,
            )
            played = self._keep(None, event, decision)
        else:
            played = self._decide(owner, event)
        incident = played[0].decision.incident
        if incident.state.unfinished:
            self._owners[key] = incident.id
        self.episodes[event.name] = Episode(
            id=len(self.played),
            fingerprint=event.name,
            source=event.source,
            incident_id=incident.id,
            labels={"alertname": event.name},
            annotations={},
            generator_url="",
            starts_at=event.starts_at,
            begun_at=self.now,
            ended_at=None,
            severity=event.verdict.severity,
            verdict="v",
            digest=b"",
        )
        return played

    def _decide(self, incident: Incident, event: Event) -> list[Played]:
        return self._keep(incident, event, decide(incident, event, Context(policy=self.policy), self.now))

    def _keep(self, before: Incident | None, event: Event, decision: Decision) -> list[Played]:
        self.incidents[decision.incident.id] = decision.incident
        self.played.append(Played(before=before, event=event, at=self.now, decision=decision))
        return self.played[-1:]


# ---- what people do


def ack(actor: Actor = ANN, *, lasting: timedelta | None = None) -> Acknowledged:
    return Acknowledged(actor=actor, lasting=lasting)


def choose(severity: Severity, actor: Actor = ANN, *, reason: str = "") -> SeverityChosen:
    return SeverityChosen(actor=actor, severity=severity, reason=reason)


def fixed(actor: Actor = ANN, **record: str) -> ResolveAsked:
    return ResolveAsked(actor=actor, record=Record(**record))


def close(reason: CloseReason = CloseReason.COMPLETED, actor: Actor = ANN, **record: str) -> CloseAsked:
    return CloseAsked(actor=actor, reason=reason, record=Record(**record))


def reopen(actor: Actor = ANN, *, reason: str = "") -> ReopenAsked:
    return ReopenAsked(actor=actor, reason=reason)


def pause(span: float, actor: Actor = ANN, *, reason: str = "the vendor looks") -> PauseAsked:
    """For so many minutes."""
    return PauseAsked(actor=actor, lasting=timedelta(minutes=span), reason=reason)


def resume(actor: Actor = ANN, *, reason: str = "") -> ResumeAsked:
    return ResumeAsked(actor=actor, reason=reason)


# ---- what was asked for


def tallies(played: Iterable[Played]) -> list[tuple[str, dict[str, str], float | None]]:
    """Every store counter raised: its name, its labels, and the seconds observed."""
    effects = (effect for one in played for effect in one.decision.effects)
    return [(e.metric, dict(e.labels), e.seconds) for e in effects if isinstance(e, Tally)]


def counted(played: Iterable[Played], metric: str) -> list[dict[str, str]]:
    """The labels of every rise of one store counter."""
    return [labels for name, labels, _ in tallies(played) if name == metric]


def comments(played: Iterable[Played]) -> list[tuple[CommentKind, str]]:
    effects = (effect for one in played for effect in one.decision.effects)
    return [(e.kind, e.text) for e in effects if isinstance(e, Comment)]


def publishes(played: Iterable[Played]) -> list[PublishIssue]:
    return [effect for one in played for effect in one.decision.effects if isinstance(effect, PublishIssue)]


def told(played: Iterable[Played], *only: Entry) -> list[str]:
    """The texts of the timeline, of all entries or of some kinds of them."""
    entries = (entry for one in played for entry in one.decision.timeline)
    return [entry.text for entry in entries if not only or entry.entry in only]


def entries(played: Sequence[Played]) -> list[Entry]:
    return [entry.entry for one in played for entry in one.decision.timeline]


def _alert(
    name: str,
    *,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    status: AlertStatus = AlertStatus.FIRING,
) -> Alert:
    return Alert(
        fingerprint=name,
        source="alertmanager",
        status=status,
        labels={"alertname": name},
        annotations={},
        starts_at=starts_at,
        ends_at=ends_at,
        generator_url="",
        digest=b"",
        raw=b"",
    )


def opened(severity: Severity = Severity.SEV2) -> Play:
    """Fired at 0; it is 5."""
    play = Play()
    play.fire(says=severity)
    play.to(5)
    return play


def verifying(severity: Severity = Severity.SEV2) -> Play:
    """Fired at 0, silent since 10."""
    play = Play()
    play.fire(says=severity)
    play.to(10)
    play.resolve()
    return play
