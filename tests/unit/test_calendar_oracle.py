"""Calendars around changes of clocks, held against a wall clock that is looked at every minute.

Each test takes a share of its zone's changes from 2000 to 2040; `python -m minutewise` (in `make fuzz`) takes them all.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from minutewise.cases import ZONES, WrongAnswerError, asked, windows
from minutewise.oracle import Hours, Oracle, Unknown, Wall, changes
from triaged.core.calendars import Calendar

EVERY = 13
BERLIN_SPRING = datetime(2026, 3, 29, 1, tzinfo=UTC)
NIGHT = Hours(weekly={6: ((time(1), time(4)),)})


@pytest.mark.parametrize(("n", "zone"), list(enumerate(ZONES)), ids=ZONES)
def test_around_changes_of_clocks_a_calendar_says_what_counting_minutes_says(n: int, zone: str) -> None:
    found = windows(zone)
    assert len(found) > 15
    share = found[n % EVERY :: EVERY]
    answered = sum(asked(zone, change) for change in share)
    assert answered > 40 * len(share)


def test_the_changes_of_a_zone_are_found_to_the_minute() -> None:
    assert changes("Europe/Berlin", 2026, 2026) == [BERLIN_SPRING, datetime(2026, 10, 25, 1, tzinfo=UTC)]
    assert changes("Asia/Kathmandu", 2000, 2040) == []


def test_the_oracle_counts_the_minutes_that_a_clock_shows() -> None:
    oracle = Oracle(NIGHT, Wall(zone="Europe/Berlin", change=BERLIN_SPRING))
    begins = BERLIN_SPRING - timedelta(hours=1)
    assert len(oracle.open) == 3 * 60 - 60 + 3 * 60
    assert oracle.add(begins, timedelta(hours=2)) == begins + timedelta(hours=2)
    assert oracle.between(begins, begins + timedelta(days=1)) == timedelta(hours=2)
    assert oracle.worked == {date(2026, 3, 29), date(2026, 4, 5)}


def test_the_oracle_does_not_guess_beyond_its_window() -> None:
    oracle = Oracle(NIGHT, Wall(zone="Europe/Berlin", change=BERLIN_SPRING))
    with pytest.raises(Unknown):
        oracle.add(BERLIN_SPRING, timedelta(hours=20))


def test_a_calendar_that_is_wrong_for_an_hour_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Calendar.add
    monkeypatch.setattr(Calendar, "add", lambda self, start, span: right(self, start, span + timedelta(seconds=1)))
    with pytest.raises(WrongAnswerError, match="Europe/Berlin, change of 2026-03-29 01:00"):
        asked("Europe/Berlin", BERLIN_SPRING)
