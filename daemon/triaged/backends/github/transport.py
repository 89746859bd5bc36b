"""One request to GitHub and its answer: token, redirects, time limit; every failure a DeliveryError."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import httpx

from triaged import __version__
from triaged.backends.github.clocks import Clocks
from triaged.backends.github.failures import Answered, failure, late, moved, redirected, said, unanswered
from triaged.backends.github.installations import Installations
from triaged.backends.github.settings import App
from triaged.backends.github.tokens import GivenToken, Token, Tokens
from triaged.backends.github.wire import Account
from triaged.clock import seconds
from triaged.errors import DeliveryError

if TYPE_CHECKING:
    from ssl import SSLContext

UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
API_VERSION = "2022-11-28"
REDIRECTS = frozenset({301, 302, 307, 308})
UNCHANGED = 304
MOST_REDIRECTS = 3
# A page of a hundred issues with bodies of the greatest length is some 26 MB in UTF-8.
LONGEST_BODY = 32 * 1024 * 1024
# A new token is not known everywhere at GitHub at once (octokit/auth-app.js#65 saw 401, #589 saw 403).
YOUNG: Final = timedelta(seconds=10)
PATIENCE: Final = timedelta(seconds=2)
IN_A_REPOSITORY: Final = re.compile(r"/repos/([^/]+/[^/]+)(?:/.*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How to reach GitHub: `api_url` without a trailing slash; as an App, or by a token that is asked for each time.

    GitHub ends a request itself after ten seconds; `timeout` is longer, so that its own answer is seen.
    """

    api_url: str
    token: Callable[[], str] | None = field(default=None, repr=False)
    app: App | None = None
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
    """`body` is JSON; any method but GET is a write.

    `repository` is the one it is about, where the URL does not name it: that of a following page has its id only.
    With the `tag` of an earlier answer it asks whether there is another one by now.
    """

    operation: str
    method: str
    url: str
    body: bytes | None = None
    repository: str = ""
    tag: str = ""

    @property
    def is_write(self) -> bool:
        return self.method != "GET"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A success. `moved_to` is the path below `api_url` to which GitHub permanently redirected the request.

    Names of `headers` are found whatever their case. `tag` names this answer; `same` says that it is the one that the
    request's tag names, and its body is empty: that costs nothing of the primary limit ("Conditional requests").
    """

    body: bytes
    next_url: str | None
    moved_to: str | None
    headers: Mapping[str, str] = field(default_factory=dict)
    tag: str = ""
    same: bool = False


@cache
def _trust() -> SSLContext:
    """Which certificates are believed: to read them takes 20 ms, and a daemon has three clients."""
    return httpx.create_ssl_context(trust_env=False)


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
        self._http = httpx.Client(follow_redirects=False, trust_env=False, verify=_trust())
        self.clocks = Clocks(surroundings.now)
        self._app: Installations | None = None
        self._tokens: Tokens = GivenToken(access.token or str, surroundings.now)
        if access.app is not None:
            self._tokens = self._app = Installations(access.app, self._as_app, self.clocks)
        self.rate_limit_remaining: int | None = None

    def close(self) -> None:
        self._http.close()

    def send(self, request: Request) -> Answer:
        """The successful answer; DeliveryError otherwise, `ambiguous` where a write may have been done."""
        return self._observed(request, lambda: self._send(request))

    def own_app(self) -> Account | None:
        """Who we are as an App, asked anew; None where we are none."""
        return None if self._app is None else self._app.account()

    def repository_of(self, request: Request) -> str:
        """`owner/name` of the repository that it is about, "" for none."""
        found = IN_A_REPOSITORY.fullmatch(self._path(httpx.URL(request.url)))
        return request.repository or (found[1] if found else "")

    def same_host(self, address: str | httpx.URL) -> bool:
        """Whether the token may go there."""
        try:
            url = httpx.URL(address)
        except httpx.InvalidURL:
            return False
        place = (url.scheme, url.host, url.port)
        return place == (self._api.scheme, self._api.host, self._api.port) and not url.userinfo

    def _observed(self, request: Request, work: Callable[[], Answer]) -> Answer:
        started = self._around.monotonic()
        outcome = "bug"
        try:
            answer = work()
            outcome = "ok"
        except DeliveryError as error:
            outcome = error.reason
            raise
        finally:
            self._around.observe(request.operation, outcome, self._around.monotonic() - started)
        return answer

    def _as_app(self, operation: str, *, method: str, path: str, token: str) -> bytes:
        """The answer to what the App asks as itself."""
        request = Request(operation=operation, method=method, url=f"{self._access.api_url.rstrip('/')}{path}")

        def once() -> Answer:
            answer, _ = self._follow(request, token)
            if isinstance(answer, DeliveryError):
                raise answer
            return answer

        return self._observed(request, once).body

    def _send(self, request: Request) -> Answer:
        """A refused token has done nothing, nor has what is not found: then another token is safe for writes, too."""
        repository = self.repository_of(request)
        token = self._tokens.of(repository)
        answer, moved_to = self._patiently(request, token)
        if isinstance(answer, DeliveryError):
            another = token
            if answer.reason == "unauthorized":
                another = self._tokens.instead_of(token, repository)
            elif answer.reason == "not_found":
                another = self._tokens.elsewhere(token, repository)
            if another != token:
                answer, moved_to = self._patiently(request, another)
        if isinstance(answer, DeliveryError):
            raise moved(answer, moved_to) if answer.reason == "not_found" and moved_to else answer
        return answer

    def _patiently(self, request: Request, token: Token) -> tuple[Answer | DeliveryError, str | None]:
        """The answer; once more after a short wait where a token is refused that we have only just been given."""
        answer, moved_to = self._follow(request, token.text)
        refused = isinstance(answer, DeliveryError) and answer.reason in {"unauthorized", "forbidden"}
        if refused and token.minted_at is not None and self._around.now() < token.minted_at + YOUNG:
            self._around.pause(PATIENCE.total_seconds())
            return self._follow(request, token.text)
        return answer, moved_to

    def _follow(self, request: Request, token: str) -> tuple[Answer | DeliveryError, str | None]:
        """The answer at the end of the redirects, and where that was if they were permanent.

        Method and body stay ("Best practices", follow redirects).
        """
        deadline = self._around.monotonic() + self._access.timeout.total_seconds()
        url, moved_to = httpx.URL(request.url), None
        for _ in range(MOST_REDIRECTS + 1):
            step = self._exchange(request, url, token=token, deadline=deadline)
            if isinstance(step, _Hop):
                url = step.url
                moved_to = self._path(url) if moved_to is not None or step.permanent else None
                continue
            return step if isinstance(step, DeliveryError) else replace(step, moved_to=moved_to), moved_to
        what = f"more than {MOST_REDIRECTS} redirects"
        return redirected(self._told(request), what, self._around.now()), moved_to

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
        owner = _owner(token)
        if request.tag.startswith(owner):
            headers["If-None-Match"] = request.tag.removeprefix(owner)
        left = max(deadline - self._around.monotonic(), 0.001)
        try:
            with self._http.stream(
                request.method, url, content=request.body, headers=headers, timeout=left
            ) as response:
                body = self._read(response, deadline=deadline)
        except httpx.RequestError as error:
            maybe_done = request.is_write and not isinstance(error, UNSENT)
            return unanswered(self._told(request), error, self._around.now(), ambiguous=maybe_done)
        if body is None:
            allowed = self._access.timeout.total_seconds()
            return late(self._told(request), allowed, self._around.now(), ambiguous=request.is_write)
        found = self._understood(request, response, body)
        etag = response.headers.get("etag", "")
        return replace(found, tag=f"{owner}{etag}") if etag and isinstance(found, Answer) else found

    def _read(self, response: httpx.Response, *, deadline: float) -> bytes | None:
        """The whole body; None where it takes too long or is too long, which the library does not limit."""
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > LONGEST_BODY or self._around.monotonic() > deadline:
                return None
        return bytes(body)

    def _understood(self, request: Request, response: httpx.Response, body: bytes) -> Answer | _Hop | DeliveryError:
        self.clocks.hear(response.headers.get("date", ""))
        remaining = response.headers.get("x-ratelimit-remaining", "")
        if remaining.isdigit():
            self.rate_limit_remaining = int(remaining)
        if response.is_success:
            following = response.links.get("next", {}).get("url")
            return Answer(body=body, next_url=following, moved_to=None, headers=response.headers)
        if response.status_code == UNCHANGED and request.tag:
            return Answer(body=b"", next_url=None, moved_to=None, headers=response.headers, tag=request.tag, same=True)
        if response.status_code in REDIRECTS:
            return self._hop(request, response, said(body))
        answered = Answered(
            operation=self._told(request),
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=body,
            is_write=request.is_write,
        )
        return failure(answered, self._around.now())

    def _hop(self, request: Request, response: httpx.Response, message: str) -> _Hop | DeliveryError:
        """GitHub says "Moved Permanently" also with 307, which it gives to writes after a rename."""
        problem = "a redirect without a usable address"
        try:
            target = response.url.join(response.headers["location"])
        except (KeyError, httpx.InvalidURL):
            target = None
        if target is not None and self.same_host(target):
            return _Hop(target, permanent=response.status_code in {301, 308} or message == "Moved Permanently")
        if target is not None:
            problem = f"a redirect to another host, {target.host[:100]}"
        return redirected(self._told(request), problem, self._around.now())

    def _told(self, request: Request) -> str:
        """The request in words for people."""
        repository = self.repository_of(request)
        return f"{request.operation} in {repository}" if repository else request.operation

    def _path(self, url: httpx.URL) -> str:
        return url.path.removeprefix(self._api.path.rstrip("/"))


def _owner(token: str) -> str:
    """Begins the tags that this token was given: GitHub's ETags differ by token (eclipse-csi/otterdog#201)."""
    return f"{blake2b(token.encode(), digest_size=6).hexdigest()}:"
