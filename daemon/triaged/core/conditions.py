"""What conditions on alerts forbid or imply together: proven, or not claimed."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from triaged.core.index import Index
from triaged.core.matchers import Matcher, Operator
from triaged.core.rule import Rule

Subject = tuple[str, str]
"""What is looked at: a kind (`label`, `annotation`, `source`, `service`) and a name."""
Conditions = Mapping[Subject, tuple[Matcher, ...]]
Limits = Mapping[Subject, Sequence[frozenset[str]]]
SEVERAL = (("service", "functions"), ("service", "depends_on"))
"""Subjects with several values at once: =, =~ ask any of them, !=, !~ all."""
POSITIVE = (Operator.EQUAL, Operator.REGEX)
MOST_COMPARED = 30
"""Matchers on one subject among which a pair is looked for; more are told together."""
MOST_TRIED = 200_000
"""Values times matchers up to which it is tried which values are left: beyond, nothing is claimed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """Matchers on one subject that no value can meet together."""

    subject: Subject
    matchers: tuple[Matcher, ...]


def of_labels(matchers: Iterable[Matcher]) -> Conditions:
    """Matchers on labels by what they look at."""
    return _grouped(("label", matcher) for matcher in matchers)


def of_rule(rule: Rule) -> Conditions:
    """All matchers of a rule by what they look at; calendars and dates are left out."""
    kinds = (
        ("label", rule.match),
        ("annotation", rule.annotations),
        ("source", rule.source),
        ("service", rule.service),
    )
    return _grouped((kind, matcher) for kind, matchers in kinds for matcher in matchers)


def clash(conditions: Conditions, domains: Mapping[Subject, Collection[str]]) -> Clash | None:
    """The fewest matchers that can be shown to hold for no value; None where nothing is proven.

    `domains` are all the values that some subjects can have.
    """
    for subject, matchers in conditions.items():
        domain = domains.get(subject)
        if _impossible(subject, matchers, domain):
            few = matchers[:MOST_COMPARED]
            fewest = (*combinations(few, 1), *combinations(few, 2), matchers)
            shown = next(some for some in fewest if _impossible(subject, some, domain))
            return Clash(subject=subject, matchers=shown)
    return None


class Entries:
    """What entries of a catalogue say of themselves, to ask which of them meet matchers together."""

    def __init__(self, entries: Iterable[Mapping[str, Collection[str]]]) -> None:
        self._having: dict[str, dict[str, int]] = {}
        """For each fact and value the entries that have it: one bit each."""
        self._all = 0
        for at, facts in enumerate(entries):
            self._all |= 1 << at
            for fact, values in facts.items():
                having = self._having.setdefault(fact, {})
                for value in values:
                    having[value] = having.get(value, 0) | 1 << at
        self._known: dict[Matcher, int] = {}

    def parted(self, matchers: Sequence[Matcher]) -> tuple[Matcher, ...] | None:
        """The fewest of the matchers that no entry meets together; None where one meets all of them."""
        if self._meeting(matchers):
            return None
        fewest = combinations(matchers[:MOST_COMPARED], 2)
        return next((pair for pair in fewest if not self._meeting(pair)), tuple(matchers))

    def _meeting(self, matchers: Iterable[Matcher]) -> int:
        found = self._all
        for matcher in matchers:
            if matcher not in self._known:
                self._known[matcher] = self._meeting_one(matcher)
            found &= self._known[matcher]
        return found

    def _meeting_one(self, matcher: Matcher) -> int:
        positive = matcher.operator in POSITIVE
        found = 0
        for value, having in self._having[matcher.name].items():
            if matcher.matches(value) is positive:
                found |= having
        return found if positive else self._all & ~found


def hidden(conditions: Sequence[Conditions], hiding: Collection[int]) -> dict[int, int]:
    """Positions of items that never have their turn, each with the first earlier item that sees to it.

    `hiding` are the positions after which nothing is tried where the item's conditions hold.
    """
    limits = [_limits(item) for item in conditions]
    index = Index([_needs(conditions[at]) if at in hiding else [()] for at in range(len(conditions))])
    found: dict[int, int] = {}
    for later, item in enumerate(conditions):
        for earlier in index.candidates(_facts(item, limits[later])):
            if earlier >= later:
                break
            if _implies(item, limits[later], conditions[earlier]):
                found[later] = earlier
                break
    return found


def _grouped(asked: Iterable[tuple[str, Matcher]]) -> Conditions:
    grouped: dict[Subject, list[Matcher]] = {}
    for kind, matcher in asked:
        grouped.setdefault((kind, matcher.name), []).append(matcher)
    return {subject: tuple(matchers) for subject, matchers in grouped.items()}


def _impossible(subject: Subject, matchers: Sequence[Matcher], domain: Collection[str] | None) -> bool:
    if subject in SEVERAL:
        return _impossible_for_several(matchers, domain)
    candidates = _candidates(matchers, domain)
    return candidates is not None and not candidates


def _impossible_for_several(matchers: Sequence[Matcher], domain: Collection[str] | None) -> bool:
    """Whether some matcher asks for a value that the domain does not have, or that another one forbids for all."""
    forbidding = [matcher for matcher in matchers if matcher.operator not in POSITIVE]
    for matcher in matchers:
        if matcher.operator in POSITIVE:
            candidates = _candidates((matcher, *forbidding), domain)
            if candidates is not None and not candidates:
                return True
    return False


def _candidates(matchers: Sequence[Matcher], domain: Collection[str] | None = None) -> frozenset[str] | None:
    """All values that meet the matchers, where they are known to be few."""
    finite = [matcher.values for matcher in matchers if matcher.values is not None]
    values = min(finite, key=len) if finite else domain
    if values is None or len(values) * len(matchers) > MOST_TRIED:
        return None
    return frozenset(
        value
        for value in values
        if (domain is None or value in domain) and all(matcher.matches(value) for matcher in matchers)
    )


def _limits(conditions: Conditions) -> Limits:
    """For each subject that is limited to few values: these, or several sets of which each has one that it needs."""
    limits = {}
    for subject, matchers in conditions.items():
        asked = (
            [m.values for m in matchers if m.operator in POSITIVE] if subject in SEVERAL else [_candidates(matchers)]
        )
        limits[subject] = [values for values in asked if values]
    return limits


def _implies(item: Conditions, limits: Limits, other: Conditions) -> bool:
    """Whether everything that meets `item` is known to meet `other`."""
    return all(
        _implied(subject, item.get(subject, ()), limits.get(subject, ()), wanted)
        for subject, matchers in other.items()
        for wanted in matchers
    )


def _implied(subject: Subject, said: Sequence[Matcher], limits: Sequence[frozenset[str]], wanted: Matcher, /) -> bool:
    if wanted in said:
        return True
    if subject in SEVERAL and wanted.operator not in POSITIVE:
        return False
    return any(_all_meet(values, wanted) for values in limits)


def _all_meet(values: frozenset[str], wanted: Matcher) -> bool:
    return values <= wanted.values if wanted.values is not None else all(map(wanted.matches, values))


def _needs(conditions: Conditions) -> list[list[Hashable]]:
    """What an item must have for these conditions to be implied by its own (see Index): facts of `_facts`."""
    needs: list[list[Hashable]] = []
    for subject, matchers in conditions.items():
        for matcher in matchers:
            if matcher.values is not None:
                needs.append([("one of", subject, value) for value in matcher.values])
            else:
                needs.append([("says", subject, matcher.operator, matcher.value), ("few", subject)])
    return needs


def _facts(conditions: Conditions, limits: Limits) -> Iterator[Hashable]:
    """What an item says, and one of the values to which it limits each subject."""
    for subject, matchers in conditions.items():
        for matcher in matchers:
            yield ("says", subject, matcher.operator, matcher.value)
        for values in limits[subject]:
            yield ("few", subject)
            yield ("one of", subject, min(values))
