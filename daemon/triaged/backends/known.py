"""What is known already: the problem that an incident is part of, and links that people kept."""

from __future__ import annotations

from collections.abc import Iterable

from triaged.backends.text import code, link, prose
from triaged.core import wording
from triaged.core.problems import Kept, Problem, ProblemState
from triaged.ports.backend import Address

LONGEST_TEXT = 1_000


def line(problem: Problem, public_url: str, at: Address | None = None) -> str:
    """What the issue of an incident says of the problem that follows it, and what helps until it is mended.

    `at` is where the problem's issue is.
    """
    led = link("its issue", at.url) if at else None
    times = wording.count(problem.incidents, "incident")
    state = "" if problem.state is ProblemState.OPEN else ", closed"
    told = f"{page_of(problem, public_url)} {prose(problem.title, most=200)} ({times}{state})"
    helps = f" · **Known workaround:** {prose(problem.workaround, most=LONGEST_TEXT)}" if problem.workaround else ""
    return f"**Problem:** {told}{f' · {led}' if led else ''}{helps}"


def links(kept: Iterable[Kept], *, heading: str) -> str:
    """Links to what is known, as a list under a heading; "" where there are none."""
    lines = []
    for one in kept:
        # A title may hold brackets: it stands behind the link, whose words are ours.
        led = link("link", one.link.url) or code(one.link.url, most=300)
        lines.append(f"- {prose(one.link.title, most=200)}: {led} (by {prose(one.by, most=80)})")
    return f"{heading}\n\n" + "\n".join(lines) if lines else ""


def page_of(problem: Problem, public_url: str) -> str:
    """A link to the problem's own page."""
    return link(problem.name, f"{public_url.rstrip('/')}/problems/{problem.name}") or problem.name
