"""Health queries: what they promise, and whether what they say keeps it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triaged.core.health import Promise, keeps, promise


@pytest.mark.parametrize(
    ("query", "ask", "sign", "bound"),
    [
        ("shop:error_ratio < 0.01", "shop:error_ratio", "<", 0.01),
        ("up == 1", "up", "==", 1),
        ("up==bool 1", "up", "==", 1),
        ("a / b >= 99.5e-2", "a / b", ">=", 0.995),
        ("sum by (pod) (x) != -1", "sum by (pod) (x)", "!=", -1),
        ("x offset 5m <= .5", "x offset 5m", "<=", 0.5),
        ('errors{code=~"5..|x > 3"} < 2', 'errors{code=~"5..|x > 3"}', "<", 2),
        ("rate(x{a='and \\' or'}[5m]) < 1", "rate(x{a='and \\' or'}[5m])", "<", 1),
        ("(a and b) > 3", "(a and b)", ">", 3),
        ("1 < x < 5", "1 < x", "<", 5),
    ],
)
def test_of_a_comparison_with_a_number_its_left_side_is_asked(query: str, ask: str, sign: str, bound: float) -> None:
    assert promise(query) == Promise(ask=ask, sign=sign, bound=bound)


@pytest.mark.parametrize(
    "query",
    [
        "up",
        "a < b",
        "absent(x)",
        "a and b < 1",
        "a < 1 or b",
        "a UNLESS b < 1",
        "(a < 1)",
        "< 1",
        "a < 1 # and so on",
        "a < on(x) 1",
        'label_replace(x, "a", "<", "b", "1")',
        "a < 1h",
        "a < 1 +",
        "",
    ],
)
def test_any_other_query_is_asked_as_it_is(query: str) -> None:
    assert promise(query) == Promise(ask=query)


@pytest.mark.parametrize(
    ("query", "values", "expected"),
    [
        ("x < 1", [0.5], (True, 0.5)),
        ("x < 1", [0.1, 0.5], (True, 0.5)),
        ("x < 1", [0.1, 2, 3], (False, 3)),
        ("x < 1", [], (None, None)),
        ("x < 1", [math.nan], (None, None)),
        ("x < 1", [math.nan, 0.5], (True, 0.5)),
        ("x < 1", [math.inf], (False, None)),
        ("x > 1", [2, 5], (True, 2)),
        ("x > 1", [2, 0, -1], (False, -1)),
        ("up == 1", [1, 0], (False, 0)),
        ("up == 1", [1, 1], (True, 1)),
        ("up", [0], (True, 0)),
        ("up", [], (False, None)),
        ("a < bool b", [1], (True, 1)),
        ("a < bool b", [1, 0], (False, 0)),
        ("a < bool b", [math.nan], (False, None)),
    ],
)
def test_every_series_has_to_keep_what_is_promised(
    query: str, values: list[float], expected: tuple[bool | None, float | None]
) -> None:
    assert keeps(promise(query), values) == expected


@given(st.text(alphabet="ab<>=!'\"`\\()[]{}# 01.e+-and or\n", max_size=60))
def test_any_text_promises_something_to_ask_that_is_a_part_of_it(text: str) -> None:
    made = promise(text)
    assert made.ask in text
    assert made.ask == text or (made.sign and made.ask)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), st.sampled_from(["<", "<=", ">", ">="]))
def test_a_comparison_holds_when_prometheus_would_hide_no_series(values: list[float], sign: str) -> None:
    bound = 3.0
    kept = {"<": bound.__gt__, "<=": bound.__ge__, ">": bound.__lt__, ">=": bound.__le__}[sign]
    holds, value = keeps(promise(f"x {sign} 3"), values)
    assert holds is all(kept(one) for one in values)
    assert value in values
