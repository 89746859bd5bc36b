"""`/metrics`: what the process counts, and what the store knows, in one exposition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product
from typing import Final, TypeVar

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from triaged.core.escalation import ELSEWHERE, Ground
from triaged.core.model import Objective, Severity, State
from triaged.core.sla import Policy
from triaged.errors import StoreError
from triaged.ports.store import Counted
from triaged.store import heartbeats, problems, reviews
from triaged.store.codec import from_us
from triaged.store.reading import Gauges
from triaged.store.totals import BUCKETS
from triaged.web.desk import Desk
from triaged.web.heartbeats import gauges as heard

log = structlog.get_logger(__name__)

Labels = tuple[str, ...]
Key = TypeVar("Key", tuple[str, str], tuple[str, str, str])

_SEVERITIES: Final = [str(severity) for severity in Severity]
_OBJECTIVES: Final = [str(objective) for objective in Objective]
_STATES: Final = [str(s) for s in (State.OPEN, State.ACKNOWLEDGED, State.VERIFYING, State.RESOLVED)]
_CLOSINGS: Final = [
    ("completed", "person"),
    ("false_alarm", "person"),
    ("not_planned", "person"),
    ("duplicate", "person"),
    ("completed", "daemon"),
    ("unopened", "daemon"),
]
_INCIDENTS: Final = {
    "incidents_opened": "Incidents opened.",
    "incidents_resolved": "Incidents resolved and verified.",
    "incidents_reopened": "Incidents reopened.",
}
_OUTCOMES: Final = {
    "sla_met": "Objectives met.",
    "sla_breached": "Objectives breached.",
    "sla_not_required": "Objectives that were not required: restored first, or waived.",
}
_DURATIONS: Final = {
    "incident_acknowledge_duration_seconds": "From asking for an acknowledgement to getting it.",
    "incident_resolve_duration_seconds": "From the opening of a round to the restoration.",
}


def expose(desk: Desk, accept: str) -> tuple[bytes, str]:
    """The exposition and its content type, in the format that the Accept header prefers."""
    encode, content_type = choose_encoder(accept)
    return encode(_Everything(desk)), content_type


class _Everything(Collector):
    """Process and store metrics; where the store cannot be read the process ones come all the same."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def collect(self) -> Iterator[Metric]:
        yield from _process(self._desk.metrics.registry)
        try:
            found = list(_store(self._desk))
        except StoreError as error:
            log.warning("store metrics cannot be read", error=str(error))
            found = []
        up = GaugeMetricFamily("triaged_store_up", "Whether the store could be read; else store metrics are absent.")
        up.add_metric([], 1 if found else 0)
        yield up
        yield from found


def _process(registry: CollectorRegistry) -> Iterator[Metric]:
    """Without the instants of creation: a gauge beside each counter that nobody asks for."""
    for metric in registry.collect():
        metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
        yield metric


def _store(desk: Desk) -> Iterator[Metric]:
    now = desk.clock.now()
    with desk.store.read() as reader:
        totals, gauges = reader.totals(), reader.gauges(now)
        beats = heartbeats.read(reader.connection)
        looking_back = reviews.counts(reader.connection, now)
        recurring = problems.open_by_team(reader.connection)
    rules = desk.rules()
    teams = sorted({*rules.rule_set.teams, rules.rule_set.default_team})
    yield from _counters(_Counters(totals), teams, desk.sources())
    yield _escalations(_Counters(totals), rules.policy)
    yield from _histograms(totals, teams)
    yield from _targets(rules.policy)
    yield from _work(gauges, teams)
    yield from _looking_back(looking_back, teams, rules.rule_set.known_team)
    yield _problems(recurring, teams, rules.rule_set.known_team)
    yield from heard(rules.rule_set.heartbeats, beats)
    labels = ["backend"]
    help_text = "Issues and comments that wait for the backend."
    yield _gauge("backend_pending", help_text, labels, [([desk.backend], gauges.pending)])
    if gauges.oldest_pending is not None:
        age = max(0.0, (now - from_us(gauges.oldest_pending)).total_seconds())
        help_text = "Age of the oldest issue or comment that waits for the backend."
        yield _gauge("backend_oldest_pending_seconds", help_text, labels, [([desk.backend], age)])
    help_text = "Deadlines that passed more than a minute ago and did not act."
    yield _gauge("deadlines_overdue", help_text, [], [([], gauges.overdue)])


class _Counters:
    """Store counters by metric and labels."""

    def __init__(self, totals: Iterable[Counted]) -> None:
        self._found: dict[str, list[Counted]] = {}
        for row in totals:
            self._found.setdefault(row.metric, []).append(row)

    def family(self, name: str, help_text: str, labels: Labels, zeros: Iterable[Labels]) -> Metric:
        """The counter with all that was ever counted, and 0 for what may be."""
        values = dict.fromkeys(zeros, 0.0)
        for row in self._found.get(f"{name}_total", ()):
            key = tuple(row.labels.get(label, "") for label in labels)
            values[key] = values.get(key, 0.0) + row.value
        family = CounterMetricFamily(f"triaged_{name}", help_text, labels=labels)
        for key, value in sorted(values.items()):
            family.add_metric(key, value)
        return family


def _counters(counters: _Counters, teams: list[str], sources: tuple[str, ...]) -> Iterator[Metric]:
    known = [(source,) for source in sources]
    yield counters.family("episodes", "Firings of alerts, from a firing to its end.", ("source",), known)
    each = list(product(_SEVERITIES, teams))
    for name, help_text in _INCIDENTS.items():
        yield counters.family(name, help_text, ("severity", "team"), each)
    closings = [(severity, team, *closing) for (severity, team), closing in product(each, _CLOSINGS)]
    yield counters.family("incidents_closed", "Incidents closed.", ("severity", "team", "reason", "by"), closings)
    objectives = list(product(_SEVERITIES, _OBJECTIVES, teams))
    for name, help_text in _OUTCOMES.items():
        yield counters.family(name, help_text, ("severity", "objective", "team"), objectives)


def _escalations(counters: _Counters, policy: Policy) -> Metric:
    """From 0 for every level of the severities in force; what is frozen on incidents may have had more."""
    grounds = [str(ground) for ground in Ground if ground is not Ground.OPENED]
    zeros = [(str(severity), ELSEWHERE, str(Ground.ASKED)) for severity in policy.severities]
    for severity, one in policy.severities.items():
        levels = [str(number) for number in range(1, len(one.escalation) + 1)]
        zeros += [(str(severity), level, ground) for level, ground in product(levels, grounds)]
    help_text = "Escalations: levels told but for the first at an opening, without the last one's repetitions."
    return counters.family("escalations", help_text, ("severity", "level", "reason"), zeros)


def _histograms(totals: Iterable[Counted], teams: list[str]) -> Iterator[Metric]:
    parts: dict[str, dict[Labels, float]] = {}
    buckets: dict[str, dict[Labels, dict[float, float]]] = {}
    for row in totals:
        key: Labels = (row.labels.get("severity", ""), row.labels.get("team", ""))
        if "le" in row.labels:
            series = buckets.setdefault(row.metric, {}).setdefault(key, {})
            bound = float(row.labels["le"])
            series[bound] = series.get(bound, 0.0) + row.value
        else:
            parts.setdefault(row.metric, {})[key] = row.value
    for name, help_text in _DURATIONS.items():
        sums, counts = parts.get(f"{name}_sum", {}), parts.get(f"{name}_count", {})
        family = HistogramMetricFamily(f"triaged_{name}", help_text, labels=("severity", "team"))
        for key in sorted({*product(_SEVERITIES, teams), *counts}):
            rows = buckets.get(f"{name}_bucket", {}).get(key, {})
            cumulative = [(str(bound), _up_to(rows, bound)) for bound in BUCKETS[name]]
            family.add_metric(key, [*cumulative, ("+Inf", counts.get(key, 0.0))], sums.get(key, 0.0))
        yield family


def _up_to(rows: Mapping[float, float], bound: float) -> float:
    """The store keeps each observation in its first bucket only."""
    return sum(value for le, value in rows.items() if le <= bound)


def _targets(policy: Policy) -> Iterator[Metric]:
    labels = ["severity", "objective"]
    seconds: list[tuple[list[str], float]] = []
    shares: list[tuple[list[str], float]] = []
    for severity, one in policy.severities.items():
        for objective, target in one.targets.items():
            if target.within is not None:
                seconds.append(([severity, objective], target.within.total_seconds()))
        shares += [([severity, objective], share) for objective, share in one.compliance.items()]
    yield _gauge("sla_target_seconds", "The target; absent where it is working days.", labels, seconds)
    yield _gauge("sla_compliance_target_ratio", "The share of objectives that is to be met.", labels, shares)


def _work(gauges: Gauges, teams: list[str]) -> Iterator[Metric]:
    per_team = list(product(_SEVERITIES, teams))
    per_state = [(severity, team, state) for (severity, team), state in product(per_team, _STATES)]
    per_objective = list(product(_SEVERITIES, _OBJECTIVES, teams))
    help_text = "Incidents that are not closed."
    yield _gauge("incidents_open", help_text, ["severity", "team", "state"], _from_zero(gauges.open, per_state))
    help_text = "Incidents that a person closed while alerts of it still fire."
    yield _gauge("incidents_closed_firing", help_text, ["severity", "team"], _from_zero(gauges.closed_firing, per_team))
    labels = ["severity", "objective", "team"]
    help_text = "Undecided objectives of open incidents that are at risk."
    yield _gauge("sla_at_risk", help_text, labels, _from_zero(gauges.at_risk, per_objective))
    help_text = "Breached objectives of incidents that are still open."
    yield _gauge("sla_breached_open", help_text, labels, _from_zero(gauges.breached_open, per_objective))
    due = {key: from_us(us).timestamp() for key, us in gauges.next_deadline.items()}
    help_text = "When the next objective falls due; absent without one."
    yield _gauge("sla_next_deadline_timestamp_seconds", help_text, labels, _from_zero(due, ()))


def _looking_back(counts: reviews.Counts, teams: list[str], known: Callable[[str], str]) -> Iterator[Metric]:
    for name, help_text, found in (
        ("reviews_open", "Post-incident reviews that are to be held.", counts.open),
        ("reviews_overdue", "Those of them that were due before now.", counts.overdue),
        ("action_items_open", "Action items of incidents that are not done.", counts.actions),
    ):
        values = dict.fromkeys(teams, 0)
        for team, number in found.items():
            values[known(team)] = values.get(known(team), 0) + number
        yield _gauge(name, help_text, ["team"], [((team,), number) for team, number in sorted(values.items())])


def _problems(found: Mapping[str, int], teams: list[str], known: Callable[[str], str]) -> Metric:
    counts = dict.fromkeys(teams, 0)
    for team, number in found.items():
        counts[known(team)] = counts.get(known(team), 0) + number
    values = [((team,), number) for team, number in sorted(counts.items())]
    return _gauge("problems_open", "Problems that are not closed.", ["team"], values)


def _from_zero(found: Mapping[Key, float], zeros: Iterable[Key]) -> list[tuple[Key, float]]:
    return sorted({**dict.fromkeys(zeros, 0.0), **found}.items())


def _gauge(name: str, help_text: str, labels: Iterable[str], values: Iterable[tuple[Iterable[str], float]]) -> Metric:
    family = GaugeMetricFamily(f"triaged_{name}", help_text, labels=list(labels))
    for key, value in values:
        family.add_metric(list(key), value)
    return family
