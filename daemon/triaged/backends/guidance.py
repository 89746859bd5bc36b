"""What to do next: the act that the incident's state waits for, and where to look."""

from __future__ import annotations

from itertools import chain
from typing import assert_never

from triaged.backends.asking import ask
from triaged.backends.firing import first
from triaged.backends.text import code, link, prose
from triaged.core import wording
from triaged.core.model import State
from triaged.core.reports import SOURCE, references
from triaged.ports.backend import Report

RUNBOOKS = ("runbook_url", "runbook")
DASHBOARDS = ("dashboard_url", "dashboard")
MOST_LINKS = 3


def guidance(report: Report) -> str:
    """What to do, in order: first the act that the state waits for, then where to look."""
    incident = report.incident
    steps: list[str] = []
    match incident.state:
        case State.OPEN | State.ACKNOWLEDGED if incident.parent is not None:
            steps.append(f"Act on INC-{incident.parent}. If this is a problem of its own: {_act(report, 'split')}")
        case State.PENDING | State.OPEN:
            due = f" by {wording.instant(incident.response_due_at)}" if incident.response_due_at else ""
            steps.append(f"Take it{'' if incident.response_outcome else due}: {_act(report, 'ack')}")
        case State.ACKNOWLEDGED:
            steps.append(f"When it works again: {_act(report, 'resolve')}")
        case State.RESOLVED:
            steps.append(f"Finish the closure checklist, then: {_act(report, 'close')}")
        case State.VERIFYING | State.CLOSED:
            pass
        case _:
            assert_never(incident.state)
    runbooks, places = _runbooks(report), [*_places(report), f"everything about {page_of(report)}"]
    if report.by_comment and steps:
        steps[-1] += f". All that you can do here: comment {code('/help')}"
    if not steps:
        return f"#### Where to look\n\n{' · '.join([*runbooks, *places])}"
    steps += [f"Follow the {' · '.join(runbooks)}"] if runbooks and incident.state is not State.RESOLVED else []
    steps.append(f"Look at {' · '.join(places)}")
    return "#### Do next\n\n" + "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))


def _act(report: Report, act: str) -> str:
    name = report.incident.name
    asked = ask(f"/{act}", f"incidents {act} {name}", by_comment=report.by_comment)
    if report.by_comment:
        return asked
    return f"{asked} or POST to {code(f'{base_of(report)}/api/v1/incidents/{name}/{act}', most=300)}"


def _runbooks(report: Report) -> list[str]:
    asked = [first(episode.annotations, RUNBOOKS) for episode in report.episodes]
    asked += [report.service.runbook] if report.service else []
    urls = [*dict.fromkeys(filter(None, asked))][:MOST_LINKS]
    names = ["runbook"] if len(urls) == 1 else [f"runbook {number}" for number in range(1, len(urls) + 1)]
    return [link(name, url) or f"{name}: {prose(url, most=200)}" for name, url in zip(names, urls, strict=True)]


def _places(report: Report) -> list[str]:
    dashboards = (first(episode.annotations, DASHBOARDS) for episode in report.episodes)
    shown = [link("dashboard", url) for url in [*dict.fromkeys(filter(None, dashboards))][:MOST_LINKS]]
    reported = (references(episode.annotations) for episode in report.episodes if episode.source == SOURCE)
    shown += [link("reference", url) for url in [*dict.fromkeys(chain(*reported))][:MOST_LINKS]]
    graphs = (episode.generator_url for episode in report.episodes)
    shown += [link("graph", url) for url in [*dict.fromkeys(filter(None, graphs))][:1]]
    if report.service is not None:
        # A template (`{{ from }}`) is for whoever knows the time of asking.
        whole = {name: url for name, url in report.service.links.items() if "{{" not in url and "{%" not in url}
        shown += [link(f"{prose(name, most=40)} of {code(report.service.name)}", url) for name, url in whole.items()]
    return [*filter(None, shown)]


def page_of(report: Report) -> str:
    """A link to the incident's own page."""
    name = report.incident.name
    return link(name, f"{base_of(report)}/incidents/{name}") or name


def base_of(report: Report) -> str:
    """The daemon's public URL without a slash at its end."""
    return report.public_url.rstrip("/")
