"""Which repository on which GitHub, and with whose token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`repository` is `owner/name`; `api_url` of an Enterprise Server ends in `/api/v3`; `token` is asked each time."""

    repository: str
    token: Callable[[], str] = field(repr=False)
    api_url: str = "https://api.github.com"
