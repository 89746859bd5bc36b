"""The silences worker: makes in Alertmanager what people asked for, once, and removes it when its incident is over.

Alertmanager gives a silence its id only in the answer. So the intent with a random operation id is committed before the
request, and the id stands in the silence's comment; where the answer was lost (or we died) it is looked for there
before the same request goes out again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from msgspec.structs import replace

from triaged.alertmanagers.asking import Alertmanager
from triaged.clock import Clock
from triaged.core.events import SilenceFailed
from triaged.core.silences import Stage, comment
from triaged.core.suppression import marked
from triaged.errors import ConfigError, DeliveryError
from triaged.intake.units import Answer, Happened, Unit
from triaged.ports.silences import WantedSilence
from triaged.store import silences
from triaged.store.reading import Reader
from triaged.workers.backoff import backoff

log = structlog.get_logger(__name__)

SETTLED_AFTER: Final = timedelta(seconds=15)
"""By then a request that went out is done or never will be, and the members of a cluster have told each other."""
_SEARCH_AFTER: Final = timedelta(seconds=2)
_LONGEST_BACKOFF: Final = timedelta(minutes=1)
_TOLD_AFTER: Final = 3


class SilencesWorker:
    """One silence of one source a step, so that an Alertmanager that hangs keeps no other waiting.

    Several processes may run it on one store: claims are leases.
    """

    name = "silences"

    def __init__(  # noqa: PLR0913 - the worker's collaborators, given once
        self,
        alertmanagers: Mapping[str, Alertmanager],
        source: str | None,
        *,
        read: Callable[[], AbstractContextManager[Reader]],
        run: Callable[[Callable[[Any, datetime], Any]], Any],
        ask: Callable[[Unit], Answer],
        clock: Clock,
        operation_id: Callable[[], str],
    ) -> None:
        """`alertmanagers` are those that can be asked, by the source whose alerts they hold.

        With no `source` it works on what belongs to none of them: it was asked for under another configuration.
        """
        self._alertmanagers = alertmanagers
        self._source = source
        self._read = read
        self._run = run
        self._ask = ask
        self._clock = clock
        self._operation_id = operation_id

    def step(self, now: datetime) -> bool:
        with self._read() as reader:
            number = silences.front(reader.connection, now, source=self._source, known=self._alertmanagers)
        if number is None:
            return False
        operation = self._operation_id()
        claimed = self._run(lambda transaction, _: silences.claim(transaction.connection, number, operation, now))
        if claimed is not None:
            self._work(claimed, now)
        return True

    def next_at(self, now: datetime) -> datetime | None:
        with self._read() as reader:
            return silences.next_due(reader.connection, now, source=self._source, known=self._alertmanagers)

    def _work(self, one: WantedSilence, now: datetime) -> None:
        if now >= one.ends_at:
            self._record(one, stage=Stage.OVER)
            return
        alertmanager = self._alertmanagers.get(one.source)
        if alertmanager is None:
            self._failed(one, DeliveryError("the configuration names it no more", reason="unknown"))
            return
        try:
            if one.stage is Stage.WANTED:
                self._make(alertmanager, one, now)
            else:
                self._lift(alertmanager, one, now)
        except ConfigError as error:
            self._failed(one, DeliveryError(str(error), reason="credential"))
        except DeliveryError as error:
            self._failed(one, error)

    def _make(self, alertmanager: Alertmanager, one: WantedSilence, now: datetime) -> None:
        if one.intended_at is not None:
            found = alertmanager.find(one.operation)
            if found:
                self._made(one, found[0])
                return
            if now < one.intended_at + SETTLED_AFTER:
                self._wait(one, one.intended_at)
                return
            if not self._run(lambda transaction, _: silences.intend(transaction.connection, one, now)):
                return
        said = marked(comment(one.incident_id, one.reason, one.by), one.operation)
        self._made(one, alertmanager.make(one.matchers, by=one.by, comment=said, span=(now, one.ends_at)))

    def _made(self, one: WantedSilence, ref: str) -> None:
        self._record(one, stage=Stage.MADE, ref=ref, due_at=one.ends_at)
        log.info("silence made", incident=one.incident_id, silence=ref, until=one.ends_at.isoformat())

    def _lift(self, alertmanager: Alertmanager, one: WantedSilence, now: datetime) -> None:
        """Remove all that has its mark: a lost answer may have left two of them, an edit another one."""
        if one.ref or one.intended_at is not None:
            if alertmanager.remove(one.operation):
                log.info("silence removed", incident=one.incident_id)
            elif not one.ref and one.intended_at is not None and now < one.intended_at + SETTLED_AFTER:
                self._wait(one, one.intended_at)
                return
        self._record(one, stage=Stage.OVER)

    def _wait(self, one: WantedSilence, since: datetime) -> None:
        """It was not found, but may still come to be."""
        self._record(one, due_at=since + SETTLED_AFTER, attempts=one.attempts, failure=one.failure)

    def _failed(self, one: WantedSilence, error: DeliveryError) -> None:
        """Tell people, at the third time or where it is given up; never a hot loop, no try after its end."""
        now, attempts = self._clock.now(), one.attempts + 1
        refused = error.reason == "refused" and one.stage is Stage.WANTED
        wait = _SEARCH_AFTER if error.ambiguous and attempts == 1 else backoff(attempts, _LONGEST_BACKOFF)
        log.warning(
            "silence not removed" if one.stage is Stage.LIFTING else "silence not made",
            incident=one.incident_id,
            reason=error.reason,
            error=str(error),
            ambiguous=error.ambiguous,
        )
        # It was certainly not made: no need to look for it.
        unsent = one.stage is Stage.WANTED and one.intended_at is None and not error.ambiguous
        after = {"attempts": attempts, "failure": str(error)[:500], "due_at": min(now + wait, one.ends_at)}
        if not self._record(one, unsent=unsent, **after, **({"stage": Stage.OVER} if refused else {})):
            return
        if refused or attempts == _TOLD_AFTER:
            alertmanager = self._alertmanagers.get(one.source)
            told = SilenceFailed(
                alertmanager=one.source if alertmanager is None else alertmanager.name,
                why=str(error)[:500],
                lifting=one.stage is Stage.LIFTING,
                again=not refused,
            )
            self._ask(Happened(incident_id=one.incident_id, event=told))

    def _record(self, one: WantedSilence, *, unsent: bool = False, **changes: Any) -> bool:
        after = replace(one, **{"attempts": 0, "failure": "", **changes})
        kept: bool = self._run(lambda tx, _: silences.record(tx.connection, one, after, unsent=unsent))
        if not kept:
            log.warning("claim lost", incident=one.incident_id)
        return kept
