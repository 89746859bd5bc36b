"""People report a problem over HTTP: rules judge it, and it opens an incident, or joins one that is open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Response, Security
from fastapi.security import HTTPBearer
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from triaged import urls
from triaged.core import wording
from triaged.core.catalogue import Users
from triaged.core.model import Alert, Category, Impact, Incident, State, Urgency
from triaged.core.reports import MOST_LINKS, SOURCE, Report, alert_of
from triaged.errors import PayloadError
from triaged.ids import delivery_id, operation_id
from triaged.intake.units import Answer, Delivery
from triaged.ports.source import Reading
from triaged.ports.store import Fate
from triaged.rulefiles.words import nearest
from triaged.web import answers
from triaged.web.acts import Asked
from triaged.web.desk import Desk, TheDesk, taken
from triaged.web.edge import TheToken
from triaged.web.fields import clean, word
from triaged.web.oncall import of_team
from triaged.web.working import when

LONGEST_SUMMARY: Final = 200
LONGEST_SYMPTOMS: Final = 4_000
MOST_FUNCTIONS: Final = 10
EARLIEST: Final = timedelta(days=30)
"""So long ago it may have begun."""

router: Final = APIRouter(
    prefix="/api/v1/incidents",
    tags=["incidents"],
    responses={"default": {"model": answers.Error, "description": "Refused: what was expected, and what came."}},
    dependencies=[Security(HTTPBearer(auto_error=False, description="An API token, where any is configured."))],
)


# ---------------------------------------------------------------- what is said


def _sentence(text: str) -> str:
    text = " ".join(clean(text).split())
    if not text or not text.isprintable():
        raise ValueError("expected what is wrong in a sentence, on one line")
    return text


def _one_name(text: str) -> str:
    text = clean(text)
    if not text.isprintable():
        raise ValueError("expected a name on one line")
    return text


def _listed(value: object) -> object:
    """A list as it is; of a text, as a form sends it, the parts between commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _apart(value: object) -> object:
    """The same of links, which may have commas in them."""
    return value.split() if isinstance(value, str) else value


def _function(text: str) -> str:
    text = clean(text)
    if not text or not text.isprintable() or "," in text:
        raise ValueError("expected names of business functions, without commas in them")
    return text


def _began(value: object) -> datetime | timedelta:
    return when(value, span="how long ago like 20m")


_Link = Annotated[str, AfterValidator(clean), AfterValidator(urls.askable)]


class Opening(Asked):
    """What somebody noticed. Only the summary is needed; how grave it is rules say of the rest."""

    summary: Annotated[str, Field(max_length=LONGEST_SUMMARY), AfterValidator(_sentence)] = Field(
        description="What is wrong, in a sentence: what everybody will call it."
    )
    service: Annotated[str, Field(max_length=100), AfterValidator(_one_name)] = Field(
        default="", description="A service of services.yaml; reports of one service and category are one incident."
    )
    category: Annotated[Category | None, BeforeValidator(word)] = None
    impact: Annotated[Impact | None, BeforeValidator(word)] = None
    urgency: Annotated[Urgency | None, BeforeValidator(word)] = None
    users: Annotated[Users | None, BeforeValidator(word)] = Field(default=None, description="How many notice it.")
    functions: Annotated[
        tuple[Annotated[str, Field(max_length=60), AfterValidator(_function)], ...],
        Field(max_length=MOST_FUNCTIONS),
        BeforeValidator(_listed),
    ] = Field(default=(), description="Business functions that are disrupted; a list, or a text with commas.")
    symptoms: Annotated[str, Field(max_length=LONGEST_SYMPTOMS), AfterValidator(clean)] = ""
    started: Annotated[
        datetime | timedelta | None,
        BeforeValidator(lambda value: None if value is None else _began(value)),
        WithJsonSchema({"type": "string", "examples": ["20m", "2026-12-24T08:00+01:00"]}),
    ] = Field(default=None, description="When it began: an instant with offset, or how long ago; else now.")
    links: Annotated[tuple[_Link, ...], Field(max_length=MOST_LINKS), BeforeValidator(_apart)] = Field(
        default=(), description="Where more is to be seen, such as a ticket; a list, or a text with blanks between."
    )
    request_id: Annotated[str, Field(max_length=100), AfterValidator(_one_name)] = Field(
        default="", description="Any text of yours: the same report sent again with it opens nothing more."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What the form on the board offers: services, and of other fields the words that they take."""

    services: tuple[str, ...]
    choices: tuple[tuple[str, tuple[str, ...]], ...]


def on_board(desk: Desk) -> Form:
    """The form as the rules in force fill it."""
    words = {"category": Category, "impact": Impact, "urgency": Urgency, "users": Users}
    choices = tuple((name, tuple(one.value for one in kind)) for name, kind in words.items())
    return Form(services=(*desk.rules().rule_set.services,), choices=choices)


# ---------------------------------------------------------------- what is answered


class Place(BaseModel):
    """Where the issue is, or will be in a moment; `repository` is "" where the backend has only one place."""

    backend: str
    repository: str


class Reported(answers.Shown):
    """The incident, and what the report did: `opened` it, `joined` it, was only `recorded` there, or was `known`."""

    became: Literal["opened", "joined", "recorded", "known"]
    published_in: Place


class Held(BaseModel):
    """It has no number yet: a rule or maintenance lets it wait, and it opens then if nobody ends it before."""

    held: str


@router.post(
    "",
    status_code=201,
    response_model=Reported | Held,
    responses={
        200: {"model": Reported, "description": "It belongs to an incident that there is."},
        202: {"model": Held, "description": "It waits."},
    },
)
def open_incident(desk: TheDesk, token: TheToken, body: Opening, response: Response) -> Any:
    """Report a problem: it opens an incident, or joins the open one of the same service and category."""
    alert = alert_of(_report(desk, body, body.actor(token).name))
    # With what is expected of it, one that was taken in before changes nothing.
    answer = desk.ask(
        Delivery(
            id=delivery_id(),
            source=SOURCE,
            body=b"",
            reading=Reading(alerts=(alert,), rejected=()),
            expects={alert.fingerprint: None},
        )
    )
    _refuse(desk, alert, answer)
    with desk.store.read() as reader:
        row = reader.incident(reader.incidents_of([alert.fingerprint])[alert.fingerprint])
        if row is None:
            raise RuntimeError("an incident is gone that was there a moment ago")
        incident = row.incident
        if incident.opened_at is None:
            response.status_code = 202
            return Held(held=_waits(incident))
        on_call = of_team(desk, reader, incident.team)
        shown = answers.shown(reader, row, desk.public_url, whole=True, on_call=on_call)
    became = _became(incident, answer)
    response.status_code = 201 if became == "opened" else 200
    repository = desk.places.of(incident) if row.address is None else row.address.repository
    place = Place(backend=desk.backend, repository=repository)
    return Reported(**shown.model_dump(), became=became, published_in=place)


def _report(desk: Desk, body: Opening, by: str) -> Report:
    known = desk.rules().rule_set.services
    if body.service and known and body.service not in known:
        hint = nearest(body.service, known)
        raise PayloadError(
            f"service: expected one of the services of services.yaml, got {body.service!r}"
            + (f"; {hint}" if hint else "; leave it out where it is none of them")
        )
    now, started = desk.clock.now(), body.started
    began = now - started if isinstance(started, timedelta) else started
    if began is not None and not now - EARLIEST <= began <= now:
        raise PayloadError(
            f"started: expected an instant in the last {EARLIEST.days} days, not after now ({wording.instant(now)}),"
            f" got {wording.instant(began)}"
        )
    return Report(
        key=body.request_id or operation_id(),
        by=by,
        summary=body.summary,
        service=body.service,
        category=body.category,
        impact=body.impact,
        urgency=body.urgency,
        users=body.users or "",
        functions=body.functions,
        symptoms=body.symptoms,
        links=body.links,
        started_at=began,
    )


def _refuse(desk: Desk, alert: Alert, answer: Answer) -> None:
    """Raises where nothing came of it, with what a person has to know then."""
    taken(answer)
    if Fate.DROPPED in answer.counts:
        verdict = desk.rules().rule_set.judge(alert, desk.clock.now())
        why = f"rule {verdict.matched[-1]}: {verdict.dropped}" if verdict.dropped else "a rule that is gone by now"
        raise PayloadError(f"the rules drop this report, so that nothing was opened: {why}", status=409)
    if Fate.FAILED in answer.counts:
        text = "a bug of triaged met this report: it is kept, and nothing was opened; tell people by other means"
        raise PayloadError(text, status=500)


def _became(incident: Incident, answer: Answer) -> Literal["opened", "joined", "recorded", "known"]:
    if Fate.BEGAN not in answer.counts:
        return "known"
    if incident.state in (State.RESOLVED, State.CLOSED):
        return "recorded"
    return "opened" if incident.alerts == 1 and incident.round <= 1 else "joined"


def _waits(incident: Incident) -> str:
    until = f" until {wording.instant(incident.pending_until)}" if incident.pending_until else ""
    return f"held back{until}" + (f" by maintenance: {incident.held_for}" if incident.held_for else " by a rule")
