"""Who may send and who may act: tokens and passwords from files that may change while the daemon runs."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from hashlib import sha256
from pathlib import Path
from typing import Final

import structlog

from triaged import secretfile
from triaged.errors import ConfigError
from triaged.secretfile import Secret

log = structlog.get_logger(__name__)

_BEARER: Final = b"bearer"
_BASIC: Final = b"basic"
_Stamp = tuple[int, int, int]


@unique
class Role(StrEnum):
    """What a named token may do: `act` everything, `read` only look."""

    ACT = "act"
    READ = "read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A named token that was presented."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSource:
    """Where a named token comes from: its text, or a file with one valid token a line."""

    role: Role = Role.ACT
    token: str | None = None
    file: Path | None = None


class SecretFile:
    """The secrets of a file, one a line, as digests; blank lines and lines that begin with # do not count.

    The file is looked at each time and read again when it has changed. With `keeps`, a file that is gone or empty for
    a moment leaves the former secrets in force, else none is. Raises ConfigError for a file without a secret at start.
    """

    def __init__(self, path: Path, scheme: bytes, *, keeps: bool) -> None:
        self._path = path
        self._scheme = scheme
        self._keeps = keeps
        self._stamp = _stamp(path)
        self._digests = self._read()

    def digests(self) -> tuple[bytes, ...]:
        """The secrets in force now."""
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._stamp = stamp
            self._renew()
        return self._digests

    def _renew(self) -> None:
        try:
            found, problem = self._read(), ""
        except ConfigError as error:
            found, problem = (), str(error)
        if found or not self._keeps:
            self._digests = found
        if found:
            log.info("secrets read again", file=str(self._path), secrets=len(found))
        else:
            effect = "the former ones stay in force" if self._keeps else "nobody is let in by it"
            log.error("secrets cannot be read", file=str(self._path), why=problem, effect=effect)

    def _read(self) -> tuple[bytes, ...]:
        kind = Secret.PASSWORD if self._scheme == _BASIC else Secret.TOKEN
        return tuple(_digest(self._scheme, secret) for secret in secretfile.read(self._path, kind))


class SourceAuth:
    """Who may send as one source: bearer tokens, `user:password` lines for basic authentication, or both.

    With neither anybody may. A token file that is gone or empty for a moment keeps its former secrets: Alertmanager
    does not retry after a 401, so a file that is just being rewritten would cost alerts.
    """

    def __init__(
        self, tokens: Iterable[str] = (), *, tokens_file: Path | None = None, basic_auth_file: Path | None = None
    ) -> None:
        self._fixed = tuple(_digest(_BEARER, token.encode()) for token in tokens if token)
        self._files = [
            SecretFile(path, scheme, keeps=True)
            for path, scheme in ((tokens_file, _BEARER), (basic_auth_file, _BASIC))
            if path is not None
        ]
        self.open = not self._fixed and not self._files

    def allows(self, authorization: bytes | str | None) -> bool:
        """Whether the value of an Authorization header, None without one, lets the sender in."""
        if self.open:
            return True
        presented = _presented(authorization)
        candidates = [*self._fixed, *(digest for file in self._files for digest in file.digests())]
        return presented is not None and _among(presented, candidates)


class ApiTokens:
    """The named tokens of people and programs; without any, the daemon's owner decided that acts are open."""

    def __init__(self, sources: Mapping[str, TokenSource] | None = None) -> None:
        self._tokens = [
            (Token(name=name, role=source.role), _candidates(name, source)) for name, source in (sources or {}).items()
        ]
        self.configured = bool(self._tokens)

    def who(self, authorization: bytes | str | None) -> Token | None:
        """The token that an Authorization header presents, None where it is absent or unknown."""
        presented = _presented(authorization)
        if presented is None:
            return None
        found = None
        for token, candidates in self._tokens:
            if _among(presented, candidates()) and found is None:
                found = token
        return found


def _candidates(name: str, source: TokenSource) -> Callable[[], tuple[bytes, ...]]:
    if source.file is not None:
        return SecretFile(source.file, _BEARER, keeps=False).digests
    if not source.token:
        raise ConfigError(f"api_tokens.{name}: expected a token or a token_file, got neither")
    fixed = (_digest(_BEARER, source.token.encode()),)
    return lambda: fixed


def _presented(authorization: bytes | str | None) -> bytes | None:
    if authorization is None:
        return None
    value = authorization.encode("utf-8", "surrogateescape") if isinstance(authorization, str) else authorization
    scheme, _, secret = value.strip().partition(b" ")
    secret = secret.strip()
    if scheme.lower() == _BASIC:
        try:
            secret = base64.b64decode(secret, validate=True)
        except binascii.Error:
            return None
    return _digest(scheme.lower(), secret) if secret else None


def _digest(scheme: bytes, secret: bytes) -> bytes:
    """One length for all, and a password is never taken for a token."""
    return sha256(scheme + b"\0" + secret).digest()


def _among(presented: bytes, candidates: Iterable[bytes]) -> bool:
    """Compares with every candidate, so that the time tells nothing of which one was near."""
    found = False
    for candidate in candidates:
        found |= hmac.compare_digest(candidate, presented)
    return found


def _stamp(path: Path) -> _Stamp | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
