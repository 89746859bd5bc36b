"""Maintenance in one batch: which windows are under way over an alert, and over all that fires in an incident."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from triaged.core import storm
from triaged.core.events import MaintenanceChanged
from triaged.core.holding import waits_for_one_outside
from triaged.core.maintenance import NO_COVER, Cover, Phase, Window, common, cover
from triaged.core.model import Alert, Episode, Incident, State
from triaged.core.rules import RuleSet
from triaged.ports.store import Transaction

MOST_FIRING: Final = 10_000
"""Alerts of one incident that are asked, the oldest; more of them are hardly planned work."""


class Covering:
    """The windows of the rules and those that were asked for; `begun` are the episodes of this batch, ended or not."""

    def __init__(
        self, transaction: Transaction, rules: RuleSet, now: datetime, begun: Callable[[], Iterable[Episode]]
    ) -> None:
        self._transaction = transaction
        self._rules = rules
        self._now = now
        self._begun = begun
        self._running: tuple[Window, ...] | None = None
        self._over: dict[str, bool] = {}

    def changed(self) -> None:
        """Windows were stored in this transaction."""
        self._running = None
        self._over.clear()

    def alert(self, alert: Alert, since: datetime | None) -> Cover:
        """What holds back this alert, which began at `since`; nothing holds back the daemon's own of a storm."""
        running = self._windows()
        return cover(running, alert.labels, since) if running and alert.source != storm.SOURCE else NO_COVER

    def joining(self, alert: Alert, incident: Incident, since: datetime) -> Cover:
        """What holds back an alert that has begun before, in its incident."""
        return self.alert(alert, _asked(incident, since)) if is_held(incident) else NO_COVER

    def incident(self, incident: Incident) -> Cover:
        """What holds back all that fires in an incident; where nothing does, the window that did, while it runs."""
        if not is_held(incident):
            return NO_COVER
        running = self._windows()
        if incident.firing:
            firing = self.firing(incident.id)
            return common(cover(running, one.labels, _asked(incident, one.starts_at)) for one in firing)
        window = next((window for window in running if window.id == incident.held_by), None)
        return NO_COVER if window is None else Cover(any=window, sev1=window if window.all else None)

    def held(self, after: int, here: Iterable[Incident], most: int) -> list[int]:
        """The ids of what maintenance holds back, in their order, the first after that one; `here` is of this batch."""
        stored = self._transaction.held(after, most)
        return sorted({*stored, *(one.id for one in here if one.id > after and is_held(one))})[:most]

    def change(self, incident: Incident) -> MaintenanceChanged:
        """What the windows, as they are now, mean for what is held back."""
        return MaintenanceChanged(cover=self.incident(incident), over=self._is_over(incident.held_by or ""))

    def firing(self, incident_id: int) -> list[Episode]:
        """What fires in an incident, this batch counted; of more than MOST_FIRING the oldest."""
        known = {episode.id: episode for episode in self._transaction.firing(incident_id, MOST_FIRING)}
        known |= {episode.id: episode for episode in self._begun()}
        return [one for one in known.values() if one.incident_id == incident_id and one.ended_at is None]

    def _is_over(self, window_id: str) -> bool:
        """Whether the window has ended, rather than been taken out of the rules."""
        if window_id not in self._over:
            asked = self._transaction.plan(window_id)
            of_rules = (window for window in self._rules.windows if window.id == window_id)
            window = next(of_rules, None if asked is None else asked.window)
            self._over[window_id] = window is not None and window.phase(self._now) is Phase.PAST
        return self._over[window_id]

    def _windows(self) -> tuple[Window, ...]:
        if self._running is None:
            every = (*self._rules.windows, *self._transaction.windows(self._now))
            self._running = tuple(window for window in every if window.phase(self._now) is Phase.RUNNING)
        return self._running


def _asked(incident: Incident, since: datetime) -> datetime | None:
    """The beginning that windows are asked of: none where all that fires was held back when it began."""
    return since if waits_for_one_outside(incident) else None


def is_held(incident: Incident) -> bool:
    """Whether maintenance holds it back, or did until this instant."""
    return incident.state is State.PENDING and incident.held_until is not None
