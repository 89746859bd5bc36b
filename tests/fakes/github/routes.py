"""Which operation of the fake a request asks for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from fakes.github import accounts, apps, comments, contents, history, hooks, issues, labels
from fakes.github.exchange import Answer, Call, Refusal

Operation = Callable[[Call], Answer]


def _answered_by_the_limits(_: Call) -> Answer:
    raise Refusal(500, "The fake's limits answer this themselves")


_ISSUE = "/issues/{issue_number}"
_GENERAL: tuple[tuple[str, str, str, Operation], ...] = (
    ("GET", "/user", "whoami", accounts.whoami),
    ("GET", "/app", "app", apps.app),
    ("GET", "/app/installations", "list_installations", apps.list_installations),
    ("POST", "/app/installations/{installation_id}/access_tokens", "access_token", apps.access_token),
    ("GET", "/rate_limit", "rate_limit", _answered_by_the_limits),
)
_IN_A_REPOSITORY: tuple[tuple[str, str, str, Operation], ...] = (
    ("GET", "", "repository", accounts.repository),
    ("GET", "/installation", "installation", apps.installation),
    ("GET", "/issues", "list_issues", issues.list_issues),
    ("POST", "/issues", "create_issue", issues.create_issue),
    ("GET", "/issues/comments/{comment_id}", "get_comment", comments.get_comment),
    ("PATCH", "/issues/comments/{comment_id}", "update_comment", comments.update_comment),
    ("POST", "/issues/comments/{comment_id}/reactions", "react", comments.react),
    ("GET", _ISSUE, "get_issue", issues.get_issue),
    ("PATCH", _ISSUE, "update_issue", issues.update_issue),
    ("GET", f"{_ISSUE}/events", "list_events", issues.list_events),
    ("GET", f"{_ISSUE}/comments", "list_comments", comments.list_comments),
    ("POST", f"{_ISSUE}/comments", "create_comment", comments.create_comment),
    ("GET", f"{_ISSUE}/labels", "list_issue_labels", labels.list_issue_labels),
    ("POST", f"{_ISSUE}/labels", "add_labels", labels.add_labels),
    ("PUT", f"{_ISSUE}/labels", "set_labels", labels.set_labels),
    ("DELETE", f"{_ISSUE}/labels/{{name}}", "remove_label", labels.remove_label),
    ("POST", f"{_ISSUE}/assignees", "add_assignees", issues.add_assignees),
    ("DELETE", f"{_ISSUE}/assignees", "remove_assignees", issues.remove_assignees),
    ("GET", "/labels", "list_labels", labels.list_labels),
    ("POST", "/labels", "create_label", labels.create_label),
    ("GET", "/labels/{name}", "get_label", labels.get_label),
    ("PATCH", "/labels/{name}", "update_label", labels.update_label),
    ("GET", "/collaborators/{username}/permission", "permission", accounts.permission),
    ("GET", "/contents/{path}", "get_content", contents.get_content),
    ("PUT", "/contents/{path}", "put_content", contents.put_content),
    ("GET", "/hooks", "list_hooks", hooks.list_hooks),
    ("POST", "/hooks", "create_hook", hooks.create_hook),
    ("PATCH", "/hooks/{hook_id}", "update_hook", hooks.update_hook),
    ("PATCH", "/hooks/{hook_id}/config", "update_hook_config", hooks.update_hook_config),
    ("GET", "/deployments", "list_deployments", history.list_deployments),
    ("GET", "/releases", "list_releases", history.list_releases),
    ("GET", "/pulls", "list_pulls", history.list_pulls),
    ("GET", "/commits", "list_commits", history.list_commits),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`full_name` or `repository_id` names the repository, where there is one; `rest` is the path below it, as sent.

    `template` is the path as GitHub's description writes it.
    """

    operation: str
    template: str
    run: Operation
    params: Mapping[str, str]
    full_name: str | None = None
    repository_id: int | None = None
    rest: str = ""

    @property
    def in_a_repository(self) -> bool:
        return self.full_name is not None or self.repository_id is not None


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", template))


_REPOSITORY = re.compile(r"(?:/repos/(?P<owner>[^/]+)/(?P<repo>[^/]+)|/repositories/(?P<id>\d+))(?P<rest>/.*)?")
_TABLES = {
    prefix: [(method, _pattern(template), prefix + template, name, run) for method, template, name, run in rows]
    for prefix, rows in (("", _GENERAL), ("/repos/{owner}/{repo}", _IN_A_REPOSITORY))
}


def route(method: str, path: str) -> Route | None:
    """The operation, or None: also for a trailing slash or an unencoded slash in a label, as on GitHub."""
    place = _REPOSITORY.fullmatch(path)
    rest = (place["rest"] or "") if place else path
    for verb, pattern, template, name, run in _TABLES["/repos/{owner}/{repo}" if place else ""]:
        found = pattern.fullmatch(rest) if verb == method else None
        if found is None:
            continue
        params = {key: unquote(value) for key, value in found.groupdict().items()}
        if place is None:
            return Route(operation=name, template=template, run=run, params=params)
        return Route(
            operation=name,
            template=template,
            run=run,
            params=params,
            full_name=None if place["id"] else f"{unquote(place['owner'])}/{unquote(place['repo'])}",
            repository_id=int(place["id"]) if place["id"] else None,
            rest=rest,
        )
    return None


OPERATIONS = frozenset(name for rows in _TABLES.values() for _, _, _, name, _ in rows)
