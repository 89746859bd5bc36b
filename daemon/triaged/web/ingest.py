"""The ingest door: a bare ASGI callable in front of the application, because every alert pays for it.

Alertmanager retries 5xx and nothing else (not 429): an overload or a store that is down is 503, 400 is only for what
can never be read, and 2xx comes after the commit, never before.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

import msgspec
import structlog

from triaged.clock import seconds
from triaged.errors import PayloadError
from triaged.ids import delivery_id
from triaged.intake.known import Known
from triaged.intake.units import Answer, Delivery, Unit
from triaged.metrics import Metrics
from triaged.sources.limits import MOST_BYTES
from triaged.web.auth import SourceAuth

log = structlog.get_logger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Submit = Callable[[Unit, Callable[[Answer], None]], bool]
Digests = Callable[[str, bytes], list[bytes] | None]

PREFIX: Final = "/api/v1/alerts/"
_JSON: Final = [(b"content-type", b"application/json")]
_RETRY: Final = [*_JSON, (b"retry-after", b"1")]
_UNCHANGED: Final = b'{"status":"ok"}'


class Ingest:
    """Answers POST below PREFIX; hands everything else on to `application`.

    `sources` maps path endings to source names with who may send. A delivery of which every alert is known touches no
    disk; any other waits for the writer's commit.
    """

    def __init__(  # noqa: PLR0913 - the door's collaborators, given once
        self,
        application: Application,
        *,
        sources: Mapping[str, tuple[str, SourceAuth]],
        digests: Digests,
        known: Known,
        submit: Submit,
        metrics: Metrics,
    ) -> None:
        self._application = application
        self._sources = sources
        self._digests = digests
        self._known = known
        self._submit = submit
        self._metrics = metrics
        self._repeats = {
            (source, status): (
                metrics.received.labels(source, status).inc,
                metrics.duplicates.labels(source, status).inc,
            )
            for source, _ in sources.values()
            for status in ("firing", "resolved", "rejected")
        }
        self._answers: deque[tuple[asyncio.Future[Answer], Answer]] = deque()
        self._woken = False
        self._took = {source: metrics.ingest.labels(source).observe for source, _ in sources.values()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._application(scope, receive, send)
            return
        began = seconds()
        source = ""
        try:
            source, status, body, headers = await self._answer(scope, receive)
        except PayloadError as error:
            status, body, headers = error.status, _error(str(error)), _JSON
            log.warning("request refused", path=scope["path"], status=status, why=str(error))
        except Exception:
            log.exception("ingest failed", path=scope["path"])
            self._metrics.errors.labels("ingest").inc()
            status, body, headers = 503, _error("something broke here, nothing was stored: send it again"), _RETRY
        await send({"type": "http.response.start", "status": status, "headers": [*headers, _length(body)]})
        await send({"type": "http.response.body", "body": body})
        if source:
            self._took[source](seconds() - began)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[str, int, bytes, list[tuple[bytes, bytes]]]:
        found = self._sources.get(scope["path"][len(PREFIX) :].rstrip("/"))
        if found is None:
            expected = ", ".join(PREFIX + name for name in self._sources)
            return "", 404, _error(f"no such source: expected one of {expected}"), _JSON
        source, auth = found
        if scope["method"] != "POST":
            return "", 405, _error(f"expected POST, got {scope['method']}"), [*_JSON, (b"allow", b"POST")]
        headers = dict(scope["headers"])
        if not auth.allows(headers.get(b"authorization")):
            challenge = (b"www-authenticate", b'Bearer realm="triaged", Basic realm="triaged"')
            return "", 401, _error("expected a valid bearer token or basic authentication"), [*_JSON, challenge]
        if auth.open and b"origin" in headers:
            return "", 403, _error("expected no request of a web page, where no token says who sends"), _JSON
        body = await _body(headers, receive)
        if self._all_known(source, body):
            return source, 200, _UNCHANGED, _JSON
        answer = await self._store(Delivery(id=delivery_id(), source=source, body=body))
        if answer.status == 200:
            return source, 200, msgspec.json.encode({"status": "ok", "alerts": answer.counts}), _JSON
        if answer.status in (400, 413):
            log.warning("request refused", source=source, status=answer.status, why=answer.error)
            return source, answer.status, _error(answer.error), _JSON
        return source, 503, _error(answer.error), _RETRY

    def _all_known(self, source: str, body: bytes) -> bool:
        """Whether every alert is in the state that is on disk; counts them then."""
        digests = self._digests(source, body)
        if digests is None or not digests:
            return False
        known = self._known.status
        statuses = [known(digest) for digest in digests]
        if None in statuses:
            return False
        for status in set(statuses):
            number = statuses.count(status)
            for count in self._repeats[source, str(status)]:
                count(number)
        return True

    async def _store(self, delivery: Delivery) -> Answer:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Answer] = loop.create_future()

        def reply(answer: Answer) -> None:
            """Called on the writer's thread, for a whole batch at once: the loop is woken once for all of them."""
            self._answers.append((done, answer))
            if not self._woken:
                self._woken = True
                loop.call_soon_threadsafe(self._settle)

        if not self._submit(delivery, reply):
            return Answer(status=503, error="the intake queue is full: send it again")
        return await done

    def _settle(self) -> None:
        self._woken = False
        while self._answers:
            done, answer = self._answers.popleft()
            if not done.done():
                done.set_result(answer)


async def _body(headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
    """The whole body, unpacked; raises PayloadError (413) as soon as it is too large, (400) where it is not gzip."""
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length) > MOST_BYTES:
        raise _too_large(f"{int(length):,}")
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise PayloadError("expected a whole body, the sender went away")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MOST_BYTES:
            raise _too_large("more")
        chunks.append(chunk)
        if not message.get("more_body", False):
            break
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    match headers.get(b"content-encoding", b"identity").strip().lower():
        case b"identity" | b"":
            return body
        case b"gzip" | b"x-gzip":
            return _unpacked(body)
        case other:
            raise PayloadError(f"expected content-encoding gzip or none, got {other[:50]!r}", status=415)


def _unpacked(body: bytes) -> bytes:
    """All members of a gzip body (RFC 1952, 2.2), never more than a body may have."""
    unpacked = b""
    while body:
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            unpacked += unpacker.decompress(body, MOST_BYTES + 1 - len(unpacked))
        except zlib.error as error:
            raise PayloadError(f"expected a gzip body, as content-encoding says: {error}") from error
        if len(unpacked) > MOST_BYTES:
            raise _too_large("more")
        if not unpacker.eof:
            raise PayloadError("expected a whole gzip body, got the beginning of one")
        body = unpacker.unused_data
    return unpacked


def _too_large(got: str) -> PayloadError:
    return PayloadError(f"expected a body of at most {MOST_BYTES:,} bytes, got {got}", status=413)


def _error(text: str) -> bytes:
    return msgspec.json.encode({"error": text})


def _length(body: bytes) -> tuple[bytes, bytes]:
    return b"content-length", str(len(body)).encode()
