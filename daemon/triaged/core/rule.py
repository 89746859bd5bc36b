"""One rule: its conditions on an alert, and what it sets where they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

from triaged.core import wording
from triaged.core.catalogue import asks
from triaged.core.growth import Growth
from triaged.core.matchers import Matcher
from triaged.core.model import Alert, Category, Impact, Severity, Urgency


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a rule looks at: the alert, its service with the facts of it, the instant, which calendars are open then."""

    alert: Alert
    service: str
    facts: Mapping[str, tuple[str, ...]]
    now: datetime
    open: Mapping[str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: conditions that must all hold, and what it sets where they do; None sets nothing.

    `until` is the first instant at which the rule has ended; `during` and `outside` name calendars.
    """

    name: str
    match: tuple[Matcher, ...] = ()
    annotations: tuple[Matcher, ...] = ()
    source: tuple[Matcher, ...] = ()
    service: tuple[Matcher, ...] = ()
    until: datetime | None = None
    during: str | None = None
    outside: str | None = None
    impact: Impact | None = None
    urgency: Urgency | None = None
    at_most: Severity | None = None
    category: Category | None = None
    key: tuple[str, ...] | None = None
    team: str | None = None
    repository: str | None = None
    delay: timedelta | None = None
    close: Literal["person", "daemon"] | None = None
    labels: tuple[str, ...] = ()
    restricted: bool | None = None
    stop: bool = False
    drop: str | None = None
    because: str = ""
    grows: tuple[Growth, ...] = ()

    def failing(self, seen: Seen) -> tuple[str, str] | None:
        """The first condition that does not hold and the value that it saw; None when all hold."""
        if self.until is not None and seen.now >= self.until:
            return f"until {self.until - timedelta(days=1):%Y-%m-%d}", f"{seen.now:%Y-%m-%d}"
        labels = seen.alert.labels
        for matcher in self.match:
            saw = labels.get(matcher.name, "")
            if not matcher.matches(saw):
                return matcher.text, saw
        if self.service:
            for matcher in self.service:
                values = seen.facts[matcher.name]
                if not asks(matcher, values):
                    return f"service {matcher.text}", ", ".join(values)
        return self._failing_rarer(seen)

    def _failing_rarer(self, seen: Seen) -> tuple[str, str] | None:
        for matcher in self.source:
            if not matcher.matches(seen.alert.source):
                return f"source {matcher.text}", seen.alert.source
        for matcher in self.annotations:
            saw = seen.alert.annotations.get(matcher.name, "")
            if not matcher.matches(saw):
                return f"annotation {matcher.text}", saw
        if self.during is not None and not seen.open[self.during]:
            return f"during {self.during}", "closed"
        if self.outside is not None and seen.open[self.outside]:
            return f"outside {self.outside}", "open"
        return None

    @property
    def ends(self) -> bool:
        """Whether no later rule counts where this one matches."""
        return self.stop or self.drop is not None

    def growths(self) -> Iterator[tuple[str, Growth]]:
        """The growth conditions in their order, each with what people call it: `rule#0` is the first."""
        return ((f"{self.name}#{n}", growth) for n, growth in enumerate(self.grows))

    def sets(self) -> Mapping[str, str]:
        """What the rule sets, in words, by the name of the rule's own field."""
        words = {
            "impact": self.impact,
            "urgency": self.urgency,
            "at_most": self.at_most,
            "category": self.category,
            "key": None if self.key is None else ", ".join(self.key),
            "team": self.team,
            "repository": self.repository,
            "delay": None if self.delay is None else wording.span(self.delay),
            "close": self.close,
            "labels": ", ".join(self.labels) or None,
            "restricted": None if self.restricted is None else str(self.restricted).lower(),
            "stop": "true" if self.stop else None,
            "drop": self.drop,
        }
        return MappingProxyType({name: str(word) for name, word in words.items() if word is not None})
