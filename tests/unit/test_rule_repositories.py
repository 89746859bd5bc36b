"""Repositories that the rules name are held against the configuration."""

from __future__ import annotations

import pytest

from building import incident, rule_files
from triaged.ports.backend import Places
from triaged.rulefiles import unlisted
from triaged.rulefiles.folder import read

TRIAGE = """
matrix:
  extensive:   [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate:    [sev2, sev3, sev3, sev4]
  minor:       [sev3, sev3, sev4, sev4]
default: {impact: minor, urgency: high, category: error, team: pay}
key: [alertname]
rules:
- {name: first, match: ['a="b"'], repository: acme/frist}
- {name: second, match: ['a="c"']}
"""
SERVICES = """
services:
  shop: {team: pay, repository: acme/shop}
  web: {team: pay}
teams:
  pay: {repository: Acme/Pay}
"""


def told(*listed: str) -> list[str]:
    sheet = read({**rule_files().files, "triage.yaml": TRIAGE, "services.yaml": SERVICES}).sheet
    places = Places(common="acme/first", listed=listed)
    return [str(finding) for finding in unlisted(sheet, places.allows, ["acme/first", *listed])]


def test_a_repository_that_is_not_allowed_is_told_at_its_place_with_the_nearest() -> None:
    rule, service = told("acme/pay", *(f"other/number-{number}" for number in range(12)))
    assert rule.startswith("triage.yaml:10:47: rules[0].repository: expected one of the repositories of the config")
    assert "other/number-5 or 4 more, got 'acme/frist'; did you mean acme/first?" in rule
    assert service.startswith("services.yaml:3:33: services.shop.repository: ")


@pytest.mark.parametrize("listed", [(), ("ACME/*",), ("acme/frist", "acme/shop", "acme/pay")])
def test_what_is_allowed_by_name_or_owner_or_where_nothing_is_listed_is_not_told(listed: tuple[str, ...]) -> None:
    assert told(*listed) == []


def test_the_common_and_the_restricted_repository_are_always_allowed() -> None:
    places = Places(common="acme/incidents", restricted="acme/secret", listed=("acme/pay",))
    allowed = ("acme/Incidents", "acme/secret", "acme/pay", "acme/shop", "acme", "acmes/pay")
    assert [places.allows(name) for name in allowed] == [True, True, True, False, False, False]


@pytest.mark.parametrize(
    ("repository", "restricted", "place"),
    [("acme/pay", False, "acme/pay"), ("acme/shop", False, "acme/incidents"), (None, False, "acme/incidents")],
)
def test_an_issue_goes_to_the_common_repository_where_its_own_is_allowed_no_more(
    repository: str | None, restricted: bool, place: str
) -> None:
    places = Places(common="acme/incidents", listed=("acme/pay",))
    assert places.of(incident(repository=repository, restricted=restricted)) == place
