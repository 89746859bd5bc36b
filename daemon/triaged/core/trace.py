"""The trace of a verdict: each rule tried with the values that it saw, and the arithmetic of the severity."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import fields, replace

from triaged.core import wording
from triaged.core.growth import Growth
from triaged.core.matchers import Operator, written
from triaged.core.model import Alert, Impact, Key, Severity, Tried, Urgency, Verdict
from triaged.core.rule import Rule
from triaged.core.rules import RuleSet

DEFAULT = "the default"
LONGEST_SAW = 200
"""Of a value that a rule saw so many characters are told: there may be thousands of rules."""
_UNTOLD = frozenset({"because", "growing"})


class Trace(Struct, frozen=True, kw_only=True):
    """A verdict with every rule in order; of those that matched, `held` tells the conditions too."""

    verdict: Verdict
    tried: tuple[Tried, ...]


class Arithmetic(Struct, frozen=True, kw_only=True):
    """How the severity came about: impact × urgency is a cell of the matrix, and `at_most` limits it.

    The `_by` are the rules and the growth conditions (`rule#0` is its first) that set it; none: the default holds.
    """

    impact: Impact
    impact_by: tuple[str, ...]
    urgency: Urgency
    urgency_by: tuple[str, ...]
    cell: Severity
    at_most: Severity | None
    at_most_by: tuple[str, ...]
    severity: Severity


class Grows(Struct, frozen=True, kw_only=True):
    """A growth condition of a rule that matched: what it waits for, in words, and what the incident becomes by it.

    `name` is its place in these rules, for people; `ref` names it in the store.
    """

    name: str
    ref: str
    when: str
    sets: Mapping[str, str]
    because: str
    held: bool


class Difference(Struct, frozen=True, kw_only=True):
    """What two verdicts say differently, in words; "" where one says nothing."""

    of: str
    then: str
    now: str


def trace(rules: RuleSet, alert: Alert, now: datetime) -> Trace:
    """What the rules say of the alert at `now` (aware), with all that led there; tries every rule."""
    verdict, tried = rules.explain(alert, now)
    facts = rules.catalogue.facts_of(verdict.service)
    matching = {rule.name: rule for rule in rules.rules if rule.name in verdict.matched}
    told = []
    for one in tried:
        conditions = _conditions(matching[one.rule], alert, facts) if one.matched else ()
        held = tuple([(condition, _cut(saw)) for condition, saw in conditions])
        told.append(replace(one, saw=_cut(one.saw), held=held))
    return Trace(verdict=verdict, tried=tuple(told))


def matched(rules: RuleSet, verdict: Verdict) -> tuple[Tried, ...]:
    """The rules that led to their verdict, in order, with what each sets: without the alert, so without conditions."""
    by_name = {rule.name: rule for rule in rules.rules if rule.name in verdict.matched}
    return tuple(
        Tried(rule=name, matched=True, sets=by_name[name].sets(), because=by_name[name].because)
        for name in verdict.matched
        if name in by_name
    )


def arithmetic(rules: RuleSet, verdict: Verdict, held: Collection[str] = ()) -> Arithmetic:
    """How these rules came to the severity of their verdict, made graver by the growth conditions in `held`."""
    matched = [rule for rule in rules.rules if rule.name in verdict.matched]
    growths = [(name, growth) for name, growth in _growths(rules, verdict) if growth.ref in held]
    grown = rules.grown(verdict, held)
    setting = [(rule.name, rule.impact, rule.urgency) for rule in matched]
    setting += [(name, growth.impact, growth.urgency) for name, growth in growths]
    return Arithmetic(
        impact=grown.impact,
        impact_by=tuple([name for name, impact, _ in setting if impact is grown.impact]),
        urgency=grown.urgency,
        urgency_by=tuple([name for name, _, urgency in setting if urgency is grown.urgency]),
        cell=rules.matrix[grown.impact][grown.urgency],
        at_most=grown.at_most,
        at_most_by=tuple([rule.name for rule in matched if rule.at_most and rule.at_most is grown.at_most]),
        severity=grown.severity,
    )


def growing(rules: RuleSet, verdict: Verdict, held: Collection[str] = ()) -> tuple[Grows, ...]:
    """The growth conditions of the verdict's rules; `held` are the references of those that have held."""
    return tuple(
        Grows(
            name=name,
            ref=growth.ref,
            when=", ".join(_minimums(growth)),
            sets={n: str(v) for n, v in (("impact", growth.impact), ("urgency", growth.urgency)) if v is not None},
            because=growth.because,
            held=growth.ref in held,
        )
        for name, growth in _growths(rules, verdict)
    )


def differences(then: Verdict, now: Verdict) -> tuple[Difference, ...]:
    """What the two verdicts say differently, but for the reasons in words; one that drops says nothing else."""
    names = [field.name for field in fields(Verdict) if field.name not in _UNTOLD]
    if (then.dropped is None) != (now.dropped is None):
        names = ["dropped"]
    found = []
    for name in names:
        old, new = getattr(then, name), getattr(now, name)
        if old != new:
            found.append(Difference(of=name, then=_words(old), now=_words(new)))
    return tuple(found)


def in_words(sum_: Arithmetic) -> str:
    """`impact extensive (rule a) × urgency high (the default) = sev1, at most sev4 (rule b): sev4`."""
    told = f"impact {sum_.impact} ({by(sum_.impact_by)}) × urgency {sum_.urgency} ({by(sum_.urgency_by)}) = {sum_.cell}"
    return told if sum_.at_most is None else f"{told}, at most {sum_.at_most} ({by(sum_.at_most_by)}): {sum_.severity}"


def by(names: Collection[str]) -> str:
    """`rule a`, `rules a, b`; what holds where no rule sets it."""
    if not names:
        return DEFAULT
    return f"{'rule' if len(names) == 1 else 'rules'} {wording.listing(list(names), most=5)}"


def pairs(key: Key) -> str:
    """`service="checkout", cluster="eu-1"`."""
    return ", ".join(written(name, Operator.EQUAL, value) for name, value in key.pairs)


def _conditions(rule: Rule, alert: Alert, facts: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    """The conditions of a rule that matched, in the order in which they are tried, with the values that they saw."""
    if rule.until is not None:
        yield f"until {rule.until - timedelta(days=1):%Y-%m-%d}", "not over"
    for matcher in rule.match:
        yield matcher.text, alert.labels.get(matcher.name, "")
    for matcher in rule.service:
        yield f"service {matcher.text}", ", ".join(facts[matcher.name])
    for matcher in rule.source:
        yield f"source {matcher.text}", alert.source
    for matcher in rule.annotations:
        yield f"annotation {matcher.text}", alert.annotations.get(matcher.name, "")
    if rule.during is not None:
        yield f"during {rule.during}", "open"
    if rule.outside is not None:
        yield f"outside {rule.outside}", "closed"


def _cut(value: str) -> str:
    return value if len(value) <= LONGEST_SAW else f"{value[: LONGEST_SAW - 1]}…"


def _growths(rules: RuleSet, verdict: Verdict) -> Iterator[tuple[str, Growth]]:
    matching = (rule for rule in rules.rules if rule.grows and rule.name in verdict.matched)
    return ((name, growth) for rule in matching for name, growth in rule.growths() if growth.ref in verdict.growing)


def _minimums(growth: Growth) -> Iterator[str]:
    if growth.alerts is not None:
        yield wording.count(growth.alerts, "alert")
    for label, wanted in growth.distinct.items():
        yield f"{wanted} different values of {label}"
    if growth.firing_for is not None:
        yield f"firing for {wording.span(growth.firing_for)}"
    if growth.refires is not None:
        yield f"{wording.count(growth.refires.count, 'refire')} within {wording.span(growth.refires.within)}"


def _words(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case timedelta():
            return wording.span(value)
        case Key():
            return pairs(value)
        case tuple():
            return ", ".join(map(str, value))
        case _:
            return str(value)
