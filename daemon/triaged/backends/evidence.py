"""The evidence in an issue: how often it was there, charts, logs, changes, what is open around it and what was."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from triaged.backends.chart import chart
from triaged.backends.guidance import base_of
from triaged.backends.text import NOTHING, code, link, prose, table
from triaged.core import wording
from triaged.core.changes import Change
from triaged.core.charts import Chart
from triaged.core.evidence import Evidence, Neighbour, Similar, frequency
from triaged.ports.backend import Report

MOST_LINKS = 10
_LONGEST_QUERY = 300


def evidence(report: Report) -> str:
    """The whole section; "" until somebody looked, and for what is folded: its parent has it."""
    found = report.evidence
    if found is None or report.incident.parent is not None:
        return ""
    parts = [
        "#### Evidence",
        "\n".join(_facts(found)),
        *(_chart(one) for one in found.charts),
        changes(found),
        _around(report, found),
        _similar(report, found),
        "\n".join(f"- *Not found:* {prose(words)}" for words in found.failures),
        f"*Found {wording.instant(found.at)}.*",
    ]
    return "\n\n".join(filter(None, parts))


def _facts(found: Evidence) -> Iterator[str]:
    yield f"- **How often:** {frequency(found)}"
    shown = [link(prose(one.name, most=40), one.url) for one in found.links[:MOST_LINKS]]
    if links := " · ".join(filter(None, shown)):
        yield f"- **Of that time:** {links}"


def _chart(drawn: Chart) -> str:
    return f"**Query:** {code(drawn.query, most=_LONGEST_QUERY)}\n\n{chart(drawn)}"


def changes(found: Evidence) -> str:
    """What changed before it, most likely first; "" where nothing is known of."""
    if not found.changes:
        return ""
    rows = [(wording.instant(one.at), _what(one), prose(one.by, most=60) or NOTHING) for one in found.changes]
    left = found.changed - len(rows)
    more = f"\n\n… and {wording.count(left, 'more change')}" if left > 0 else ""
    return f"**Recent changes**, most likely first:\n\n{table(('When', 'What', 'By'), rows)}{more}"


def _what(one: Change) -> str:
    kind = str(one.kind).replace("_", " ")
    where = f" to {prose(one.where, most=60)}" if one.where else ""
    before = f" (before: {code(one.before, most=60)})" if one.before else ""
    title = f": {prose(one.title, most=120)}" if one.title else ""
    ref = link(code(one.ref, most=60), one.url) or code(one.ref, most=60)
    return f"{kind} of {prose(one.repository, most=100)} {ref}{where}{before}{title}"


def _around(report: Report, found: Evidence) -> str:
    if not found.around:
        return ""
    return "**Open around it:**\n\n" + "\n".join(f"- {_neighbour(report, one)}" for one in found.around)


def _neighbour(report: Report, one: Neighbour) -> str:
    way = "which depends on this" if one.depends else "on which this depends"
    title = f" {prose(one.title, most=120)}" if one.title else " (restricted)"
    return f"{_named(report, one.name)} {one.severity}{title}: {code(one.service, most=80)}, {way}"


def _similar(report: Report, found: Evidence) -> str:
    if not found.similar:
        return ""
    rows = [
        (
            f"{_named(report, one.name, one.url)}{_whether(one)}, {wording.instant(one.opened_at)}",
            NOTHING if one.took_seconds is None else wording.span(timedelta(seconds=one.took_seconds)),
            _solved(one),
        )
        for one in found.similar
    ]
    return f"**Like this before:**\n\n{table(('Incident', 'Took', 'What solved it'), rows)}"


def _solved(one: Similar) -> str:
    cause = f"Cause: {prose(one.root_cause, most=200)}" if one.root_cause else ""
    fix = f"Fix: {prose(one.fix, most=200)}" if one.fix else ""
    return " · ".join(filter(None, (fix, cause))) or NOTHING


def _named(report: Report, name: str, url: str = "") -> str:
    """A link to its issue where that is known, else to its page."""
    return link(name, url or f"{base_of(report)}/incidents/{name}") or name


def _whether(one: Similar) -> str:
    return "" if one.same else " (other alert)"
