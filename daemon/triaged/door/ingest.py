"""The ingest door: a bare ASGI callable in front of the application, because every alert pays for it.

Alertmanager retries 5xx and nothing else (not 429): an overload or a store that is down is 503, 400 is only for what
can never be read, and 2xx comes after the commit, never before.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Final

import structlog

from triaged.clock import seconds
from triaged.door.doors import JSON, RETRY, Answered, Door, refused, taken
from triaged.errors import PayloadError
from triaged.ids import delivery_id
from triaged.intake.units import Answer, Delivery
from triaged.ports.mapping import SourceMapping
from triaged.ports.tally import Tally
from triaged.sources import alertmanager, mapped, pagerduty
from triaged.sources.limits import MOST_BYTES
from triaged.sources.mapped import Letter
from triaged.sources.sns import Handshake

log = structlog.get_logger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

PREFIX: Final = "/api/v1/alerts/"
# A larger body is read on a thread of its own: it would keep all others waiting. Of a mapped source, whose expressions
# take longer, and of an Alertmanager.
_LARGE: Final = 4 * 1024
_LARGE_WEBHOOK: Final = 512 * 1024


class Ingest:
    """Answers POST below PREFIX; hands everything else on to `application`.

    `doors` are what stands at which path ending; `use` brings others. A delivery of which every alert is `known` (the
    status by digest) touches no disk; any other is submitted, and answered after its commit. Without `known` each is.
    `tally` gives what to count in; `shake` is told of subscriptions that ask to be confirmed, `repeated` the digests of
    each delivery that was known.
    """

    def __init__(  # noqa: PLR0913 - the door's collaborators, given once
        self,
        application: Application,
        *,
        doors: Mapping[str, Door],
        known: Callable[[bytes], str | None] | None,
        submit: Callable[[Delivery], Awaitable[Answer]],
        tally: Callable[[], Tally],
        shake: Callable[[Handshake, frozenset[str]], None],
        repeated: Callable[[Sequence[bytes]], None] = lambda _digests: None,
    ) -> None:
        self._application = application
        self.doors = doors
        self._known = known
        self._submit = submit
        self._tally = tally
        self._shake = shake
        self._repeated = repeated

    def use(self, doors: Mapping[str, Door]) -> None:
        """Answer at these doors from the next request on."""
        self.doors = doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._application(scope, receive, send)
            return
        began = seconds()
        source = ""
        try:
            source, answer = await self._answer(scope, receive)
        except PayloadError as error:
            answer = refused(error.status, str(error))
            log.warning("request refused", path=scope["path"], status=error.status, why=str(error))
        except Exception:
            log.exception("ingest failed", path=scope["path"])
            self._tally().bugs += 1
            answer = refused(503, "something broke here, nothing was stored: send it again", RETRY)
        headers = [*answer.headers, (b"content-length", str(len(answer.body)).encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})
        if source:
            self._tally().observe(source, seconds() - began)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[str, Answered]:
        """The source whose door it is, "" without one, and the answer. Raises PayloadError."""
        door = self.doors.get(scope["path"][len(PREFIX) :].rstrip("/"))
        if door is None:
            expected = ", ".join(PREFIX + name for name in self.doors)
            return "", refused(404, f"no such source: expected one of {expected}")
        if scope["method"] != "POST":
            return "", refused(405, f"expected POST, got {scope['method']}", [*JSON, (b"allow", b"POST")])
        if door.auth is None:
            return "", refused(
                403, f"expected tokens for this source: the configuration has none at sources.{door.source}"
            )
        headers = dict(scope["headers"])
        body: bytes | None = None
        if not door.auth.allows(headers.get(b"authorization")):
            if door.takes_routing_keys and b"authorization" not in headers:
                body = await _body(headers, receive, pagerduty.MOST_BYTES)
            if body is None or not door.auth.allows(_routing_key(body)):
                return "", _unauthorized(door)
        if door.auth.open and b"origin" in headers:
            return "", refused(403, "expected no request of a web page, where no token says who sends")
        if body is None:
            body = await _body(headers, receive, MOST_BYTES)
        if door.mapping is None:
            return door.source, await self._alertmanager(door, body)
        return door.source, await self._mapped(door, door.mapping, body)

    async def _alertmanager(self, door: Door, body: bytes) -> Answered:
        if self._known is not None and self._all_known(door.source, alertmanager.digests(door.source, body)):
            return taken(door, None)
        if len(body) > _LARGE_WEBHOOK:
            reading = await asyncio.to_thread(alertmanager.read, door.source, body)
        else:
            reading = alertmanager.read(door.source, body)
        delivery = Delivery(id=delivery_id(), source=door.source, body=body, reading=reading)
        return await self._stored(door, delivery, None)

    async def _mapped(self, door: Door, mapping: SourceMapping, body: bytes) -> Answered:
        if len(body) > _LARGE:
            letter = await asyncio.to_thread(mapped.open_letter, mapping, body)
        else:
            letter = mapped.open_letter(mapping, body)
        if letter.handshake is not None:
            self._shake(letter.handshake, mapping.topics)
        reading = letter.reading
        if not reading.alerts and not reading.rejected:
            return taken(door, letter, {})
        digests = [*(alert.digest for alert in reading.alerts), *(bad.digest for bad in reading.rejected)]
        if self._all_known(door.source, digests):
            return taken(door, letter)
        delivery = Delivery(id=delivery_id(), source=door.source, body=body, reading=reading)
        return await self._stored(door, delivery, letter)

    async def _stored(self, door: Door, delivery: Delivery, letter: Letter | None) -> Answered:
        answer = await self._submit(delivery)
        if answer.status == 200:
            return taken(door, letter, answer.counts)
        if answer.status in (400, 413):
            log.warning("request refused", source=door.source, status=answer.status, why=answer.error)
            return refused(answer.status, answer.error)
        return refused(503, answer.error, RETRY)

    def _all_known(self, source: str, digests: list[bytes] | None) -> bool:
        """Whether every alert is in the state that is on disk; counts them then."""
        if not digests or self._known is None:
            return False
        statuses = [*map(self._known, digests)]
        if None in statuses:
            return False
        tally = self._tally()
        for status in set(statuses):
            tally.repeated(source, str(status), statuses.count(status))
        self._repeated(digests)
        return True


def _routing_key(body: bytes) -> bytes | None:
    key = pagerduty.routing_key(mapped.parse(body))
    return None if key is None else b"Bearer " + key.encode(errors="replace")


def _unauthorized(door: Door) -> Answered:
    expected = " or a routing_key" if door.takes_routing_keys else ""
    text = f"expected a valid bearer token or basic authentication{expected}"
    return refused(401, text, [*JSON, door.challenge])


async def _body(headers: Mapping[bytes, bytes], receive: Receive, most: int) -> bytes:
    """The whole body, unpacked; raises PayloadError (413) as soon as it is too large, (400) where it is not gzip."""
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length) > most:
        raise _too_large(most, f"{int(length):,}")
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise PayloadError("expected a whole body, the sender went away")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise _too_large(most, "more")
        chunks.append(chunk)
        if not message.get("more_body", False):
            break
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    match headers.get(b"content-encoding", b"identity").strip().lower():
        case b"identity" | b"":
            return body
        case b"gzip" | b"x-gzip":
            return _unpacked(body, most)
        case other:
            got = other[:50].decode("ascii", "backslashreplace")
            raise PayloadError(f"expected content-encoding gzip or none, got {got}", status=415)


def _unpacked(body: bytes, most: int) -> bytes:
    """All members of a gzip body (RFC 1952, 2.2), never more than a body may have."""
    unpacked = b""
    while body:
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            unpacked += unpacker.decompress(body, most + 1 - len(unpacked))
        except zlib.error as error:
            raise PayloadError(f"expected a gzip body, as content-encoding says: {error}") from error
        if len(unpacked) > most:
            raise _too_large(most, "more")
        if not unpacker.eof:
            raise PayloadError("expected a whole gzip body, got the beginning of one")
        body = unpacker.unused_data
    return unpacked


def _too_large(most: int, got: str) -> PayloadError:
    return PayloadError(f"expected a body of at most {most:,} bytes, got {got}", status=413)
