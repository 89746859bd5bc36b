"""A silence that a person asked for, as it is stored until it is over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from triaged.core.silences import Stage


class WantedSilence(Struct, frozen=True, kw_only=True):
    """`matchers` are labels that must be equal; `ref` is its id in the Alertmanager, "" until it is known.

    `operation` stands in its comment, drawn before it is first sent; `intended_at` is when that was. `due_at` is when
    there is something to do, `claimed_until` until when somebody does it; `failure` is what came of it last.
    """

    id: int
    incident_id: int
    source: str
    matchers: Mapping[str, str]
    by: str
    reason: str
    asked_at: datetime
    ends_at: datetime
    stage: Stage
    due_at: datetime
    ref: str = ""
    operation: str = ""
    intended_at: datetime | None = None
    claimed_until: datetime | None = None
    attempts: int = 0
    failure: str = ""
