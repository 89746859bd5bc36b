"""Services that people are told by, as local servers: they keep what they were sent, and answer as they are told."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was sent to a path."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Receiver:
    """An HTTP service that takes everything.

    `statuses` are the next answers, then `status`; `slow` holds answers back until it is set.
    """

    status: int = 200
    answer: bytes = b"{}"
    statuses: list[int] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    slow: threading.Event | None = None
    _server: ThreadingHTTPServer | None = None

    @property
    def place(self) -> str:
        """HOST:PORT."""
        assert self._server is not None
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def bodies(self) -> list[Any]:
        return [request.json for request in self.requests]

    def __enter__(self) -> Self:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                body = self.rfile.read(length)
                fake.requests.append(Request(path=self.path, headers=dict(self.headers.items()), body=body))
                if fake.slow is not None:
                    fake.slow.wait(30)
                self.send_response(fake.statuses.pop(0) if fake.statuses else fake.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(fake.answer)))
                self.end_headers()
                self.wfile.write(fake.answer)

            def do_PUT(self) -> None:
                self.do_POST()

            def log_message(self, *_: object) -> None:
                """Tests say what they saw."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.slow is not None:
            self.slow.set()
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One message as a mail server took it."""

    sender: str
    to: tuple[str, ...]
    content: bytes


class Mailbox:
    """A real SMTP server: it keeps mail, or with `refuses` turns it away for now."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.refuses = False
        self.place = ""

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name
        if self.refuses:
            return "451 try again later"
        content = envelope.content
        assert isinstance(content, bytes)
        mail = Mail(sender=envelope.mail_from or "", to=tuple(envelope.rcpt_tos), content=content)
        self.mails.append(mail)
        return "250 taken"


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    box = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    box.place = f"127.0.0.1:{port}"
    try:
        yield box
    finally:
        controller.stop()
