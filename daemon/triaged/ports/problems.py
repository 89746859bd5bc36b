"""What the store keeps of problems, and what an issue tells of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct, field

from triaged.core.effects import KeepKnowledge
from triaged.core.model import Incident, TimelineEntry
from triaged.core.problems import Cause, Counted, Kept, Problem
from triaged.ports.backend import Address


class ProblemRow(Struct, frozen=True, kw_only=True):
    """A problem and where its issue is."""

    problem: Problem
    address: Address | None


class ProblemReport(Struct, frozen=True, kw_only=True):
    """Everything that a problem's issue tells: `incidents` are the newest that it follows, of `problem.incidents`.

    `places` are where their issues are, by number. `repository`, `hidden` and `by_comment` are as of an incident's
    report. `timeline` are its newest entries, in their order.
    """

    problem: Problem
    incidents: tuple[Incident, ...]
    knowledge: tuple[Kept, ...]
    timeline: tuple[TimelineEntry, ...]
    public_url: str
    repository: str = ""
    hidden: bool = False
    places: Mapping[int, Address] = field(default_factory=dict)
    by_comment: bool = False


class ProblemTable(Protocol):
    """What the writer asks of problems within its transaction; rows that may change are locked."""

    def counted(self, incident_ids: Sequence[int]) -> dict[int, Counted]:
        """Those of the incidents that count, as they were counted last."""
        ...

    def alike(self, cause: Cause, since: datetime, until: datetime) -> list[Counted]:
        """Incidents of a cause that no problem followed yet, opened after `since` and up to `until`, newest first."""
        ...

    def of_cause(self, name: str) -> Problem | None: ...

    def of_number(self, number: int) -> Problem | None: ...

    def unfinished(self, number: int) -> list[int]:
        """The ids of incidents that a problem follows and that are not closed; the newest hundred."""
        ...

    def since(self, number: int, at: datetime) -> list[Counted]:
        """The incidents that a problem follows and that opened after an instant, newest first."""
        ...

    def urls(self, number: int) -> list[str]:
        """The links that are kept of an incident or a problem."""
        ...

    def keep(self, problems: Iterable[Problem], rows: Iterable[Counted]) -> None:
        """Write problems, and incidents that count, as they are now."""
        ...

    def forget(self, incident_ids: Sequence[int]) -> None:
        """These incidents count no more."""
        ...

    def keep_links(self, links: Iterable[KeepKnowledge], now: datetime) -> None: ...

    def seen(self, timeline_id: int) -> None:
        """The timelines of incidents were looked at up to this row."""
        ...
