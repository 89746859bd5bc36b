"""What the fake GitHub remembers: repositories with their issues, comments and labels, and who may do what there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from fakes.github.apps import Apps
    from fakes.github.history import Happening

CloseReason = Literal["completed", "not_planned", "duplicate"]


class Role(IntEnum):
    """What a user may do in a repository; GitHub's own five roles plus none."""

    NONE = 0
    READ = 1
    TRIAGE = 2
    WRITE = 3
    MAINTAIN = 4
    ADMIN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    id: int
    login: str
    type: Literal["User", "Bot", "Organization"] = "User"


@dataclass(slots=True, kw_only=True)
class Label:
    id: int
    name: str
    color: str = "ededed"
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    id: int
    by: User
    content: str
    at: datetime


@dataclass(slots=True, kw_only=True)
class Comment:
    id: int
    issue_number: int
    author: User
    body: str
    created_at: datetime
    updated_at: datetime
    reactions: list[Reaction] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """What was done to an issue: `label` is the name of a label; nobody did it, where `by` is None."""

    id: int
    event: str
    at: datetime
    by: User | None
    label: str = ""
    assignee: User | None = None


@dataclass(slots=True, kw_only=True)
class Issue:
    """`labels` are keys of the repository's labels (lower case), `assignees` are users in order of assignment."""

    id: int
    number: int
    title: str
    body: str | None
    author: User
    created_at: datetime
    updated_at: datetime
    state: Literal["open", "closed"] = "open"
    state_reason: str | None = None
    closed_at: datetime | None = None
    closed_by: User | None = None
    labels: list[str] = field(default_factory=list)
    assignees: list[User] = field(default_factory=list)
    comments: list[int] = field(default_factory=list)
    events: list[Happened] = field(default_factory=list)
    locked: bool = False
    deleted: bool = False
    is_pull_request: bool = False
    duplicate_of: int | None = None
    moved_to: tuple[int, int] | None = None


@dataclass(slots=True, kw_only=True)
class Hook:
    """A webhook of a repository; `config` as it was given, its secret too."""

    id: int
    config: dict[str, Any]
    events: list[str]
    active: bool = True


@dataclass(slots=True, kw_only=True)
class Repository:
    """`files` are those of the default branch, by path; `protected`: only pull requests change them."""

    id: int
    owner: User
    name: str
    created_at: datetime
    private: bool = True
    archived: bool = False
    has_issues: bool = True
    issues: dict[int, Issue] = field(default_factory=dict)
    comments: dict[int, Comment] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    hooks: dict[int, Hook] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)
    protected: bool = False
    history: list[Happening] = field(default_factory=list)

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"

    def role_of(self, user: User) -> Role:
        return self.roles.get(user.login.lower(), Role.NONE if self.private else Role.READ)


class World:
    """All repositories and users. Not thread safe: whoever holds it holds the fake's lock.

    Names of owners, repositories, users and labels are compared without case, as on GitHub.
    """

    def __init__(self, now: Callable[[], datetime], apps: Apps) -> None:
        self._now = now
        self.apps = apps
        self._next_id = 1000
        self.pinned_at: datetime | None = None
        self.tell: Callable[..., None] = lambda *_, **__: None
        self.users: dict[str, User] = {}
        self.tokens: dict[str, User] = {}
        self.repositories: dict[int, Repository] = {}
        self._id_by_name: dict[str, int] = {}

    def now(self) -> datetime:
        """The instant as GitHub writes it: UTC, whole seconds; the pinned one while something late is done."""
        return (self.pinned_at or self._now()).replace(microsecond=0)

    def new_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def user(self, login: str, *, kind: Literal["User", "Bot", "Organization"] = "User") -> User:
        """The user of that login, made on first sight."""
        known = self.users.get(login.lower())
        return known or self.users.setdefault(login.lower(), User(id=self.new_id(), login=login, type=kind))

    def add_repository(self, full_name: str, *, private: bool = True) -> Repository:
        owner, _, name = full_name.partition("/")
        organization = self.user(owner, kind="Organization")
        repository = Repository(id=self.new_id(), owner=organization, name=name, created_at=self.now(), private=private)
        self.repositories[repository.id] = repository
        self._id_by_name[full_name.lower()] = repository.id
        return repository

    def rename(self, repository: Repository, full_name: str) -> None:
        """The former name goes on leading to the repository, by redirect."""
        owner, _, name = full_name.partition("/")
        repository.owner, repository.name = self.user(owner, kind="Organization"), name
        self._id_by_name[full_name.lower()] = repository.id

    def find(self, full_name: str) -> Repository | None:
        """The repository that has or had this name; the caller compares `full_name` to see which."""
        number = self._id_by_name.get(full_name.lower())
        return None if number is None else self.repositories[number]

    def add_issue(
        self,
        repository: Repository,
        *,
        title: str,
        body: str | None,
        author: User,
        is_pull_request: bool = False,
    ) -> Issue:
        at = self.now()
        issue = Issue(
            id=self.new_id(),
            number=max(repository.issues, default=0) + 1,
            title=title,
            body=body,
            author=author,
            created_at=at,
            updated_at=at,
            is_pull_request=is_pull_request,
        )
        repository.issues[issue.number] = issue
        self._told(issue, author, event="issues", action="opened")
        return issue

    def add_comment(self, repository: Repository, issue: Issue, *, body: str, author: User) -> Comment:
        at = self.now()
        comment = Comment(
            id=self.new_id(), issue_number=issue.number, author=author, body=body, created_at=at, updated_at=at
        )
        repository.comments[comment.id] = comment
        issue.comments.append(comment.id)
        issue.updated_at = at
        self._told(issue, author, event="issue_comment", action="created", comment={"id": comment.id, "body": body})
        return comment

    def react(self, comment: Comment, content: str, *, by: User) -> tuple[Reaction, bool]:
        """The user's reaction of that name, and whether it is new: there is one. No issue has changed by it."""
        for known in comment.reactions:
            if (known.by, known.content) == (by, content):
                return known, False
        new = Reaction(id=self.new_id(), by=by, content=content, at=self.now())
        comment.reactions.append(new)
        return new, True

    def add_label(self, repository: Repository, name: str) -> Label:
        """The repository's label of that name, made on first use as GitHub does for who may push."""
        known = repository.labels.get(name.lower())
        return known or repository.labels.setdefault(name.lower(), Label(id=self.new_id(), name=name))

    def rename_label(self, repository: Repository, label: Label, name: str) -> None:
        old, new = label.name.lower(), name.lower()
        label.name = name
        repository.labels[new] = repository.labels.pop(old)
        for issue in repository.issues.values():
            issue.labels = [new if key == old else key for key in issue.labels]

    def note(self, issue: Issue, event: str, by: User | None, **more: Any) -> None:
        """What was done is kept, and the issue has changed."""
        issue.updated_at = self.now()
        issue.events.append(Happened(id=self.new_id(), event=event, at=issue.updated_at, by=by, **more))
        self._told(issue, by, event="issues", action=event)

    def _told(self, issue: Issue, by: User | None, **more: Any) -> None:
        place = next(one for one in self.repositories.values() if one.issues.get(issue.number) is issue)
        self.tell(place, issue, by, **more)

    def close(self, issue: Issue, reason: CloseReason, *, by: User) -> None:
        issue.state, issue.state_reason, issue.closed_at, issue.closed_by = "closed", reason, self.now(), by
        self.note(issue, "closed", by)

    def reopen(self, issue: Issue, *, by: User) -> None:
        issue.state, issue.state_reason, issue.closed_at, issue.closed_by = "open", "reopened", None, None
        self.note(issue, "reopened", by)

    def set_labels(self, repository: Repository, issue: Issue, names: list[str], *, by: User | None = None) -> None:
        """The issue has exactly these labels afterwards; nothing is touched where nothing changes."""
        keys = list(dict.fromkeys(name.lower() for name in names))
        for name in names:
            self.add_label(repository, name)
        before, issue.labels = issue.labels, keys
        for key in keys:
            if key not in before:
                self.note(issue, "labeled", by, label=repository.labels[key].name)
        for key in before:
            if key not in keys:
                self.note(issue, "unlabeled", by, label=repository.labels[key].name)

    def set_assignees(self, issue: Issue, logins: list[str], *, by: User | None = None) -> None:
        """At most the first ten stay; GitHub says nothing about the others (trstringer/manual-approval#94)."""
        users = [self.user(login) for login in dict.fromkeys(login.lower() for login in logins)][:10]
        before, issue.assignees = issue.assignees, users
        for user in users:
            if user not in before:
                self.note(issue, "assigned", by, assignee=user)
        for user in before:
            if user not in users:
                self.note(issue, "unassigned", by, assignee=user)

    def transfer(self, repository: Repository, issue: Issue, target: Repository) -> Issue:
        """The issue under its new number in `target`; the old number redirects there."""
        moved = self.add_issue(target, title=issue.title, body=issue.body, author=issue.author)
        moved.created_at, moved.state, moved.state_reason = issue.created_at, issue.state, issue.state_reason
        moved.closed_at, moved.closed_by, moved.assignees = issue.closed_at, issue.closed_by, list(issue.assignees)
        self.set_labels(target, moved, [repository.labels[key].name for key in issue.labels])
        for number in issue.comments:
            comment = repository.comments.pop(number)
            comment.issue_number = moved.number
            target.comments[number] = comment
            moved.comments.append(number)
        issue.moved_to = (target.id, moved.number)
        return moved
