"""What is heard of alerts: collected in memory as it arrives, and told to incidents of which nothing was heard."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from triaged.core.events import HeardAgain, NotHeardOf
from triaged.core.model import Incident
from triaged.core.staleness import Unheard
from triaged.intake.known import MOST, Known
from triaged.intake.units import Stale
from triaged.ports.store import Transaction

Rows = dict[int, Unheard | None]
_Events = dict[int, NotHeardOf | HeardAgain]

_NOTHING: Final[frozenset[str]] = frozenset()


class Hearings:
    """Alerts that were heard of since somebody last asked. Thread-safe; bounded by what can be known at the door.

    The writer says which it took in, the door which digests it answered alone. Nothing is kept of the sources in
    `but`: there others know better.
    """

    def __init__(self, but: Collection[str] = _NOTHING) -> None:
        self._but = but
        self._lock = threading.Lock()
        self._digests: set[bytes] = set()
        self._taken: dict[str, bool] = {}

    def __bool__(self) -> bool:
        return bool(self._digests or self._taken)

    def answered(self, digests: Collection[bytes]) -> None:
        """The door knew these, and all else that came with them."""
        with self._lock:
            if len(self._digests) < MOST:
                self._digests.update(digests)

    def taken(self, source: str, fingerprints: Iterable[str], *, repeated: bool) -> None:
        """The writer took these in one delivery; `repeated`, nothing in it had changed."""
        if source in self._but:
            return
        with self._lock:
            if len(self._taken) < MOST:
                for fingerprint in fingerprints:
                    self._taken[fingerprint] = repeated and self._taken.get(fingerprint, True)

    def drain(self, known: Known) -> dict[str, bool]:
        """By fingerprint whether all that was heard of it was a repeat; nothing of it is told a second time."""
        with self._lock:
            digests, self._digests = self._digests, set()
            taken, self._taken = self._taken, {}
        return {**dict.fromkeys(known.alerts(digests), True), **taken} if digests else taken


def listen(transaction: Transaction, asked: Stale, incidents: Mapping[int, Incident]) -> tuple[Rows, _Events]:
    """The rows to write, and an event by incident: each silence is told once, and its end once.

    What has changed since it was looked at is left for the next look.
    """
    before = transaction.unheard(asked.incident_ids)
    rows: Rows = {}
    events: _Events = {}
    for one in asked.began:
        incident = incidents.get(one.incident_id)
        if incident is None or one.incident_id in before or not _waits(incident):
            continue
        if incident.last_begun_at is None or incident.last_begun_at <= one.since_at:
            rows[one.incident_id] = one
            events[one.incident_id] = NotHeardOf(unheard=one)
    for incident_id in (*asked.ended, *asked.asked):
        incident = incidents.get(incident_id)
        if incident_id in before:
            rows[incident_id] = None
            if incident is not None and _waits(incident):
                events[incident_id] = HeardAgain(unheard=before[incident_id], asked=incident_id in asked.asked)
    return rows, events


def _waits(incident: Incident) -> bool:
    """Whether anything is expected to be heard of it, and people to act."""
    return incident.state.working and incident.firing > 0
