"""The warnings of `triaged check`: each at its own line, none of them false."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from triaged import defaults
from triaged.rulefiles import History, RuleFiles, load, read, unmet

FIXTURES = Path(__file__).parents[1] / "fixtures" / "rules" / "good" / "minimal"
MINIMAL = {path.name: path.read_text() for path in FIXTURES.iterdir()}
TODAY = date(2026, 11, 23)
CATALOGUE = """
services:
  shop: {match: ['app="shop"'], team: web, tier: 2, users: most, functions: [payment], depends_on: [db]}
  db: {match: ['job="db"'], team: platform}
teams: {web: {}, platform: {}}
"""


def read_with(*rules: str, services: str = CATALOGUE, calendars: str = "") -> RuleFiles:
    text = MINIMAL["triage.yaml"].replace("rules: []", "rules:\n" + "\n".join(rules or ["- {name: a}"]))
    return read({**MINIMAL, "triage.yaml": text, "services.yaml": services, "calendars.yaml": calendars}, today=TODAY)


def warned(*rules: str, services: str = CATALOGUE, calendars: str = "") -> list[str]:
    """The warnings as `line:column: message`, rules beginning in line 9, without their file and key."""
    files = read_with(*rules, services=services, calendars=calendars)
    return [str(finding).replace(f"{finding.path}: ", "").partition(":")[2] for finding in files.warnings]


def test_the_shipped_rules_leave_no_doubt() -> None:
    assert load(defaults.RULES, today=TODAY).warnings == ()


# ---------------------------------------------------------------- rules that can never match


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ("match: ['a=1', 'a=2']", '9:28: rule r can never match: no label `a` meets both a="1" and a="2"'),
        ("match: ['a=1,a=2']", '9:21: rule r can never match: no label `a` meets both a="1" and a="2"'),
        ("match: [a=1, b=2, 'a=~\"2|3\"']", '9:31: rule r can never match: no label `a` meets both a="1" and a=~"2|3"'),
        (
            "match: ['a=~\"1|2\"', a!=1, a!=2]",
            '9:39: rule r can never match: no label `a` meets a=~"1|2", a!="1", a!="2"',
        ),
        ("annotations: [a=1, a!=1]", '9:32: rule r can never match: no annotation `a` meets both a="1" and a!="1"'),
        (
            "source: [name=x, name=y]",
            '9:30: rule r can never match: no source meets both name="x" and name="y"',
        ),
        (
            "service: [name=shop, name=db]",
            '9:34: rule r can never match: no `name` of a service meets both name="shop" and name="db"',
        ),
        (
            "service: [name=shopp]",
            '9:23: rule r can never match name="shopp": no service in services.yaml has that; did you mean shop?',
        ),
        (
            "service: ['functions=~\"x\"']",
            '9:23: rule r can never match functions=~"x": no service in services.yaml has that',
        ),
        (
            "service: [users=few]",
            '9:23: rule r can never match users="few": no service in services.yaml has that',
        ),
        (
            "service: ['users=~\"some|few\"']",
            '9:23: rule r can never match users=~"some|few": no service in services.yaml has that',
        ),
        (
            "service: [revenue=true]",
            '9:23: rule r can never match revenue="true": no service in services.yaml has that',
        ),
        (
            "service: [tier=9, users=most]",
            '9:23: rule r can never match tier="9": no service in services.yaml has that',
        ),
        (
            "service: [revenue=false, users=most, team=platform]",
            '9:50: rule r can never match: no service in services.yaml has users="most", team="platform" together',
        ),
        (
            "service: [name=db, 'functions!=\"\"']",
            '9:32: rule r can never match: no service in services.yaml has name="db", functions!="" together',
        ),
        ("service: [tier=12]", '9:23: rule r can never match tier="12": `tier` is 1, 2, 3, 4, 5, 6, 7, 8 or 9'),
        (
            "service: [users=mots]",
            '9:23: rule r can never match users="mots": `users` is most, many, some or few; did you mean most?',
        ),
        ("service: [users=lots]", '9:23: rule r can never match users="lots": `users` is most, many, some or few'),
        ("service: [revenue=yes]", '9:23: rule r can never match revenue="yes": `revenue` is true or false'),
        ("during: always, outside: always", "9:38: rule r can never match: always is always open"),
        ("during: office, outside: office", "9:38: rule r can never match: it asks for `during` office, too"),
        (
            "during: sale",
            "9:21: rule r can match no more: calendar sale had its last open time on 2026-11-19",
        ),
    ],
)
def test_a_rule_that_can_never_match_is_warned_of_where_it_says_so(conditions: str, expected: str) -> None:
    calendars = """
office: {zone: UTC, hours: {monday: '09:00-17:00'}}
sale: {zone: UTC, periods: [{from: 2026-11-01, to: 2026-11-02}, {from: 2026-11-18, to: 2026-11-20}]}
"""
    found = warned(f"- {{name: r, {conditions}}}", calendars=calendars)
    assert expected in found
    assert len([one for one in found if "rule r" in one]) == 1


@pytest.mark.parametrize(
    "conditions",
    [
        "match: [a=1, b=1]",
        "match: [a=1], annotations: [a=2]",
        "match: ['a=~\"x.*\"', 'a=~\"y.*\"']",
        "service: [functions=payment, 'functions=~\".*\"', depends_on=db]",
        "service: [users=most, tier=2, revenue=false]",
        "service: [users!=few, 'tier!~\"1|2\"', revenue!=true]",  # of what is not in the catalogue all is empty
        "service: ['users=\"\"', 'revenue=\"\"', 'tier=\"\"', 'name=\"\"']",
        "service: ['users=~\"many|most\"']",
        "during: sale, outside: always-not",
    ],
)
def test_a_rule_that_may_match_one_day_is_not_warned_of(conditions: str) -> None:
    calendars = """
always-not: {zone: UTC, periods: [{from: 2026-11-01, to: 2026-11-02}]}
sale: {zone: UTC, periods: [{from: 2026-11-01, to: 2026-11-23T00:01}]}
"""
    assert not [one for one in warned(f"- {{name: r, {conditions}}}", calendars=calendars) if "rule r" in one]


# ---------------------------------------------------------------- rules that never have their turn


def test_a_rule_behind_one_that_stops_or_drops_all_that_it_matches_is_warned_of() -> None:
    assert warned(
        "- {name: noise, match: [a=1], drop: Noise.}",
        "- {name: known, match: ['b=~\"1|2\"'], stop: true}",
        "- {name: behind-noise, match: [a=1, c=1]}",
        "- {name: behind-known, match: [b=2], source: [name=x]}",
        "- {name: seen, match: [c=1]}",
    ) == [
        "11:10: rule behind-noise never has its turn: rule noise in line 9 drops all that it matches",
        "12:10: rule behind-known never has its turn: rule known in line 10 stops at all that it matches",
    ]


@pytest.mark.parametrize(
    "sometimes", ["annotations: [x=1]", "during: office", "outside: office", "until: 2027-11-23", "source: [name=x]"]
)
def test_a_rule_that_ends_only_sometimes_shadows_nothing(sometimes: str) -> None:
    found = warned(
        f"- {{name: first, match: [a=1], stop: true, {sometimes}}}",
        "- {name: second, match: [a=1, b=2]}",
        calendars="office: {zone: UTC}\n",
    )
    assert [one for one in found if "second" in one] == []


def test_a_rule_that_can_never_match_shadows_nothing_and_is_told_once() -> None:
    found = warned(
        "- {name: first, match: [a=1, a=2], stop: true}",
        "- {name: second, match: [a=1, a=2, b=2]}",
        "- {name: third, match: [a=1, b=3]}",
    )
    assert [one.partition("rule ")[2].partition(" ")[0] for one in found] == ["first", "second"]


def test_ten_thousand_rules_that_all_stop_are_compared_without_waiting() -> None:
    rules = [f"- {{name: r{n}, match: [a={n}, 'b!~\"x.*\"'], stop: true}}" for n in range(3_000)]
    rules.append("- {name: last, match: [a=2999, 'b!~\"x.*\"', c=1]}")
    assert len(warned(*rules)) == 1


# ---------------------------------------------------------------- the catalogue


def test_a_service_that_an_earlier_one_takes_all_of_is_warned_of() -> None:
    services = """
services:
  shop: {match: ['namespace="shop"'], team: web}
  cart: {match: ['namespace="shop"', 'app="cart"'], team: web}
  odd: {match: ['a="1"', 'a="2"'], team: web}
  plain: {team: platform}
teams: {web: {}, platform: {}}
"""
    assert warned(services=services) == [
        "4:3: service cart is never found by its match: service shop in line 3 takes all of it",
        '5:26: service odd can never match: no label `a` meets a="1", a="2"',
    ]


def test_names_that_nothing_uses_are_warned_of() -> None:
    services = """
services: {shop: {team: web}}
teams:
  web: {hours: office, on_call: {rotation: [ann]}}
  platform: {}
  by-rule: {}
  by-escalation: {}
  unused: {}
people: {ann: {}, bob: {}, carl: {}}
"""
    calendars = "office: {zone: UTC}\nunused: {zone: UTC}\nby-rule: {zone: UTC}\n"
    severities = MINIMAL["severities.yaml"].replace(
        "sev1:\n", "sev1:\n  escalation: [{after: 1m, notify: [by-escalation, carl, on_call]}]\n"
    )
    assert severities != MINIMAL["severities.yaml"]
    text = MINIMAL["triage.yaml"].replace("rules: []", "rules: [{name: a, team: by-rule, outside: by-rule}]")
    files = {"triage.yaml": text, "services.yaml": services, "calendars.yaml": calendars, "severities.yaml": severities}
    assert list(map(str, read(files, today=TODAY).warnings)) == [
        "calendars.yaml:2:1: unused: nothing uses calendar unused",
        "services.yaml:8:3: teams.unused: no service, no rule and no default names team unused",
        "services.yaml:9:19: people.bob: no rotation of a team names bob",
    ]


def test_the_calendar_of_working_days_is_used_by_a_target_in_working_days() -> None:
    calendars = {"calendars.yaml": "business: {zone: UTC}\n"}
    assert len(read({**MINIMAL, **calendars}, today=TODAY).warnings) == 1
    severities = MINIMAL["severities.yaml"].replace("resolution: 4h", "resolution: 5bd")
    assert severities != MINIMAL["severities.yaml"]
    assert read({**MINIMAL, **calendars, "severities.yaml": severities}, today=TODAY).warnings == ()


# ---------------------------------------------------------------- calendars that run out


def ending(calendars: str, *, counted: str = "always", target: str = "resolution: 4h") -> list[str]:
    """The warnings of a calendar that a rule asks, too, and in which Sev-1's targets may be counted."""
    severities = MINIMAL["severities.yaml"].replace("resolution: 4h", target, 1)
    severities = severities.replace("sev1:\n", f"sev1:\n  calendar: {counted}\n", 1)
    text = MINIMAL["triage.yaml"].replace("rules: []", "rules: [{name: a, outside: c}]")
    files = {**MINIMAL, "triage.yaml": text, "severities.yaml": severities, "calendars.yaml": calendars}
    return [str(finding) for finding in read(files, today=TODAY).warnings if "nothing uses" not in str(finding)]


@pytest.mark.parametrize(
    ("hours", "last", "counted"),
    [
        ("periods: [{from: 2026-01-01, to: 2026-11-23}]", "had its last open time on 2026-11-22", "always"),
        ("periods: [{from: 2026-01-01, to: 2026-12-08}]", "has its last open time on 2026-12-07", "always"),
        ("periods: [{from: 2026-01-01, to: 2026-12-09}]", "", "always"),
        ("periods: [{from: 2026-01-01, to: 2027-02-22}]", "has its last open time on 2027-02-21", "c"),
        ("periods: [{from: 2026-01-01, to: 2027-02-23}]", "", "c"),
        ("hours: {monday: []}, open: [2025-01-01]", "had its last open time on 2025-01-01", "c"),
        ("hours: {monday: []}, open: [2025-01-01, 2027-01-04]", "has its last open time on 2027-01-04", "c"),
        (
            "hours: {friday: '09:00-17:00'}, periods: [{from: 2026-01-01, to: 2027-02-26}]",
            "has its last open time on 2027-02-19",
            "c",
        ),
        ("hours: {monday: '09:00-17:00'}, open: [2025-01-01], closed: [2025-01-02]", "", "c"),
    ],
)
def test_a_calendar_that_runs_out_is_warned_of_two_weeks_before_and_three_months_where_targets_count_in_it(
    hours: str, last: str, counted: str
) -> None:
    then = "; targets are elapsed time after it" if counted == "c" else ""
    expected = [f"calendars.yaml:1:1: c: calendar c {last}{then}"] if last else []
    assert ending(f"c: {{zone: Europe/Berlin, {hours}}}\n", counted=counted) == expected


@pytest.mark.parametrize(
    ("target", "reached"),
    [("resolution: 20d", True), ("resolution: 22d", False), ("resolution: 365bd", True), ("resolution: 520w", False)],
)
def test_a_target_that_its_calendar_never_reaches_is_warned_of_at_its_line(target: str, *, reached: bool) -> None:
    mondays = "c: {zone: UTC, hours: {monday: '09:00-10:00'}}\n"
    what = target.removeprefix("resolution: ")
    expected = [
        f"severities.yaml:3:40: sev1.targets.resolution: resolution of {what} is elapsed time: "
        "calendar c has not so much open time in ten years"
    ]
    assert ending(mondays, counted="c", target=target) == ([] if reached else expected)
    assert ending(mondays, target="resolution: 22d") == []


def test_a_calendar_with_an_end_is_warned_of_by_that_alone() -> None:
    week = "c: {zone: UTC, periods: [{from: 2026-11-20, to: 2026-11-27}]}\n"
    (only,) = ending(week, counted="c", target="resolution: 20d")
    assert "has its last open time on 2026-11-26" in only


def test_working_days_are_counted_in_business_where_no_calendar_is_named() -> None:
    calendars = "c: {zone: UTC}\nbusiness: {zone: UTC, periods: [{from: 2026-01-01, to: 2027-02-01}]}\n"
    assert ending(calendars) == []
    assert ending(calendars, target="resolution: 1bd") == [
        "calendars.yaml:2:1: business: calendar business has its last open time on 2027-01-31; "
        "targets are elapsed time after it"
    ]


def test_public_holidays_that_are_known_for_a_few_weeks_more_are_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holidays.countries.germany.Germany.end_year", 2026)
    germany = "c: {zone: UTC, holidays: {country: DE, subdivision: BE}}\n"
    assert ending(germany) == [
        "calendars.yaml:1:26: c.holidays: no public holidays are known after 2026-12-31; "
        "name them in `closed`, or install a newer `holidays`"
    ]
    assert ending(germany.replace("DE, subdivision: BE", "FR")) == []


def test_nothing_is_doubted_where_nobody_asked() -> None:
    assert read({**MINIMAL, "calendars.yaml": "unused: {zone: UTC}\n"}).warnings == ()


# ---------------------------------------------------------------- history

SINCE = datetime(2026, 8, 25, 7, tzinfo=UTC)


def notices(files: RuleFiles, rules: Iterable[str], services: Iterable[str], **unmatched: int) -> list[str]:
    history = History(alerts=12_345, since=SINCE, rules=set(rules), services=set(services), unmatched=unmatched)
    return [str(finding) for finding in unmet(files.sheet, history)]


def test_what_no_recorded_alert_met_is_told_with_how_many_and_since_when() -> None:
    files = read_with("- {name: a, match: [a=1]}", "- {name: b, match: [b=1]}", services=f"{CATALOGUE}people: {{}}\n")
    assert notices(files, ["b"], ["shop"]) == [
        "triage.yaml:9:10: rules[0].name: rule a matched none of the 12,345 alerts recorded since 2026-08-25"
    ]
    assert notices(files, ["a", "b"], ["db"]) == [
        "services.yaml:3:3: services.shop: no rule and no service names shop, "
        "and none of the 12,345 alerts recorded since 2026-08-25 belonged to it"
    ]


def test_alerts_that_no_rule_matched_are_listed_most_first_beside_the_default_that_they_got() -> None:
    files = read_with("- {name: a, match: [a=1]}")
    assert notices(files, ["a"], ["shop"], Rare=1, Noise=1_200, **{f"More{n:02}": 2 for n in range(10)}) == [
        "triage.yaml:6:10: default: no rule matched 1,221 alerts recorded since 2026-08-25: Noise (1,200), More00 (2), "
        "More01 (2), More02 (2), More03 (2), More04 (2), More05 (2), More06 (2), More07 (2), More08 (2) … and 2 more"
    ]


def test_a_service_that_a_rule_or_a_service_names_is_used() -> None:
    files = read_with("- {name: a, service: ['name=~\"sh.p\"']}")
    assert notices(files, ["a"], []) == []
