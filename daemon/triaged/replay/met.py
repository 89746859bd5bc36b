"""Which rules and services the recorded alerts meet, judged anew by a rule set."""

from __future__ import annotations

from collections import Counter

from triaged.core.heartbeats import heartbeat_of
from triaged.core.rules import RuleSet
from triaged.ports.store import Fate
from triaged.rulefiles import History
from triaged.sources import alertmanager
from triaged.store import heartbeats
from triaged.store.reading import Reader

MOST = 100_000
"""Records that are looked at, the newest."""


def met(reader: Reader, rules: RuleSet, *, most: int = MOST) -> History | None:
    """What the newest recorded alerts meet, each at the instants at which it came; None where none is recorded.

    An alert that fired several times, or whose text changed, is one alert; ends are not judged.
    """
    seen: set[str] = set()
    since = None
    matched: set[str] = set()
    services: set[str] = set()
    windows: set[str] = set()
    unmatched: dict[str, str] = {}
    for record in reader.newest(most):
        if record.fate is Fate.ENDED:
            continue
        # Whatever its source, an alert is recorded as Alertmanager sends it.
        for alert in alertmanager.read(record.source, alertmanager.kept([record.raw])).alerts:
            if heartbeat_of(rules.heartbeats, alert) is not None:
                continue
            windows.update(window.id for window in rules.windows if window.covers(alert.labels))
            verdict = rules.judge(alert, record.received_at)
            matched.update(verdict.matched)
            services.add(verdict.service)
            if verdict.unmatched:
                unmatched[alert.fingerprint] = alert.labels.get("alertname", "without a name")
            seen.add(alert.fingerprint)
            since = record.received_at
    if since is None:
        return None
    heard = {beat.name for beat in heartbeats.read(reader.connection) if beat.seen_at is not None}
    return History(
        alerts=len(seen),
        since=since,
        rules=matched,
        services=services,
        unmatched=Counter(unmatched.values()),
        heartbeats=heard,
        windows=windows,
    )
