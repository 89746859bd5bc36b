"""What an incident's issue looks like: its title, the daemon's part, what people start with, its labels, its state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from triaged.backends.block import block
from triaged.backends.document import fit
from triaged.backends.text import clean, label_name, title
from triaged.core.model import CloseReason, Incident, State
from triaged.ports.backend import Issue, Report

LONGEST_TITLE = 256
MOST_LABELS = 20
MOST_VALUES = 5
# What is left of a body's 65,000 belongs to people before the daemon's part has to give way.
MOST_OF_A_BLOCK = 48_000

CHECKLIST = """\
## Closure checklist

- [ ] Users confirm that it works

"""
PEOPLE = f"{CHECKLIST}## Notes\n"
REPORTED = f"{CHECKLIST}## Report\n"
"""Before what somebody wrote who opened the issue."""


def render(report: Report, mapped: Sequence[str] = ()) -> Issue:
    """The issue as it should be, the same for the same report: nothing in it depends on the time of asking.

    `mapped` are names of alerts' labels that become labels of it.
    """
    incident = report.incident
    shown = fit(block(report), MOST_OF_A_BLOCK)
    people = "" if report.hidden else PEOPLE if incident.process.reporter is None else REPORTED
    heading = title(f"{incident.name} {incident.title}", most=LONGEST_TITLE)
    labels = () if report.hidden else _labels(incident, _mapped(report, mapped))
    folded = incident.parent is not None
    closed = folded or incident.state is State.CLOSED
    reason = CloseReason.DUPLICATE if folded else incident.close_reason if closed else None
    return Issue(
        incident_id=incident.id,
        repository=report.repository,
        title=heading,
        block=shown,
        people=people,
        labels=labels,
        closed=closed,
        close_reason=reason,
        urgent=incident.severity.pages,
        folded=folded,
        round=incident.round,
        assignees=() if report.hidden else report.assignees,
    )


def _mapped(report: Report, names: Sequence[str]) -> Iterator[str]:
    """`namespace: shop` for each value of such a label; none of one with too many, for they say nothing.

    Where more fires than is told here, only a value that all have in common is likely to be all there is.
    """
    most = MOST_VALUES if report.incident.firing <= len(report.episodes) else 1
    for name in names:
        values = {value for episode in report.episodes if (value := clean(episode.labels.get(name, "")))}
        yield from (f"{name}: {value}" for value in sorted(values) if len(values) <= most)


def _labels(incident: Incident, mapped: Iterable[str]) -> tuple[str, ...]:
    """Ours first, then the rules' and the alerts'; GitHub takes names that differ only in case for the same."""
    ours = (
        f"severity: {incident.severity}",
        f"team: {incident.team}",
        f"category: {incident.category.replace('_', ' ')}",
    )
    names: dict[str, str] = {}
    for label in (*ours, *incident.labels, *mapped):
        name = label_name(label)
        if name:
            names.setdefault(name.lower(), name)
    return tuple(names.values())[:MOST_LABELS]
