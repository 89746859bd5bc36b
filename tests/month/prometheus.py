"""A Prometheus: which of its alerts fire, and what it tells each Alertmanager of them.

https://github.com/prometheus/prometheus/blob/main/rules/alerting.go
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

Labels = tuple[tuple[str, str], ...]

EVERY: Final = timedelta(minutes=1)
"""Its evaluation interval and its resend delay."""
_GIVEN_UP_AFTER: Final = 4 * EVERY
_ENDS_ARE_TOLD_FOR: Final = timedelta(minutes=15)


def labels(**values: str) -> Labels:
    return tuple(sorted(values.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An alert as it is sent: `ends_at` lies ahead while it fires."""

    labels: Labels
    starts_at: datetime
    ends_at: datetime
    value: str


class Prometheus:
    """`holds` are the expressions that are true in the world; `waits` says for how long before they fire.

    Killed, it forgets all and tells of no end that came meanwhile. With `restores` an alert that fires on keeps its
    startsAt (some rulers do); Prometheus' own begins anew, even where it restores what its `for` waited.
    """

    def __init__(self, waits: Mapping[Labels, timedelta], *, restores: bool) -> None:
        self._waits = waits
        self._restores = restores
        self.up = True
        self.holds: set[Labels] = set()
        self.firing: dict[Labels, datetime] = {}
        self.ended: dict[Labels, datetime] = {}
        self._since: dict[Labels, datetime] = {}
        self._telling: dict[Labels, Told] = {}

    def fall(self) -> None:
        self.up = False

    def rise(self, now: datetime) -> None:
        """It evaluates at once what its `for` had waited for already."""
        self.up = True
        self._telling.clear()
        before, self.firing = self.firing, {}
        for one in before:
            if one in self.holds and self._restores:
                self.firing[one] = before[one]
            elif one in self.holds and not self._waits[one]:
                self.firing[one] = now
            else:
                self.ended[one] = now
        self._since = {one: at for one, at in self._since.items() if one in self.holds}

    def evaluate(self, now: datetime) -> None:
        for one in [one for one in self.firing if one not in self.holds]:
            starts_at = self.firing.pop(one)
            self.ended[one] = now
            self._telling[one] = Told(labels=one, starts_at=starts_at, ends_at=now, value="0")
        self._since = {one: self._since.get(one, now) for one in self.holds}
        for one, since in self._since.items():
            if one not in self.firing and now - since >= self._waits[one]:
                self.firing[one] = now
                self._telling.pop(one, None)

    def tell(self, now: datetime) -> list[Told]:
        """What fires, to be given up after four resend delays, and what ended within the last 15 minutes."""
        told = [one for one in self._telling.values() if now - one.ends_at < _ENDS_ARE_TOLD_FOR]
        self._telling = {one.labels: one for one in told}
        value = f"{now:%H:%M}"
        told += [
            Told(labels=one, starts_at=starts_at, ends_at=now + _GIVEN_UP_AFTER, value=value)
            for one, starts_at in self.firing.items()
        ]
        return told
