"""The daemon's end of the line: starts the door's process, and answers what comes through it."""

from __future__ import annotations

import asyncio
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final

import structlog

from triaged.door import wire
from triaged.door.doors import Door
from triaged.door.ingest import Application
from triaged.intake.known import Mirrored
from triaged.intake.units import Answer, Unit
from triaged.ports.tally import Tally
from triaged.sources.sns import Handshake

log = structlog.get_logger(__name__)

_READ: Final = 1024 * 1024
_FULL: Final = Answer(status=503, error="the intake queue is full: send it again")


class Inside:
    """The door, as the daemon has it. `flush` is for the writer's thread, `use` and `stop` for any.

    `application` answers what is no delivery; `submit` queues one for the writer, False where it takes no more;
    `count`, `shake` and `repeated` are told what the door counted, whom it met, and what it answered alone. Without
    `known` it decides nothing alone.
    """

    def __init__(  # noqa: PLR0913 - the door's collaborators, given once
        self,
        application: Application,
        *,
        doors: Mapping[str, Door],
        known: Mirrored | None,
        submit: Callable[[Unit, Callable[[Answer], None]], bool],
        count: Callable[[Tally], None],
        shake: Callable[[Handshake, frozenset[str]], None],
        repeated: Callable[[Collection[bytes]], None],
    ) -> None:
        self._application = application
        self._doors = doors
        self._known = known
        self._submit = submit
        self._count = count
        self._shake = shake
        self._repeated = repeated
        self._frames = wire.Frames()
        self._answers: list[tuple[int, Answer]] = []
        self._sending = threading.Lock()
        self._line: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._gone: asyncio.Event | None = None
        self._leaving = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def doors(self) -> Mapping[str, Door]:
        return self._doors

    def use(self, doors: Mapping[str, Door]) -> None:
        """Answer at these doors from now on."""
        self._doors = doors
        self._send([wire.Opened(doors, self._known is not None)])

    async def serve(self, listener: socket.socket, level: str) -> bool:
        """Take requests on a bound socket until `stop`; False where the door ended without having been told to."""
        self._loop, self._gone = asyncio.get_running_loop(), asyncio.Event()
        line, theirs = socket.socketpair()
        with theirs, listener:
            numbers = (theirs.fileno(), listener.fileno())
            command = [sys.executable, "-P", "-m", "triaged.door", *map(str, numbers), level]
            self._process = subprocess.Popen(command, pass_fds=numbers, stdin=subprocess.DEVNULL)  # noqa: S603 - us
        self._line = line
        self._loop.add_reader(line, self._read)
        try:
            self.use(self._doors)
            await self._gone.wait()
        finally:
            self._loop.remove_reader(line)
            with self._sending:
                self._line = None
                line.close()
            _end(self._process)
        return self._leaving

    def stop(self) -> None:
        """Take no more requests, answer those that wait; `serve` returns afterwards."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._leave)

    def flush(self) -> None:
        """Tell of a commit: what is known by it, and the answers. One frame a batch."""
        if self._line is None:
            return
        changes = None if self._known is None else self._known.changes()
        answers, self._answers = self._answers, []
        if changes or answers:
            self._send([wire.Settled(changes, answers)])

    def _leave(self) -> None:
        if self._leaving or self._loop is None or self._process is None:
            return
        self._leaving = True
        self._send([wire.Leave()])
        self._loop.call_later(wire.STOP_SECONDS + 2, self._process.kill)

    def _read(self) -> None:
        assert self._line is not None and self._gone is not None  # noqa: S101, PT018 - `serve` set both
        try:
            data = self._line.recv(_READ, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._gone.set()
        for message in self._frames.feed(data):
            self._hear(message)

    def _hear(self, message: wire.ToDaemon) -> None:
        match message:
            case wire.Delivered():
                if not self._submit(message.delivery, partial(self._reply, message.number)):
                    self._send([wire.Settled(None, [(message.number, _FULL)])])
            case wire.Asked():
                task = asyncio.ensure_future(self._answer(message))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            case wire.Counted():
                self._count(message.tally)
            case wire.Repeated():
                self._repeated(message.digests)
            case wire.Shaken():
                self._shake(message.handshake, message.topics)

    def _reply(self, number: int, answer: Answer) -> None:
        """Called on the writer's thread; `flush` follows."""
        self._answers.append((number, answer))

    async def _answer(self, asked: wire.Asked) -> None:
        """Let the application answer a request, as an ASGI server would."""
        given = started = False

        async def receive() -> dict[str, Any]:
            nonlocal given
            if given:
                await asyncio.Event().wait()
            given = True
            return {"type": "http.request", "body": asked.body, "more_body": False}

        async def send(message: Mapping[str, Any]) -> None:
            nonlocal started
            started = True
            self._send([wire.Said(asked.number, message)])

        try:
            await self._application(dict(asked.scope), receive, send)
        except Exception:
            # The application answers for its own bugs: what comes here must all the same not keep the asker waiting.
            log.exception("request failed", method=asked.scope["method"], path=asked.scope["path"])
            if not started:
                await send({"type": "http.response.start", "status": 500, "headers": []})
            await send({"type": "http.response.body"})

    def _send(self, messages: Sequence[wire.ToDoor]) -> None:
        """Thread-safe. A door that is gone is noticed where it is read."""
        content = memoryview(wire.frame(messages))
        with self._sending:
            while content and self._line is not None:
                try:
                    content = content[self._line.send(content) :]
                except BlockingIOError:
                    # The event loop made the socket one that does not wait; whoever sends does.
                    room = select.poll()
                    room.register(self._line, select.POLLOUT)
                    room.poll()
                except OSError as error:
                    log.info("the door cannot be told", why=str(error))
                    return


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
