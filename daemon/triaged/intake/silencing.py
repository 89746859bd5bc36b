"""Silences in one batch: where an incident's alerts can be silenced, and which of them are, by whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from triaged.core.events import SilencesSeen, SuppressionsChanged
from triaged.core.model import Episode, Incident
from triaged.core.silences import Reach, matchers
from triaged.core.suppression import Hush, Suppression
from triaged.intake.units import Suppress
from triaged.ports.store import Transaction


class Silencing:
    """`alertmanagers` are their names by the source whose alerts they hold."""

    def __init__(self, transaction: Transaction, alertmanagers: Mapping[str, str]) -> None:
        self._transaction = transaction
        self._alertmanagers = alertmanagers

    def reach(self, incident: Incident, firing: Callable[[int], Iterable[Episode]]) -> Reach | None:
        """Where the incident's alerts can be silenced; None where no Alertmanager is known to hold them."""
        name = self._alertmanagers.get(incident.source)
        if name is None:
            return None
        labels = [episode.labels for episode in firing(incident.id)]
        return Reach(alertmanager=name, matchers=matchers(self._transaction.key_pairs(incident.key), labels))

    def seen(
        self, asked: Suppress, episodes: Mapping[str, Episode], told: Mapping[int, SuppressionsChanged]
    ) -> dict[int, SilencesSeen]:
        """What silences cover of each incident that has some, or is acknowledged by some.

        `episodes` are the newest ones that the batch knows, `told` is what began and ended with what was asked.
        """
        elsewhere = [one for one in self._transaction.silences() if one.source != asked.source]
        here = [one for one in asked.suppressions if one.hush is Hush.SILENCE]
        rows = self._by_their_makers([*elsewhere, *here])
        missing = sorted({row.fingerprint for row in rows} - episodes.keys())
        known = {**self._transaction.last_episodes(missing), **episodes}
        found: dict[int, list[Suppression]] = {one: [] for one in self._transaction.acknowledged_by_silence()}
        for row in rows:
            episode = known.get(row.fingerprint)
            if episode is not None and episode.ended_at is None:
                found.setdefault(episode.incident_id, []).append(row)
        return {
            incident_id: SilencesSeen(rows=tuple(rows), ended=_ended(told.get(incident_id)))
            for incident_id, rows in sorted(found.items())
        }

    def _by_their_makers(self, rows: list[Suppression]) -> list[Suppression]:
        """What we made was asked for by somebody, whatever name stands in Alertmanager."""
        asked = {row.operation for row in rows} - {""}
        makers = self._transaction.silence_makers(asked) if asked else {}
        return [replace(row, by=makers.get(row.operation, row.by)) for row in rows]


def _ended(told: SuppressionsChanged | None) -> tuple[str, ...]:
    return () if told is None else tuple(one.ref for one in told.ended)
