"""The notify worker: takes notices up, asks whom their words mean now, and makes one message for each address."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Final

import structlog
from msgspec import Struct

from triaged.core import wording
from triaged.core.effects import Audience, NoticeKind
from triaged.core.events import NobodyTold
from triaged.core.model import Incident
from triaged.core.recipients import TEAM, Directory, Recipient
from triaged.core.rules import RuleSet
from triaged.errors import StoreError
from triaged.intake.units import Answer, Happened, Unit
from triaged.ports.channel import Message
from triaged.ports.store import Notice
from triaged.store import notices, shifts
from triaged.store.reading import Reader
from triaged.workers.addresses import Addresses
from triaged.workers.letters import template_of

log = structlog.get_logger(__name__)

Run = Callable[[Callable[[Any, datetime], Any]], Any]
AT_THE_END: Final = frozenset({NoticeKind.RESOLVED, NoticeKind.UPDATE, NoticeKind.REVIEW, NoticeKind.ACTION})
"""What is still worth telling once it is over."""
_PAGED: Final = frozenset(
    {
        NoticeKind.UPDATE,
        NoticeKind.UPDATE_DUE,
        NoticeKind.PAUSE_OVER,
        NoticeKind.CHECK_IN,
        NoticeKind.RESOLVED,
        NoticeKind.REVIEW,
        NoticeKind.ACTION,
    }
)
"""What a paging service is not told: it would wake somebody. That it is over it is told by its key."""
_CALLS: Final = frozenset(NoticeKind) - _PAGED
_SHOWN: Final = 10
_UNAVAILABLE: Final = 503
_AT_ONCE: Final = 50
"""In a storm: each by itself would be a transaction, and the writer has alerts to take in."""


class _Plan(Struct, frozen=True, kw_only=True):
    """What becomes of a notice: its outcome in a word, its messages, and what the timeline says at once."""

    outcome: str
    messages: tuple[Message, ...] = ()
    words: str = ""


class NotifyWorker:
    """Some notices a step, gravest first. Several processes may run it on one store: a notice is taken up once."""

    name = "notify"

    def __init__(  # noqa: PLR0913 - the worker's collaborators, given once
        self,
        addresses: Addresses,
        *,
        rules: Callable[[], RuleSet],
        read: Callable[[], AbstractContextManager[Reader]],
        run: Run,
        ask: Callable[[Unit], Answer],
        wake: Callable[[], None],
    ) -> None:
        self._addresses = addresses
        self._rules = rules
        self._read = read
        self._run = run
        self._ask = ask
        self._wake = wake

    def step(self, now: datetime) -> bool:
        with self._read() as reader:
            waiting = notices.waiting(reader.connection, _AT_ONCE)
            if not waiting:
                return False
            directory = self._directory(reader, now)
            plans = [(notice, self._plan(notice, reader, directory, now)) for notice in waiting]
        for notice, plan in plans:
            if plan.outcome == "nobody" and notice.audience is Audience.RESPONDERS:
                # Before it is settled: asked twice it is one, and not at all would leave nobody told.
                answer = self._ask(Happened(incident_id=notice.incident_id, event=NobodyTold(key=notice.key)))
                if answer.status == _UNAVAILABLE:
                    raise StoreError(answer.error)
        self._run(lambda transaction, at: _settle_all(transaction.connection, plans, at))
        if any(plan.messages for _, plan in plans):
            self._wake()
        return True

    def next_at(self, now: datetime) -> datetime | None:
        return None

    def _directory(self, reader: Reader, now: datetime) -> Directory:
        """Whom words mean now."""
        rules = self._rules()
        rota = shifts.rota(rules, reader.connection)
        return Directory(
            teams=rules.teams,
            people=rules.people,
            channels=self._addresses.channels,
            on_call=lambda team: rota.now(team, now),
        )

    def _plan(self, notice: Notice, reader: Reader, directory: Directory, now: datetime) -> _Plan:
        row = reader.incident(notice.incident_id)
        if row is None or is_overtaken(notice, row.incident):
            return _Plan(outcome="overtaken")
        incident = row.incident
        meant = directory.answer(notice.recipients, incident.team)
        if self._addresses.silent:
            names = wording.listing([str(one) for one in meant], most=_SHOWN)
            words = f"no channel is configured: {names} would be told ({_what(notice)})" if meant else ""
            return _Plan(outcome="silent", words=words)
        places = [(one, place) for one in meant for place in self._addresses.places(one)]
        if not places:
            return _Plan(outcome="nobody", words=_nobody(notice, meant))
        told = _told_already(reader, notice)
        return _Plan(
            outcome="taken",
            messages=tuple(
                _message(notice, one, place, now)
                for one, place in places
                if (one.channel, one.name) not in told and not self._would_page(notice, one, place)
            ),
        )

    def _would_page(self, notice: Notice, recipient: Recipient, place: int) -> bool:
        return notice.kind in _PAGED and self._addresses.pages(recipient, place)


def is_overtaken(notice: Notice, incident: Incident) -> bool:
    """Whether it is too late to tell: it is over, or another incident tells of it. What is to be done is its own."""
    if notice.kind is NoticeKind.ACTION:
        return False
    return incident.parent is not None or (notices.is_over(incident) and notice.kind not in AT_THE_END)


def _settle_all(connection: Any, plans: Iterable[tuple[Notice, _Plan]], now: datetime) -> None:
    for notice, plan in plans:
        _settle(connection, notice, plan, now)


def _settle(connection: Any, notice: Notice, plan: _Plan, now: datetime) -> None:
    if not notices.take_up(connection, notice, plan.outcome, now):
        return
    notices.add(connection, plan.messages)
    if plan.words:
        notices.tell(connection, notice.incident_id, plan.words, now)


def _told_already(reader: Reader, notice: Notice) -> set[tuple[str, str]]:
    """Who is called by another notice of the same decision: one that is raised is escalated, too."""
    if notice.kind not in _CALLS or notice.audience is not Audience.RESPONDERS:
        return set()
    others = {
        other.id
        for other in notices.notices_of(reader.connection, notice.incident_id)
        if other.id != notice.id
        and other.created_at == notice.created_at
        and other.audience is Audience.RESPONDERS
        and other.kind in _CALLS
    }
    sent = notices.messages_of(reader.connection, notice.incident_id) if others else []
    return {(message.channel, message.name) for message in sent if message.notice_id in others}


def _message(notice: Notice, recipient: Recipient, place: int, now: datetime) -> Message:
    return Message(
        id=0,
        notice_id=notice.id,
        incident_id=notice.incident_id,
        channel=recipient.channel,
        name=recipient.name,
        place=place,
        rank=notice.rank,
        created_at=now,
        due_at=now,
    )


def _nobody(notice: Notice, meant: tuple[Recipient, ...]) -> str:
    if notice.recipients == (TEAM,):
        # Most teams have no channel, and nothing was promised.
        return ""
    words = wording.listing(notice.recipients, most=_SHOWN)
    if not meant:
        return f"nobody is told ({_what(notice)}): {words} is nobody now"
    names = wording.listing([str(one) for one in meant], most=_SHOWN)
    return f"nobody is told ({_what(notice)}): the rules have no address of {names}"


def _what(notice: Notice) -> str:
    return template_of(notice).replace("_", " ")
