"""What a timeline says of a notice: who was told by it, who was not yet or never, in one entry once that is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from triaged.core import wording
from triaged.ports.channel import Ending, Message
from triaged.ports.store import Notice
from triaged.store import notices
from triaged.workers.letters import template_of

LATE: Final = "late"
LATE_AFTER: Final = 3
"""Attempts that failed before people are told of it; there will be others."""
_SHOWN: Final = 10


def account(connection: Connection, notice_id: int, now: datetime) -> None:
    """Tell what is new of a notice, as soon as of each of its messages something is known."""
    messages = notices.messages_for(connection, notice_id)
    if not all(map(state_of, messages)):
        return
    new = [message for message in messages if state_of(message) != message.told]
    notice = notices.notices(connection, [notice_id]).get(notice_id)
    if notice is None or not new:
        return
    notices.tell(connection, notice.incident_id, in_words(notice, new), now)
    notices.note_told(connection, ((message.id, state_of(message)) for message in new))


def state_of(message: Message) -> str:
    """How a message stands, in a word; "" while there is nothing to be said."""
    return message.ending.value or (LATE if message.attempts >= LATE_AFTER else "")


def in_words(notice: Notice, messages: Iterable[Message]) -> str:
    """One entry of the timeline."""
    known = list(messages)
    return f"{template_of(notice).replace('_', ' ')}: {'; '.join(_parts(known))}"


def _parts(messages: list[Message]) -> Iterator[str]:
    sent = [message for message in messages if message.ending is Ending.SENT]
    if sent:
        yield f"{_names(sent)} told"
    twice = [message for message in sent if message.perhaps_twice]
    if twice:
        yield f"{_names(twice)} perhaps told twice, for it is not known whether the first one arrived"
    for message in messages:
        name = _names([message])
        if message.ending is Ending.GIVEN_UP:
            attempts = wording.count(message.attempts, "attempt")
            yield f"{name} could not be told ({message.failure}), given up after {attempts}"
        elif message.ending is Ending.WAITING:
            yield f"{name} not told yet ({message.failure}), tried again"
    late = [message for message in messages if message.ending is Ending.OVERTAKEN]
    if late:
        yield f"{_names(late)} not told any more, it was over"


def _names(messages: Iterable[Message]) -> str:
    names = dict.fromkeys(str(one.recipient) for one in messages)
    return wording.listing([*names], most=_SHOWN)
