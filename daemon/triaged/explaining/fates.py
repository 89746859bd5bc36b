"""What became of alerts in the past: the recorded ones that have some labels, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct

from triaged.core.model import Alert, Incident
from triaged.errors import PayloadError
from triaged.ports.store import AlertRecord, Fate
from triaged.sources import alertmanager
from triaged.store import evidence
from triaged.store.reading import Reader

MOST_SEARCHED: Final = 100_000


class Fated(Struct, frozen=True, kw_only=True):
    """One recorded alert; `alert` is None where it could not be read, `incident` is as it is now."""

    record: AlertRecord
    alert: Alert | None
    incident: Incident | None


class Found(Struct, frozen=True, kw_only=True):
    """The newest recorded alerts that were asked for, how many records were searched, back to when."""

    fates: tuple[Fated, ...]
    searched: int
    back_to: datetime | None


def fates(reader: Reader, labels: Mapping[str, str], *, most: int) -> Found:
    """At most so many recorded alerts with all these labels, among the newest MOST_SEARCHED records.

    An alert that could not be read is found by the values in its text. Repeats leave no record.
    """
    found: list[Fated] = []
    searched, back_to = 0, None
    for record in evidence.recorded(reader, MOST_SEARCHED):
        searched, back_to = searched + 1, record.received_at
        alert = reread(record)
        if not _matches(record, alert, labels):
            continue
        row = None if record.incident_id is None else reader.incident(record.incident_id)
        found.append(Fated(record=record, alert=alert, incident=row.incident if row else None))
        if len(found) == most:
            break
    return Found(fates=tuple(found), searched=searched, back_to=back_to)


def reread(record: AlertRecord) -> Alert | None:
    """The recorded alert, read again from its raw text, which is Alertmanager's of all sources; None: unreadable."""
    try:
        alerts = alertmanager.read(record.source, alertmanager.kept([record.raw])).alerts
    except PayloadError:
        return None
    return alerts[0] if alerts else None


def _matches(record: AlertRecord, alert: Alert | None, labels: Mapping[str, str]) -> bool:
    if alert is not None:
        return all(alert.labels.get(name, "") == value for name, value in labels.items())
    return record.fate is Fate.REJECTED and all(value.encode() in record.raw for value in labels.values())
