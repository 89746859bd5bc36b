"""What an alert's query said over some hours: few series with few points each, as a value that can be drawn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

MOST_LINES: Final = 5
POINTS: Final = 60
LONGEST_QUERY: Final = 2_000
LONGEST_LABEL: Final = 200
_MOST_LABELS: Final = 30
_SHORTEST: Final = timedelta(hours=3)
_BEFORE: Final = timedelta(hours=1)
_LONGEST: Final = timedelta(hours=24)
_MINUTE: Final = timedelta(minutes=1)
_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_GAP: Final = "·"
_SPARKS: Final = 30

Points = Sequence[tuple[datetime, float]]


class Line(Struct, frozen=True, kw_only=True):
    """One series: a value for each step, None where it has none that is a number."""

    labels: Mapping[str, str]
    points: tuple[float | None, ...]

    @property
    def last(self) -> float | None:
        """Its newest value, None where it has ended."""
        return self.points[-1] if self.points else None


class Chart(Struct, frozen=True, kw_only=True):
    """Some series of a query, the ones that fire first, and how many more it has.

    `sign` and `bound` are what the alert compares with, "" where its query is no comparison with a number.
    """

    query: str
    begins_at: datetime
    step_seconds: int
    lines: tuple[Line, ...]
    left_out: int = 0
    sign: str = ""
    bound: float = 0.0

    @property
    def ends_at(self) -> datetime:
        steps = max(len(line.points) for line in self.lines) - 1
        return self.begins_at + steps * timedelta(seconds=self.step_seconds)


class Stretch(Struct, frozen=True, kw_only=True):
    """The hours that a chart shows: its ends, and the step between two points, whole minutes."""

    begins_at: datetime
    ends_at: datetime
    step: timedelta


def query_of(generator_url: str) -> str:
    """The query in the link that Prometheus gives its alerts (`…/graph?g0.expr=…`), "" where there is none to ask."""
    try:
        found = parse_qs(urlsplit(generator_url).query, max_num_fields=50).get("g0.expr", [""])[0].strip()
    except ValueError:
        return ""
    return found if len(found) <= LONGEST_QUERY and "\0" not in found else ""


def stretch(started_at: datetime, now: datetime) -> Stretch:
    """What is worth seeing of one that began then: from an hour before it, at least three hours, at most a day."""
    whole = min(max(now - started_at + _BEFORE, _SHORTEST), _LONGEST)
    step = -(-whole // (POINTS * _MINUTE)) * _MINUTE
    return Stretch(begins_at=now - POINTS * step, ends_at=now, step=step)


def drawn(
    query: str,
    found: Iterable[tuple[Mapping[str, str], Points]],
    over: Stretch,
    *,
    firing: Sequence[Mapping[str, str]],
    compares: tuple[str, float] = ("", 0.0),
) -> Chart | None:
    """The chart of these series, None where none of them has a value.

    Those come first whose labels are those of an alert that fires, then those nearest to firing.
    """
    lines = [line for labels, points in found if (line := _line(labels, points, over)) is not None]
    if not lines:
        return None
    sign, bound = compares
    direction = 1 if sign.startswith("<") else -1

    def rank(line: Line) -> tuple[bool, float, list[tuple[str, str]]]:
        last = math.inf if line.last is None else direction * line.last
        return not _fires(line.labels, firing), last, sorted(line.labels.items())

    shown = sorted(lines, key=rank)[:MOST_LINES]
    return Chart(
        query=query,
        begins_at=over.begins_at,
        step_seconds=int(over.step.total_seconds()),
        lines=tuple(shown),
        left_out=len(lines) - len(shown),
        sign=sign,
        bound=bound,
    )


def names(chart: Chart) -> tuple[Mapping[str, str], ...]:
    """The labels that tell the lines apart, for each line; all of them where there is only one line."""
    if len(chart.lines) == 1:
        return (chart.lines[0].labels,)
    first, *others = (line.labels for line in chart.lines)
    common = {name for name, value in first.items() if all(labels.get(name) == value for labels in others)}
    return tuple({name: value for name, value in line.labels.items() if name not in common} for line in chart.lines)


def sparkline(line: Line) -> str:
    """The line as a row of blocks, from the smallest value to the largest; `·` where it has none."""
    size = max(1, -(-len(line.points) // _SPARKS))
    # The end is what counts: the first group may be smaller.
    first = len(line.points) % size or size
    groups = [line.points[:first], *(line.points[at : at + size] for at in range(first, len(line.points), size))]
    values = [max((one for one in group if one is not None), default=None) for group in groups]
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    width = high - low

    def block(value: float) -> str:
        share = (value - low) / width if width > 0 and math.isfinite(width) else 0.0
        return _BLOCKS[min(int(share * len(_BLOCKS)), len(_BLOCKS) - 1)]

    return "".join(_GAP if value is None else block(value) for value in values)


def number(value: float) -> str:
    """A value for people: four digits that count."""
    return f"{value:.4g}"


def _line(labels: Mapping[str, str], points: Points, over: Stretch) -> Line | None:
    values: list[float | None] = [None] * (POINTS + 1)
    for at, value in points:
        position = round((at - over.begins_at) / over.step)
        if 0 <= position <= POINTS and math.isfinite(value):
            # Six digits are more than anybody sees, and keep what is stored small.
            values[position] = float(f"{value:.6g}")
    if all(value is None for value in values):
        return None
    kept = sorted(labels.items())[:_MOST_LABELS]
    return Line(labels={name[:LONGEST_LABEL]: value[:LONGEST_LABEL] for name, value in kept}, points=tuple(values))


def _fires(labels: Mapping[str, str], firing: Sequence[Mapping[str, str]]) -> bool:
    own = {name: value for name, value in labels.items() if name != "__name__"}
    return bool(own) and any(all(alert.get(name) == value for name, value in own.items()) for alert in firing)
