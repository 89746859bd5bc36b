"""What an issue tells of the incidents that are folded into it, and of the one that it is folded into."""

from __future__ import annotations

from triaged.backends.guidance import base_of, page_of
from triaged.backends.text import link, prose, table
from triaged.core import wording
from triaged.core.model import Fold, Incident, State
from triaged.ports.backend import Related, Report

_WHY = {
    Fold.STORM: "it opened in a storm of incidents",
    Fold.DEPENDENCY: "its service depends on what is broken there",
    Fold.MERGE: "it is the same problem",
}


def folded_into(report: Report) -> str:
    """Where the work is, for somebody who came to a folded incident; nothing for any other."""
    incident, parent = report.incident, report.parent
    if parent is None or incident.fold is None or incident.state is State.CLOSED:
        return ""
    return (
        f"**Folded into {_named(report, parent)}**: {_WHY[incident.fold]}. What is done there holds for this one too;"
        " it has no clocks of its own. Reopen this issue to split it off."
    )


def folded(report: Report) -> str:
    """A table of what is folded in, newest first."""
    if not report.folded:
        return ""
    rows = [(_named(report, one), str(one.incident.severity), _title(report, one.incident)) for one in report.folded]
    left = report.folded_count - len(rows)
    more = f"\n\n… and {left:,} more: {page_of(report)}" if left > 0 else ""
    heading = f"#### Folded in: {wording.count(report.folded_count, 'incident')}"
    return f"{heading}\n\n" + table(("Incident", "Severity", "Title"), rows) + more


def _title(report: Report, child: Incident) -> str:
    """What is restricted is told whole only where its parent is restricted, too."""
    return "restricted" if child.restricted and not report.incident.restricted else prose(child.title, most=120)


def _named(report: Report, related: Related) -> str:
    """A link to its issue where it has one, else to its page."""
    name, address = related.incident.name, related.address
    return link(name, address.url if address else f"{base_of(report)}/incidents/{name}") or name
