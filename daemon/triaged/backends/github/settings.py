"""Which repository on which GitHub, and as whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A GitHub App: `id` is its id or client id; `key` is asked with each signature and raises ConfigError.

    Requests about no repository go as its installation at `home`. With `installation_id` no installation is looked for,
    and all repositories are those of that one.
    """

    id: str
    key: Callable[[], RSAPrivateKey] = field(repr=False)
    home: str
    installation_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`repository` is `owner/name`; `api_url` of an Enterprise Server ends in `/api/v3`.

    `token` is asked each time; where there is an `app`, it is not asked at all.
    """

    repository: str
    token: Callable[[], str] | None = field(default=None, repr=False)
    app: App | None = None
    api_url: str = "https://api.github.com"
