"""Who runs a major incident, and where they meet: all roles stand there, also those that nobody holds yet."""

from __future__ import annotations

from collections.abc import Iterator

from triaged.backends.asking import ask
from triaged.backends.text import link, prose
from triaged.core import wording
from triaged.ports.backend import Report


def assembly(report: Report) -> str:
    """The whole section; "" where its severity asks for no roles, or another incident tells of it."""
    lines = [f"- {line}" for line in _lines(report)] if report.incident.parent is None else []
    return "#### Who runs it\n\n" + "\n".join(lines) if lines else ""


def _lines(report: Report) -> Iterator[str]:
    incident, process = report.incident, report.incident.process
    if incident.state.unfinished and report.roles and report.meets:
        where = link("meet here", process.bridge) or prose(process.bridge)
        yield f"**Bridge:** {where or ('being made' if process.assembled_at is None else 'none, see the timeline')}"
    for role in report.roles:
        name = wording.role(role)
        held = prose(process.roles.get(role, ""), most=80)
        if held:
            yield f"**{name.capitalize()}:** {held}"
        elif incident.state.unfinished:
            wanted = (f"/role {role} NAME", f"incidents role {incident.name} {role} NAME")
            yield f"**{name.capitalize()}:** nobody yet: {ask(*wanted, by_comment=report.by_comment)}"
