"""The HTTP server of the door: uvicorn, with one write an answer and a bound for the heading of a request."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from triaged.door.ingest import Application
from triaged.door.wire import STOP_SECONDS

MOST_HEADING_BYTES: Final = 64 * 1024
_PATIENCE_SECONDS: Final = 2
_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
    b"connection: close\r\n\r\n%s"
)
_WHY: Final = b'{"error":"expected at most %d bytes before the body, got more"}' % MOST_HEADING_BYTES


class Server(uvicorn.Server):
    """Serves until `should_exit`; signals are the daemon's business."""

    def __init__(self, application: Application) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                loop="none",
                http=_Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=STOP_SECONDS,
                timeout_keep_alive=75,
            )
        )

    def leave(self) -> None:
        """Take no more; whoever has sent a whole request is answered, half a request is waited for a moment."""
        self.should_exit = True
        asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, self._hang_up)

    def _hang_up(self) -> None:
        for connection in list(self.server_state.connections):
            cycle = getattr(connection, "cycle", None)
            if cycle is not None and cycle.more_body and not cycle.response_complete:
                connection.transport.close()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none: the daemon says when to leave."""
        yield


class _Protocol(HttpToolsProtocol):
    """Uvicorn's protocol; it has no bound of its own for the bytes before a body."""

    _heading: int | None = None
    """Bytes that came since a request began, while its headers are not complete."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(cast(asyncio.Transport, _Gathering(transport, self.loop)))

    def on_message_begin(self) -> None:
        self._heading = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._heading = None
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        # What came together with the end of the request before is not counted: it is bounded by one read.
        going_on = self._heading is not None
        super().data_received(data)
        if going_on and self._heading is not None:
            self._heading += len(data)
            if self._heading > MOST_HEADING_BYTES and not self.transport.is_closing():
                self.transport.write(_TOO_LARGE % (len(_WHY), _WHY))
                self.transport.close()


class _Gathering:
    """A transport that writes once a turn of the loop: uvicorn writes the head of an answer and its body apart.

    Each write is a system call, and wakes whoever waits for it: one instead of two takes a third off a request.
    """

    __slots__ = ("_held", "_soon", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._soon = loop.call_soon
        self._held: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._held:
            self._soon(self._flush)
        self._held.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        held, self._held = self._held, []
        if held:
            self._transport.write(b"".join(held))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
