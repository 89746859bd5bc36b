"""The daemon in that month: the real one on one store, killed, stopped, started anew, asked only where it matters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import select

from month.alertmanager import Member
from month.prometheus import Labels
from triaged.alertmanagers.wire import Answer, Group, UnreadableError
from triaged.app import App
from triaged.clock import FakeClock
from triaged.config import Settings
from triaged.core.reconciling import SETTLED_AFTER
from triaged.intake import units
from triaged.sources import alertmanager
from triaged.store import schema as s
from triaged.workers.reconcile import EVERY

SOURCE: Final = "alertmanager"
_STEPS: Final = 5_000
_QUIET_WORKERS: Final = ("retention", "reconcile")


_FIRING: Final = (
    select(s.episodes.c.labels, s.episodes.c.incident_id)
    .join(s.incidents, s.incidents.c.id == s.episodes.c.incident_id)
    .where(
        s.episodes.c.ended_at.is_(None),
        s.episodes.c.source == SOURCE,
        s.incidents.c.state.not_in(["resolved", "closed"]),
    )
)


class Killed(BaseException):
    """The process is gone."""


class Ear:
    """A member as the daemon's reader finds it: with what it said when the round began."""

    def __init__(self, member: Member, heard: Callable[[Member], bool]) -> None:
        self.member = member
        self.name = self.url = member.name
        self._heard = heard
        self._said: Answer | None = None
        self._groups: list[Group] = []

    def seen(self, now: datetime) -> object:
        if not self.member.up or not self._heard(self.member):
            return None
        return self.member.seen(now)

    def still(self) -> Member | None:
        """The member as it stands, to be asked later."""
        return self.member.still() if self.member.up and self._heard(self.member) else None

    def keep(self, said: Answer | None, groups: list[Group]) -> None:
        self._said, self._groups = said, groups

    def read(self, now: datetime) -> Answer:
        if self._said is None:
            raise UnreadableError("no answer")
        return self._said

    def groups(self) -> list[Group]:
        return self._groups


class Daemon:
    """Its workers act at the instants at which they would.

    A round of reconciliation that sees what the one before it saw, while nothing changed here and in its memory, can
    change nothing but the last known ends. It is put off until something does change, and taken up before that: then
    with what was said at its own time. So a quiet day costs next to nothing, and no round is left out that counts.
    """

    def __init__(
        self, settings: Settings, clock: FakeClock, members: Sequence[Member], heard: Callable[[Member], bool]
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._members = [Ear(member, heard) for member in members]
        self.app: App | None = None
        self._wakes_at: datetime | None = None
        self._seen: object = None
        self._put_off: tuple[datetime, list[Member | None]] | None = None
        self._round_at: datetime | None = None
        self._doom = 0
        self.rounds = self.rounds_put_off = 0
        self.changed = False

    # ------------------------------------------------------------ its life

    def start(self) -> None:
        self.app = app = App(self._settings, self._clock)
        app.open()
        submit = app.writer.submit

        def mortal(unit: units.Unit, reply: Callable[[units.Answer], None]) -> bool:
            if self._doom:
                self._doom -= 1
                if not self._doom:
                    raise Killed
            return submit(unit, reply)

        app.writer.submit = mortal  # type: ignore[method-assign] # between two commits is where a death can tell
        if self._settings.alertmanagers:
            worker = app._reconcile
            worker._watched = [replace(one, members=tuple(self._members)) for one in worker._watched]
        self._wakes_at = self._clock.now()
        self._round_at = self._clock.now() if self._settings.alertmanagers else None
        self._seen, self._put_off, self._doom = None, None, 0

    def stop(self) -> None:
        """Also how a kill ends here: all that is committed stays, and nothing else does."""
        if self.app is not None:
            app, self.app = self.app, None
            app.stop()

    def kill_soon(self, commits: int) -> None:
        """It dies before its next commit but so many."""
        self._doom = commits

    # ------------------------------------------------------------ its time

    def next_at(self) -> datetime | None:
        if self.app is None:
            return None
        return min((at for at in (self._wakes_at, self._round_at) if at is not None), default=None)

    def step(self, now: datetime) -> None:
        """Act where something is due. Raises Killed."""
        if self.app is not None and self._wakes_at is not None and self._wakes_at <= now:
            self._work()
        if self.app is not None and self._round_at is not None and self._round_at <= now:
            self._round(now)

    def post(self, body: bytes) -> bool:
        """One webhook request at its door; whether it was answered 2xx. Raises Killed."""
        if self.app is None:
            return False
        # As the door does: where all is known, nothing else happens (door/ingest.py).
        digests = alertmanager.digests(SOURCE, body)
        if digests and all(self.app.known.status(digest) is not None for digest in digests):
            return True
        return self.ask(units.Delivery(id="month", source=SOURCE, body=body)).status == 200

    def ask(self, unit: units.Unit) -> units.Answer:
        """Raises Killed."""
        assert self.app is not None
        if isinstance(unit, units.Delivery):
            # All else leaves the episodes as they are.
            self._changes()
        answer = self.app.writer.ask(unit)
        self._work()
        return answer

    def _work(self) -> None:
        """Let the workers do all that is due, until nothing more is."""
        assert self.app is not None
        loops = [loop for loop in self.app.loops if loop.worker.name != "reconcile"]
        for _ in range(_STEPS):
            now = self._clock.now()
            worked = [loop.worker.step(now) for loop in loops]
            if not any(worked):
                break
        else:
            raise AssertionError(f"the workers did not come to rest at {self._clock.now()}")
        now = self._clock.now()
        waits = [loop.worker.next_at(now) for loop in loops if loop.worker.name not in _QUIET_WORKERS]
        self._wakes_at = min((at for at in waits if at is not None and at > now), default=None)
        if self._settings.alertmanagers and self.app._reconcile._cut:
            self._read(now, [member.still() for member in self._members])

    def _changes(self) -> None:
        """Something is about to change here: the round that was put off comes before it."""
        self.changed = True
        self._seen = None
        self._catch_up()

    def _catch_up(self) -> None:
        if self._put_off is not None:
            (at, said), self._put_off = self._put_off, None
            assert not self._read(at, said), f"the round of {at} was put off, and did something"

    def _round(self, now: datetime) -> None:
        assert self.app is not None
        seen = tuple((member.seen(now), _is_settled(member.member, now)) for member in self._members)
        said = [member.still() for member in self._members]
        if self._seen == seen:
            self._put_off = now, said
            self._round_at = now + EVERY
            self.rounds_put_off += 1
        else:
            self._catch_up()
            before = self._remembered()
            changed = self._read(now, said) or self._remembered() != before or self._waits()
            self._seen = None if changed else seen

    def _waits(self) -> bool:
        """Whether what is absent ends by time alone."""
        assert self.app is not None
        return any(state.memory.absent for state in self.app._reconcile._states.values())

    def _remembered(self) -> list[object]:
        """All but the last known ends."""
        assert self.app is not None
        return [msgspec.structs.replace(state.memory, ends={}) for state in self.app._reconcile._states.values()]

    def _read(self, now: datetime, said: Sequence[Member | None]) -> bool:
        """One round with these answers; whether it changed anything. What follows from it is done, too."""
        assert self.app is not None
        self.rounds += 1
        for member, then in zip(self._members, said, strict=True):
            member.keep(None if then is None else then.answer(now), [] if then is None else then.groups(now))
        asked = 0
        submit = self.app.writer.submit

        def counting(unit: units.Unit, reply: Callable[[units.Answer], None]) -> bool:
            nonlocal asked
            asked += 1
            return submit(unit, reply)

        self.app.writer.submit = counting  # type: ignore[method-assign] # to see whether it hands anything in
        try:
            self.app._reconcile.step(now)
        finally:
            self.app.writer.submit = submit  # type: ignore[method-assign] # as it was
        self._round_at = self.app._reconcile._next_at
        if asked:
            self.changed = True
            self._work()
        return asked > 0

    # ------------------------------------------------------------ what it holds

    def firing(self) -> dict[Labels, int]:
        """What fires in unfinished incidents, by labels, with the incident. Raises where an alert fires twice."""
        assert self.app is not None
        found: dict[Labels, int] = {}
        with self.app.store.read() as reader:
            for told, incident_id in reader.connection.execute(_FIRING):
                labels = _labels(told)
                assert labels not in found, f"{labels} fires twice"
                found[labels] = incident_id
        return found


def _labels(told: str) -> Labels:
    values: Mapping[str, str] = msgspec.json.decode(told)
    return tuple(sorted(values.items()))


def _is_settled(member: Member, now: datetime) -> bool:
    return now - member.started_at >= SETTLED_AFTER
