"""Other rules give alerts other keys: what is open gains these at once, so that what belongs to it still finds it."""

from __future__ import annotations

from datetime import datetime

import structlog

from triaged.core import keys, storm
from triaged.core.episodes import alert_of
from triaged.core.model import Episode, Key
from triaged.core.rules import RuleSet
from triaged.ports.store import Batch, Transaction

log = structlog.get_logger(__name__)


def gain_keys(transaction: Transaction, rule_set: RuleSet, now: datetime) -> int:
    """How many keys unfinished incidents gained: those that these rules give to their firing alerts.

    A key that another unfinished incident owns stays there, and of several that want one the oldest takes it.
    Idempotent; costs nothing for alerts that these very rules have judged.
    """
    wanted: dict[str, tuple[int, Key]] = {}
    for episode in transaction.judged_otherwise(rule_set.hash, keys.VERSION):
        key = _key(rule_set, episode, now)
        if key is not None and (key.digest not in wanted or episode.incident_id < wanted[key.digest][0]):
            wanted[key.digest] = (episode.incident_id, key)
    owners = transaction.owners(wanted)
    incidents = transaction.incidents(set(owners.values()))
    batch = Batch()
    for digest, found in wanted.items():
        owner = incidents.get(owners.get(digest, 0))
        if owner is None or not owner.state.unfinished:
            batch.keys[digest] = found
    transaction.save(batch, now)
    return len(batch.keys)


def _key(rule_set: RuleSet, episode: Episode, now: datetime) -> Key | None:
    """The alert's key by these rules; None where none gave it or one would drop it.

    Also where a bug hinders it: that costs this alert alone.
    """
    if episode.source == storm.SOURCE:
        return None
    try:
        verdict = rule_set.judge(alert_of(episode), now)
    except Exception:
        log.exception("no new key for an alert", fingerprint=episode.fingerprint, incident=episode.incident_id)
        return None
    return verdict.key if verdict.dropped is None else None
