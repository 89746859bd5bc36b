"""When the next write to GitHub may be sent: one pacer per credential, fed with what was sent and what is stored of it.

The numbers are those of GitHub's "Rate limits for the REST API" (content creation) and "Best practices for using the
REST API" (a second between writes). There is no way to ask how much of the secondary limits is left.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum, unique

from triaged.errors import DeliveryError

GAP = timedelta(seconds=1)
# GitHub counts when a request arrives, we when it is sent.
SLACK = timedelta(seconds=1)
# Window, creations of anything in it, creations after which only urgent ones may go on: issues and comments share them.
LIMITS = ((timedelta(minutes=1), 80, 70), (timedelta(hours=1), 500, 400))
LONGEST_MEMORY = 500
MEMORY = max(window for window, _, _ in LIMITS)
FIRST_PENALTY, LAST_PENALTY = timedelta(minutes=1), timedelta(hours=1)
# A refusal this soon after the last block's end shows that waiting so long did not help.
STREAK = timedelta(minutes=10)
BLOCKING = frozenset({"rate_limited", "secondary_limit", "unauthorized"})


@unique
class Write(StrEnum):
    """What a write costs: a creation (an issue, a comment) is counted by the minute and the hour."""

    CREATION = "creation"
    CHANGE = "change"


class Pacer:
    """Not thread safe: it belongs to the one thread that writes with its credential.

    What it sent itself and what the store knows of, also of former processes and of others with the same credential,
    are held against the limits each for itself: the same creation is in both, at instants that differ a little. A
    refusal is forgotten at a restart; GitHub then says again how long to wait.
    """

    def __init__(self) -> None:
        self._creations: list[datetime] = []
        self._stored: list[datetime] = []
        self._last_write_at: datetime | None = None
        self._blocked_until: datetime | None = None
        self._refusals = 0

    @property
    def blocked_until(self) -> datetime | None:
        """Until when GitHub refuses this credential; may lie in the past."""
        return self._blocked_until

    def not_before(self, kind: Write, now: datetime, *, urgent: bool) -> datetime:
        """The earliest instant, `now` or later, at which such a write may be sent.

        What is not urgent leaves the last creations of each window to what is.
        """
        earliest = max(now, self._blocked_until or now)
        if self._last_write_at is not None:
            earliest = max(earliest, self._last_write_at + GAP)
        if self._stored:
            earliest = max(earliest, self._stored[-1] + GAP)
        if kind is Write.CREATION:
            for window, for_all, for_the_rest in LIMITS:
                limit = for_all if urgent else for_the_rest
                for creations in (self._creations, self._stored):
                    if len(creations) >= limit:
                        earliest = max(earliest, creations[-limit] + window + SLACK)
        return earliest

    def record(self, kind: Write, now: datetime) -> None:
        """Counts a write when it is sent, whatever becomes of it."""
        self._last_write_at = max(now, self._last_write_at or now)
        if kind is Write.CREATION:
            insort(self._creations, now)
            del self._creations[:-LONGEST_MEMORY]

    def remember(self, creations: Iterable[datetime]) -> None:
        """The creations of the last MEMORY as the store knows them, none in the future, in place of the former ones."""
        self._stored = sorted(creations)[-LONGEST_MEMORY:]

    def refused(self, error: DeliveryError, now: datetime) -> None:
        """Blocks the credential as the error demands; refusals in a row wait twice as long each time.

        Errors that say nothing about the credential change nothing.
        """
        if error.reason not in BLOCKING or error.retry_at is None:
            return
        ended_at = self._blocked_until
        if ended_at is None or now >= ended_at + STREAK:
            self._refusals = 0
        elif now >= ended_at:
            self._refusals += 1
        penalty = min(FIRST_PENALTY * 2 ** min(self._refusals - 1, 10), LAST_PENALTY) if self._refusals else timedelta()
        self._blocked_until = max(error.retry_at, now + penalty, ended_at or now)
