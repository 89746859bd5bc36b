"""The HTTP API and the application around it: incidents, acts, metrics, health, its own description."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, TypeVar

import structlog
from fastapi import APIRouter, FastAPI, Query, Request, Security
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from fastapi.security import HTTPBearer
from pydantic import Field, field_validator

from triaged import __version__
from triaged.core.model import Severity, State
from triaged.errors import NotFoundError, StoreError
from triaged.explaining.incident import explain
from triaged.intake.units import Ask
from triaged.ports.store import IncidentRow, Wanted
from triaged.rulefiles.words import listed as choice
from triaged.store.reading import Reader
from triaged.web import answers, board, calendar, docs, status
from triaged.web import pages as static
from triaged.web.acts import (
    ACTS,
    Ack,
    Body,
    Choose,
    Close,
    Escalate,
    Merge,
    Pause,
    Reopen,
    Resolve,
    Resume,
    Silence,
    Split,
)
from triaged.web.auth import Token
from triaged.web.desk import Desk, TheDesk, taken
from triaged.web.edge import Edge, TheToken
from triaged.web.explained import Explained, explained
from triaged.web.exposition import expose
from triaged.web.fields import Strict
from triaged.web.github import router as github
from triaged.web.heartbeats import router as heartbeats
from triaged.web.known import Knowledge
from triaged.web.maintenance import router as maintenance
from triaged.web.oncall import of_team
from triaged.web.oncall import router as on_call
from triaged.web.problem_page import router as problem_page
from triaged.web.problems import router as problems
from triaged.web.refusals import explain_refusals
from triaged.web.reporting import router as reporting
from triaged.web.reviews import Action, Looking, Reviewing
from triaged.web.working import Assign, Eta, GiveRole, Note, Tell, Unack, Work, Workaround

log = structlog.get_logger(__name__)

T = TypeVar("T")

_ABOUT: Final = (
    "Incidents and acts on them. Reading is open; where API tokens are configured an act needs one with the role act."
)
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    "default": {"model": answers.Error, "description": "Refused: what was expected, and what came."}
}
_bearer = HTTPBearer(auto_error=False, description="An API token; not asked for where none is configured.")
_system = APIRouter(tags=["daemon"])
_reading = APIRouter(prefix="/api/v1/incidents", tags=["incidents"], responses=_REFUSALS)
_acting = APIRouter(
    prefix="/api/v1/incidents/{name}", tags=["acts"], responses=_REFUSALS, dependencies=[Security(_bearer)]
)


def build(desk: Desk) -> FastAPI:
    """The application: API, pages, metrics; everything but the intake of alerts, which stands in front of it."""
    # FastAPI's own page of documentation loads scripts from elsewhere; ours is rendered here.
    app = Api(title="triaged", version=__version__, description=_ABOUT, docs_url=None, redoc_url=None)
    app.state.desk = desk
    for described in (_reading, reporting, _acting, problems, heartbeats, maintenance, on_call, github, _system):
        app.include_router(described)
    for pages in (board.router, status.router, docs.router, static.router, calendar.router, problem_page):
        app.include_router(pages)
    app.add_middleware(Edge, desk=desk)
    explain_refusals(app)
    return app


class Api(FastAPI):
    """The application, whose description also tells of the intake that stands in front of it."""

    def openapi(self) -> dict[str, Any]:
        described = super().openapi()
        described["paths"].setdefault("/api/v1/alerts/alertmanager", {"post": _INTAKE})
        described["paths"].setdefault("/api/v1/alerts/{source}", {"post": _MAPPED})
        return described


_INTAKE: Final[dict[str, Any]] = {
    "tags": ["alerts"],
    "summary": "Alertmanager's webhook",
    "description": "Alerts as Alertmanager sends them, version 4. 200 comes after the commit; 503 means: again.",
    "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}, "required": True},
    "responses": {
        "200": {"description": "Everything is on disk and triaged."},
        "400": {"description": "The body can never be read."},
        "401": {"description": "The source's token or password is missing or unknown."},
        "413": {"description": "The body, or the number of its alerts, is too large."},
        "503": {"description": "Nothing was stored: send it again."},
    },
}
_MAPPED: Final = {
    **_INTAKE,
    "summary": "Any JSON, by a mapping",
    "description": "What `sources/SOURCE.yaml` of the rules makes alerts of.",
    "parameters": [{"name": "source", "in": "path", "required": True, "schema": {"type": "string"}}],
    "responses": {
        **_INTAKE["responses"],
        "202": {"description": "The same, as PagerDuty says it."},
        "403": {"description": "Other machines can reach the daemon, and this source has no tokens."},
        "404": {"description": "There is no such mapping."},
    },
}


# ---------------------------------------------------------------- incidents


class Listing(Strict):
    """What to list; `state` may name several, with commas."""

    state: Annotated[str | None, Field(description="One or more of the states, with commas.")] = None
    severity: Severity | None = None
    team: str | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    cursor: Annotated[str | None, Field(description="The next_cursor of the page before.")] = None

    @field_validator("state")
    @classmethod
    def _states(cls, value: str | None) -> str | None:
        known = [state.value for state in State]
        if value is not None and not {part.strip() for part in value.split(",")} <= set(known):
            raise ValueError(f"expected one or more of {choice(known)}")
        return value

    @field_validator("cursor")
    @classmethod
    def _cursor(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[0-9]{1,18}", value):
            raise ValueError("expected the next_cursor of a page before")
        return value

    def wanted(self) -> Wanted:
        """One more than asked for, to see whether there is another page."""
        states = None if self.state is None else tuple(State(part.strip()) for part in self.state.split(","))
        before = None if self.cursor is None else int(self.cursor)
        return Wanted(states=states, severity=self.severity, team=self.team, before=before, limit=self.limit + 1)


@_reading.get("")
def list_incidents(desk: TheDesk, listing: Annotated[Listing, Query()]) -> answers.Incidents:
    """Incidents, newest first, a page at a time."""
    with desk.store.read() as reader:
        rows = reader.incidents(listing.wanted())
    page = rows[: listing.limit]
    return answers.Incidents(
        incidents=[answers.listed(_visible(desk, row, whole=False), desk.public_url) for row in page],
        next_cursor=str(page[-1].incident.id) if len(rows) > len(page) else None,
    )


@_reading.get("/{name}")
def show_incident(name: str, desk: TheDesk, request: Request) -> answers.Shown:
    """One incident with its timeline, what of it fires, and when what is due."""
    number = incident_id(name)
    with desk.store.read() as reader:
        return _show(desk, reader, number, known=desk.knows(request))


@_reading.get("/{name}/explain")
def explain_incident(name: str, desk: TheDesk, request: Request) -> Explained:
    """Why it is as it is: each rule tried, the arithmetic, keys and deadlines; and what today's rules would say."""
    number = incident_id(name)
    with desk.store.read() as reader:
        row = _opened(reader, number)
        found = explain(reader, row, desk.rules(), desk.former, desk.clock.now())
    return explained(found, whole=desk.knows(request) or not row.incident.restricted)


def incident_id(name: str) -> int:
    """The number in `INC-7`; raises NotFoundError for anything else."""
    found = re.fullmatch(r"INC-([0-9]{1,18})", name, re.IGNORECASE)
    if found is None:
        raise NotFoundError(f"expected an incident like INC-7, got {name[:60]!r}")
    return int(found[1])


def _opened(reader: Reader, number: int) -> IncidentRow:
    row = reader.incident(number)
    if row is None or row.incident.opened_at is None:
        raise NotFoundError(f"INC-{number} does not exist")
    return row


def _show(desk: Desk, reader: Reader, number: int, *, known: bool) -> answers.Shown:
    row = _opened(reader, number)
    whole = known or not row.incident.restricted
    on_call = of_team(desk, reader, row.incident.team)
    return answers.shown(reader, _visible(desk, row, whole=whole), desk.public_url, whole=whole, on_call=on_call)


def _visible(desk: Desk, row: IncidentRow, *, whole: bool) -> IncidentRow:
    hidden = desk.tokens.configured and row.incident.restricted and not whole
    return answers.masked(row) if hidden else row


# ---------------------------------------------------------------- acts


@_acting.post("/ack")
def acknowledge(name: str, desk: TheDesk, token: TheToken, body: Ack | None = None) -> answers.Shown:
    """Take it: the response objective is decided."""
    return _act(desk, name, body or Ack(), token)


@_acting.post("/severity")
def choose_severity(name: str, desk: TheDesk, token: TheToken, body: Choose) -> answers.Shown:
    """Give it another severity."""
    return _act(desk, name, body, token)


@_acting.post("/resolve")
def resolve(name: str, desk: TheDesk, token: TheToken, body: Resolve | None = None) -> answers.Shown:
    """Say that the service works again."""
    return _act(desk, name, body or Resolve(), token)


@_acting.post("/close")
def close(name: str, desk: TheDesk, token: TheToken, body: Close | None = None) -> answers.Shown:
    """Close it at once, even while alerts fire."""
    return _act(desk, name, body or Close(), token)


@_acting.post("/reopen")
def reopen(name: str, desk: TheDesk, token: TheToken, body: Reopen | None = None) -> answers.Shown:
    """Open it again."""
    return _act(desk, name, body or Reopen(), token)


@_acting.post("/merge")
def merge(name: str, desk: TheDesk, token: TheToken, body: Merge) -> answers.Shown:
    """Fold it into another incident: it is the same problem."""
    return _act(desk, name, body, token)


@_acting.post("/split")
def split(name: str, desk: TheDesk, token: TheToken, body: Split | None = None) -> answers.Shown:
    """Make a folded incident a problem of its own again."""
    return _act(desk, name, body or Split(), token)


@_acting.post("/silence")
def silence(name: str, desk: TheDesk, token: TheToken, body: Silence | None = None) -> answers.Shown:
    """Silence its alerts in their Alertmanager for a while."""
    return _act(desk, name, body or Silence(), token)


@_acting.post("/pause")
def pause(name: str, desk: TheDesk, token: TheToken, body: Pause) -> answers.Shown:
    """Stop the resolution clock for a while: the work waits for somebody else."""
    return _act(desk, name, body, token)


@_acting.post("/resume")
def resume(name: str, desk: TheDesk, token: TheToken, body: Resume | None = None) -> answers.Shown:
    """End the pause: the resolution clock counts on."""
    return _act(desk, name, body or Resume(), token)


@_acting.post("/escalate")
def escalate(name: str, desk: TheDesk, token: TheToken, body: Escalate | None = None) -> answers.Shown:
    """Call others in: the next level, a certain level, or somebody by name."""
    return _act(desk, name, body or Escalate(), token)


@_acting.post("/unack")
def give_back(name: str, desk: TheDesk, token: TheToken, body: Unack | None = None) -> answers.Shown:
    """Give it back: it is open again, and who is on call is told."""
    return _act(desk, name, body or Unack(), token)


@_acting.post("/assign")
def assign(name: str, desk: TheDesk, token: TheToken, body: Assign) -> answers.Shown:
    """Say who works on it."""
    return _act(desk, name, body, token)


@_acting.post("/role")
def give_role(name: str, desk: TheDesk, token: TheToken, body: GiveRole) -> answers.Shown:
    """Say who commands, leads the technical work, tells others, writes down."""
    return _act(desk, name, body, token)


@_acting.post("/note")
def note(name: str, desk: TheDesk, token: TheToken, body: Note) -> answers.Shown:
    """Write something down in its timeline, also after it was closed."""
    return _act(desk, name, body, token)


@_acting.post("/update")
def update(name: str, desk: TheDesk, token: TheToken, body: Tell) -> answers.Shown:
    """Tell stakeholders where it stands, and when they hear more."""
    return _act(desk, name, body, token)


@_acting.post("/eta")
def expect(name: str, desk: TheDesk, token: TheToken, body: Eta) -> answers.Shown:
    """Say when it is expected to work again."""
    return _act(desk, name, body, token)


@_acting.post("/workaround")
def work_around(name: str, desk: TheDesk, token: TheToken, body: Workaround) -> answers.Shown:
    """Say what helps until it is fixed."""
    return _act(desk, name, body, token)


@_acting.post("/review")
def review(name: str, desk: TheDesk, token: TheToken, body: Reviewing) -> answers.Shown:
    """Say that its review was held, or that there is none; or ask for one."""
    return _act(desk, name, body, token)


@_acting.post("/action")
def action(name: str, desk: TheDesk, token: TheToken, body: Action) -> answers.Shown:
    """Add an action item, or say that one is done."""
    return _act(desk, name, body, token)


@_acting.post("/knowledge")
def keep_knowledge(name: str, desk: TheDesk, token: TheToken, body: Knowledge) -> answers.Shown:
    """Keep a link to what is known; the next incident like it offers it."""
    return _act(desk, name, body, token)


@_acting.post("/{act}", include_in_schema=False)
def unknown_act(act: str) -> Response:
    """Every other word is no act."""
    raise NotFoundError(f"expected one of the acts {choice(ACTS)}, got {act[:60]!r}")


def _act(desk: Desk, name: str, body: Body | Work | Looking | Knowledge, token: Token | None) -> answers.Shown:
    number = incident_id(name)
    taken(desk.ask(Ask(incident_id=number, act=body.act(body.actor(token)))))
    with desk.store.read() as reader:
        return _show(desk, reader, number, known=True)


# ---------------------------------------------------------------- the daemon itself


@_system.get("/metrics", response_class=PlainTextResponse)
def metrics(desk: TheDesk, request: Request) -> Response:
    """What Prometheus scrapes."""
    body, content_type = expose(desk, request.headers.get("accept", ""))
    return Response(body, headers={"content-type": content_type})


@_system.head("/-/healthy", include_in_schema=False)
@_system.get("/-/healthy", response_class=PlainTextResponse)
def healthy() -> Response:
    """200 while the process answers at all."""
    return PlainTextResponse("triaged is healthy.\n")


@_system.head("/-/ready", include_in_schema=False)
@_system.get("/-/ready", response_class=PlainTextResponse)
def ready(desk: TheDesk) -> Response:
    """200 when alerts can be taken in, 503 with the reason when not."""
    if not desk.ready():
        return PlainTextResponse("not ready: starting, stopping, or the store cannot be written\n", status_code=503)
    try:
        with desk.store.read() as reader:
            reader.next_due()
    except StoreError as error:
        return PlainTextResponse(f"not ready: the store cannot be read: {error}\n", status_code=503)
    return PlainTextResponse("triaged is ready.\n")


@_system.post("/-/reload", responses=_REFUSALS, dependencies=[Security(_bearer)])
def reload(desk: TheDesk) -> JSONResponse:
    """Read the rules again; a bad set is refused (400, one line for each mistake) and the old one stays."""
    problems = desk.reload()
    if problems:
        return JSONResponse({"error": "\n".join(problems), "errors": problems}, status_code=400)
    return JSONResponse({"status": "ok", "rules": desk.rules().rule_set.hash})
