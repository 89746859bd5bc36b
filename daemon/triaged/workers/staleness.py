"""The staleness worker: writes down what was heard of alerts, and notices the incidents of which nothing is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from triaged.core.staleness import SPANS, Hearing, Unheard, hear, quiet
from triaged.errors import StoreError
from triaged.intake.hearing import Hearings
from triaged.intake.known import Known
from triaged.intake.units import Answer, Stale, Unit
from triaged.store import staleness
from triaged.store.reading import Reader

log = structlog.get_logger(__name__)

EVERY: Final = timedelta(seconds=60)
_AT_ONCE: Final = 500
_UNAVAILABLE: Final = 503


class StalenessWorker:
    """Every minute in which something was heard it is written down, some hundred alerts a transaction.

    It looks for silences when the first of them can be due, and lets the writer tell of them. Nothing is told of the
    sources in `but`. What was heard before `since`, the daemon's start, leaves a whole span from then.
    """

    name = "staleness"

    def __init__(  # noqa: PLR0913 - the collaborators, given once
        self,
        hearings: Hearings,
        known: Known,
        *,
        read: Callable[[], AbstractContextManager[Reader]],
        run: Callable[[Callable[[Any, datetime], Any]], Any],
        ask: Callable[[Unit], Answer],
        since: datetime,
        but: Collection[str] = (),
    ) -> None:
        self._hearings = hearings
        self._known = known
        self._read = read
        self._run = run
        self._ask = ask
        self._since = since
        self._but = but
        self._kept_at: datetime | None = None
        self._look_at: datetime | None = since
        self._of_sources: dict[str, timedelta] = {}

    def step(self, now: datetime) -> bool:
        worked = False
        keep_at = self._keep_at(now)
        if keep_at is not None and keep_at <= now:
            self.keep(now)
            worked = True
        if self._look_at is not None and self._look_at <= now:
            self._look(now)
            worked = True
        return worked

    def next_at(self, now: datetime) -> datetime | None:
        return min((at for at in (self._keep_at(now), self._look_at) if at is not None), default=None)

    def keep(self, now: datetime) -> None:
        """Write down what was heard since the last time. Raises StoreError; what was heard is lost then."""
        self._kept_at = now
        heard = self._hearings.drain(self._known)
        fingerprints = sorted(heard)
        for at in range(0, len(fingerprints), _AT_ONCE):
            self._keep(fingerprints[at : at + _AT_ONCE], heard, now)
        with self._read() as reader:
            intervals = self._intervals(reader)
            waiting = bool(staleness.unheard(reader.connection))
        # What is known of a source for the first time, or is less than it was, may be overdue already.
        sooner = any(most < self._of_sources.get(source, timedelta.max) for source, (_, most) in intervals.items())
        if sooner or waiting:
            self._look_at = now

    def _keep(self, fingerprints: Sequence[str], heard: dict[str, bool], now: datetime) -> None:
        with self._read() as reader:
            found = staleness.hearings(reader.connection, fingerprints)
            former = [one for one in found if one.source not in self._but]
        rows: list[Hearing] = []
        for one in former:
            row = hear(one, now, listening_since=self._since, repeated=heard[one.fingerprint])
            if row is not None:
                rows.append(row)
        if not rows:
            return
        self._run(lambda transaction, _: staleness.keep(transaction.connection, rows))
        soonest = min((row.every_seconds for row in rows if row.every_seconds is not None), default=None)
        if soonest is not None and self._look_at is not None:
            self._look_at = min(self._look_at, now + SPANS * timedelta(seconds=soonest))

    def _look(self, now: datetime) -> None:
        """See which silences have begun and ended, and when to look again."""
        with self._read() as reader:
            told = staleness.unheard(reader.connection)
            intervals = self._intervals(reader)
            self._of_sources = {source: most for source, (_, most) in intervals.items()}
            # What begins after this look is not overdue before that.
            next_at = min((now + SPANS * least for least, _ in intervals.values()), default=None)
            ids = [one for one in staleness.working(reader.connection) if self._of_sources or one in told]
            began: list[Unheard] = []
            asked: list[int] = []
            ended = dict.fromkeys(told)
            for incident_id, alerts in staleness.listened(reader.connection, ids):
                found = quiet(alerts, self._of_sources, listening_since=self._since)
                since_at = max(alert.heard_at for alert in alerts)
                if incident_id in told and any(alert.source in self._but for alert in alerts):
                    asked.append(incident_id)
                    del ended[incident_id]
                elif incident_id in told and since_at <= told[incident_id].since_at:
                    del ended[incident_id]
                elif found is not None and found.at <= now and incident_id not in told:
                    every = int(found.every.total_seconds())
                    began.append(Unheard(incident_id=incident_id, since_at=found.since_at, every_seconds=every))
                elif found is not None and next_at is not None and found.at > now:
                    next_at = min(next_at, found.at)
        self._tell(began, list(ended), asked)
        self._look_at = next_at

    def _tell(self, began: Sequence[Unheard], ended: Sequence[int], asked: Sequence[int]) -> None:
        for at in range(0, max(len(began), len(ended), len(asked)), _AT_ONCE):
            some = slice(at, at + _AT_ONCE)
            answer = self._ask(Stale(began=tuple(began[some]), ended=tuple(ended[some]), asked=tuple(asked[some])))
            if answer.status == _UNAVAILABLE:
                raise StoreError(answer.error)
        if began:
            log.info("incidents not heard of", incidents=len(began), first=f"INC-{began[0].incident_id}")

    def _keep_at(self, now: datetime) -> datetime | None:
        if not self._hearings:
            return None
        return now if self._kept_at is None else self._kept_at + EVERY

    def _intervals(self, reader: Reader) -> dict[str, tuple[timedelta, timedelta]]:
        """The smallest and the largest interval that each source taught."""
        found = staleness.intervals(reader.connection)
        return {source: spans for source, spans in found.items() if source not in self._but}
