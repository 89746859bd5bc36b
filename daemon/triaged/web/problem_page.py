"""The page of one problem: what recurs, what is known of it, its incidents, what people can do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response

from triaged.core.problems import Problem, ProblemState
from triaged.errors import NotFoundError
from triaged.store import problems
from triaged.web.desk import TheDesk
from triaged.web.offers import Wanted, offer
from triaged.web.pages import page
from triaged.web.problems import MOST_ENTRIES, MOST_INCIDENTS, Reason, masked

router: Final = APIRouter(include_in_schema=False)


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
        offers=[offer(desk, f"/api/v1/problems/{problem.name}", one) for one in _wanted(problem)],
    )


def _wanted(problem: Problem) -> Iterator[Wanted]:
    """What can be done with it now, the likeliest first."""
    yield "Write a note", "note", {"text": "…"}, ("text",)
    yield "Say what helps until it is mended", "workaround", {"text": "…", "root_cause": "…"}, ()
    yield "Keep a link", "knowledge", {"url": "https://…", "title": "…"}, ("url", "title")
    if problem.state is ProblemState.OPEN:
        record = {"root_cause": "…", "workaround": "…", "fix": "…"}
        yield "Close it", "close", {"reason": [one.value for one in Reason], **record}, ()
    else:
        yield "Open it again", "reopen", {"reason": "…"}, ()
