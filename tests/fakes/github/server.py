"""The fake's HTTP: a loopback server on a thread of its own, and what can be done to a connection."""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from fakes.github.exchange import Answer


class Ending(Enum):
    """A connection's end without an answer."""

    CLOSE = "close"
    RESET = "reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One request; `headers` have lower-case names."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: Connection


@dataclass(frozen=True, slots=True)
class Connection:
    """Lets an operation stand still without outliving its client or the server."""

    _socket: socket.socket
    _stopping: threading.Event

    def wait(self, event: threading.Event, *, seconds: float | None = None) -> bool:
        """Whether the event came (or the seconds passed) while the client was still there."""
        left = seconds
        while not self._stopping.is_set():
            if event.is_set() or (left is not None and left <= 0):
                return True
            pause = 0.01 if left is None else min(left, 0.01)
            left = None if left is None else left - pause
            readable, _, _ = select.select([self._socket], [], [], pause)
            if readable and self._is_closed():
                return False
        return False

    def wait_for_its_end(self) -> None:
        self.wait(threading.Event())

    def _is_closed(self) -> bool:
        try:
            return not self._socket.recv(1, socket.MSG_PEEK)
        except OSError:
            return True


Handle = Callable[[Incoming], Answer | Ending]


@dataclass(slots=True, kw_only=True)
class Server:
    """Serves `handle` on a port of 127.0.0.1 that stays the same over `stop` and `start`."""

    handle: Handle
    on_bug: Callable[[str], None]
    port: int = 0
    _server: _HttpServer | None = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        if self._server is not None:
            return
        self._server = _HttpServer(("127.0.0.1", self.port), self.handle, self.on_bug)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, name="fake-github"
        )
        self._thread.start()

    def stop(self) -> None:
        """New connections are refused, open ones are closed; returns when no thread is left."""
        server, thread = self._server, self._thread
        if server is None or thread is None:
            return
        self._server = None
        server.shutdown()
        server.stopping.set()
        server.close_connections()
        server.server_close()
        thread.join()


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handle: Handle, on_bug: Callable[[str], None]) -> None:
        self.handle_incoming = handle
        self.on_bug = on_bug
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, _Handler)

    def close_connections(self) -> None:
        with self._open_lock:
            for connection in self._open:
                connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Only closes: a shutdown first would turn a reset into an orderly end."""
        with self._open_lock:
            self._open.discard(request)
            self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client may go away at any time; anything else is a bug of the fake."""
        if not isinstance(sys.exception(), ConnectionError):
            self.on_bug(traceback.format_exc())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "GitHub.com"
    sys_version = ""
    disable_nagle_algorithm: ClassVar[bool] = True
    server: _HttpServer

    def do_request(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            # The client died in the midst of it.
            self.close_connection = True
            return
        incoming = Incoming(
            method=self.command,
            target=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            connection=Connection(self.connection, self.server.stopping),
        )
        match self.server.handle_incoming(incoming):
            case Ending.CLOSE:
                self.close_connection = True
            case Ending.RESET:
                # Linger 0: closing sends RST, so the client sees a reset and no end of file.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
            case Answer() as answer:
                self._send(answer)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_request  # noqa: N815 - http.server finds them by name

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what came is in the fake's `requests`."""

    def _send(self, answer: Answer) -> None:
        raw = isinstance(answer.body, bytes)
        data = answer.body if raw else json.dumps(answer.body).encode()
        # Not `send_response`, which tells the machine's time: the fake has a clock of its own.
        self.send_response_only(answer.status)
        self.send_header("Server", self.version_string())
        self.send_header("Content-Type", "text/html" if raw else "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
