"""The labels of `triaged github setup`: all that issues get, in colours that everybody can tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import pairwise

import pytest

from building import issue
from triaged import defaults, rulefiles
from triaged.backends.github import labels, reports, templates
from triaged.backends.github.wire import NewLabel
from triaged.core.model import Category, Severity
from triaged.core.rules import RuleSet

SHIPPED = rulefiles.load(defaults.RULES, today=date(2026, 11, 24)).rules
# How much of red, green and blue reaches the red and green of who lacks one sort of cones: Machado, Oliveira,
# Fernandes: A Physiologically-based Model for Simulation of Color Vision Deficiency (2009), severity 1.0.
SIGHTS = {
    "all": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
    "none": ((0.2126, 0.7152, 0.0722),) * 3,
}


def light(colour: str, sight: Sequence[Sequence[float]] = SIGHTS["all"]) -> float:
    """The relative luminance, as WCAG 2 defines it, of a colour as that sight sees it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    seen = [max(0.0, min(1.0, sum(a * b for a, b in zip(row, linear, strict=True)))) for row in sight]
    return sum(a * b for a, b in zip((0.2126, 0.7152, 0.0722), seen, strict=True))


def contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def shipped() -> dict[str, NewLabel]:
    return {label.name: label for label in labels.labels_of(SHIPPED)}


@pytest.mark.parametrize("sight", SIGHTS)
def test_the_colours_of_severities_get_lighter_step_by_step_whoever_looks(sight: str) -> None:
    seen = [light(colour, SIGHTS[sight]) for colour, _ in labels.SEVERITIES.values()]
    assert list(labels.SEVERITIES) == list(Severity)
    assert all(graver < lighter and contrast(graver, lighter) > 1.7 for graver, lighter in pairwise(seen))


@pytest.mark.parametrize("label", shipped().values(), ids=lambda label: label.name)
def test_the_text_on_every_label_can_be_read(label: NewLabel) -> None:
    red, green, blue = (int(label.color[at : at + 2], 16) for at in (0, 2, 4))
    # GitHub's own style sheet: white text below this perceived lightness, black above.
    text = 1.0 if (red * 0.2126 + green * 0.7152 + blue * 0.0722) / 255 < 0.453 else 0.0
    assert contrast(light(label.color), text) >= 4.5


def test_every_label_is_one_that_github_takes() -> None:
    for label in shipped().values():
        assert 0 < len(label.name) <= 50
        assert 0 < len(label.description) <= 100
        assert "," not in label.name
    assert len({name.lower() for name in shipped()}) == len(shipped())


def test_severities_categories_teams_reports_and_what_rules_set_have_labels() -> None:
    expected = {f"severity: {severity}" for severity in Severity}
    expected |= {f"category: {category.replace('_', ' ')}" for category in Category}
    expected |= {f"team: {team}" for team in (*SHIPPED.teams, SHIPPED.default.team)}
    expected |= {reports.LABEL, *(label for rule in SHIPPED.rules for label in rule.labels)}
    assert expected == set(shipped())


def test_an_issue_gets_no_label_that_setup_does_not_make() -> None:
    for category in Category:
        for severity in Severity:
            assert set(issue(category=category, severity=severity).labels) <= set(shipped())


def test_labels_of_rules_tell_which_rules_set_them() -> None:
    rules = _with_labels({"db": ["database"], "db-slow": ["database", "slow, very"]})
    made = {label.name: label.description for label in labels.labels_of(rules)}
    assert made["database"] == "Set by the rules db, db-slow"
    assert made["slow very"] == "Set by rule db-slow"


def _with_labels(found: dict[str, list[str]]) -> RuleSet:
    lines = [
        f"- {{name: {name}, match: ['alertname=\"{name}\"'], labels: {[*names]}}}" for name, names in found.items()
    ]
    text = (defaults.RULES / "triage.yaml").read_text(encoding="utf-8")
    files = {path.name: path.read_text(encoding="utf-8") for path in defaults.RULES.glob("*.yaml")}
    head = text[: text.index("\nrules:")]
    triage = "\n".join([head, "rules:", *lines, ""])
    return rulefiles.read({**files, "triage.yaml": triage}, today=date(2026, 11, 24)).rules


# ---------------------------------------------------------------- templates


def test_a_template_of_ours_is_untouched_until_somebody_changes_a_letter() -> None:
    for text in templates.files().values():
        assert templates.is_untouched(text)
        assert templates.is_untouched(text.replace("\n", "\r\n"))
        assert not templates.is_untouched(text.replace("Summary", "Summery", 1))
        assert not templates.is_untouched("\n".join(text.split("\n")[2:]))


def test_a_template_begins_as_github_wants_it() -> None:
    form, markdown = templates.files().values()
    assert form.startswith("# triaged:sum ")
    assert markdown.startswith("---\n# triaged:sum ")
