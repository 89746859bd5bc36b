"""What a problem's issue looks like: what recurs, how often, and what helped each time; the rest is people's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from triaged.backends.asking import ask
from triaged.backends.block import OWNED, SEVERITIES, restricted
from triaged.backends.document import fit
from triaged.backends.issue import LONGEST_TITLE, MOST_OF_A_BLOCK
from triaged.backends.known import links, page_of
from triaged.backends.text import code, label_name, link, passage, prose, table, title
from triaged.core import wording
from triaged.core.model import DAEMON, Entry, Incident, State
from triaged.core.problems import Problem, ProblemKind, ProblemState, together
from triaged.ports.backend import Issue, Kind
from triaged.ports.problems import ProblemReport

KINDS = {
    ProblemKind.RECURRING: "Recurring",
    ProblemKind.CAPACITY: "Capacity",
    ProblemKind.DOWNTIME: "Downtime",
}

PEOPLE = """\
## Root cause analysis

### What the incidents have in common

### Why it happens

## Known error

## Permanent fix

## Notes
"""


def render(report: ProblemReport) -> Issue:
    """The issue as it should be, the same for the same report."""
    problem, hidden = report.problem, report.hidden
    heading = title(f"{problem.name} {KINDS[problem.kind]}: {problem.title}", most=LONGEST_TITLE)
    shown = restricted(page_of(problem, report.public_url)) if hidden else fit(block(report), MOST_OF_A_BLOCK)
    people = "" if hidden else PEOPLE
    labels = () if hidden else _labels(problem)
    closed = problem.state is ProblemState.CLOSED
    reason = problem.close_reason if closed else None
    return Issue(
        incident_id=problem.id,
        kind=Kind.PROBLEM,
        repository=report.repository,
        title=heading,
        block=shown,
        people=people,
        labels=labels,
        closed=closed,
        close_reason=reason,
        urgent=False,
    )


def block(report: ProblemReport) -> str:
    """The daemon's part, as Markdown."""
    problem = report.problem
    sections = (
        f"### Problem · {KINDS[problem.kind].lower()} · {_standing(problem)}",
        _facts(report),
        _next(report),
        *_known(problem),
        links(report.knowledge, heading="#### Knowledge"),
        _incidents(report),
        _timeline(report),
        OWNED,
    )
    return "\n\n".join(filter(None, sections))


def _labels(problem: Problem) -> tuple[str, ...]:
    names = ("problem", f"problem: {problem.kind}", f"team: {problem.team}", f"category: {_words(problem.category)}")
    return tuple(filter(None, map(label_name, names)))


def _standing(problem: Problem) -> str:
    if problem.state is ProblemState.OPEN:
        return "known error" if problem.root_cause and problem.workaround else "open"
    return f"closed by {prose(problem.closed_by or 'somebody', most=80)} ({_words(problem.close_reason or 'closed')})"


def _facts(report: ProblemReport) -> str:
    problem = report.problem
    facts = [f"- **Why it is a problem:** {prose(problem.because)}"]
    shown = f", the newest {len(report.incidents)} below" if problem.incidents > len(report.incidents) else ""
    last = f", the last one opened {wording.instant(problem.last_at)}" if problem.last_at else ""
    facts.append(f"- **How often:** {wording.count(problem.incidents, 'incident')}{last}{shown}")
    spans = [(one.began_at, one.restored_at) for one in report.incidents if one.restored_at is not None]
    down_for = together(spans)
    if down_for:
        facts.append(f"- **How long:** {wording.span(down_for)} together, by the incidents below")
    service = f"**Service:** {code(problem.service, most=80)} · " if problem.service else ""
    team = prose(problem.team, most=80) or "nobody"
    facts.append(f"- {service}**Team:** {team} · **Category:** {_words(problem.category)}")
    closed = f", closed {wording.instant(problem.closed_at)}" if problem.closed_at else ""
    facts.append(f"- **When:** open since {wording.instant(problem.opened_at)}{closed}")
    return "\n".join(facts)


def _next(report: ProblemReport) -> str:
    problem = report.problem
    if problem.state is ProblemState.CLOSED:
        return ""
    steps = []
    if not problem.workaround:
        steps.append(f"What helps until it is mended: {_ask(report, 'workaround', 'TEXT')}")
    steps += [
        "Find out what the incidents have in common, and fill in the headings below.",
        f"Keep what is written about it: {_ask(report, 'knowledge', 'URL TITLE')}",
        f"When it is mended for good close this issue, or {_ask(report, 'close')}."
        " Closed as not planned, people live with it.",
    ]
    return "#### Do next\n\n" + "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))


def _ask(report: ProblemReport, act: str, text: str = "") -> str:
    comment, command = f"/{act} {text}".strip(), f"problems {act} {report.problem.name} {text}".strip()
    return ask(comment, command, by_comment=report.by_comment)


def _known(problem: Problem) -> Iterator[str]:
    told = (("Root cause", problem.root_cause), ("Workaround", problem.workaround), ("Permanent fix", problem.fix))
    return (f"#### {heading}\n\n{passage(text)}" for heading, text in told if text.strip())


def _incidents(report: ProblemReport) -> str:
    rows = [_row(one, report) for one in report.incidents]
    header = ("Incident", "Severity", "Opened", "Lasted", "What solved it")
    return "#### Incidents, newest first\n\n" + table(header, rows) if rows else ""


def _row(incident: Incident, report: ProblemReport) -> Sequence[str]:
    page = link(incident.name, f"{report.public_url.rstrip('/')}/incidents/{incident.name}") or incident.name
    at = report.places.get(incident.id)
    issue = link("issue", at.url) if at else None
    page = f"{page} · {issue} ·" if issue else page
    opened = wording.instant(incident.opened_at or incident.created_at)
    severity = SEVERITIES[incident.severity].split()[0]
    return (f"{page} {prose(incident.title, most=120)}", severity, opened, _lasted(incident), _solved(incident))


def _lasted(incident: Incident) -> str:
    if incident.state.unfinished:
        return "goes on"
    ended_at = incident.restored_at or incident.closed_at or incident.began_at
    return wording.span(max(ended_at - incident.began_at, timedelta()))


def _solved(incident: Incident) -> str:
    said = incident.fix or incident.summary or incident.root_cause
    if said:
        return prose(" ".join(said.split()), most=200)
    over = incident.state in (State.RESOLVED, State.CLOSED)
    return "nobody wrote it down" if over else ""


def _timeline(report: ProblemReport) -> str:
    lines = []
    # What people say on the issue can be read there already.
    for entry in (one for one in report.timeline[::-1] if one.entry is not Entry.COMMENT):
        by = f" ({prose(entry.by, most=80)})" if entry.by != DAEMON.name and entry.by not in entry.text else ""
        lines.append(f"- {wording.instant(entry.at)} · {prose(entry.text)}{by}")
    if not lines:
        return ""
    heading = "<details>\n<summary>Timeline, newest first</summary>"
    all_of_it = f"All of it: {page_of(report.problem, report.public_url)}"
    return "\n\n".join((heading, "\n".join(lines), all_of_it, "</details>"))


def _words(value: str) -> str:
    return str(value).replace("_", " ")
