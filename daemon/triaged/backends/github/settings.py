"""Which repository on which GitHub, and with whose token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`repository` is `owner/name`; `api_url` of an Enterprise Server ends in `/api/v3`; `token` is asked at each call.

    `interval` is the least time between two updates of one issue that are not urgent.
    """

    repository: str
    token: Callable[[], str] = field(repr=False)
    api_url: str = "https://api.github.com"
    interval: timedelta = timedelta(seconds=10)
