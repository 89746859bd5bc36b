"""Reviews and action items over the API: the acts of people, and what of them an incident shows."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema, model_validator

from triaged.core.events import Act, ActionAsked, ReviewAsked
from triaged.core.model import ActionKind, Actor, Incident, ReviewOutcome, Severity
from triaged.web.acts import Asked
from triaged.web.fields import ReasonText, clean, word
from triaged.web.working import Somebody, When

_OUTCOMES = (ReviewOutcome.HELD, ReviewOutcome.WAIVED, ReviewOutcome.OPEN)


def _outcome(value: object) -> ReviewOutcome:
    found = word(value)
    if found not in tuple(_OUTCOMES):
        raise ValueError("expected held, waived or open")
    return ReviewOutcome(str(found))


def _positive(value: object) -> int:
    """A number, or as a form of a page sends it."""
    text = "" if isinstance(value, bool) else str(value)
    if not re.fullmatch("[1-9][0-9]{0,2}", text):
        raise ValueError("expected the number of an action item, like 2")
    return int(text)


_Todo = Annotated[str, Field(max_length=1_000), AfterValidator(clean)]


class Reviewing(Asked):
    """Say that the review was held, or that there is none; or ask for one, where there is none or it is to go on."""

    outcome: Annotated[
        ReviewOutcome,
        BeforeValidator(_outcome),
        WithJsonSchema({"type": "string", "enum": [str(one) for one in _OUTCOMES]}),
    ] = Field(default=ReviewOutcome.HELD)
    reason: ReasonText = Field(default="", description="Why; required where it is waived.")

    def act(self, actor: Actor) -> Act:
        return ReviewAsked(actor=actor, outcome=self.outcome, reason=self.reason)


class Action(Asked):
    """Add an action item, or say that one is done."""

    text: _Todo = Field(default="", description="What is to be done.")
    kind: Annotated[ActionKind, BeforeValidator(word)] | None = Field(
        default=None, description="What it is to better; preventive if left out."
    )
    owner: Somebody = Field(default="", description="A person or a team of services.yaml, who is reminded of it.")
    due: When | None = Field(default=None, description="When it is to be done: an instant, or a span from now.")
    done: Annotated[int, BeforeValidator(_positive)] | None = Field(
        default=None, description="The number of one that is done; then nothing else is said."
    )

    @model_validator(mode="after")
    def _one(self) -> Action:
        if self.done is not None and (self.text or self.kind or self.owner or self.due):
            raise ValueError("expected either done, or text with kind, owner and due")
        if self.done is None and not self.text:
            raise ValueError("expected text, or done with the number of an action item")
        return self

    def act(self, actor: Actor) -> Act:
        return ActionAsked(
            actor=actor,
            text=self.text,
            kind=self.kind,
            owner=self.owner,
            due_at=self.due if isinstance(self.due, datetime) else None,
            due_in=self.due if isinstance(self.due, timedelta) else None,
            done=self.done,
        )


Looking = Reviewing | Action
"""What people say of it when it is over."""


class Reviewed(BaseModel):
    """The review of an incident; `by`, `at` and `reason` are of whoever held or waived it."""

    id: str
    outcome: ReviewOutcome
    severity: Severity
    opens_at: datetime
    due_at: datetime
    because: str
    by: str
    at: datetime | None
    reason: str


class ActionItem(BaseModel):
    """Something that people set themselves to do; instants are UTC."""

    id: int
    kind: ActionKind
    text: str
    owner: str
    by: str
    at: datetime
    due_at: datetime | None
    done_at: datetime | None
    done_by: str


def reviewed(incident: Incident) -> dict[str, object]:
    """The fields `review` and `actions` of an incident."""
    review = incident.process.review
    own = None if review is None else {n: getattr(review, n) for n in Reviewed.model_fields if n != "id"}
    return {
        "review": None if own is None or review is None else {**own, "id": review.name},
        "actions": [{n: getattr(one, n) for n in ActionItem.model_fields} for one in incident.process.actions],
    }
