"""What a review's issue looks like: figures, what was decided, action items and the timeline; the talk is people's."""

from __future__ import annotations

from datetime import datetime, timedelta

from triaged.backends.asking import ask
from triaged.backends.block import OWNED, SEVERITIES, record, restricted
from triaged.backends.document import fit
from triaged.backends.evidence import changes
from triaged.backends.guidance import base_of, page_of
from triaged.backends.issue import LONGEST_TITLE, MOST_OF_A_BLOCK
from triaged.backends.known import line as problem_line
from triaged.backends.reviewed import action_items
from triaged.backends.text import code, label_name, link, prose, table, title
from triaged.core import wording
from triaged.core.model import (
    DAEMON,
    CloseReason,
    Entry,
    Incident,
    Outcome,
    Review,
    ReviewOutcome,
    TimelineEntry,
)
from triaged.ports.backend import Issue, Kind, Report
from triaged.ports.reviews import ReviewReport

MOST_ENTRIES = 150
MOST_FINDINGS = 40
MOST_SHOWN = 40
NOISE = frozenset(
    {
        Entry.FIRED,
        Entry.RESOLVED_ALERT,
        Entry.KEY,
        Entry.NOTIFIED,
        Entry.PUBLISHED,
        Entry.SUPPRESSED,
        Entry.SUPPRESSION_ENDED,
        Entry.LATE,
        Entry.REVIEW,
        Entry.ACTION,
    }
)
"""What the incident's own page has, and nobody talks about."""
FOUND = {Entry.DECISION: "Decision", Entry.HYPOTHESIS: "Hypothesis"}

PEOPLE = """\
## Timeline of events

What happened stands above; what nobody wrote down at the time belongs here.

## What went well

## What could be improved

## Action items

Those that are added as *Do next* says are followed above until they are done.

## Lessons learned

### Root cause

### Contributing factors

### Response effectiveness

### Improvement opportunities
"""


def render(told: ReviewReport) -> Issue:
    """The issue as it should be, the same for the same report."""
    incident, review, hidden = told.report.incident, told.review, told.report.hidden
    heading = title(f"{review.name} Review of {incident.name} {incident.title}", most=LONGEST_TITLE)
    shown = restricted(page_of(told.report)) if hidden else fit(block(told), MOST_OF_A_BLOCK)
    people = "" if hidden else PEOPLE
    labels = () if hidden else _labels(incident, review)
    over = review.outcome is ReviewOutcome.WITHDRAWN and (incident.parent is not None or not incident.state.unfinished)
    closed = over or review.outcome in (ReviewOutcome.HELD, ReviewOutcome.WAIVED)
    held = CloseReason.COMPLETED if review.outcome is ReviewOutcome.HELD else CloseReason.NOT_PLANNED
    reason = held if closed else None
    return Issue(
        incident_id=review.number,
        kind=Kind.REVIEW,
        repository=told.report.repository,
        title=heading,
        block=shown,
        people=people,
        labels=labels,
        closed=closed,
        close_reason=reason,
        urgent=False,
        # Nothing to look back on any more: none is made where none is yet.
        folded=over,
    )


def block(told: ReviewReport) -> str:
    """The daemon's part, as Markdown."""
    incident = told.report.incident
    sections = (
        f"### Review of {incident.name} · {SEVERITIES[told.review.severity]} · {_standing(told.review)}",
        _facts(told),
        _next(told),
        _figures(incident),
        _found(told.report.timeline),
        _changed(told.report),
        *record(incident),
        _actions(incident),
        _timeline(told),
        OWNED,
    )
    return "\n\n".join(filter(None, sections))


def _labels(incident: Incident, review: Review) -> tuple[str, ...]:
    names = ("review", f"severity: {review.severity}", f"team: {incident.team}")
    return tuple(filter(None, map(label_name, names)))


def _standing(review: Review) -> str:
    match review.outcome:
        case ReviewOutcome.OPEN:
            return f"to be held by {wording.instant(review.due_at)}"
        case ReviewOutcome.WITHDRAWN:
            return "withdrawn"
        case outcome:
            return f"{outcome} by {prose(review.by, most=80)}"


def _facts(told: ReviewReport) -> str:
    report, review = told.report, told.review
    incident = report.incident
    issue = link("its issue", told.incident_at.url) if told.incident_at else None
    known = f"- **Incident:** {page_of(report)} {prose(incident.title, most=200)}"
    facts = [f"{known} · {issue}" if issue else known]
    if report.problem is not None:
        facts.append(f"- {problem_line(report.problem, base_of(report), report.problem_at)}")
    span = f"between {wording.instant(review.opens_at)} and {wording.instant(review.due_at)}"
    facts.append(f"- **When:** {span}" + (f", in the working hours of {code(review.hours)}" if review.hours else ""))
    if review.reminded and review.outcome is ReviewOutcome.OPEN:
        # Beside telling it: the issue is looked at with each reminder, and a person's close of it is seen then.
        facts.append(f"- **Reminded:** {wording.count(review.reminded, 'time')}")
    if review.because:
        facts.append(f"- **Why:** {prose(review.because)}")
    if review.reason:
        facts.append(f"- **{str(review.outcome).capitalize()}:** {prose(review.reason, most=1_000)}")
    if review.outcome is ReviewOutcome.WITHDRAWN and incident.state.unfinished:
        facts.append(f"- **Withdrawn:** {incident.name} is open again; its next resolution asks for this review anew")
    roles = {name: wording.role(role) for role, name in incident.process.roles.items()}
    people = [prose(name, most=80) + (f" ({roles[name]})" if name in roles else "") for name in told.participants] or [
        "nobody has acted yet"
    ]
    invited = "; stakeholders are invited" if told.invited else ""
    facts.append(f"- **Participants:** {wording.listing(people, most=MOST_SHOWN)}{invited}")
    service = f"**Service:** {code(incident.service, most=80)} · " if incident.service else ""
    facts.append(f"- {service}**Team:** {prose(incident.team, most=80) or 'nobody'}")
    return "\n".join(facts)


def _next(told: ReviewReport) -> str:
    if told.review.outcome is not ReviewOutcome.OPEN:
        return ""
    name, by_comment = told.report.incident.name, told.report.by_comment
    item = ask(
        "/action TEXT", f"incidents action {name} TEXT --kind process --owner bob --due 14d", by_comment=by_comment
    )
    lines = f", with lines such as {code('owner: bob')} and {code('due: 14d')}" if by_comment else ""
    held = ask("/review held", f"incidents review {name} held", by_comment=by_comment)
    steps = (
        "Fill in the headings below, in the meeting or before it.",
        f"Action items: {item}{lines}; tick them here when they are done.",
        f"Then close this issue, or {held}. Closed as not planned it is waived.",
    )
    return "#### Do next\n\n" + "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))


def _figures(incident: Incident) -> str:
    ended_at = incident.restored_at or incident.closed_at
    acknowledged = _between(incident.response_started_at, incident.acknowledged_at)
    rows = [
        ("Started", wording.instant(incident.began_at)),
        ("Restored", wording.instant(ended_at) if ended_at else ""),
        ("Lasted", _between(incident.began_at, ended_at)),
        ("To acknowledge", acknowledged or "nobody acknowledged it"),
        ("To restore, from its opening", _between(incident.round_at, ended_at)),
        ("Response objective", _outcome(incident.response_outcome)),
        ("Resolution objective", _outcome(incident.resolution_outcome)),
        ("Alerts", f"{incident.alerts:,}"),
        ("Opened", "once" if incident.round == 1 else f"{incident.round:,} times"),
        ("Levels of escalation told", f"{incident.process.level:,}"),
        ("Updates to stakeholders", f"{incident.process.updates:,}"),
    ]
    return "#### Figures\n\n" + table(("Figure", "Value"), [row for row in rows if row[1]])


def _between(begun_at: datetime | None, ended_at: datetime | None) -> str:
    if begun_at is None or ended_at is None:
        return ""
    return wording.span(max(ended_at - begun_at, timedelta()))


def _outcome(outcome: Outcome | None) -> str:
    return "undecided" if outcome is None else f"**{outcome}**" if outcome is Outcome.BREACHED else _plain(outcome)


def _plain(outcome: Outcome) -> str:
    return str(outcome).replace("_", " ")


def _found(timeline: tuple[TimelineEntry, ...]) -> str:
    """What people decided, and what they held for the cause at the time, in that order."""
    told = [entry for entry in timeline if entry.entry in FOUND]
    lines = [
        f"- {wording.instant(entry.at)} · **{FOUND[entry.entry]}** by {prose(entry.by, most=80)}: {_said(entry)}"
        for entry in told[:MOST_FINDINGS]
    ]
    return "#### Decisions and hypotheses\n\n" + "\n".join(lines) if lines else ""


def _changed(report: Report) -> str:
    told = changes(report.evidence) if report.evidence is not None else ""
    return f"#### What may have contributed\n\n{told}" if told else ""


def _said(entry: TimelineEntry) -> str:
    return prose(entry.text.removeprefix(f"{entry.entry}: "), most=1_000)


def _actions(incident: Incident) -> str:
    return action_items(incident, heading="#### Action items") or "#### Action items\n\nNone yet."


def _timeline(told: ReviewReport) -> str:
    """What happened, from the first to the last: a review reads it so."""
    here = f"on {told.review.name}: "
    entries = [entry for entry in told.report.timeline if entry.entry not in NOISE and not _is_said(entry, here)]
    entries.sort(key=lambda entry: entry.at)
    lines = []
    for entry in entries[:MOST_ENTRIES]:
        by = f" ({prose(entry.by, most=80)})" if entry.by != DAEMON.name and entry.by not in entry.text else ""
        mark = f"**{FOUND[entry.entry]}:** {_said(entry)}" if entry.entry in FOUND else prose(entry.text)
        lines.append(f"- {wording.instant(entry.at)} · {mark}{by}")
    heading = "<details>\n<summary>Timeline of events</summary>"
    return "\n\n".join((heading, "\n".join(lines), f"All of it: {page_of(told.report)}", "</details>"))


def _is_said(entry: TimelineEntry, here: str) -> bool:
    """Whether it can be read in the comments of this very issue."""
    return entry.entry is Entry.COMMENT and entry.text.startswith(here)
