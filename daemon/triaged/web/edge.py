"""The edge of the application: refuses what must not come in, and lets no error out that is not meant for people."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import structlog
from fastapi import Depends, Request
from fastapi.responses import JSONResponse, Response

from triaged.web.auth import Role, Token
from triaged.web.desk import Desk
from triaged.web.heartbeats import PREFIX as HEARTBEATS
from triaged.web.limits import GITHUB, most_bytes
from triaged.web.pages import is_page, problem

log = structlog.get_logger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

TOKEN: Final = "triaged.token"  # noqa: S105 - the name of a key in the request's scope


async def _token(request: Request) -> Token | None:
    token: Token | None = request.scope[TOKEN]
    return token


TheToken = Annotated[Token | None, Depends(_token)]
"""The token that lets an act in; None where acts are open."""
RELOAD: Final = "/-/reload"
_SAFE: Final = ("GET", "HEAD", "OPTIONS")
# Everything that a page needs comes from here; nothing runs that is not a file of ours.
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    b"content-security-policy": _POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}


class Refused(Exception):  # noqa: N818 - an answer, not an accident
    """The request must not come in: answered with this status and text."""

    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.headers = headers


class Edge:
    """An ASGI middleware; the token that lets an act in lies in `scope[TOKEN]`, None where acts are open."""

    def __init__(self, application: Application, *, desk: Desk) -> None:
        self._application = application
        self._desk = desk
        self._public = urlsplit(desk.public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        # As the intake of alerts does: a redirect would look like success, and do nothing.
        scope = {**scope, "path": scope["path"].rstrip("/") or "/"}
        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                given = {name.lower() for name, _ in message["headers"]}
                added = [(name, value) for name, value in _HEADERS.items() if name not in given]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        try:
            if scope["method"] not in _SAFE:
                # GitHub's webhook has no token of ours: its signature is looked at where its body is.
                scope[TOKEN] = None if scope["path"] == GITHUB else self._may_act(scope)
                receive = await _whole(scope, receive)
            elif self._desk.loopback:
                self._refuse_other_names(_values(scope, b"host"))
            await self._application(scope, receive, answer)
        except Refused as refused:
            log.warning("request refused", path=scope["path"], status=refused.status, why=str(refused))
            await _error(scope, refused.status, str(refused), refused.headers)(scope, receive, answer)
        except Exception:
            log.exception("request failed", method=scope["method"], path=scope["path"])
            self._desk.metrics.errors.labels("web").inc()
            if not started:
                await _error(scope, 500, "something broke here; the daemon's log tells what")(scope, receive, answer)

    def _may_act(self, scope: Scope) -> object:
        """The token that allows it; raises Refused. A browser that another site drives is stopped first."""
        hosts = _values(scope, b"host")
        if self._desk.loopback:
            self._refuse_other_names(hosts)
        self._refuse_other_sites(scope, hosts)
        authorization = next(iter(_values(scope, b"authorization")), None)
        token = self._desk.tokens.who(authorization)
        beats = scope["path"].startswith(f"{HEARTBEATS}/")
        if self._desk.tokens.configured and not (beats and self._desk.sends(authorization)):
            if token is None:
                challenge = {"WWW-Authenticate": 'Bearer realm="triaged"'}
                also = ", or that of a source" if beats else ""
                raise Refused(401, f"expected a valid API token{also}: Authorization: Bearer TOKEN", challenge)
            if token.role is not Role.ACT:
                raise Refused(403, f"expected a token with the role act; {token.name} has the role {token.role}")
        kind = next(iter(_values(scope, b"content-type")), "").partition(";")[0].strip().lower()
        # A heartbeat may come as bare as a cron job's `curl -X POST URL`.
        bare = scope["path"] == RELOAD or (beats and not kind)
        if kind != "application/json" and not bare:
            raise Refused(415, f"expected Content-Type: application/json, got {kind[:100] or 'none'}")
        return token

    def _refuse_other_names(self, hosts: Iterable[str]) -> None:
        """A page of another site whose name was made to point here (DNS rebinding) still sends its own name."""
        for host in hosts:
            name = _split(f"//{host}").hostname or ""
            if name != self._public.hostname and not _is_loopback(name):
                expected = f"localhost or the host of public_url, {self._public.hostname}"
                raise Refused(403, f"expected a request to {expected}, got one to {host[:100]}")

    def _refuse_other_sites(self, scope: Scope, hosts: Iterable[str]) -> None:
        for site in _values(scope, b"sec-fetch-site"):
            if site not in ("same-origin", "none"):
                raise Refused(403, f"expected a request from a page of this daemon, got one from a {site[:20]} page")
        for origin in _values(scope, b"origin"):
            found = _split(origin)
            here = [host.lower() for host in hosts]
            if found.netloc.lower() not in here and (found.scheme, found.netloc) != self._public[:2]:
                raise Refused(403, f"expected a request from a page of this daemon, got one from {origin[:100]}")


async def _whole(scope: Scope, receive: Receive) -> Receive:
    """The request with its body read; raises Refused (413) as soon as it is too large."""
    chunks: list[bytes] = []
    size, more = 0, True
    most = most_bytes(scope["path"], scope["headers"])
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "expected a whole body, the sender went away")
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        more = message.get("more_body", False)
        if size > most:
            raise Refused(413, f"expected a body of at most {most:,} bytes, got more")
    body = b"".join(chunks)
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def _split(url: str) -> Any:
    try:
        found = urlsplit(url)
        found.hostname  # noqa: B018 - only asking tells whether it can be read
    except ValueError:
        return urlsplit("")
    return found


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _error(scope: Scope, status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    if is_page(scope["path"]):
        return problem(status, text)
    return JSONResponse({"error": text}, status_code=status, headers=headers)
