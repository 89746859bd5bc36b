"""Former rule sets and frozen policies by their hash, compiled again from the texts that the store keeps."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from triaged import rulefiles
from triaged.core.rules import RuleSet
from triaged.core.sla import Policy
from triaged.errors import ConfigError
from triaged.intake.units import Rules
from triaged.store import evidence
from triaged.store.reading import Reader

REMEMBERED: Final = 4

T = TypeVar("T")


class _Few(Generic[T]):
    """The values asked for last, by hash; None where there is none to be had, too. Thread-safe."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, T | None] = OrderedDict()
        self._one_at_a_time = threading.Lock()

    def get(self, digest: str, make: Callable[[], T | None]) -> T | None:
        with self._one_at_a_time:
            if digest not in self._known:
                self._known[digest] = make()
                if len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
            self._known.move_to_end(digest)
            return self._known[digest]


class Former:
    """What judged once: a set of thousands of rules takes seconds to compile, so few are remembered. Thread-safe."""

    def __init__(self) -> None:
        self._rule_sets: _Few[RuleSet] = _Few()
        self._policies: _Few[Policy] = _Few()

    def rule_set(self, reader: Reader, digest: str, *, current: Rules) -> RuleSet | None:
        """The rule set of that hash; None where its texts are not kept, or are no rules to this release."""
        if digest == current.rule_set.hash:
            return current.rule_set
        return self._rule_sets.get(digest, lambda: _rule_set(reader, digest))

    def policy(self, reader: Reader, digest: str, *, current: Rules) -> Policy:
        """The policy of that hash; the one in force where that cannot be had."""
        if digest == current.policy.hash:
            return current.policy
        return self._policies.get(digest, lambda: _policy(reader, digest)) or current.policy


def _rule_set(reader: Reader, digest: str) -> RuleSet | None:
    files = evidence.rule_set_files(reader, digest)
    try:
        return None if files is None else rulefiles.read(files).rules
    except ConfigError:
        return None


def _policy(reader: Reader, digest: str) -> Policy | None:
    files = reader.policy_files(digest)
    try:
        return None if files is None else rulefiles.read_policy(files)
    except ConfigError:
        return None
