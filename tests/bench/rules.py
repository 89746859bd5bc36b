#!/usr/bin/env python3
"""What an alert costs with 10,000 rules against 10: for sorts of rules, by alerts that repeat and by new ones.

`make bench` runs it, before the alerts per second.
usage: rules.py [--rules 10000] [--alerts 20000] [--rounds 5] [--maximum 2.0]
Prints for each sort of rule set the microseconds of an alert with 10 rules and with many, and their ratio; and how long
the many take to read. `first`: with a value that was never seen before. `repeat`: alerts that were judged before, so
that verdicts are remembered. `new`: no two alike in what rules ask, so that none is. The best of the rounds counts, as
noise only adds. Ends with 1 where a ratio is above its maximum.
"""

import argparse
import gc
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from triaged import rulefiles
from triaged.core.keys import fingerprint
from triaged.core.model import Alert, AlertStatus
from triaged.core.rules import RuleSet

FEW = 10
KNOWN = 500  # alerts that repeat
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HEAD = """
matrix:
  extensive: [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate: [sev2, sev3, sev3, sev4]
  minor: [sev3, sev3, sev4, sev4]
default: {impact: moderate, urgency: high, category: error, team: platform}
key: [alertname, cluster, namespace, service]
rules:
- {name: nobody, match: ['pod="nobody"'], impact: minor}
"""
SEVERITY = """
  targets: {response: 15m, resolution: 4h}
  calendar: always
  compliance: {response: 0.95, resolution: 0.9}
  at_risk: 0.75
  verify_for: 30m
  reopen_within: 24h
  close: person
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """A sort of rule sets: the conditions of its rule number n, which meet alerts of number n."""

    name: str
    conditions: Callable[[int], str]


def mixed(n: int) -> str:
    """As people write them: most name their alert, some list several, few have nothing but a pattern."""
    if n % 20 == 0:
        return f"match: ['namespace=~\"team-{n}-(prod|stage)-.+\"']"
    if n % 20 in (1, 2):
        return f"match: ['alertname=~\"Alert{n}(High|Low)?\"', 'cluster=~\".*eu.*\"']"
    if n % 20 in (3, 4, 5):
        return f"match: ['alertname=~\"Alert{n}|Other{n}|Third{n}\"', 'env!=\"test\"']"
    if n % 20 in (6, 7):
        return f"service: ['name=\"service-{n}\"']"
    return f"match: ['alertname=\"Alert{n}\"', 'severity=~\"critical|warning\"']"


SORTS = [
    Sort(name="equality", conditions=lambda n: f"match: ['alertname=\"Alert{n}\"']"),
    Sort(name="a list", conditions=lambda n: f"match: ['alertname=~\"Alert{n}|Other{n}|Third{n}\"']"),
    Sort(name="a prefix", conditions=lambda n: f"match: ['namespace=~\"team-{n}-.+\"']"),
    Sort(name="a group", conditions=lambda n: f"match: ['alertname=~\"(Alert|Other){n}(High|Low)?\"']"),
    Sort(name="any case", conditions=lambda n: f"match: ['alertname=~\"(?i:alert{n})\"']"),
    Sort(name="a middle", conditions=lambda n: f"match: ['namespace=~\".*-{n}-.*\"']"),
    Sort(name="a service", conditions=lambda n: f"service: ['name=\"service-{n}\"']"),
    Sort(name="mixed", conditions=mixed),
]


def folder(sort: Sort, count: int) -> dict[str, str]:
    """The files of a rule set of so many rules."""
    rules = [f"- {{name: r{n}, {sort.conditions(n)}, impact: minor}}" for n in range(1, count)]
    services = "".join(
        f"  service-{n}: {{match: ['deployment=\"service-{n}\"'], team: platform}}\n" for n in range(count)
    )
    return {
        "triage.yaml": HEAD + "\n".join(rules) + "\n",
        "services.yaml": f"services:\n{services}teams: {{platform: {{}}}}\n",
        "severities.yaml": "".join(f"sev{n}:{SEVERITY}" for n in range(1, 5)),
    }


def alert(number: int, pod: str) -> Alert:
    labels = {
        "alertname": f"Alert{number}",
        "cluster": "eu-1",
        "namespace": f"team-{number}-prod-shop",
        "deployment": f"service-{number}",
        "severity": "warning",
        "pod": pod,
        "instance": "10.0.0.1:9100",
        "job": "node",
    }
    return Alert(
        fingerprint=fingerprint("alertmanager", labels),
        source="alertmanager",
        status=AlertStatus.FIRING,
        labels=labels,
        annotations={"summary": "It is so."},
        starts_at=NOW,
        ends_at=None,
        generator_url="",
        digest=b"",
        raw=b"",
    )


def alerts(numbers: int, count: int, *, new: bool) -> list[Alert]:
    """So many alerts, of so many rules in turn."""
    return [alert(1 + i % numbers, pod=f"pod-{i}" if new else "pod") for i in range(count)]


def microseconds(rule_set: RuleSet, posted: list[Alert]) -> float:
    """Of one alert."""
    began = time.perf_counter()
    for one in posted:
        rule_set.judge(one, NOW)
    return (time.perf_counter() - began) / len(posted) * 1e6


def measured(rule_set: RuleSet, numbers: int, options: argparse.Namespace) -> Iterator[float]:
    """Microseconds of an alert with a value never seen before, of a repeated alert, and of a new one."""
    yield microseconds(rule_set, alerts(numbers, numbers, new=True))
    known = alerts(min(numbers, KNOWN), KNOWN, new=False) * (options.alerts // KNOWN)
    new = alerts(numbers, options.alerts, new=True)
    for posted in (known, new):
        microseconds(rule_set, posted[: options.alerts // 4])
        yield min(microseconds(rule_set, posted) for _ in range(options.rounds))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rules", type=int, default=10_000)
    parser.add_argument("--alerts", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--maximum", type=float, default=2.0)
    return parser.parse_args()


def main() -> int:
    options = arguments()
    gc.disable()
    print(f"microseconds of an alert with {FEW} rules and with {options.rules:,}, best of {options.rounds} rounds")
    print(f"{'rules by':12}{'alerts':8}{FEW:>9}{options.rules:>9,}{'ratio':>8}{'to read':>10}")
    above = []
    for sort in SORTS:
        few = rulefiles.read(folder(sort, FEW)).rules
        texts = folder(sort, options.rules)
        began = time.perf_counter()
        many = rulefiles.read(texts).rules
        took = time.perf_counter() - began
        ones = measured(few, FEW - 1, options)
        others = measured(many, options.rules - 1, options)
        for kind, one, other in zip(("first", "repeat", "new"), ones, others, strict=True):
            ratio = other / one
            print(f"{sort.name:12}{kind:8}{one:9.1f}{other:9.1f}{ratio:8.2f}{took:9.1f}s", flush=True)
            if ratio > options.maximum:
                above.append(f"{sort.name}, {kind}: {ratio:.2f}")
    print("above the maximum: " + "; ".join(above) if above else "all ratios hold")
    return int(bool(above))


if __name__ == "__main__":
    sys.exit(main())
