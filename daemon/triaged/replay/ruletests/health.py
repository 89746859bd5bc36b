"""What health queries say in a test: as a Prometheus would that is asked all the time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime

from triaged.core.events import HealthSeen
from triaged.core.health import Answer, Phase, keeps, promise
from triaged.core.model import Incident
from triaged.core.rules import RuleSet
from triaged.intake.units import Happened, Unit
from triaged.replay.world import World
from triaged.store import health


class Health:
    """Values by query; None is no value. Of a service the queries are asked of which the test says something."""

    def __init__(self, rules: RuleSet) -> None:
        self._queries = {name: service.healthy for name, service in rules.services.items() if service.healthy}
        self._said: dict[str, float | None] = {}

    def unknown(self, queries: Iterable[str]) -> list[str]:
        """Those that no service of the rules has."""
        known = {query for healthy in self._queries.values() for query in healthy}
        return [query for query in queries if query not in known]

    def says(self, values: Mapping[str, float | None]) -> None:
        """From now on they say this."""
        self._said |= values

    def units(self, world: World) -> list[Unit]:
        """What the incidents hear that are watched now."""
        if not self._said:
            return []
        with world.store.read() as reader:
            watched = health.watched(reader.connection, self._queries)
        found = ((one, self._answers(one, world.clock.now())) for one in watched)
        return [
            Happened(incident_id=one.id, event=HealthSeen(round=one.round, answers=answers))
            for one, answers in found
            if answers
        ]

    def _answers(self, incident: Incident, at: datetime) -> tuple[Answer, ...]:
        answers = []
        for query in self._queries[incident.service]:
            if query in self._said:
                value = self._said[query]
                holds, seen = keeps(promise(query), [] if value is None else [value])
                answers.append(Answer(query=query, phase=Phase.AFTER, at=at, holds=holds, value=seen))
        return tuple(answers)


def number(text: str) -> float:
    """A value of a query. Raises ValueError for what is none."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or not text.isascii():
        raise ValueError("expected a number like 0.02, or none")
    return value
