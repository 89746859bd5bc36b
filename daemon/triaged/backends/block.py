"""The daemon's part of an issue: what somebody who was just woken needs to know, in that order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import assert_never

from triaged.backends.assembly import assembly
from triaged.backends.evidence import evidence
from triaged.backends.firing import firing, lead, says
from triaged.backends.folded import folded, folded_into
from triaged.backends.guidance import base_of, guidance, page_of
from triaged.backends.known import line as problem_line
from triaged.backends.known import links
from triaged.backends.progress import progress
from triaged.backends.reviewed import action_items, standing
from triaged.backends.text import code, link, passage, prose, table
from triaged.backends.verification import verification
from triaged.backends.why import why
from triaged.core import wording
from triaged.core.model import DAEMON, Entry, Incident, Objective, Outcome, Severity, State
from triaged.ports.backend import Report

SEVERITIES = {
    Severity.SEV1: "Sev-1 Critical",
    Severity.SEV2: "Sev-2 High",
    Severity.SEV3: "Sev-3 Medium",
    Severity.SEV4: "Sev-4 Low",
}
MOST_ENTRIES = 30
OWNED = "*triaged keeps everything above this line up to date; what you write below it stays yours.*"


def block(report: Report) -> str:
    """The whole part, as Markdown; a restricted incident tells only where responders find it."""
    if report.hidden:
        return restricted(page_of(report))
    sections = (
        _heading(report.incident),
        _notice(report.incident),
        _unheard(report),
        folded_into(report),
        _what(report),
        _facts(report),
        guidance(report),
        assembly(report),
        progress(report.incident, roles=not report.roles),
        _targets(report),
        firing(report, page=page_of(report)),
        evidence(report),
        verification(report),
        folded(report),
        *record(report.incident),
        # Where there is a review, that follows them.
        "" if report.incident.process.review else action_items(report.incident, heading="#### Action items"),
        links(report.knowledge, heading="#### What is known"),
        why(report),
        _unsaid(report),
        _timeline(report),
        OWNED,
    )
    return "\n\n".join(filter(None, sections))


def restricted(page: str) -> str:
    """The whole part where not everybody who reads it may know more; `page` leads to those who may."""
    return f"### Restricted\n\nWhat is known is shown to responders only: {page}. Write nothing confidential here."


def _heading(incident: Incident) -> str:
    state = _state(incident)
    if incident.parent is not None and incident.state is not State.CLOSED:
        state = f"folded into INC-{incident.parent}"
    return f"### {SEVERITIES[incident.severity]} · {state}"


def _state(incident: Incident) -> str:
    match incident.state:
        case State.PENDING:
            return "held back"
        case State.OPEN:
            return "open, not acknowledged"
        case State.ACKNOWLEDGED:
            return f"acknowledged by {prose(incident.acknowledged_by or 'somebody', most=80)}"
        case State.VERIFYING:
            return "quiet, being watched"
        case State.RESOLVED:
            return "resolved, not closed yet"
        case State.CLOSED:
            reason = f" ({str(incident.close_reason).replace('_', ' ')})" if incident.close_reason else ""
            return f"closed by {prose(incident.closed_by or 'somebody', most=80)}{reason}"
        case _:
            assert_never(incident.state)


def _notice(incident: Incident) -> str:
    process = incident.process
    if process.paused_until is not None:
        return f"**Paused until {wording.instant(process.paused_until)}:** {prose(process.paused_for)}"
    if incident.state is not State.CLOSED or not incident.firing:
        return ""
    fire = "alert still fires" if incident.firing == 1 else "alerts still fire"
    return f"**Closed, and {incident.firing:,} {fire}.** Those alerts will not reopen it."


def _unheard(report: Report) -> str:
    if report.unheard is None:
        return ""
    words = report.unheard.words
    return f"**{words[0].upper()}{words[1:]}.** Nobody here can tell whether it still fires."


def _what(report: Report) -> str:
    episode = lead(report)
    said = says(episode) if episode else ""
    return f"> {said}" if said else ""


def _facts(report: Report) -> str:
    incident = report.incident
    facts = [f"- **When:** {', '.join(_when(incident))}", f"- **Why {_why(incident)}", f"- {_whose(report)}"]
    if incident.held_until is not None:
        until = wording.instant(incident.held_until)
        facts.append(f"- **Held back** by maintenance until {until}: {prose(incident.held_for or '', most=320)}")
    if incident.process.review is not None:
        facts.append(f"- {standing(incident.process.review, report.review_at)}")
    if report.problem is not None:
        facts.append(f"- {problem_line(report.problem, base_of(report), report.problem_at)}")
    if incident.follows is not None:
        before = f"INC-{incident.follows}"
        facts.append(f"- **Follows** {link(before, f'{base_of(report)}/incidents/{before}') or before}")
    return "\n".join(facts)


def _when(incident: Incident) -> Iterator[str]:
    """Instants in the order of what people do; the day is told again only where it is another one."""
    acknowledged_until = incident.acknowledged_until if incident.state is State.ACKNOWLEDGED else None
    told: tuple[tuple[str, datetime | None], ...] = (
        ("since", incident.started_at),
        ("reopened" if incident.round > 1 else "opened", incident.round_at or incident.opened_at),
        ("acknowledged", incident.acknowledged_at),
        ("which lasts until", acknowledged_until),
        ("quiet since", incident.restored_at),
        ("resolved", incident.resolved_at),
        ("closed", incident.closed_at),
    )
    day = ""
    for word, at in told:
        if at is not None:
            instant = wording.instant(at)
            yield f"{word} {instant.removeprefix(day)}"
            day = instant[:11]


def _why(incident: Incident) -> str:
    """`Sev-2:** …`: the reasons, then the arithmetic."""
    judged, chosen = _short(incident.judged), _short(incident.severity)
    if incident.chosen is not None:
        chosen = f"{chosen} by {prose(incident.chosen_by or 'somebody', most=80)}, judged {judged}"
    rules = wording.listing([code(rule, most=80) for rule in incident.matched], most=5)
    by = f"by {'rule' if len(incident.matched) == 1 else 'rules'} {rules}" if rules else "no rule matched"
    arithmetic = f"impact {incident.impact} × urgency {incident.urgency}, {by}"
    reasons = " ".join(prose(reason) for reason in incident.because[:5])
    return f"{chosen}:** {reasons} ({arithmetic})" if reasons else f"{chosen}:** {arithmetic}"


def _short(severity: Severity) -> str:
    return SEVERITIES[severity].split()[0]


def _whose(report: Report) -> str:
    incident, service = report.incident, report.service
    name = code(incident.service, most=80) if incident.service else "not in the catalogue"
    known: list[str] = []
    if service is not None:
        known += [f"tier {service.tier}"] if service.tier is not None else []
        known += [f"used by {service.users}"] if service.users is not None else []
        known += ["carries revenue"] if service.revenue else []
        known += [f"functions: {prose(', '.join(service.functions), most=120)}"] if service.functions else []
    facts = f" ({', '.join(known)})" if known else ""
    team = prose(incident.team, most=80) or "nobody"
    return f"**Service:** {name}{facts} · **Team:** {team} · **Category:** {incident.category.replace('_', ' ')}"


def _targets(report: Report) -> str:
    incident = report.incident
    rows = []
    for objective in Objective:
        is_response = objective is Objective.RESPONSE
        due = incident.response_due_at if is_response else incident.resolution_due_at
        if due is not None:
            target = prose(report.targets.get(objective, ""), most=40)
            rows.append((objective.capitalize(), target, wording.instant(due), _outcome(incident, objective)))
    return "#### Targets\n\n" + table(("Objective", "Target", "Due", "Outcome"), rows) if rows else ""


def _outcome(incident: Incident, objective: Objective) -> str:
    is_response = objective is Objective.RESPONSE
    outcome = incident.response_outcome if is_response else incident.resolution_outcome
    done_at = incident.acknowledged_at if is_response else incident.restored_at
    done = f", {'acknowledged' if is_response else 'restored'} {wording.instant(done_at)}" if done_at else ""
    match outcome:
        case Outcome.MET:
            return f"met{done}"
        case Outcome.BREACHED:
            return f"**breached**{done}"
        case Outcome.NOT_REQUIRED:
            return "not required"
        case None if incident.state is State.VERIFYING:
            return "waits while it is watched"
        case None if not is_response and incident.process.paused_until is not None:
            return f"paused until {wording.instant(incident.process.paused_until)}"
        case None:
            at_risk = incident.response_at_risk if is_response else incident.resolution_at_risk
            return "**at risk**" if at_risk else "running"
        case _:
            assert_never(outcome)


def record(incident: Incident) -> Iterator[str]:
    """What people wrote down, a section each."""
    told = (
        ("Summary", incident.summary),
        ("Root cause", incident.root_cause),
        ("Fix", incident.fix),
        ("Prevention", incident.prevention),
    )
    return (f"#### {heading}\n\n{passage(text)}" for heading, text in told if text.strip())


def _unsaid(report: Report) -> str:
    """That not all was said in comments, where somebody would miss it."""
    count = report.unsaid.count
    if not count:
        return ""
    why = "GitHub takes no more comments here" if report.unsaid.full else "they would have filled this issue"
    were = "1 comment was" if count == 1 else f"{count:,} comments were"
    return f"*{were} left out, for {why}: see the timeline.*"


def _timeline(report: Report) -> str:
    # What people say on the issue can be read there already.
    told = [entry for entry in report.timeline if entry.entry is not Entry.COMMENT]
    if told and told[0].at <= told[-1].at:
        told.reverse()
    newest = sorted(told, key=lambda entry: entry.at, reverse=True)[:MOST_ENTRIES]
    if not newest:
        return ""
    lines = []
    for entry in newest:
        by = f" ({prose(entry.by, most=80)})" if entry.by != DAEMON.name and entry.by not in entry.text else ""
        lines.append(f"- {wording.instant(entry.at)} · {prose(entry.text)}{by}")
    heading = "<details>\n<summary>Timeline, newest first</summary>"
    return "\n\n".join((heading, "\n".join(lines), f"All of it: {page_of(report)}", "</details>"))
