"""On-call over HTTP: who has it now, who is next, and whether the calendars behind it can be read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from triaged.core import wording
from triaged.core.catalogue import Feed
from triaged.core.oncall import Rota, Turn
from triaged.errors import NotFoundError
from triaged.rulefiles.words import exact_instant, nearest
from triaged.store import shifts
from triaged.store.reading import Reader
from triaged.web import answers
from triaged.web.desk import Desk, TheDesk
from triaged.web.fields import Strict

MOST_NEXT: Final = 2
_MOST_STRANGERS: Final = 20

router: Final = APIRouter(
    prefix="/api/v1/on-call",
    tags=["on-call"],
    responses={"default": {"model": answers.Error, "description": "Refused: what was expected, and what came."}},
)


def _instant(value: object) -> datetime:
    return exact_instant(value if isinstance(value, str) else "")


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC)


class Asked(Strict):
    """Which team, and when."""

    team: Annotated[str | None, Field(max_length=100, description="One team only.")] = None
    at: Annotated[
        datetime | None,
        BeforeValidator(_instant),
        WithJsonSchema({"type": "string", "examples": ["2026-11-23T09:00+01:00"]}),
        Field(description="With an offset; default now."),
    ] = None


Instant = Annotated[datetime, AfterValidator(_utc)]


class Shown(BaseModel):
    """A turn; `person` is None where `said`, the calendar's own words, name nobody of services.yaml."""

    person: str | None
    said: str
    begins_at: Instant = Field(serialization_alias="from")
    ends_at: Instant = Field(serialization_alias="to")


class Read(BaseModel):
    """How it stands with a calendar elsewhere: `stale` when not read for a day, `strangers` whom nobody knows."""

    read_at: datetime | None
    stale: bool
    failure: str
    strangers: list[str]


class OnCall(BaseModel):
    """A team: who is on call now, most of all the first; the next two handovers; `order` is whom to tell, in turn.

    `origin` is `rotation`, `calendar` or `none`; only a calendar has been read.
    """

    team: str
    origin: str
    now: list[Shown]
    next: list[Shown]
    order: list[str]
    calendar: Read | None


class Listing(BaseModel):
    """All teams of the catalogue, in its order."""

    at: datetime
    teams: list[OnCall]


@router.get("")
def list_on_call(desk: TheDesk, asked: Annotated[Asked, Query()]) -> Listing:
    """Who is on call for each team, now or at another instant, and the next two handovers."""
    now = desk.clock.now()
    rules = desk.rules().rule_set
    if asked.team is not None and asked.team not in rules.teams:
        hint = nearest(asked.team, rules.teams)
        raise NotFoundError(f"there is no team {asked.team[:60]!r}" + (f": {hint}" if hint else ""))
    with desk.store.read() as reader:
        rota = shifts.rota(rules, reader.connection)
    at = asked.at or now
    teams = rules.teams if asked.team is None else (asked.team,)
    return Listing(at=at, teams=[_of(rota, team, at, now) for team in teams])


def on_board(desk: Desk, reader: Reader, now: datetime) -> list[tuple[str, str, bool]]:
    """Each team that has an on-call, who has it in words, and whether that is as it should be."""
    rota = shifts.rota(desk.rules().rule_set, reader.connection)
    return [(name, *_words(rota, name, now)) for name, team in rota.teams.items() if team.on_call is not None]


def of_team(desk: Desk, reader: Reader, team: str) -> tuple[str, ...]:
    """Who is on call for a team now, then the next ones."""
    return shifts.rota(desk.rules().rule_set, reader.connection).now(team, desk.clock.now())


def _words(rota: Rota, team: str, now: datetime) -> tuple[str, bool]:
    running, coming = rota.running(team, now), rota.coming(team, now)[:1]
    told = ", ".join(_called(turn) for turn in running) or "nobody is on call"
    told += "".join(f", from {wording.instant(turn.begins_at)} {_called(turn)}" for turn in coming)
    reading = rota.readings.get(team)
    if isinstance(rota.teams[team].on_call, Feed) and (reading is None or reading.stale(now)):
        age = f"not read for {wording.span(now - reading.read_at)}" if reading and reading.read_at else "never read"
        return f"{told}; the calendar was {age}" + (f": {reading.failure}" if reading else ""), False
    return told, any(turn.person for turn in running)


def _called(turn: Turn) -> str:
    return turn.person or f"{turn.said[:60]} (unknown)"


def _of(rota: Rota, team: str, at: datetime, now: datetime) -> OnCall:
    on_call = rota.teams[team].on_call
    reading = rota.readings.get(team)
    calendar = None
    if isinstance(on_call, Feed):
        calendar = Read(
            read_at=reading.read_at if reading else None,
            stale=reading is None or reading.stale(now),
            failure=reading.failure if reading else "",
            strangers=[*rota.strangers(team)[:_MOST_STRANGERS]],
        )
    return OnCall(
        team=team,
        origin="none" if on_call is None else "rotation" if calendar is None else "calendar",
        now=_shown(rota.running(team, at)),
        next=_shown(rota.coming(team, at)[:MOST_NEXT]),
        order=[*rota.now(team, at)],
        calendar=calendar,
    )


def _shown(turns: Sequence[Turn]) -> list[Shown]:
    return [
        Shown(person=turn.person or None, said=turn.said, begins_at=turn.begins_at, ends_at=turn.ends_at)
        for turn in turns
    ]
