"""Recent changes of repositories as GitHub's REST API tells them: deployments, releases, merged pull requests, commits.

Wire formats: "REST API endpoints for deployments", "… for releases", "… for pull requests", "… for commits".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from msgspec import Struct

from triaged.backends.github.settings import Settings
from triaged.backends.github.transport import Access, Request, Surroundings, Transport
from triaged.core.changes import LOOKED_BACK, SKEW, Change, ChangeKind
from triaged.errors import DeliveryError

REQUEST_SECONDS: Final = 5.0
FRESH_FOR: Final = timedelta(minutes=1)
"""In a storm one answer does for all incidents of the same code."""
FEW_LEFT: Final = 500
"""So many requests of the hour are left to the issues themselves."""
PER_PAGE: Final = 30
_MOST_KNOWN: Final = 200
_LONGEST: Final = 300
_HOUR: Final = timedelta(hours=1)
_SHA: Final = re.compile(r"[0-9a-f]{40}")
_VERSION: Final = re.compile(r"\d")
# Nothing that another kind of change would tell: then none of them is asked.
_HOPELESS: Final = frozenset(
    {"connection", "timeout", "unauthorized", "rate_limited", "secondary_limit", "not_found", "not_installed"}
)

T = TypeVar("T")
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class _Account(Struct, frozen=True):
    login: str = ""


class _Deployment(Struct, frozen=True):
    sha: str
    ref: str
    environment: str
    created_at: Instant
    description: str | None = None
    creator: _Account | None = None


class _Release(Struct, frozen=True):
    tag_name: str
    html_url: str
    draft: bool = False
    name: str | None = None
    published_at: Instant | None = None
    author: _Account | None = None


class _Pull(Struct, frozen=True):
    number: int
    title: str
    html_url: str
    merged_at: Instant | None = None
    user: _Account | None = None


class _Signature(Struct, frozen=True):
    name: str | None = None
    date: Instant | None = None


class _Written(Struct, frozen=True):
    message: str
    author: _Signature | None = None
    committer: _Signature | None = None


class _Commit(Struct, frozen=True):
    sha: str
    html_url: str
    commit: _Written
    author: _Account | None = None


class Found(Struct, frozen=True, kw_only=True):
    """What could be learnt of some repositories; `failures` say in words what could not."""

    changes: tuple[Change, ...] = ()
    failures: tuple[str, ...] = ()


class Changes:
    """Asks GitHub, in its own time: each request for some seconds, none while few are left. Thread safe."""

    def __init__(self, settings: Settings, around: Surroundings, *, seconds: float = REQUEST_SECONDS) -> None:
        self._settings = settings
        self._api = settings.api_url.rstrip("/")
        self._around = around
        self._seconds = seconds
        access = Access(
            api_url=settings.api_url, token=settings.token, app=settings.app, timeout=timedelta(seconds=seconds)
        )
        self._transport = Transport(access, around)
        self._known: dict[tuple[str, datetime], tuple[datetime, Found]] = {}

    def close(self) -> None:
        """Give the connections back."""
        self._transport.close()

    def of(self, repository: str, started_at: datetime) -> Found:
        """What changed in a repository in the day before something broke; of a failure it tells in words."""
        now = self._around.now()
        hour = started_at.replace(minute=0, second=0, microsecond=0)
        asked_at, found = self._known.get((repository, hour), (None, Found()))
        if asked_at is not None and timedelta() <= now - asked_at < FRESH_FOR:
            return found
        found = self._ask(repository, (hour - LOOKED_BACK, hour + _HOUR + SKEW))
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[repository, hour] = now, found
        return found

    def _ask(self, repository: str, between: tuple[datetime, datetime]) -> Found:
        kinds: dict[str, Callable[[], Iterable[Change]]] = {
            "deployments": lambda: self._deployments(repository),
            "releases": lambda: self._releases(repository),
            "pull requests": lambda: self._pulls(repository),
            "commits": lambda: self._commits(repository, between),
        }
        changes: list[Change] = []
        failures: dict[str, list[str]] = {}
        for kind, ask in kinds.items():
            left = self._transport.rate_limit_remaining
            if left is not None and left < FEW_LEFT:
                failures.setdefault(f"only {left:,} requests are left to us at GitHub", []).append(kind)
                continue
            try:
                changes += ask()
            except DeliveryError as error:
                hopeless = error.reason in _HOPELESS
                failures.setdefault(self._words(error), []).append("" if hopeless else kind)
                if hopeless:
                    break
        # The newest ones of what is asked: what is older than all of them says nothing.
        return Found(
            changes=tuple(one for one in changes if between[0] <= one.at <= between[1]),
            failures=tuple(f"changes of {repository}{_listed(of)}: {words}" for words, of in failures.items()),
        )

    def _words(self, error: DeliveryError) -> str:
        if error.reason == "timeout":
            return f"{urlsplit(self._api).hostname} did not answer within {self._seconds:g} s"
        return str(error)[:_LONGEST]

    def _deployments(self, repository: str) -> Iterator[Change]:
        found = self._list(repository, "deployments", tuple[_Deployment, ...])
        for position, one in enumerate(found):
            older = (other for other in found[position + 1 :] if other.environment == one.environment)
            former = next((other for other in older if other.sha != one.sha), None)
            # Who deploys a branch deploys the same name each time.
            same = former is not None and former.ref == one.ref
            yield Change(
                kind=ChangeKind.DEPLOYMENT,
                repository=repository,
                at=one.created_at,
                ref=_version(one, named=not same),
                title=_line(one.description or ""),
                by=_login(one.creator),
                url=self._page(repository, one, former),
                before="" if former is None else _version(former, named=not same),
                where=_line(one.environment),
                commit=one.sha,
            )

    def _releases(self, repository: str) -> Iterator[Change]:
        for one in self._list(repository, "releases", tuple[_Release, ...]):
            if one.published_at is not None and not one.draft:
                yield Change(
                    kind=ChangeKind.RELEASE,
                    repository=repository,
                    at=one.published_at,
                    ref=_line(one.tag_name),
                    title=_line(one.name or ""),
                    by=_login(one.author),
                    url=one.html_url[:2_000],
                )

    def _pulls(self, repository: str) -> Iterator[Change]:
        newest = {"state": "closed", "sort": "updated", "direction": "desc"}
        for one in self._list(repository, "pulls", tuple[_Pull, ...], **newest):
            if one.merged_at is not None:
                yield Change(
                    kind=ChangeKind.PULL_REQUEST,
                    repository=repository,
                    at=one.merged_at,
                    ref=f"#{one.number}",
                    title=_line(one.title),
                    by=_login(one.user),
                    url=one.html_url[:2_000],
                )

    def _commits(self, repository: str, between: tuple[datetime, datetime]) -> Iterator[Change]:
        since, until = (at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for at in between)
        try:
            found = self._list(repository, "commits", tuple[_Commit, ...], since=since, until=until)
        except DeliveryError as error:
            if " 409" not in str(error):
                raise
            return  # a repository without any commit
        for one in found:
            signed = one.commit.committer or one.commit.author
            if signed is not None and signed.date is not None:
                author = one.commit.author
                yield Change(
                    kind=ChangeKind.COMMIT,
                    repository=repository,
                    at=signed.date,
                    ref=one.sha[:7],
                    title=_line(one.commit.message.partition("\n")[0]),
                    by=_login(one.author) or _line((author.name if author else None) or ""),
                    url=one.html_url[:2_000],
                    commit=one.sha,
                )

    def _list(self, repository: str, what: str, kind: type[T], **query: str) -> T:
        """The first page; more would be older than what can matter."""
        url = f"{self._api}/repos/{repository}/{what}?{urlencode({**query, 'per_page': PER_PAGE})}"
        answer = self._transport.send(Request(operation=f"list_{what}", method="GET", url=url))
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            problem = f"GitHub's answer about {what} cannot be read: {type(error).__name__}"
            raise DeliveryError(problem, reason="unreadable_answer") from None

    def _page(self, repository: str, one: _Deployment, former: _Deployment | None) -> str:
        """Where people see what was deployed: what it differs in from the version before, where that is known."""
        parts = urlsplit(self._api)
        host = "github.com" if parts.hostname == "api.github.com" else parts.netloc
        base = f"{parts.scheme}://{host}/{repository}"
        if not _SHA.fullmatch(one.sha):
            return ""
        if former is not None and _SHA.fullmatch(former.sha):
            return f"{base}/compare/{former.sha}...{one.sha}"
        return f"{base}/commit/{quote(one.sha)}"


def _version(one: _Deployment, *, named: bool) -> str:
    is_name = named and _VERSION.search(one.ref) and not _SHA.fullmatch(one.ref)
    return _line(one.ref) if is_name else one.sha[:7]


def _login(account: _Account | None) -> str:
    return "" if account is None else _line(account.login)


def _line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]


def _listed(kinds: Sequence[str]) -> str:
    """Which kinds it is about; nothing where it is about all."""
    named = [kind for kind in kinds if kind]
    return f" ({', '.join(named)})" if named else ""
