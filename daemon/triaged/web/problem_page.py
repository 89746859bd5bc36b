"""The page of one problem: what recurs, what is known of it, its incidents, what people can do."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response

from triaged.core.problems import Problem, ProblemState
from triaged.errors import NotFoundError
from triaged.store import problems
from triaged.web.desk import Desk, TheDesk
from triaged.web.pages import page
from triaged.web.problems import MOST_ENTRIES, MOST_INCIDENTS, Reason, masked

router: Final = APIRouter(include_in_schema=False)
_LONG: Final = frozenset({"text", "root_cause", "workaround", "fix"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An act in words, its fields with an example of each, those that are needed, and the same as a command."""

    title: str
    act: str
    fields: dict[str, str]
    needed: tuple[str, ...]
    command: str


@router.get("/problems/{name}")
def show_problem(name: str, desk: TheDesk) -> Response:
    """A page cannot show a token: where tokens are asked for, of a restricted problem it shows title and link only."""
    number = re.fullmatch(r"PRB-([0-9]{1,18})", name, re.IGNORECASE)
    with desk.store.read() as reader:
        row = problems.one(reader.connection, int(number[1])) if number else None
        if row is None:
            raise NotFoundError(f"there is no problem {name[:60]}")
        hidden = row.problem.restricted and desk.tokens.configured
        problem = masked(row, whole=not hidden).problem
        incidents = [] if hidden else problems.incidents_of(reader.connection, problem.id, MOST_INCIDENTS)
        kept = [] if hidden else problems.known_of(reader.connection, problem.id)
        entries = [] if hidden else reader.timeline(problem.id, MOST_ENTRIES)
    return page(
        "problem_record.html",
        desk,
        problem=problem,
        address=row.address,
        hidden=hidden,
        incidents=incidents,
        kept=kept,
        entries=entries[::-1],
        offers=_offers(desk, problem),
        long=_LONG,
        reasons=tuple(one.value for one in Reason),
    )


def _offers(desk: Desk, problem: Problem) -> list[Offer]:
    """What can be done with it now, the likeliest first."""
    record = {"root_cause": "…", "workaround": "…", "fix": "…"}
    around = {"text": "…", "root_cause": "…"}
    link = {"url": "https://…", "title": "…"}
    found = [_offer(desk, problem, ("Write a note", "note"), {"text": "…"}, needed=("text",))]
    found.append(_offer(desk, problem, ("Say what helps until it is mended", "workaround"), around))
    found.append(_offer(desk, problem, ("Keep a link", "knowledge"), link, needed=("url", "title")))
    if problem.state is ProblemState.OPEN:
        found.append(_offer(desk, problem, ("Close it", "close"), {"reason": "completed", **record}))
    else:
        found.append(_offer(desk, problem, ("Open it again", "reopen"), {"reason": "…"}))
    return found


def _offer(
    desk: Desk, problem: Problem, named: tuple[str, str], fields: dict[str, str], *, needed: tuple[str, ...] = ()
) -> Offer:
    title, act = named
    who = "on_behalf_of" if desk.tokens.configured else "by"
    token = ' \\\n  -H "Authorization: Bearer $TRIAGED_TOKEN"' if desk.tokens.configured else ""
    return Offer(
        title=title,
        act=act,
        fields=fields,
        needed=needed,
        command=f"curl -sS -X POST {desk.public_url}/api/v1/problems/{problem.name}/{act}{token} \\\n"
        f"  -H 'Content-Type: application/json' \\\n"
        f"  -d '{json.dumps({who: 'YOUR NAME', **fields}, ensure_ascii=False)}'",
    )
