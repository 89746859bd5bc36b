"""The names that one file gives and others use: which exist, and which were asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator


class Names(Collection[str]):
    """Names of one sort; `used` are those of them that were asked for.

    None stands for the names of a file that cannot be read: none of them is unknown, so that one mistake is told once.
    """

    def __init__(self, names: Iterable[str] | None) -> None:
        self._readable = names is not None
        self._names = dict.fromkeys(names or ())
        self.used: set[str] = set()

    def __contains__(self, name: object) -> bool:
        if name in self._names:
            self.used.add(str(name))
        return not self._readable or name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
