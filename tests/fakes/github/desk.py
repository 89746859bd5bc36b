"""Answers a request as GitHub does: who asks, within which limits, for what, and where that went."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from fakes.github import apps
from fakes.github.exchange import DOCUMENTATION, Answer, Call, Refusal, not_found
from fakes.github.limits import Limits
from fakes.github.render import Renderer
from fakes.github.routes import Route
from fakes.github.server import Incoming
from fakes.github.state import Repository, Role, User, World

VERSIONS = frozenset({"2022-11-28", "2026-03-10"})
NO_USER_AGENT = b"Request forbidden by administrative rules. Please make sure your request has a User-Agent header."


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request on its way through the site."""

    incoming: Incoming
    path: str
    query: dict[str, str]
    route: Route | None
    at: datetime
    number: int

    @property
    def token(self) -> str:
        scheme, _, token = self.incoming.headers.get("authorization", "").partition(" ")
        return token if scheme.lower() in {"bearer", "token"} else ""

    @property
    def operation(self) -> str:
        return self.route.operation if self.route else "unknown"


@dataclass(slots=True, kw_only=True)
class Desk:
    """Not thread safe: the site holds the lock while it asks."""

    world: World
    limits: Limits
    render: Renderer = field(default_factory=lambda: Renderer(""))
    list_lag: timedelta = timedelta()

    def answer(self, visit: Visit) -> Answer:
        """The answer; Refusal where nothing was done."""
        headers, found = visit.incoming.headers, visit.route
        if not headers.get("user-agent"):
            return Answer(403, NO_USER_AGENT, undocumented=True)
        actor = self._actor(visit)
        if headers.get("x-github-api-version", "2022-11-28") not in VERSIONS:
            raise Refusal(400, f"The API version {headers['x-github-api-version']} is not supported")
        self.limits.check(self.payer(visit), visit.operation, method=visit.incoming.method, at=visit.at)
        if found is None:
            raise not_found()
        if found.operation == "rate_limit":
            return Answer(200, self.limits.overview(self.payer(visit), at=visit.at))
        place = self._place(visit, found, actor) if found.in_a_repository else None
        if isinstance(place, Answer):
            return place
        body = decoded(visit.incoming.body)
        if visit.incoming.body and body is None:
            raise Refusal(400, "Problems parsing JSON")
        call = Call(
            world=self.world,
            render=self.render,
            actor=actor,
            at=self.world.pinned_at or visit.at,
            place=place,
            params=found.params,
            query=visit.query,
            body=body,
            list_lag=self.list_lag,
        )
        return self._unless_known(found.run(call), visit)

    def _unless_known(self, answer: Answer, visit: Visit) -> Answer:
        """With an ETag, which is the token's own; 304, which costs nothing, for who has just this answer already."""
        if visit.incoming.method != "GET" or answer.status != 200:
            return answer
        told = json.dumps([visit.token, visit.incoming.target, answer.body]).encode()
        tag = f'W/"{hashlib.sha256(told).hexdigest()}"'
        if visit.incoming.headers.get("if-none-match") == tag:
            self.limits.give_back(self.payer(visit))
            return Answer(304, b"", {"ETag": tag}, undocumented=True)
        return replace(answer, headers={**answer.headers, "ETag": tag})

    def payer(self, visit: Visit) -> str:
        """Whose limits the request counts for."""
        return self.world.apps.payer(visit.token)

    def _actor(self, visit: Visit) -> User:
        if not visit.token:
            raise Refusal(401, "Requires authentication")
        if visit.operation in apps.AS_APP:
            return self.world.apps.authenticated(visit.token, visit.at)
        grant = self.world.apps.grant_of(visit.token, visit.at)
        if grant is not None:
            return grant.installation.app.bot
        actor = self.world.tokens.get(visit.token)
        if actor is None:
            raise Refusal(401, "Bad credentials")
        return actor

    def _place(self, visit: Visit, found: Route, actor: User) -> Repository | Answer:
        """The repository that may be read, written and has issues; or the redirect to where it or the issue went."""
        by_id = self.world.repositories.get(found.repository_id or 0)
        repository = by_id or (self.world.find(found.full_name) if found.full_name else None)
        if repository is None or not self._may_read(repository, actor, visit):
            raise not_found()
        if found.full_name and found.full_name.lower() != repository.full_name.lower():
            return self._redirect(visit, f"/repositories/{repository.id}{found.rest}")
        if visit.incoming.method != "GET" and repository.archived:
            raise Refusal(403, "Repository was archived so is read-only.")
        if "/issues" in found.template and not repository.has_issues:
            raise Refusal(410, "Issues are disabled for this repo")
        issue = repository.issues.get(int(found.params.get("issue_number", "0") or 0))
        if issue is not None and issue.moved_to is not None:
            target, number = issue.moved_to
            if not self._may_read(self.world.repositories[target], actor, visit):
                raise not_found()
            rest = re.sub(r"^/issues/\d+", f"/issues/{number}", found.rest)
            return self._redirect(visit, f"/repositories/{target}{rest}")
        grant = self.world.apps.grants.get(visit.token)
        if grant is not None:
            apps.check(grant, found.template, visit.incoming.method)
        return repository

    def _may_read(self, repository: Repository, actor: User, visit: Visit) -> bool:
        """An App asks as itself where it is installed; of an installation the token says what it may."""
        grant = self.world.apps.grants.get(visit.token)
        if grant is not None:
            repository.roles[actor.login.lower()] = grant.role_in(repository)
        return visit.operation in apps.AS_APP or repository.role_of(actor) >= Role.READ

    def _redirect(self, visit: Visit, path: str) -> Answer:
        """301 for reads and 307 for writes, both "Moved Permanently" (@octokit/fixtures, "rename-repository")."""
        query = urlsplit(visit.incoming.target).query
        location = f"{self.render.base}{path}" + (f"?{query}" if query else "")
        return moved(301 if visit.incoming.method == "GET" else 307, location)


def decoded(body: bytes) -> Any:
    """The JSON of a request's body, None where there is none that can be read."""
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None


def moved(status: int, location: str) -> Answer:
    """GitHub says "permanently" with any of the redirects."""
    body = {"message": "Moved Permanently", "url": location, "documentation_url": DOCUMENTATION}
    return Answer(status, body, {"Location": location})
