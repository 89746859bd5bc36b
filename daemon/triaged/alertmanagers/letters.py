"""What an Alertmanager holds, in the form in which its webhook would have sent it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from triaged.alertmanagers.wire import HeldAlert

_STILL: Final = "0001-01-01T00:00:00Z"
_encode = msgspec.json.Encoder(order="sorted").encode


def firing(held: HeldAlert, name: str, starts_at: datetime | None = None) -> bytes:
    """An alert that Alertmanager `name` holds; `starts_at` where its startsAt is known better than to the ms."""
    starts = held.startsAt if starts_at is None else starts_at.isoformat()
    return _letter("firing", name, held.labels, held.annotations, (starts, _STILL, held.generatorURL))


def resolved(labels: Mapping[str, str], name: str, starts_at: datetime, ends_at: datetime) -> bytes:
    """An alert that is gone from Alertmanager `name`."""
    return _letter("resolved", name, labels, {}, (starts_at.isoformat(), ends_at.isoformat(), ""))


def _letter(
    status: str, name: str, labels: Mapping[str, str], annotations: Mapping[str, str], rest: tuple[str, str, str]
) -> bytes:
    starts, ends, url = rest
    return _encode(
        {
            "status": status,
            "labels": labels,
            "annotations": annotations,
            "startsAt": starts,
            "endsAt": ends,
            "generatorURL": url,
            "triagedFoundIn": name,
        }
    )
