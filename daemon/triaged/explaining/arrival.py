"""What would become of alerts that arrive now: the real decision, made on a view of the store that keeps nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import assert_never

from msgspec import Struct

from triaged.core import wording
from triaged.core.episodes import Change, follow
from triaged.core.heartbeats import Heartbeat, heartbeat_of
from triaged.core.model import Alert, AlertStatus, Episode, Incident, State, TimelineEntry
from triaged.explaining.former import Former
from triaged.intake.deciding import Deciding
from triaged.intake.units import Rules
from triaged.intake.verdicts import Verdicts
from triaged.ports.store import Fate
from triaged.store import evidence
from triaged.store.reading import Reader
from triaged.store.rehearsal import Rehearsal
from triaged.store.store import Store


class Prospect(Struct, frozen=True, kw_only=True):
    """What an alert would do: its fate (None: nothing), that in words, and what timelines would tell of it."""

    fate: Fate | None
    words: str
    told: tuple[str, ...]


def prospects(store: Store, alerts: Sequence[Alert], rules: Rules, former: Former, now: datetime) -> list[Prospect]:
    """What each of the alerts would do at `now`, one after the other as in one delivery; the store stays as it is."""
    with store.rehearse() as transaction:
        return _Rehearsal(transaction, alerts, rules, former, now).prospects()


def heard(heartbeat: Heartbeat, alert: Alert) -> str:
    """What an alert does that is a heartbeat, in words."""
    does = "is heard" if alert.status is AlertStatus.FIRING else "counts as missing at once"
    return f"is heartbeat {heartbeat.name}, which {does}: no rule is asked, and it opens no incident"


class _Rehearsal:
    def __init__(
        self, transaction: Rehearsal, alerts: Sequence[Alert], rules: Rules, former: Former, now: datetime
    ) -> None:
        self._alerts = alerts
        self._rule_set = rules.rule_set
        self._now = now
        self._reader = reader = Reader(transaction.connection)
        self._episodes = transaction.last_episodes(alert.fingerprint for alert in alerts)
        self._incidents: dict[int, Incident] = {}
        self._deciding = Deciding(
            transaction,
            rules,
            lambda digest: former.policy(reader, digest, current=rules),
            Verdicts(),
            _judged_by(rules, reader, self._episodes).get,
            now,
        )

    def prospects(self) -> list[Prospect]:
        broken = self._deciding.read(self._alerts, ())
        return [
            Prospect(fate=Fate.FAILED, words=f"fails: the rules break at it: {broken[alert.digest]}", told=())
            if alert.digest in broken
            else self._prospect(alert)
            for alert in self._alerts
        ]

    def _prospect(self, alert: Alert) -> Prospect:
        heartbeat = heartbeat_of(self._rule_set.heartbeats, alert)
        if heartbeat is not None:
            return Prospect(fate=None, words=heard(heartbeat, alert), told=())
        last = self._episodes.get(alert.fingerprint)
        batch = self._deciding.batch
        told = len(batch.timeline)
        fate = self._deciding.alert(alert, "")
        if fate is None:
            return Prospect(fate=None, words=self._nothing(alert, last), told=())
        record = batch.records[-1]
        if record.incident_id is None:
            return Prospect(fate=fate, words=f"is dropped by {record.reason}", told=())
        before = self._incident(record.incident_id)
        after = batch.incidents.get(record.incident_id, before)
        if after is None:
            return Prospect(fate=fate, words=str(fate), told=())
        self._incidents[after.id] = after
        return Prospect(
            fate=fate,
            words=_words(fate, before, after),
            told=tuple(_told(entry, after) for entry in batch.timeline[told:]),
        )

    def _incident(self, incident_id: int) -> Incident | None:
        if incident_id not in self._incidents:
            row = self._reader.incident(incident_id)
            if row is None:
                return None
            self._incidents[incident_id] = row.incident
        return self._incidents[incident_id]

    def _nothing(self, alert: Alert, last: Episode | None) -> str:
        where = f"INC-{last.incident_id}" if last is not None else ""
        if last is not None and last.digest == alert.digest:
            return f"changes nothing: {where} has this very text already (a repeat)"
        match follow(last, alert, self._now).change:
            case Change.UNKNOWN:
                return "changes nothing: it ends, and did not fire"
            case Change.STALE:
                return f"changes nothing: a late end, from before its firing in {where} began"
            case _ if self._rule_set.judge(alert, self._now).dropped is not None:
                return f"changes nothing: it fires in {where} already, and a rule added later drops nothing from there"
            case _:
                return f"changes nothing: it fires in {where} already, and is judged as before (a repeat)"


def _judged_by(rules: Rules, reader: Reader, episodes: Mapping[str, Episode]) -> dict[bytes, str]:
    """The texts of alerts that these rules have judged: what the daemon knows at its door."""
    known = evidence.verdicts(reader, {episode.verdict for episode in episodes.values()})
    ours = {verdict_id for verdict_id, (rule_set, _) in known.items() if rule_set == rules.rule_set.hash}
    return {episode.digest: "known" for episode in episodes.values() if episode.verdict in ours}


def _told(entry: TimelineEntry, of: Incident) -> str:
    """What a timeline would tell; of another incident with its name."""
    return entry.text if entry.incident_id == of.id else f"INC-{entry.incident_id}: {entry.text}"


def _words(fate: Fate, before: Incident | None, after: Incident) -> str:
    match fate:
        case Fate.BEGAN | Fate.CONTINUED:
            words = _begins(before, after)
        case Fate.CHANGED:
            words = f"goes on in {after.name} ({after.state}): its text or its verdict differs"
        case Fate.ENDED:
            quiet = "" if after.firing else ", on which nothing fires any more"
            words = f"ends in {after.name} ({after.state}){quiet}"
        case Fate.DROPPED | Fate.REJECTED | Fate.FAILED:
            words = str(fate)
        case _:
            assert_never(fate)
    return words if after.parent is None else f"{words}, folded into INC-{after.parent} ({after.fold})"


def _begins(before: Incident | None, after: Incident) -> str:
    if before is None:
        if after.state is State.PENDING:
            until = f" until {wording.instant(after.pending_until)}" if after.pending_until else ""
            return f"is held back{until} ({after.name} as things are): no issue and no clocks until it opens"
        return f"opens a new incident ({after.name} as things are) as {after.severity}"
    if before.state is State.PENDING and after.state is not State.PENDING:
        return f"joins {after.name}, which was held back and opens by it as {after.severity}"
    if before.state is State.VERIFYING:
        return f"joins {after.name}, on which nothing fired any more: {after.state} again"
    if before.state.unfinished:
        return f"joins {after.name} ({after.state})"
    if after.state.unfinished:
        return f"reopens {after.name}, which was {before.state}"
    by = f" by {before.closed_by}" if before.closed_by else ""
    return f"is only recorded on {after.name}, which stays {after.state}{by}"
