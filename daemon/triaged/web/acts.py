"""The acts of the API: a JSON body in, the event that it asks for out."""

from __future__ import annotations

from enum import StrEnum, unique
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from triaged.core.events import (
    Acknowledged,
    Act,
    CloseAsked,
    EscalateAsked,
    MergeAsked,
    PauseAsked,
    Record,
    ReopenAsked,
    ResolveAsked,
    ResumeAsked,
    SeverityChosen,
    SilenceAsked,
    SplitAsked,
)
from triaged.core.model import Actor, ActorKind, CloseReason, Severity
from triaged.errors import PayloadError
from triaged.web.auth import Token
from triaged.web.fields import Instant, Name, ReasonText, Span, Strict, Text, clean, number, word

ACTS: Final = (
    "ack",
    "severity",
    "resolve",
    "close",
    "reopen",
    "merge",
    "split",
    "silence",
    "pause",
    "resume",
    "escalate",
    "unack",
    "assign",
    "role",
    "note",
    "update",
    "eta",
    "workaround",
    "review",
    "action",
    "knowledge",
)
LOCAL: Final = "local"


@unique
class Reason(StrEnum):
    """Why a person closes an incident."""

    COMPLETED = "completed"
    FALSE_ALARM = "false_alarm"
    NOT_PLANNED = "not_planned"
    DUPLICATE = "duplicate"


class Asked(Strict):
    """What anybody who asks for something may say of himself."""

    by: Name | None = Field(
        default=None,
        description="Who acts, where no API tokens are configured; default local.",
    )
    on_behalf_of: Name | None = Field(
        default=None, description="For whom: it is shown as ann (via ops-bot), with the name of the token."
    )

    def actor(self, token: Token | None) -> Actor:
        """Who acts, by name; a token's name is always part of it. Raises PayloadError for a claim beside a token."""
        if token is not None and self.by is not None:
            raise PayloadError("by: expected on_behalf_of instead: with an API token, who acts is the token's name")
        name = token.name if token is not None else self.by or LOCAL
        return Actor(name=f"{self.on_behalf_of} (via {name})" if self.on_behalf_of else name, kind=ActorKind.PERSON)


class Ack(Asked):
    """Take the incident."""

    lasting: Span | None = Field(default=None, alias="for", description="For how long; else as the policy says.")

    def act(self, actor: Actor) -> Act:
        return Acknowledged(actor=actor, lasting=self.lasting)


class Choose(Asked):
    """Give the incident another severity; it stands until a person changes it."""

    severity: Annotated[Severity, BeforeValidator(word)]
    reason: ReasonText = ""

    def act(self, actor: Actor) -> Act:
        return SeverityChosen(actor=actor, severity=self.severity, reason=self.reason)


class _Recording(Asked):
    summary: Text = ""
    root_cause: Text = ""
    fix: Text = ""
    prevention: Text = ""

    def record(self) -> Record:
        return Record(summary=self.summary, root_cause=self.root_cause, fix=self.fix, prevention=self.prevention)


class Resolve(_Recording):
    """Say that the service works again; it is verified before the incident counts as resolved."""

    reason: Reason = Field(default=Reason.COMPLETED, description="Only `completed`; the others close an incident.")

    def act(self, actor: Actor) -> Act:
        if self.reason is not Reason.COMPLETED:
            raise PayloadError(f"reason: expected completed; an incident that is {self.reason} is closed: use close")
        return ResolveAsked(actor=actor, record=self.record())


class Close(_Recording):
    """Close the incident at once, even while alerts fire."""

    reason: Reason = Reason.COMPLETED

    def act(self, actor: Actor) -> Act:
        return CloseAsked(actor=actor, reason=CloseReason(self.reason.value), record=self.record())


class Reopen(Asked):
    """Open a resolved or closed incident again, with a new round of objectives."""

    reason: ReasonText = ""

    def act(self, actor: Actor) -> Act:
        return ReopenAsked(actor=actor, reason=self.reason)


class Merge(Asked):
    """Say that the incident is the same problem as another; that one tells of it from then on."""

    into: Annotated[int, BeforeValidator(number), WithJsonSchema({"type": "string", "examples": ["INC-3"]})]
    reason: ReasonText = ""

    def act(self, actor: Actor) -> Act:
        return MergeAsked(actor=actor, into=self.into, reason=self.reason)


class Split(Asked):
    """Say that a folded incident is a problem of its own."""

    reason: ReasonText = ""

    def act(self, actor: Actor) -> Act:
        return SplitAsked(actor=actor, reason=self.reason)


class Silence(Asked):
    """Have Alertmanager silence the incident's alerts, until it is closed at the latest."""

    lasting: Span | None = Field(default=None, alias="for", description="For how long, at most 4h; else 1h.")
    reason: ReasonText = Field(default="", description="What Alertmanager shows beside the incident's number.")

    def act(self, actor: Actor) -> Act:
        return SilenceAsked(actor=actor, lasting=self.lasting, reason=self.reason)


class Pause(Asked):
    """Stop the resolution clock, with escalation and updates, while the work waits for somebody else."""

    until: Instant | None = Field(default=None, description="When it ends, at most 30 days ahead; or `for`.")
    lasting: Span | None = Field(default=None, alias="for", description="For how long; or `until`.")
    reason: Annotated[ReasonText, Field(min_length=1, description="Whom or what it waits for.")]

    @model_validator(mode="after")
    def _one_end(self) -> Pause:
        if (self.until is None) == (self.lasting is None):
            raise ValueError(f"expected either until or for, got {'both' if self.until else 'none of them'}")
        return self

    def act(self, actor: Actor) -> Act:
        return PauseAsked(actor=actor, reason=self.reason, until=self.until, lasting=self.lasting)


class Resume(Asked):
    """End a pause before its time: the resolution clock counts on."""

    reason: ReasonText = ""

    def act(self, actor: Actor) -> Act:
        return ResumeAsked(actor=actor, reason=self.reason)


class Escalate(Asked):
    """Call others in: the next level, a certain level, or somebody by name, such as an expert or a vendor."""

    to: Annotated[str, Field(max_length=60), AfterValidator(clean)] = Field(
        default="",
        description="A level by its number, or the name of a person, a team or a channel; else the next level.",
    )
    reason: ReasonText = ""
    take_over: bool = Field(default=False, strict=True, description="Whether they own it from then on.")

    def act(self, actor: Actor) -> Act:
        if self.to and not self.to.isprintable():
            raise PayloadError("to: expected a name on one line")
        return EscalateAsked(actor=actor, to=self.to, reason=self.reason, take_over=self.take_over)


Body = Ack | Choose | Resolve | Close | Reopen | Merge | Split | Silence | Pause | Resume | Escalate
