"""The downtime worker: adds up how long services with a budget were down, and tells where that is overspent.

It looks at what was over since it looked last, by the timeline's own order, and only where there are budgets; at the
start at every service that has one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Final

from triaged.core.catalogue import Budget
from triaged.core.downtime import overspent
from triaged.core.events import DowntimeAddedUp
from triaged.core.rules import RuleSet
from triaged.errors import StoreError
from triaged.intake.units import Answer, Happened, Unit
from triaged.store import problems, reviews
from triaged.store.reading import Reader

PAUSE: Final = timedelta(minutes=1)
_UNAVAILABLE: Final = 503


class DowntimeWorker:
    """One look a step. Several processes may run it on one store: what is told twice begins one review."""

    name = "downtime"

    def __init__(
        self,
        rules: Callable[[], RuleSet],
        *,
        read: Callable[[], AbstractContextManager[Reader]],
        ask: Callable[[Unit], Answer],
    ) -> None:
        self._rules = rules
        self._read = read
        self._ask = ask
        self._budgets: Mapping[str, Budget] = {}
        self._seen = 0
        self._rests_until: datetime | None = None

    def step(self, now: datetime) -> bool:
        budgets = {service.name: service.budget for service in self._rules().services.values() if service.budget}
        fresh = budgets != self._budgets
        if not budgets or (not fresh and self._rests_until is not None and now < self._rests_until):
            self._budgets = budgets
            return False
        with self._read() as reader:
            newest = problems.newest_entry(reader.connection)
            services = [*budgets] if fresh else reviews.ended_since(reader.connection, self._seen, budgets)
            found = [*_overspent(reader, {name: budgets[name] for name in services}, now)]
        for unit in found:
            if self._ask(unit).status == _UNAVAILABLE:
                raise StoreError("the writer takes nothing in")
        self._budgets, self._seen, self._rests_until = budgets, newest, now + PAUSE
        return bool(found)

    def next_at(self, now: datetime) -> datetime | None:
        return self._rests_until if self._budgets else None


def _overspent(reader: Reader, budgets: Mapping[str, Budget], now: datetime) -> Iterable[Unit]:
    for service, budget in budgets.items():
        found = overspent(reviews.down(reader.connection, service, now - budget.within), budget, now)
        if found is not None:
            incident_id, down_for = found
            event = DowntimeAddedUp(down_for=down_for, budget=budget.budget, within=budget.within)
            yield Happened(incident_id=incident_id, event=event)
