"""Repositories that the rules name, held against those that the configuration allows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from triaged.errors import Finding
from triaged.rulefiles.sheet import Sheet
from triaged.rulefiles.values import Value
from triaged.rulefiles.words import listed, nearest

_FILE = "services.yaml"
_SHOWN = 10


def unlisted(sheet: Sheet, allows: Callable[[str], bool], known: Collection[str]) -> Iterator[Finding]:
    """A finding for each repository of a rule, service or team that is not allowed, at its place in the file.

    `known` are the allowed ones in words.
    """
    for value in _named(sheet):
        if not allows(value.word):
            shown = sorted(known)
            more = [f"{len(shown) - _SHOWN:,} more"] if len(shown) > _SHOWN else []
            expected = f"one of the repositories of the configuration: {listed([*shown[:_SHOWN], *more])}"
            yield value.noted(f"expected {expected}, got {value.word!r}", nearest(value.word, known))


def _named(sheet: Sheet) -> Iterator[Value]:
    of_services = (value for key in ("services", "teams") for _, value in sheet.entries(_FILE, key).values())
    for entry in (*sheet.rule_values(), *of_services):
        value = entry.below("repository")
        if value is not None:
            yield value
