"""Maintenance windows over HTTP: asked for, listed, ended early."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response, Security
from fastapi.security import HTTPBearer
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema, model_validator

from triaged.core.maintenance import Phase, Plan, Window
from triaged.core.matchers import parse_all
from triaged.errors import NotFoundError, PayloadError
from triaged.intake.planning import LONGEST, ask_whole
from triaged.intake.units import EndWindow, PlanWindow
from triaged.rulefiles.maintenance import LONGEST_REASON
from triaged.rulefiles.words import exact_instant, some_span
from triaged.store import maintenance as table
from triaged.store.reading import Reader
from triaged.web import answers
from triaged.web.acts import Asked
from triaged.web.desk import Desk, TheDesk, taken
from triaged.web.edge import TheToken
from triaged.web.fields import Flag, Strict

MOST_MATCHERS: Final = 20
MOST_LISTED: Final = 500
_SHOWN: Final = 10
_LATELY: Final = timedelta(days=2)
_NAME: Final = r"[\w.:-]{1,100}"
_ID: Final = r"MW-[0-9]{1,18}|rules-[0-9a-f]{8}"

_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    "default": {"model": answers.Error, "description": "Refused: what was expected, and what came."}
}
_bearer = HTTPBearer(auto_error=False, description="An API token; not asked for where none is configured.")
router = APIRouter(prefix="/api/v1/maintenance", tags=["maintenance"], responses=_REFUSALS)


def _matchers(texts: list[str]) -> list[str]:
    """The texts, each of which is matchers as Alertmanager reads them."""
    for text in texts:
        if not parse_all(text):
            raise ValueError('expected a matcher like name="value"')
    return texts


def _instant(value: object) -> datetime:
    return exact_instant(value if isinstance(value, str) else "")


def _span(value: object) -> timedelta:
    return some_span(value if isinstance(value, str) else "")


def _line(text: str) -> str:
    text = text.strip()
    if not text or not text.isprintable():
        raise ValueError("expected one line that says what is done")
    return text


def _own(name: str) -> str:
    if re.fullmatch(_ID, name, re.IGNORECASE):
        raise ValueError(f"expected a name that is no id, got {name}")
    return name


_Matcher = Annotated[str, Field(max_length=500, examples=['service="checkout"'])]
_Instant = Annotated[
    datetime, BeforeValidator(_instant), WithJsonSchema({"type": "string", "examples": ["2026-12-01T22:00+01:00"]})
]
_Span = Annotated[timedelta, BeforeValidator(_span), WithJsonSchema({"type": "string", "examples": ["2h", "45m"]})]


class WindowWanted(Asked):
    """Planned work that begins now, or later."""

    match: Annotated[list[_Matcher], Field(min_length=1, max_length=MOST_MATCHERS), AfterValidator(_matchers)] = Field(
        description="Alertmanager's matchers on labels; all of them must hold."
    )
    lasting: _Span | None = Field(default=None, alias="for", description="How long; or else `to`.")
    to: _Instant | None = Field(default=None, description="Its end, with an offset; or else `for`.")
    begins_at: _Instant | None = Field(default=None, alias="from", description="With an offset; default now.")
    reason: Annotated[str, Field(max_length=LONGEST_REASON), AfterValidator(_line)] = Field(
        description="What is done, for whoever reads an incident."
    )
    all: Flag = Field(default=False, description="Hold back sev1, too.")
    name: Annotated[str, Field(pattern=f"^{_NAME}$"), AfterValidator(_own)] | None = Field(
        default=None, description="Yours: asked again under it, a window that is not over is replaced."
    )

    @model_validator(mode="after")
    def _one_end(self) -> WindowWanted:
        if (self.lasting is None) == (self.to is None):
            raise ValueError("expected either for, like 2h, or to, an instant")
        return self

    def plan(self, by: str, now: datetime) -> Plan:
        """The window; raises PayloadError where it is over already, or too long."""
        begins_at = max(self.begins_at or now, now)
        ends_at = begins_at + self.lasting if self.lasting is not None else self.to or now
        if ends_at <= begins_at:
            raise PayloadError(f"to: expected an instant after {begins_at.isoformat()}, got {ends_at.isoformat()}")
        if ends_at - begins_at > LONGEST:
            raise PayloadError(f"expected a window of at most {LONGEST.days} days, longer ones stand in the rules")
        return Plan(
            name=self.name or "",
            match=tuple(self.match),
            begins_at=begins_at,
            ends_at=ends_at,
            reason=self.reason,
            by=by,
            all=self.all,
        )


class WindowEnd(Asked):
    """End a window before its time."""


class ShownWindow(BaseModel):
    """A window: `origin` is `rules` or `api`; `ended_by` who ended it before its time."""

    id: str
    origin: str
    state: Phase
    match: list[str]
    begins_at: datetime = Field(serialization_alias="from")
    ends_at: datetime = Field(serialization_alias="to")
    reason: str
    by: str
    all: bool
    name: str | None = None
    ended_by: str | None = None


class Windows(BaseModel):
    windows: list[ShownWindow]


class WindowsListing(Strict):
    limit: Annotated[int, Field(ge=1, le=MOST_LISTED)] = 100


@router.get("")
def list_windows(desk: TheDesk, listing: Annotated[WindowsListing, Query()]) -> Windows:
    """Windows of the rules and of the API, planned, running and past: what begins last comes first."""
    with desk.store.read() as reader:
        return Windows(windows=listed(desk, reader, listing.limit))


@router.post("", status_code=201, dependencies=[Security(_bearer)])
def plan_window(desk: TheDesk, token: TheToken, body: WindowWanted, response: Response) -> ShownWindow:
    """Hold alerts back for planned work. 201; 200 where a window of that name was replaced."""
    wanted = body.plan(body.actor(token).name, desk.clock.now())
    answer = taken(ask_whole(desk.ask, PlanWindow(plan=wanted)))
    response.status_code = answer.status
    # It begins when it is stored, which is later than when it was asked for.
    return _planned(answer.value, desk.clock.now())


@router.post("/{window}/end", dependencies=[Security(_bearer)])
def end_window(window: str, desk: TheDesk, token: TheToken, body: WindowEnd | None = None) -> ShownWindow:
    """End a window now, by its id or its name; one that is over stays as it is."""
    if re.fullmatch(_ID, window.upper()):
        window = window.upper()
    if not re.fullmatch(_NAME, window) or (window.upper().startswith("MW-") and not re.fullmatch(_ID, window)):
        raise NotFoundError(f"there is no maintenance window {window[:60]!r}")
    if window in {one.id for one in desk.rules().rule_set.windows}:
        raise PayloadError(f"{window} stands in the rules: end it there, by its `to`", status=409)
    by = (body or WindowEnd()).actor(token).name
    answer = taken(ask_whole(desk.ask, EndWindow(name=window, by=by)))
    return _planned(answer.value, desk.clock.now())


def listed(desk: Desk, reader: Reader, limit: int) -> list[ShownWindow]:
    """Windows of both origins, what begins last first."""
    now = desk.clock.now()
    asked: Iterable[ShownWindow] = (_planned(plan, now) for plan in table.newest(reader.connection, limit))
    ours = (_shown(window, "rules", now) for window in desk.rules().rule_set.windows)
    return sorted((*asked, *ours), key=lambda one: (one.begins_at, one.id), reverse=True)[:limit]


def on_board(desk: Desk, reader: Reader, now: datetime) -> list[ShownWindow]:
    """What runs, what is planned, next first, and what was over a little while ago, of each the first few."""
    found = listed(desk, reader, MOST_LISTED)
    running = [one for one in found if one.state is Phase.RUNNING]
    planned = [one for one in found[::-1] if one.state is Phase.PLANNED]
    past = sorted(
        (one for one in found if one.state is Phase.PAST and now - one.ends_at < _LATELY),
        key=lambda one: one.ends_at,
        reverse=True,
    )
    return [*running[:_SHOWN], *planned[:_SHOWN], *past[:_SHOWN]]


def _planned(plan: Plan, now: datetime) -> ShownWindow:
    shown = _shown(plan.window, "api", now)
    return shown.model_copy(update={"name": plan.name or None, "ended_by": plan.ended_by})


def _shown(window: Window, origin: str, now: datetime) -> ShownWindow:
    return ShownWindow(
        id=window.id,
        origin=origin,
        state=window.phase(now),
        match=list(window.match),
        begins_at=window.begins_at.astimezone(UTC),
        ends_at=window.ends_at.astimezone(UTC),
        reason=window.reason,
        by=window.by,
        all=window.all,
    )
