"""Which rules and services the recorded alerts meet, judged anew by a rule set."""

from __future__ import annotations

from collections import Counter

from triaged.core.rules import RuleSet
from triaged.rulefiles import History
from triaged.sources import alertmanager
from triaged.store.reading import Reader

MOST = 100_000
"""Recorded alerts that are looked at, the newest."""


def met(reader: Reader, rules: RuleSet, *, most: int = MOST) -> History | None:
    """What the newest recorded alerts meet, each at the instant at which it came; None where nothing is recorded."""
    alerts, since = 0, None
    matched: set[str] = set()
    services: set[str] = set()
    unmatched: Counter[str] = Counter()
    for record in reader.newest(most):
        # Whatever its source, an alert is recorded as Alertmanager sends it.
        for alert in alertmanager.read(record.source, alertmanager.kept([record.raw])).alerts:
            verdict = rules.judge(alert, record.received_at)
            matched.update(verdict.matched)
            services.add(verdict.service)
            if verdict.unmatched:
                unmatched[alert.labels.get("alertname", "without a name")] += 1
            alerts, since = alerts + 1, record.received_at
    if since is None:
        return None
    return History(alerts=alerts, since=since, rules=matched, services=services, unmatched=unmatched)
