"""Which rules and services the recorded alerts meet, judged anew by a rule set."""

from __future__ import annotations

from collections import Counter

from triaged.core.heartbeats import heartbeat_of
from triaged.core.rules import RuleSet
from triaged.rulefiles import History
from triaged.sources import alertmanager
from triaged.store import heartbeats
from triaged.store.reading import Reader

MOST = 100_000
"""Recorded alerts that are looked at, the newest."""


def met(reader: Reader, rules: RuleSet, *, most: int = MOST) -> History | None:
    """What the newest recorded alerts meet, each at the instant at which it came; None where nothing is recorded."""
    alerts, since = 0, None
    matched: set[str] = set()
    services: set[str] = set()
    windows: set[str] = set()
    unmatched: Counter[str] = Counter()
    for record in reader.newest(most):
        # Whatever its source, an alert is recorded as Alertmanager sends it.
        for alert in alertmanager.read(record.source, alertmanager.kept([record.raw])).alerts:
            if heartbeat_of(rules.heartbeats, alert) is not None:
                continue
            windows.update(window.id for window in rules.windows if window.covers(alert.labels))
            verdict = rules.judge(alert, record.received_at)
            matched.update(verdict.matched)
            services.add(verdict.service)
            if verdict.unmatched:
                unmatched[alert.labels.get("alertname", "without a name")] += 1
            alerts, since = alerts + 1, record.received_at
    if since is None:
        return None
    heard = {beat.name for beat in heartbeats.read(reader.connection) if beat.seen_at is not None}
    return History(
        alerts=alerts,
        since=since,
        rules=matched,
        services=services,
        unmatched=unmatched,
        heartbeats=heard,
        windows=windows,
    )
