"""Where people are told: what a channel takes and promises, and a message to one address as it is kept."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Protocol

from msgspec import Struct

from triaged.core.model import Severity
from triaged.core.recipients import Recipient


@unique
class PieceKind(StrEnum):
    """Who wrote a piece of a letter: the operator's template, somebody else, or it is a link of ours."""

    OURS = "ours"
    THEIRS = "theirs"
    LINK = "link"


class Piece(Struct, frozen=True, kw_only=True):
    """A part of a text; each channel writes it so that what others wrote does nothing there but be read."""

    kind: PieceKind
    text: str


Pieces = tuple[Piece, ...]


@unique
class PageState(StrEnum):
    """What a paging service was told of an incident last; "" where nothing was told, or it is no such service."""

    NONE = ""
    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Page(Struct, frozen=True, kw_only=True):
    """What a paging service shows as one incident of its own; `key` is the same for all that is told of ours."""

    key: str
    state: PageState
    severity: Severity
    summary: str
    source: str
    url: str


class Letter(Struct, frozen=True, kw_only=True):
    """What one address is told at once. `markdown` says that what is ours in `body` is Markdown, else it is text."""

    subject: Pieces
    body: Pieces
    markdown: bool
    page: Page


class Channel(Protocol):
    """One address of one service. An object is made for each letter, from the address as it is then.

    `pages` says that the service keeps an incident of its own by the page's key: it is told of acknowledgement and
    end, and shows what comes twice once. `pace` is the shortest time between two letters.
    """

    pages: bool
    pace: timedelta

    def send(self, letter: Letter) -> None:
        """Deliver the letter within half a minute. Raises DeliveryError, whose text holds no secret."""
        ...


@unique
class Ending(StrEnum):
    """What became of a message; "" while it waits."""

    WAITING = ""
    SENT = "sent"
    GIVEN_UP = "given_up"
    OVERTAKEN = "overtaken"


class Message(Struct, frozen=True, kw_only=True):
    """A notice on its way to one address, once.

    `channel` is the configured name, or `people`; `name` the channel's or the person's, `place` which of the person's
    addresses (the address itself is no matter of the store). `intended_at` is set before it is sent and goes when the
    outcome is known; where it is found again, it may have been sent (`perhaps_twice`). `told` is what the timeline
    says of it: an ending, or `late` after some attempts that failed.
    """

    id: int
    notice_id: int
    incident_id: int
    channel: str
    name: str
    place: int = 0
    rank: int
    created_at: datetime
    due_at: datetime
    claimed_until: datetime | None = None
    intended_at: datetime | None = None
    perhaps_twice: bool = False
    attempts: int = 0
    ending: Ending = Ending.WAITING
    done_at: datetime | None = None
    failure: str = ""
    told: str = ""
    page: PageState = PageState.NONE

    @property
    def recipient(self) -> Recipient:
        return Recipient(channel=self.channel, name=self.name)
