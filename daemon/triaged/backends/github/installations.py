"""The tokens of a GitHub App's installations: found by repository, minted, renewed before they expire.

Wire format: GitHub's "REST API endpoints for GitHub Apps". A token lasts an hour and is good for everything that its
installation, one for each owner, may touch.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeVar

import msgspec
import structlog

from triaged.backends.github.assertion import assertion
from triaged.backends.github.clocks import AGREED, Clocks
from triaged.backends.github.failures import ACCESS_WRONG_FOR, TOKEN_WRONG_FOR, TROUBLE_FOR
from triaged.backends.github.settings import App
from triaged.backends.github.tokens import Token, is_sendable
from triaged.backends.github.wire import Account, Installation, MintedToken, OwnApp
from triaged.errors import ConfigError, DeliveryError

log = structlog.get_logger(__name__)

T = TypeVar("T")
_BEFORE_ITS_END: Final = timedelta(minutes=10)
# Also the shortest time between two tokens of an installation, whatever GitHub says about their end.
_AGAIN_AFTER: Final = timedelta(minutes=1)
_LOOKED_UP_FOR: Final = timedelta(minutes=5)
# With 404, where no App has the id.
_UNKNOWN_APP: Final = "Integration not found"


class AsApp(Protocol):
    """Sends a request that the App makes as itself; raises DeliveryError."""

    def __call__(self, operation: str, *, method: str, path: str, token: str) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A token that we have; both instants are by GitHub's clock."""

    token: Token
    renew_at: datetime
    expires_at: datetime


class Installations:
    """Thread safe: of several threads that need a token one mints it, and the others get what it got.

    A token that cannot be renewed in time is used until it expires. Failures are never ambiguous: the request for
    whose sake a token was wanted has not been sent.
    """

    def __init__(self, app: App, ask: AsApp, clocks: Clocks) -> None:
        self._app = app
        self._ask = ask
        self._clocks = clocks
        self._lock = threading.Lock()
        self._installation_at: dict[str, int] = {}
        self._looked_up_at: dict[str, datetime] = {}
        self._held: dict[int, _Held] = {}
        self._flights = 0
        self._failed: dict[str, tuple[int, DeliveryError]] = {}

    def of(self, repository: str) -> Token:
        place = self._place(repository)
        token, flights = self._usable(place), self._flights
        if token is not None:
            return token
        with self._lock:
            token = self._usable(place)
            if token is not None:
                return token
            flight, failure = self._failed.get(place, (-1, None))
            if failure is not None and flight >= flights:
                raise _again(failure)
            return self._flight(place)

    def instead_of(self, refused: Token, repository: str) -> Token:
        """A new one, of the installation that there is by now: an App may have been installed anew."""
        place = self._place(repository)
        with self._lock:
            token = self._usable(place)
            if token is not None and token != refused:
                return token
            if refused.minted_at is not None and self._clocks.now() < refused.minted_at + _AGAIN_AFTER:
                return refused
            self._held.pop(self._installation_at.pop(place, 0), None)
            return self._flight(place)

    def elsewhere(self, refused: Token, repository: str) -> Token:
        """That of the installation which the repository has by now: it may have been transferred to another owner."""
        place = self._place(repository)
        with self._lock:
            if self._clocks.now() < self._looked_up_at.get(place, self._clocks.now()) + _LOOKED_UP_FOR:
                return refused
            former = self._installation_at.pop(place, None)
            if self._installation(place) == former:
                return refused
            return self._usable(place) or self._flight(place)

    def account(self) -> Account:
        """As whom the App's installations write: `slug[bot]`."""
        found = self._decoded("app", self._asked("app", method="GET", path="/app"), OwnApp)
        return Account(login=f"{found.slug}[bot]", type="Bot")

    def _place(self, repository: str) -> str:
        return (repository or self._app.home).lower()

    def _usable(self, place: str) -> Token | None:
        held = self._held.get(self._installation_at.get(place, 0))
        return held.token if held is not None and self._clocks.there() < held.renew_at else None

    def _flight(self, place: str) -> Token:
        """A new token; the one that is about to expire where GitHub gives none. The caller holds the lock."""
        former = self._held.get(self._installation_at.get(place, 0))
        try:
            token = self._mint(place)
        except DeliveryError as error:
            there = self._clocks.there()
            lost = place not in self._installation_at
            if former is None or lost or there >= former.expires_at:
                self._failed[place] = (self._flights, error)
                raise
            log.warning("GitHub token not renewed", repository=place, error=str(error))
            self._held[self._installation_at[place]] = replace(former, renew_at=there + _AGAIN_AFTER)
            return former.token
        finally:
            self._flights += 1
        self._failed.pop(place, None)
        return token

    def _mint(self, place: str) -> Token:
        known = place in self._installation_at
        number = self._installation(place)
        shared = None if known else self._usable(place)
        if shared is not None:
            return shared
        try:
            answer = self._asked("access_token", method="POST", path=f"/app/installations/{number}/access_tokens")
        except DeliveryError as error:
            if error.reason != "not_found":
                raise
            answer = None
        if answer is None:
            self._held.pop(self._installation_at.pop(place), None)
            if known:
                return self._mint(place)
            raise self._not_installed(f"installation {number}, which GitHub does not find")
        minted = self._decoded("access_token", answer, MintedToken)
        if not is_sendable(minted.token):
            raise self._unreadable("access_token", "a token with characters that no token has")
        there = self._clocks.there()
        token = Token(text=minted.token, minted_at=self._clocks.now())
        renew_at = max(minted.expires_at - _BEFORE_ITS_END, there + _AGAIN_AFTER)
        self._held[number] = _Held(token=token, renew_at=renew_at, expires_at=minted.expires_at)
        return token

    def _installation(self, place: str) -> int:
        if place not in self._installation_at:
            self._installation_at[place] = self._app.installation_id or self._looked_up(place)
        return self._installation_at[place]

    def _looked_up(self, place: str) -> int:
        self._looked_up_at[place] = self._clocks.now()
        try:
            answer = self._asked("installation", method="GET", path=f"/repos/{place}/installation")
        except DeliveryError as error:
            if error.reason != "not_found":
                raise
        else:
            return self._decoded("installation", answer, Installation).id
        raise self._not_installed(place)

    def _asked(self, operation: str, *, method: str, path: str) -> bytes:
        """The answer; once more where it was refused and told that our clock is wrong."""
        ahead, token = self._clocks.ahead, self._assertion()
        try:
            return self._ask(operation, method=method, path=path, token=token)
        except DeliveryError as error:
            failure = error
        if failure.reason == "unauthorized" and abs(self._clocks.ahead - ahead) > AGREED:
            token = self._assertion()
            try:
                return self._ask(operation, method=method, path=path, token=token)
            except DeliveryError as error:
                failure = error
        if failure.reason == "unauthorized" or _UNKNOWN_APP in str(failure):
            hint = "do the id and the private key of backend.github.app belong together?"
            retry_at = self._clocks.now() + TOKEN_WRONG_FOR
            raise DeliveryError(f"{failure}; {hint}", reason="unauthorized", retry_at=retry_at)
        raise _again(failure)

    def _assertion(self) -> str:
        try:
            return assertion(self._app.id, self._app.key(), self._clocks.there())
        except ConfigError as error:
            problem = f"GitHub was not asked: {error}"
        raise DeliveryError(problem, reason="unauthorized", retry_at=self._clocks.now() + TOKEN_WRONG_FOR)

    def _not_installed(self, what: str) -> DeliveryError:
        return DeliveryError(
            f"the GitHub App {self._app.id} is not installed on {what}, or was not given this repository",
            reason="not_installed",
            retry_at=self._clocks.now() + ACCESS_WRONG_FOR,
        )

    def _decoded(self, operation: str, answer: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(answer, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            problem = type(error).__name__
        raise self._unreadable(operation, problem)

    def _unreadable(self, operation: str, problem: str) -> DeliveryError:
        words = f"GitHub's answer to {operation} cannot be read: {problem}"
        return DeliveryError(words, reason="unreadable_answer", retry_at=self._clocks.now() + TROUBLE_FOR)


def _again(error: DeliveryError) -> DeliveryError:
    """Says the same of a request that waited for the token: that one was not sent at all."""
    return DeliveryError(str(error), reason=error.reason, retry_at=error.retry_at)
