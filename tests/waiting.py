"""Waiting for something that another process does: the one place where a test lets real time pass."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], *, seconds: float = 20, what: str = "") -> T:
    """The condition's first true value, asked for every 20 ms. Raises TimeoutError, saying what was waited for."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {what or condition}; it is still {value!r}")
        time.sleep(0.02)  # noqa: TID251 - a real process has no clock of ours; every test waits here
    return value
