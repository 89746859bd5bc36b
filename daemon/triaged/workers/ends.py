"""The ends worker: when the last day of a rule is over, what it judged is judged anew."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import datetime


class EndsWorker:
    """Repeats of what is known are answered at the door: without it a quiet writer would not see that a rule ended.

    `ends` gives, in order, when rules of the set in force end; `notice` has the writer judge anew.
    """

    name = "ends"

    def __init__(
        self, ends: Callable[[], Sequence[datetime]], notice: Callable[[], object], *, since: datetime
    ) -> None:
        self._ends = ends
        self._notice = notice
        self._since = since

    def step(self, now: datetime) -> bool:
        ends = self._ends()
        passed = bisect_right(ends, self._since) < bisect_right(ends, now)
        if passed:
            self._notice()
        self._since = now
        return passed

    def next_at(self, now: datetime) -> datetime | None:
        ends = self._ends()
        at = bisect_right(ends, now)
        return ends[at] if at < len(ends) else None
