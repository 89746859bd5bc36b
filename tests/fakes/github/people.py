"""Acting as a person on the fake GitHub's pages: what people do to issues without the daemon."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from fakes.github.state import CloseReason, Comment, Issue, Repository, User, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Every act happens at once, at the fake's now, in `repository`; it counts as no request."""

    user: User
    repository: Repository
    world: World
    lock: Callable[[], AbstractContextManager[object]]

    def open(self, title: str, body: str | None = None, *, pull_request: bool = False) -> Issue:
        """The new issue, or the pull request: they share their numbers."""
        with self.lock():
            return self.world.add_issue(
                self.repository, title=title, body=body, author=self.user, is_pull_request=pull_request
            )

    def edit_title(self, number: int, title: str) -> None:
        with self.lock():
            issue = self._issue(number)
            issue.title, issue.updated_at = title, self.world.now()

    def edit_body(self, number: int, body: str) -> None:
        """The page of a browser sends CRLF at the ends of lines; give them where that matters."""
        with self.lock():
            issue = self._issue(number)
            issue.body, issue.updated_at = body, self.world.now()

    def comment(self, number: int, body: str) -> Comment:
        with self.lock():
            return self.world.add_comment(self.repository, self._issue(number), body=body, author=self.user)

    def edit_comment(self, comment_id: int, body: str) -> None:
        with self.lock():
            comment = self.repository.comments[comment_id]
            comment.body, comment.updated_at = body, self.world.now()

    def delete_comment(self, comment_id: int) -> None:
        with self.lock():
            comment = self.repository.comments.pop(comment_id)
            self._issue(comment.issue_number).comments.remove(comment_id)

    def close(self, number: int, reason: CloseReason = "completed") -> None:
        with self.lock():
            self.world.close(self._issue(number), reason, by=self.user)

    def reopen(self, number: int) -> None:
        with self.lock():
            self.world.reopen(self._issue(number), by=self.user)

    def label(self, number: int, *names: str) -> None:
        with self.lock():
            issue = self._issue(number)
            kept = [self.repository.labels[key].name for key in issue.labels]
            self.world.set_labels(self.repository, issue, [*kept, *names], by=self.user)

    def unlabel(self, number: int, *names: str) -> None:
        with self.lock():
            issue, gone = self._issue(number), {name.lower() for name in names}
            kept = [key for key in issue.labels if key not in gone]
            self.world.set_labels(self.repository, issue, kept, by=self.user)

    def assign(self, number: int, *logins: str) -> None:
        with self.lock():
            issue = self._issue(number)
            self.world.set_assignees(issue, [*(user.login for user in issue.assignees), *logins], by=self.user)

    def unassign(self, number: int, *logins: str) -> None:
        with self.lock():
            issue, gone = self._issue(number), {login.lower() for login in logins}
            kept = [user.login for user in issue.assignees if user.login.lower() not in gone]
            self.world.set_assignees(issue, kept, by=self.user)

    def lock_issue(self, number: int) -> None:
        with self.lock():
            self._issue(number).locked = True

    def delete_issue(self, number: int) -> None:
        with self.lock():
            self._issue(number).deleted = True

    def transfer(self, number: int, target: Repository) -> Issue:
        """The issue in its new repository; its old address leads there."""
        with self.lock():
            return self.world.transfer(self.repository, self._issue(number), target)

    def rename_repository(self, full_name: str) -> None:
        with self.lock():
            self.world.rename(self.repository, full_name)

    def archive_repository(self, *, archived: bool = True) -> None:
        with self.lock():
            self.repository.archived = archived

    def disable_issues(self, *, enabled: bool = False) -> None:
        with self.lock():
            self.repository.has_issues = enabled

    def _issue(self, number: int) -> Issue:
        return self.repository.issues[number]
