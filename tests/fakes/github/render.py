"""The fake's state as the JSON that GitHub answers with, in the shapes of its OpenAPI description."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fakes.github.state import Comment, Happened, Issue, Label, Reaction, Repository, Role, User

Json = dict[str, Any]

_USER_LINKS = ("followers", "subscriptions", "orgs", "repos", "received_events")
_REPOSITORY_LINKS = {
    **{f"{word}_url": word for word in ("collaborators", "commits", "compare", "contents", "deployments", "downloads")},
    **{f"{word}_url": word for word in ("events", "forks", "hooks", "issues", "keys", "labels", "languages", "merges")},
    **{f"{word}_url": word for word in ("milestones", "notifications", "pulls", "releases", "stargazers", "statuses")},
    **{f"{word}_url": word for word in ("assignees", "branches", "subscribers", "subscription", "tags", "teams")},
    **{f"git_{word}_url": f"git/{word}" for word in ("commits", "refs", "tags")},
    "archive_url": "{archive_format}{/ref}",
    "blobs_url": "git/blobs{/sha}",
    "comments_url": "comments{/number}",
    "contributors_url": "contributors",
    "issue_comment_url": "issues/comments{/number}",
    "issue_events_url": "issues/events{/number}",
    "trees_url": "git/trees{/sha}",
}


def instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Renderer:
    """`base` is the API's address without a trailing slash; pages for people lie on the same host."""

    base: str

    def repository_url(self, repository: Repository) -> str:
        return f"{self.base}/repos/{repository.full_name}"

    def issue_url(self, repository: Repository, issue: Issue) -> str:
        return f"{self.repository_url(repository)}/issues/{issue.number}"

    def comment_url(self, repository: Repository, comment: Comment) -> str:
        return f"{self.repository_url(repository)}/issues/comments/{comment.id}"

    def label_url(self, repository: Repository, label: Label) -> str:
        return f"{self.repository_url(repository)}/labels/{label.name}".replace(" ", "%20")

    def user(self, user: User) -> Json:
        url = f"{self.base}/users/{user.login}".replace("[", "%5B").replace("]", "%5D")
        page = f"apps/{user.login.removesuffix('[bot]')}" if user.type == "Bot" else user.login
        return {
            "login": user.login,
            "id": user.id,
            "node_id": f"U_{user.id}",
            "avatar_url": f"{self.base}/avatars/{user.id}",
            "gravatar_id": "",
            "url": url,
            "html_url": f"{self.base}/{page}",
            **{f"{word}_url" if word != "orgs" else "organizations_url": f"{url}/{word}" for word in _USER_LINKS},
            "following_url": f"{url}/following{{/other_user}}",
            "gists_url": f"{url}/gists{{/gist_id}}",
            "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
            "events_url": f"{url}/events{{/privacy}}",
            "type": user.type,
            "site_admin": False,
        }

    def account(self, user: User, at: datetime) -> Json:
        """The user as `GET /user` shows it."""
        nothing = dict.fromkeys(("bio", "company", "email", "hireable", "location", "name"))
        counts = dict.fromkeys(("followers", "following", "public_gists", "public_repos"), 0)
        times = {"created_at": instant(at), "updated_at": instant(at)}
        return {**self.user(user), **nothing, "user_view_type": "public", "blog": "", **counts, **times}

    def label(self, repository: Repository, label: Label) -> Json:
        return {
            "id": label.id,
            "node_id": f"LA_{label.id}",
            "url": self.label_url(repository, label),
            "name": label.name,
            "description": label.description,
            "color": label.color,
            "default": False,
        }

    def labels(self, repository: Repository, issue: Issue) -> list[Json]:
        return [self.label(repository, repository.labels[key]) for key in issue.labels]

    def issue(self, repository: Repository, issue: Issue, *, listed: bool = False) -> Json:
        """A listed issue has no `closed_by`: the documented answer of the list does not show one."""
        url = self.issue_url(repository, issue)
        html_url = f"{self.base}/{repository.full_name}/issues/{issue.number}"
        body: Json = {
            "url": url,
            "repository_url": self.repository_url(repository),
            "labels_url": f"{url}/labels{{/name}}",
            "comments_url": f"{url}/comments",
            "events_url": f"{url}/events",
            "html_url": html_url,
            "id": issue.id,
            "node_id": f"I_{issue.id}",
            "number": issue.number,
            "title": issue.title,
            "user": self.user(issue.author),
            "labels": self.labels(repository, issue),
            "state": issue.state,
            "locked": issue.locked,
            "assignee": self.user(issue.assignees[0]) if issue.assignees else None,
            "assignees": [self.user(user) for user in issue.assignees],
            "milestone": None,
            "comments": len(issue.comments),
            "created_at": instant(issue.created_at),
            "updated_at": instant(issue.updated_at),
            "closed_at": instant(issue.closed_at) if issue.closed_at else None,
            "author_association": self._association(repository, issue.author),
            "active_lock_reason": None,
            "body": issue.body,
            "performed_via_github_app": None,
            "state_reason": issue.state_reason,
        }
        if not listed:
            body["closed_by"] = self.user(issue.closed_by) if issue.closed_by else None
        if issue.is_pull_request:
            body["pull_request"] = dict.fromkeys(("url", "html_url", "diff_url", "patch_url"), html_url)
        return body

    def event(self, repository: Repository, happened: Happened) -> Json:
        body: Json = {
            "id": happened.id,
            "node_id": f"E_{happened.id}",
            "url": f"{self.repository_url(repository)}/issues/events/{happened.id}",
            "actor": None if happened.by is None else self.user(happened.by),
            "event": happened.event,
            "commit_id": None,
            "commit_url": None,
            "created_at": instant(happened.at),
            "performed_via_github_app": None,
        }
        if happened.label:
            body["label"] = {"name": happened.label, "color": "ededed"}
        if happened.assignee is not None:
            body["assignee"] = self.user(happened.assignee)
            body["assigner"] = self.user(happened.by or happened.assignee)
        return body

    def comment(self, repository: Repository, comment: Comment) -> Json:
        return {
            "url": self.comment_url(repository, comment),
            "html_url": f"{self.base}/{repository.full_name}/issues/{comment.issue_number}#issuecomment-{comment.id}",
            "issue_url": f"{self.repository_url(repository)}/issues/{comment.issue_number}",
            "id": comment.id,
            "node_id": f"IC_{comment.id}",
            "user": self.user(comment.author),
            "created_at": instant(comment.created_at),
            "updated_at": instant(comment.updated_at),
            "author_association": self._association(repository, comment.author),
            "body": comment.body,
            "performed_via_github_app": None,
        }

    def repository(self, repository: Repository, viewer: User) -> Json:
        url, role = self.repository_url(repository), repository.role_of(viewer)
        open_issues = sum(issue.state == "open" for issue in repository.issues.values())
        counts = ("forks", "forks_count", "stargazers_count", "watchers", "watchers_count", "size", "network_count")
        flags = ("fork", "disabled", "has_projects", "has_wiki", "has_pages", "has_discussions")
        addresses = ("html_url", "clone_url", "git_url", "ssh_url", "svn_url")
        times = ("created_at", "updated_at", "pushed_at")
        return {
            "id": repository.id,
            "node_id": f"R_{repository.id}",
            "name": repository.name,
            "full_name": repository.full_name,
            "owner": self.user(repository.owner),
            "private": repository.private,
            "archived": repository.archived,
            "has_issues": repository.has_issues,
            "url": url,
            **{key: f"{url}/{tail}" for key, tail in _REPOSITORY_LINKS.items()},
            **dict.fromkeys(addresses, f"{self.base}/{repository.full_name}"),
            **dict.fromkeys(("description", "homepage", "language", "license", "mirror_url")),
            **dict.fromkeys(counts, 0),
            **dict.fromkeys(flags, False),
            **dict.fromkeys(times, instant(repository.created_at)),
            "default_branch": "main",
            "open_issues": open_issues,
            "open_issues_count": open_issues,
            "subscribers_count": 0,
            "permissions": {
                "admin": role >= Role.ADMIN,
                "maintain": role >= Role.MAINTAIN,
                "push": role >= Role.WRITE,
                "triage": role >= Role.TRIAGE,
                "pull": role >= Role.READ,
            },
        }

    def reaction(self, reaction: Reaction) -> Json:
        return {
            "id": reaction.id,
            "node_id": f"REA_{reaction.id}",
            "user": self.user(reaction.by),
            "content": reaction.content,
            "created_at": instant(reaction.at),
        }

    def permission(self, repository: Repository, user: User) -> Json:
        """The four legacy words beside the role's own name, as GitHub's `permission` and `role_name` differ."""
        role = repository.role_of(user)
        legacy = {Role.NONE: "none", Role.READ: "read", Role.TRIAGE: "read", Role.ADMIN: "admin"}.get(role, "write")
        return {
            "permission": legacy,
            "role_name": role.name.lower(),
            "user": {**self.user(user), "role_name": role.name.lower()},
        }

    def _association(self, repository: Repository, user: User) -> str:
        return "COLLABORATOR" if repository.role_of(user) >= Role.WRITE else "NONE"
