"""One request and its answer: what an operation of the fake is given, what it gives back, how it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from fakes.github.render import Renderer
from fakes.github.state import Issue, Repository, Role, User, World

DOCUMENTATION = "https://docs.github.com/rest"


@dataclass(frozen=True, slots=True)
class Answer:
    """`undocumented`: deliberately not what GitHub's description says, so the oracle leaves it alone."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    undocumented: bool = False


class Refusal(Exception):  # noqa: N818 - an answer, not a failure of the fake
    """Ends an operation with this answer; nothing has been changed."""

    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(message)
        headers = more.pop("headers", {})
        body = {"message": message, "documentation_url": DOCUMENTATION, "status": str(status), **more}
        self.answer = Answer(status, body, headers)


def invalid(*errors: Mapping[str, Any]) -> Refusal:
    """GitHub's 422 (docs "Troubleshooting the REST API", validation failed)."""
    return Refusal(422, "Validation Failed", errors=[dict(error) for error in errors])


def not_found(message: str = "Not Found") -> Refusal:
    return Refusal(404, message)


def forbidden(permission: str) -> Refusal:
    headers = {"X-Accepted-GitHub-Permissions": permission}
    return Refusal(403, "Resource not accessible by integration", headers=headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A request as it came and what became of it: `status` is None where no answer was given.

    `body` is the decoded JSON; `at` the fake's clock on arrival; `committed` says that the operation ran to its end.
    """

    operation: str
    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    at: datetime
    status: int | None = None
    committed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One operation's surroundings; the repository's operations find it in `repository`."""

    world: World
    render: Renderer
    actor: User
    at: datetime
    place: Repository | None
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    list_lag: timedelta

    @property
    def repository(self) -> Repository:
        if self.place is None:
            raise not_found()
        return self.place

    @property
    def fields(self) -> dict[str, Any]:
        return self.body if isinstance(self.body, dict) else {}

    @property
    def may_push(self) -> bool:
        return self.repository.role_of(self.actor) >= Role.WRITE

    @property
    def may_triage(self) -> bool:
        return self.repository.role_of(self.actor) >= Role.TRIAGE

    @property
    def issue(self) -> Issue:
        """The issue named in the path: 404, 410 where it was deleted, a redirect where it was transferred."""
        number = self.params["issue_number"]
        issue = self.repository.issues.get(int(number)) if number.isdecimal() else None
        if issue is None:
            raise not_found()
        if issue.deleted:
            raise Refusal(410, "This issue was deleted")
        return issue

    def _number(self, name: str, otherwise: int) -> int:
        text = self.query.get(name, "")
        return (int(text) if text.isdecimal() else 0) or otherwise

    def listed(self, at: datetime) -> bool:
        """Whether something made at `at` shows in lists by now."""
        return at + self.list_lag <= self.at or not self.list_lag

    def page(self, items: list[Any], path: str) -> Answer:
        """One page of `items` with the Link header as GitHub writes it: by repository id, other parameters kept."""
        size = min(self._number("per_page", 30), 100)
        number = self._number("page", 1)
        last = max((len(items) - 1) // size + 1, 1)
        wanted = {"next": number + 1, "last": last} if number < last else {}
        if number > 1:
            wanted |= {"first": 1, "prev": min(number - 1, last)}
        base = f"{self.render.base}/repositories/{self.repository.id}/{path}"
        links = (f'<{base}?{urlencode({**self.query, "page": to})}>; rel="{rel}"' for rel, to in wanted.items())
        headers = {"Link": ", ".join(links)} if wanted else {}
        return Answer(200, items[(number - 1) * size : number * size], headers)


def moment(text: str) -> datetime:
    """An instant of a query; 422 where it is none."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise invalid({"resource": "Search", "field": "since", "code": "invalid"}) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
