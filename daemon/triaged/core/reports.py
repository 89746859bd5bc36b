"""What a person reports, as an alert: rules judge it, and it joins what is open by its key, like any other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Struct

from triaged.core.keys import digest, fingerprint
from triaged.core.model import Alert, AlertStatus, Category, Impact, Urgency

SOURCE: Final = "people"
"""Whose alerts people's reports are. Nobody sends their end: a person's resolve or close is it."""
IDENTITY: Final = "report"
"""The label that tells one report from another."""
MOST_LINKS: Final = 5
_STILL: Final = "0001-01-01T00:00:00Z"


class Report(Struct, frozen=True, kw_only=True):
    """What a person says of a problem; what is empty was not said.

    `key` is the client's own name for this report, by which a second request of the same client is known again.
    `users` is how many notice it, in the words of the service catalogue.
    """

    key: str
    by: str
    summary: str
    service: str = ""
    category: Category | None = None
    impact: Impact | None = None
    urgency: Urgency | None = None
    users: str = ""
    functions: tuple[str, ...] = ()
    symptoms: str = ""
    links: tuple[str, ...] = ()
    started_at: datetime | None = None


class Filed(Struct, frozen=True, kw_only=True):
    """What an issue of people says; what is empty or None was not said, or is none of the words that there are.

    `started_at` is aware UTC, never later than the issue's opening. All texts are bounded, `symptoms` may have several
    lines, and all are text of others.
    """

    summary: str = ""
    impact: Impact | None = None
    urgency: Urgency | None = None
    category: Category | None = None
    services: tuple[str, ...] = ()
    symptoms: str = ""
    started_at: datetime | None = None


class Reported(Struct, frozen=True, kw_only=True):
    """Who reported what, as the timeline tells it."""

    by: str
    text: str


def alert_of(report: Report) -> Alert:
    """The report as an alert that fires, in the form in which alerts of every source are kept.

    Labels are what rules judge by. The summary stands for the alert's name: it is what people will call the incident.
    """
    identity = {IDENTITY: digest([report.by, report.key])[:16]}
    said = {
        "alertname": report.summary,
        "service": report.service,
        "category": report.category or "",
        "impact": report.impact or "",
        "urgency": report.urgency or "",
        "users": report.users,
        "functions": ",".join(report.functions),
    }
    labels = {**{name: str(text) for name, text in said.items() if text}, **identity}
    notes = {"summary": _sentence(report.summary), "description": report.symptoms, "reported_by": report.by}
    notes |= {_link(number): url for number, url in enumerate(report.links[:MOST_LINKS], 1)}
    annotations = {name: text for name, text in notes.items() if text}
    raw = msgspec.json.encode(
        {
            "status": AlertStatus.FIRING,
            "labels": labels,
            "annotations": annotations,
            "startsAt": _STILL if report.started_at is None else report.started_at.isoformat(),
            "endsAt": _STILL,
            "triagedIdentity": [IDENTITY],
        }
    )
    return Alert(
        fingerprint=fingerprint(SOURCE, identity),
        source=SOURCE,
        status=AlertStatus.FIRING,
        labels=labels,
        annotations=annotations,
        starts_at=report.started_at,
        ends_at=None,
        generator_url="",
        digest=blake2b(raw, digest_size=16, key=SOURCE.encode()).digest(),
        raw=raw,
    )


def reported(alert: Alert) -> Reported | None:
    """What the timeline tells of a report; None of an alert that is none."""
    if alert.source != SOURCE:
        return None
    by = alert.annotations.get("reported_by", "somebody")
    return Reported(by=by, text=f"reported by {by}: {'. '.join(_said(alert))}")


def references(annotations: Mapping[str, str]) -> list[str]:
    """Where a report says that more is to be seen."""
    return [annotations[name] for name in map(_link, range(1, MOST_LINKS + 1)) if name in annotations]


def _said(alert: Alert) -> Iterator[str]:
    labels, notes = alert.labels, alert.annotations
    yield labels.get("alertname", "").rstrip(".")
    told = (
        ("symptoms", notes.get("description", "")),
        ("affected", ", ".join(filter(None, (labels.get("service", ""), labels.get("functions", ""))))),
        ("users", labels.get("users", "")),
        ("impact", labels.get("impact", "")),
        ("urgency", labels.get("urgency", "")),
        ("see", " ".join(references(notes))),
    )
    for name, text in told:
        if text:
            yield f"{name}: {text.rstrip('.')}"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _link(number: int) -> str:
    return "reference_url" if number == 1 else f"reference_{number}_url"
