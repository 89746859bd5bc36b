"""A storm: incidents open faster than people can read. It is an incident itself, that of an alert of our own."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from typing import Final

from triaged.core import wording
from triaged.core.keys import VERSION, digest, fingerprint
from triaged.core.model import Alert, AlertStatus, Category, Key, Verdict
from triaged.core.rules import Defaults, Storm

SOURCE: Final = "triaged"
NAME: Final = "IncidentStorm"
LABELS: Final = {"alertname": NAME}
FINGERPRINT: Final = fingerprint(SOURCE, LABELS)
KEY: Final = Key(
    digest=f"{VERSION}:{digest(['alertname', NAME, 'source', SOURCE])}", pairs=(("source", SOURCE), ("alertname", NAME))
)


def begins(storm: Storm, now: datetime) -> Alert:
    """The alert of a storm that begins now."""
    return _alert(AlertStatus.FIRING, now, _summary(storm))


def ends(now: datetime) -> Alert:
    """The same alert, resolved."""
    return _alert(AlertStatus.RESOLVED, now, "")


def verdict(storm: Storm, default: Defaults) -> Verdict:
    """What is said of it without asking a rule: triage.yaml gives its severity."""
    return Verdict(
        impact=default.impact,
        urgency=default.urgency,
        severity=storm.severity,
        category=Category.DEGRADATION,
        service="",
        team=default.team,
        key=KEY,
        matched=("storm",),
        because=(_summary(storm),),
    )


def _alert(status: AlertStatus, now: datetime, summary: str) -> Alert:
    """Nobody sent it, so there are no bytes of it; the instant tells one storm's text from another's."""
    return Alert(
        fingerprint=FINGERPRINT,
        source=SOURCE,
        status=status,
        labels=LABELS,
        annotations={"summary": summary},
        starts_at=now if status is AlertStatus.FIRING else None,
        ends_at=None,
        generator_url="",
        digest=blake2b(f"{status} {now.isoformat()}".encode(), digest_size=16, key=SOURCE.encode()).digest(),
        raw=b"",
    )


def _summary(storm: Storm) -> str:
    return f"At least {storm.opened:,} incidents opened within {wording.span(storm.within)}."
