"""What conditions forbid or imply together: never a false claim, and the plain cases found."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triaged.core.catalogue import asks
from triaged.core.conditions import MOST_TRIED, SEVERAL, Conditions, Entries, clash, hidden, of_labels, of_rule
from triaged.core.matchers import Matcher, Operator, parse_all
from triaged.core.rule import Rule

SERVICE = ("service", "name")
USERS = {("service", "users"): ("", "most", "many", "some", "few")}


def labels(text: str) -> Conditions:
    return of_labels(parse_all(text))


def clashing(text: str) -> list[str] | None:
    found = clash(labels(text), {})
    return None if found is None else [matcher.text for matcher in found.matchers]


def asked_of_service(text: str) -> Conditions:
    return of_rule(Rule(name="r", service=parse_all(text)))


# ---------------------------------------------------------------- what can never hold


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a="1",a="2"', ['a="1"', 'a="2"']),
        ('b=~"x.*",a="1",a=~"2|3"', ['a="1"', 'a=~"2|3"']),
        ('a="1",a!="1"', ['a="1"', 'a!="1"']),
        ('a="prod-1",a!~"prod-.+"', ['a="prod-1"', 'a!~"prod-.+"']),
        ('a="",a=~".+"', ['a=""', 'a=~".+"']),
        ('a=~"1|2",a!="1",a!="2"', ['a=~"1|2"', 'a!="1"', 'a!="2"']),
        ('a="1",a!~"2"', None),
        ('a="1",b="2"', None),
        ('a=~"1|2",a=~"2|3"', None),
        ('a=~"x.*",a=~"y.*"', None),  # true, but not proven
        ('a!="1",a!="2"', None),
        ('a=""', None),
    ],
)
def test_the_fewest_matchers_that_forbid_each_other_are_told(text: str, expected: list[str] | None) -> None:
    assert clashing(text) == expected


def test_of_a_fact_whose_values_are_known_one_matcher_can_be_impossible() -> None:
    found = clash(asked_of_service('users="lots"'), USERS)
    assert found is not None
    assert (found.subject, found.matchers[0].text) == (("service", "users"), 'users="lots"')
    assert clash(asked_of_service('users=~"l.*"'), USERS) is not None
    assert clash(asked_of_service('users!="most"'), USERS) is None


@pytest.mark.parametrize(
    ("text", "impossible"),
    [
        ('functions="pay",functions="search"', False),  # a service may have both
        ('functions="pay",functions!="pay"', True),
        ('functions=~"pay|search",functions!="pay"', False),
        ('functions=~"pay|search",functions!~"pay|search"', True),
        ('functions!="pay",functions!="search"', False),
        ('functions="sleep"', True),  # no service has it
        ('functions=~"p.+",functions=~"x.+"', True),
    ],
)
def test_of_a_fact_with_several_values_each_positive_matcher_needs_one_of_its_own(
    text: str, *, impossible: bool
) -> None:
    domains = {("service", "functions"): ("", "pay", "search")}
    assert (clash(asked_of_service(text), domains) is not None) == impossible


def test_beyond_a_bound_nothing_is_claimed_rather_than_tried_for_long() -> None:
    values = "|".join(f"v{n}" for n in range(MOST_TRIED // 2 + 1))
    assert clash(labels(f'a=~"{values}",a!="v0",a="v1"'), {}) is None
    many = of_labels([Matcher(name="a", operator=Operator.NOT_EQUAL, value=str(n)) for n in range(MOST_TRIED)])
    assert clash({**many, SERVICE: ()}, {}) is None


# ---------------------------------------------------------------- what never has its turn


@pytest.mark.parametrize(
    ("earlier", "later", "is_hidden"),
    [
        ('a="1"', 'a="1",b="2"', True),
        ("", 'a="1"', True),
        ('a=~"1|2"', 'a="1"', True),
        ('a=~"[0-9]"', 'a=~"1|2"', True),
        ('a!="3"', 'a="1"', True),
        ('a=~"x.*"', 'a=~"x.*",b!="2"', True),
        ('b!="2"', 'a=~"x.*",b!="2"', True),
        ('a="1",b="2"', 'a="1"', False),
        ('a=~"1|2"', 'a=~"2|3"', False),
        ('a=~"x.*"', 'a=~"xy.*"', False),  # true, but not proven
        ('a="1"', 'b="1"', False),
        ('b=""', 'a="1"', False),
    ],
)
def test_a_later_item_is_hidden_where_an_earlier_one_takes_all_that_it_would(
    earlier: str, later: str, *, is_hidden: bool
) -> None:
    found = hidden([labels(earlier), labels(later)], [0])
    assert found == ({1: 0} if is_hidden else {})
    assert hidden([labels(earlier), labels(later)], []) == {}
    assert hidden([labels(later), labels(earlier)], [0] if later != earlier else []).get(0) is None


@pytest.mark.parametrize(
    ("earlier", "later", "is_hidden"),
    [
        ('functions=~"pay|search"', 'functions="pay"', True),
        ('functions="pay"', 'functions=~"pay|search"', False),
        ('functions!="pay"', 'functions!="pay",tier="1"', True),
        ('functions!="pay"', 'functions="search"', False),  # it may have both
        ('functions="pay"', 'functions="pay",functions!="search"', True),
        ('functions=~"p.*"', 'functions="pay"', True),
    ],
)
def test_facts_with_several_values_imply_only_what_any_of_them_asks(
    earlier: str, later: str, *, is_hidden: bool
) -> None:
    assert hidden([asked_of_service(earlier), asked_of_service(later)], [0]) == ({1: 0} if is_hidden else {})


def test_the_first_of_several_that_hide_an_item_is_named() -> None:
    items = [labels('b="1"'), labels('a=~"1|2"'), labels('a="1"'), labels('a="1",b="1"')]
    assert hidden(items, [0, 1, 2, 3]) == {2: 1, 3: 0}


def test_all_four_lists_of_a_rule_count() -> None:
    rule = Rule(
        name="r",
        match=parse_all("a=1"),
        annotations=parse_all("a=2"),
        source=parse_all("name=x"),
        service=parse_all("name=y"),
    )
    assert set(of_rule(rule)) == {("label", "a"), ("annotation", "a"), ("source", "name"), ("service", "name")}
    assert clash(of_rule(rule), {}) is None


# ---------------------------------------------------------------- never a false claim

VALUES = st.sampled_from(["", "x", "y", "xy"])
MATCHERS = st.builds(
    Matcher,
    name=st.sampled_from(["a", "b", "functions"]),
    operator=st.sampled_from(Operator),
    value=st.sampled_from(["", "x", "y", "xy", "x|y", "x.*", ".+", "(x|xy)", ".*"]),
)
RULES = st.lists(MATCHERS, max_size=4).map(lambda matchers: of_rule(Rule(name="r", service=tuple(matchers))))
ALERTS = st.fixed_dictionaries(
    {
        "a": VALUES.map(lambda value: (value,)),
        "b": VALUES.map(lambda value: (value,)),
        "functions": st.lists(VALUES, min_size=1, max_size=3).map(tuple),
    }
)


def holds(conditions: Conditions, facts: dict[str, tuple[str, ...]]) -> bool:
    return all(asks(matcher, facts[name]) for (_, name), matchers in conditions.items() for matcher in matchers)


@given(RULES, ALERTS)
def test_what_is_said_to_be_impossible_holds_for_nothing(
    conditions: Conditions, facts: dict[str, tuple[str, ...]]
) -> None:
    domain = {("service", name): frozenset(["", "x", "y", "xy"]) for name in facts}
    for domains in ({}, domain):
        found = clash(conditions, domains)
        if found is not None:
            assert not holds({found.subject: found.matchers}, facts)
            assert not holds(conditions, facts)


@given(st.lists(RULES, min_size=2, max_size=5), ALERTS)
def test_whatever_meets_a_hidden_item_meets_the_one_that_hides_it(
    items: list[Conditions], facts: dict[str, tuple[str, ...]]
) -> None:
    for later, earlier in hidden(items, range(len(items))).items():
        assert earlier < later
        if holds(items[later], facts):
            assert holds(items[earlier], facts)


def test_the_several_are_facts_of_the_catalogue() -> None:
    assert {name for _, name in SEVERAL} == {"functions", "depends_on"}


# ---------------------------------------------------------------- what no single entry has together

VALUES = st.sampled_from(["", "pay", "search", "most", "few"])
FACTS_OF_ONE = st.fixed_dictionaries(
    {name: st.lists(VALUES, min_size=1, max_size=2) for name in ("users", "functions")}
)
ASKED = st.builds(
    Matcher,
    name=st.sampled_from(["users", "functions"]),
    operator=st.sampled_from(Operator),
    value=st.sampled_from(["", "pay", "most", "pay|search", ".+", "m.*"]),
)


@given(entries=st.lists(FACTS_OF_ONE, min_size=1, max_size=4), matchers=st.lists(ASKED, max_size=4))
def test_matchers_are_parted_exactly_where_no_entry_meets_them_all(
    entries: list[dict[str, list[str]]], matchers: list[Matcher]
) -> None:
    def met(some: Iterable[Matcher]) -> bool:
        return any(all(asks(matcher, tuple(entry[matcher.name])) for matcher in some) for entry in entries)

    parted = Entries(entries).parted(matchers)
    assert (parted is None) is met(matchers)
    if parted is not None:
        assert not met(parted)
        assert len(parted) == 2 or all(map(met, combinations(matchers, 2)))
