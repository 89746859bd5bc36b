"""GitHub's rate limits as its documentation describes them ("Rate limits for the REST API")."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from fakes.github.exchange import Answer, Refusal
from fakes.github.faults import CONTENT_LIMIT, SECONDARY_LIMIT, TOO_QUICKLY, Limited

# GitHub does not say whether a reaction counts.
CREATIONS = frozenset({"create_issue", "create_comment", "react"})
FREE = frozenset({"rate_limit"})
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@dataclass(slots=True)
class _Ledger:
    """What one credential has used: the primary window, and the instants of points and creations."""

    window_started_at: datetime | None = None
    used: int = 0
    points: list[tuple[datetime, int]] = field(default_factory=list)
    creations: list[datetime] = field(default_factory=list)
    patience_until: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Limits:
    """One set of limits for every credential; `enabled = False` is an Enterprise Server, which has none.

    `impatient` counts requests sent before the wait that a refusal had announced was over: GitHub may ban for it.
    """

    enabled: bool = True
    primary: int = 5_000
    points_per_minute: int = 900
    creations_per_minute: int = 80
    creations_per_hour: int = 500
    status: Literal[403, 429] = 403
    tells_retry_after: bool = True
    impatient: int = 0
    _ledgers: defaultdict[str, _Ledger] = field(default_factory=lambda: defaultdict(_Ledger))

    def check(self, token: str, operation: str, *, method: str, at: datetime) -> None:
        """Counts the request; raises the Refusal where a limit is reached."""
        if not self.enabled:
            return
        ledger = self._ledgers[token]
        if ledger.patience_until is not None and at < ledger.patience_until:
            self.impatient += 1
        self._count(ledger, operation, points=1 if method == "GET" else 5, at=at)
        if ledger.used > self.primary and operation not in FREE:
            raise self.refusal(token, Limited(status=self.status, kind="primary"), at=at)
        if sum(points for _, points in ledger.points) > self.points_per_minute:
            ledger.points.pop()
            self._refuse(token, "secondary", ledger.points[0][0] + MINUTE, at=at)
        if operation in CREATIONS:
            self._check_creations(token, ledger, at=at)

    def give_back(self, token: str) -> None:
        """The request that was counted last costs nothing of the primary limit ("Conditional requests")."""
        self._ledgers[token].used -= 1

    def refusal(self, token: str, fault: Limited, *, at: datetime) -> Refusal:
        """The refusal that a limit of this kind gives, with its true words."""
        ledger = self._ledgers[token]
        wait = timedelta(seconds=MINUTE.seconds if fault.retry_after is None else fault.retry_after)
        ledger.patience_until = at + wait
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        if fault.status == 422:
            # cli/cli#4801: creation too fast may also look like a validation error.
            error = {"resource": "Issue", "code": "custom", "field": "base", "message": TOO_QUICKLY}
            return Refusal(422, "Validation Failed", errors=[error])
        if fault.kind == "primary":
            ledger.used = max(ledger.used, self.primary)
            ledger.window_started_at = ledger.window_started_at or at
            ledger.patience_until = ledger.window_started_at + HOUR
            return Refusal(fault.status, "API rate limit exceeded for user ID 1.", headers=headers)
        message = CONTENT_LIMIT if fault.kind == "content" else SECONDARY_LIMIT
        return Refusal(fault.status, message, headers=headers)

    def dress(self, token: str, answer: Answer, *, at: datetime) -> Answer:
        """The answer with the rate limit headers that every true one carries."""
        if not self.enabled:
            return answer
        ledger = self._ledgers[token]
        reset_at = (ledger.window_started_at or at) + HOUR
        headers = {
            "X-RateLimit-Limit": str(self.primary),
            "X-RateLimit-Remaining": str(max(self.primary - ledger.used, 0)),
            "X-RateLimit-Used": str(min(ledger.used, self.primary)),
            "X-RateLimit-Reset": str(int(reset_at.timestamp())),
            "X-RateLimit-Resource": "core",
        }
        return Answer(answer.status, answer.body, {**headers, **answer.headers}, answer.undocumented)

    def overview(self, token: str, *, at: datetime) -> dict[str, object]:
        """The body of `GET /rate_limit`, without the `rate` that newer versions of the API drop."""
        ledger = self._ledgers[token]
        used = min(ledger.used, self.primary)
        reset = int(((ledger.window_started_at or at) + HOUR).timestamp())
        core = {"limit": self.primary, "used": used, "remaining": self.primary - used, "reset": reset}
        return {"resources": {"core": core, "search": core}, "rate": core}

    def exhaust(self, token: str, *, at: datetime) -> None:
        """Nothing is left of the primary limit until an hour from `at`."""
        ledger = self._ledgers[token]
        ledger.used, ledger.window_started_at = self.primary, at

    def _count(self, ledger: _Ledger, operation: str, *, points: int, at: datetime) -> None:
        if ledger.window_started_at is None or at >= ledger.window_started_at + HOUR:
            ledger.window_started_at, ledger.used = at, 0
        ledger.used += operation not in FREE
        ledger.points = [entry for entry in ledger.points if entry[0] > at - MINUTE] + [(at, points)]
        ledger.creations = [entry for entry in ledger.creations if entry > at - HOUR]

    def _check_creations(self, token: str, ledger: _Ledger, *, at: datetime) -> None:
        last_minute = [entry for entry in ledger.creations if entry > at - MINUTE]
        if len(last_minute) >= self.creations_per_minute:
            self._refuse(token, "content", last_minute[0] + MINUTE, at=at)
        if len(ledger.creations) >= self.creations_per_hour:
            self._refuse(token, "content", ledger.creations[0] + HOUR, at=at)
        ledger.creations.append(at)

    def _refuse(self, token: str, kind: Literal["secondary", "content"], free_at: datetime, *, at: datetime) -> None:
        seconds = max(int((free_at - at).total_seconds()) + 1, 1) if self.tells_retry_after else None
        raise self.refusal(token, Limited(status=self.status, kind=kind, retry_after=seconds), at=at)
