"""The process metrics of triaged; their names and labels are an interface."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from triaged import __version__

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


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
        self.ingest = Histogram(
            "triaged_ingest_duration_seconds",
            "From the whole request to its answer.",
            ["source"],
            registry=one,
            buckets=_FAST,
        )
        self.backend_requests = Counter(
            "triaged_backend_requests", "Requests to the backend.", ["backend", "operation", "outcome"], registry=one
        )
        self.backend_seconds = Histogram(
            "triaged_backend_request_duration_seconds",
            "Duration of requests to the backend.",
            ["backend", "operation", "outcome"],
            registry=one,
            buckets=_FAST,
        )
        self.rate_limit_remaining = Gauge(
            "triaged_backend_rate_limit_remaining", "Requests left in the backend's window.", ["backend"], registry=one
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
