"""GitHub's JSON as far as it is needed; unknown fields are ignored, nulls allowed where the description allows them.

Neither `assignee` nor `merge_commit_sha` is read: version 2026-03-10 of the API has dropped them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A user; `type` is "Bot" for Apps."""

    login: str
    type: str | None = None


class Label(msgspec.Struct, frozen=True, kw_only=True):
    name: str | None = None
    color: str | None = None
    description: str | None = None


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    """`id` is unique over all repositories; `closed_by` may be missing from lists."""

    id: int
    number: int
    title: str
    html_url: str
    state: str
    created_at: datetime
    updated_at: datetime
    repository_url: str = ""
    body: str | None = None
    user: Account | None = None
    state_reason: str | None = None
    labels: tuple[Label | str, ...] = ()
    assignees: tuple[Account, ...] | None = None
    closed_at: datetime | None = None
    closed_by: Account | None = None
    comments: int = 0
    pull_request: dict[str, object] | None = None

    @property
    def repository(self) -> str:
        """`owner/name` where the issue is now, also after a redirect."""
        return "/".join(self.repository_url.rsplit("/", 2)[-2:])

    @property
    def label_names(self) -> tuple[str, ...]:
        names = (label if isinstance(label, str) else label.name for label in self.labels)
        return tuple(name for name in names if name is not None)


class Comment(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    html_url: str
    created_at: datetime
    updated_at: datetime
    body: str | None = None
    user: Account | None = None


class IssueEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done to an issue; `label` and `assignee` where that is what it is about."""

    event: str
    actor: Account | None = None
    label: Label | None = None
    assignee: Account | None = None
    assigner: Account | None = None


class OwnApp(msgspec.Struct, frozen=True, kw_only=True):
    """An App, as it is told about itself."""

    slug: str


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """An App where an owner has installed it."""

    id: int


class MintedToken(msgspec.Struct, frozen=True, kw_only=True):
    """An installation's token; it is in no repr."""

    token: str
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)]

    def __repr__(self) -> str:
        return f"MintedToken(expires_at={self.expires_at!r})"


class Permissions(msgspec.Struct, frozen=True, kw_only=True):
    push: bool = False
    triage: bool = False


class Permission(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody may do: `permission` is admin, write, read or none, `role_name` finer, or a custom one."""

    permission: str
    role_name: str = ""


class Reaction(msgspec.Struct, frozen=True, kw_only=True):
    id: int


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """`permissions` are those of the asking account, where GitHub tells them."""

    id: int
    full_name: str
    private: bool = True
    archived: bool = False
    has_issues: bool = True
    permissions: Permissions | None = None


class NewIssue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    title: str
    body: str
    labels: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()


class IssueChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is not set stays. Labels and assignees are not here: a PATCH replaces the whole set, people's included.

    `state_reason` counts only where `state` changes; `duplicate_issue_id` is the other issue's `id`, not its number.
    """

    title: str | msgspec.UnsetType = msgspec.UNSET
    body: str | msgspec.UnsetType = msgspec.UNSET
    state: Literal["open", "closed"] | msgspec.UnsetType = msgspec.UNSET
    state_reason: Literal["completed", "not_planned", "duplicate", "reopened"] | msgspec.UnsetType = msgspec.UNSET
    duplicate_issue_id: int | msgspec.UnsetType = msgspec.UNSET


class NewLabel(msgspec.Struct, frozen=True, kw_only=True):
    """`color` is six hex digits without `#`; the name may have 50 characters, the description 100."""

    name: str
    color: str
    description: str = ""
