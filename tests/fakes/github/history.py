"""The fake's answers about what changed in a repository: deployments, releases, pull requests, commits.

    happen(repository, Kind.DEPLOYMENT, at=…, by=user, title="…", ref="v1.4.2", sha="4f…")

Lists are as GitHub gives them: the newest first, commits between `since` and `until`, pull requests by their state.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from fakes.github.exchange import Answer, Call, Refusal, moment
from fakes.github.render import Json, instant
from fakes.github.state import Repository, User


class Kind(Enum):
    DEPLOYMENT = "deployments"
    RELEASE = "releases"
    PULL = "pulls"
    COMMIT = "commits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """`ref` is a deployment's ref, a release's tag; a pull request that is not `merged` was only closed."""

    kind: Kind
    id: int
    at: datetime
    by: User | None
    title: str
    ref: str
    sha: str
    environment: str = "production"
    merged: bool = True


def happen(repository: Repository, kind: Kind, *, at: datetime, by: User | None, **more: Any) -> Happening:
    """Something happens in the repository; its number is one more than the one before."""
    number = len(repository.history) + 1
    sha = more.pop("sha", "") or hashlib.sha1(f"{repository.id} {number}".encode()).hexdigest()
    title, ref = more.pop("title", ""), more.pop("ref", "main")
    made = Happening(kind=kind, id=number, at=at, by=by, title=title, ref=ref, sha=sha, **more)
    repository.history.append(made)
    return made


def list_deployments(call: Call) -> Answer:
    return call.page([_deployment(call, one) for one in _newest(call, Kind.DEPLOYMENT)], "deployments")


def list_releases(call: Call) -> Answer:
    return call.page([_release(call, one) for one in _newest(call, Kind.RELEASE)], "releases")


def list_pulls(call: Call) -> Answer:
    """All of the fake's are closed; GitHub gives open ones where no state is asked for."""
    closed = call.query.get("state", "open") in ("closed", "all")
    return call.page([_pull(call, one) for one in _newest(call, Kind.PULL)] if closed else [], "pulls")


def list_commits(call: Call) -> Answer:
    found = _newest(call, Kind.COMMIT)
    if not found:
        raise Refusal(409, "Git Repository is empty.")
    since, until = call.query.get("since"), call.query.get("until")
    if since:
        found = [one for one in found if one.at >= moment(since)]
    if until:
        found = [one for one in found if one.at <= moment(until)]
    return call.page([_commit(call, one) for one in found], "commits")


def _newest(call: Call, kind: Kind) -> list[Happening]:
    mine = [one for one in call.repository.history if one.kind is kind]
    return sorted(mine, key=lambda one: (one.at, one.id), reverse=True)


def _user(call: Call, one: Happening) -> Json | None:
    return None if one.by is None else call.render.user(one.by)


def _deployment(call: Call, one: Happening) -> Json:
    url = f"{call.render.repository_url(call.repository)}/deployments/{one.id}"
    return {
        "url": url,
        "id": one.id,
        "node_id": f"DE_{one.id}",
        "sha": one.sha,
        "ref": one.ref,
        "task": "deploy",
        "payload": {},
        "environment": one.environment,
        "description": one.title or None,
        "creator": _user(call, one),
        "created_at": instant(one.at),
        "updated_at": instant(one.at),
        "statuses_url": f"{url}/statuses",
        "repository_url": call.render.repository_url(call.repository),
    }


def _release(call: Call, one: Happening) -> Json:
    url = f"{call.render.repository_url(call.repository)}/releases/{one.id}"
    author = one.by or call.repository.owner
    return {
        "url": url,
        "html_url": f"{_page(call)}/releases/tag/{one.ref}",
        "assets_url": f"{url}/assets",
        "upload_url": f"{url}/assets{{?name,label}}",
        "tarball_url": None,
        "zipball_url": None,
        "id": one.id,
        "node_id": f"RE_{one.id}",
        "tag_name": one.ref,
        "target_commitish": "main",
        "name": one.title or None,
        "body": None,
        "draft": False,
        "prerelease": False,
        "created_at": instant(one.at),
        "published_at": instant(one.at),
        "author": call.render.user(author),
        "assets": [],
    }


def _pull(call: Call, one: Happening) -> Json:
    base, page = call.render.repository_url(call.repository), f"{_page(call)}/pull/{one.id}"
    url, issue = f"{base}/pulls/{one.id}", f"{base}/issues/{one.id}"
    addresses = {
        "html": page,
        "issue": issue,
        "comments": f"{issue}/comments",
        "commits": f"{url}/commits",
        "review_comments": f"{url}/comments",
        "review_comment": f"{url}/comments/{{number}}",
        "statuses": f"{base}/statuses/{one.sha}",
        "self": url,
    }
    side = {
        "label": "acme:main",
        "ref": "main",
        "sha": one.sha,
        "user": _user(call, one),
        "repo": {"has_downloads": True}
        | {
            name: value
            for name, value in call.render.repository(call.repository, call.actor).items()
            if name not in ("subscribers_count", "network_count")
        },
    }
    return {
        "url": url,
        "id": one.id,
        "node_id": f"PR_{one.id}",
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        **{f"{name}_url": addresses[name] for name in addresses if name not in ("html", "self")},
        "number": one.id,
        "state": "closed",
        "locked": False,
        "title": one.title,
        "user": _user(call, one),
        "body": None,
        "labels": [],
        "milestone": None,
        "created_at": instant(one.at),
        "updated_at": instant(one.at),
        "closed_at": instant(one.at),
        "merged_at": instant(one.at) if one.merged else None,
        "merge_commit_sha": one.sha,
        "assignee": None,
        "head": side,
        "base": side,
        "_links": {name: {"href": address} for name, address in addresses.items()},
        "author_association": "COLLABORATOR",
        "auto_merge": None,
    }


def _commit(call: Call, one: Happening) -> Json:
    url = f"{call.render.repository_url(call.repository)}/commits/{one.sha}"
    name = one.by.login if one.by else "Somebody without an account"
    signed = {"name": name, "email": "somebody@example.com", "date": instant(one.at)}
    # Who is no user of GitHub is nobody there, or an object without anything in it.
    account = _user(call, one) or {}
    return {
        "url": url,
        "sha": one.sha,
        "node_id": f"C_{one.sha}",
        "html_url": f"{_page(call)}/commit/{one.sha}",
        "comments_url": f"{url}/comments",
        "commit": {
            "url": url,
            "author": signed,
            "committer": signed,
            "message": one.title,
            "comment_count": 0,
            "tree": {"sha": one.sha, "url": f"{url}/tree"},
        },
        "author": account,
        "committer": account,
        "parents": [],
    }


def _page(call: Call) -> str:
    return f"{call.render.base}/{call.repository.full_name}"
