"""The process metrics of triaged; their names and labels are an interface."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from triaged import __version__
from triaged.ports.tally import BOUNDS, Durations, Tally

_STATUSES: Final = ("firing", "resolved", "rejected")


class Metrics:
    """One registry and every metric that resets with the process. Thread-safe."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        one = self.registry
        self.received = Counter(
            "triaged_alerts_received", "Alerts taken in, repeats included.", ["source", "status"], registry=one
        )
        self.duplicates = Counter(
            "triaged_alerts_duplicate", "Alerts that changed nothing.", ["source", "status"], registry=one
        )
        self.rejected = Counter(
            "triaged_alerts_rejected",
            "Alerts that could not be read or taken in; kept raw.",
            ["source", "reason"],
            registry=one,
        )
        self.dropped = Counter("triaged_alerts_dropped", "Alerts that a rule dropped.", ["rule"], registry=one)
        self.unmatched = Counter("triaged_alerts_unmatched", "Alerts that no rule matched.", registry=one)
        self._ingest = _Ingest()
        one.register(self._ingest)
        self.backend_requests = Counter(
            "triaged_backend_requests", "Requests to the backend.", ["backend", "operation", "outcome"], registry=one
        )
        self.backend_seconds = Histogram(
            "triaged_backend_request_duration_seconds",
            "Duration of requests to the backend.",
            ["backend", "operation", "outcome"],
            registry=one,
            buckets=BOUNDS,
        )
        self.rate_limit_remaining = Gauge(
            "triaged_backend_rate_limit_remaining", "Requests left in the backend's window.", ["backend"], registry=one
        )
        self.notifications = Counter(
            "triaged_notifications",
            "Messages to people: sent, attempts that failed, given up, overtaken by the end.",
            ["channel", "outcome"],
            registry=one,
        )
        self.evidence = Counter(
            "triaged_evidence_pieces",
            "Pieces of evidence that were asked of others: charts of Prometheus, changes of GitHub.",
            ["piece", "outcome"],
            registry=one,
        )
        self.errors = Counter(
            "triaged_errors", "Bugs caught at an edge; the log has the traceback.", ["where"], registry=one
        )
        self.rules = Gauge("triaged_rules_info", "The rule set in force.", ["hash"], registry=one)
        self.reloaded = Gauge(
            "triaged_config_last_reload_successful", "Whether the last load of the rules was.", registry=one
        )
        self.reloaded_at = Gauge(
            "triaged_config_last_reload_success_timestamp_seconds",
            "When rules were last loaded successfully.",
            registry=one,
        )
        build = Gauge("triaged_build_info", "The release.", ["version"], registry=one)
        build.labels(version=__version__).set(1)

    def expect(self, sources: Iterable[str]) -> None:
        """Export the metrics of these sources from 0."""
        for source in sources:
            self._ingest.took.setdefault(source, Durations())
            for status in _STATUSES:
                self.received.labels(source, status)
                self.duplicates.labels(source, status)

    def count(self, tally: Tally) -> None:
        """Add what the door counted. Not thread-safe with itself: the door has one line."""
        for (source, status), number in tally.repeats.items():
            self.received.labels(source, status).inc(number)
            self.duplicates.labels(source, status).inc(number)
        for source, durations in tally.took.items():
            self._ingest.took.setdefault(source, Durations()).add(durations)
        if tally.bugs:
            self.errors.labels("ingest").inc(tally.bugs)


class _Ingest(Collector):
    """How long the door took, by source: prometheus_client has no histogram that others have counted."""

    def __init__(self) -> None:
        self.took: dict[str, Durations] = {}

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(
            "triaged_ingest_duration_seconds", "From the whole request to its answer.", labels=["source"]
        )
        bounds = [*map(str, BOUNDS), "+Inf"]
        for source, durations in sorted(self.took.items()):
            cumulative = accumulate(durations.buckets)
            buckets = list(zip(bounds, cumulative, strict=True))
            family.add_metric([source], buckets, durations.seconds)
        yield family
