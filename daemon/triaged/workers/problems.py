"""The problems worker: notices in the timelines which incidents opened and ended, and lets the writer count them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Final

from triaged.core.model import Entry
from triaged.core.rules import ProblemRules
from triaged.errors import StoreError
from triaged.intake.units import Answer, Recurring, Unit
from triaged.ports.backend import Places
from triaged.ports.problems import ProblemReport
from triaged.store import linked, problems, queue
from triaged.store.reading import Reader

EVERY: Final = timedelta(seconds=10)
"""At most so often it looks: in a storm there is better work for the writer."""
LATE: Final = timedelta(minutes=1)
"""Rows are numbered before they are committed: those of this time are read again, should one have come late."""
AT_ONCE: Final = 200
"""So many entries are looked at in one transaction."""
TURNS: Final = tuple(
    str(entry)
    for entry in (
        Entry.OPENED,
        Entry.REOPENED,
        Entry.FOLDED,
        Entry.UNFOLDED,
        Entry.RESOLVED,
        Entry.CLOSED,
        Entry.RECORDED,
        Entry.RESTRICTED,
    )
)
"""Entries after which an incident may count otherwise, or be shown otherwise."""
_MOST_INCIDENTS: Final = 50
_MOST_LINKS: Final = 20
_MOST_ENTRIES: Final = 40
_OK: Final = 200


class ProblemsWorker:
    """Looks at what is new, some entries a step. Several processes may run it on one store: to count is idempotent.

    Where it never looked before it begins as long ago as the rules look back.
    """

    name = "problems"

    def __init__(
        self,
        rules: Callable[[], ProblemRules],
        *,
        read: Callable[[], AbstractContextManager[Reader]],
        ask: Callable[[Unit], Answer],
    ) -> None:
        self._rules = rules
        self._read = read
        self._ask = ask
        self._newest: int | None = None
        self._after: int | None = None
        self._rests_until: datetime | None = None

    def step(self, now: datetime) -> bool:
        """Look at one slice of what is new."""
        if self._rests_until is not None and now < self._rests_until:
            return False
        with self._read() as reader:
            newest = problems.newest_entry(reader.connection)
            if newest == self._newest:
                return False
            if self._after is None:
                self._after = self._begin(reader, now)
            found = problems.news(reader.connection, self._after, TURNS, AT_ONCE)
        last = found[-1][0] if found else newest
        whole = len(found) < AT_ONCE
        seen = self._seen(found, newest if whole else last, now)
        if found:
            answer = self._ask(Recurring(incident_ids=tuple({one for _, one, _ in found}), seen=seen))
            if answer.status != _OK:
                raise StoreError(answer.error)
        if whole:
            # What comes from now on, and the last minute again.
            self._newest, self._after, self._rests_until = newest, seen, now + EVERY
        else:
            self._after = last
        return True

    def next_at(self, now: datetime) -> datetime | None:
        if self._rests_until is None or self._rests_until <= now:
            return None
        with self._read() as reader:
            return None if problems.newest_entry(reader.connection) == self._newest else self._rests_until

    def _begin(self, reader: Reader, now: datetime) -> int:
        seen = problems.seen_up_to(reader.connection)
        if seen is not None:
            return seen
        rules = self._rules()
        spans = [one.within for one in (rules.same_key, rules.same_service, rules.downtime) if one is not None]
        return problems.entry_before(reader.connection, now - max(spans)) if spans else 0

    def _seen(self, found: list[tuple[int, int, datetime]], last: int, now: datetime) -> int:
        """The row before the first one that is to be read again."""
        late = [row for row, _, at in found if at > now - LATE]
        return min(late) - 1 if late else last


def gather_problem(
    reader: Reader, number: int, *, public_url: str, places: Places, chosen: str = ""
) -> ProblemReport | None:
    """The report of the problem with this number; None where there is none. `chosen` is as of an incident's report."""
    row = problems.one(reader.connection, number)
    if row is None:
        return None
    problem = row.problem
    found = queue.publication_of(reader.connection, number)
    address = found.address if found is not None else None
    repository = address.repository if address else chosen or places.of(problem)
    incidents = problems.incidents_of(reader.connection, number, _MOST_INCIDENTS)
    return ProblemReport(
        problem=problem,
        places=linked.addresses(reader.connection, [one.id for one in incidents]),
        repository=repository,
        hidden=places.hides(problem, repository),
        incidents=tuple(incidents),
        knowledge=tuple(problems.known_of(reader.connection, number)[:_MOST_LINKS]),
        timeline=tuple(reader.timeline(number, _MOST_ENTRIES)),
        public_url=public_url,
        by_comment=places.by_comment,
    )
