"""Subscriptions to SNS topics that ask to be confirmed: the daemon says yes, or tells a person how to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from triaged.sources.sns import Handshake

log = structlog.get_logger(__name__)

MOST_WAITING: Final = 16
_TIMEOUT_SECONDS: Final = 10.0


class SubscribeWorker:
    """Confirms what was offered, one a step. What is lost in a crash SNS offers again.

    `get` fetches a URL and gives the answer's status; it raises OSError where there is none.
    """

    name = "subscribe"

    def __init__(self, get: Callable[[str], int]) -> None:
        self._get = get
        self._waiting: deque[Handshake] = deque()

    def offer(self, handshake: Handshake, topics: frozenset[str]) -> bool:
        """Take one in if its topic is one of these; whether there is work now. Touches no network. Thread-safe."""
        if handshake.ended:
            log.warning("subscription ended", **_place(handshake))
            return False
        why = handshake.refusal(topics)
        if not why and len(self._waiting) >= MOST_WAITING:
            why = "too many wait already; SNS asks again"
        if why:
            log.warning("subscription waits for a person", why=why, url=handshake.url, **_place(handshake))
            return False
        self._waiting.append(handshake)
        return True

    def step(self, now: datetime) -> bool:
        if not self._waiting:
            return False
        handshake = self._waiting.popleft()
        try:
            status = self._get(handshake.url)
            why = "" if status == 200 else f"expected 200, got {status}"
        except OSError as error:
            why = str(error)[:300]
        if why:
            log.warning("subscription not confirmed", why=why, url=handshake.url, **_place(handshake))
        else:
            log.info("subscription confirmed", **_place(handshake))
        return True

    def next_at(self, now: datetime) -> datetime | None:
        return now if self._waiting else None


def _place(handshake: Handshake) -> dict[str, str]:
    return {"source": handshake.source, "topic": handshake.topic[:300]}


def fetch(url: str) -> int:
    """The status of a GET that follows no redirect, through the environment's proxy if there is one."""
    import httpx  # noqa: PLC0415 - costs memory, and most daemons confirm nothing

    try:
        return httpx.get(url, timeout=_TIMEOUT_SECONDS, follow_redirects=False).status_code
    except httpx.HTTPError as error:
        raise OSError(f"{type(error).__name__}: {error}") from error
