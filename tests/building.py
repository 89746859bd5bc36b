"""Values of the domain with sensible defaults, for tests that care about one thing in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from triaged.backends.issue import render
from triaged.core.catalogue import Service, Users
from triaged.core.model import (
    Category,
    Entry,
    Episode,
    Impact,
    Incident,
    Key,
    Objective,
    Severity,
    State,
    TimelineEntry,
    Urgency,
    Verdict,
)
from triaged.core.rules import RuleSet
from triaged.core.sla import Policy
from triaged.ports.backend import Issue, Report
from triaged.rulefiles.folder import RuleFiles, load

START = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
RULES = Path(__file__).parents[1] / "rules"
LABELS = {"alertname": "HighErrorRate", "cluster": "eu-1", "namespace": "shop", "deployment": "checkout"}


def minutes(count: float) -> datetime:
    """So many minutes after START."""
    return START + timedelta(minutes=count)


def verdict(**changes: Any) -> Verdict:
    """That of a Sev-2 degradation of the checkout."""
    key = Key(digest="v1:0123456789abcdef", pairs=(("service", "checkout"), ("cluster", "eu-1")))
    built = Verdict(
        impact=Impact.SIGNIFICANT,
        urgency=Urgency.HIGH,
        severity=Severity.SEV2,
        category=Category.DEGRADATION,
        service="checkout",
        team="payments",
        key=key,
        matched=("revenue-degraded",),
        because=("Some purchases fail or take too long.",),
    )
    return replace(built, **changes)


def episode(**changes: Any) -> Episode:
    """A firing HighErrorRate of the checkout; `labels` and `annotations` replace those, `pod` is added to them."""
    number = changes.get("id", 1)
    pod = changes.pop("pod", "checkout-58f7-aaaaa")
    built = Episode(
        id=number,
        fingerprint=f"{number:032x}",
        source="alertmanager",
        incident_id=12,
        labels={**LABELS, "pod": pod},
        annotations={
            "summary": "7 % of checkout's requests fail.",
            "description": f"{pod} has answered 7 % of its requests with a 5xx for 2 minutes.",
            "runbook_url": "https://runbooks.example.com/checkout",
            "dashboard": "https://grafana.example.com/d/checkout",
        },
        generator_url="https://prometheus.example.com/graph?g0.expr=shop%3Aerror_ratio+%3E+0.01&g0.tab=1",
        starts_at=START,
        begun_at=minutes(1),
        ended_at=None,
        severity=Severity.SEV2,
        verdict="v",
        digest=b"d" * 16,
    )
    return replace(built, **changes)


def incident(**changes: Any) -> Incident:
    """INC-12, an open Sev-2 of the checkout with one firing alert, opened a minute after START."""
    built = Incident(
        id=12,
        state=State.OPEN,
        title="HighErrorRate · checkout · eu-1",
        key="v1:0123456789abcdef",
        source="alertmanager",
        service="checkout",
        team="payments",
        category=Category.DEGRADATION,
        impact=Impact.SIGNIFICANT,
        urgency=Urgency.HIGH,
        severity=Severity.SEV2,
        judged=Severity.SEV2,
        rule_set="rules",
        policy="policy",
        created_at=minutes(1),
        started_at=START,
        because=("Some purchases fail or take too long.",),
        matched=("revenue-degraded",),
        alerts=1,
        firing=1,
        round=1,
        opened_at=minutes(1),
        round_at=minutes(1),
        response_started_at=minutes(1),
        response_due_at=minutes(61),
        resolution_due_at=minutes(481),
    )
    return replace(built, **changes)


def entry(text: str, *, after: float = 1, **changes: Any) -> TimelineEntry:
    """A timeline entry of INC-12, so many minutes after START."""
    built = TimelineEntry(incident_id=12, at=minutes(after), entry=Entry.FIRED, by="triaged", text=text)
    return replace(built, **changes)


def service(**changes: Any) -> Service:
    """The checkout as the catalogue knows it."""
    values: dict[str, Any] = {
        "name": "checkout",
        "team": "payments",
        "tier": 1,
        "users": Users.MOST,
        "functions": ("payment",),
        "revenue": True,
        "runbook": "https://runbooks.example.com/checkout",
        "links": {"logs": "https://logs.example.com/checkout"},
    }
    return Service(**{**values, **changes})


TARGETS: Mapping[Objective, str] = {Objective.RESPONSE: "1h", Objective.RESOLUTION: "8h"}


def report(**changes: Any) -> Report:
    """All that INC-12's issue tells."""
    values: dict[str, Any] = {
        "incident": incident(),
        "episodes": (episode(),),
        "timeline": (entry("HighErrorRate fires since 2026-11-23 03:00 UTC"),),
        "targets": TARGETS,
        "service": service(),
        "public_url": "https://triaged.example.com",
    }
    incident_of = changes.get("incident", values["incident"])
    return Report(**{**values, "hidden": incident_of.restricted, **changes})


def issue(**changes: Any) -> Issue:
    """INC-12's issue as rendered; the changes are the incident's."""
    return render(report(incident=incident(**changes)))


@cache
def rule_files() -> RuleFiles:
    """The shipped rules."""
    return load(RULES)


def policy() -> Policy:
    """The shipped severities and calendars."""
    return rule_files().policy


def named(rules: RuleSet, references: Iterable[str]) -> tuple[str, ...]:
    """What people call the growth conditions of these references: `rule#0` is the first of a rule."""
    names = {growth.ref: name for rule in rules.rules for name, growth in rule.growths()}
    return tuple(names[ref] for ref in references)
