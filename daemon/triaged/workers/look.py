"""The look worker: looks at issues that may have changed, and tells the writer what is there.

A webhook, a poll, a difference that the publish worker met: each is only a hint where to look. What people did is found
by comparing, in the writer's transaction that also remembers what was seen; so no hint can be lost, late or too many.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Protocol

import structlog
from msgspec.structs import replace

from triaged.core.commanding import Heard, Refused
from triaged.core.observed import Remark, asks_who
from triaged.errors import DeliveryError, StoreError
from triaged.intake.observing import OVERTAKEN
from triaged.intake.units import Answer, Observed, Unit
from triaged.ports.backend import Address, Kind
from triaged.ports.looks import Basis, Comment, Look, Sight, Watch, seen
from triaged.store import looks, problems, queue, reviews
from triaged.store.reading import Reader
from triaged.workers.backoff import backoff

log = structlog.get_logger(__name__)

COALESCED: Final = timedelta(seconds=2)
"""How long it waits where we write to the issue ourselves: what we write is no news."""
_LONGEST_BACKOFF: Final = timedelta(minutes=5)
_GIVEN_UP: Final = frozenset({"gone", "invalid"})
_SKEW: Final = timedelta(minutes=15)
_UNAVAILABLE: Final = 503


class Reads(Protocol):
    """What knows the commands of a comment, as `web.slash.read`."""

    def __call__(self, text: str, /, *, by: str, kind: Kind, numbered: Callable[[int], str]) -> Heard: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Heeding:
    """How comments are read for commands; `may` says who has in a repository the permission that is called `needs`.

    None where GitHub does not tell; raises DeliveryError where it cannot be asked now.
    """

    read: Reads
    may: Callable[[str, str], bool | None]
    needs: str


class LookWorker:
    """One issue a step. Several processes may run it on one store: what was seen is compared again where it counts."""

    name = "look"

    def __init__(
        self,
        watch: Watch,
        *,
        read: Callable[[], AbstractContextManager[Reader]],
        run: Callable[[Callable[[Any, datetime], Any]], Any],
        ask: Callable[[Unit], Answer],
        heeding: Heeding | None = None,
    ) -> None:
        self._watch = watch
        self._read = read
        self._run = run
        self._ask = ask
        self._heeding = heeding
        self._later: dict[int, datetime] = {}
        self._rests_until: datetime | None = None

    def step(self, now: datetime) -> bool:
        if self._rests_until is not None and now < self._rests_until:
            return False
        self._later = {number: at for number, at in self._later.items() if at > now}
        with self._read() as reader:
            look = looks.due(reader.connection, now, self._later)
            written = None if look is None else queue.publication_of(reader.connection, look.number)
        if look is None:
            return False
        if written is None or written.address is None or written.gone or written.backend != self._watch.name:
            self._run(lambda tx, _: looks.drop(tx.connection, look))
            return True
        basis = looks.basis(written)
        if basis.claimed_until is not None and basis.claimed_until > now:
            self._later[look.number] = now + COALESCED
            return True
        try:
            sight = self._watch.look(written.address, _overlapping(look))
            if asks_who(sight.looked, seen(look, basis)):
                sight = replace(sight, looked=replace(sight.looked, doers=self._watch.doers(sight.address)))
            unit = self._observed(look, sight, basis, now)
        except DeliveryError as error:
            self._failed(look, error, now)
            return True
        self._tell(look, unit, now)
        return True

    def next_at(self, now: datetime) -> datetime | None:
        with self._read() as reader:
            due_at = looks.next_due(reader.connection)
        if due_at is None:
            return None
        if due_at <= now and self._later:
            due_at = min(self._later.values())
        return max(due_at, self._rests_until or due_at)

    def _observed(self, look: Look, sight: Sight, basis: Basis, now: datetime) -> Observed:
        """What is told of it. Raises DeliveryError where it cannot be asked now whose commands count."""
        with self._read() as reader:
            connection = reader.connection
            about = reviews.incident_of(connection, look.number)
            kind = Kind.INCIDENT if about is None else Kind.REVIEW
            if about is None and problems.one(connection, look.number) is not None:
                kind, about = Kind.PROBLEM, 0
            marked = [comment.operation for comment in sight.comments if comment.ours and comment.operation]
            ours = looks.ours(connection, look.number, marked)
            written = looks.said(connection, [look.number]).get(look.number, 0)
        new = [
            comment
            for comment in sight.comments
            if comment.id > look.remark and not comment.by.bot and not (comment.ours and comment.operation in ours)
        ]
        remarks = tuple(self._remark(comment, kind, sight.address) for comment in new)
        return Observed(
            number=look.number,
            kind=kind,
            incident_id=look.number if about is None else about,
            looked=replace(sight.looked, remarks=remarks),
            basis=basis,
            hinted_at=look.hinted_at or now,
            through_at=sight.through_at,
            remarks=sight.count - written,
        )

    def _remark(self, comment: Comment, kind: Kind, place: Address) -> Remark:
        remark = Remark(id=comment.id, by=comment.by.login, text=comment.text, url=comment.url, at=comment.at)
        heeding = self._heeding
        if heeding is None:
            return remark
        heard = heeding.read(comment.text, by=remark.by, kind=kind, numbered=partial(self._named, place))
        if not heard.commands:
            return remark
        may = heeding.may(place.repository, remark.by) if remark.by else False
        if not may and (comment.edited or not any(one.known for one in heard.commands)):
            # Nobody is told what he may not do anyway.
            return remark
        refused = _refused(may, heeding.needs, edited=comment.edited)
        return replace(remark, commands=heard.commands, around=heard.around, refused=refused)

    def _named(self, place: Address, number: int) -> str:
        """The incident whose issue has that number in the same repository."""
        with self._read() as reader:
            found = looks.at_places(reader.connection, place.repository, [number]).get(number)
        return f"INC-{found.incident_id}" if found is not None else ""

    def _tell(self, look: Look, unit: Observed, now: datetime) -> None:
        answer = self._ask(unit)
        if answer.status == _UNAVAILABLE:
            raise StoreError(answer.error)
        if answer.status == OVERTAKEN:
            self._later[look.number] = now + COALESCED

    def _failed(self, look: Look, error: DeliveryError, now: datetime) -> None:
        log.warning("issue not looked at", number=look.number, reason=error.reason, error=str(error))
        if error.reason in _GIVEN_UP:
            self._run(lambda tx, at: looks.give_up(tx.connection, look, at))
            return
        due_at = max(error.retry_at or now, now + backoff(look.attempts + 1, _LONGEST_BACKOFF))
        self._run(lambda tx, _: looks.fail(tx.connection, look, due_at, str(error)))
        if error.reason in {"rate_limited", "secondary_limit", "unauthorized", "connection", "timeout"}:
            self._rests_until = due_at


def _overlapping(look: Look) -> datetime | None:
    """Lists run behind: what is older than what was seen may show later."""
    return None if look.remarked_at is None else look.remarked_at - _SKEW


def _refused(may: bool | None, needs: str, *, edited: bool) -> Refused | None:
    """Why commands are not done of somebody who may give some, who may not, or of whom GitHub does not tell (None)."""
    if may:
        # Whoever may write there may edit what others wrote.
        why = "This was edited before it was read: give commands in a new comment."
        return Refused(why=why) if edited else None
    why = f"Commands are done for those who have the permission {needs} on this repository, or more."
    if may is None:
        why = "No commands are done here: GitHub does not tell this account who may give some."
    return Refused(why=why, lacking=True)
