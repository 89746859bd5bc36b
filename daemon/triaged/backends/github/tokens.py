"""Which token a request is sent with, and which one instead after GitHub refused it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from triaged.backends.github.failures import TOKEN_WRONG_FOR
from triaged.errors import ConfigError, DeliveryError

_TOKEN: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token of any form and length; `minted_at` is when we made it, None where it was given to us."""

    text: str = field(repr=False)
    minted_at: datetime | None = None


def is_sendable(text: str) -> bool:
    """Whether it can be a token: any other character would be refused by the HTTP library with it in the message."""
    return _TOKEN.fullmatch(text) is not None


class Tokens(Protocol):
    """Thread safe. Raises DeliveryError where no token can be had."""

    def of(self, repository: str) -> Token:
        """The token for requests about the repository; "" for those about none."""
        ...

    def instead_of(self, refused: Token, repository: str) -> Token:
        """Another one, asked for once; the same where there is no other."""
        ...

    def elsewhere(self, refused: Token, repository: str) -> Token:
        """The one for where the repository may have gone, as it was not found; the same where there is no other."""
        ...


class GivenToken:
    """One that an operator gives: a person's or an installation's, read anew with each request."""

    def __init__(self, read: Callable[[], str], now: Callable[[], datetime]) -> None:
        self._read = read
        self._now = now

    def of(self, repository: str) -> Token:
        problem = "the token is empty or has characters that no token has"
        try:
            text = self._read().strip()
        except OSError as error:
            text, problem = "", f"the token cannot be read: {error.strerror}"
        except ConfigError as error:
            text, problem = "", f"the token cannot be read: {error}"
        if is_sendable(text):
            return Token(text=text)
        retry_at = self._now() + TOKEN_WRONG_FOR
        raise DeliveryError(f"GitHub was not asked: {problem}", reason="unauthorized", retry_at=retry_at)

    def instead_of(self, refused: Token, repository: str) -> Token:
        """The file may have been rotated a moment ago."""
        return self.of(repository)

    def elsewhere(self, refused: Token, repository: str) -> Token:
        return refused
