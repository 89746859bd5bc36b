"""The labels that the daemon puts on issues, with the colours and descriptions that `triaged github setup` gives them.

Severity is told by brightness, dark to light, so that it can be told without seeing colours: four steps of the scale
OrRd of https://colorbrewer2.org. On each, GitHub's white or black text has a contrast of 4.5 at least.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from triaged.backends.github.reports import LABEL as REPORT
from triaged.backends.github.wire import NewLabel
from triaged.backends.text import clean, cut, label_name
from triaged.core.model import Category, Severity
from triaged.core.rules import RuleSet

LONGEST_DESCRIPTION: Final = 100
UNCHOSEN: Final = "ededed"
"""The colour that GitHub gives to a label that comes up with an issue: nobody chose it."""
TEAM, CATEGORY, RULE, REPORTED = "0550ae", "57606a", "d0d7de", "ddf4ff"
SEVERITIES: Final[Mapping[Severity, tuple[str, str]]] = {
    Severity.SEV1: ("7f0000", "Critical: complete outage, or a business critical function is unavailable"),
    Severity.SEV2: ("d7301f", "High: significant degradation, or critical features are unavailable"),
    Severity.SEV3: ("fc8d59", "Medium: degradation, with a way around it"),
    Severity.SEV4: ("fef0d9", "Low: a minor issue with minimal business impact"),
}
CATEGORIES: Final[Mapping[Category, str]] = {
    Category.OUTAGE: "It is not available at all",
    Category.DEGRADATION: "It works slowly, or only partly",
    Category.SECURITY: "A breach, or what may be one",
    Category.DATA_LOSS: "Data is lost or damaged",
    Category.ERROR: "It does something wrong",
    Category.CRITICAL_FUNCTION: "What the business lives on fails",
}


def labels_of(rules: RuleSet) -> tuple[NewLabel, ...]:
    """Every label that an issue may get by these rules; names that differ only in case are one, as on GitHub."""
    known: dict[str, NewLabel] = {}
    for label in (*_ours(rules), *_of_rules(rules)):
        if label.name:
            known.setdefault(label.name.lower(), label)
    return tuple(known.values())


def _ours(rules: RuleSet) -> Iterator[NewLabel]:
    for severity, (colour, words) in SEVERITIES.items():
        yield _label(f"severity: {severity}", colour, words)
    for category, words in CATEGORIES.items():
        yield _label(f"category: {category.replace('_', ' ')}", CATEGORY, words)
    for team in _teams(rules):
        yield _label(f"team: {team}", TEAM, f"Incidents that team {team} answers for")
    yield _label(REPORT, REPORTED, "Opened by somebody from the incident report template")


def _teams(rules: RuleSet) -> list[str]:
    """In the catalogue, the default one, and those that only a rule or a service names."""
    named: Iterable[str | None] = (
        *rules.teams,
        rules.default.team,
        *(service.team for service in rules.services.values()),
        *(rule.team for rule in rules.rules),
    )
    return sorted({team for team in named if team})


def _of_rules(rules: RuleSet) -> Iterator[NewLabel]:
    """With the names of the rules that set them: that is all that is known of what they mean."""
    setting: dict[str, list[str]] = {}
    for rule in rules.rules:
        for label in rule.labels:
            setting.setdefault(label, []).append(rule.name)
    for label, names in setting.items():
        words = f"rule {names[0]}" if len(names) == 1 else f"the rules {', '.join(names)}"
        yield _label(label, RULE, f"Set by {words}")


def _label(name: str, colour: str, words: str) -> NewLabel:
    return NewLabel(name=label_name(name), color=colour, description=cut(clean(words), LONGEST_DESCRIPTION))
