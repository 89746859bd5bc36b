"""The heartbeats of one batch: what is heard and what is missing, from the rows that were read to those to write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import structlog

from triaged.core import heartbeats as core
from triaged.core.heartbeats import Beat, Changes, Heartbeat, Key, Sign
from triaged.core.model import Alert
from triaged.intake.units import Answer, Delivery, Expect, Heard, Leave, Listen, Unit
from triaged.ports.source import Reading
from triaged.ports.store import Transaction

log = structlog.get_logger(__name__)

HEARTBEAT: Final = "heartbeat"
"""What an alert that is a heartbeat is counted as in the answer to its sender."""
NOT_FOLLOWED: Final = "not followed"
"""And one of a series that is one too many."""


class Pulse:
    """Reads its rows when something is first asked of them.

    `heard` are the digests of alerts that are heartbeats, with what each is counted as. `overfull` are the names of
    which it was logged that they have too many series: it is told once for all batches.
    """

    def __init__(
        self, transaction: Transaction, heartbeats: Iterable[Heartbeat], now: datetime, *, overfull: set[str]
    ) -> None:
        self._transaction = transaction
        self._heartbeats = core.named(heartbeats)
        self._now = now
        self._overfull = overfull
        self._full: set[str] = set()
        self._before: dict[Key, Beat] | None = None
        self._after: dict[Key, Beat] = {}
        self.heard: dict[bytes, str] = {}

    def take(self, alerts: Iterable[Alert], *, arrived: bool) -> None:
        """Hear those alerts of one delivery that are heartbeats; where all of a series have ended, it has failed.

        Where they were asked for, and have not `arrived` by themselves, they prove nothing of the way of alerts to us.
        """
        if not self._heartbeats:
            return
        series: dict[Key, list[Alert]] = {}
        for alert in alerts:
            heartbeat = core.heartbeat_of(self._heartbeats.values(), alert)
            if heartbeat is not None:
                self.heard[alert.digest] = HEARTBEAT
                if arrived:
                    key = core.key_of(heartbeat.name, heartbeat.values(alert.labels))
                    series.setdefault(key, []).append(alert)
        for (name, _), told in series.items():
            if self.hear(name, told[0].labels, core.sign_of(told)) is None:
                self.heard.update((alert.digest, NOT_FOLLOWED) for alert in told)

    def hear(self, name: str, labels: Mapping[str, str], sign: Sign) -> Beat | None:
        """The series of a known heartbeat after it was heard; None where it is one too many to be followed."""
        heartbeat, beats = self._heartbeats[name], self._beats()
        values = heartbeat.values(labels)
        key = core.key_of(name, values)
        # Counting them for each of a hundred thousand would take seconds.
        if name in self._full and key not in beats:
            return None
        changes = core.hear(heartbeat, beats, values, self._now, sign)
        if not changes:
            self._full.add(name)
            self._tell_overfull(name)
        self._apply(changes)
        return changes.get(key)

    def _tell_overfull(self, name: str) -> None:
        if name not in self._overfull:
            self._overfull.add(name)
            log.warning("heartbeat not followed", heartbeat=name, why=f"it has {core.MOST_SERIES:,} series already")

    def look(self) -> None:
        """See what is missing by now."""
        self._apply(core.look(self._heartbeats, self._beats(), self._now))

    def expect(self, *, started: bool) -> None:
        """Expect what the rules in force say."""
        self._apply(core.expect(self._heartbeats, self._beats(), self._now, started=started))

    def leave(self) -> None:
        """Nobody listens from now on."""
        self._apply(core.leave(self._beats(), self._now))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._heartbeats)

    def alerts(self) -> tuple[Alert, ...]:
        """Our own alerts of what came to be missing, and of what is missing no more."""
        return tuple(core.told(self._heartbeats, self._before or {}, self._after, self._now))

    def changes(self) -> Changes:
        """The rows that differ from those that were read."""
        before, after = self._before or {}, self._after
        return {key: after.get(key) for key in {**before, **after} if before.get(key) != after.get(key)}

    def _beats(self) -> dict[Key, Beat]:
        if self._before is None:
            self._before = {beat.key: beat for beat in self._transaction.beats()}
            self._after = {**self._before}
        return self._after

    def _apply(self, changes: Changes) -> None:
        for key, beat in changes.items():
            if beat is None:
                self._after.pop(key, None)
            else:
                self._after[key] = beat


def beating(pulse: Pulse, units: Sequence[Unit], readings: Mapping[int, Reading]) -> dict[int, Answer]:
    """Let the pulse take in what the units say of heartbeats, in their order; the answers of those that say no more."""
    answers: dict[int, Answer] = {}
    for index, unit in enumerate(units):
        match unit:
            case Delivery() if index in readings:
                pulse.take(readings[index].alerts, arrived=unit.expects is None)
            case Heard():
                answers[index] = _heard(pulse, unit)
            case Listen():
                pulse.look()
                answers[index] = Answer()
            case Expect():
                pulse.expect(started=unit.started)
                answers[index] = Answer()
            case Leave():
                pulse.leave()
                answers[index] = Answer()
            case _:
                """It says nothing of heartbeats."""
    return answers


def _heard(pulse: Pulse, unit: Heard) -> Answer:
    if unit.name not in pulse.names:
        known = ", ".join(pulse.names) or "none"
        return Answer(status=404, error=f"expected a heartbeat of the rules ({known}), got {unit.name[:60]!r}")
    beat = pulse.hear(unit.name, unit.labels, Sign(failed=unit.failed))
    if beat is None:
        return Answer(status=409, error=f"{unit.name} has {core.MOST_SERIES:,} series already: no more are followed")
    return Answer(value=beat)
