"""Incidents as GitHub issues: created once, found again by marker and author, changed only where our wish changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

import structlog
from msgspec.structs import replace

from triaged.backends import document
from triaged.backends.github import wire
from triaged.backends.github.client import GitHubClient, Reply
from triaged.backends.github.closed import ClosedRepositories, Use
from triaged.backends.github.pace import MEMORY, Pacer, Write
from triaged.backends.github.settings import Settings
from triaged.backends.github.transport import Access, Surroundings
from triaged.core.model import CloseReason
from triaged.errors import DeliveryError
from triaged.ports.backend import Address, Found, Issue, Twin, Written

log = structlog.get_logger(__name__)

T = TypeVar("T")
# GitHub's clock against ours.
SKEW = timedelta(minutes=5)
BOT = "Bot"
MOST_ASSIGNEES = 10
MOST_EVENTS = 2_000


class GitHubBackend:
    """Not thread safe: it belongs to the one thread that writes with its credential.

    `ready_at` says when a write may begin; only between the writes of one update does it wait itself.
    """

    name = "github"
    # It ends a request after 10 s but may commit it all the same, and its lists have been seen a minute behind.
    settled_after = timedelta(seconds=90)
    # The longest that its indexes were seen behind (guettli/agentloop#204).
    hidden_for = timedelta(minutes=12)
    # It ends a request after 10 s, but may have done it by then.
    late_for = timedelta(seconds=12)
    remembers = MEMORY

    def __init__(self, settings: Settings, surroundings: Surroundings) -> None:
        self._repository = settings.repository
        self._around = surroundings
        access = Access(api_url=settings.api_url, token=settings.token, app=settings.app)
        self._client = GitHubClient(access, surroundings)
        self._pacer = Pacer()
        self._closed = ClosedRepositories()
        self._login: str | None = None
        self._has_warned = False
        self._refused: set[tuple[str, str]] = set()

    @property
    def rate_limit_remaining(self) -> int | None:
        """What GitHub last said about the primary limit."""
        return self._client.rate_limit_remaining

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def ready_at(self, now: datetime, *, urgent: bool, creates: bool) -> datetime:
        return self._pacer.not_before(Write.CREATION if creates else Write.CHANGE, now, urgent=urgent)

    def remember(self, creations: Iterable[datetime]) -> None:
        self._pacer.remember(creations)

    def create(self, issue: Issue, operation: str) -> Address:
        body = document.compose(issue, operation)
        repository = issue.repository or self._repository
        assignees = tuple(login for login in issue.assignees if (repository, login) not in self._refused)
        new = wire.NewIssue(title=issue.title, body=body, labels=issue.labels, assignees=assignees)
        with self._open(repository, Use.CREATE):
            reply = self._create(repository, new)
        self._login = reply.value.user.login if reply.value.user else None
        self._warn_of_dropped(repository, issue.labels, reply.value.label_names)
        return self._address(reply.value, repository)

    def find(self, operation: str, since: datetime, repository: str) -> Address | None:
        """Walks the unfiltered list back to `since`, less what the clocks may differ by."""
        place = repository or self._repository
        found = (issue for issue in self._ours(since, place) if document.carries(issue.body, operation))
        return next((self._address(issue, place) for issue in found), None)

    def close_twin(self, true: Mapping[str, Address], since: datetime, repository: str) -> Twin | None:
        """Walks the list as `find` does, and closes the first that it meets."""
        for issue in self._ours(since, repository):
            operation = document.operation(issue.body)
            address = self._address(issue, repository)
            first = true.get(operation)
            if first is None or issue.state == "closed" or _same(address, first):
                continue
            if self._close_as_duplicate(address, first):
                return Twin(operation=operation, address=address)
        return None

    def update(self, address: Address, issue: Issue, last: Written) -> Found:
        """One GET, and where something differs at most one PATCH, a POST and a DELETE for each label to go.

        Where others have it now one more POST and DELETE, and a GET that tells who had assigned the former ones.
        """
        with self._open(address.repository, Use.CHANGE):
            with self._noticing():
                current = self._client.get_issue(address.repository, address.number).value
            closed = current.state == "closed"
            place = self._address(current, address.repository)
            change = self._change(current, issue, last, is_wish=issue.closed != last.closed or last.unsure)
            if change != wire.IssueChange():
                self._write(Write.CHANGE, lambda: self._client.update_issue(place.repository, place.number, change))
            self._relabel(place, current.label_names, issue, last)
            self._reassign(place, current, issue, last)
        return Found(address=place, closed=closed)

    def comment(
        self,
        address: Address,
        text: str,
        operation: str,
        *,
        mentions: Sequence[str] = (),
        rows: Sequence[tuple[str, str]] = (),
    ) -> None:
        body = document.comment(text, operation, mentions, rows)
        with self._open(address.repository, Use.CHANGE):
            self._write(Write.CREATION, lambda: self._client.create_comment(address.repository, address.number, body))

    def react(self, address: Address, comment: int, reaction: str) -> None:
        """Counted as a creation: GitHub does not say that it is none."""
        with self._open(address.repository, Use.CHANGE):
            self._write(Write.CREATION, lambda: self._client.react(address.repository, comment, reaction))

    def has_comment(self, address: Address, operation: str, since: datetime) -> bool:
        with self._open(address.repository, Use.LOOK), self._noticing():
            login = self._own_login()
            since = self._there(since) - SKEW
            comments = self._client.list_comments(address.repository, address.number, since=since)
            return any(
                document.carries(comment.body, operation) and _is_ours(comment.user, login) for comment in comments
            )

    def _create(self, repository: str, new: wire.NewIssue) -> Reply[wire.Issue]:
        """Whom GitHub refuses to assign must not cost the issue: it is made without, and nobody is tried again."""
        try:
            return self._write(Write.CREATION, lambda: self._client.create_issue(repository, new))
        except DeliveryError as error:
            if not new.assignees or error.reason != "invalid" or "assignees" not in str(error):
                raise
        self._refused |= {(repository, login) for login in new.assignees}
        log.warning("GitHub refuses an assignee", repository=repository, assignees=new.assignees)
        bare = replace(new, assignees=())
        return self._write(Write.CREATION, lambda: self._client.create_issue(repository, bare))

    def _ours(self, since: datetime, repository: str) -> Iterator[wire.Issue]:
        """What this credential has made there since, newest first."""
        with self._open(repository, Use.LOOK), self._noticing():
            login = self._own_login()
            for issue in self._client.list_issues(repository):
                if issue.created_at < self._there(since) - SKEW:
                    return
                if _is_ours(issue.user, login):
                    yield issue

    def _close_as_duplicate(self, twin: Address, first: Address) -> bool:
        """Whether it was one: the first may have moved to this very place."""
        with self._open(twin.repository, Use.CHANGE):
            with self._noticing():
                of = self._client.get_issue(first.repository, first.number).value
            if _same(self._address(of, first.repository), twin):
                return False
            change = wire.IssueChange(state="closed", state_reason="duplicate", duplicate_issue_id=of.id)
            self._write(Write.CHANGE, lambda: self._client.update_issue(twin.repository, twin.number, change))
            return True

    def _change(self, current: wire.Issue, issue: Issue, last: Written, *, is_wish: bool) -> wire.IssueChange:
        """What a PATCH has to say: the body where ours differs, the state where it is our wish and not so already."""
        text = current.body or ""
        if last.adopts and not document.carries(text, last.adopts):
            body = document.adopt(text, issue, last.adopts)
        else:
            body = document.merge(text, last.block, issue)
        fields: dict[str, str] = {}
        if body is not None and body != current.body:
            fields["body"] = body
        if is_wish and issue.closed != (current.state == "closed"):
            fields["state"] = "closed" if issue.closed else "open"
            fields["state_reason"] = _state_reason(issue.close_reason) if issue.closed else "reopened"
        return wire.IssueChange(**fields)  # type: ignore[arg-type] # the words are those of the literal types

    def _relabel(self, place: Address, there: Iterable[str], issue: Issue, last: Written) -> None:
        """Only what our wish changed; GitHub compares names without case."""
        present = {name.lower() for name in there}
        wanted, written = ({name.lower() for name in names} for names in (issue.labels, last.labels))
        new = tuple(name for name in issue.labels if name.lower() not in written | present)
        gone = [name for name in last.labels if name.lower() in present - wanted]
        if new:
            reply = self._write(Write.CHANGE, lambda: self._client.add_labels(place.repository, place.number, new))
            self._warn_of_dropped(place.repository, new, (label.name or "" for label in reply.value))
        for name in gone:
            self._remove_label(place, name)

    def _reassign(self, place: Address, current: wire.Issue, issue: Issue, last: Written) -> None:
        """Only what our wish changed: whom people took off stays off, whom they assigned stays."""
        present = {account.login.lower() for account in current.assignees or ()}
        wanted, written = ({login.lower() for login in logins} for logins in (issue.assignees, last.assigned))
        new = tuple(login for login in issue.assignees if login.lower() not in written | present)
        gone = tuple(login for login in last.assigned if login.lower() in present - wanted)
        if new and len(present) + len(new) <= MOST_ASSIGNEES:
            self._write(Write.CHANGE, lambda: self._client.assign(place.repository, place.number, new))
        if gone:
            gone = self._assigned_by_us(place, gone)
        if gone:
            self._write(Write.CHANGE, lambda: self._client.unassign(place.repository, place.number, gone))

    def _assigned_by_us(self, place: Address, logins: Iterable[str]) -> tuple[str, ...]:
        """Those of them whom we assigned last, and no person."""
        with self._noticing():
            own = self._own_login()
            events = islice(self._client.list_events(place.repository, place.number), MOST_EVENTS)
            assigners = {
                event.assignee.login.lower(): event.assigner or event.actor
                for event in events
                if event.event == "assigned" and event.assignee is not None
            }
        return tuple(login for login in logins if _is_ours(assigners.get(login.lower()), own))

    def _remove_label(self, place: Address, name: str) -> None:
        self._write(Write.CHANGE, lambda: self._client.remove_label(place.repository, place.number, name))

    def _write(self, kind: Write, send: Callable[[], T]) -> T:
        """Sent at its pace, counted, and a refusal remembered. Raises DeliveryError while GitHub refuses us."""
        now = self._around.now()
        wait = self._pacer.not_before(Write.CHANGE, now, urgent=True) - now
        if wait > timedelta(seconds=1):
            problem = f"GitHub refuses this credential for another {wait.total_seconds():.0f} s"
            raise DeliveryError(problem, reason="rate_limited", retry_at=now + wait)
        if wait > timedelta():
            self._around.pause(wait.total_seconds())
        self._pacer.record(kind, self._around.now())
        with self._noticing():
            return send()

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        """A refusal of reads holds for writes too."""
        try:
            yield
        except DeliveryError as error:
            self._pacer.refused(error, self._around.now())
            raise

    @contextmanager
    def _open(self, repository: str, use: Use) -> Iterator[None]:
        """Nothing is sent to a repository that has just said that it takes nothing."""
        self._closed.check(repository, use, self._around.now())
        try:
            yield
        except DeliveryError as error:
            self._closed.note(repository, use, error)
            raise

    def _there(self, at: datetime) -> datetime:
        """What GitHub may have called this instant of ours; the earlier where our clock has been set since."""
        return min(at, at + self._client.ahead)

    def _own_login(self) -> str | None:
        """Whose credential it is; None where GitHub has not told: who was given an installation's token may not ask."""
        try:
            return self._client.whoami().login
        except DeliveryError as error:
            if error.reason != "forbidden":
                raise
            return self._login

    def _address(self, issue: wire.Issue, asked: str) -> Address:
        """Where the issue is by its own word, which is the new place after a rename or a transfer."""
        repository = issue.repository if "/" in issue.repository else asked
        return Address(backend=self.name, repository=repository, number=issue.number, url=issue.html_url)

    def _warn_of_dropped(self, repository: str, asked: Iterable[str], applied: Iterable[str]) -> None:
        """GitHub drops labels without a word where the credential may not push."""
        present = {name.lower() for name in applied}
        dropped = [name for name in asked if name.lower() not in present]
        if dropped and not self._has_warned:
            self._has_warned = True
            log.warning("GitHub dropped labels: the credential may not write to it", repository=repository)


def _is_ours(account: wire.Account | None, login: str | None) -> bool:
    """Markers can be pasted by anybody. Where we do not know who we are, any App counts: no person can pose as one."""
    return is_bot(account) if login is None else account is not None and account.login.lower() == login.lower()


def _same(one: Address, other: Address) -> bool:
    return one.number == other.number and one.repository.lower() == other.repository.lower()


def is_bot(account: wire.Account | None) -> bool:
    return account is not None and (account.type == BOT or account.login.endswith("[bot]"))


def _state_reason(reason: CloseReason | None) -> str:
    match reason:
        case CloseReason.FALSE_ALARM | CloseReason.NOT_PLANNED | CloseReason.UNOPENED:
            return "not_planned"
        case CloseReason.DUPLICATE:
            return "duplicate"
        case CloseReason.COMPLETED | None:
            return "completed"


def reason_of(state_reason: str | None) -> CloseReason:
    known = {"not_planned": CloseReason.NOT_PLANNED, "duplicate": CloseReason.DUPLICATE}
    return known.get(state_reason or "", CloseReason.COMPLETED)
