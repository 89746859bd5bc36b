"""A failed test in words: what was expected and what came, the rules that led there, the timeline so far."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Final

from triaged.core import wording
from triaged.core.model import Tried
from triaged.core.rule import Rule
from triaged.core.rules import RuleSet
from triaged.core.trace import arithmetic, growing, in_words, pairs, trace
from triaged.replay.ruletests import wording as said
from triaged.replay.ruletests.cases import Case
from triaged.replay.ruletests.outcomes import Failure, Judged

MOST_ALERTS: Final = 3
MOST_NEAR: Final = 8
MOST_ENTRIES: Final = 40


def told(case: Case, failure: Failure, rules: RuleSet) -> Iterator[str]:
    """The failure line by line; what was expected first, each with its place."""
    step = failure.step
    yield f"{said.offset(step.at, case.start)} after the start, at {wording.instant(step.at)}:"
    for problem in sorted(failure.problems, key=lambda problem: (problem.place.line, problem.place.column)):
        yield f"  {problem.place}: {problem.text}"
    asked = {name for want in step.wants if want.name == "matched" for name in _names(want.value)}
    grown = failure.incident.grown if failure.incident is not None else ()
    for judged in failure.alerts[: -MOST_ALERTS - 1 : -1]:
        yield ""
        yield from _alert(judged, rules, asked, grown)
    if len(failure.alerts) > MOST_ALERTS:
        yield f"… and {wording.count(len(failure.alerts) - MOST_ALERTS, 'alert')} that fired before"
    if failure.incident is not None:
        yield ""
        yield f"{failure.incident.name} so far:"
        yield from _timeline(failure, case.start)


def _names(value: object) -> Collection[str]:
    return value if isinstance(value, tuple) else ()


def _timeline(failure: Failure, start: datetime) -> Iterator[str]:
    entries = failure.timeline
    if len(entries) > MOST_ENTRIES:
        yield f"  … {wording.count(len(entries) - MOST_ENTRIES, 'entry')} before"
    for at, text in entries[-MOST_ENTRIES:]:
        yield f"  {said.offset(at, start):>8}  {text}"


def _alert(judged: Judged, rules: RuleSet, asked: Collection[str], grown: Collection[str]) -> Iterator[str]:
    """The rules that one alert met, those that it nearly met or was expected to, and what came of it."""
    found = trace(rules, judged.alert, judged.at)
    yield f"{said.in_words(judged.alert.labels)}"
    by_name = {rule.name: rule for rule in rules.rules}
    near = 0
    for tried in found.tried:
        if tried.matched:
            sets = ", ".join(f"{name}: {value}" for name, value in tried.sets.items())
            yield f"  + {tried.rule}  {sets}"
        elif tried.rule in asked or _is_near(tried, by_name[tried.rule]):
            near += 1
            if near <= MOST_NEAR or tried.rule in asked:
                saw = f", saw {tried.saw!r}" if tried.saw else ""
                yield f"  - {tried.rule}  {tried.failed}{saw}"
    verdict = found.verdict
    if verdict.unmatched:
        yield "  no rule matched, so the defaults hold"
    if verdict.dropped is not None:
        yield f"  dropped   {verdict.dropped}"
    yield f"  severity  {in_words(arithmetic(rules, verdict, grown))}"
    yield f"  key       {pairs(verdict.key)}"
    for growth in growing(rules, verdict, grown):
        yield f"  {'grew      ' if growth.held else 'may grow  '}{growth.name}: {growth.when}"


def _is_near(tried: Tried, rule: Rule) -> bool:
    """Whether something of the rule held: what fails at its first condition is about something else."""
    first = next(iter(rule.match), None)
    return first is not None and bool(tried.failed) and tried.failed != first.text and not _untried(tried)


def _untried(tried: Tried) -> bool:
    return tried.failed.startswith("not tried")
