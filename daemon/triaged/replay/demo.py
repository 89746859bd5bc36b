"""The demo's player: posts a day to the daemon's own port as its clock passes, and tells what happens."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Final

import httpx

from triaged.clock import Clock
from triaged.core.model import Entry
from triaged.replay.day import SOURCE, Day, Moment
from triaged.store.reading import Reader

Say = Callable[[datetime, str, str], None]

_TOLD: Final = frozenset(
    {
        Entry.OPENED,
        Entry.REOPENED,
        Entry.SEVERITY,
        Entry.UNOPENED,
        Entry.PENDING,
        Entry.FOLDED,
        Entry.UNFOLDED,
        Entry.ACKNOWLEDGED,
        Entry.ACKNOWLEDGEMENT_ENDED,
        Entry.BREACHED,
        Entry.VERIFYING,
        Entry.REFIRED,
        Entry.RESOLVED,
        Entry.CLOSED,
    }
)


class Player:
    """Plays one day; `say` gets an instant, who speaks (`story` or an incident's name) and a sentence."""

    def __init__(
        self, day: Day, *, url: str, clock: Clock, read: Callable[[], AbstractContextManager[Reader]], say: Say
    ) -> None:
        self._day = day
        self._url = url
        self._clock = clock
        self._read = read
        self._say = say
        self._told = 0
        self.stopped = threading.Event()

    def play(self, start: datetime, until: timedelta) -> None:
        """Post every moment of the day when the clock reaches it; ends early when stopped."""
        with httpx.Client(base_url=self._url, timeout=30, trust_env=False) as client:
            for moment in self._day.moments(until):
                while not self.stopped.is_set() and (left := start + moment.at - self._clock.now()) > timedelta():
                    self._clock.wait(self.stopped, min(left, timedelta(minutes=5)))
                    self._tell()
                if self.stopped.is_set():
                    return
                self._do(client, moment, start)
                self._tell()

    def _do(self, client: httpx.Client, moment: Moment, start: datetime) -> None:
        if moment.story:
            self._say(start + moment.at, "story", moment.story)
        for body in moment.bodies:
            client.post(f"/api/v1/alerts/{SOURCE}", json=body).raise_for_status()
        for act in moment.acts:
            fields = {name: value for name, value in act.items() if name not in ("act", "alert")}
            incident = self._incident_of(str(act["alert"]))
            if incident is not None:
                client.post(f"/api/v1/incidents/INC-{incident}/{act['act']}", json=fields).raise_for_status()

    def _incident_of(self, alert: str) -> int | None:
        fingerprint = self._day.fingerprint(alert)
        with self._read() as reader:
            return reader.incidents_of([fingerprint]).get(fingerprint)

    def _tell(self) -> None:
        with self._read() as reader:
            news = reader.news(self._told)
        for number, entry in news:
            self._told = number
            if entry.entry in _TOLD:
                self._say(entry.at, f"INC-{entry.incident_id}", entry.text)
