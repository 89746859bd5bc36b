"""Which of many ordered items an alert can meet at all, found by one equality that each of them needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Sequence
from itertools import chain


class Index:
    """Items by one of their needs: a need is a set of facts of which an alert must have one.

    An item may have several needs; it is filed under the one whose facts the fewest items need. Items without a need
    are candidates always.
    """

    def __init__(self, items: Sequence[Sequence[Collection[Hashable]]]) -> None:
        needed = Counter(chain.from_iterable(chain.from_iterable(items)))
        self._always: list[int] = []
        self._by_fact: dict[Hashable, list[int]] = {}
        for position, needs in enumerate(items):
            if not needs:
                self._always.append(position)
                continue
            for fact in min(needs, key=lambda need: sum(needed[fact] for fact in need)):
                self._by_fact.setdefault(fact, []).append(position)

    def candidates(self, *facts: Iterable[Hashable]) -> list[int]:
        """Positions, in order, of the items that can be met by one who has these facts; no other can."""
        by_fact = self._by_fact
        found = self._always.copy()
        for several in facts:
            for fact in several:
                if fact in by_fact:
                    found += by_fact[fact]
        found.sort()
        return found
