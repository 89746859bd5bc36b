"""Which of many ordered items an alert can meet at all, found by one condition that each of them needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from triaged.core.matchers import several

LONGEST = 512
"""Characters up to which it is remembered what a value meets."""
MOST = 32_768
"""How many values are remembered for a name before all are forgotten."""
TRIED_OFTEN = 8
"""A pattern is asked once for a value, an item that is found by an equality at every alert: so much more it costs."""
MANY = 16
"""From so many patterns on that begin alike they are asked together."""


class Condition(Protocol):
    """A test of a value: `values` are all that it can match, else each that it matches has one of its `prefixes`.

    With `prefixes` it is a regex, and `value` its pattern.
    """

    @property
    def value(self) -> str: ...
    @property
    def values(self) -> frozenset[str] | None: ...
    @property
    def prefixes(self) -> frozenset[str] | None: ...
    @property
    def matches(self) -> Callable[[str], bool]: ...


Name = str | tuple[str, str]
Need = tuple[Name, Condition]
"""A name of which an alert must have a value that meets the condition."""


class Sieve:
    """Items by one of their needs: the one that the fewest items share. Items without a need are candidates always.

    Safe to share between threads: what it remembers changes no answer.
    """

    def __init__(self, items: Sequence[Sequence[Need]]) -> None:
        shared = Counter((name, fact) for needs in items for name, condition in needs for fact in _facts(condition))
        self._always: list[int] = []
        self._names: dict[Name, _Name] = {}
        for position, needs in enumerate(items):
            if not needs:
                self._always.append(position)
                continue
            costs = [
                _cost(condition, sum(shared[name, fact] for fact in _facts(condition))) for name, condition in needs
            ]
            name, condition = needs[costs.index(min(costs))]
            self._names.setdefault(name, _Name()).file(condition, position)
        for named in self._names.values():
            named.filed()

    def candidates(self, *facts: Iterable[tuple[Name, str]]) -> list[int]:
        """Positions, in order, of the items that can be met by one who has these values of names; no other can."""
        names = self._names
        found = self._always.copy()
        for group in facts:
            for name, value in group:
                if name in names:
                    found += names[name].met_by(value)
        # Of a name with several values an item may need more than one.
        return sorted(set(found))


class _Name:
    """The items that are filed under one name."""

    def __init__(self) -> None:
        self._equal: dict[str, list[int]] = {}
        self._begins: dict[str, list[tuple[Condition, int]]] = {}
        self._asked: dict[str, Callable[[str], Iterable[int]]] = {}
        self._lengths: tuple[int, ...] = ()
        self._met: dict[str, list[int]] = {}

    def file(self, condition: Condition, position: int) -> None:
        for value in condition.values or ():
            self._equal.setdefault(value, []).append(position)
        for prefix in condition.prefixes or ():
            self._begins.setdefault(prefix, []).append((condition, position))

    def filed(self) -> None:
        """All are there: prepare to be asked."""
        self._lengths = tuple({len(prefix) for prefix in self._begins})
        self._asked = {prefix: _together(filed) for prefix, filed in self._begins.items()}

    def met_by(self, value: str) -> Sequence[int]:
        if not self._lengths:
            return self._equal.get(value, ())
        found = self._met.get(value)
        if found is None:
            found = self._equal.get(value, []).copy()
            for length in self._lengths:
                asked = self._asked.get(value[:length])
                if asked is not None:
                    found += asked(value)
            if len(value) <= LONGEST:
                if len(self._met) >= MOST:
                    self._met.clear()
                self._met[value] = found
        return found


def _together(filed: Sequence[tuple[Condition, int]]) -> Callable[[str], Iterable[int]]:
    """The positions of those that a value meets."""
    if len(filed) < MANY:
        return lambda value: [position for condition, position in filed if condition.matches(value)]
    matching = several(condition.value for condition, _ in filed)
    return lambda value: [filed[place][1] for place in matching(value)]


def _facts(condition: Condition) -> Iterable[tuple[str, str]]:
    if condition.values is not None:
        return [("=", value) for value in condition.values]
    return [("begins", prefix) for prefix in condition.prefixes or ()]


def _cost(condition: Condition, shared: int) -> float:
    return shared if condition.values is not None else 1 + shared / TRIED_OFTEN
