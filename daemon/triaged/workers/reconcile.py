"""Asks each Alertmanager what it holds, and lets the writer take in what differs from our episodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

import structlog

from triaged.alertmanagers import letters, routing
from triaged.alertmanagers.quiet import quiet
from triaged.alertmanagers.wire import Answer as Said
from triaged.alertmanagers.wire import Group, HeldAlert, Readable, UnreadableError
from triaged.core.heartbeats import heartbeat_of
from triaged.core.model import Alert
from triaged.core.reconciling import Found, Member, Memory, Round, Standing, compare, same_start
from triaged.core.suppression import Suppression
from triaged.errors import ConfigError
from triaged.ids import delivery_id
from triaged.intake.units import Answer, Delivery, Rules, Suppress, Unit
from triaged.ports.source import Cut
from triaged.sources import alertmanager
from triaged.sources.mending import instant
from triaged.store import silences, standing, suppressions
from triaged.store.reading import Reader

log = structlog.get_logger(__name__)

EVERY: Final = timedelta(seconds=60)
_SOON: Final = timedelta(seconds=5)
"""Between two readings, however many groups are cut."""
_AT_ONCE: Final = 200
_READERS: Final = 8
_MOST_REFUSED: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One Alertmanager: the members of its cluster, whose alerts they are here, and which receivers lead here."""

    name: str
    source: str
    ours: routing.Receivers
    members: tuple[Readable, ...]


@dataclass(slots=True)
class _State:
    """What is remembered of one of them; `taken` is by fingerprint what was compared when an alert was handed in.

    `refused` are the texts of alerts that cannot be read and were handed in so, `seen` is since when an alert that
    was missed leads here. `failures` and `doubts` are what stands on the board, by member and by what they are about;
    `unsaid`, that it mutes times and does not tell what.
    """

    memory: Memory = field(default_factory=Memory)
    taken: dict[str, tuple[bytes | None, str]] = field(default_factory=dict)
    refused: set[bytes] = field(default_factory=set)
    failures: dict[str, str] = field(default_factory=dict)
    doubts: dict[str, str] = field(default_factory=dict)
    unsaid: bool = False
    seen: dict[str, datetime] = field(default_factory=dict)


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
        self._cut: dict[str, set[Cut]] = {}
        self._asked_at: datetime | None = None
        self._next_at: datetime | None = None

    def truncated(self, source: str, cut: Cut) -> bool:
        """A delivery of this source left alerts out; whether there is one to be asked for them. Thread-safe."""
        if all(one.source != source for one in self._watched):
            return False
        self._cut.setdefault(source, set()).add(cut)
        return True

    def unreadable(self) -> tuple[str, ...]:
        """Which members could not be read last or are not to be relied on, and why. Thread-safe."""
        told = ((name, why) for name, state in self._states.items() for why in (state.failures, state.doubts))
        return tuple(f"{name} {why}" for name, whys in told for why in [*whys.values()])

    def step(self, now: datetime) -> bool:
        due = self._next_at is None or now >= self._next_at
        if not due and not (self._cut and now >= self._soonest(now)):
            return False
        cut, self._cut = self._cut, {}
        self._asked_at = now
        if due:
            self._next_at = now + EVERY
        asked = [one for one in self._watched if due or one.source in cut]
        # Ours first: what begins or ends while they answer is then no difference that counts.
        with self._read() as reader:
            ours = {one.source: standing.unfinished(reader.connection, one.source) for one in asked}
        for one, said in zip(asked, self._said(asked, now), strict=True):
            self._reconcile(one, said, ours[one.source], cut=cut.get(one.source, set()), now=now)
        return bool(asked)

    def next_at(self, now: datetime) -> datetime | None:
        return self._soonest(now) if self._cut else self._next_at

    def _soonest(self, now: datetime) -> datetime:
        return now if self._asked_at is None else max(now, self._asked_at + _SOON)

    def _said(self, asked: Sequence[Watched], now: datetime) -> list[list[Said]]:
        """What the members of each say, all asked at once: one that does not answer keeps no other waiting."""
        pairs = [(one, client) for one in asked for client in one.members]
        with ThreadPoolExecutor(max_workers=max(1, min(_READERS, len(pairs)))) as pool:
            answers = [*pool.map(lambda pair: self._answer(pair[0], pair[1], now), pairs)]
        return [
            [answer for (whose, _), answer in zip(pairs, answers, strict=True) if whose is one and answer is not None]
            for one in asked
        ]

    def _reconcile(
        self, one: Watched, said: Sequence[Said], ours: Mapping[str, Standing], *, cut: AbstractSet[Cut], now: datetime
    ) -> None:
        state = self._states[one.name]
        held: list[tuple[str, HeldAlert]] = []
        members = [self._member(one, answer, held) for answer in said]
        groups = self._groups(one, state) if cut else None
        eager = routing.cut_out(groups or (), cut, held)
        found = compare(state.memory, members, ours, eager=eager)
        texts = {fingerprint: text for fingerprint, text in held if text.status.state == "active"}

        def routes() -> routing.Routes:
            asked = self._groups(one, state) if groups is None else groups
            return routing.Routes(one.ours, said, asked)

        taken = self._take(one, found, texts, routes=routes, now=now)
        ended = self._end(one, found, ours)
        if taken and ended:
            state.memory = found.memory
        state.taken = {fingerprint: seen for fingerprint, seen in state.taken.items() if fingerprint in texts}
        if said:
            self._doubt(one, state, routing.doubts(one.ours, said, now, mutes_unsaid=state.unsaid))
            alerts = ((fingerprint, text) for fingerprint, text in held if fingerprint in ours)
            seen = {fingerprint for fingerprint, text in held if text.status.state != "unprocessed"}
            self._tell_suppressed(one, quiet(one.source, said, alerts), ours.keys() - seen, now)

    def _groups(self, one: Watched, state: _State) -> list[Group]:
        """The groups of all members that tell them."""
        found: list[Group] = []
        for client in one.members:
            if client.url not in state.failures:
                try:
                    found.extend(client.groups())
                except (UnreadableError, ConfigError) as error:
                    self._unreadable(one, state, client, str(error))
        return found

    def _doubt(self, one: Watched, state: _State, now_so: Mapping[str, str]) -> None:
        """Tell what is not to be relied on, once."""
        for about, why in now_so.items():
            if about not in state.doubts:
                log.warning("alertmanager in doubt", alertmanager=one.name, why=why)
        state.doubts = dict(now_so)

    def _answer(self, one: Watched, client: Readable, now: datetime) -> Said | None:
        state = self._states[one.name]
        try:
            answer = client.read(now)
        except (UnreadableError, ConfigError) as error:
            self._unreadable(one, state, client, str(error))
            return None
        if state.failures.pop(client.url, None) is not None:
            log.info("alertmanager readable again", alertmanager=one.name, member=client.name)
        return answer

    def _unreadable(self, one: Watched, state: _State, client: Readable, why: str) -> None:
        if client.url not in state.failures:
            log.warning("alertmanager unreadable", alertmanager=one.name, member=client.name, why=why)
        state.failures[client.url] = f"({client.name}): {why}"

    def _member(self, one: Watched, said: Said, held: list[tuple[str, HeldAlert]]) -> Member:
        """The answer by our fingerprints; adds the texts to `held`."""
        heartbeats = self._rules().rule_set.heartbeats
        alerts: dict[str, Found] = {}
        for found in said.alerts:
            raw = letters.firing(found, one.name)
            alert = _as_sent(one, raw)
            active = found.status.state == "active"
            routed = active and any(one.ours.include(receiver.name, said) for receiver in found.receivers)
            if alert is None and routed:
                self._refuse(one, raw)
            if alert is None or heartbeat_of(heartbeats, alert) is not None:
                continue
            ends_at = instant(found.endsAt, "endsAt", [])
            alerts[alert.fingerprint] = Found(wanted=routed, starts_at=alert.starts_at, ends_at=ends_at)
            held.append((alert.fingerprint, found))
        return Member(at=said.at, started_at=said.started_at, alerts=alerts)

    def _refuse(self, one: Watched, raw: bytes) -> None:
        """Hand in, once, what cannot be read: as from its webhook it is kept raw, counted and shown."""
        refused = self._states[one.name].refused
        digest = blake2b(raw, digest_size=16).digest()
        if digest not in refused and len(refused) < _MOST_REFUSED and self._deliver(one.source, [raw], {}):
            refused.add(digest)

    def _take(
        self,
        one: Watched,
        found: Round,
        held: Mapping[str, HeldAlert],
        *,
        routes: Callable[[], routing.Routes],
        now: datetime,
    ) -> bool:
        """Hand in what was missed and would be sent to us now; whether all of it was stored.

        What rules drop, they drop once.
        """
        state = self._states[one.name]
        judged_by = self._rules().rule_set.hash
        with self._read() as reader:
            last = standing.newest(reader.connection, found.missed)
        digests = {fingerprint: episode.digest for fingerprint, episode in last.items()}
        stored = True
        wanted = [each for each in found.missed if state.taken.get(each) != (digests.get(each), judged_by)]
        if wanted:
            here = routes()
            state.unsaid = here.unsaid
            wanted = [each for each in wanted if here.lead_here(held[each])]
            state.seen = {each: state.seen.get(each, now) for each in wanted}
            wanted = [each for each in wanted if here.sure(state.seen[each], now)]
        else:
            state.seen = {}
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
