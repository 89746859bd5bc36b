"""A Prometheus over HTTP: what a query says now, and what it said over a span.

https://prometheus.io/docs/prometheus/latest/querying/api/ (Mimir, Thanos, VictoriaMetrics answer likewise).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec
from msgspec import Struct

from triaged.errors import ConfigError

MOST_BYTES: Final = 4 * 1024 * 1024
LONGEST_QUERY: Final = 10_000
_LONGEST_SAID: Final = 200

T = TypeVar("T")


class UnansweredError(Exception):
    """It could not be asked, or its answer is none; the words are fit for people."""


class Sample(Struct, frozen=True, kw_only=True):
    """One series at one instant. A scalar has no labels; the value may be NaN or infinite."""

    labels: Mapping[str, str]
    at: datetime
    value: float


class Series(Struct, frozen=True, kw_only=True):
    """One series over a span, oldest point first; a gap has no points."""

    labels: Mapping[str, str]
    points: tuple[tuple[datetime, float], ...]


class _Pair(Struct, frozen=True, array_like=True):
    at: float
    value: str


class _Instant(Struct, frozen=True):
    metric: dict[str, str]
    value: _Pair | None = None  # a native histogram has none


class _Span(Struct, frozen=True):
    metric: dict[str, str]
    values: tuple[_Pair, ...] = ()


class _Data(Struct, frozen=True):
    resultType: str  # noqa: N815 - the wire's name
    result: msgspec.Raw


class _Answer(Struct, frozen=True):
    data: _Data


class _Refusal(Struct, frozen=True):
    error: str


class Prometheus:
    """Asks the one at `url`. `authorization` gives the header's value anew each time, "" for none.

    Each question ends after its seconds, however its answer drips; many may be asked at once on one event loop.
    """

    def __init__(self, url: str, authorization: Callable[[], str]) -> None:
        self.url = url.rstrip("/")
        self._authorization = authorization
        # Reading the authorities takes longer than asking.
        self._tls = ssl.create_default_context() if self.url.startswith("https:") else False

    @property
    def name(self) -> str:
        """Its address, fit for logs and pages."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)

    async def instant(self, query: str, *, seconds: float, at: datetime | None = None) -> tuple[Sample, ...]:
        """What the query says at that instant, without one at its own now. Raises UnansweredError."""
        when = {} if at is None else {"time": _stamp(at)}
        data = await self._ask("query", {"query": query, **when}, seconds)
        if data.resultType == "scalar":
            found = [_Instant(metric={}, value=self._decoded(data.result, _Pair))]
        else:
            self._expect("vector", data)
            found = self._decoded(data.result, list[_Instant])
        return tuple(
            Sample(labels=one.metric, at=at, value=value)
            for one in found
            if one.value is not None
            for at, value in [self._point(one.value)]
        )

    async def span(
        self, query: str, *, seconds: float, between: tuple[datetime, datetime], step: timedelta
    ) -> tuple[Series, ...]:
        """What the query said at each step of the span. Raises UnansweredError."""
        start, end = between
        asked = {"query": query, "start": _stamp(start), "end": _stamp(end), "step": f"{step.total_seconds():.3f}"}
        data = await self._ask("query_range", asked, seconds)
        self._expect("matrix", data)
        found = self._decoded(data.result, list[_Span])
        return tuple(
            Series(labels=one.metric, points=tuple(self._point(pair) for pair in one.values))
            for one in found
            if one.values
        )

    async def _ask(self, what: str, asked: Mapping[str, str], seconds: float) -> _Data:
        if len(asked["query"]) > LONGEST_QUERY:
            raise UnansweredError(f"expected a query of at most {LONGEST_QUERY:,} characters, got more")
        try:
            async with asyncio.timeout(seconds):
                status, body = await self._post(what, {**asked, "timeout": f"{seconds:.3f}"}, seconds)
        except ConfigError as error:
            raise UnansweredError(str(error)) from error
        except (TimeoutError, httpx.TimeoutException):
            raise UnansweredError(f"{self.name} did not answer within {seconds:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnansweredError(f"{self.name} cannot be asked: {type(error).__name__}") from error
        if status != 200:
            raise UnansweredError(f"{self.name} answered {status}: {_said(body)}")
        return self._decoded(body, _Answer).data

    async def _post(self, what: str, asked: Mapping[str, str], seconds: float) -> tuple[int, bytes]:
        # By POST, as Prometheus advises for queries that a URL cannot hold.
        body = bytearray()
        async with (
            httpx.AsyncClient(
                headers=self._headers(), timeout=seconds, verify=self._tls, follow_redirects=False
            ) as client,
            client.stream("POST", f"{self.url}/api/v1/{what}", data=asked) as answer,
        ):
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise UnansweredError(f"{self.name}: expected an answer of at most {MOST_BYTES:,} bytes, got more")
            return answer.status_code, bytes(body)

    def _headers(self) -> dict[str, str]:
        value = self._authorization()
        return {"authorization": value} if value else {}

    def _expect(self, expected: str, data: _Data) -> None:
        if data.resultType != expected:
            raise UnansweredError(f"{self.name}: expected a query that gives a {expected}, got {data.resultType[:20]}")

    def _decoded(self, body: bytes | msgspec.Raw, shape: type[T]) -> T:
        try:
            return msgspec.json.decode(body, type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            said = str(error)[:_LONGEST_SAID]
            raise UnansweredError(f"{self.name}: expected a Prometheus' answer: {said}") from error

    def _point(self, pair: _Pair) -> tuple[datetime, float]:
        try:
            return datetime.fromtimestamp(pair.at, UTC), float(pair.value)
        except (ValueError, OverflowError, OSError):
            raise UnansweredError(f"{self.name}: expected an instant and a number, got others") from None


def _stamp(at: datetime) -> str:
    return f"{at.timestamp():.3f}"


def _said(body: bytes) -> str:
    """What a refusal says, or the beginning of what is none."""
    try:
        text = msgspec.json.decode(body, type=_Refusal).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        text = body[:_LONGEST_SAID].decode(errors="replace")
    return " ".join(text.split())[:_LONGEST_SAID]
