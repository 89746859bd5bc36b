"""Circles of dependencies: each told, none where there is none, and in linear time."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from triaged.rulefiles.circles import circles

NAMES = "abcdef"


def has_circle(needs: Mapping[str, list[str]]) -> bool:
    """Whether something is left when whatever needs nothing that is left goes, again and again."""
    left = set(needs)
    while free := {name for name in left if not left & {*needs[name]}}:
        left -= free
    return bool(left)


@given(st.fixed_dictionaries({name: st.lists(st.sampled_from(NAMES), unique=True, max_size=4) for name in NAMES}))
def test_what_is_told_are_circles_and_without_their_last_needs_none_is_left(needs: dict[str, list[str]]) -> None:
    found = list(circles(needs))
    for circle in found:
        assert len({*circle}) == len(circle)
        assert all(other in needs[name] for name, other in zip(circle, [*circle[1:], circle[0]], strict=True))
    assert bool(found) == has_circle(needs)
    closing = {(circle[-1], circle[0]) for circle in found}
    assert len(closing) == len(found)
    assert not has_circle(
        {name: [one for one in others if (name, one) not in closing] for name, others in needs.items()}
    )


def test_a_chain_of_very_many_is_followed_without_recursion() -> None:
    chain = {str(number): [str(number + 1)] for number in range(20_000)}
    assert list(circles(chain)) == []
    assert [len(circle) for circle in circles({**chain, "20000": ["0"]})] == [20_001]


def test_what_is_needed_need_not_be_known_itself() -> None:
    assert list(circles({"a": ["b"]})) == []
