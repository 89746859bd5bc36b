"""The publish worker: makes issues look like their incidents and says comments once, gravest first.

Effectively once without any idempotency key at the backend: the intent with its random operation id is committed
before the request; where the answer was ambiguous (or we died) the issue is looked for by that id, for as long as a
list may hide it, before the same request is sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from msgspec.structs import replace

from triaged.clock import Clock
from triaged.core import commenting
from triaged.core.effects import CommentKind
from triaged.errors import DeliveryError
from triaged.ports.backend import Address, Backend, Issue, Written
from triaged.ports.store import UNSURE, PendingComment, Publication, Waiting, Write
from triaged.store import deleted, linked, looks, queue
from triaged.store.codec import to_json, to_us
from triaged.store.reading import Reader
from triaged.workers.backoff import backoff
from triaged.workers.twins import Run, Twins

log = structlog.get_logger(__name__)

# How long after the request it is looked for, until the backend has settled.
SEARCH_AFTER: Final = tuple(timedelta(seconds=s) for s in (2, 5, 15, 60))
_LONGEST_BACKOFF: Final = timedelta(minutes=1)
_GIVEN_UP: Final = timedelta(minutes=15)
_URGENT_RANK: Final = 1
_UNANSWERABLE: Final = frozenset({"forbidden", "gone", "invalid", "locked", "not_found"})

Render = Callable[[Reader, int, str], Issue | None]
Mentions = Callable[[Reader, PendingComment, datetime], tuple[str, ...]]


class PublishWorker:
    """One paced writer to one backend. Several processes may run it on one store: claims are leases."""

    name = "publish"

    def __init__(  # noqa: PLR0913 - the worker's collaborators, given once
        self,
        backend: Backend,
        *,
        read: Callable[[], AbstractContextManager[Reader]],
        run: Run,
        render: Render,
        mentions: Mentions,
        clock: Clock,
        operation_id: Callable[[], str],
        interval: timedelta,
        commands: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._backend = backend
        self._read = read
        self._run = run
        self._render = render
        self._mentions = mentions
        self._clock = clock
        self._operation_id = operation_id
        self._interval = interval
        self._commands = commands
        self._paced_until: datetime | None = None
        self._twins = Twins(backend, read=read, run=run)

    def step(self, now: datetime) -> bool:
        """Write the gravest thing that waits and that the backend's pace allows."""
        self._paced_until = None
        if self._earliest(now) > now:
            # Every commit wakes this worker: while nothing at all may be written there is nothing to look for.
            return False
        with self._read() as reader:
            fronts = queue.front(reader.connection, now)
            if self._backend.remembers and any(waiting.write is not Write.UPDATE for waiting in fronts):
                self._backend.remember(queue.creations(reader.connection, now, self._backend.remembers))
        for waiting in fronts:
            ready_at = self._backend.ready_at(
                now, urgent=waiting.rank <= _URGENT_RANK, creates=waiting.write is not Write.UPDATE
            )
            if ready_at <= now:
                self._write(waiting, now)
                return True
            self._paced_until = ready_at if self._paced_until is None else min(self._paced_until, ready_at)
        return self._twins.step(now)

    def next_at(self, now: datetime) -> datetime | None:
        earliest = self._earliest(now)
        if earliest > now:
            return earliest
        with self._read() as reader:
            due_at = queue.next_due(reader.connection, now)
        return min((at for at in (self._paced_until, due_at, self._twins.next_at) if at is not None), default=None)

    def _earliest(self, now: datetime) -> datetime:
        """When the backend's pace allows the most urgent write of any sort."""
        return min(self._backend.ready_at(now, urgent=True, creates=creates) for creates in (True, False))

    def _write(self, waiting: Waiting, now: datetime) -> None:
        if waiting.write is Write.COMMENT:
            claimed = self._claim(queue.claim_comment, waiting.id, now)
            if claimed is not None:
                comment, publication = claimed
                self._comment(comment, publication, now)
            return
        # Read after the claim: what changes from then on raises `wanted` again, so that nothing is taken for published.
        taken: Publication | None = self._claim(queue.claim_publication, waiting.id, now)
        if taken is None:
            return
        with self._read() as reader:
            # Where a create may have gone to, there the issue is.
            issue = self._render(reader, waiting.id, taken.repository if taken.intended_at is not None else "")
        if taken.gone:
            self._pass_over(taken, issue)
        elif issue is None:
            self._record(taken, done=taken.wanted)
        elif issue.folded and not taken.created and taken.intended_at is None:
            # Nothing was sent: the intent of the claim goes.
            self._record(taken, done=taken.wanted, intended_at=None)
        elif taken.created:
            self._update(taken, issue)
        else:
            self._create(taken, issue, now)

    def _pass_over(self, publication: Publication, issue: Issue | None) -> None:
        """Nothing is asked about an issue that was deleted; of a new round another one is made."""
        if issue is not None and issue.round > publication.gone and not issue.folded:
            self._run(lambda tx, at: deleted.replace(tx.connection, publication, issue.kind, at))
        else:
            self._run(lambda tx, at: deleted.rest(tx.connection, publication, at))

    def _claim(self, claim: Callable[..., Any], row_id: int, now: datetime) -> Any:
        operation = self._operation_id()
        return self._run(lambda transaction, _: claim(transaction.connection, row_id, operation, now))

    def _create(self, publication: Publication, issue: Issue, now: datetime) -> None:
        try:
            if publication.intended_at is not None:
                found = self._backend.find(publication.operation, publication.intended_at, issue.repository)
                if found is not None:
                    # What stands there was rendered earlier: `done` stays behind, so that an update follows.
                    sent = replace(_written_last(publication), block="", closed=False)
                    self._created(publication, found, sent, digest="", done=0)
                    return
                if self._search_again(publication, publication.intended_at, now):
                    return
                self._twins.expect(now)
                if issue.folded:
                    self._record(publication, done=publication.wanted, intended_at=None)
                    return
            self._run(lambda tx, _: queue.keep_sent(tx.connection, publication, issue))
            address = self._backend.create(issue, publication.operation)
        except DeliveryError as error:
            self._failed(publication, error)
            return
        written = replace(_wished(issue), closed=False)
        # An incident that is closed before its issue exists is created open: an update closes it.
        done = publication.done if issue.closed else publication.wanted
        self._created(publication, address, written, digest="" if issue.closed else issue.digest, done=done)
        log.info("issue created", issue=issue.name, url=address.url)

    def _created(self, publication: Publication, address: Address, written: Written, *, digest: str, done: int) -> None:
        self._record(publication, created=1, digest=digest, done=done, **_address(address), **_written(written))
        if publication.doubtful_at is not None:
            self._twins.expect(self._clock.now())

    def _update(self, publication: Publication, issue: Issue) -> None:
        address = publication.address
        elsewhere = address is not None and address.backend != self._backend.name
        if address is None or elsewhere or issue.digest == publication.digest:
            self._record(publication, done=publication.wanted)
            return
        last = _written_last(publication)
        if {*issue.assignees} - {*publication.assigned}:
            self._run(lambda tx, at: looks.expect_assigned(tx.connection, issue.incident_id, issue.assignees, at))
        try:
            found = self._backend.update(address, issue, last)
        except DeliveryError as error:
            if error.reason == commenting.GONE:
                self._bury(publication, issue)
            else:
                self._failed(publication, error, **(_in_doubt(publication, issue) if error.ambiguous else {}))
            return
        if found.closed != last.closed and not last.unsure:
            # Somebody else closed or opened it: who looks at it next says what that means.
            self._run(lambda tx, at: looks.hint_met(tx.connection, issue.incident_id, last.labels, at))
        written = _wished(issue)
        done = {"done": publication.wanted, "digest": issue.digest, "adopted": 0}
        self._record(publication, **done, **_address(found.address), **_written(written))

    def _comment(self, comment: PendingComment, publication: Publication, now: datetime) -> None:
        address = publication.address
        if address is None:
            return
        if publication.gone:
            self._leave_out(comment, commenting.GONE)
            return
        if comment.reaction:
            self._react(comment, address)
            return
        with self._read() as reader:
            mentions = self._mentions(reader, comment, now)
        rows = self._commands if comment.kind is CommentKind.HELP else ()
        try:
            if comment.intended_at is not None:
                if self._backend.has_comment(address, comment.operation, comment.intended_at):
                    self._said(comment)
                    return
                if self._search_again(comment, comment.intended_at, now):
                    return
            self._backend.comment(address, comment.text, comment.operation, mentions=mentions, rows=rows)
        except DeliveryError as error:
            self._not_said(comment, publication, error)
            return
        self._said(comment)

    def _react(self, comment: PendingComment, address: Address) -> None:
        """Sent again where the answer was lost; where the comment is gone, or nobody may react, nothing is said."""
        try:
            self._backend.react(address, comment.to_comment or 0, comment.reaction)
        except DeliveryError as error:
            if error.reason not in _UNANSWERABLE:
                self._failed(comment, error)
                return
            log.info("comment not answered", incident=comment.incident_id, reason=error.reason, error=str(error))
        self._said(comment)

    def _not_said(self, comment: PendingComment, publication: Publication, error: DeliveryError) -> None:
        if error.reason == commenting.FULL:
            # That is for ever.
            self._leave_out(comment, commenting.FULL)
            log.warning("comment given up", incident=comment.incident_id, reason=error.reason, error=str(error))
        elif error.reason == commenting.GONE:
            self._record(comment, due_at=to_us(self._clock.now()), intended_at=None)
            with self._read() as reader:
                issue = self._render(reader, publication.incident_id, publication.repository)
            if issue is not None:
                self._bury(publication, issue)
        else:
            self._failed(comment, error)

    def _leave_out(self, comment: PendingComment, why: str) -> None:
        self._run(lambda transaction, at: queue.leave_out(transaction.connection, comment, why, at))

    def _bury(self, publication: Publication, issue: Issue) -> None:
        """The issue was deleted: nobody asks for it again, and its page says so."""
        if self._run(lambda transaction, at: deleted.bury(transaction.connection, publication, issue, at)):
            log.warning("issue deleted", issue=issue.name, url=publication.url)

    def _search_again(self, item: Publication | PendingComment, intended_at: datetime, now: datetime) -> bool:
        """Plan the next look after one that found nothing; False once it is proven that nothing was written."""
        patience = self._backend.settled_after if isinstance(item, Publication) else self._backend.hidden_for
        if now < intended_at + patience:
            looks = (*SEARCH_AFTER, self._backend.settled_after, patience)
            next_at = next(intended_at + after for after in looks if intended_at + after > now)
            self._record(item, searches=item.searches + 1, due_at=to_us(next_at))
            return True
        # The claim stays: what is sent now has yet to be written down.
        claim = item.claimed_until
        again = {"intended_at": to_us(now), "searches": 0, "claimed_until": None if claim is None else to_us(claim)}
        if isinstance(item, Publication) and patience < self._backend.hidden_for:
            again["doubtful_at"] = to_us(item.doubtful_at or intended_at)
        self._run(lambda transaction, at: _change(transaction.connection, item, again, at))
        return False

    def _failed(self, item: Publication | PendingComment, error: DeliveryError, **doubt: Any) -> None:
        """Write the failure down where people see it, and when the next try is; never a hot loop, never a last try.

        `doubt` is what an ambiguous change leaves of the row. Until it cannot come any more it keeps its claim: who
        writes earlier may be overwritten by it, and who looks may take it for somebody else's.
        """
        now = self._clock.now()
        attempts = item.attempts + 1
        wait = SEARCH_AFTER[0] if error.ambiguous and attempts == 1 else backoff(attempts, _LONGEST_BACKOFF)
        # Where the backend gives up for good a person can still mend it: another try a quarter of an hour later.
        retry_at = max(error.retry_at or now, now + wait) if error.retry_at or error.ambiguous else now + _GIVEN_UP
        if doubt:
            retry_at = max(retry_at, now + self._backend.late_for)
            doubt["claimed_until"] = to_us(retry_at) - 1
        changes = {"attempts": attempts, "due_at": to_us(retry_at), "failure": str(error)[:500], **doubt}
        if not error.ambiguous and item.intended_at is None:
            # It was certainly not written: no need to look for it.
            changes["intended_at"] = None
        self._record(item, **changes)
        log.warning(
            "not published",
            incident=item.incident_id,
            reason=error.reason,
            error=str(error),
            ambiguous=error.ambiguous,
            retry_at=retry_at.isoformat(),
        )

    def _said(self, comment: PendingComment) -> None:
        self._record(comment, done_at=to_us(self._clock.now()))

    def _record(self, item: Publication | PendingComment, **changes: Any) -> None:
        if "due_at" not in changes:
            changes.update(attempts=0, searches=0, failure="")
            if isinstance(item, Publication):
                changes["due_at"] = to_us(self._clock.now() + self._interval)
        if not self._run(lambda transaction, at: _change(transaction.connection, item, changes, at)):
            log.warning("claim lost", incident=item.incident_id)


def _change(connection: Any, item: Publication | PendingComment, changes: dict[str, Any], at: datetime) -> bool:
    if isinstance(item, Publication):
        done = queue.record_publication(connection, item, changes)
        if done and changes.get("created"):
            linked.show(connection, item.incident_id, at)
        return done
    return queue.record_comment(connection, item, changes)


def _in_doubt(publication: Publication, issue: Issue) -> dict[str, Any]:
    """What is left of the row where nobody knows whether the issue was changed so; its state is assumed to be."""
    if issue.closed == publication.closed and publication.digest != UNSURE:
        return {"digest": ""}
    return {"digest": UNSURE, "closed": int(issue.closed)}


def _address(address: Address) -> dict[str, Any]:
    return {
        "backend": address.backend,
        "repository": address.repository,
        "number": address.number,
        "url": address.url,
    }


def _written_last(publication: Publication) -> Written:
    return Written(
        block=publication.block,
        labels=publication.labels,
        closed=publication.closed,
        assigned=publication.assigned,
        adopts=publication.operation if publication.adopted else "",
        unsure=publication.digest == UNSURE,
    )


def _wished(issue: Issue) -> Written:
    return Written(block=issue.block, labels=issue.labels, closed=issue.closed, assigned=issue.assignees)


def _written(written: Written) -> dict[str, Any]:
    return {
        "block": written.block,
        "labels": to_json(written.labels),
        "closed": int(written.closed),
        "assigned": to_json(written.assigned),
    }
