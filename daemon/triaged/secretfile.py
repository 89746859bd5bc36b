"""A file of secrets: one a line; blank lines and lines that begin with # do not count."""

from __future__ import annotations

from enum import StrEnum, unique
from pathlib import Path

from triaged import urls
from triaged.errors import ConfigError


@unique
class Secret(StrEnum):
    """What each line is; the values are for people."""

    TOKEN = "a token"  # noqa: S105 - a word for it
    PASSWORD = "user:password"  # noqa: S105 - as above
    URL = "a URL"


def read(path: Path, secret: Secret) -> tuple[bytes, ...]:
    """The secrets in their order. Raises ConfigError, which tells none of them."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigError(f"{path}: expected a file with {secret}, got: {error.strerror}") from error
    found = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text and not text.startswith(b"#"):
            _expect(secret, text, f"{path}:{number}")
            found.append(text)
    if not found:
        raise ConfigError(f"{path}: expected {secret} on each line, found none")
    return tuple(found)


def first(path: Path, secret: Secret) -> str:
    """The one of them that we present to others. Raises ConfigError."""
    try:
        return read(path, secret)[0].decode()
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: expected {secret} in UTF-8, got other bytes") from None


def _expect(secret: Secret, text: bytes, where: str) -> None:
    if secret is Secret.PASSWORD and b":" not in text:
        raise ConfigError(f"{where}: expected {secret}, found no colon")
    if secret is Secret.URL:
        try:
            urls.askable(text.decode(errors="replace"))
        except ValueError as error:
            raise ConfigError(f"{where}: {error}") from None
