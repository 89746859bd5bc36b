"""Conditions under which an incident that grows becomes graver, as values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Struct, field

from triaged.core.model import Impact, Urgency

VERSION: Final = "v1"


class Refires(Struct, frozen=True, kw_only=True):
    """So many firings again within a span."""

    count: int
    within: timedelta


class Growth(Struct, frozen=True, kw_only=True):
    """What must be true of an incident's firing alerts that match `rule`, and what impact or urgency it then has.

    `ref` names it in stores, wherever it stands in the rules (see `reference`). `alerts`, `firing_for`, `distinct`
    (label → different values) and `refires` are minimums; all that are given must hold.
    """

    ref: str
    rule: str
    alerts: int | None = None
    firing_for: timedelta | None = None
    distinct: Mapping[str, int] = field(default_factory=dict)
    refires: Refires | None = None
    impact: Impact | None = None
    urgency: Urgency | None = None
    because: str = ""


def reference(growth: Growth) -> str:
    """`rule#v1:digest` of what the condition asks and sets: entries around it and its own `because` may change.

    Stores keep it: another form is another VERSION, and a migration.
    """
    form = msgspec.json.encode([*_asked(growth)])
    return f"{growth.rule}#{VERSION}:{blake2b(form, digest_size=8).hexdigest()}"


def _asked(growth: Growth) -> Iterator[tuple[str, str | int]]:
    if growth.alerts is not None:
        yield "alerts", growth.alerts
    for label, wanted in sorted(growth.distinct.items()):
        yield f"distinct {label}", wanted
    if growth.firing_for is not None:
        yield "firing_for", growth.firing_for // timedelta(seconds=1)
    if growth.refires is not None:
        yield "refires", growth.refires.count
        yield "within", growth.refires.within // timedelta(seconds=1)
    if growth.impact is not None:
        yield "impact", growth.impact.value
    if growth.urgency is not None:
        yield "urgency", growth.urgency.value
