"""Problems over HTTP: listed, shown, and what people do to them."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum, unique
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response, Security
from fastapi.security import HTTPBearer
from msgspec.structs import replace
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, field_validator

from triaged.core.model import Actor, Category, CloseReason
from triaged.core.problems import Problem, ProblemKind, ProblemState
from triaged.core.solving import (
    ProblemAct,
    ProblemClosed,
    ProblemExplained,
    ProblemNoted,
    ProblemReopened,
    ProblemWorkedAround,
)
from triaged.errors import NotFoundError
from triaged.intake.units import AskProblem
from triaged.ports.problems import ProblemRow
from triaged.rulefiles.words import listed as choice
from triaged.store import problems as table
from triaged.store.reading import Reader
from triaged.web import answers
from triaged.web.acts import Asked
from triaged.web.auth import Token
from triaged.web.desk import Desk, TheDesk, taken
from triaged.web.edge import TheToken
from triaged.web.fields import ReasonText, Strict, Text, clean, word
from triaged.web.known import Knowledge, KnownLink, link

ACTS: Final = ("close", "reopen", "note", "workaround", "knowledge")
MOST_INCIDENTS: Final = 100
MOST_ENTRIES: Final = 200
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    "default": {"model": answers.Error, "description": "Refused: what was expected, and what came."}
}
_bearer = HTTPBearer(auto_error=False, description="An API token; not asked for where none is configured.")
router = APIRouter(prefix="/api/v1/problems", tags=["problems"], responses=_REFUSALS)
_OWN: Final = ("id", "url", "issue")


@unique
class Reason(StrEnum):
    """Why a problem is closed: it is mended, or people live with it."""

    COMPLETED = "completed"
    NOT_PLANNED = "not_planned"


def _something(text: str) -> str:
    text = clean(text)
    if not text:
        raise ValueError("expected a text, got nothing")
    return text


class CloseProblem(Asked):
    """Close a problem: its incidents are counted anew from then on."""

    reason: Annotated[Reason, BeforeValidator(word)] = Reason.COMPLETED
    root_cause: Text = ""
    workaround: Text = Field(default="", description="Else as before.")
    fix: Text = Field(default="", description="The permanent one.")

    def asked(self, actor: Actor) -> ProblemAct:
        return ProblemClosed(
            actor=actor,
            reason=CloseReason(self.reason.value),
            root_cause=self.root_cause,
            workaround=self.workaround,
            fix=self.fix,
        )


class ReopenProblem(Asked):
    """Open a closed problem again."""

    reason: ReasonText = ""

    def asked(self, actor: Actor) -> ProblemAct:
        return ProblemReopened(actor=actor, reason=self.reason)


class NoteProblem(Asked):
    """Write down what was found."""

    text: Annotated[str, Field(max_length=10_000), AfterValidator(_something)]

    def asked(self, actor: Actor) -> ProblemAct:
        return ProblemNoted(actor=actor, text=self.text)


class WorkAroundProblem(Asked):
    """Say what helps until it is mended; its incidents show it."""

    text: Text = Field(description="Empty: there is nothing any more.")
    root_cause: Text = Field(default="", description="Why it happens, where that is known by now.")

    def asked(self, actor: Actor) -> ProblemAct:
        return ProblemWorkedAround(actor=actor, text=self.text, root_cause=self.root_cause)


class ExplainProblem(Knowledge):
    """Keep a link to what is known of it."""

    def asked(self, actor: Actor) -> ProblemAct:
        return ProblemExplained(actor=actor, link=self.link)


_Asked = CloseProblem | ReopenProblem | NoteProblem | WorkAroundProblem | ExplainProblem


class ListedProblem(BaseModel):
    """A problem as lists show it; instants are UTC."""

    id: str
    kind: ProblemKind
    state: ProblemState
    title: str
    because: str
    service: str
    category: Category
    team: str
    restricted: bool
    incidents: int
    opened_at: datetime
    last_at: datetime | None
    closed_at: datetime | None
    closed_by: str | None
    close_reason: CloseReason | None
    root_cause: str
    workaround: str
    fix: str
    url: str
    issue: answers.IssueAddress | None


class Problems(BaseModel):
    """A page of the list, newest first; `next_cursor` leads to the next one."""

    problems: list[ListedProblem]
    next_cursor: str | None


class FollowedIncident(BaseModel):
    """An incident that a problem follows."""

    id: str
    title: str
    severity: str
    state: str
    opened_at: datetime | None
    started_at: datetime
    restored_at: datetime | None
    fix: str
    url: str


class ShownProblem(ListedProblem):
    """A problem with its newest 100 incidents, its links and the newest 200 entries of its timeline."""

    followed: list[FollowedIncident]
    knowledge: list[KnownLink]
    timeline: list[answers.Told]


class ProblemListing(Strict):
    state: ProblemState | None = None
    team: str | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    cursor: Annotated[str | None, Field(description="The next_cursor of the page before.")] = None

    @field_validator("cursor")
    @classmethod
    def _cursor(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[0-9]{1,18}", value):
            raise ValueError("expected the next_cursor of a page before")
        return value


@router.get("")
def list_problems(desk: TheDesk, listing: Annotated[ProblemListing, Query()], request: Request) -> Problems:
    """Problems, newest first, a page at a time."""
    before = None if listing.cursor is None else int(listing.cursor)
    known = desk.knows(request)
    with desk.store.read() as reader:
        rows = table.listed(
            reader.connection, state=listing.state, team=listing.team, before=before, limit=listing.limit + 1
        )
    page = rows[: listing.limit]
    return Problems(
        problems=[ListedProblem.model_validate(_fields(masked(one, whole=known), desk.public_url)) for one in page],
        next_cursor=str(page[-1].problem.id) if len(rows) > len(page) else None,
    )


@router.get("/{name}")
def show_problem(name: str, desk: TheDesk, request: Request) -> ShownProblem:
    """One problem with its incidents, what is known of it, and its timeline."""
    number = problem_id(name)
    with desk.store.read() as reader:
        return _show(desk, reader, number, known=desk.knows(request))


@router.post("/{name}/close", dependencies=[Security(_bearer)])
def close_problem(name: str, desk: TheDesk, token: TheToken, body: CloseProblem | None = None) -> ShownProblem:
    """Close it: it is mended, or people live with it."""
    return _act(desk, name, body or CloseProblem(), token)


@router.post("/{name}/reopen", dependencies=[Security(_bearer)])
def reopen_problem(name: str, desk: TheDesk, token: TheToken, body: ReopenProblem | None = None) -> ShownProblem:
    """Open it again."""
    return _act(desk, name, body or ReopenProblem(), token)


@router.post("/{name}/note", dependencies=[Security(_bearer)])
def note_on_problem(name: str, desk: TheDesk, token: TheToken, body: NoteProblem) -> ShownProblem:
    """Write down what was found."""
    return _act(desk, name, body, token)


@router.post("/{name}/workaround", dependencies=[Security(_bearer)])
def work_around_problem(name: str, desk: TheDesk, token: TheToken, body: WorkAroundProblem) -> ShownProblem:
    """Say what helps until it is mended."""
    return _act(desk, name, body, token)


@router.post("/{name}/knowledge", dependencies=[Security(_bearer)])
def explain_problem(name: str, desk: TheDesk, token: TheToken, body: ExplainProblem) -> ShownProblem:
    """Keep a link to what is known of it."""
    return _act(desk, name, body, token)


@router.post("/{name}/{act}", include_in_schema=False)
def unknown_act(act: str) -> Response:
    """Every other word is no act."""
    raise NotFoundError(f"expected one of the acts {choice(ACTS)}, got {act[:60]!r}")


def problem_id(name: str) -> int:
    """The number in `PRB-7`; raises NotFoundError for anything else."""
    found = re.fullmatch(r"PRB-([0-9]{1,18})", name, re.IGNORECASE)
    if found is None:
        raise NotFoundError(f"expected a problem like PRB-7, got {name[:60]!r}")
    return int(found[1])


def masked(row: ProblemRow, *, whole: bool) -> ProblemRow:
    """A restricted problem for those who may not know more of it than its title and its link."""
    if whole or not row.problem.restricted:
        return row
    hidden = replace(row.problem, because="", service="", root_cause="", workaround="", fix="")
    return replace(row, problem=hidden)


def _act(desk: Desk, name: str, body: _Asked, token: Token | None) -> ShownProblem:
    number = problem_id(name)
    taken(desk.ask(AskProblem(number=number, act=body.asked(body.actor(token)))))
    with desk.store.read() as reader:
        return _show(desk, reader, number, known=True)


def _show(desk: Desk, reader: Reader, number: int, *, known: bool) -> ShownProblem:
    row = table.one(reader.connection, number)
    if row is None:
        raise NotFoundError(f"PRB-{number} does not exist")
    whole = known or not row.problem.restricted
    incidents = table.incidents_of(reader.connection, number, MOST_INCIDENTS) if whole else []
    kept = table.known_of(reader.connection, number) if whole else []
    entries = reader.timeline(number, MOST_ENTRIES) if whole else []
    own = ("id", "url")
    names = [name for name in FollowedIncident.model_fields if name not in own]
    return ShownProblem.model_validate(
        {
            **_fields(masked(row, whole=whole), desk.public_url),
            "followed": [
                {
                    **{name: getattr(one, name) for name in names},
                    "id": one.name,
                    "url": f"{desk.public_url}/incidents/{one.name}",
                }
                for one in incidents
            ],
            "knowledge": [link(one) for one in kept],
            "timeline": [{"at": e.at, "entry": e.entry, "by": e.by, "text": e.text} for e in entries],
        }
    )


def _fields(row: ProblemRow, public_url: str) -> dict[str, object]:
    problem: Problem = row.problem
    fields: dict[str, object] = {n: getattr(problem, n) for n in ListedProblem.model_fields if n not in _OWN}
    issue = None if row.address is None else {n: getattr(row.address, n) for n in answers.IssueAddress.model_fields}
    return {**fields, "id": problem.name, "url": f"{public_url}/problems/{problem.name}", "issue": issue}
