"""How long to wait after a failure: twice as long each time, up to a bound."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

_SHORTEST: Final = timedelta(seconds=5)
_DOUBLED: Final = 10


def backoff(attempts: int, longest: timedelta) -> timedelta:
    """The wait after so many attempts in a row that failed, 1 or more."""
    return min(_SHORTEST * int(2 ** min(attempts - 1, _DOUBLED)), longest)
