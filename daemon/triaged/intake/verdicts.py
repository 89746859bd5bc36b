"""What the writer remembers of verdicts and files. It only saves work: it may be forgotten at any time."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import msgspec

from triaged.core.model import Verdict
from triaged.core.rules import RuleSet

MOST: Final = 100_000

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Verdict).decode


class Verdicts:
    """`kept` are ids of verdicts and files that are in the store, `growing` the growth conditions of a verdict's id."""

    def __init__(self) -> None:
        self.kept: set[str] = set()
        self.growing: dict[str, tuple[str, ...]] = {}
        self._ids: dict[int, tuple[Verdict, str]] = {}
        self._grown: dict[tuple[int, tuple[str, ...]], tuple[Verdict, Verdict]] = {}

    def id(self, verdict: Verdict, rule_set: str) -> str:
        """The id under which this verdict of that rule set is stored."""
        # Rules give one value for alerts alike: it is known again by identity, and held so that this stays its own.
        found = self._ids.get(id(verdict))
        if found is None:
            digest = blake2b(encode(verdict) + rule_set.encode(), digest_size=16).hexdigest()
            found = self._ids[id(verdict)] = (verdict, digest)
        return found[1]

    def grown(self, verdict: Verdict, held: tuple[str, ...], rules: RuleSet) -> Verdict:
        """The verdict as these growth conditions make it; `rules` are the ones in force."""
        found = self._grown.get((id(verdict), held))
        if found is None:
            found = self._grown[id(verdict), held] = (verdict, rules.grown(verdict, held))
        return found[1]

    def bound(self) -> None:
        for memory in (self.growing, self.kept, self._ids, self._grown):
            if len(memory) > MOST:
                memory.clear()

    def forget(self) -> None:
        """Other rules judge from now on."""
        self.kept.clear()
        self._ids.clear()
        self._grown.clear()
