"""The door's end of the line: hands deliveries and other requests to the daemon, and learns what is known."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

import structlog

from triaged.door import wire
from triaged.door.doors import Door
from triaged.door.ingest import Receive, Scope, Send
from triaged.intake.units import Answer, Delivery
from triaged.ports.tally import Tally
from triaged.sources.sns import Handshake
from triaged.web.limits import most_bytes

log = structlog.get_logger(__name__)

_SCOPE: Final = (
    "type", "asgi", "http_version", "method", "scheme", "path", "raw_path", "query_string", "root_path", "headers",
    "client", "server",
)  # fmt: skip
# The daemon is told of so many in some ms.
_MOST_REPEATED: Final = 20_000


class Line(asyncio.Protocol):
    """One connection to the daemon. When the daemon is gone the process ends at once: nobody could answer any more.

    `opened` is the daemon's first word; `use` is called with the doors of later ones, `leave` when the end has come.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._frames = wire.Frames()
        self._transport: asyncio.WriteTransport | None = None
        self._numbers = 0
        self._deliveries: dict[int, asyncio.Future[Answer]] = {}
        self._requests: dict[int, asyncio.Queue[Mapping[str, Any]]] = {}
        self._outgoing: list[wire.ToDaemon] = []
        self.opened: asyncio.Future[wire.Opened] = loop.create_future()
        self.use: Callable[[Mapping[str, Door]], None] = lambda _doors: None
        self.leave: Callable[[], None] = lambda: os._exit(0)
        self._left = False
        self.known: dict[bytes, str] = {}
        self.tally = Tally()
        self._repeated: set[bytes] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Whoever waits for an answer must not get one: nobody knows whether the daemon committed."""
        if not self._left:
            os._exit(1)

    def close(self) -> None:
        """Nothing more is to be said."""
        self._tell_repeated()
        self._flush()
        self._left = True
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        for message in self._frames.feed(data):
            self._hear(message)

    def submit(self, delivery: Delivery) -> asyncio.Future[Answer]:
        """The daemon's answer to a delivery, after its commit."""
        answer: asyncio.Future[Answer] = self._loop.create_future()
        number = self._number()
        self._deliveries[number] = answer
        self._say(wire.Delivered(number, delivery))
        return answer

    def repeated(self, digests: Iterable[bytes]) -> None:
        """These were answered without asking; the daemon is told some time later. Most requests come here."""
        if not self._repeated:
            self._loop.call_later(wire.REPEATED_SECONDS, self._tell_repeated)
        self._repeated.update(digests)
        if len(self._repeated) > _MOST_REPEATED:
            self._tell_repeated()

    def _tell_repeated(self) -> None:
        if self._repeated:
            self._say(wire.Repeated(frozenset(self._repeated)))
            self._repeated.clear()

    def shake(self, handshake: Handshake, topics: frozenset[str]) -> None:
        self._say(wire.Shaken(handshake, topics))

    async def application(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application: the daemon's, asked over the line. The daemon refuses a body that is too large."""
        if scope["type"] != "http":
            return
        body = bytearray()
        most = most_bytes(scope["path"], scope["headers"])
        while len(body) <= most:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        number = self._number()
        parts = self._requests[number] = asyncio.Queue()
        # What is counted here belongs into the daemon's metrics before it may be asked for them.
        tally, self.tally = self.tally, Tally()
        self._say(wire.Counted(tally))
        self._say(wire.Asked(number, {key: scope[key] for key in _SCOPE if key in scope}, bytes(body[: most + 1])))
        try:
            more = True
            while more:
                part = await parts.get()
                await send(dict(part))
                more = part["type"] == "http.response.start" or part.get("more_body", False)
        finally:
            del self._requests[number]

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _say(self, message: wire.ToDaemon) -> None:
        """What is said in one turn of the loop goes in one frame."""
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(message)

    def _flush(self) -> None:
        messages, self._outgoing = self._outgoing, []
        if self._transport is not None:
            self._transport.write(wire.frame(messages))

    def _hear(self, message: wire.ToDoor) -> None:
        match message:
            case wire.Settled():
                self._settle(message)
            case wire.Said() if message.number in self._requests:
                self._requests[message.number].put_nowait(message.message)
            case wire.Opened() if self.opened.done():
                self.use(message.doors)
            case wire.Opened():
                self.opened.set_result(message)
            case wire.Leave():
                self._tell_repeated()
                self.leave()
            case _:
                """Whoever asked has gone away."""

    def _settle(self, settled: wire.Settled) -> None:
        """First what is known now, then the answers: whoever was answered and comes again finds it so."""
        if settled.changes is not None:
            settled.changes.apply(self.known)
        for number, answer in settled.answers:
            waiting = self._deliveries.pop(number, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(answer)
