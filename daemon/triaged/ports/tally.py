"""What the door counts by itself, until it tells the daemon."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from msgspec import Struct, field

BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds, in seconds, of the buckets of a duration."""


class Durations(Struct, kw_only=True):
    """A histogram: observations by bucket, the last one above all bounds, and the sum of their seconds."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0

    def observe(self, seconds: float) -> None:
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def add(self, other: Durations) -> None:
        self.buckets = [mine + theirs for mine, theirs in zip(self.buckets, other.buckets, strict=True)]
        self.seconds += other.seconds


class Tally(Struct, kw_only=True):
    """Alerts that were known, by source and status; how long requests took, by source; bugs that were caught."""

    repeats: dict[tuple[str, str], int] = field(default_factory=dict)
    took: dict[str, Durations] = field(default_factory=dict)
    bugs: int = 0

    def repeated(self, source: str, status: str, number: int) -> None:
        key = (source, status)
        self.repeats[key] = self.repeats.get(key, 0) + number

    def observe(self, source: str, seconds: float) -> None:
        durations = self.took.get(source)
        if durations is None:
            durations = self.took[source] = Durations()
        durations.observe(seconds)
