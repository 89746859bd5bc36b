"""What a pattern says of the beginning of its matches is true of every value that RE2 matches."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from triaged.core.literals import DEEPEST, MOST, beginnings

PIECES = r"""
a b c \. \- . .* ? * + ?? *? +? | ^ $ \A \z \b \d \w \pL \p{Lu} \x41 \x{42} \141 {2} {0,1} {,} { } [ab] [a-c]
[^a] []a] [[:alpha:]] ( (?: (?P<n> (?<m> (?i) (?i: (?s) (?m) (?U) (?s-i: (?-i:a) ) (a|b)
(b?c|a) (?:ab)? (?:a|)+ \Qa|\E \Q A k K
"""


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", {"": True}),
        ("a", {"a": True}),
        ("a|b|", {"a": True, "b": True, "": True}),
        (r"a\.b\-c", {"a.b-c": True}),
        ("(Alert|Other)7(High|Low)?", {f"{a}7{b}": True for a in ("Alert", "Other") for b in ("High", "Low", "")}),
        ("(?P<n>a)(?:b)(?<m>c)", {"abc": True}),
        ("[ab]c", {"ac": True, "bc": True}),
        ("^a", {"a": True}),
        (r"\Aa", {"a": True}),
        ("Kube.+", {"Kube": False}),
        ("Kube.+|Node", {"Kube": False, "Node": True}),
        ("ab|ab.", {"ab": False}),
        ("a+b", {"a": False}),
        ("(?:ab|c)+", {"ab": False, "c": False}),
        ("ab*c", {"a": False}),
        ("ab?c", {"abc": True, "ac": True}),
        ("ab??c", {"abc": True, "ac": True}),
        ("ab{2}", {"a": False}),
        ("a$", {"a": False}),
        (r"a\d", {"a": False}),
        (r"a\p{Lu}b", {"a": False}),
        ("a[b-d]", {"a": False}),
        ("a[^]]]b", {"a": False}),
        ("a(?i:b)c", {"a": False}),
        ("a(?-i:b)c", {"abc": True}),
        ("(?s)a", {"a": True}),
        ("a{b", {"": False}),
        ("{a", {"": False}),
        (".*a", {"": False}),
        ("a|.*b", {"a": True, "": False}),
        ("(?i)a", {"": False}),
        (r"\Qa\E", {"": False}),
        ("a)|(?:b", {"": False}),
        ("b^a", {"b": False}),
        ("(?=a)", {"": False}),
        ("[", {"": False}),
        ("(" * (DEEPEST + 1) + "a" + ")" * (DEEPEST + 1), {"": False}),
    ],
)
def test_the_beginnings_of_a_pattern(pattern: str, expected: dict[str, bool]) -> None:
    assert beginnings(pattern) == expected


def test_a_long_list_is_known_whole_and_a_large_product_only_by_its_beginning() -> None:
    words = [f"word{n}" for n in range(10 * MOST)]

    assert beginnings(f"(?:{'|'.join(words)})s") == {f"{word}s": True for word in words}
    assert beginnings("[ab]" * 20).keys() == beginnings("[ab]" * 8).keys()


@given(
    st.lists(st.sampled_from(PIECES.split()), max_size=7).map("".join),
    st.lists(st.text("abcABkK.-1", max_size=4), min_size=1, max_size=8),
)
def test_what_matches_begins_as_said_and_where_all_is_said_nothing_else_matches(
    pattern: str, values: list[str]
) -> None:
    options = re2.Options()
    options.log_errors = False
    try:
        regex = re2.compile(f"^(?:{pattern})$", options)
    except re2.error:
        return
    begins = beginnings(pattern)

    for value in (*values, *begins):
        matches = regex.search(value) is not None
        assert not matches or any(value.startswith(text) for text in begins)
        assert not all(begins.values()) or matches == (value in begins)
