"""Circles among things that need one another."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import islice


def circles(needs: Mapping[str, Collection[str]]) -> Iterator[list[str]]:
    """A circle for each need that closes one, as the names along it: the last of them needs the first.

    Every circle that there is holds one of these last needs, so that without them there would be none left.
    """
    done: set[str] = set()
    for start in needs:
        if start in done:
            continue
        path = {start: 0}
        left = [(start, iter(needs[start]))]
        while left:
            name, others = left[-1]
            other = next((other for other in others if other not in done), None)
            if other is None:
                left.pop()
                del path[name]
                done.add(name)
            elif other in path:
                yield [*islice(path, path[other], None)]
            else:
                path[other] = len(path)
                left.append((other, iter(needs.get(other, ()))))
