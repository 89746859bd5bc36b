"""Our own heartbeat to a watcher elsewhere: sent only while all is well, so that silence speaks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import structlog

from triaged.errors import ConfigError
from triaged.outbound import within

log = structlog.get_logger(__name__)

_TIMEOUT_SECONDS: Final = 10.0
_WITHHELD: Final = "withheld"


class LifesignWorker:
    """Asks the watcher's URL every so often, unless `trouble` says in words why not.

    `url` gives it anew each time, or raises ConfigError; `get` gives the status of a GET, and raises OSError where
    there is none. The URL is a secret: whoever has it can say that we live.
    """

    name = "lifesign"

    def __init__(
        self,
        url: Callable[[], str],
        *,
        every: timedelta,
        trouble: Callable[[datetime], str],
        get: Callable[[str], int],
    ) -> None:
        self._url = url
        self._every = every
        self._trouble = trouble
        self._get = get
        self._next_at: datetime | None = None
        self._silent = ""

    def step(self, now: datetime) -> bool:
        if self._next_at is not None and now < self._next_at:
            return False
        self._next_at = now + self._every
        why = self._trouble(now)
        # What is wrong may be told with its age: it is one silence all the same.
        if why and self._silent != _WITHHELD:
            log.warning("heartbeat withheld", why=why)
        self._silent = _WITHHELD if why else self._send()
        return True

    def next_at(self, now: datetime) -> datetime | None:
        return self._next_at

    def _send(self) -> str:
        """Why it did not get there, "" when it did. What is new is logged: the same every minute would hide it."""
        url = ""
        try:
            url = self._url()
            status = self._get(url)
            why = "" if 200 <= status < 300 else f"expected a status of 2xx, got {status}"
        except (OSError, ConfigError) as error:
            why = str(error)
        if why and why != self._silent:
            log.warning("heartbeat not sent", why=why, to=_host(url))
        elif self._silent and not why:
            log.info("heartbeat sent again")
        return why


def get(url: str, *, seconds: float = _TIMEOUT_SECONDS) -> int:
    """The status of a GET that follows no redirect and reads no body, so that no answer can hurt.

    It is given up after so many seconds, however it drips. Raises OSError, whose text holds nothing of the URL.
    """
    try:
        return within(seconds, _get(url, seconds))
    except TimeoutError:
        raise OSError(f"no answer within {seconds:g} s") from None


async def _get(url: str, seconds: float) -> int:
    import httpx  # noqa: PLC0415 - costs memory, and most daemons send none

    try:
        async with (
            httpx.AsyncClient(timeout=seconds, follow_redirects=False) as client,
            client.stream("GET", url) as answer,
        ):
            return answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise OSError(f"no answer: {type(error).__name__}") from None


def _host(url: str) -> str:
    """The part of the URL that is no secret."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
