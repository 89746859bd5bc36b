"""The write path in virtual time: the real intake, rules and deadlines on a store in memory; nothing is published."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Self

from triaged import rulefiles
from triaged.clock import FakeClock
from triaged.core.model import Incident
from triaged.errors import StoreError
from triaged.intake.intake import Intake
from triaged.intake.known import Known
from triaged.intake.units import Answer, Listen, Passed, Rules, RulesEnded, Unit
from triaged.metrics import Metrics
from triaged.ports.source import Read
from triaged.store import heartbeats
from triaged.store.store import Store

_AT_ONCE = 1_000


def empty_store() -> Store:
    """A migrated store in memory."""
    store = Store("sqlite://")
    store.migrate()
    return store


class World:
    """A daemon without network and threads, whose time moves only when it is told to. A context manager.

    `at` is aware, UTC; `readers` maps source names to what reads their bodies. A `store` that is given must be migrated
    and empty, and stays its owner's; else the world makes its own, which takes 30 ms. `heed` is called at each instant
    at which something acted by itself; `health` gives what is told of health there, None: nobody asks for it.
    """

    def __init__(  # noqa: PLR0913 - what a world is made of
        self,
        rules: Rules,
        at: datetime,
        *,
        readers: Mapping[str, Read],
        store: Store | None = None,
        known: Known | None = None,
        heed: Callable[[World], object] = lambda _world: None,
        health: Callable[[World], list[Unit]] | None = None,
    ) -> None:
        self.clock = FakeClock(at)
        self._noticed = at
        self._heed = heed
        self._health = health
        self._owns_store = store is None
        self._wanting: dict[int, None] = {}
        self.store = empty_store() if store is None else store
        self.intake = Intake(
            self.store,
            rules,
            readers=readers,
            read_policy=rulefiles.read_policy,
            known=Known() if known is None else known,
            metrics=Metrics(),
            asks_health=health is not None,
            assembles=lambda incident_ids: self._wanting.update(dict.fromkeys(incident_ids)),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._owns_store:
            self.store.close()

    def ask(self, *units: Unit) -> list[Answer]:
        """Take units in at the present instant, in one transaction; what each was answered."""
        return self.intake.process(units, self.clock.now())

    def wanting(self) -> tuple[int, ...]:
        """The incidents that want their people together since it was asked last."""
        wanting, self._wanting = (*self._wanting,), {}
        return wanting

    def advance(self, at: datetime) -> None:
        """Move to `at`; deadlines, missed heartbeats and ends of rules until then act first, at their own instants."""
        while (due_at := self._next_at()) is not None and due_at <= at:
            now = max(due_at, self.clock.now())
            self.clock.move_to(now)
            with self.store.read() as reader:
                passed = [Passed(deadline=deadline) for deadline in reader.due(now, _AT_ONCE)]
            units: list[Unit] = [*(() if self._health is None else self._health(self)), *passed]
            if _passed(self._next_missed(), now):
                units.append(Listen())
            if _passed(self._next_end(), now):
                units.append(RulesEnded())
            self._noticed = now
            for answer in self.ask(*units):
                if answer.status != 200:
                    raise StoreError(answer.error)
            self._heed(self)
        self.clock.move_to(max(at, self.clock.now()))

    def incident(self, incident_id: int) -> Incident | None:
        with self.store.read() as reader:
            row = reader.incident(incident_id)
        return None if row is None else row.incident

    def _next_at(self) -> datetime | None:
        return min(
            (at for at in (self._next_due(), self._next_missed(), self._next_end()) if at is not None), default=None
        )

    def _next_missed(self) -> datetime | None:
        """When a heartbeat will be missing; none is waited for before it was heard."""
        expected = self.intake.rules.rule_set.heartbeats
        if not expected:
            return None
        with self.store.read() as reader:
            return heartbeats.next_missed(reader.connection, expected)

    def _next_end(self) -> datetime | None:
        """When the next rule ends that nobody has noticed to have ended."""
        ends = self.intake.rules.rule_set.ends
        at = bisect_right(ends, self._noticed)
        return ends[at] if at < len(ends) else None

    def _next_due(self) -> datetime | None:
        with self.store.read() as reader:
            deadline = reader.next_due()
        return None if deadline is None else deadline.due_at


def _passed(at: datetime | None, now: datetime) -> bool:
    return at is not None and at <= now
