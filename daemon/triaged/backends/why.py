"""Why the severity, folded away in the issue: the rules with what they set, the sum, the growth, the keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from triaged.backends.guidance import page_of
from triaged.backends.text import NOTHING, code, prose, table
from triaged.core import wording
from triaged.core.model import Key, Severity, Tried
from triaged.core.trace import DEFAULT, Arithmetic, Grows
from triaged.ports.backend import Report, Why

MOST_RULES = 10
MOST_GROWING = 5
MOST_PAIRS = 8


def why(report: Report) -> str:
    """The whole section; "" where nothing is known of how it was judged."""
    known, incident = report.why, report.incident
    if known is None:
        return ""
    parts = [f"<details>\n<summary>Why {called(incident.judged)}?</summary>", _sum(known.arithmetic)]
    if known.arithmetic.severity is not incident.judged:
        rules = _names(incident.matched) if incident.matched else DEFAULT
        parts.append(f"Judged {called(incident.judged)} earlier, by {rules}; the daemon never lowers it.")
    if known.rules:
        parts.append(table(("Rule", "Sets", "Because"), map(_row, known.rules[:MOST_RULES])))
    if len(known.rules) > MOST_RULES:
        parts.append(f"… and {wording.count(len(known.rules) - MOST_RULES, 'more rule')}.")
    parts += ["\n".join(lines)] if (lines := [*_growing(known.growing), *_key(known)]) else []
    tried = f"{code(f'triaged explain {incident.name}')} or {page_of(report)}"
    parts += [f"Rules {code(known.rule_set[:12])}. Every rule that was tried: {tried}.", "</details>"]
    return "\n\n".join(parts)


def called(severity: Severity) -> str:
    """`Sev-1`: as people write it."""
    return f"Sev-{severity.rank + 1}"


def _sum(sum_: Arithmetic) -> str:
    told = f"Impact **{sum_.impact}** ({_by(sum_.impact_by)}) × urgency **{sum_.urgency}** ({_by(sum_.urgency_by)})"
    told += f" = **{called(sum_.cell)}**"
    if sum_.at_most is None:
        return told
    return f"{told}, at most {called(sum_.at_most)} ({_by(sum_.at_most_by)}): **{called(sum_.severity)}**"


def _by(names: tuple[str, ...]) -> str:
    return _names(names) if names else DEFAULT


def _names(names: Iterable[str]) -> str:
    return wording.listing([code(name, most=80) for name in names], most=5)


def _row(one: Tried) -> tuple[str, str, str]:
    return code(one.rule, most=80), _sets(one.sets) or NOTHING, prose(one.because, most=200) or NOTHING


def _sets(sets: Mapping[str, str]) -> str:
    return ", ".join(f"{prose(name.replace('_', ' '))} {code(value, most=80)}" for name, value in sets.items())


def _growing(growing: tuple[Grows, ...]) -> Iterator[str]:
    for one in growing[:MOST_GROWING]:
        because = f": {prose(one.because, most=200)}" if one.because else ""
        begins = "Grew" if one.held else "Grows"
        yield f"- {begins} to {_sets(one.sets)} at {prose(one.when, most=200)} ({code(one.name, most=80)}){because}"
    if len(growing) > MOST_GROWING:
        yield f"- … and {wording.count(len(growing) - MOST_GROWING, 'more condition')}"


def _key(known: Why) -> Iterator[str]:
    for key in known.keys:
        yield f"- Alerts belong here by {_pairs(key)}"
    if known.keys_left_out > 0:
        yield f"- … and by {wording.count(known.keys_left_out, 'more key')}"


def _pairs(key: Key) -> str:
    pairs = [code(f"{name}={value}", most=80) for name, value in key.pairs]
    return wording.listing(pairs, most=MOST_PAIRS).replace(", ", " ")
