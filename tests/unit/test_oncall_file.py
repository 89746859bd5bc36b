"""Teams, people and their on-call as services.yaml says them."""

from __future__ import annotations

from datetime import date, time
from zoneinfo import ZoneInfo

from triaged import rulefiles
from triaged.core.catalogue import Feed, Person, Team
from triaged.core.rotation import FIRST_WEEK, Rotation
from triaged.core.rules import RuleSet
from web_desk import RULES

PEOPLE = "people: {ann: {github: ann-acme, notify: ['mailto://ann@example.com']}, bob: {}}\n"
BERLIN = ZoneInfo("Europe/Berlin")


def rules(teams: str) -> RuleSet:
    return rulefiles.read({**RULES, "services.yaml": f"teams:\n{teams}\n{PEOPLE}"}).rules


def on_call(text: str) -> object:
    return rules(f"  platform: {{on_call: {text}}}").teams["platform"].on_call


def test_a_rotation_is_read_with_all_that_it_says() -> None:
    said = "{rotation: [bob, ann], handover: 'Friday 17:30', zone: Europe/Berlin, from: 2026-11-23}"
    assert on_call(said) == Rotation(
        people=("bob", "ann"), weekday=4, wall=time(17, 30), zone=BERLIN, first=date(2026, 11, 23)
    )


def test_a_rotation_that_says_nothing_more_hands_over_on_monday_at_nine_utc() -> None:
    assert on_call("{rotation: [ann]}") == Rotation(
        people=("ann",), weekday=0, wall=time(9), zone=ZoneInfo("UTC"), first=FIRST_WEEK
    )


def test_a_calendar_is_named_by_its_url_or_by_a_file_that_holds_it() -> None:
    assert on_call("{ical: 'webcal://calendar.example.com/x.ics', zone: Europe/Berlin}") == Feed(
        url="webcal://calendar.example.com/x.ics", zone=BERLIN
    )
    assert on_call("{ical_file: /run/secrets/x}") == Feed(file="/run/secrets/x", zone=ZoneInfo("UTC"))


def test_teams_and_people_are_kept_as_they_are_written() -> None:
    found = rules("  platform: {repository: acme/plat, channels: [ops, pager], hours: business}\n  web: {}")
    assert found.teams == {
        "platform": Team(name="platform", repository="acme/plat", channels=("ops", "pager"), hours="business"),
        "web": Team(name="web"),
    }
    assert found.people == {
        "ann": Person(name="ann", github="ann-acme", notify=("mailto://ann@example.com",)),
        "bob": Person(name="bob"),
    }
    assert found.people["ann"].known_as == {"ann", "ann-acme", "ann@example.com"}


def test_where_a_calendar_may_name_anybody_no_person_is_unused() -> None:
    files = {**RULES, "services.yaml": f"teams:\n  platform: {{on_call: {{ical_file: /x}}}}\n{PEOPLE}"}
    said = [str(warning) for warning in rulefiles.read(files, today=date(2026, 11, 23)).warnings]
    assert not [one for one in said if "people." in one]
