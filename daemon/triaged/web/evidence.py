"""Evidence over the API and on an incident's page, where a chart is a small drawing of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel

from triaged.core import charts, evidence, wording
from triaged.core.changes import ChangeKind
from triaged.core.charts import Chart
from triaged.core.evidence import Evidence, Rarity
from triaged.core.model import Severity
from triaged.web.views import web_url

WIDTH: Final = 600
HEIGHT: Final = 120
_MARGIN: Final = 4


class Frequency(BaseModel):
    """How often incidents of the same key opened, the present one among them; `last_at` is when the one before did."""

    rarity: Rarity
    in_30_days: int
    in_90_days: int
    last_at: datetime | None


class SeriesShown(BaseModel):
    """One series of a chart: a value for each step, null where it had none."""

    labels: Mapping[str, str]
    points: list[float | None]


class Charted(BaseModel):
    """What an alert's query said, from `begins_at` on, one value each `step_seconds`.

    It fires where `sign` and `bound` hold; both are null where the query is no comparison with a number.
    """

    query: str
    begins_at: datetime
    step_seconds: int
    series: list[SeriesShown]
    left_out: int
    sign: str | None
    bound: float | None


class LinkShown(BaseModel):
    """A link of the catalogue with the time window filled in."""

    name: str
    url: str


class ChangeShown(BaseModel):
    """A recent change of the service's code; `before` is the version before it, `where` the environment."""

    kind: ChangeKind
    repository: str
    at: datetime
    ref: str
    title: str
    by: str
    url: str
    before: str
    where: str


class NeighbourShown(BaseModel):
    """An open incident of a service that this one needs, or (`depends`) that needs it."""

    id: str
    title: str
    service: str
    severity: Severity
    opened_at: datetime
    depends: bool


class SimilarShown(BaseModel):
    """A past incident of the same key (`same`), or of the same service and category, and what solved it."""

    id: str
    title: str
    opened_at: datetime
    took_seconds: int | None
    root_cause: str
    fix: str
    same: bool
    issue: str


class EvidenceShown(BaseModel):
    """What was found about an incident at `at`; `failures` say what could not be found, and why."""

    at: datetime
    round: int
    seen: Frequency
    charts: list[Charted]
    links: list[LinkShown]
    changes: list[ChangeShown]
    changes_found: int
    around: list[NeighbourShown]
    similar: list[SimilarShown]
    failures: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """A series as it is drawn: its pieces between gaps, as SVG's points, and what the legend says of it."""

    pieces: Sequence[str]
    labels: Sequence[tuple[str, str]]
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A chart for the page; `bound_y` is where the line lies at which it fires, None without one."""

    chart: Chart
    strokes: Sequence[Stroke]
    low: str
    high: str
    bound_y: float | None
    fires_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidencePage:
    """Evidence as the page shows it: only links that a browser may follow; `took` is how long similar ones took."""

    found: Evidence
    frequency: str
    drawings: Sequence[Drawing]
    links: Sequence[tuple[str, str]]
    took: Mapping[int, str]


def answered(found: Evidence | None) -> dict[str, object] | None:
    """The evidence for the API."""
    if found is None:
        return None
    seen = found.seen
    frequency = {
        "rarity": seen.rarity,
        "in_30_days": seen.month + 1,
        "in_90_days": seen.quarter + 1,
        "last_at": seen.last_at,
    }
    return {
        "at": found.at,
        "round": found.round,
        "seen": frequency,
        "charts": [_charted(one) for one in found.charts],
        "links": [{"name": one.name, "url": one.url} for one in found.links],
        "changes": [{name: getattr(one, name) for name in ChangeShown.model_fields} for one in found.changes],
        "changes_found": found.changed,
        "around": [_with_id(one, NeighbourShown) for one in found.around],
        "similar": [{**_with_id(one, SimilarShown), "issue": one.url} for one in found.similar],
        "failures": [*found.failures],
    }


def on_page(found: Evidence | None) -> EvidencePage | None:
    """The evidence for the incident's page."""
    if found is None:
        return None
    return EvidencePage(
        found=found,
        frequency=evidence.frequency(found),
        drawings=[_drawing(one) for one in found.charts],
        links=[(one.name, one.url) for one in found.links if web_url(one.url)],
        took={
            one.incident_id: wording.span(timedelta(seconds=one.took_seconds))
            for one in found.similar
            if one.took_seconds is not None
        },
    )


def _charted(one: Chart) -> dict[str, object]:
    return {
        "query": one.query,
        "begins_at": one.begins_at,
        "step_seconds": one.step_seconds,
        "series": [{"labels": dict(line.labels), "points": [*line.points]} for line in one.lines],
        "left_out": one.left_out,
        "sign": one.sign or None,
        "bound": one.bound if one.sign else None,
    }


def _with_id(one: evidence.Neighbour | evidence.Similar, shape: type[BaseModel]) -> dict[str, object]:
    return {"id": one.name, **{name: getattr(one, name) for name in shape.model_fields if name not in ("id", "issue")}}


def _drawing(chart: Chart) -> Drawing:
    known = [value for line in chart.lines for value in line.points if value is not None]
    bound = [chart.bound] if chart.sign else []
    low, high = min(0.0, *known, *bound), max(0.0, *known, *bound)
    # By parts: the width of two finite ends may be infinite.
    scale = max(abs(low), abs(high)) or 1.0
    width = high / scale - low / scale or 1.0

    def y(value: float) -> float:
        share = (value / scale - low / scale) / width
        return round(HEIGHT - _MARGIN - share * (HEIGHT - 2 * _MARGIN), 1)

    strokes = [
        Stroke(
            pieces=[*_pieces(line.points, y)],
            labels=[*labels.items()],
            now="–" if line.last is None else charts.number(line.last),
        )
        for line, labels in zip(chart.lines, charts.names(chart), strict=True)
    ]
    return Drawing(
        chart=chart,
        strokes=strokes,
        low=charts.number(low),
        high=charts.number(high),
        bound_y=y(chart.bound) if chart.sign else None,
        fires_at=f"{chart.sign} {charts.number(chart.bound)}" if chart.sign else "",
    )


def _pieces(points: Sequence[float | None], y: Callable[[float], float]) -> Iterator[str]:
    """The runs of values between gaps; one that stands alone is a line as short as its step is wide."""
    step = WIDTH / max(1, len(points) - 1)
    run: list[str] = []
    for position, value in enumerate((*points, None)):
        if value is not None:
            run.append(f"{round(position * step, 1)},{y(value)}")
        elif run:
            if len(run) == 1:
                left, top = run[0].split(",")
                run.append(f"{float(left) + 2},{top}")
            yield " ".join(run)
            run = []
