"""Which rules and growth conditions the tests met, and where those stand that none did."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from triaged.core.rules import RuleSet
from triaged.errors import Finding
from triaged.replay.ruletests.outcomes import Result
from triaged.rulefiles.marks import Items, Node, Scalar, Table, compose


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How many rules and growth conditions there are, and the names of those that no test met, in their order."""

    rules: int
    growths: int
    rules_left: tuple[str, ...]
    growths_left: tuple[str, ...]

    @property
    def share(self) -> float:
        """The share that was met, 0 to 1; of nothing all was."""
        all_ = self.rules + self.growths
        return 1.0 if not all_ else 1 - (len(self.rules_left) + len(self.growths_left)) / all_

    @property
    def percent(self) -> str:
        """The share rounded down: 100 % are all."""
        return f"{math.floor(self.share * 1_000) / 10:g} %"


def coverage(rules: RuleSet, results: Iterable[Result]) -> Coverage:
    """What these tests met: a rule that an alert matched, a growth condition that held."""
    matched: set[str] = set()
    grown: set[str] = set()
    for result in results:
        matched |= result.matched
        grown |= result.grown
    growths = [named for rule in rules.rules for named in rule.growths()]
    return Coverage(
        rules=len(rules.rules),
        growths=len(growths),
        rules_left=tuple(rule.name for rule in rules.rules if rule.name not in matched),
        growths_left=tuple(name for name, growth in growths if growth.ref not in grown),
    )


def lines(triage: str) -> dict[str, int]:
    """The line of each rule by its name, and of each growth condition by its own (`rule#0`), in a valid triage.yaml."""
    findings: list[Finding] = []
    return dict(_lines(compose("triage.yaml", triage, findings)))


def _lines(root: Node | None) -> Iterator[tuple[str, int]]:
    for rule in _items(root, "rules"):
        name = _below(rule, "name")
        if isinstance(name, Scalar):
            yield name.text, rule.line
            yield from ((f"{name.text}#{n}", growth.line) for n, growth in enumerate(_items(rule, "grows")))


def _items(node: Node | None, key: str) -> tuple[Node, ...]:
    found = _below(node, key)
    return found.items if isinstance(found, Items) else ()


def _below(node: Node | None, key: str) -> Node | None:
    entries = node.entries if isinstance(node, Table) else ()
    return next((value for name, value in entries if name.text == key), None)
