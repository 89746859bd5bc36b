"""The calls of GitHub's REST API that the backend makes.

Wire format: GitHub's "REST API endpoints for issues", "… for issue comments", "… for labels". No call that creates
something is ever repeated here: general clients answer a 502 with more POSTs, and each may make another issue.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from tenacity import RetryCallState, Retrying, stop_after_attempt, wait_exponential

from triaged.backends.github.failures import TROUBLE_FOR
from triaged.backends.github.transport import Access, Answer, Request, Surroundings, Transport
from triaged.backends.github.wire import (
    Account,
    Comment,
    Issue,
    IssueChange,
    IssueEvent,
    Label,
    NewIssue,
    NewLabel,
    Permission,
    Reaction,
    Repository,
)
from triaged.errors import DeliveryError

T = TypeVar("T")
PER_PAGE = 100
READ_ATTEMPTS = 3
PASSING = frozenset({"connection", "server_error", "timeout", "unreadable_answer"})
REPOSITORY = re.compile(r"(?!\.{1,2}/)[\w.-]+/(?!\.{1,2}$)[\w.-]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply(Generic[T]):
    """`moved_to` is set where GitHub permanently redirected the request: the new path, below the API's address.

    The repository was renamed or the issue transferred; an Issue tells its new `repository` and `number` itself.
    """

    value: T
    moved_to: str | None = None


class GitHubClient:
    """Thread safe. `repository` is always `owner/name`.

    Every failure is a DeliveryError. Reads are repeated, READ_ATTEMPTS times in all; writes never.
    """

    def __init__(self, access: Access, surroundings: Surroundings) -> None:
        self._api_url = access.api_url.rstrip("/")
        self._around = surroundings
        self._transport = Transport(access, surroundings)
        self._retrying = Retrying(
            stop=stop_after_attempt(READ_ATTEMPTS),
            wait=wait_exponential(multiplier=0.5, max=4),
            retry=_may_pass,
            sleep=surroundings.pause,
            reraise=True,
        )

    def close(self) -> None:
        self._transport.close()

    @property
    def ahead(self) -> timedelta:
        """What GitHub's clock is ahead of ours, by its last answer."""
        return self._transport.clocks.ahead

    @property
    def rate_limit_remaining(self) -> int | None:
        """What the last answer said about the primary limit; None before one has, and where there is none."""
        return self._transport.rate_limit_remaining

    def create_issue(self, repository: str, issue: NewIssue) -> Reply[Issue]:
        """The issue as GitHub took it: labels and assignees are dropped silently without push access."""
        url = self._url(repository, "/issues")
        return self._write(Request(operation="create_issue", method="POST", url=url, body=_json(issue)), Issue)

    def get_issue(self, repository: str, number: int) -> Reply[Issue]:
        request = Request(operation="get_issue", method="GET", url=self._url(repository, f"/issues/{number}"))
        answer, value = self._read(request, Issue)
        return Reply(value=value, moved_to=answer.moved_to)

    def list_issues(self, repository: str) -> Iterator[Issue]:
        """All issues, open and closed, newest first, fetched page by page as they are asked for.

        Unfiltered on purpose: GitHub's filtered lists come from an index that lags, or stood still for a day
        (max-sixty/tend#345). What was created during the walk may appear twice. Pull requests are left out.
        """
        query = {"state": "all", "sort": "created", "direction": "desc", "per_page": PER_PAGE}
        issues = self._pages("list_issues", self._url(repository, "/issues", **query), Issue)
        return (issue for issue in issues if issue.pull_request is None)

    def list_changed(
        self, repository: str, since: datetime, *, newest_first: bool, tag: str = ""
    ) -> tuple[Answer, tuple[Issue, ...]]:
        """A page of what changed at `since` (aware) or later, pull requests too; nothing where it is as `tag` says."""
        query = {"state": "all", "sort": "updated", "direction": "desc" if newest_first else "asc"}
        url = self._url(repository, "/issues", **query, since=_instant(since), per_page=PER_PAGE)
        request = Request(operation="list_issues", method="GET", url=url, tag=tag)

        def once() -> tuple[Answer, tuple[Issue, ...]]:
            answer = self._transport.send(request)
            return answer, () if answer.same else self._decoded(request, answer, tuple[Issue, ...])

        return self._retrying(once)

    def following(self, repository: str, answer: Answer) -> tuple[Answer, tuple[Issue, ...]]:
        """The page after that one, which must have one."""
        url = answer.next_url or ""
        if not self._transport.same_host(url):
            raise DeliveryError("GitHub's list_issues continues on another host", reason="redirected")
        request = Request(operation="list_issues", method="GET", url=url, repository=repository)
        return self._read(request, tuple[Issue, ...])

    def list_events(self, repository: str, number: int) -> Iterator[IssueEvent]:
        """What was done to the issue, oldest first, page by page."""
        url = self._url(repository, f"/issues/{number}/events", per_page=PER_PAGE)
        return self._pages("list_events", url, IssueEvent)

    def update_issue(self, repository: str, number: int, change: IssueChange) -> Reply[Issue]:
        """The issue as it is afterwards; idempotent."""
        url = self._url(repository, f"/issues/{number}")
        return self._write(Request(operation="update_issue", method="PATCH", url=url, body=_json(change)), Issue)

    def create_comment(self, repository: str, number: int, body: str) -> Reply[Comment]:
        url = self._url(repository, f"/issues/{number}/comments")
        request = Request(operation="create_comment", method="POST", url=url, body=_json({"body": body}))
        return self._write(request, Comment)

    def list_comments(self, repository: str, number: int, *, since: datetime | None = None) -> Iterator[Comment]:
        """The issue's comments that changed at `since` (aware) or later, oldest first, page by page."""
        query = {"since": _instant(since)} if since else {}
        url = self._url(repository, f"/issues/{number}/comments", per_page=PER_PAGE, **query)
        return self._pages("list_comments", url, Comment)

    def add_labels(self, repository: str, number: int, names: tuple[str, ...]) -> Reply[tuple[Label, ...]]:
        """All labels of the issue afterwards. Add only what is missing: repeated ones count against a hundred."""
        url = self._url(repository, f"/issues/{number}/labels")
        request = Request(operation="add_labels", method="POST", url=url, body=_json({"labels": names}))
        return self._write(request, tuple[Label, ...])

    def remove_label(self, repository: str, number: int, name: str) -> None:
        """Idempotent: a label that is not there is no error."""
        url = self._url(repository, f"/issues/{number}/labels/{quote(name, safe='')}")
        try:
            self._transport.send(Request(operation="remove_label", method="DELETE", url=url))
        except DeliveryError as error:
            if error.reason != "not_found" or "Label does not exist" not in str(error):
                raise

    def assign(self, repository: str, number: int, logins: tuple[str, ...]) -> Reply[Issue]:
        """The issue as it is afterwards; idempotent. Who cannot be assigned is left out without a word."""
        return self._assignment("assign", "POST", repository, number, logins)

    def unassign(self, repository: str, number: int, logins: tuple[str, ...]) -> Reply[Issue]:
        """The issue as it is afterwards; idempotent."""
        return self._assignment("unassign", "DELETE", repository, number, logins)

    def react(self, repository: str, comment: int, reaction: str) -> None:
        """Idempotent: each account has one reaction of a name to a comment."""
        url = self._url(repository, f"/issues/comments/{comment}/reactions")
        self._write(Request(operation="react", method="POST", url=url, body=_json({"content": reaction})), Reaction)

    def ensure_label(self, repository: str, label: NewLabel) -> Reply[Label]:
        """The repository's label of that name, in whatever colour people have given it; made where there is none."""
        one = Request(
            operation="get_label", method="GET", url=self._url(repository, f"/labels/{quote(label.name, safe='')}")
        )
        create = Request(
            operation="create_label", method="POST", url=self._url(repository, "/labels"), body=_json(label)
        )
        found = self._found(one)
        try:
            return found or self._write(create, Label)
        except DeliveryError as error:
            if error.reason != "invalid" or "already_exists" not in str(error):
                raise
        answer, value = self._read(one, Label)
        return Reply(value=value, moved_to=answer.moved_to)

    def whoami(self) -> Account:
        """As whom we write: an App's bot, or the account of the token; `forbidden` for a token of an installation."""
        bot = self._transport.own_app()
        if bot is not None:
            return bot
        request = Request(operation="whoami", method="GET", url=f"{self._api_url}/user")
        return self._read(request, Account)[1]

    def repository(self, repository: str) -> Reply[Repository]:
        """The repository with its present name."""
        request = Request(operation="repository", method="GET", url=self._url(repository, ""))
        answer, value = self._read(request, Repository)
        return Reply(value=value, moved_to=answer.moved_to)

    def permission(self, repository: str, login: str) -> Reply[Permission]:
        """What that person may do there; `not_found` for who is not known there."""
        url = self._url(repository, f"/collaborators/{quote(login, safe='')}/permission")
        answer, value = self._read(Request(operation="permission", method="GET", url=url), Permission)
        return Reply(value=value, moved_to=answer.moved_to)

    def _url(self, repository: str, path: str, **query: object) -> str:
        if not REPOSITORY.fullmatch(repository):
            raise DeliveryError(f"expected a repository as owner/name, not {repository!r}", reason="invalid")
        return f"{self._api_url}/repos/{repository}{path}" + (f"?{urlencode(query)}" if query else "")

    def _assignment(
        self, operation: str, method: str, repository: str, number: int, logins: tuple[str, ...]
    ) -> Reply[Issue]:
        url = self._url(repository, f"/issues/{number}/assignees")
        request = Request(operation=operation, method=method, url=url, body=_json({"assignees": logins}))
        return self._write(request, Issue)

    def _found(self, request: Request) -> Reply[Label] | None:
        try:
            answer, value = self._read(request, Label)
        except DeliveryError as error:
            if error.reason == "not_found":
                return None
            raise
        return Reply(value=value, moved_to=answer.moved_to)

    def _write(self, request: Request, kind: type[T]) -> Reply[T]:
        answer = self._transport.send(request)
        return Reply(value=self._decoded(request, answer, kind), moved_to=answer.moved_to)

    def _read(self, request: Request, kind: type[T]) -> tuple[Answer, T]:
        def once() -> tuple[Answer, T]:
            answer = self._transport.send(request)
            return answer, self._decoded(request, answer, kind)

        return self._retrying(once)

    def _pages(self, operation: str, url: str, kind: type[T]) -> Iterator[T]:
        """Follows the Link header and builds no address of its own ("Using pagination in the REST API")."""
        seen: set[str] = set()
        following: str | None = url
        repository = self._transport.repository_of(Request(operation=operation, method="GET", url=url))
        while following is not None and following not in seen:
            seen.add(following)
            request = Request(operation=operation, method="GET", url=following, repository=repository)
            answer, items = self._read(request, tuple[kind, ...])  # type: ignore[valid-type] # a type made at run time
            yield from items
            following = answer.next_url
            if following is not None and not self._transport.same_host(following):
                raise DeliveryError(f"GitHub's {operation} continues on another host", reason="redirected")

    def _decoded(self, request: Request, answer: Answer, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            problem = f"GitHub's answer to {request.operation} cannot be read: {type(error).__name__}"
        raise DeliveryError(
            problem,
            reason="unreadable_answer",
            retry_at=self._around.now() + TROUBLE_FOR,
            ambiguous=request.is_write,
        )


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _may_pass(state: RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    return isinstance(error, DeliveryError) and error.reason in PASSING


def _json(value: object) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        problem = "the text has lone surrogates, which JSON in UTF-8 cannot carry"
    raise DeliveryError(problem, reason="invalid")
