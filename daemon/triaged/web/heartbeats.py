"""Heartbeats over HTTP: heard by a request, listed with what is missing, and as metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Security
from fastapi.security import HTTPBearer
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from pydantic import AfterValidator, BaseModel, Field

from triaged.core import wording
from triaged.core.heartbeats import Beat, Heartbeat, due_at, of_values
from triaged.errors import NotFoundError, PayloadError, StoreError
from triaged.intake.units import Heard
from triaged.sources.limits import LONGEST_NAME, LONGEST_VALUE, MOST_LABELS
from triaged.store import heartbeats
from triaged.store.reading import Reader
from triaged.web import answers
from triaged.web.desk import Desk, TheDesk
from triaged.web.fields import Flag, Strict

PREFIX: Final = "/api/v1/heartbeats"

_bearer = HTTPBearer(auto_error=False, description="A token of any source, or an API token with the role act.")
router: Final = APIRouter(
    prefix=PREFIX,
    tags=["heartbeats"],
    responses={"default": {"model": answers.Error, "description": "Refused: what was expected, and what came."}},
)


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("expected text without NUL characters")
    return text


_LabelName = Annotated[str, Field(max_length=LONGEST_NAME), AfterValidator(_without_nul)]
_LabelValue = Annotated[str, Field(max_length=LONGEST_VALUE), AfterValidator(_without_nul)]


class Pulse(Strict):
    """What a sender may say beside being alive."""

    labels: Annotated[dict[_LabelName, _LabelValue], Field(max_length=MOST_LABELS)] = Field(
        default={}, description="Which series it is, where the heartbeat has `by`; others are not looked at."
    )
    failed: Flag = Field(default=False, description="The work was tried and failed: it is missing at once.")


class Series(BaseModel):
    """One sender of a heartbeat: `missing` since `missed_at`, else due again at `due_at`."""

    labels: dict[str, str]
    seen_at: datetime | None
    due_at: datetime | None
    missed_at: datetime | None
    failed: bool


class Listed(BaseModel):
    """A heartbeat of the rules; without series it was never heard, and is not waited for."""

    name: str
    every_seconds: float
    grace_seconds: float
    by: list[str]
    missing: int
    series: list[Series]


class Heartbeats(BaseModel):
    """All heartbeats in the order of the rules."""

    heartbeats: list[Listed]


@router.get("")
def list_heartbeats(desk: TheDesk) -> Heartbeats:
    """What must keep arriving, when it was heard, and what is missing."""
    with desk.store.read() as reader:
        beats = heartbeats.read(reader.connection)
    return Heartbeats(heartbeats=[_listed(one, beats) for one in desk.rules().rule_set.heartbeats])


@router.post("/{name}", dependencies=[Security(_bearer)])
def hear(name: str, desk: TheDesk, body: Pulse | None = None) -> Series:
    """Say that it is alive, or that it has failed. 200 comes after the commit."""
    pulse = body or Pulse()
    answer = desk.ask(Heard(name=name, labels=pulse.labels, failed=pulse.failed))
    if answer.status == 404:
        raise NotFoundError(answer.error)
    if answer.status == 503:
        raise StoreError(answer.error)
    if answer.status != 200:
        raise PayloadError(answer.error, status=answer.status)
    heartbeat = next((one for one in desk.rules().rule_set.heartbeats if one.name == name), None)
    return _series(answer.value, heartbeat)


def gauges(expected: Iterable[Heartbeat], beats: Iterable[Beat]) -> Iterator[Metric]:
    """Of each heartbeat of the rules the oldest series' last sign, absent before any, and how many are missing."""
    seen = GaugeMetricFamily(
        "triaged_heartbeat_last_seen_timestamp_seconds",
        "When a heartbeat was heard last; of several senders the one that is silent longest.",
        labels=["name"],
    )
    overdue = GaugeMetricFamily("triaged_heartbeat_overdue", "How many senders are missing.", labels=["name"])
    listed = [*beats]
    for heartbeat in expected:
        own = [beat for beat in listed if beat.name == heartbeat.name]
        if heard := [beat.seen_at for beat in own if beat.seen_at is not None]:
            seen.add_metric([heartbeat.name], min(heard).timestamp())
        overdue.add_metric([heartbeat.name], sum(beat.missed_at is not None for beat in own))
    yield seen
    yield overdue


def on_board(desk: Desk, reader: Reader, now: datetime, *, most: int) -> list[tuple[str, str, bool]]:
    """Each series' name, how it is in words, and whether it is as it should be; what is missing first."""
    expected = desk.rules().rule_set.heartbeats
    if not expected:
        return []
    beats = heartbeats.read(reader.connection)
    rows = []
    for heartbeat in expected:
        own = [beat for beat in beats if beat.name == heartbeat.name]
        rows += [(f"{beat.name}{of_values(beat.labels)}", _words(beat, heartbeat, now), _is_well(beat)) for beat in own]
        if not own:
            rows.append((heartbeat.name, "never heard, and not waited for yet", True))
    return sorted(rows, key=lambda row: row[2])[:most]


def _is_well(beat: Beat) -> bool:
    return beat.missed_at is None


def _words(beat: Beat, heartbeat: Heartbeat, now: datetime) -> str:
    heard = f"heard {wording.span(now - beat.seen_at)} ago" if beat.seen_at else "never heard"
    if beat.missed_at is not None:
        why = "says that it failed" if beat.failed else "missing"
        return f"{why} since {wording.instant(beat.missed_at)}, {heard}"
    left = due_at(beat, heartbeat) - now
    return f"{heard}, due within {wording.span(left)}" if left.total_seconds() > 0 else f"{heard}, due now"


def _listed(heartbeat: Heartbeat, beats: Iterable[Beat]) -> Listed:
    series = [_series(beat, heartbeat) for beat in beats if beat.name == heartbeat.name]
    return Listed(
        name=heartbeat.name,
        every_seconds=heartbeat.every.total_seconds(),
        grace_seconds=heartbeat.grace.total_seconds(),
        by=[*heartbeat.by],
        missing=sum(one.missed_at is not None for one in series),
        series=series,
    )


def _series(beat: Beat, heartbeat: Heartbeat | None) -> Series:
    waits = heartbeat is not None and beat.missed_at is None
    return Series(
        labels=dict(beat.labels),
        seen_at=beat.seen_at,
        due_at=due_at(beat, heartbeat) if waits and heartbeat is not None else None,
        missed_at=beat.missed_at,
        failed=beat.failed,
    )
