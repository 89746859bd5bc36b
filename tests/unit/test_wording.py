"""Spans, instants and lists in plain words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from triaged.core import wording


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(), "0 s"),
        (timedelta(milliseconds=999), "0 s"),
        (timedelta(seconds=1), "1 s"),
        (timedelta(seconds=90), "1 min 30 s"),
        (timedelta(minutes=90), "1 h 30 min"),
        (timedelta(hours=4), "4 h"),
        (timedelta(days=3, hours=2), "3 d 2 h"),
    ],
)
def test_a_span_is_told_in_its_two_largest_units(length: timedelta, words: str) -> None:
    assert wording.span(length) == words


def test_a_span_tells_no_unit_beyond_the_first_that_is_nought() -> None:
    assert wording.span(timedelta(days=1, minutes=5)) == "1 d"
    assert wording.span(timedelta(hours=1, minutes=30, seconds=59)) == "1 h 30 min"


def test_a_span_before_an_instant_is_as_long_as_one_after_it() -> None:
    assert wording.span(timedelta(minutes=-90)) == "1 h 30 min"


def test_an_instant_is_told_to_the_minute_in_utc_whatever_its_zone() -> None:
    berlin = datetime(2026, 11, 23, 9, 9, 59, tzinfo=ZoneInfo("Europe/Berlin"))
    assert wording.instant(berlin) == wording.instant(berlin.astimezone(UTC)) == "2026-11-23 08:09 UTC"


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 alerts"), (1, "1 alert"), (2, "2 alerts"), (9_999, "9,999 alerts")],
)
def test_only_one_of_a_noun_is_singular(number: int, words: str) -> None:
    assert wording.count(number, "alert") == words


def test_a_listing_says_how_many_more_there_are() -> None:
    assert wording.listing(["a", "b", "c"], most=2) == "a, b … and 1 more"
    assert wording.listing([str(n) for n in range(2_001)], most=1) == "0 … and 2,000 more"


def test_a_listing_that_fits_says_nothing_of_more() -> None:
    assert wording.listing(["a", "b"], most=2) == "a, b"
    assert wording.listing([], most=2) == ""
