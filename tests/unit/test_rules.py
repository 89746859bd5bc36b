"""What the rules make of an alert: every sentence of the rule language that judges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triaged.core import rules as compiled
from triaged.core.calendars import Calendar
from triaged.core.catalogue import Catalogue, Service, Team, Users
from triaged.core.growth import Growth, Refires
from triaged.core.keys import fingerprint
from triaged.core.matchers import REMEMBERED, Matcher, parse_all
from triaged.core.model import Alert, AlertStatus, Category, Impact, Severity, Urgency
from triaged.core.rule import Rule
from triaged.core.rules import Defaults, RuleSet

MONDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)
NIGHT = datetime(2026, 11, 23, 3, tzinfo=UTC)
S1, S2, S3, S4 = Severity
MATRIX = {
    impact: dict(zip(Urgency, row, strict=True))
    for impact, row in zip(
        Impact, ((S1, S1, S2, S3), (S1, S2, S3, S3), (S2, S3, S3, S4), (S3, S3, S4, S4)), strict=True
    )
}
OFFICE = Calendar(name="office", zone=ZoneInfo("UTC"), weekly=dict.fromkeys(range(5), ((time(9), time(17)),)))
CHECKOUT = Service(
    name="checkout",
    match=tuple(parse_all('namespace="shop",deployment=~"checkout.*"')),
    team="payments",
    tier=1,
    users=Users.MOST,
    functions=("payment", "refunds"),
    revenue=True,
    depends_on=("postgres",),
)
SERVICES = (CHECKOUT, Service(name="shop", match=parse_all('namespace="shop"')), Service(name="postgres"))


def on(*texts: str) -> tuple[Matcher, ...]:
    return tuple(matcher for text in texts for matcher in parse_all(text))


def rule_set(*rules: Rule, services: tuple[Service, ...] = SERVICES, key: tuple[str, ...] = ("alertname",)) -> RuleSet:
    return RuleSet(
        hash="h",
        matrix=MATRIX,
        default=Defaults(impact=Impact.MODERATE, urgency=Urgency.HIGH, category=Category.ERROR, team="platform"),
        key=key,
        rules=rules,
        catalogue=Catalogue(services),
        teams={"payments": Team(name="payments"), "search": Team(name="search")},
        calendars={"office": OFFICE},
    )


def alert(
    labels: Mapping[str, str] | None = None, *, annotations: Mapping[str, str] | None = None, source: str = "am"
) -> Alert:
    labels = {"alertname": "HighErrorRate"} if labels is None else labels
    return Alert(
        fingerprint=fingerprint(source, labels),
        source=source,
        status=AlertStatus.FIRING,
        labels=labels,
        annotations=annotations or {},
        starts_at=None,
        ends_at=None,
        generator_url="",
        digest=b"",
        raw=b"",
    )


def test_an_alert_that_no_rule_matches_gets_the_defaults_and_says_so() -> None:
    verdict = rule_set(Rule(name="other", match=on("alertname=Other"), impact=Impact.EXTENSIVE)).judge(alert(), MONDAY)

    assert verdict.unmatched
    assert (verdict.impact, verdict.urgency, verdict.severity) == (Impact.MODERATE, Urgency.HIGH, S3)
    assert (verdict.category, verdict.team, verdict.service) == (Category.ERROR, "platform", "")
    assert verdict.key.pairs == (("alertname", "HighErrorRate"),)
    assert (verdict.because, verdict.delay, verdict.dropped, verdict.restricted) == ((), None, None, False)


def test_impact_and_urgency_are_each_the_gravest_of_all_matches() -> None:
    verdict = rule_set(
        Rule(name="a", impact=Impact.MINOR, urgency=Urgency.CRITICAL, because="It is urgent."),
        Rule(name="b", impact=Impact.SIGNIFICANT, urgency=Urgency.LOW, because="It is large."),
        Rule(name="c", impact=Impact.MODERATE, because="It is less."),
    ).judge(alert(), MONDAY)

    assert (verdict.impact, verdict.urgency, verdict.severity) == (Impact.SIGNIFICANT, Urgency.CRITICAL, S1)
    assert verdict.matched == ("a", "b", "c")
    assert verdict.because == ("It is urgent.", "It is large.")


def test_an_axis_that_no_matching_rule_sets_is_the_default_even_where_that_is_graver() -> None:
    verdict = rule_set(Rule(name="a", impact=Impact.MINOR)).judge(alert(), MONDAY)

    assert (verdict.impact, verdict.urgency, verdict.severity) == (Impact.MINOR, Urgency.HIGH, S3)


@pytest.mark.parametrize("first", [True, False])
def test_the_lowest_at_most_of_any_match_limits_the_severity_wherever_it_stands(*, first: bool) -> None:
    limits = [Rule(name="limit", at_most=S4, because="Nobody is there."), Rule(name="higher", at_most=S3)]
    grave = [Rule(name="grave", impact=Impact.EXTENSIVE, urgency=Urgency.CRITICAL, because="All is down.")]

    verdict = rule_set(*(limits + grave if first else grave + limits[::-1])).judge(alert(), MONDAY)

    assert (verdict.severity, verdict.at_most, verdict.impact) == (S4, S4, Impact.EXTENSIVE)
    assert set(verdict.because) == {"Nobody is there.", "All is down."}


def test_an_at_most_that_limits_nothing_is_no_reason() -> None:
    rules = rule_set(Rule(name="limit", at_most=S2, because="Nobody is there."), Rule(name="a", impact=Impact.MINOR))

    assert (rules.judge(alert(), MONDAY).severity, rules.judge(alert(), MONDAY).because) == (S3, ())


def test_the_first_match_that_sets_it_decides_category_key_team_repository_delay_and_close() -> None:
    second = Rule(
        name="second",
        category=Category.OUTAGE,
        key=("cluster",),
        team="payments",
        repository="acme/pay",
        delay=timedelta(minutes=5),
        close="person",
    )
    third = replace(
        second,
        name="third",
        category=Category.SECURITY,
        key=("pod",),
        team="search",
        repository="acme/other",
        delay=timedelta(minutes=1),
        close="daemon",
    )

    verdict = rule_set(Rule(name="first"), second, third).judge(alert({"cluster": "eu", "pod": "a"}), MONDAY)

    assert (verdict.category, verdict.team, verdict.repository) == (Category.OUTAGE, "payments", "acme/pay")
    assert verdict.key.pairs == (("cluster", "eu"),)
    assert (verdict.delay, verdict.close) == (timedelta(minutes=5), "person")


def test_labels_are_the_union_of_all_matches() -> None:
    verdict = rule_set(Rule(name="a", labels=("db", "eu")), Rule(name="b", labels=("eu", "night"))).judge(
        alert(), MONDAY
    )

    assert verdict.labels == ("db", "eu", "night")


def test_nothing_counts_after_a_rule_that_stops() -> None:
    rules = rule_set(Rule(name="a", impact=Impact.MINOR, stop=True), Rule(name="b", impact=Impact.EXTENSIVE))

    assert rules.judge(alert(), MONDAY).matched == ("a",)
    assert rules.explain(alert(), MONDAY)[1][1].failed == "not tried: a was the last"


def test_a_drop_ends_with_its_reason() -> None:
    rules = rule_set(Rule(name="a"), Rule(name="b", drop="Only a heartbeat."), Rule(name="c", impact=Impact.EXTENSIVE))

    verdict = rules.judge(alert(), MONDAY)

    assert (verdict.dropped, verdict.matched) == ("Only a heartbeat.", ("a", "b"))


def test_a_rule_ends_with_its_last_day() -> None:
    rules = rule_set(Rule(name="a", until=datetime(2026, 11, 24, tzinfo=UTC)))
    last, over = datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)

    assert rules.judge(alert(), last).matched == ("a",)
    assert rules.judge(alert(), over).matched == ()
    tried = rules.explain(alert(), over)[1][0]
    assert (tried.matched, tried.failed, tried.saw) == (False, "until 2026-11-23", "2026-11-24")


def test_calendars_are_asked_at_the_instant_of_the_alert() -> None:
    rules = rule_set(Rule(name="day", during="office"), Rule(name="night", outside="office"))

    assert rules.judge(alert(), MONDAY).matched == ("day",)
    assert rules.judge(alert(), NIGHT).matched == ("night",)
    assert rules.judge(alert(), MONDAY).matched == ("day",)
    (day, _), (_, night) = rules.explain(alert(), NIGHT)[1], rules.explain(alert(), MONDAY)[1]
    assert (day.failed, day.saw) == ("during office", "closed")
    assert (night.failed, night.saw) == ("outside office", "open")


@pytest.mark.parametrize(
    ("rule", "failed", "saw"),
    [
        (Rule(name="a", match=on('alertname="Other"')), 'alertname="Other"', "HighErrorRate"),
        (Rule(name="a", match=on('pod=~".+"')), 'pod=~".+"', ""),
        (Rule(name="a", match=on('alertname=~"High.*"', "pod=x")), 'pod="x"', ""),
        (Rule(name="a", source=on("name=grafana")), 'source name="grafana"', "am"),
        (Rule(name="a", annotations=on("summary=~.+")), 'annotation summary=~".+"', ""),
        (Rule(name="a", service=on("tier=1")), 'service tier="1"', ""),
    ],
)
def test_the_first_condition_that_fails_is_told_with_what_it_saw(rule: Rule, failed: str, saw: str) -> None:
    verdict, (tried,) = rule_set(rule).explain(alert(), MONDAY)

    assert (verdict.matched, tried.matched, tried.failed, tried.saw) == ((), False, failed, saw)


def test_what_a_matching_rule_sets_is_told_in_words() -> None:
    rule = Rule(
        name="a",
        impact=Impact.MINOR,
        urgency=Urgency.LOW,
        at_most=S3,
        category=Category.ERROR,
        key=("service", "cluster"),
        team="search",
        repository="acme/x",
        delay=timedelta(minutes=15),
        close="daemon",
        labels=("x", "y"),
        restricted=True,
        stop=True,
        because="So.",
    )

    _, (tried,) = rule_set(rule).explain(alert(), MONDAY)

    assert (tried.matched, tried.because) == (True, "So.")
    assert tried.sets == {
        "impact": "minor",
        "urgency": "low",
        "at_most": "sev3",
        "category": "error",
        "key": "service, cluster",
        "team": "search",
        "repository": "acme/x",
        "delay": "15 min",
        "close": "daemon",
        "labels": "x, y",
        "restricted": "true",
        "stop": "true",
    }


@pytest.mark.parametrize(
    ("matcher", "holds"),
    [
        ("name=checkout", True),
        ("name=shop", False),
        ("team=payments", True),
        ("tier=1", True),
        ('tier=~"2|3"', False),
        ("users=most", True),
        ("functions=payment", True),
        ("functions=refunds", True),
        ("functions!=payment", False),
        ("functions!=search", True),
        ('functions!~"s.*"', True),
        ('functions!~"r.*"', False),
        ("revenue=true", True),
        ("depends_on=postgres", True),
        ('depends_on=""', False),
    ],
)
def test_a_rule_asks_the_facts_of_the_service(matcher: str, *, holds: bool) -> None:
    rules = rule_set(Rule(name="a", service=on(matcher)))
    shop = alert({"namespace": "shop", "deployment": "checkout-7"})

    assert bool(rules.judge(shop, MONDAY).matched) == holds


@pytest.mark.parametrize(
    ("labels", "service", "team"),
    [
        ({"namespace": "shop", "deployment": "checkout"}, "checkout", "payments"),
        ({"namespace": "shop", "deployment": "x"}, "shop", "platform"),
        ({"namespace": "shop", "service": "postgres"}, "shop", "platform"),
        ({"service": "postgres"}, "postgres", "platform"),
        ({"service": "prometheus-node-exporter"}, "", "platform"),
        ({}, "", "platform"),
    ],
)
def test_the_first_entry_that_holds_is_the_service_else_the_label_where_it_names_one(
    labels: dict[str, str], service: str, team: str
) -> None:
    verdict = rule_set().judge(alert(labels), MONDAY)

    assert (verdict.service, verdict.team) == (service, team)


def test_a_rules_team_goes_before_the_services() -> None:
    rules = rule_set(Rule(name="a", team="search"))

    assert rules.judge(alert({"namespace": "shop", "deployment": "checkout"}), MONDAY).team == "search"


def test_the_facts_of_an_unknown_service_are_empty() -> None:
    rules = rule_set(Rule(name="a", service=on('name=""', 'revenue=""', 'functions=""')))

    assert rules.judge(alert(), MONDAY).matched == ("a",)
    assert rules.judge(alert({"service": "postgres"}), MONDAY).matched == ()


@pytest.mark.parametrize(
    ("rules", "restricted"),
    [
        ([Rule(name="a", category=Category.SECURITY)], True),
        ([Rule(name="a", category=Category.SECURITY, restricted=False)], False),
        ([Rule(name="a", restricted=False), Rule(name="b", restricted=True)], True),
        ([Rule(name="a", category=Category.OUTAGE)], False),
    ],
)
def test_security_is_restricted_unless_a_rule_says_otherwise(rules: list[Rule], *, restricted: bool) -> None:
    assert rule_set(*rules).judge(alert(), MONDAY).restricted is restricted


def test_annotations_decide_even_where_they_are_too_long_to_be_remembered() -> None:
    rules = rule_set(Rule(name="a", annotations=on("summary=~x+")))
    long = "x" * (REMEMBERED + 1)

    for text in (long, long + "y", "x", "y"):
        expected = ("a",) if set(text) == {"x"} else ()
        assert rules.judge(alert(annotations={"summary": text}), MONDAY).matched == expected


def test_alerts_that_differ_in_nothing_that_rules_ask_share_one_verdict() -> None:
    rules = rule_set(Rule(name="a", match=on("alertname=X")))
    one = rules.judge(alert({"alertname": "X", "pod": "a"}), MONDAY)

    assert rules.judge(alert({"alertname": "X", "pod": "b"}), MONDAY + timedelta(hours=1)) is one


def test_alerts_without_a_value_of_the_key_keep_keys_of_their_own() -> None:
    rules = rule_set()

    assert rules.judge(alert({"pod": "a"}), MONDAY).key != rules.judge(alert({"pod": "b"}), MONDAY).key


def test_what_is_remembered_is_bounded() -> None:
    rules = rule_set()

    for n in range(compiled.VERDICTS + 1):
        rules.judge(alert({"alertname": f"a{n}"}), MONDAY + timedelta(seconds=n % (2 * compiled.MOMENTS)))

    assert len(rules._verdicts) == 1
    assert len(rules._moments) <= compiled.MOMENTS


def test_a_team_that_the_catalogue_does_not_know_counts_as_the_default_one() -> None:
    rules = rule_set()

    assert (rules.known_team("search"), rules.known_team("who"), rules.default_team) == ("search",) + ("platform",) * 2
    assert list(rules.services) == ["checkout", "shop", "postgres"]


GROWS = (
    Growth(ref="a#0", rule="a", distinct={"pod": 3}, impact=Impact.EXTENSIVE, because="It is no single pod."),
    Growth(ref="a#1", rule="a", refires=Refires(count=3, within=timedelta(hours=1)), urgency=Urgency.CRITICAL),
    Growth(ref="a#2", rule="a", alerts=2, impact=Impact.MINOR, because="Never."),
)
GROWING = Rule(name="a", impact=Impact.SIGNIFICANT, urgency=Urgency.HIGH, because="It fails.", grows=GROWS)


def test_growth_that_held_raises_the_verdict() -> None:
    rules = rule_set(GROWING)
    verdict = rules.judge(alert(), MONDAY)

    assert (verdict.severity, verdict.growing) == (S2, ("a#0", "a#1", "a#2"))
    grown = rules.grown(verdict, {"a#0", "a#2"})
    assert (grown.severity, grown.impact, grown.because) == (
        S1,
        Impact.EXTENSIVE,
        ("It fails.", "It is no single pod."),
    )
    assert rules.grown(verdict, ["a#1"]).severity is S1
    assert rules.grown(verdict, ["a#2"]) == verdict
    assert rules.grown(verdict, ["other#0"]) == verdict


def test_growth_stays_below_at_most() -> None:
    rules = rule_set(GROWING, Rule(name="b", at_most=S3))

    assert rules.grown(rules.judge(alert(), MONDAY), {"a#0", "a#1"}).severity is S3


def test_growth_is_found_by_its_reference() -> None:
    rules = rule_set(GROWING)

    assert rules.growth("a#1") is GROWS[1]
    assert rules.growth("gone#0") is None


NAMES = ("a", "b", "service")
VALUES = ("", "x", "y", "checkout")
MATCHERS = st.builds(
    lambda name, operator, value: parse_all(f'{name}{operator}"{value}"')[0],
    st.sampled_from(NAMES),
    st.sampled_from(["=", "!=", "=~", "!~"]),
    st.sampled_from(["", "x", "y", "x|y", "(x|)", "x.*", ".+", "checkout"]),
)
FACTS = st.builds(
    lambda name, operator, value: parse_all(f'{name}{operator}"{value}"')[0],
    st.sampled_from(["name", "tier", "functions"]),
    st.sampled_from(["=", "!=", "=~", "!~"]),
    st.sampled_from(["", "checkout", "1", "payment|search", ".+"]),
)
OWN = st.builds(
    lambda operator, value: parse_all(f'name{operator}"{value}"')[0],
    st.sampled_from(["=", "!=", "=~"]),
    st.sampled_from(["am", "grafana", "am|x"]),
)


def some(matchers: st.SearchStrategy[Matcher], most: int = 2) -> st.SearchStrategy[tuple[Matcher, ...]]:
    return st.lists(matchers, max_size=most).map(tuple)


RULES = st.lists(
    st.builds(
        Rule,
        name=st.sampled_from(["p", "q", "r"]),
        match=some(MATCHERS, 3),
        annotations=some(MATCHERS, 1),
        source=some(OWN, 1),
        service=some(FACTS),
        until=st.sampled_from([None, None, datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)]),
        during=st.sampled_from([None, None, "office"]),
        outside=st.sampled_from([None, None, "office"]),
        impact=st.sampled_from([None, *Impact]),
        urgency=st.sampled_from([None, *Urgency]),
        at_most=st.sampled_from([None, None, *Severity]),
        category=st.sampled_from([None, *Category]),
        key=st.sampled_from([None, ("a",), ("service", "b")]),
        team=st.sampled_from([None, "search"]),
        labels=st.sampled_from([(), ("l",), ("m", "l")]),
        stop=st.sampled_from([False, False, True]),
        drop=st.sampled_from([None, None, None, "noise"]),
        because=st.sampled_from(["", "why", "how"]),
        grows=st.sampled_from([(), GROWS]),
    ),
    max_size=6,
)
ALERTS = st.builds(
    lambda labels, annotations, source: alert(labels, annotations=annotations, source=source),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES)),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES)),
    st.sampled_from(["am", "grafana"]),
)
CATALOGUES = st.lists(
    st.builds(
        Service,
        name=st.sampled_from(["checkout", "x"]),
        match=some(MATCHERS),
        team=st.sampled_from(["", "payments"]),
        tier=st.sampled_from([None, 1]),
        functions=st.sampled_from([(), ("payment",), ("payment", "other")]),
    ),
    max_size=3,
    unique_by=lambda service: service.name,
).map(tuple)


@settings(max_examples=200)
@given(RULES, CATALOGUES, st.lists(st.tuples(ALERTS, st.sampled_from([MONDAY, NIGHT])), min_size=1, max_size=6))
def test_the_index_and_the_memory_never_change_what_trying_every_rule_in_order_says(
    rules: list[Rule], services: tuple[Service, ...], arrivals: list[tuple[Alert, datetime]]
) -> None:
    found = rule_set(*rules, services=services, key=("a", "service"))

    for arrival, now in (*arrivals, *arrivals):
        verdict, trace = found.explain(arrival, now)
        assert found.judge(arrival, now) == verdict
        assert [tried.rule for tried in trace] == [rule.name for rule in rules]
        assert verdict.matched == tuple(tried.rule for tried in trace if tried.matched)


@given(RULES, CATALOGUES, ALERTS)
def test_the_service_of_the_index_is_the_first_entry_that_holds(
    rules: list[Rule], services: tuple[Service, ...], arrival: Alert
) -> None:
    labels = arrival.labels
    holding = [s.name for s in services if s.match and all(m.matches(labels.get(m.name, "")) for m in s.match)]
    named = [s.name for s in services if s.name == labels.get("service")]

    assert rule_set(*rules, services=services).judge(arrival, MONDAY).service == [*holding, *named, ""][0]


@given(RULES, ALERTS, st.sets(st.sampled_from(["a#0", "a#1", "a#2"])), st.sets(st.sampled_from(["a#0", "a#1", "a#2"])))
def test_growth_never_makes_a_verdict_lighter(
    rules: list[Rule], arrival: Alert, held: set[str], more: set[str]
) -> None:
    found = rule_set(*rules)
    verdict = found.judge(arrival, MONDAY)
    grown, further = found.grown(verdict, held), found.grown(verdict, held | more)

    assert not verdict.severity.graver_than(grown.severity)
    assert not grown.severity.graver_than(further.severity)
    assert not grown.impact.graver_than(further.impact)
    assert not grown.urgency.graver_than(further.urgency)
