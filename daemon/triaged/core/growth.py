"""Conditions under which an incident that grows becomes graver, as values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from msgspec import Struct, field

from triaged.core.model import Impact, Urgency


class Refires(Struct, frozen=True, kw_only=True):
    """So many firings again within a span."""

    count: int
    within: timedelta


class Growth(Struct, frozen=True, kw_only=True):
    """What must be true of an incident's firing alerts that match `rule`, and what impact or urgency it then has.

    `ref` (`rule#index`) names it in stores and traces. `alerts`, `firing_for`, `distinct` (label → different values)
    and `refires` are minimums; all that are given must hold.
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
