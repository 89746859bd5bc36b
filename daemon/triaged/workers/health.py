"""The health worker: asks the health queries of services whose incidents are watched; what that means is decided there.

Prometheus remembers: what a query said before an incident, and when it opened, is asked once the incident is watched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Final

import structlog

from triaged.core.events import HealthSeen
from triaged.core.health import Answer, Phase, keeps, promise
from triaged.core.model import Incident
from triaged.core.rules import RuleSet
from triaged.errors import StoreError
from triaged.intake.units import Answer as Answered
from triaged.intake.units import Happened, Unit
from triaged.outbound import within
from triaged.prometheus.client import Prometheus, UnansweredError
from triaged.store import health
from triaged.store.reading import Reader

log = structlog.get_logger(__name__)

EVERY: Final = timedelta(minutes=1)
BEFORE: Final = timedelta(minutes=10)
"""How long before an incident began its service was well."""
QUERY_SECONDS: Final = 5.0
STEP_SECONDS: Final = 20.0
MOST_AT_ONCE: Final = 4
_MOST_INCIDENTS: Final = 20
_LONGEST_FAILURE: Final = 300
_UNAVAILABLE: Final = 503

Seen = tuple[Incident, HealthSeen]
_Asked = tuple[Phase, datetime | None, str]


class HealthWorker:
    """Some incidents a step, each once a minute. Several processes may run it on one store.

    Asked are the queries of the rules in force, few at once, each for some seconds, all of a step for some more.
    """

    name = "health"

    def __init__(
        self,
        prometheus: Prometheus,
        *,
        rules: Callable[[], RuleSet],
        read: Callable[[], AbstractContextManager[Reader]],
        ask: Callable[[Unit], Answered],
    ) -> None:
        self._prometheus = prometheus
        self._rules = rules
        self._read = read
        self._ask = ask
        self._asked: dict[tuple[int, int], datetime] = {}
        self._failing: dict[int, str] = {}

    def step(self, now: datetime) -> bool:
        queries = _queries(self._rules())
        if not queries:
            return False
        with self._read() as reader:
            watched = health.watched(reader.connection, queries)
            self._forget_others(watched)
            due = sorted((one for one in watched if self._is_due(one, now)), key=self._last)[:_MOST_INCIDENTS]
            known = {one.id: health.of_round(reader.connection, one) for one in due}
        if not due:
            return False
        looks = [
            (one, _Look(self._prometheus, one, queries[one.service], {a.phase for a in known[one.id]}, now))
            for one in due
        ]
        for incident, seen in within(STEP_SECONDS * 2, _all(looks)):
            self._tell(incident, seen)
            self._asked[incident.id, incident.round] = now
        return True

    def next_at(self, now: datetime) -> datetime | None:
        return min((at + EVERY for at in self._asked.values()), default=None)

    def _tell(self, incident: Incident, seen: HealthSeen) -> None:
        former = self._failing.get(incident.id, "")
        if seen.unasked and not former:
            log.warning("health not asked", incident=incident.id, why=seen.unasked)
        elif former and not seen.unasked:
            log.info("health asked again", incident=incident.id)
        self._failing[incident.id] = seen.unasked
        answer = self._ask(Happened(incident_id=incident.id, event=seen))
        if answer.status == _UNAVAILABLE:
            raise StoreError(answer.error)

    def _is_due(self, incident: Incident, now: datetime) -> bool:
        """Whether it is to be asked now: it was not in this round, or a minute ago; or the clock was put back."""
        asked_at = self._asked.get((incident.id, incident.round))
        return asked_at is None or not timedelta() <= now - asked_at < EVERY

    def _last(self, incident: Incident) -> float:
        asked_at = self._asked.get((incident.id, incident.round))
        return 0.0 if asked_at is None else asked_at.timestamp()

    def _forget_others(self, watched: Iterable[Incident]) -> None:
        ids = {(one.id, one.round) for one in watched}
        self._asked = {one: at for one, at in self._asked.items() if one in ids}
        self._failing = {one: why for one, why in self._failing.items() if any(one == known for known, _ in ids)}


class _Look:
    """What is asked of one incident: its queries now, and what they said earlier where nobody knows that yet."""

    def __init__(
        self, prometheus: Prometheus, incident: Incident, queries: tuple[str, ...], known: set[Phase], now: datetime, /
    ) -> None:
        self._prometheus = prometheus
        self._incident = incident
        self._now = now
        earlier = {Phase.BEFORE: incident.started_at - BEFORE, Phase.DURING: incident.round_at or incident.started_at}
        self._asks: list[_Asked] = [(Phase.AFTER, None, query) for query in queries]
        self._asks += [(phase, at, query) for phase, at in earlier.items() if phase not in known for query in queries]

    async def seen(self, at_once: asyncio.Semaphore) -> HealthSeen:
        found = await asyncio.gather(*(self._one(asked, at_once) for asked in self._asks), return_exceptions=True)
        answers, failures = [], []
        for (phase, _, _), one in zip(self._asks, found, strict=True):
            if isinstance(one, Answer):
                answers.append(one)
            elif not isinstance(one, UnansweredError):
                raise one
            elif phase is Phase.AFTER:
                failures.append(str(one))
        unasked = "; ".join(dict.fromkeys(failures))[:_LONGEST_FAILURE]
        return self.told(tuple(answers), unasked)

    def told(self, answers: tuple[Answer, ...], unasked: str) -> HealthSeen:
        return HealthSeen(round=self._incident.round, answers=answers, unasked=unasked)

    async def _one(self, asked: _Asked, at_once: asyncio.Semaphore) -> Answer:
        phase, at, query = asked
        made = promise(query)
        async with at_once:
            samples = await self._prometheus.instant(made.ask, seconds=QUERY_SECONDS, at=at)
        holds, value = keeps(made, [sample.value for sample in samples])
        return Answer(query=query, phase=phase, at=at or self._now, holds=holds, value=value)


async def _all(looks: list[tuple[Incident, _Look]]) -> list[Seen]:
    """What was seen of each; of those that were not through in time, that."""
    at_once = asyncio.Semaphore(MOST_AT_ONCE)
    tasks = [asyncio.create_task(look.seen(at_once)) for _, look in looks]
    _, late = await asyncio.wait(tasks, timeout=STEP_SECONDS)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    slow = f"not all was answered within {STEP_SECONDS:g} s"
    return [
        (incident, look.told((), slow) if task in late else task.result())
        for (incident, look), task in zip(looks, tasks, strict=True)
    ]


def _queries(rules: RuleSet) -> Mapping[str, tuple[str, ...]]:
    """The health queries of the services that have some."""
    return {name: service.healthy for name, service in rules.services.items() if service.healthy}
