"""Requests to others that end in time, however their answers drip."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """What the work comes to, for a thread that has no event loop. Raises TimeoutError after so many seconds.

    A blocking client only knows how long each single read may take: who sends a byte a second is never late for it.
    """

    async def bounded() -> T:
        async with asyncio.timeout(seconds):
            return await work

    return asyncio.run(bounded())
