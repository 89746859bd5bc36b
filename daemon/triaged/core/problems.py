"""Problems: what recurs is one record of its own. Pure: incidents that count, and what ops call often, make it.

An incident counts once: what a problem follows, or followed, is counted for no other one, and for none again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Final, assert_never

from msgspec import Struct
from msgspec.structs import replace

from triaged.core import wording
from triaged.core.downtime import CATEGORIES as DOWN
from triaged.core.model import DAEMON, Category, CloseReason, Entry, Incident, Link, State, TimelineEntry
from triaged.core.rules import ProblemRules

_NO_TROUBLE: Final = (CloseReason.FALSE_ALARM, CloseReason.NOT_PLANNED, CloseReason.DUPLICATE, CloseReason.UNOPENED)
_LONGEST_TITLE: Final = 300


@unique
class ProblemKind(StrEnum):
    """`capacity` is degradation that comes again, `recurring` anything else that does, `downtime` what adds up."""

    RECURRING = "recurring"
    CAPACITY = "capacity"
    DOWNTIME = "downtime"


@unique
class ProblemState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


@unique
class Alike(StrEnum):
    """What incidents of one cause have in common, the narrowest first."""

    KEY = "key"
    SERVICE = "service"
    DOWNTIME = "downtime"


class Cause(Struct, frozen=True, kw_only=True):
    """What incidents have in common; `name` is unique among all causes and stays the same."""

    alike: Alike
    name: str
    key: str = ""
    service: str = ""
    category: Category | None = None


class Counted(Struct, frozen=True, kw_only=True):
    """An incident that counts for problems; `problem_id` is the one that follows it, or did."""

    incident_id: int
    key: str
    service: str
    category: Category
    restricted: bool
    opened_at: datetime
    started_at: datetime
    restored_at: datetime | None = None
    problem_id: int | None = None


class Problem(Struct, frozen=True, kw_only=True):
    """What recurs, from the incident that made it one to the day when a person closes it.

    `opened_at` is of its last opening, `because` why. `incidents` counts all that it ever followed, the last of which
    opened at `last_at`. `workaround` is what helps until it is mended: with `root_cause` that
    makes it a known error. `fix` is the permanent one.
    """

    id: int
    cause: str
    kind: ProblemKind
    state: ProblemState
    title: str
    because: str
    key: str
    service: str
    category: Category
    team: str
    restricted: bool
    opened_at: datetime
    repository: str | None = None
    incidents: int = 0
    last_at: datetime | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None
    close_reason: CloseReason | None = None
    root_cause: str = ""
    workaround: str = ""
    fix: str = ""

    @property
    def name(self) -> str:
        return f"PRB-{self.id}"


class Kept(Struct, frozen=True, kw_only=True):
    """A link to what is known, of the incident or problem with that number."""

    number: int
    link: Link
    by: str
    at: datetime


class Followed(Struct, frozen=True, kw_only=True):
    """A problem as it is by now, the rows of the incidents that it follows newly, and what timelines tell of that."""

    problem: Problem
    rows: tuple[Counted, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()


def counted(incident: Incident) -> Counted | None:
    """The incident as it counts; None where it does not: folded, never opened, or no trouble says who closed it."""
    if incident.opened_at is None or incident.parent is not None or incident.close_reason in _NO_TROUBLE:
        return None
    over = incident.state in (State.RESOLVED, State.CLOSED)
    return Counted(
        incident_id=incident.id,
        key=incident.key,
        service=incident.service,
        category=incident.category,
        restricted=incident.restricted,
        opened_at=incident.opened_at,
        started_at=incident.began_at,
        restored_at=(incident.restored_at or incident.closed_at) if over else None,
    )


def causes(one: Counted) -> tuple[Cause, ...]:
    """Of what problems it can be, the narrowest first: what is no service of the catalogue has nothing in common."""
    found = [Cause(alike=Alike.KEY, name=f"key:{one.key}", key=one.key)]
    if one.service:
        name = f"service:{one.category}:{one.service}"
        found.append(Cause(alike=Alike.SERVICE, name=name, service=one.service, category=one.category))
        if one.category in DOWN:
            found.append(Cause(alike=Alike.DOWNTIME, name=f"downtime:{one.service}", service=one.service))
    return tuple(found)


def within(cause: Cause, rules: ProblemRules) -> timedelta | None:
    """How far back incidents of that cause count; None where ops do not ask for it."""
    match cause.alike:
        case Alike.KEY:
            return None if rules.same_key is None else rules.same_key.within
        case Alike.SERVICE:
            return None if rules.same_service is None else rules.same_service.within
        case Alike.DOWNTIME:
            return None if rules.downtime is None else rules.downtime.within
        case _:
            assert_never(cause.alike)


def made_by(cause: Cause, found: Sequence[Counted], rules: ProblemRules) -> str:
    """In words why these incidents are a problem; "" where they are none."""
    if cause.alike is Alike.DOWNTIME:
        told = rules.downtime
        down_for = together([(one.started_at, one.restored_at) for one in found if one.restored_at is not None])
        if told is None or not found or down_for < told.of:
            return ""
        in_all = f"{wording.span(down_for)} of downtime in {wording.count(len(found), 'incident')}"
        return f"{in_all} within {wording.span(told.within)}; {wording.span(told.of)} make a problem"
    often = rules.same_key if cause.alike is Alike.KEY else rules.same_service
    if often is None or len(found) < often.incidents:
        return ""
    same = "the same key" if cause.alike is Alike.KEY else f"the same service and category ({_category(cause)})"
    return f"{wording.count(len(found), 'incident')} of {same} within {wording.span(often.within)}"


def together(spans: Iterable[tuple[datetime, datetime]]) -> timedelta:
    """How long at least one of the spans lasts: what was down twice at once was down once."""
    total, reached = timedelta(), None
    for begun_at, ended_at in sorted(spans):
        since = begun_at if reached is None else max(begun_at, reached)
        if ended_at > since:
            total += ended_at - since
            reached = ended_at
    return total


def opened(  # noqa: PLR0913 - what a problem is made of, each from one source
    cause: Cause,
    newest: Incident,
    rows: Sequence[Counted],
    because: str,
    *,
    former: Problem | None,
    number: int,
    now: datetime,
) -> Followed:
    """A new problem of that number, or the former one of the cause opened anew; it follows all these incidents."""
    if former is None:
        problem = Problem(
            id=number,
            cause=cause.name,
            kind=_kind(cause, newest),
            state=ProblemState.OPEN,
            title=_title(cause, newest),
            because=because,
            key=cause.key,
            service=newest.service,
            category=newest.category,
            team=newest.team,
            restricted=newest.restricted,
            repository=newest.repository,
            opened_at=now,
        )
        text = f"opened: {because}"
    else:
        problem = replace(reopened(former, now), because=because, team=newest.team)
        text = f"opened again: since it was closed {because}"
    told = (_entry(problem.id, text, now),)
    followed = _link(problem, rows, now)
    return replace(followed, timeline=(*told, *followed.timeline))


def joined(problem: Problem, row: Counted, now: datetime) -> Followed:
    """The open problem with one incident more of its cause."""
    followed = _link(problem, (row,), now)
    return replace(followed, timeline=(*followed.timeline, _entry(problem.id, f"INC-{row.incident_id} as well", now)))


def left(problem: Problem, incident: Incident, now: datetime) -> Followed:
    """The problem without an incident that counts no more; it stays open until a person closes it."""
    why = "folded" if incident.parent is not None else str(incident.close_reason).replace("_", " ")
    rest = replace(problem, incidents=max(problem.incidents - 1, 0))
    text = f"{incident.name} counts no more: {why}"
    of_incident = _entry(incident.id, f"no more part of problem {problem.name}: {why}", now)
    return Followed(problem=rest, timeline=(_entry(problem.id, text, now), of_incident))


def _link(problem: Problem, rows: Sequence[Counted], now: datetime) -> Followed:
    told = []
    last_at = problem.last_at
    for row in rows:
        told.append(_entry(row.incident_id, f"part of problem {problem.name}", now))
        last_at = row.opened_at if last_at is None else max(last_at, row.opened_at)
    known = replace(
        problem,
        incidents=problem.incidents + len(rows),
        last_at=last_at,
        restricted=problem.restricted or any(row.restricted for row in rows),
    )
    return Followed(
        problem=known, rows=tuple([replace(row, problem_id=problem.id) for row in rows]), timeline=tuple(told)
    )


def reopened(problem: Problem, now: datetime) -> Problem:
    """The problem, open again."""
    return replace(problem, state=ProblemState.OPEN, opened_at=now, closed_at=None, closed_by=None, close_reason=None)


def _kind(cause: Cause, newest: Incident) -> ProblemKind:
    if cause.alike is Alike.DOWNTIME:
        return ProblemKind.DOWNTIME
    return ProblemKind.CAPACITY if newest.category is Category.DEGRADATION else ProblemKind.RECURRING


def _title(cause: Cause, newest: Incident) -> str:
    match cause.alike:
        case Alike.KEY:
            return newest.title[:_LONGEST_TITLE]
        case Alike.SERVICE:
            return f"{cause.service} · {_category(cause)}"
        case Alike.DOWNTIME:
            return f"{cause.service} · downtime"
        case _:
            assert_never(cause.alike)


def _category(cause: Cause) -> str:
    return str(cause.category).replace("_", " ")


def _entry(number: int, text: str, now: datetime, by: str = DAEMON.name) -> TimelineEntry:
    return TimelineEntry(incident_id=number, at=now, entry=Entry.PROBLEM, by=by, text=text)
