"""A decision in the making: the incident as it becomes, with what is told and what is asked for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from triaged.core.effects import (
    Audience,
    Comment,
    CommentKind,
    Effect,
    LiftSilences,
    NoticeKind,
    Notify,
    PublishIssue,
    Tally,
)
from triaged.core.events import Event
from triaged.core.model import DAEMON, Actor, Entry, Fold, Incident, TimelineEntry
from triaged.core.recipients import STAKEHOLDERS
from triaged.core.silences import Reach
from triaged.core.sla import Policy

Parents = tuple[tuple[Fold, Incident], ...]
"""Incidents that may take another one in, each with the reason, in the order of preference."""


class Context(Struct, frozen=True, kw_only=True):
    """What `decide` may know beside incident and event: the policy frozen on the incident, and other incidents.

    `parent` is what the incident is folded into; `parents` is what may take it in, where that may be asked.
    `reach` is where its alerts can be silenced, where that is asked. `history` are the newest entries of its timeline,
    where people may be called in. `people` and `teams` are the names that the rules know, where somebody is named, and
    `channels` those of channels; None: it is not known which there are. `reports` is how many of its alerts are reports
    of people, which end when a person says so.
    Where its verification or its close is asked: `health` are the queries of its service that are asked, `related` what
    is open of its service and of what needs it, `actors` the people who acted.
    """

    policy: Policy
    parent: Incident | None = None
    parents: Parents = ()
    reach: Reach | None = None
    history: tuple[TimelineEntry, ...] = ()
    people: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    channels: tuple[str, ...] | None = None
    hours: str = ""
    reports: int = 0
    health: tuple[str, ...] = ()
    related: tuple[Incident, ...] = ()
    actors: tuple[str, ...] = ()


class Decision(Struct, frozen=True, kw_only=True):
    """The incident as it is now, what was asked for, and what the timeline tells of it, in order.

    `for_folded` is to be decided, in the same transaction, for each incident that is folded into this one.
    """

    incident: Incident
    effects: tuple[Effect, ...]
    timeline: tuple[TimelineEntry, ...]
    for_folded: Event | None = None


class Draft:
    """Collects one decision; lives only inside `decide`, so that its pieces stay small functions."""

    __slots__ = ("before", "context", "effects", "for_folded", "incident", "now", "timeline")

    def __init__(self, incident: Incident, context: Context, now: datetime) -> None:
        self.before = incident
        self.incident = incident
        self.context = context
        self.now = now
        self.effects: list[Effect] = []
        self.timeline: list[TimelineEntry] = []
        self.for_folded: Event | None = None

    @property
    def policy(self) -> Policy:
        return self.context.policy

    @property
    def clock_at(self) -> datetime:
        """What the clocks show that a pause stops: now, or the instant at which they were stopped."""
        return self.incident.process.paused_at or self.now

    def set(self, **changes: Any) -> None:
        self.incident = replace(self.incident, **changes)

    def proceed(self, **changes: Any) -> None:
        """Change where people are with it."""
        self.set(process=replace(self.incident.process, **changes))

    def void_silences(self) -> None:
        """Those that acknowledged it last do so no more; others may."""
        incident = self.incident
        if incident.silences:
            self.proceed(voided=tuple(sorted({*incident.process.voided, *incident.silences})))
            self.set(silences=())

    def tell(self, entry: Entry, text: str, *, by: Actor = DAEMON, at: datetime | None = None) -> None:
        self.timeline.append(
            TimelineEntry(incident_id=self.incident.id, at=at or self.now, entry=entry, by=by.name, text=text)
        )

    def publish(self, *, urgent: bool = False) -> None:
        """Ask for an issue that looks like the incident; one that is held back or folded has none of its own."""
        if self.incident.opened_at is not None and self.incident.parent is None:
            self.effects.append(PublishIssue(incident_id=self.incident.id, urgent=urgent))

    def comment(self, kind: CommentKind, text: str, *, of: str = "", calls: tuple[str, ...] = ()) -> None:
        """Notify everybody on the issue, once of each `of`, and whom it `calls`; of what is folded its parent tells."""
        if self.incident.parent is not None:
            return
        if self.incident.restricted:
            # Whoever may see the issue may not be allowed to see the alert.
            text = f"{str(kind).replace('_', ' ').capitalize()}: the incident's own page says more."
        # Else of each kind there is one a round, and one for each severity judged; two may come at one instant.
        key = f"{kind}:{of or f'{self.incident.round}:{self.incident.judged}'}"
        self.effects.append(Comment(incident_id=self.incident.id, kind=kind, key=key, text=text, calls=calls))

    def lift_silences(self) -> None:
        """Remove what people had silenced: it is over."""
        self.effects.append(LiftSilences(incident_id=self.incident.id))

    def notify(self, kind: NoticeKind, to: tuple[str, ...], *, audience: Audience, key: str, text: str = "") -> None:
        """Tell people by their channels, once a `key`; of what is folded its parent tells."""
        hidden = self.incident.restricted and audience is Audience.STAKEHOLDERS
        if to and not hidden and self.incident.parent is None and self.incident.opened_at is not None:
            self.effects.append(
                Notify(incident_id=self.incident.id, kind=kind, audience=audience, key=key, to=to, text=text)
            )

    def tell_stakeholders(self, kind: NoticeKind, *, of: str = "", text: str = "") -> None:
        """Tell those whom it concerns, once of each `of`, where the policy keeps them informed."""
        severities = self.policy.severities
        if any(severities[one].update_every is not None for one in (self.incident.severity, self.incident.judged)):
            key = ":".join(filter(None, (kind, STAKEHOLDERS, of)))
            self.notify(kind, (STAKEHOLDERS,), audience=Audience.STAKEHOLDERS, key=key, text=text)

    def tally(self, metric: str, *, seconds: timedelta | None = None, **labels: str) -> None:
        """Raise a store counter, labelled with the severity and team of this instant and `labels`.

        What is folded counts with its parent.
        """
        if self.incident.parent is not None:
            return
        all_labels = {"severity": str(self.incident.severity), "team": self.incident.team, **labels}
        amount = None if seconds is None else max(0.0, seconds.total_seconds())
        self.effects.append(Tally(metric=metric, labels=all_labels, seconds=amount))

    def done(self) -> Decision:
        return Decision(
            incident=self.incident,
            effects=tuple(self.effects),
            timeline=tuple(self.timeline),
            for_folded=self.for_folded,
        )
