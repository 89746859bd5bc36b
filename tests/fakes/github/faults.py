"""What may go wrong with a request on demand: each fault is a value that a test queues for an operation."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

CONTENT_LIMIT = (
    "You have exceeded a secondary rate limit and have been temporarily blocked from content creation. "
    "Please retry your request again later."
)
SECONDARY_LIMIT = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
TOO_QUICKLY = "was submitted too quickly"


@dataclass(frozen=True, slots=True)
class LostAnswer:
    """The write is done; the connection closes without an answer."""


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset before anything is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerError:
    """A 5xx answer: 502 and 503 as the HTML page of a proxy, 500 as JSON."""

    status: Literal[500, 502, 503, 504] = 502
    after_commit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hang:
    """No answer ever: the request ends when the client gives up or the fake stops."""

    after_commit: bool = False


@dataclass(frozen=True, slots=True)
class LateCommit:
    """The connection closes without an answer; the write is done when the fake's clock has come this far."""

    after: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """A rate limit, refused before anything is done; `retry_after` in seconds, None where GitHub leaves it out."""

    status: Literal[403, 422, 429] = 403
    retry_after: int | None = None
    kind: Literal["secondary", "content", "primary"] = "content"


@dataclass(frozen=True, slots=True)
class Slow:
    """Done and answered, after a real pause."""

    pause: timedelta


@dataclass(frozen=True, slots=True)
class Garbled:
    """Done, with the true status and a body that cannot be read; `body` None leaves the true one, for odd headers."""

    body: bytes | None = b'{"number": '
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """Sent elsewhere before anything is done; `{path}` in `location` becomes the path that was asked for.

    GitHub's message is that of a permanent move with any status.
    """

    location: str
    message: str = "Moved Permanently"
    status: Literal[301, 302, 307, 308] = 307


@dataclass(slots=True, kw_only=True)
class Held:
    """Stands still until released, then goes on as if nothing had been; for crashes and races at a known point."""

    after_commit: bool = False
    arrived: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def release(self) -> None:
        self.released.set()


Fault = LostAnswer | Reset | ServerError | Hang | LateCommit | Limited | Slow | Garbled | Redirect | Held


class FaultQueue:
    """Faults by operation, first in first out; those of "*" meet any operation that has none of its own."""

    def __init__(self) -> None:
        self._queues: defaultdict[str, deque[Fault]] = defaultdict(deque)

    def put(self, operation: str, fault: Fault, *, times: int) -> None:
        self._queues[operation].extend([fault] * times)

    def take(self, operation: str) -> Fault | None:
        queue = self._queues[operation] or self._queues["*"]
        return queue.popleft() if queue else None
