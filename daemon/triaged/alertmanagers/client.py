"""One member of an Alertmanager cluster, read over HTTP."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec
from msgspec import Struct

from triaged.alertmanagers.wire import Answer, HeldAlert, Silence, UnreadableError

MOST_BYTES: Final = 256 * 1024 * 1024
_TIMEOUT_SECONDS: Final = 10.0

T = TypeVar("T")


class _Running(Struct, frozen=True):
    uptime: datetime


class Client:
    """Reads one member at `url`. `authorization` gives the header's value anew each time, "" for none."""

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
        with httpx.Client(
            headers=self._headers(), timeout=_TIMEOUT_SECONDS, verify=self._tls, follow_redirects=False
        ) as client:
            # The process first and last: one that restarts in between has fewer alerts than its age promises.
            running = self._get(client, "status", _Running)
            alerts = self._get(client, "alerts", list[HeldAlert])
            quiet = any(alert.status.silencedBy for alert in alerts)
            silences = self._get(client, "silences", list[Silence]) if quiet else []
            again = self._get(client, "status", _Running)
        if again.uptime != running.uptime:
            raise UnreadableError("expected one process that answers all questions, it restarted in between")
        if running.uptime.tzinfo is None:
            raise UnreadableError("/api/v2/status: expected uptime as an instant with its zone, got one without")
        return Answer(at=now, started_at=again.uptime, alerts=alerts, silences={one.id: one for one in silences})

    def _get(self, client: httpx.Client, what: str, shape: type[T]) -> T:
        """One answer, read up to a bound. Raises UnreadableError."""
        body = bytearray()
        try:
            with client.stream("GET", f"{self.url}/api/v2/{what}") as answer:
                if answer.status_code != 200:
                    raise UnreadableError(f"/api/v2/{what}: expected 200, got {answer.status_code}")
                for chunk in answer.iter_bytes():
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


def basic(pair: str) -> str:
    """The header's value for `user:password`."""
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
