"""The acts of people at work on an incident, over the API: who has it, what they found, what others are told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from triaged.core.events import Act, Assigned, Expected, Noted, RoleGiven, Unacknowledged, Updated, WorkedAround
from triaged.core.model import Actor, Role
from triaged.rulefiles.words import exact_instant, some_span
from triaged.web.acts import Asked
from triaged.web.fields import Instant, ReasonText, Span, Text, clean, word


def _somebody(text: str) -> str:
    text = clean(text)
    if not text.isprintable():
        raise ValueError("expected a name on one line, or nothing for nobody")
    return text


def _something(text: str) -> str:
    text = clean(text)
    if not text:
        raise ValueError("expected a text, got nothing")
    return text


def _line(text: str) -> str:
    text = clean(text)
    if not text.isprintable():
        raise ValueError("expected a word or two on one line")
    return text


def when(value: object, *, span: str = "a duration like 2h") -> datetime | timedelta:
    """An instant, or a span, which means `span`. Raises ValueError for anything else."""
    text = value if isinstance(value, str) else ""
    for read in (some_span, exact_instant):
        try:
            return read(text)
        except ValueError:
            continue
    raise ValueError(f"expected {span}, or a date with time and offset like 2026-12-24T08:00+01:00")


Somebody = Annotated[str, Field(max_length=60), AfterValidator(_somebody)]
_Something = Annotated[str, Field(max_length=10_000), AfterValidator(_something)]
_Status = Annotated[str, Field(max_length=60), AfterValidator(_line)]
When = Annotated[
    datetime | timedelta,
    BeforeValidator(when),
    WithJsonSchema({"type": "string", "examples": ["2h", "2026-12-24T08:00+01:00"]}),
]


class Unack(Asked):
    """Give the incident back: nobody has it any more."""

    reason: ReasonText = ""

    def act(self, actor: Actor) -> Act:
        return Unacknowledged(actor=actor, reason=self.reason)


class Assign(Asked):
    """Say who works on the incident. It is no acknowledgement: that is for whom it was assigned to."""

    to: Somebody = Field(description="A person or a team of services.yaml; empty is nobody.")
    reason: ReasonText = ""

    def act(self, actor: Actor) -> Act:
        return Assigned(actor=actor, to=self.to, reason=self.reason)


class GiveRole(Asked):
    """Say who holds a role of a major incident."""

    role: Annotated[Role, BeforeValidator(word)]
    person: Somebody = Field(description="A person of services.yaml; empty is nobody.")

    def act(self, actor: Actor) -> Act:
        return RoleGiven(actor=actor, role=self.role, person=self.person)


class Note(Asked):
    """Write down what was found or decided, in the timeline."""

    text: _Something = Field(description="`decision:` or `hypothesis:` before it makes an entry of that kind.")

    def act(self, actor: Actor) -> Act:
        return Noted(actor=actor, text=self.text)


class Tell(Asked):
    """Tell stakeholders: by their channels, on the issue and on the status page."""

    text: _Something = Field(description="What was learnt or done.")
    eta: When | None = Field(default=None, description="When it is expected to work again: an instant, or a span.")
    status: _Status = Field(default="", description="Where it stands; else as before, at first Investigating.")
    impact: Text = Field(default="", description="What they notice of it; else as before.")
    next_steps: Text = ""

    def act(self, actor: Actor) -> Act:
        return Updated(
            actor=actor,
            text=self.text,
            eta=self.eta if isinstance(self.eta, datetime) else None,
            eta_in=self.eta if isinstance(self.eta, timedelta) else None,
            status=self.status,
            impact=self.impact,
            next_steps=self.next_steps,
        )


class Eta(Asked):
    """Say when it is expected to work again: one of the three."""

    at: Instant | None = Field(default=None, description="An instant, with an offset.")
    lasting: Span | None = Field(default=None, alias="in", description="From now.")
    none: bool = Field(default=False, strict=True, description="Nobody knows any more.")

    @model_validator(mode="after")
    def _one(self) -> Eta:
        said: list[Any] = [self.at, self.lasting, self.none or None]
        if sum(one is not None for one in said) != 1:
            raise ValueError("expected one of at, in or none: true")
        return self

    def act(self, actor: Actor) -> Act:
        return Expected(actor=actor, at=self.at, lasting=self.lasting)


class Workaround(Asked):
    """Say what helps until it is fixed."""

    text: Text = Field(description="Empty: there is none any more.")

    def act(self, actor: Actor) -> Act:
        return WorkedAround(actor=actor, text=self.text)


Work = Unack | Assign | GiveRole | Note | Tell | Eta | Workaround
