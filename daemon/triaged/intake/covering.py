"""Maintenance in one batch: which windows are under way over an alert, and over all that fires in an incident."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from triaged.core import storm
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

    def changed(self) -> None:
        """Windows were stored in this transaction."""
        self._running = None

    def alert(self, alert: Alert) -> Cover:
        """What holds this alert back; nothing holds back the daemon's own of a storm."""
        running = self._windows()
        return cover(running, alert.labels) if running and alert.source != storm.SOURCE else NO_COVER

    def joining(self, alert: Alert, incident: Incident) -> Cover:
        """What holds back an alert that has begun before, in its incident."""
        return self.alert(alert) if is_held(incident) else NO_COVER

    def incident(self, incident: Incident) -> Cover:
        """What holds back all that fires in an incident; where nothing does, the window that did, while it runs."""
        if not is_held(incident):
            return NO_COVER
        running = self._windows()
        if incident.firing:
            return common(cover(running, episode.labels) for episode in self.firing(incident.id))
        window = next((window for window in running if window.id == incident.held_by), None)
        return NO_COVER if window is None else Cover(any=window, sev1=window if window.all else None)

    def firing(self, incident_id: int) -> list[Episode]:
        """What fires in an incident, this batch counted; of more than MOST_FIRING the oldest."""
        stored = {episode.id: episode for episode in self._transaction.firing(incident_id, MOST_FIRING)}
        stored |= {episode.id: episode for episode in self._begun() if episode.incident_id == incident_id}
        return [episode for episode in stored.values() if episode.ended_at is None]

    def _windows(self) -> tuple[Window, ...]:
        if self._running is None:
            every = (*self._rules.windows, *self._transaction.windows(self._now))
            self._running = tuple(window for window in every if window.phase(self._now) is Phase.RUNNING)
        return self._running


def is_held(incident: Incident) -> bool:
    """Whether maintenance holds it back, or did until this instant."""
    return incident.state is State.PENDING and incident.held_until is not None
