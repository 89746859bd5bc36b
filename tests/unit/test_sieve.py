"""A sieve lets through every item that an alert can meet, in order, once; and few others."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from triaged.core import sieve
from triaged.core.catalogue import label_needs
from triaged.core.matchers import Matcher, parse, several
from triaged.core.sieve import Need, Sieve

TEXTS = ["a=1", "a=2", 'b=~"1|2"', 'b=~"x.*"', 'c=~".*x"', 'c=~"xy.*|x"', "a!=1", 'c=~".*"', 'b!~"x.*"', 'c=~"(?i)XY"']
VALUES = st.sampled_from(["", "1", "2", "x", "xy", "xyz", "zx", "XY"])


def needs(*texts: str) -> list[Need]:
    return [*label_needs(map(parse, texts))]


def met(texts: tuple[str, ...], labels: dict[str, str]) -> bool:
    return all(matcher.matches(labels.get(matcher.name, "")) for matcher in map(parse, texts))


@given(
    st.lists(st.lists(st.sampled_from(TEXTS), max_size=3).map(tuple), max_size=8),
    st.lists(st.dictionaries(st.sampled_from("abc"), VALUES), min_size=1, max_size=4),
)
def test_no_item_that_an_alert_meets_is_missed(items: list[tuple[str, ...]], alerts: list[dict[str, str]]) -> None:
    tested = Sieve([needs(*texts) for texts in items])

    for labels in (*alerts, *alerts):
        found = tested.candidates(labels.items())
        assert found == sorted(set(found))
        assert {i for i, texts in enumerate(items) if met(texts, labels)} <= set(found)


def test_an_item_is_found_by_the_need_that_fewest_share() -> None:
    items = [needs("severity=critical", f"alertname=A{n}") for n in range(9)]

    assert Sieve(items).candidates({"severity": "critical", "alertname": "A3"}.items()) == [3]
    assert Sieve(items).candidates({"severity": "critical"}.items()) == []


def test_a_pattern_finds_an_item_before_an_equality_that_many_share() -> None:
    items = [needs("severity=critical", f'namespace=~".*-{n}-.*"') for n in range(9)]

    assert Sieve(items).candidates({"severity": "critical", "namespace": "a-3-b"}.items()) == [3]


def test_an_item_that_needs_one_of_several_values_is_found_once() -> None:
    found = Sieve([needs('functions=~"pay|search"')]).candidates([("functions", "pay"), ("functions", "search")])

    assert found == [0]


def test_an_item_without_a_need_is_always_a_candidate() -> None:
    assert Sieve([[], needs("a=1"), needs('a=~".*"')]).candidates({"a": "2"}.items()) == [0, 2]


class Counted:
    """A condition that counts how often it is asked."""

    def __init__(self, matcher: Matcher) -> None:
        self.values, self.prefixes, self.value = matcher.values, matcher.prefixes, matcher.value
        self._test, self.asked = matcher.matches, 0

    def matches(self, value: str) -> bool:
        self.asked += 1
        return self._test(value)


def test_a_pattern_is_asked_once_for_a_value_that_begins_as_it_says() -> None:
    condition = Counted(parse('a=~"x.+"'))
    tested = Sieve([[("a", condition)]])

    for _ in range(3):
        assert tested.candidates([("a", "xy")]) == [0]
        assert tested.candidates([("a", "y")]) == []
    assert condition.asked == 1


def test_what_is_remembered_is_bounded_in_number_and_length() -> None:
    condition = Counted(parse('a=~"x.*"'))
    tested = Sieve([[("a", condition)]])

    for _ in range(2):
        assert tested.candidates([("a", "x" * (sieve.LONGEST + 1))]) == [0]
    assert condition.asked == 2
    for n in range(sieve.MOST + 1):
        tested.candidates([("a", f"x{n}")])
    assert len(tested._names["a"]._met) == 1


@given(
    st.lists(
        st.sampled_from(["x.*", ".*x", "(?i:XY)", "x?y+", "[xy]z?", "y|.*z.", "", "é.", "x(y|z)*", "."]), min_size=1
    ),
    st.lists(st.text("xyzXYé\n", max_size=5), min_size=1),
)
def test_many_patterns_are_met_by_what_each_of_them_is_met_by_alone(patterns: list[str], values: list[str]) -> None:
    alone = [parse(f"a=~{json.dumps(pattern)}") for pattern in patterns]
    together = several(patterns)
    for value in values:
        assert sorted(together(value)) == [place for place, matcher in enumerate(alone) if matcher.matches(value)]


def test_an_alert_is_tried_on_few_of_ten_thousand_patterns_that_begin_alike() -> None:
    items = [needs(f'pod=~"shop-.*-x{number}-.*"') for number in range(10_000)]

    assert Sieve(items).candidates({"pod": "shop-6f8d-x77-9"}.items()) == [77]
