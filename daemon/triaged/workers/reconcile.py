"""Asks each Alertmanager what it holds, and lets the writer take in what differs from our episodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog

from triaged.alertmanagers import letters
from triaged.alertmanagers.quiet import quiet
from triaged.alertmanagers.wire import Answer as Said
from triaged.alertmanagers.wire import HeldAlert, Readable, UnreadableError
from triaged.core.heartbeats import heartbeat_of
from triaged.core.model import Alert
from triaged.core.reconciling import Found, Member, Memory, Round, Standing, compare, same_start
from triaged.core.suppression import Suppression
from triaged.errors import ConfigError
from triaged.ids import delivery_id
from triaged.intake.units import Answer, Delivery, Rules, Suppress, Unit
from triaged.sources import alertmanager
from triaged.sources.mending import instant
from triaged.store import silences, standing, suppressions
from triaged.store.reading import Reader

log = structlog.get_logger(__name__)

EVERY: Final = timedelta(seconds=60)
_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One Alertmanager: the members of its cluster, whose alerts they are here, and which receivers lead here."""

    name: str
    source: str
    leads_here: Callable[[str], bool]
    members: tuple[Readable, ...]


@dataclass(slots=True)
class _State:
    """What is remembered of one of them; `taken` is by fingerprint what was compared when an alert was handed in."""

    memory: Memory = field(default_factory=Memory)
    taken: dict[str, tuple[bytes | None, str]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


class ReconcileWorker:
    """Asks at once, then every minute; at once again where a delivery left alerts out. Decides nothing itself."""

    name = "reconcile"

    def __init__(
        self,
        watched: Sequence[Watched],
        *,
        read: Callable[[], AbstractContextManager[Reader]],
        ask: Callable[[Unit], Answer],
        rules: Callable[[], Rules],
    ) -> None:
        self._watched = watched
        self._read = read
        self._ask = ask
        self._rules = rules
        self._states = {one.name: _State() for one in watched}
        self._eager: set[str] = set()
        self._next_at: datetime | None = None

    def truncated(self, source: str) -> bool:
        """A delivery of this source left alerts out; whether there is one to be asked for them. Thread-safe."""
        if all(one.source != source for one in self._watched):
            return False
        self._eager.add(source)
        return True

    def unreadable(self) -> tuple[str, ...]:
        """Which members could not be read last, and why. Thread-safe."""
        return tuple(f"{name} {why}" for name, state in self._states.items() for why in [*state.failures.values()])

    def step(self, now: datetime) -> bool:
        due = self._next_at is None or now >= self._next_at
        eager, self._eager = self._eager, set()
        if due:
            self._next_at = now + EVERY
        asked = [one for one in self._watched if due or one.source in eager]
        for one in asked:
            self._reconcile(one, now, eager=one.source in eager)
        return bool(asked)

    def next_at(self, now: datetime) -> datetime | None:
        return now if self._eager else self._next_at

    def _reconcile(self, one: Watched, now: datetime, *, eager: bool) -> None:
        state = self._states[one.name]
        # Ours first: what begins or ends while they answer is then no difference that counts.
        with self._read() as reader:
            ours = standing.unfinished(reader.connection, one.source)
        said = [answer for client in one.members if (answer := self._answer(one, state, client, now)) is not None]
        held: list[tuple[str, HeldAlert]] = []
        members = [self._member(one, answer, held) for answer in said]
        found = compare(state.memory, members, ours, eager=eager)
        texts = {fingerprint: text for fingerprint, text in held if text.status.state == "active"}
        taken = self._take(one, state, found, texts)
        ended = self._end(one, found, ours)
        if taken and ended:
            state.memory = found.memory
        state.taken = {fingerprint: seen for fingerprint, seen in state.taken.items() if fingerprint in texts}
        if said:
            alerts = ((fingerprint, text) for fingerprint, text in held if fingerprint in ours)
            seen = {fingerprint for fingerprint, text in held if text.status.state != "unprocessed"}
            self._tell_suppressed(one, quiet(one.source, said, alerts), ours.keys() - seen, now)

    def _answer(self, one: Watched, state: _State, client: Readable, now: datetime) -> Said | None:
        try:
            answer = client.read(now)
        except (UnreadableError, ConfigError) as error:
            if client.url not in state.failures:
                log.warning("alertmanager unreadable", alertmanager=one.name, member=client.name, why=str(error))
            state.failures[client.url] = f"({client.name}): {error}"
            return None
        if state.failures.pop(client.url, None) is not None:
            log.info("alertmanager readable again", alertmanager=one.name, member=client.name)
        return answer

    def _member(self, one: Watched, said: Said, held: list[tuple[str, HeldAlert]]) -> Member:
        """The answer by our fingerprints; adds the texts to `held`."""
        heartbeats = self._rules().rule_set.heartbeats
        alerts: dict[str, Found] = {}
        for found in said.alerts:
            alert = _as_sent(one, letters.firing(found, one.name))
            if alert is None or heartbeat_of(heartbeats, alert) is not None:
                continue
            active = found.status.state == "active"
            routed = active and any(one.leads_here(receiver.name) for receiver in found.receivers)
            ends_at = instant(found.endsAt, "endsAt", [])
            alerts[alert.fingerprint] = Found(wanted=routed, starts_at=alert.starts_at, ends_at=ends_at)
            held.append((alert.fingerprint, found))
        return Member(at=said.at, started_at=said.started_at, alerts=alerts)

    def _take(self, one: Watched, state: _State, found: Round, held: Mapping[str, HeldAlert]) -> bool:
        """Hand in what was missed; whether all of it was stored. What rules drop, they drop once."""
        judged_by = self._rules().rule_set.hash
        with self._read() as reader:
            last = standing.newest(reader.connection, found.missed)
        digests = {fingerprint: episode.digest for fingerprint, episode in last.items()}
        stored = True
        wanted = [one for one in found.missed if state.taken.get(one) != (digests.get(one), judged_by)]
        for some in _slices(wanted):
            raws = []
            for fingerprint in some:
                episode = last.get(fingerprint)
                starts_at = instant(held[fingerprint].startsAt, "startsAt", [])
                known = episode is not None and starts_at is not None and same_start(starts_at, episode.starts_at)
                raws.append(
                    letters.firing(held[fingerprint], one.name, episode.starts_at if known and episode else None)
                )
            if self._deliver(one.source, raws, {fingerprint: digests.get(fingerprint) for fingerprint in some}):
                state.taken.update({fingerprint: (digests.get(fingerprint), judged_by) for fingerprint in some})
            else:
                stored = False
        return stored

    def _end(self, one: Watched, found: Round, ours: Mapping[str, Standing]) -> bool:
        """Hand in what is gone; whether all of it was stored."""
        with self._read() as reader:
            last = standing.newest(reader.connection, found.gone)
        stored = True
        for some in _slices(sorted(last)):
            raws = [
                letters.resolved(
                    last[fingerprint].labels, one.name, last[fingerprint].starts_at, found.gone[fingerprint]
                )
                for fingerprint in some
            ]
            stored &= self._deliver(one.source, raws, {fingerprint: ours[fingerprint].digest for fingerprint in some})
        return stored

    def _deliver(self, source: str, raws: Iterable[bytes], expects: Mapping[str, bytes | None]) -> bool:
        delivery = Delivery(id=delivery_id(), source=source, body=alertmanager.kept(raws), expects=expects)
        answer = self._ask(delivery)
        if answer.status != 200:
            log.warning("reconciliation not stored", source=source, status=answer.status, why=answer.error)
        return answer.status == 200

    def _tell_suppressed(
        self, one: Watched, now_so: tuple[Suppression, ...], unseen: AbstractSet[str], now: datetime
    ) -> None:
        """What is silenced; of alerts that it does not hold (it forgets them in a restart) what it said before."""
        with self._read() as reader:
            before = suppressions.of_source(reader.connection, one.source)
            acknowledging = silences.acknowledging(reader.connection)
        told = {found.key for found in now_so}
        lasting = (found for found in before if found.fingerprint in unseen and found.key not in told)
        kept = (found for found in lasting if found.ends_at is None or found.ends_at > now)
        now_so = (*now_so, *kept)
        # Also where nothing changed there: what fires here, and is all silenced, is another by now.
        if before or now_so or acknowledging:
            self._ask(Suppress(source=one.source, suppressions=now_so))


def _as_sent(one: Watched, raw: bytes) -> Alert | None:
    """The alert as its webhook's reader understands it; None where that one refuses it."""
    return next(iter(alertmanager.read(one.source, alertmanager.kept([raw])).alerts), None)


def _slices(fingerprints: Sequence[str]) -> Iterable[Sequence[str]]:
    return (fingerprints[at : at + _AT_ONCE] for at in range(0, len(fingerprints), _AT_ONCE))
