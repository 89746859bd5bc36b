"""The evidence worker: looks around an incident that opened, opened again or grew, and tells what it found.

What fires now and over the last hours is asked of Prometheus, recent changes of GitHub, all else of the store; each
for some seconds, all at once. What fails is a line in what is found.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Final, Protocol

import structlog
from msgspec import Struct
from msgspec.structs import replace
from prometheus_client import Counter

from triaged.core import charts, evidence
from triaged.core.changes import MOST_SHOWN, Change, likely
from triaged.core.charts import Chart
from triaged.core.events import EvidenceFound
from triaged.core.evidence import Evidence, is_wanted
from triaged.core.health import promise
from triaged.core.model import Episode, Incident
from triaged.core.rules import RuleSet
from triaged.errors import StoreError
from triaged.intake.units import Answer, Happened, Unit
from triaged.outbound import within
from triaged.prometheus.client import Prometheus, UnansweredError
from triaged.store import findings
from triaged.store.findings import Wanting
from triaged.store.reading import Reader

log = structlog.get_logger(__name__)

QUERY_SECONDS: Final = 5.0
MOST_AT_ONCE: Final = 5
"""Incidents a step."""
MOST_CHARTS: Final = 2
MOST_REPOSITORIES: Final = 5
_QUERIES_AT_ONCE: Final = 4
_EPISODES: Final = 50
_LONGEST_FAILURE: Final = 300
_STEP_SECONDS: Final = 60.0
_UNAVAILABLE: Final = 503


class _Told(Protocol):
    """What could be learnt of a repository, and what could not, in words."""

    @property
    def changes(self) -> tuple[Change, ...]: ...

    @property
    def failures(self) -> tuple[str, ...]: ...


class Code(Protocol):
    """Knows what changed in repositories; it blocks for some seconds, and fails in words only."""

    def of(self, repository: str, started_at: datetime) -> _Told: ...


class _Known(Struct, frozen=True, kw_only=True):
    """What is known of an incident before anybody is asked."""

    incident: Incident
    episodes: tuple[Episode, ...]
    queries: tuple[str, ...]
    code: tuple[str, ...]
    found: Evidence


class EvidenceWorker:
    """Some incidents a step, gravest first. Several processes may run it on one store: the first answer counts.

    What wants a look is told by the timeline since the last step, so that a quiet store is asked for one row. What
    was to be looked at when the daemon died is found once, at its start.
    """

    name = "evidence"

    def __init__(  # noqa: PLR0913 - the worker's collaborators, given once
        self,
        prometheus: Prometheus | None,
        code: Code | None,
        *,
        rules: Callable[[], RuleSet],
        read: Callable[[], AbstractContextManager[Reader]],
        ask: Callable[[Unit], Answer],
        pieces: Counter,
        seconds: float = QUERY_SECONDS,
    ) -> None:
        """`pieces` counts what was asked of others, by piece and outcome."""
        self._prometheus = prometheus
        self._code = code
        self._rules = rules
        self._read = read
        self._ask = ask
        self._pieces = pieces
        self._seconds = seconds
        self._mark: int | None = None
        self._waiting: dict[int, Wanting] = {}

    def step(self, now: datetime) -> bool:
        with self._read() as reader:
            self._notice(reader)
            due = self._due(now)
            known = [one for waiting in due if (one := self._know(reader, waiting.incident_id, now)) is not None]
        if not due:
            return False
        try:
            for one, found in within(_STEP_SECONDS, self._look(known, now)):
                self._tell(one.incident, found)
        except StoreError:
            self._waiting |= {waiting.incident_id: waiting for waiting in due}
            raise
        return True

    def next_at(self, now: datetime) -> datetime | None:
        return min((_due_at(one, now) for one in self._waiting.values()), default=None)

    def _notice(self, reader: Reader) -> None:
        mark = findings.mark(reader.connection)
        if mark == self._mark:
            return
        wanting = (
            findings.wanting_at_start(reader.connection)
            if self._mark is None
            else findings.wanting(reader.connection, self._mark)
        )
        self._waiting |= {one.incident_id: one for one in wanting}
        self._mark = mark

    def _due(self, now: datetime) -> list[Wanting]:
        due = sorted(
            (one for one in self._waiting.values() if _due_at(one, now) <= now),
            key=lambda one: (one.severity.rank, one.incident_id),
        )[:MOST_AT_ONCE]
        for one in due:
            del self._waiting[one.incident_id]
        return due

    def _know(self, reader: Reader, incident_id: int, now: datetime) -> _Known | None:
        """What the store and the rules say; None for one that wants no look any more."""
        row = reader.incident(incident_id)
        if row is None or not is_wanted(row.incident):
            return None
        incident, rules = row.incident, self._rules()
        service = rules.services.get(incident.service)
        episodes = reader.episodes(incident_id, firing=True, limit=_EPISODES)
        code = () if service is None or self._code is None else service.code
        left_out = code[MOST_REPOSITORIES:]
        catalogue = rules.catalogue
        found = Evidence(
            round=incident.round,
            severity=incident.severity,
            at=now,
            seen=findings.seen(reader.connection, incident, now),
            links=() if service is None else evidence.filled(service.links, incident.started_at, now),
            around=findings.around(
                reader.connection, incident, catalogue.needs(incident.service), catalogue.needed_by(incident.service)
            ),
            similar=findings.similar(reader.connection, incident),
            failures=(f"changes: {len(left_out)} more repositories were not asked",) if left_out else (),
        )
        return _Known(
            incident=incident,
            episodes=tuple(episodes),
            queries=_queries(episodes) if self._prometheus is not None else (),
            code=code[:MOST_REPOSITORIES],
            found=found,
        )

    async def _look(self, known: Sequence[_Known], now: datetime) -> list[tuple[_Known, Evidence]]:
        at_once = asyncio.Semaphore(_QUERIES_AT_ONCE)
        found = await asyncio.gather(*(self._ask_others(one, now, at_once) for one in known))
        return [*zip(known, found, strict=True)]

    async def _ask_others(self, known: _Known, now: datetime, at_once: asyncio.Semaphore) -> Evidence:
        drawn, changed = await asyncio.gather(
            asyncio.gather(*(self._draw(query, known, now, at_once) for query in known.queries)),
            asyncio.gather(*(self._changes(one, known.incident) for one in known.code)),
        )
        failures = [*known.found.failures, *(one for one in drawn if isinstance(one, str))]
        failures += [words for one in changed for words in one.failures]
        changes = likely((change for one in changed for change in one.changes), known.incident.started_at)
        return replace(
            known.found,
            charts=tuple(one for one in drawn if isinstance(one, Chart)),
            changes=changes[:MOST_SHOWN],
            changed=len(changes),
            failures=tuple(one[:_LONGEST_FAILURE] for one in dict.fromkeys(failures))[: evidence.MOST_FAILURES],
        )

    async def _draw(self, query: str, known: _Known, now: datetime, at_once: asyncio.Semaphore) -> Chart | str | None:
        """The chart of a query, None where it says nothing, or in words why there is none."""
        assert self._prometheus is not None  # noqa: S101 - without one there are no queries
        made = promise(query)
        over = charts.stretch(known.incident.started_at, now)
        try:
            async with at_once:
                found = await self._prometheus.span(
                    made.ask, seconds=self._seconds, between=(over.begins_at, over.ends_at), step=over.step
                )
        except UnansweredError as error:
            self._count("chart", "failed")
            return f"chart: {error}"
        self._count("chart", "ok")
        return charts.drawn(
            query,
            ((series.labels, series.points) for series in found),
            over,
            firing=[episode.labels for episode in known.episodes],
            compares=(made.sign, made.bound),
        )

    async def _changes(self, repository: str, incident: Incident) -> _Told:
        assert self._code is not None  # noqa: S101 - without it no repository is asked
        found = await asyncio.to_thread(self._code.of, repository, incident.started_at)
        self._count("changes", "failed" if found.failures else "ok")
        return found

    def _count(self, piece: str, outcome: str) -> None:
        self._pieces.labels(piece, outcome).inc()

    def _tell(self, incident: Incident, found: Evidence) -> None:
        if found.failures:
            log.warning("evidence incomplete", incident=incident.id, why="; ".join(found.failures))
        answer = self._ask(Happened(incident_id=incident.id, event=EvidenceFound(evidence=found)))
        if answer.status == _UNAVAILABLE:
            raise StoreError(answer.error)


def _due_at(one: Wanting, now: datetime) -> datetime:
    """When it is looked at; a clock that was put back makes nobody wait for longer than usual."""
    if one.found_at is None or one.found_at > now:
        return now
    return one.found_at + evidence.AGAIN_AFTER


def _queries(episodes: Iterable[Episode]) -> tuple[str, ...]:
    """What the gravest alerts ask, as their links say; each once."""
    ranked = sorted(episodes, key=lambda one: (one.severity.rank, one.starts_at, one.id))
    queries = dict.fromkeys(charts.query_of(one.generator_url) for one in ranked)
    return tuple(filter(None, queries))[:MOST_CHARTS]
