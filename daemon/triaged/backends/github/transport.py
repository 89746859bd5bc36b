"""One request to GitHub and its answer: token, redirects, time limit; every failure a DeliveryError."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx

from triaged import __version__
from triaged.backends.github.failures import (
    ACCESS_WRONG_FOR,
    SECRETS,
    TOKEN_WRONG_FOR,
    TROUBLE_FOR,
    Answered,
    failure,
    said,
)
from triaged.clock import seconds
from triaged.errors import DeliveryError

UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
API_VERSION = "2022-11-28"
REDIRECTS = frozenset({301, 302, 307, 308})
MOST_REDIRECTS = 3
# A page of a hundred issues with bodies of the greatest length is some 26 MB in UTF-8.
LONGEST_BODY = 32 * 1024 * 1024
# Any other character would be refused by the HTTP library with the token in its message.
TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach GitHub: `api_url` without a trailing slash, and the token, asked for anew with each call.

    GitHub ends a request itself after ten seconds; `timeout` is longer, so that its own answer is seen.
    """

    api_url: str
    token: Callable[[], str] = field(repr=False)
    timeout: timedelta = timedelta(seconds=15)


def unobserved(operation: str, outcome: str, span: float) -> None:
    """No metrics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The world as the client may know it.

    `pause` waits so many seconds; `observe` gets operation, outcome ("ok" or the reason) and the seconds it took.
    """

    now: Callable[[], datetime]
    pause: Callable[[float], None]
    monotonic: Callable[[], float] = seconds
    observe: Callable[[str, str, float], object] = unobserved


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`body` is JSON; any method but GET is a write."""

    operation: str
    method: str
    url: str
    body: bytes | None = None

    @property
    def is_write(self) -> bool:
        return self.method != "GET"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A success. `moved_to` is the path below `api_url` to which GitHub permanently redirected the request."""

    body: bytes
    next_url: str | None
    moved_to: str | None


@dataclass(frozen=True, slots=True)
class _Hop:
    """A redirect to follow."""

    url: httpx.URL
    permanent: bool


class Transport:
    """Thread safe. It sends each request once: again only where GitHub has said that nothing was done."""

    def __init__(self, access: Access, surroundings: Surroundings) -> None:
        self._access = access
        self._around = surroundings
        self._api = httpx.URL(access.api_url)
        self._http = httpx.Client(follow_redirects=False, trust_env=False)
        self.rate_limit_remaining: int | None = None

    def close(self) -> None:
        self._http.close()

    def send(self, request: Request) -> Answer:
        """The successful answer; DeliveryError otherwise, `ambiguous` where a write may have been done."""
        started = self._around.monotonic()
        outcome = "bug"
        try:
            answer = self._send(request)
            outcome = "ok"
        except DeliveryError as error:
            outcome = error.reason
            raise
        finally:
            self._around.observe(request.operation, outcome, self._around.monotonic() - started)
        return answer

    def same_host(self, address: str | httpx.URL) -> bool:
        """Whether the token may go there."""
        try:
            url = httpx.URL(address)
        except httpx.InvalidURL:
            return False
        place = (url.scheme, url.host, url.port)
        return place == (self._api.scheme, self._api.host, self._api.port) and not url.userinfo

    def _send(self, request: Request) -> Answer:
        token = self._token(request)
        answer = self._follow(request, token)
        if isinstance(answer, DeliveryError) and answer.reason == "unauthorized":
            # The file may have been rotated a moment ago; a refused token has done nothing, so this is safe for writes.
            fresh = self._token(request)
            answer = self._follow(request, fresh) if fresh != token else answer
        if isinstance(answer, DeliveryError):
            raise answer
        return answer

    def _token(self, request: Request) -> str:
        problem = "the token is empty or has characters that no token has"
        try:
            token = self._access.token().strip()
        except OSError as error:
            token, problem = "", f"the token cannot be read: {error.strerror}"
        if TOKEN.fullmatch(token):
            return token
        retry_at = self._around.now() + TOKEN_WRONG_FOR
        raise DeliveryError(f"{request.operation} was not sent: {problem}", reason="unauthorized", retry_at=retry_at)

    def _follow(self, request: Request, token: str) -> Answer | DeliveryError:
        """The answer at the end of the redirects; method and body stay ("Best practices", follow redirects)."""
        deadline = self._around.monotonic() + self._access.timeout.total_seconds()
        url, moved = httpx.URL(request.url), False
        for _ in range(MOST_REDIRECTS + 1):
            step = self._exchange(request, url, token=token, deadline=deadline)
            if isinstance(step, DeliveryError):
                return step
            if isinstance(step, _Hop):
                url, moved = step.url, moved or step.permanent
                continue
            return Answer(body=step.body, next_url=step.next_url, moved_to=self._path(url) if moved else None)
        return self._redirected(request, f"more than {MOST_REDIRECTS} redirects")

    def _exchange(
        self, request: Request, url: httpx.URL, *, token: str, deadline: float
    ) -> Answer | _Hop | DeliveryError:
        """Returns its errors: raised inside, they would carry the library's error and with it the request."""
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "User-Agent": f"triaged/{__version__}",
            "X-GitHub-Api-Version": API_VERSION,
        }
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        left = max(deadline - self._around.monotonic(), 0.001)
        try:
            with self._http.stream(
                request.method, url, content=request.body, headers=headers, timeout=left
            ) as response:
                body = self._read(response, deadline=deadline)
        except httpx.RequestError as error:
            return self._unanswered(request, error)
        if body is None:
            return self._late(request)
        return self._understood(request, response, body)

    def _read(self, response: httpx.Response, *, deadline: float) -> bytes | None:
        """The whole body; None where it takes too long or is too long, which the library does not limit."""
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > LONGEST_BODY or self._around.monotonic() > deadline:
                return None
        return bytes(body)

    def _understood(self, request: Request, response: httpx.Response, body: bytes) -> Answer | _Hop | DeliveryError:
        remaining = response.headers.get("x-ratelimit-remaining", "")
        if remaining.isdigit():
            self.rate_limit_remaining = int(remaining)
        if response.is_success:
            return Answer(body=body, next_url=response.links.get("next", {}).get("url"), moved_to=None)
        if response.status_code in REDIRECTS:
            return self._hop(request, response, said(body))
        answered = Answered(
            operation=request.operation,
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=body,
            is_write=request.is_write,
        )
        return failure(answered, self._around.now())

    def _hop(self, request: Request, response: httpx.Response, message: str) -> _Hop | DeliveryError:
        """GitHub says "Moved Permanently" also with 307, which it gives to writes after a rename."""
        try:
            target = response.url.join(response.headers["location"])
        except (KeyError, httpx.InvalidURL):
            return self._redirected(request, "a redirect without a usable address")
        if not self.same_host(target):
            return self._redirected(request, f"a redirect to another host, {target.host[:100]}")
        return _Hop(target, permanent=response.status_code in {301, 308} or message == "Moved Permanently")

    def _path(self, url: httpx.URL) -> str:
        return url.path.removeprefix(self._api.path.rstrip("/"))

    def _redirected(self, request: Request, what: str) -> DeliveryError:
        retry_at = self._around.now() + ACCESS_WRONG_FOR
        return DeliveryError(f"GitHub answered {request.operation} with {what}", reason="redirected", retry_at=retry_at)

    def _late(self, request: Request) -> DeliveryError:
        seconds_allowed = self._access.timeout.total_seconds()
        return DeliveryError(
            f"GitHub's answer to {request.operation} was not complete after {seconds_allowed} s or too long",
            reason="timeout",
            retry_at=self._around.now() + TROUBLE_FOR,
            ambiguous=request.is_write,
        )

    def _unanswered(self, request: Request, error: httpx.RequestError) -> DeliveryError:
        """Not ambiguous only where no byte of the request can have been sent."""
        words = SECRETS.sub("[secret]", str(error))[:200]
        return DeliveryError(
            f"no answer from GitHub to {request.operation}: {type(error).__name__} {words}".rstrip(),
            reason="timeout" if isinstance(error, httpx.TimeoutException) else "connection",
            retry_at=self._around.now() + TROUBLE_FOR,
            ambiguous=request.is_write and not isinstance(error, UNSENT),
        )
