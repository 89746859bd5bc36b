"""A rule set beside the files that it was read from, for whoever has something to say of a line in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from triaged.core.rules import RuleSet
from triaged.core.sla import Policy
from triaged.rulefiles.names import Names
from triaged.rulefiles.values import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A rule set with the files that it was read from; the names know what was used of them."""

    roots: Mapping[str, Value]
    rules: RuleSet
    policy: Policy
    calendars: Names
    teams: Names
    people: Names

    def entries(self, file: str, *path: str) -> Mapping[str, tuple[Value, Value]]:
        """Key and value of each entry of the mapping at that path."""
        value = self.roots.get(file)
        for name in path:
            value = value and value.below(name)
        return {} if value is None else {key.word: (key, inner) for key, inner in value.entries()}

    def rule_values(self) -> list[Value]:
        """Where each rule stands."""
        rules = self.roots["triage.yaml"].below("rules")
        return rules.items() if rules else []
