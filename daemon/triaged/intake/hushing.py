"""What Alertmanagers keep quiet about, in one batch: the rows that change, and the incidents that are to hear of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from triaged.core.events import SuppressionsChanged
from triaged.core.model import Episode
from triaged.core.suppression import Changes, Suppression
from triaged.intake.units import Suppress
from triaged.ports.store import Transaction


def hush(
    transaction: Transaction, asked: Suppress, episodes: Mapping[str, Episode]
) -> tuple[Changes, dict[int, SuppressionsChanged]]:
    """The rows to write, and an event by incident; a silence of many alerts of one incident is told once.

    `episodes` are the newest ones that the batch knows; what has ended is told of no more.
    """
    before = {one.key: one for one in transaction.suppressions(asked.source)}
    after = {one.key: one for one in asked.suppressions}
    rows = {key: after.get(key) for key in {**before, **after} if before.get(key) != after.get(key)}
    if not rows:
        return {}, {}
    fingerprints = {one.fingerprint for one in (*before.values(), *after.values())}
    known = {**transaction.last_episodes(sorted(fingerprints - episodes.keys())), **episodes}
    was, now = _by_incident(before.values(), known), _by_incident(after.values(), known)
    changed = {known[fingerprint].incident_id for fingerprint, _ in rows if _goes_on(known.get(fingerprint))}
    events = {}
    for incident_id in sorted(changed):
        former, present = was.get(incident_id, {}), now.get(incident_id, {})
        events[incident_id] = SuppressionsChanged(
            began=tuple(present[ref] for ref in present if ref not in former),
            ended=tuple(former[ref] for ref in former if ref not in present),
        )
    return rows, events


def _by_incident(found: Iterable[Suppression], episodes: Mapping[str, Episode]) -> dict[int, dict[str, Suppression]]:
    """One of each silence and each inhibiting alert, by incident."""
    incidents: dict[int, dict[str, Suppression]] = {}
    for one in found:
        episode = episodes.get(one.fingerprint)
        if episode is not None and _goes_on(episode):
            incidents.setdefault(episode.incident_id, {}).setdefault(one.ref, one)
    return incidents


def _goes_on(episode: Episode | None) -> bool:
    return episode is not None and episode.ended_at is None
