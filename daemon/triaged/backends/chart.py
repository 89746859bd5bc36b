"""A chart as Mermaid, which GitHub draws, with a legend below it; nothing in it but numbers and words of ours.

https://mermaid.js.org/syntax/xyChart.html and
https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/creating-diagrams
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Final

from triaged.backends.text import NOTHING, code
from triaged.core import wording
from triaged.core.charts import MOST_LINES, Chart, Line, names, number

# Mermaid has no legend of its own: these are the colours of the squares that stand there for it.
COLOURS: Final = ("#3b88c3", "#f4900c", "#78b159", "#dd2e44", "#aa8ed6")
SQUARES: Final = ("🟦", "🟧", "🟩", "🟥", "🟪")
_BOUND: Final = "#8b949e", "⬜"
_MOST_LABELS: Final = 5
_LARGEST: Final = 1e5
_SMALLEST: Final = 1e-3
_MINUTE: Final = timedelta(minutes=1)


def chart(drawn: Chart) -> str:
    """The drawing in its fence, and the legend: which colour is which series, and its value at the end."""
    return f"```mermaid\n{mermaid(drawn)}\n```\n\n{legend(drawn)}"


def mermaid(drawn: Chart) -> str:
    """The drawing in Mermaid's own words: a line has a number for each point, 0 where there was none."""
    power = _power(drawn)
    lines = [[_scaled(value, power) for value in line.points] for line in drawn.lines[:MOST_LINES]]
    colours = [*COLOURS[: len(lines)]]
    if drawn.sign:
        lines.append([_scaled(drawn.bound, power)] * len(drawn.lines[0].points))
        colours.append(_BOUND[0])
    known = [value for line in lines for value in line if value is not None]
    low, high = min(0.0, *known), max(0.0, *known)
    # An axis needs two ends, and a line at its very top is hard to see.
    high = high + (high - low) * 0.05 if high > low else low + 1.0
    step = timedelta(seconds=drawn.step_seconds)
    minutes = (len(lines[0]) - 1) * (step // _MINUTE)
    unit = f"× 10^{power}" if power else "value"
    until = wording.instant(drawn.ends_at)
    return "\n".join(
        [
            f'%%{{init: {{"themeVariables": {{"xyChart": {{"plotColorPalette": "{", ".join(colours)}"}}}}}}}}%%',
            "xychart-beta",
            f'    x-axis "minutes until {until}" {-minutes} --> 0',
            f'    y-axis "{unit}" {_plain(low)} --> {_plain(high)}',
            *(f"    line [{', '.join(_plain(0.0 if value is None else value) for value in line)}]" for line in lines),
        ]
    )


def legend(drawn: Chart) -> str:
    """A line for each series of the drawing."""
    told = [*_lines(drawn)]
    if drawn.sign:
        told.append(f"{_BOUND[1]} it fires at {code(f'{drawn.sign} {number(drawn.bound)}')}")
    if drawn.left_out:
        told.append(f"… and {drawn.left_out:,} more series")
    return "\\\n".join(told)


def _lines(drawn: Chart) -> Iterator[str]:
    for square, line, labels in zip(SQUARES, drawn.lines, names(drawn), strict=False):
        shown = [f"{name}={value}" for name, value in labels.items()]
        pairs = wording.listing([code(pair, most=80) for pair in shown], most=_MOST_LABELS).replace(", ", " ")
        yield f"{square} {pairs or code(drawn.query, most=80)}: {_now(line)}"


def _now(line: Line) -> str:
    value = NOTHING if line.last is None else f"**{number(line.last)}**"
    missing = sum(one is None for one in line.points)
    gaps = f" (no value at {missing} of {len(line.points)} points)" if missing else ""
    return f"{value}{gaps}"


def _power(drawn: Chart) -> int:
    """The power of ten that the axis is in, 0 where its numbers are handy as they are."""
    values = [abs(value) for line in drawn.lines for value in line.points if value]
    largest = max([*values, abs(drawn.bound) if drawn.sign else 0.0], default=0.0)
    if largest == 0.0 or _SMALLEST <= largest < _LARGEST:
        return 0
    return 3 * math.floor(math.log10(largest) / 3)


def _scaled(value: float | None, power: int) -> float | None:
    return None if value is None else float(Decimal(repr(value)).scaleb(-power))


def _plain(value: float) -> str:
    """A number as Mermaid reads it: without an exponent."""
    return format(Decimal(f"{value:.4g}"), "f") if abs(value) >= 1e-6 else "0"
