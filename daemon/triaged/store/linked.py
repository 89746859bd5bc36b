"""Issues that lead to each other: where they are, and who has to show that one is there by now."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, case, select, union_all, update

from triaged.ports.backend import Address
from triaged.store import schema as s
from triaged.store.codec import to_us

_P, _R, _C = s.publications.c, s.reviews.c, s.problem_incidents.c
_MOST: Final = 20


def addresses(connection: Connection, numbers: Collection[int]) -> dict[int, Address]:
    """Where the issues of these are, by number, as far as there are any."""
    query = select(_P.incident_id, _P.backend, _P.repository, _P.number, _P.url).where(
        _P.incident_id.in_(numbers), _P.number.is_not(None)
    )
    return {
        of: Address(backend=backend, repository=repository, number=number, url=url)
        for of, backend, repository, number, url in connection.execute(query)
    }


def show(connection: Connection, number: int, now: datetime) -> None:
    """The issue of a review or a problem is there: open issues of its incidents shall lead to it."""
    of_problem = select(_C.incident_id).where(_C.problem_id == number).order_by(_C.incident_id.desc()).limit(_MOST)
    told = union_all(select(_R.incident_id).where(_R.number == number), select(of_problem.subquery().c.incident_id))
    news = {"wanted": _P.wanted + 1, "wanted_at": case((_P.wanted == _P.done, to_us(now)), else_=_P.wanted_at)}
    is_shown = (_P.incident_id.in_(told), _P.created == 1, _P.closed == 0)
    connection.execute(update(s.publications).where(*is_shown).values(news))
