"""Issues at GitHub as people leave them: one looked at, or all of a repository that changed.

Wire formats: "REST API endpoints for issues", "… for issue comments", "… for issue events". Nothing is written here,
and nothing that GitHub sends by itself is believed: it only says where to look.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

import structlog
from msgspec.structs import replace

from triaged.backends import document
from triaged.backends.github import reports, wire
from triaged.backends.github.backend import MOST_EVENTS, is_bot, reason_of
from triaged.backends.github.client import GitHubClient
from triaged.backends.github.pace import GAP
from triaged.backends.github.rights import Right, Rights
from triaged.backends.github.settings import Settings
from triaged.backends.github.transport import Access, Surroundings
from triaged.core.observed import REOPENED, Doer, Looked
from triaged.errors import DeliveryError
from triaged.ports.backend import Address
from triaged.ports.looks import Changed, Comment, Opened, Sight

log = structlog.get_logger(__name__)

FEW_LEFT: Final = 500
"""So many requests of the hour are left to those who write."""
REST: Final = timedelta(minutes=5)
# GitHub tells whole seconds: what comes within the second of a change that we saw is a change of that second, too.
_SECOND: Final = timedelta(seconds=2)
_MOST_COMMENTS: Final = 500
_MOST_PAGES: Final = 20


class GitHubWatch:
    """Thread safe; it has connections of its own.

    `ready_at` says when who writes with the same credential may again: while GitHub refuses that, nothing is read.
    """

    name = "github"

    def __init__(
        self, settings: Settings, surroundings: Surroundings, ready_at: Callable[[datetime], datetime]
    ) -> None:
        self._around = surroundings
        self._ready_at = ready_at
        self._client = GitHubClient(
            Access(api_url=settings.api_url, token=settings.token, app=settings.app), surroundings
        )
        self._rights = Rights(self._client, surroundings.now)
        self._untold: set[str] = set()
        self._login: str | None = None
        self._rests_until: datetime | None = None

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def look(self, address: Address, since: datetime | None) -> Sight:
        """One request, and one more where there are comments."""
        self._spare()
        issue = self._client.get_issue(address.repository, address.number).value
        sight = self._sight(issue, address.repository)
        if not issue.comments:
            return sight
        place = sight.address
        found = self._client.list_comments(place.repository, place.number, since=since)
        comments = tuple(self._comment(comment) for comment in islice(found, _MOST_COMMENTS))
        return Sight(
            address=place, looked=sight.looked, through_at=sight.through_at, comments=comments, count=issue.comments
        )

    def doers(self, address: Address) -> dict[str, Doer]:
        """By what was done; of what was done more than once, the last one."""
        found: dict[str, Doer] = {}
        for event in islice(self._client.list_events(address.repository, address.number), MOST_EVENTS):
            if event.event == "labeled" and event.label is not None:
                found[f"labeled {(event.label.name or '').lower()}"] = _doer(event.actor)
            elif event.event == "assigned" and event.assignee is not None:
                found[f"assigned {event.assignee.login.lower()}"] = _doer(event.assigner or event.actor)
            elif event.event == REOPENED:
                found[REOPENED] = _doer(event.actor)
        return found

    def changed(self, repository: str, since: datetime, tag: str) -> Changed:
        """One request, which is free where nothing changed; where more changed than a page holds, another order."""
        self._spare()
        # Where its clock is behind ours, its instants are, too.
        since += min(timedelta(minutes=self._client.ahead // timedelta(minutes=1)), timedelta())
        answer, issues = self._client.list_changed(repository, since, newest_first=True, tag=tag)
        if answer.same:
            return Changed(tag=tag)
        more = answer.next_url is not None
        if more:
            # The newest page tells whether anything changed; the oldest is where to go on without a gap.
            answer, issues = self._client.list_changed(repository, since, newest_first=False)
            for _ in range(_MOST_PAGES):
                if answer.next_url is None or issues[-1].updated_at > since + _SECOND:
                    break
                answer, following = self._client.following(repository, answer)
                issues = (*issues, *following)
            more = answer.next_url is not None
        sights = (
            replace(self._sight(one, repository), opened=self._opened(one, since))
            for one in issues
            if one.pull_request is None
        )
        moved_to = self._client.repository(repository).value.full_name if answer.moved_to else ""
        return Changed(
            sights=tuple(sorted(sights, key=lambda sight: sight.through_at)),
            tag="" if more else answer.tag,
            until=issues[-1].updated_at if more else None,
            moved_to=moved_to if moved_to != repository else "",
        )

    def belongs(self, repository: str, login: str) -> bool:
        """Whether that person may do there what not everybody may; nobody where the credential may not ask."""
        self._spare()
        try:
            return self._rights.belongs(repository, login)
        except DeliveryError as error:
            if error.reason != "forbidden":
                raise
            log.warning("who may report cannot be asked", repository=repository, error=str(error))
            return False

    def may(self, repository: str, login: str, right: Right) -> bool | None:
        """Whether that person has that right there, or more; None where the credential may not ask."""
        self._spare()
        try:
            return self._rights.of(repository, login) >= right
        except DeliveryError as error:
            if error.reason != "forbidden":
                raise
            if repository not in self._untold:
                self._untold.add(repository)
                log.warning("whose commands count cannot be asked", repository=repository, error=str(error))
            return None

    def _spare(self) -> None:
        """Raises DeliveryError while few requests are left; now and then one asks how many there are by then."""
        left, now = self._client.rate_limit_remaining, self._around.now()
        ready_at = self._ready_at(now)
        if ready_at > now + GAP:
            problem = f"GitHub refuses this credential for another {(ready_at - now).total_seconds():.0f} s"
            raise DeliveryError(problem, reason="rate_limited", retry_at=ready_at)
        if left is None or left >= FEW_LEFT:
            return
        if self._rests_until is not None and now >= self._rests_until:
            self._rests_until = None
            return
        self._rests_until = self._rests_until or now + REST
        problem = f"only {left} requests of the hour are left"
        raise DeliveryError(problem, reason="rate_limited", retry_at=self._rests_until)

    def _sight(self, issue: wire.Issue, asked: str) -> Sight:
        repository = issue.repository if "/" in issue.repository else asked
        closed = issue.state == "closed"
        place = Address(backend=self.name, repository=repository, number=issue.number, url=issue.html_url)
        looked = Looked(
            closed=closed,
            closer=_doer(issue.closed_by) if closed else Doer(),
            closed_at=issue.closed_at if closed else None,
            reason=reason_of(issue.state_reason),
            labels=issue.label_names,
            assignees=tuple(account.login for account in issue.assignees or ()),
            ticks=document.ticks(issue.body or ""),
            actions=document.actions(issue.body or ""),
        )
        there = self._around.now() + self._client.ahead - _SECOND
        return Sight(address=place, looked=looked, through_at=min(issue.updated_at, there), count=issue.comments)

    def _opened(self, issue: wire.Issue, since: datetime) -> Opened | None:
        """What a person reports by it; with a marker of ours it is only looked at where it is not ours."""
        by = _doer(issue.user)
        if issue.state == "closed" or issue.created_at < since.replace(microsecond=0) or by.bot or not by.login:
            return None
        if not reports.is_report(issue.body):
            return None
        if document.operation(issue.body) and by.login.lower() == self._own_login().lower():
            return None
        filed = reports.read(issue.body, issue.created_at)
        return Opened(by=by.login, at=issue.created_at, title=issue.title, filed=filed)

    def _comment(self, comment: wire.Comment) -> Comment:
        by = _doer(comment.user)
        return Comment(
            id=comment.id,
            by=by,
            ours=by.login.lower() == self._own_login().lower(),
            operation=document.operation(comment.body),
            text=comment.body or "",
            url=comment.html_url,
            at=comment.created_at,
            edited=comment.updated_at > comment.created_at,
        )

    def _own_login(self) -> str:
        """Whose credential it is; "" where an installation's token may not ask: there its author is a bot anyway."""
        if self._login is None:
            try:
                self._login = self._client.whoami().login
            except DeliveryError as error:
                if error.reason != "forbidden":
                    raise
                self._login = ""
        return self._login


def _doer(account: wire.Account | None) -> Doer:
    return Doer() if account is None else Doer(login=account.login, bot=is_bot(account))
