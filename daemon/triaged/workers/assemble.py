"""The assemble worker: finds where the people of a major incident meet, and who is on call to command."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

import structlog
from msgspec import Struct

from triaged.core.assembling import is_wanted, link
from triaged.core.events import Assembled
from triaged.core.model import Incident
from triaged.core.sla import HOOK
from triaged.errors import ConfigError, DeliveryError, StoreError
from triaged.explaining.former import Former
from triaged.intake.units import Answer, Happened, Rules, Unit
from triaged.store import shifts
from triaged.store.assembling import working
from triaged.store.reading import Reader
from triaged.workers.backoff import backoff
from triaged.workers.letters import own_page

log = structlog.get_logger(__name__)

MOST_TRIES: Final = 6
EVERY: Final = timedelta(hours=1)
"""So often it looks for what nobody told it of: another replica may have died just after it opened an incident."""
_LONGEST_BACKOFF: Final = timedelta(minutes=1)
_UNAVAILABLE: Final = 503


class _Waiting(Struct, frozen=True, kw_only=True):
    """An incident that wants its people together: to be tried at `due_at`, after so many tries that failed."""

    due_at: datetime
    tries: int = 0


class AssembleWorker:
    """One incident a step, as soon as the writer has told of it.

    `hook` gives the URL of the service that makes bridges, None where none is configured; `make` asks it. Two replicas
    may work on one incident: the hook is asked with one key, and the writer takes the first answer.
    """

    name = "assemble"

    def __init__(  # noqa: PLR0913 - the worker's collaborators, given once
        self,
        hook: Callable[[], str] | None,
        make: Callable[[str, Mapping[str, str], str], str],
        *,
        rules: Callable[[], Rules],
        former: Former,
        read: Callable[[], AbstractContextManager[Reader]],
        ask: Callable[[Unit], Answer],
        public_url: str,
    ) -> None:
        self._hook = hook
        self._make = make
        self._rules = rules
        self._former = former
        self._read = read
        self._ask = ask
        self._public_url = public_url
        self._lock = threading.Lock()
        self._told: dict[int, None] = {}
        self._waiting: dict[int, _Waiting] = {}
        self._look_at: datetime | None = None

    def tell(self, incident_ids: Iterable[int]) -> None:
        """These may want their people together. Thread-safe."""
        with self._lock:
            self._told.update(dict.fromkeys(incident_ids))

    def step(self, now: datetime) -> bool:
        self._gather(now)
        due = [(one.due_at, one.tries, number) for number, one in self._waiting.items() if one.due_at <= now]
        if not due:
            return False
        self._assemble(min(due)[2], now)
        return True

    def next_at(self, now: datetime) -> datetime | None:
        if self._told:
            return now
        return min((one.due_at for one in self._waiting.values()), default=self._look_at)

    def _gather(self, now: datetime) -> None:
        """What was told, and at the start and now and then what nobody told."""
        with self._lock:
            told, self._told = self._told, {}
        if self._look_at is None or self._look_at <= now:
            grave = [name for name, one in self._rules().policy.severities.items() if one.bridge or one.roles]
            with self._read() as reader:
                told.update(dict.fromkeys(working(reader.connection, grave)))
            self._look_at = now + EVERY
        for number in told:
            self._waiting.setdefault(number, _Waiting(due_at=now))

    def _assemble(self, number: int, now: datetime) -> None:
        with self._read() as reader:
            row = reader.incident(number)
            policy = None if row is None else self._former.policy(reader, row.incident.policy, current=self._rules())
            if row is None or policy is None or not is_wanted(row.incident, policy):
                del self._waiting[number]
                return
            on_call = shifts.rota(self._rules().rule_set, reader.connection).now(row.incident.team, now)
        found = self._found(row.incident, policy.severities[row.incident.severity].bridge)
        found = Assembled(
            bridge=found.bridge, commander=next(iter(on_call), ""), failure=found.failure, again=found.again
        )
        tries = self._waiting[number].tries + 1
        if not found.again or tries == 1:
            answer = self._ask(Happened(incident_id=number, event=found))
            if answer.status == _UNAVAILABLE:
                raise StoreError(answer.error)
        if found.again:
            self._waiting[number] = _Waiting(due_at=now + backoff(tries, _LONGEST_BACKOFF), tries=tries)
        else:
            del self._waiting[number]

    def _found(self, incident: Incident, bridge: str) -> Assembled:
        """The bridge, or why there is none."""
        if bridge != HOOK:
            return Assembled(bridge=link(bridge, incident))
        if self._hook is None:
            return Assembled(failure="severities.yaml says hook, and the configuration has no bridge.hook_url")
        try:
            return Assembled(bridge=self._make(self._hook(), self._facts(incident), self._key(incident)))
        except (ConfigError, DeliveryError) as error:
            again = self._waiting[incident.id].tries + 1 < MOST_TRIES
            log.warning("bridge not made", incident=incident.id, why=str(error), again=again)
            return Assembled(failure=str(error), again=again)

    def _facts(self, incident: Incident) -> dict[str, str]:
        return {
            "incident": incident.name,
            "title": "restricted" if incident.restricted else incident.title,
            "severity": str(incident.severity),
            "service": incident.service,
            "team": incident.team,
            "url": own_page(incident, self._public_url),
        }

    def _key(self, incident: Incident) -> str:
        """What every question about this incident has in common, and no other daemon's has."""
        page = f"{own_page(incident, self._public_url)} {incident.created_at.isoformat()}"
        return blake2b(page.encode(), digest_size=16).hexdigest()
