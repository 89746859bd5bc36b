"""The post worker: sends the messages of one channel, gravest first, again after failures, many as one in a storm."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from msgspec import Struct
from msgspec.structs import replace

from triaged.clock import Clock
from triaged.core.evidence import Evidence
from triaged.core.model import Incident, Severity
from triaged.errors import ConfigError, DeliveryError
from triaged.explaining.former import Former
from triaged.intake.units import Rules
from triaged.metrics import Metrics
from triaged.ports.channel import Channel, Ending, Letter, Message, PageState
from triaged.ports.store import IncidentRow, Notice
from triaged.rulefiles.templates import Templates
from triaged.store import findings, notices
from triaged.store.reading import Reader
from triaged.workers.accounts import account
from triaged.workers.addresses import Addresses
from triaged.workers.backoff import backoff
from triaged.workers.letters import Desk, letter_of, page_of, several
from triaged.workers.notify import Run, is_overtaken

log = structlog.get_logger(__name__)

BURST: Final = 3
WITHIN: Final = timedelta(minutes=1)
"""So many letters an address gets singly within that time; what comes then is one letter."""
MOST_IN_ONE: Final = 50
GIVEN_UP_AFTER: Final = timedelta(hours=6)
_LEAST_ATTEMPTS: Final = 8
"""Some ten minutes of trying: a machine that was off for hours has no network in its first seconds."""
_LOOKED_AT: Final = 200
_MOST_PAGE_ATTEMPTS: Final = 40

Place = tuple[str, str, int]


class Lane:
    """What the workers of one channel know together: which services are busy, and when letters went where."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.busy: set[str] = set()
        self.sent: dict[Place, deque[datetime]] = {}
        self.page_failures: dict[tuple[int, Place], tuple[int, datetime]] = {}


class _Picked(Struct, frozen=True, kw_only=True):
    """Messages to one address that make one letter; `service` is busy until it is done."""

    messages: tuple[Message, ...]
    service: str

    @property
    def place(self) -> Place:
        return _place(self.messages[0])


class _Told(Struct, frozen=True, kw_only=True):
    """A message with all that its letter is made of."""

    message: Message
    notice: Notice
    row: IncidentRow
    every: timedelta | None
    found: Evidence | None


class PostWorker:
    """One letter a step. Several threads may share a channel's lane: none waits for a service that is slow.

    Several processes may run it on one store: claims are leases. What was in flight when one of them died is sent once
    more, and the timeline says so, unless the service shows what comes twice once.
    """

    def __init__(  # noqa: PLR0913 - the worker's collaborators, given once
        self,
        channel: str,
        lane: Lane,
        addresses: Addresses,
        *,
        number: int = 1,
        rules: Callable[[], Rules],
        templates: Callable[[], Templates],
        read: Callable[[], AbstractContextManager[Reader]],
        run: Run,
        clock: Clock,
        metrics: Metrics,
        public_url: str,
    ) -> None:
        self.name = f"post-{channel}-{number}"
        self._channel = channel
        self._lane = lane
        self._addresses = addresses
        self._rules = rules
        self._templates = templates
        self._read = read
        self._run = run
        self._clock = clock
        self._metrics = metrics
        self._public_url = public_url
        self._former = Former()
        self._waits: list[datetime] = []

    def step(self, now: datetime) -> bool:
        self._waits = []
        with self._read() as reader:
            waiting = notices.front(reader.connection, self._channel, now, _LOOKED_AT)
        picked = self._pick(waiting, now)
        if picked is None:
            return self._page(now)
        try:
            self._work(picked, now)
        finally:
            with self._lane.lock:
                self._lane.busy.discard(picked.service)
        return True

    def next_at(self, now: datetime) -> datetime | None:
        with self._read() as reader:
            due_at = notices.next_due(reader.connection, self._channel, now)
        return min((at for at in (*self._waits, due_at) if at is not None and at > now), default=None)

    # ---- which

    def _pick(self, waiting: Sequence[Message], now: datetime) -> _Picked | None:
        """The gravest that may go out now, with what goes in one letter with it."""
        with self._lane.lock:
            for message in waiting:
                service = self._addresses.service(message)
                if service in self._lane.busy:
                    continue
                together, at = self._together(message, waiting, now)
                if at <= now:
                    self._lane.busy.add(service)
                    return _Picked(messages=together, service=service)
                self._waits.append(at)
        return None

    def _together(
        self, message: Message, waiting: Sequence[Message], now: datetime
    ) -> tuple[tuple[Message, ...], datetime]:
        """What goes in one letter, and from when on. A Sev-1 goes alone and waits for nothing but the pace."""
        place, pages = _place(message), self._addresses.pages(message.recipient, message.place)
        sent = [at for at in self._lane.sent.get(place, ()) if now - WITHIN < at <= now]
        paced = sent[-1] + _PACE if sent else now
        if pages or message.rank <= Severity.SEV1.rank:
            return (message,), paced
        same = tuple(one for one in waiting if _place(one) == place and one.rank > Severity.SEV1.rank)[:MOST_IN_ONE]
        if len(sent) >= BURST:
            return same, max(paced, sent[0] + WITHIN)
        return (same if len(same) > BURST else (message,)), paced

    # ---- sending

    def _work(self, picked: _Picked, now: datetime) -> None:
        ids = [message.id for message in picked.messages]
        claimed: list[Message] = self._run(lambda tx, _: notices.claim(tx.connection, ids, now))
        told, gone = self._gather(claimed)
        for message in gone:
            page = self._perhaps_paged(message, arrived=message.perhaps_twice)
            self._record([(message, notices.ended(message, Ending.OVERTAKEN, now, page=page))])
        if not told:
            return
        messages = [one.message for one in told]
        with self._lane.lock:
            self._lane.sent.setdefault(picked.place, deque(maxlen=BURST)).append(now)
        try:
            channel = self._addresses.open(messages[0])
            channel.send(self._letter(told))
        except ConfigError as error:
            self._failed(messages, DeliveryError(str(error), reason="credential"))
        except DeliveryError as error:
            self._failed(messages, error)
        else:
            self._sent(messages, channel)

    def _gather(self, claimed: Sequence[Message]) -> tuple[list[_Told], list[Message]]:
        """What is to be told, and the messages that came too late."""
        told: list[_Told] = []
        gone: list[Message] = []
        with self._read() as reader:
            found = notices.notices(reader.connection, (message.notice_id for message in claimed))
            for message in claimed:
                row, notice = reader.incident(message.incident_id), found.get(message.notice_id)
                if row is None or notice is None or is_overtaken(notice, row.incident):
                    gone.append(message)
                else:
                    every = self._every(reader, row.incident)
                    evidence = findings.of_incident(reader.connection, message.incident_id)
                    told.append(_Told(message=message, notice=notice, row=row, every=every, found=evidence))
        return told, gone

    def _every(self, reader: Reader, incident: Incident) -> timedelta | None:
        policy = self._former.policy(reader, incident.policy, current=self._rules())
        return policy.severities[incident.severity].update_every

    def _letter(self, told: Sequence[_Told]) -> Letter:
        desk = Desk(rules=self._rules().rule_set, templates=self._templates(), public_url=self._public_url)
        letters = [(_letter(one, desk), one.row.incident) for one in told]
        return letters[0][0] if len(letters) == 1 else several(letters)

    # ---- what became of it

    def _sent(self, messages: Sequence[Message], channel: Channel) -> None:
        now = self._clock.now()
        page = PageState.TRIGGERED if channel.pages else PageState.NONE
        self._record(
            [
                (
                    one,
                    notices.ended(
                        one,
                        Ending.SENT,
                        now,
                        page=page,
                        failure="",
                        # What comes twice to a paging service is one page.
                        perhaps_twice=one.perhaps_twice and not channel.pages,
                    ),
                )
                for one in messages
            ]
        )

    def _failed(self, messages: Sequence[Message], error: DeliveryError) -> None:
        """Try again after a while, for hours; never a hot loop, and never without an end that people see."""
        now = self._clock.now()
        self._count("failed")
        log.warning(
            "not notified",
            channel=self._channel,
            to=messages[0].name,
            reason=error.reason,
            error=str(error),
            ambiguous=error.ambiguous,
        )
        after = []
        for one in messages:
            attempts, failure = one.attempts + 1, str(error)[:300]
            if now - one.created_at >= GIVEN_UP_AFTER and attempts >= _LEAST_ATTEMPTS:
                page = self._perhaps_paged(one, arrived=one.perhaps_twice or error.ambiguous)
                ended = notices.ended(one, Ending.GIVEN_UP, now, attempts=attempts, failure=failure, page=page)
                after.append((one, ended))
                continue
            due_at = min(max(now + backoff(attempts, notices.FARTHEST), error.retry_at or now), now + notices.FARTHEST)
            intended_at = one.intended_at if error.ambiguous else None
            again = replace(one, attempts=attempts, failure=failure, due_at=due_at, intended_at=intended_at)
            after.append((one, again))
        self._record(after)

    def _perhaps_paged(self, message: Message, *, arrived: bool) -> PageState:
        """A page that may have arrived is one that did: else it would go on at its service when all is over here."""
        pages = arrived and self._addresses.pages(message.recipient, message.place)
        return PageState.TRIGGERED if pages else PageState.NONE

    def _record(self, results: Sequence[tuple[Message, Message]]) -> None:
        def write(transaction: Any, now: datetime) -> list[bool]:
            kept = [notices.record(transaction.connection, claimed, after) for claimed, after in results]
            for notice_id in dict.fromkeys(after.notice_id for _, after in results):
                account(transaction.connection, notice_id, now)
            return kept

        for (_, after), kept in zip(results, self._run(write), strict=True):
            if not kept:
                log.warning("claim lost", incident=after.incident_id)
            elif after.ending is not Ending.WAITING:
                self._count(after.ending.value)

    def _count(self, outcome: str) -> None:
        self._metrics.notifications.labels(self._channel, outcome).inc()

    # ---- paging services

    def _page(self, now: datetime) -> bool:
        """Have a paging service show an incident as it is: taken, or over."""
        with self._read() as reader:
            behind = notices.pages_behind(reader.connection, self._channel, now)
        found = self._next_page(behind, now)
        if found is None:
            return False
        paged, address, service = found
        try:
            self._show(paged, address, now)
        finally:
            with self._lane.lock:
                self._lane.busy.discard(service)
        return True

    def _next_page(self, behind: Sequence[notices.Paged], now: datetime) -> tuple[notices.Paged, Message, str] | None:
        """What is to be shown next, where, and the service that is busy with it then: what begins anew comes after."""
        with self._lane.lock:
            for paged in self._due(behind, now):
                address = _address(paged, now)
                service = self._addresses.service(address)
                if service not in self._lane.busy:
                    self._lane.busy.add(service)
                    return paged, address, service
        return None

    def _show(self, paged: notices.Paged, address: Message, now: datetime) -> None:
        with self._read() as reader:
            row = reader.incident(paged.incident_id)
        if row is None:
            return
        key = (paged.incident_id, _place(address))
        page = page_of(row.incident, paged.wanted, self._public_url)
        try:
            self._addresses.open(address).send(Letter(subject=(), body=(), markdown=False, page=page))
        except (ConfigError, DeliveryError) as error:
            attempts = self._lane.page_failures.get(key, (0, now))[0] + 1
            self._count("failed")
            log.warning("page not updated", channel=self._channel, incident=paged.incident_id, error=str(error))
            if attempts < _MOST_PAGE_ATTEMPTS:
                self._lane.page_failures[key] = (attempts, now + backoff(attempts, notices.FARTHEST))
                return
        self._lane.page_failures.pop(key, None)
        self._run(lambda tx, _: notices.page_shows(tx.connection, paged))

    def _due(self, behind: Sequence[notices.Paged], now: datetime) -> Iterator[notices.Paged]:
        failures: Mapping[tuple[int, Place], tuple[int, datetime]] = self._lane.page_failures
        for paged in behind:
            _, at = failures.get((paged.incident_id, (paged.channel, paged.name, paged.place)), (0, now))
            if not now < at <= now + notices.FARTHEST:
                yield paged
            else:
                self._waits.append(at)


_PACE: Final = timedelta(seconds=1)
"""Between two letters to one address."""


def _address(paged: notices.Paged, now: datetime) -> Message:
    return Message(
        id=0,
        notice_id=0,
        incident_id=paged.incident_id,
        channel=paged.channel,
        name=paged.name,
        place=paged.place,
        rank=0,
        created_at=now,
        due_at=now,
    )


def _letter(told: _Told, desk: Desk) -> Letter:
    return letter_of(told.notice, told.row, desk, every=told.every, found=told.found)


def _place(message: Message) -> Place:
    return message.channel, message.name, message.place
