"""Growth in one batch: which alerts begin or cease to count for which condition, and which conditions to ask again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace

from triaged.core.events import Grew
from triaged.core.model import Episode, Incident, Verdict
from triaged.core.rules import RuleSet
from triaged.intake.verdicts import Verdicts
from triaged.ports.store import GrowthStep, Transaction


class Growing:
    """What of one transaction's `incidents` may have grown."""

    def __init__(
        self, transaction: Transaction, rules: RuleSet, verdicts: Verdicts, incidents: Mapping[int, Incident]
    ) -> None:
        self._transaction = transaction
        self._rules = rules
        self._verdicts = verdicts
        self._incidents = incidents
        self._asked: dict[int, set[str]] = {}

    def of(self, verdict_id: str) -> tuple[str, ...]:
        """The growth conditions that an alert with this verdict counts for."""
        found = self._verdicts.growing.get(verdict_id)
        if found is None:
            verdict = self._transaction.verdict(verdict_id)
            found = self._verdicts.growing[verdict_id] = verdict.growing if verdict else ()
        return found

    def began(self, episode: Episode, refs: Iterable[str], now: datetime) -> list[GrowthStep]:
        """The steps of an episode that counts from now on; its conditions are to be asked again."""
        steps = self._steps(episode, refs, now, began=True)
        if steps:
            self._asked.setdefault(episode.incident_id, set()).update([step.ref for step in steps])
        return steps

    def ended(self, episode: Episode, now: datetime) -> list[GrowthStep]:
        """The steps of an episode that counts no more."""
        return self._steps(episode, self.of(episode.verdict), now, began=False)

    def judged_anew(self, last: Episode, verdict: Verdict, starts_at: datetime, now: datetime) -> list[GrowthStep]:
        """The steps of an episode that goes on, and counts for other conditions than before or since earlier.

        Conditions for which it counts as before are asked again, too: other rules may ask less.
        """
        before, after = self.of(last.verdict), verdict.growing
        stays = [ref for ref in after if ref in before]
        self._asked.setdefault(last.incident_id, set()).update(stays)
        heard = replace(last, refires=False, starts_at=starts_at)
        left = self._steps(heard, [ref for ref in before if ref not in after], now, began=False)
        earlier = self._steps(heard, stays, now, began=True) if starts_at < last.starts_at else ()
        known = [replace(step, values={}) for step in earlier]
        return [*left, *known, *self.began(heard, [ref for ref in after if ref not in before], now)]

    def time_came(self, incident_id: int) -> None:
        """Time alone may have made a condition hold."""
        self._asked.setdefault(incident_id, set()).update(self._transaction.growth_refs(incident_id))

    def asked(self) -> list[tuple[int, list[str]]]:
        """The conditions that are to be asked, by incident; each is given once."""
        found = [(one, sorted(refs - {*self._incidents[one].grown})) for one, refs in self._asked.items()]
        self._asked.clear()
        return found

    def holds(self, incident: Incident, ref: str, now: datetime) -> tuple[Grew | None, datetime | None]:
        """What follows where the condition holds now, else the instant at which time alone may make it hold."""
        condition = self._rules.growth(ref)
        if condition is None or not incident.state.unfinished:
            return None, None
        holds, ripe_at = self._transaction.growth_holds(incident.id, condition, now)
        members = self._transaction.member_verdicts(incident.id, ref) if holds else []
        grown = [self._rules.grown(verdict, (*incident.grown, ref)) for verdict in members]
        if not grown:
            return None, ripe_at
        # The rules may have judged its alerts differently: the gravest counts, of equals the newest.
        return Grew(ref=ref, verdict=min(grown, key=lambda verdict: verdict.severity.rank)), None

    def _steps(self, episode: Episode, refs: Iterable[str], now: datetime, *, began: bool) -> list[GrowthStep]:
        grown = self._incidents[episode.incident_id].grown
        return [
            GrowthStep(
                incident_id=episode.incident_id,
                ref=ref,
                episode_id=episode.id,
                since_at=None if condition.firing_for is None else min(episode.starts_at, now),
                # An alert without the label tells of no further pod, instance, … of it.
                values={label: episode.labels[label] for label in condition.distinct if label in episode.labels},
                refires=began and episode.refires,
                began=began,
            )
            for ref in refs
            if ref not in grown and (condition := self._rules.growth(ref)) is not None
        ]
