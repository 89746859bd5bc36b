"""Who runs a major incident, and where they meet: all roles stand there, also those that nobody holds yet."""

from __future__ import annotations

from collections.abc import Iterator

from triaged.backends.text import code, link, prose
from triaged.core import wording
from triaged.ports.backend import Report


def assembly(report: Report) -> str:
    """The whole section; "" where its severity asks for no roles, or another incident tells of it."""
    if not report.roles or report.incident.parent is not None:
        return ""
    return "#### Who runs it\n\n" + "\n".join(f"- {line}" for line in _lines(report))


def _lines(report: Report) -> Iterator[str]:
    incident, process = report.incident, report.incident.process
    if incident.state.unfinished and report.meets:
        where = link("meet here", process.bridge) or prose(process.bridge)
        yield f"**Bridge:** {where or ('being made' if process.assembled_at is None else 'none, see the timeline')}"
    for role in report.roles:
        name = wording.role(role)
        held = prose(process.roles.get(role, ""), most=80)
        if held:
            yield f"**{name.capitalize()}:** {held}"
        elif incident.state.unfinished:
            command = code(f"triaged incidents role {incident.name} {role} NAME")
            yield f"**{name.capitalize()}:** nobody yet: {command}"
