"""One member of an Alertmanager cluster, over HTTP: what it holds is read, silences are made and removed."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec
from msgspec import Struct

from triaged.alertmanagers.configured import Configured, configured
from triaged.alertmanagers.wire import Answer, Group, HeldAlert, Silence, UnreadableError
from triaged.errors import DeliveryError
from triaged.outbound import within

MOST_BYTES: Final = 256 * 1024 * 1024
_TIMEOUT_SECONDS: Final = 10.0
# A member that drips is never silent for long: this bounds all questions of one reading together.
_READING_SECONDS: Final = 30.0
_LONGEST_ANSWER: Final = 64 * 1024
_LONGEST_SAID: Final = 200
_JSON: Final = {"content-type": "application/json"}

T = TypeVar("T")


class _Config(Struct, frozen=True):
    original: str = ""


class _Running(Struct, frozen=True):
    uptime: datetime
    config: _Config = _Config()


class _Made(Struct, frozen=True):
    silenceID: str  # noqa: N815 - the wire's name


class Client:
    """Asks one member at `url`. `authorization` gives the header's value anew each time, "" for none."""

    def __init__(self, url: str, authorization: Callable[[], str]) -> None:
        self.url = url.rstrip("/")
        self._authorization = authorization
        # Reading the authorities takes longer than asking.
        self._tls = ssl.create_default_context() if self.url.startswith("https:") else False

    @property
    def name(self) -> str:
        """The member's address, fit for logs and pages."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)

    def read(self, now: datetime) -> Answer:
        """All that it holds. Raises UnreadableError."""
        return _whole(self._read(now))

    def status(self) -> Configured | None:
        """What its configuration says; None where that cannot be read. Raises UnreadableError."""
        return configured(_whole(self._read_one("status", _Running)).config.original)

    def groups(self) -> list[Group]:
        """What goes where, and what is muted. Raises UnreadableError."""
        return _whole(self._read_one("alerts/groups", list[Group]))

    def silences(self) -> list[Silence]:
        """All silences, those that ended for some days too. Raises UnreadableError."""
        return _whole(self._read_one("silences", list[Silence]))

    async def _read(self, now: datetime) -> Answer:
        async with self._client() as client:
            # The process first and last: one that restarts in between has fewer alerts than its age promises.
            running = await self._get(client, "status", _Running)
            alerts = await self._get(client, "alerts", list[HeldAlert])
            quiet = any(alert.status.silencedBy for alert in alerts)
            silences = await self._get(client, "silences", list[Silence]) if quiet else []
            again = await self._get(client, "status", _Running)
        if again.uptime != running.uptime:
            raise UnreadableError("expected one process that answers all questions, it restarted in between")
        if running.uptime.tzinfo is None:
            raise UnreadableError("/api/v2/status: expected uptime as an instant with its zone, got one without")
        return Answer(
            at=now,
            started_at=again.uptime,
            alerts=alerts,
            silences={one.id: one for one in silences},
            configured=configured(again.config.original),
        )

    async def _read_one(self, what: str, shape: type[T]) -> T:
        async with self._client() as client:
            return await self._get(client, what, shape)

    def make_silence(self, silence: Mapping[str, Any]) -> str:
        """The id of a new silence. Raises DeliveryError."""
        answer = self._change("POST", "silences", silence)
        try:
            return msgspec.json.decode(answer, type=_Made).silenceID
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise DeliveryError(
                "/api/v2/silences: expected the id of a silence, got another answer", reason="answer", ambiguous=True
            ) from error

    def remove_silence(self, ref: str) -> None:
        """End a silence at once; one that is not known has ended. Raises DeliveryError."""
        self._change("DELETE", f"silence/{quote(ref, safe='')}", None)

    def _change(self, method: str, what: str, value: Mapping[str, Any] | None) -> bytes:
        """The answer's first bytes. Raises DeliveryError; ambiguous where it may have been done."""
        path = f"/api/v2/{what}"
        try:
            status, body = within(_READING_SECONDS, self._ask(method, path, value))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise DeliveryError(f"{path}: cannot be reached: {type(error).__name__}", reason="unreachable") from error
        except (httpx.HTTPError, TimeoutError) as error:
            why = f"{path}: no answer: {type(error).__name__}"
            raise DeliveryError(why, reason="unreachable", ambiguous=True) from error
        if status == 200 or (status == 404 and method == "DELETE"):
            return body
        said = " ".join(body[:_LONGEST_SAID].decode(errors="replace").split())
        reason = "refused" if status in (400, 413, 422) else "status"
        # What a proxy answers for it may have been done behind it.
        raise DeliveryError(f"{path}: expected 200, got {status}: {said}", reason=reason, ambiguous=status >= 500)

    async def _ask(self, method: str, path: str, value: Mapping[str, Any] | None) -> tuple[int, bytes]:
        content, body = None if value is None else msgspec.json.encode(value), bytearray()
        async with (
            self._client() as client,
            client.stream(method, f"{self.url}{path}", content=content, headers=_JSON) as answer,
        ):
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > _LONGEST_ANSWER:
                    break
            return answer.status_code, bytes(body)

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            headers=self._headers(), timeout=_TIMEOUT_SECONDS, verify=self._tls, follow_redirects=False
        )

    async def _get(self, client: httpx.AsyncClient, what: str, shape: type[T]) -> T:
        """One answer, read up to a bound. Raises UnreadableError."""
        body = bytearray()
        try:
            async with client.stream("GET", f"{self.url}/api/v2/{what}") as answer:
                if answer.status_code != 200:
                    raise UnreadableError(f"/api/v2/{what}: expected 200, got {answer.status_code}")
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > MOST_BYTES:
                        raise UnreadableError(f"/api/v2/{what}: expected at most {MOST_BYTES:,} bytes, got more")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnreadableError(f"/api/v2/{what}: no answer: {type(error).__name__}") from error
        try:
            return msgspec.json.decode(body, type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UnreadableError(f"/api/v2/{what}: expected an Alertmanager's answer: {str(error)[:200]}") from error

    def _headers(self) -> dict[str, str]:
        value = self._authorization()
        return {"authorization": value} if value else {}


def _whole(reading: Coroutine[Any, Any, T]) -> T:
    """Its result, where it comes in time. Raises UnreadableError."""

    try:
        return within(_READING_SECONDS, reading)
    except TimeoutError:
        raise UnreadableError(f"no whole answer within {_READING_SECONDS:g} s") from None
