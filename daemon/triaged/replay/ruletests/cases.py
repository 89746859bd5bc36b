"""A test of rules as values: what fires and ends when, what people do, and what is expected then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from triaged.core.events import Act

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something stands in a file; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """An alert that fires; without `starts_at` it began when it was last silent, at the latest now."""

    labels: Labels
    annotations: Labels
    source: str
    starts_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire:
    """Alerts of one notification."""

    firings: tuple[Firing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A body that a mapped source sends, as JSON."""

    source: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolve:
    """What fires and has one of these sets of labels among its own ends now; the empty set is among all."""

    among: tuple[Labels, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Do:
    """A person acts on the incident that the step is about; `into` says by labels what it is merged into."""

    act: Act
    into: Labels | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """What health queries say from now on, by the query as the catalogue has it; None is no value."""

    values: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """One thing that is expected, by its name in the file; `value` as its expectation reads it."""

    name: str
    value: object
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What happens at an instant, and what is expected after it; `of` says by labels which incident is meant."""

    at: datetime
    place: Place
    does: Fire | Post | Resolve | Do | Says | None = None
    of: Labels | None = None
    wants: tuple[Want, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test: its steps in a world of its own, which begins at `start` (aware)."""

    name: str
    place: Place
    start: datetime
    steps: tuple[Step, ...]
