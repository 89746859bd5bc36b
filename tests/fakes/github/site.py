"""What becomes of a request to the fake: it is recorded, checked, met with a fault or taken to the desk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from fakes.github.desk import Desk, Visit, decoded, moved
from fakes.github.exchange import Answer, Recorded, Refusal
from fakes.github.faults import (
    Fault,
    FaultQueue,
    Garbled,
    Hang,
    Held,
    LateCommit,
    Limited,
    LostAnswer,
    Redirect,
    Reset,
    ServerError,
    Slow,
)
from fakes.github.oracle import Oracle, Seen
from fakes.github.routes import route
from fakes.github.server import Ending, Incoming

NEWER = "2026-03-10"
DROPPED = frozenset({"assignee", "has_downloads", "merge_commit_sha", "rate"})


@dataclass(slots=True, kw_only=True)
class Site:
    """`changed` is the one lock over all state; it is notified when a request has come and when it has gone.

    `speaks` is the version of the API in which it answers, whatever was asked for; "" for the one that was.
    """

    desk: Desk
    now: Callable[[], datetime]
    faults: FaultQueue
    oracle: Oracle | None
    violations: list[str]
    changed: threading.Condition
    prefix: str
    is_down: bool = False
    speaks: str = ""
    log: list[Recorded] = field(default_factory=list)
    _late: list[tuple[datetime, Visit]] = field(default_factory=list)

    def handle(self, incoming: Incoming) -> Answer | Ending:
        visit, fault = self._arrive(incoming)
        self._check_request(visit)
        ending = _unicorn(503) if self.is_down else self._meet(visit, fault)
        if isinstance(ending, Answer):
            with self.changed:
                ending = self.desk.limits.dress(self.desk.payer(visit), ending, at=visit.at)
            self._check_answer(visit, ending)
            if NEWER in (self.speaks, visit.incoming.headers.get("x-github-api-version")):
                ending = replace(ending, body=_without_what_newer_versions_drop(ending.body))
            ending = replace(ending, headers={"Date": format_datetime(self.now(), usegmt=True), **ending.headers})
        self._note(visit, status=ending.status if isinstance(ending, Answer) else None)
        return ending

    def settle(self) -> None:
        """Does what was to be done late and is due by now; the caller holds the lock."""
        due = [entry for entry in self._late if entry[0] <= self.now()]
        self._late = [entry for entry in self._late if entry not in due]
        for at, visit in sorted(due, key=lambda entry: (entry[0], entry[1].number)):
            self.desk.world.pinned_at = at
            self._commit(visit)
            self.desk.world.pinned_at = None

    def _arrive(self, incoming: Incoming) -> tuple[Visit, Fault | None]:
        target = urlsplit(incoming.target.removeprefix(self.prefix))
        query = dict(parse_qsl(target.query, keep_blank_values=True))
        found = route(incoming.method, target.path)
        with self.changed:
            self.settle()
            visit = Visit(
                incoming=incoming,
                path=target.path,
                query=query,
                route=found,
                at=self.now(),
                number=len(self.log),
            )
            recorded = Recorded(
                operation=visit.operation,
                method=incoming.method,
                path=target.path,
                query=query,
                body=decoded(incoming.body),
                at=visit.at,
            )
            self.log.append(recorded)
            self.changed.notify_all()
            return visit, None if self.is_down else self.faults.take(visit.operation)

    def _note(self, visit: Visit, **changes: Any) -> None:
        with self.changed:
            self.log[visit.number] = replace(self.log[visit.number], **changes)
            self.changed.notify_all()

    def _meet(self, visit: Visit, fault: Fault | None) -> Answer | Ending:  # noqa: C901 - one case a fault
        connection = visit.incoming.connection
        match fault:
            case None:
                return self._commit(visit)
            case Reset():
                return Ending.RESET
            case LostAnswer():
                self._commit(visit)
                return Ending.CLOSE
            case ServerError(status=status, after_commit=after_commit):
                if after_commit:
                    self._commit(visit)
                return Refusal(500, "Server Error").answer if status == 500 else _unicorn(status)
            case Hang(after_commit=after_commit):
                if after_commit:
                    self._commit(visit)
                connection.wait_for_its_end()
                return Ending.CLOSE
            case LateCommit(after=after):
                with self.changed:
                    self._late.append((visit.at + after, visit))
                return Ending.CLOSE
            case Limited():
                with self.changed:
                    return self.desk.limits.refusal(self.desk.payer(visit), fault, at=visit.at).answer
            case Slow(pause=pause):
                alive = connection.wait(threading.Event(), seconds=pause.total_seconds())
                answer = self._commit(visit)
                return answer if alive else Ending.CLOSE
            case Garbled(body=body, headers=headers):
                answer = self._commit(visit)
                odd = {**answer.headers, **headers}
                return Answer(answer.status, answer.body if body is None else body, odd, undocumented=True)
            case Redirect(location=location, status=status, message=message):
                answer = moved(status, location.format(path=visit.path))
                return replace(answer, body=answer.body | {"message": message}, undocumented=True)
            case Held():
                return self._hold(visit, fault)

    def _hold(self, visit: Visit, held: Held) -> Answer | Ending:
        """A client that goes away while held before the commit has never been here."""
        answer = self._commit(visit) if held.after_commit else None
        held.arrived.set()
        if not visit.incoming.connection.wait(held.released):
            return Ending.CLOSE
        return answer or self._commit(visit)

    def _commit(self, visit: Visit) -> Answer:
        """The operation's own answer; what it does is done when this returns."""
        with self.changed:
            try:
                answer = self.desk.answer(visit)
            except Refusal as refusal:
                return refusal.answer
            self._note(visit, committed=answer.status < 300)
            return answer

    def _seen(self, visit: Visit) -> Seen | None:
        found = visit.route
        if found is None:
            return None
        repository = self.desk.world.repositories.get(found.repository_id or 0)
        moved = f"/repos/{repository.full_name}{found.rest}" if repository else visit.path
        return Seen(
            operation=found.operation,
            template=found.template,
            method=visit.incoming.method,
            path=quote(moved, safe="/%"),
            query=visit.query,
            headers=visit.incoming.headers,
            body=visit.incoming.body,
        )

    def _check_request(self, visit: Visit) -> None:
        seen = self._seen(visit)
        if self.oracle is None:
            return
        if seen is None:
            self.violations.append(f"{visit.incoming.method} {visit.path}: no operation that the backend may use")
        else:
            self.violations.extend(self.oracle.faults_of_request(seen))

    def _check_answer(self, visit: Visit, answer: Answer) -> None:
        seen = self._seen(visit)
        if self.oracle is not None and seen is not None and not answer.undocumented:
            self.violations.extend(self.oracle.faults_of_answer(seen, answer))


def _without_what_newer_versions_drop(body: Any) -> Any:
    """The breaking changes of version 2026-03-10 ("Breaking changes" of the REST API), as far as they are fields."""
    if isinstance(body, list):
        return [_without_what_newer_versions_drop(item) for item in body]
    return {key: value for key, value in body.items() if key not in DROPPED} if isinstance(body, dict) else body


def _unicorn(status: int) -> Answer:
    """The page of GitHub's proxy, which is no JSON."""
    return Answer(status, b"<html><body><h1>Unicorn!</h1></body></html>", undocumented=True)
