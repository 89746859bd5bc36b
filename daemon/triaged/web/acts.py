"""The acts of the API: a JSON body in, the event that it asks for out."""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum, unique
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from triaged.core.events import (
    Acknowledged,
    Act,
    CloseAsked,
    MergeAsked,
    Record,
    ReopenAsked,
    ResolveAsked,
    SeverityChosen,
    SilenceAsked,
    SplitAsked,
)
from triaged.core.model import Actor, ActorKind, CloseReason, Severity
from triaged.errors import PayloadError
from triaged.rulefiles.words import listed, nearest, some_span
from triaged.web.auth import Token

ACTS: Final = ("ack", "severity", "resolve", "close", "reopen", "merge", "split", "silence")
LOCAL: Final = "local"


class Strict(BaseModel):
    """Fields that are known and no others: a misspelt one is told, not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _only_known(cls, data: Any) -> Any:
        if isinstance(data, dict):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for name in data:
                if name not in known:
                    hint = nearest(str(name), known)
                    raise ValueError(f"expected only {listed(known)}, got {str(name)[:60]!r}{hint and f'; {hint}'}")
        return data


def _true_or_false(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("expected true or false")  # noqa: TRY004 - pydantic reports ValueErrors only
    return value


Flag = Annotated[bool, BeforeValidator(_true_or_false)]
"""JSON's own true or false: a pipeline that sends the text "false" means no."""


def _clean(text: str) -> str:
    if "\0" in text:
        raise ValueError("expected text without NUL characters")
    return text.strip()


def _name(text: str) -> str:
    text = _clean(text)
    if not text or not text.isprintable():
        raise ValueError("expected a name on one line")
    return text


def _span(value: object) -> timedelta:
    return some_span(value if isinstance(value, str) else "")


def _word(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _number(value: object) -> int:
    found = re.fullmatch(r"INC-([0-9]{1,18})", value, re.IGNORECASE) if isinstance(value, str) else None
    if found is None:
        raise ValueError("expected an incident like INC-7")
    return int(found[1])


_Name = Annotated[str, Field(max_length=60), AfterValidator(_name)]
_Reason = Annotated[str, Field(max_length=1_000), AfterValidator(_clean)]
_Text = Annotated[str, Field(max_length=10_000), AfterValidator(_clean)]
_Span = Annotated[timedelta, BeforeValidator(_span), WithJsonSchema({"type": "string", "examples": ["4h", "1h30m"]})]


@unique
class Reason(StrEnum):
    """Why a person closes an incident."""

    COMPLETED = "completed"
    FALSE_ALARM = "false_alarm"
    NOT_PLANNED = "not_planned"
    DUPLICATE = "duplicate"


class Asked(Strict):
    """What anybody who asks for something may say of himself."""

    by: _Name | None = Field(
        default=None,
        description="Who acts, where no API tokens are configured; default local.",
    )
    on_behalf_of: _Name | None = Field(
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

    lasting: _Span | None = Field(default=None, alias="for", description="For how long; else as the policy says.")

    def act(self, actor: Actor) -> Act:
        return Acknowledged(actor=actor, lasting=self.lasting)


class Choose(Asked):
    """Give the incident another severity; it stands until a person changes it."""

    severity: Annotated[Severity, BeforeValidator(_word)]
    reason: _Reason = ""

    def act(self, actor: Actor) -> Act:
        return SeverityChosen(actor=actor, severity=self.severity, reason=self.reason)


class _Recording(Asked):
    summary: _Text = ""
    root_cause: _Text = ""
    fix: _Text = ""
    prevention: _Text = ""

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

    reason: _Reason = ""

    def act(self, actor: Actor) -> Act:
        return ReopenAsked(actor=actor, reason=self.reason)


class Merge(Asked):
    """Say that the incident is the same problem as another; that one tells of it from then on."""

    into: Annotated[int, BeforeValidator(_number), WithJsonSchema({"type": "string", "examples": ["INC-3"]})]
    reason: _Reason = ""

    def act(self, actor: Actor) -> Act:
        return MergeAsked(actor=actor, into=self.into, reason=self.reason)


class Split(Asked):
    """Say that a folded incident is a problem of its own."""

    reason: _Reason = ""

    def act(self, actor: Actor) -> Act:
        return SplitAsked(actor=actor, reason=self.reason)


class Silence(Asked):
    """Have Alertmanager silence the incident's alerts, until it is closed at the latest."""

    lasting: _Span | None = Field(default=None, alias="for", description="For how long, at most 4h; else 1h.")
    reason: _Reason = Field(default="", description="What Alertmanager shows beside the incident's number.")

    def act(self, actor: Actor) -> Act:
        return SilenceAsked(actor=actor, lasting=self.lasting, reason=self.reason)


Body = Ack | Choose | Resolve | Close | Reopen | Merge | Split | Silence
