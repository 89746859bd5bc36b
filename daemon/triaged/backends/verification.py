"""The end of an incident in its issue: how it is watched, what health queries said, what is left to do to close it."""

from __future__ import annotations

from collections.abc import Iterator

from triaged.backends.asking import ask
from triaged.backends.text import NOTHING, code, prose, table
from triaged.core import wording
from triaged.core.health import Answer, Phase
from triaged.core.model import ActorKind, CloseReason, Entry, Incident, State
from triaged.core.record import missing
from triaged.core.verification import is_back
from triaged.ports.backend import Report

DONE, OPEN = "☑", "☐"
"""No boxes of a task list: whoever ticked one would change our part, and lose the tick."""
MOST_QUERIES = 10
_LONGEST_QUERY = 200
_PHASES = {Phase.BEFORE: "Before it", Phase.DURING: "When it opened", Phase.AFTER: "Watched"}
_OVER = (State.VERIFYING, State.RESOLVED, State.CLOSED)


def verification(report: Report) -> str:
    """The whole section; "" while it is not watched and never was."""
    incident = report.incident
    if is_back(incident) and incident.parent is None:
        return "\n\n".join(filter(None, (_back(incident), _health(report.health))))
    if incident.state not in _OVER or incident.parent is not None or incident.opened_at is None:
        return ""
    parts = [_watched(report), _health(report.health), _closing(report)]
    return "\n\n".join(filter(None, parts))


def _watched(report: Report) -> str:
    """What it waits for, while it does."""
    incident = report.incident
    watch = incident.process.watch
    if incident.state is not State.VERIFYING or report.watched_until is None:
        return "#### Verification" if report.health else ""
    lines = [f"Watched until {wording.instant(report.watched_until)}, for {prose(report.watched_for)}."]
    if watch.failing:
        lines.append(f"**Not healthy yet:** {_failing(incident)}; from then on it is watched anew.")
    if watch.unasked:
        lines.append(f"**Its health cannot be told:** {prose(watch.unasked)}.")
    if watch.waits_for:
        names = wording.listing([f"INC-{number}" for number in watch.waits_for], most=5)
        lines.append(f"**Waits for** {names}, which opened since.")
    return "\n\n".join(("#### Verification", "\n".join(f"- {line}" for line in lines)))


def _back(incident: Incident) -> str:
    """Why it is at work though nothing fires."""
    why = f"nothing fires, but {_failing(incident)}; it is watched again once all hold"
    lines = [f"**Not healthy:** {why}."]
    if incident.process.watch.unasked:
        lines.append(f"**Its health cannot be told:** {prose(incident.process.watch.unasked)}.")
    return "\n\n".join(("#### Verification", "\n".join(f"- {line}" for line in lines)))


def _failing(incident: Incident) -> str:
    failing = incident.process.watch.failing
    names = wording.listing([code(query, most=_LONGEST_QUERY) for query in failing], most=MOST_QUERIES)
    return f"{names} {'does' if len(failing) == 1 else 'do'} not hold"


def _health(answers: tuple[Answer, ...]) -> str:
    """What the queries said, each on a line."""
    if not answers:
        return ""
    queries = [*dict.fromkeys(answer.query for answer in answers)]
    said = {(answer.query, answer.phase): answer for answer in answers}
    rows = [
        (code(query, most=_LONGEST_QUERY), *(_said(said.get((query, phase))) for phase in _PHASES))
        for query in queries[:MOST_QUERIES]
    ]
    return table(("Health query", *_PHASES.values()), rows)


def _said(answer: Answer | None) -> str:
    if answer is None:
        return NOTHING
    value = "" if answer.value is None else f"{answer.value:.4g}, "
    holds = {True: "holds", False: "**does not hold**", None: "no value"}[answer.holds]
    return f"{value}{holds} ({wording.instant(answer.at)[11:16]})"


def _closing(report: Report) -> str:
    """The closure checklist, as far as facts tick it; what only people know stands in their part."""
    incident = report.incident
    if incident.state is State.CLOSED and incident.close_reason is not CloseReason.COMPLETED:
        items: list[tuple[bool, str]] = []
    else:
        # What closed by itself left nobody anything to write.
        by_itself = incident.closed_by_kind is ActorKind.DAEMON
        written = [item for item in _written(report) if item[0] or not by_itself]
        items = [*_facts(incident, informed=report.informs), *written]
    lines = [f"- {DONE if done else OPEN} {words}" for done, words in items]
    asked = missing(incident)
    add = f"To add what is missing: {_adding(report, asked)}" if asked else ""
    told = max(((e.at, e.text) for e in report.timeline if e.entry is Entry.FIGURES), default=(None, ""))[1]
    shown = ["\n".join(lines), add, prose(told[:1].upper() + told[1:], most=1_000)]
    text = "\n\n".join(filter(None, shown))
    return f"#### Closing\n\n{text}" if text else ""


def _adding(report: Report, asked: tuple[str, ...]) -> str:
    """What adds to the record, whether the incident is closed or not."""
    options = " ".join(f"--{name.replace('_', '-')} …" for name in asked)
    added = ask("/resolve", f"incidents resolve {report.incident.name} {options}", by_comment=report.by_comment)
    if not report.by_comment:
        return added
    return f"{added} with a line each: {', '.join(code(f'{name}: …') for name in asked)}"


def _facts(incident: Incident, *, informed: bool) -> Iterator[tuple[bool, str]]:
    well = not incident.firing and not incident.process.watch.failing
    restored = f": nothing fires since {wording.instant(incident.restored_at)}" if incident.restored_at else ""
    yield well, f"Service fully restored{restored if well else ''}"
    stable_at = incident.resolved_at
    confirmed = f": {wording.instant(stable_at)}" if stable_at else ""
    yield stable_at is not None, f"Monitoring confirms stability{confirmed}"
    over_at = stable_at or incident.closed_at
    if not informed:
        yield True, f"Users notified: the rules keep nobody informed of a {incident.severity}"
    else:
        yield (
            over_at is not None,
            "Users notified" + (f": told of its end, {wording.instant(over_at)}" if over_at else ""),
        )


def _written(report: Report) -> Iterator[tuple[bool, str]]:
    incident, problem = report.incident, report.problem
    found = bool(incident.root_cause.strip())
    linked = f": {problem.name}" if problem is not None and not found else ""
    yield found or problem is not None, f"Root cause identified (or problem created){linked}"
    yield bool(incident.summary.strip() and incident.fix.strip()), "All actions documented: summary, fix"
    followed = bool(incident.prevention.strip() or incident.process.actions)
    yield followed, "Follow-up actions created: prevention, or action items"
    yield bool(incident.process.knowledge), "Knowledge base updated: a link to it"
