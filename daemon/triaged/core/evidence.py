"""Evidence: what was found about an incident, when it is worth looking (again), and what its counts mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from triaged.core import wording
from triaged.core.changes import Change
from triaged.core.charts import Chart, number, sparkline
from triaged.core.model import Incident, Severity, State

AGAIN_AFTER: Final = timedelta(minutes=15)
"""An incident that grew, or opened again, is not looked at again sooner than that."""
MONTH: Final = timedelta(days=30)
QUARTER: Final = timedelta(days=90)
FREQUENT_FROM: Final = 5
"""So many within a month, the present one among them, are frequent."""
RARE_UP_TO: Final = 3
"""So many within three months, the present one among them, are rare."""
MOST_FAILURES: Final = 10
_BEFORE: Final = timedelta(minutes=15)
_LONGEST_QUERY: Final = 120
_PLACEHOLDER: Final = re.compile(r"\{\{\s*([A-Za-z_]*)\s*\}\}")
PLACEHOLDERS: Final = ("from", "to", "from_s", "to_s", "from_ms", "to_ms")
"""What a link of the catalogue may have filled in: instants as ISO 8601, as seconds, as milliseconds since 1970."""


@unique
class Rarity(StrEnum):
    """How often an incident of the same key was there before."""

    NEW = "new"
    RARE = "rare"
    KNOWN = "known"
    FREQUENT = "frequent"


class Seen(Struct, frozen=True, kw_only=True):
    """How many of the same key opened before, within a month and three, and when the last of all did."""

    month: int = 0
    quarter: int = 0
    last_at: datetime | None = None

    @property
    def rarity(self) -> Rarity:
        if self.last_at is None:
            return Rarity.NEW
        if self.month + 1 >= FREQUENT_FROM:
            return Rarity.FREQUENT
        return Rarity.RARE if self.quarter + 1 <= RARE_UP_TO else Rarity.KNOWN


class LogLink(Struct, frozen=True, kw_only=True):
    """A link of the catalogue with the time window filled in."""

    name: str
    url: str


class Neighbour(Struct, frozen=True, kw_only=True):
    """An open incident of a service that this one's needs, or (`depends`) that needs this one's; "" hides a title."""

    incident_id: int
    title: str
    service: str
    severity: Severity
    opened_at: datetime
    depends: bool

    @property
    def name(self) -> str:
        return f"INC-{self.incident_id}"


class Similar(Struct, frozen=True, kw_only=True):
    """A past incident of the same key (`same`), or of the same service and category; how long it took, what solved it.

    `url` is its issue's, "" where it has none.
    """

    incident_id: int
    title: str
    opened_at: datetime
    took_seconds: int | None
    root_cause: str
    fix: str
    same: bool
    url: str = ""

    @property
    def name(self) -> str:
        return f"INC-{self.incident_id}"

    @property
    def solved(self) -> bool:
        return bool(self.root_cause or self.fix)


class Evidence(Struct, frozen=True, kw_only=True):
    """All that was found at `at` in a round of an incident that was of that severity then.

    `changes` are the most likely ones of `changed`; `failures` say what could not be found, and why.
    """

    round: int
    severity: Severity
    at: datetime
    seen: Seen = Seen()
    charts: tuple[Chart, ...] = ()
    links: tuple[LogLink, ...] = ()
    changes: tuple[Change, ...] = ()
    changed: int = 0
    around: tuple[Neighbour, ...] = ()
    similar: tuple[Similar, ...] = ()
    failures: tuple[str, ...] = ()


def is_wanted(incident: Incident) -> bool:
    """Whether nobody has looked in this round, or it is graver than when somebody did; what is folded has none."""
    lives = incident.state.working or incident.state is State.VERIFYING
    if not lives or incident.parent is not None:
        return False
    process = incident.process
    if process.found_round != incident.round or process.found_for is None:
        return True
    return incident.severity.graver_than(process.found_for)


def filled(links: Mapping[str, str], started_at: datetime, until: datetime) -> tuple[LogLink, ...]:
    """The links that have placeholders, with the window filled in: from a quarter of an hour before, to `until`."""
    window = {"from": started_at - _BEFORE, "to": until}
    values: dict[str, str] = {}
    for name, at in window.items():
        seconds = int(at.timestamp())
        values[name] = quote(at.strftime("%Y-%m-%dT%H:%M:%SZ"), safe="")
        values[f"{name}_s"], values[f"{name}_ms"] = str(seconds), str(seconds * 1_000)
    return tuple(
        LogLink(name=name, url=_PLACEHOLDER.sub(lambda found: values[found[1]], url))
        for name, url in links.items()
        if _PLACEHOLDER.search(url) and not unknown_in(url)
    )


def unknown_in(url: str) -> tuple[str, ...]:
    """The placeholders of a link that nothing can be filled into."""
    left = _PLACEHOLDER.sub(lambda found: "" if found[1] in PLACEHOLDERS else found[0], url)
    return tuple(re.findall(r"\{\{.*?(?:\}\}|$)|\{%.*?(?:%\}|$)", left))


def frequency(evidence: Evidence) -> str:
    """`frequent (9 in 30 days, the last one 2 d ago)`: how often it was there, in words; the present one counts."""
    seen = evidence.seen
    if seen.last_at is None:
        return "never seen before"
    ago = f"the last one {wording.span(evidence.at - seen.last_at)} ago"
    match seen.rarity:
        case Rarity.FREQUENT:
            return f"frequent ({seen.month + 1} in {MONTH.days} days, {ago})"
        case Rarity.RARE if seen.quarter == 0:
            return f"rare ({ago})"
        case Rarity.RARE:
            return f"rare ({seen.quarter + 1} in {QUARTER.days} days)"
        case _:
            return f"seen before ({seen.quarter + 1} in {QUARTER.days} days, {ago})"


def briefly(evidence: Evidence, started_at: datetime) -> str:
    """What matters most of it, for a message: how often it was, what fires by now, the likeliest change."""
    lines = [frequency(evidence)]
    for chart in evidence.charts[:1]:
        line = chart.lines[0]
        now = "" if line.last is None else f" {number(line.last)}"
        lines.append(f"{chart.query[:_LONGEST_QUERY]}: {sparkline(line)}{now}")
    for change in evidence.changes[:1]:
        kind = str(change.kind).replace("_", " ")
        before = f" (before: {change.before})" if change.before else ""
        when = f"{wording.span(started_at - change.at)} {'before' if change.at <= started_at else 'after'}"
        lines.append(f"{kind} of {change.repository} {change.ref}{before}, {when} it began")
    return "\n".join(lines)


def in_words(evidence: Evidence) -> str:
    """What was found, in one line for the timeline."""
    counted = (
        (len(evidence.charts), "chart"),
        (evidence.changed, "recent change"),
        (len(evidence.around), "neighbouring incident"),
        (len(evidence.similar), "similar incident"),
    )
    found = [wording.count(number, noun) for number, noun in counted if number]
    return "; ".join([f"evidence: {', '.join([frequency(evidence), *found])}", *evidence.failures])
