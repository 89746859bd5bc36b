"""Working time: held against an oracle that looks at a wall clock every minute, and by named examples."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import accumulate
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triaged.core.calendars import Calendar, never_closed

MINUTE = timedelta(minutes=1)
HALF_HOUR = timedelta(minutes=30)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")
UTC_ZONE = ZoneInfo("UTC")
NINE_TO_FIVE = ((time(9), time(17)),)
WHOLE_DAY = ((time.min, time.min),)
MONDAY_TO_FRIDAY = dict.fromkeys(range(5), NINE_TO_FIVE)

Spans = tuple[tuple[time, time], ...]


def calendar(
    zone: str = "UTC",
    *,
    weekly: Mapping[int, Spans] = MONDAY_TO_FRIDAY,
    closed: tuple[str, ...] = (),
    opened: tuple[str, ...] = (),
    periods: tuple[tuple[datetime, datetime], ...] = (),
) -> Calendar:
    dates = frozenset(map(date.fromisoformat, closed))
    return Calendar(
        name="test",
        zone=ZoneInfo(zone),
        weekly=weekly,
        closed=lambda year: frozenset(day for day in dates if day.year == year),
        opened=frozenset(map(date.fromisoformat, opened)),
        periods=periods,
    )


def local(text: str, zone: str = "UTC", *, fold: int = 0) -> datetime:
    """The instant (UTC) of a wall time like `2026-11-23 09:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


# ---------------------------------------------------------------- against the oracle

DAYS = 9  # that one window of the oracle lasts

WINDOWS = [  # zone, first day: nine days with something odd in their middle
    ("UTC", date(2028, 2, 25)),  # a leap day
    ("Europe/Berlin", date(2026, 3, 26)),  # 02:00 becomes 03:00
    ("Europe/Berlin", date(2026, 10, 22)),  # 03:00 becomes 02:00
    ("America/New_York", date(2026, 3, 5)),
    ("America/New_York", date(2026, 10, 29)),
    ("America/Havana", date(2026, 3, 5)),  # midnight becomes 01:00
    ("America/Havana", date(2026, 10, 29)),  # 01:00 becomes midnight
    ("Asia/Beirut", date(2026, 3, 26)),  # midnight becomes 01:00
    ("Asia/Beirut", date(2026, 10, 22)),  # midnight becomes 23:00 of the day before
    ("America/Santiago", date(2026, 9, 3)),  # midnight becomes 01:00
    ("Australia/Lord_Howe", date(2026, 10, 1)),  # half an hour forward
    ("Australia/Lord_Howe", date(2026, 4, 2)),  # half an hour back
    ("America/St_Johns", date(2010, 11, 4)),  # 00:01 becomes 23:01 of the day before
    ("Pacific/Apia", date(2011, 12, 27)),  # the 30th does not exist
    ("Asia/Kathmandu", date(2026, 12, 28)),  # five hours and three quarters, a new year
]


@cache
def clock(zone: str, first: date) -> tuple[list[datetime], list[datetime]]:
    """Every minute from a day before the window to two days after it, and the latest wall time shown until then."""
    start = datetime.combine(first - DAY, time.min, UTC)
    instants = [start + MINUTE * n for n in range((DAYS + 3) * 24 * 60)]
    return instants, list(accumulate((at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for at in instants), max))


@dataclass(kw_only=True)
class Oracle:
    """The set of open minutes, found by looking at the clock; nothing here knows of offsets."""

    zone: str
    first: date
    weekly: Mapping[int, Spans]
    closed: frozenset[date] = frozenset()
    open: set[datetime] = field(default_factory=set)

    def __post_init__(self) -> None:
        for n in range(DAYS):
            day = self.first + DAY * n
            if day not in self.closed:
                for opens, closes in self.weekly.get(day.weekday(), ()):
                    self._open(day, opens, day if closes > opens else day + DAY, closes)

    def _open(self, day: date, opens: time, last: date, closes: time) -> None:
        ends = self.first_showing(datetime.combine(last, closes))
        at = self.first_showing(datetime.combine(day, opens))
        while at < ends:
            self.open.add(at)
            at += MINUTE

    def first_showing(self, wall: datetime) -> datetime:
        instants, latest_shown = clock(self.zone, self.first)
        return instants[bisect_left(latest_shown, wall)]

    def add(self, start: datetime, minutes: int) -> datetime | None:
        counted = sorted(at for at in self.open if at >= start)[: max(minutes, 1)]
        if len(counted) < max(minutes, 1):
            return None
        return counted[-1] + MINUTE if minutes else counted[0]


def span(bounds: tuple[int, int]) -> tuple[time, time]:
    opens, closes = sorted(bounds)
    return time(opens // 60, opens % 60), time(closes // 60 % 24, closes % 60)


quarter_hours = st.integers(min_value=0, max_value=95).map(lambda n: n * 15)
spans = st.tuples(quarter_hours, quarter_hours.map(lambda n: n + 15)).filter(lambda b: b[0] != b[1]).map(span)
weeks = st.dictionaries(st.integers(0, 6), st.lists(spans, max_size=3).map(tuple), min_size=1)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Calendar, Oracle, datetime]:
    zone, first = draw(st.sampled_from(WINDOWS))
    weekly: Mapping[int, Spans] = draw(weeks)
    closed = frozenset(first + DAY * n for n in draw(st.sets(st.integers(0, DAYS - 1), max_size=2)))
    oracle = Oracle(zone=zone, first=first, weekly=weekly, closed=closed)
    tested = Calendar(name="test", zone=ZoneInfo(zone), weekly=weekly, closed=lambda _: closed)
    # Before the first local midnight there are minutes of a day that the oracle does not know.
    start = oracle.first_showing(datetime.combine(first, time.min)) + MINUTE * draw(st.integers(0, 5 * 24 * 60))
    return tested, oracle, start


@settings(max_examples=250, deadline=None, derandomize=True)
@given(worlds(), st.integers(0, 30 * 60))
def test_adding_minutes_of_open_time_ends_where_counting_open_minutes_ends(
    world: tuple[Calendar, Oracle, datetime], minutes: int
) -> None:
    tested, oracle, start = world
    expected = oracle.add(start, minutes)
    if expected is not None:
        assert tested.add(start, MINUTE * minutes) == expected


@settings(max_examples=100, deadline=None, derandomize=True)
@given(worlds())
def test_a_calendar_is_open_in_exactly_the_minutes_that_the_oracle_saw_open(
    world: tuple[Calendar, Oracle, datetime],
) -> None:
    tested, oracle, start = world
    for at in (start + MINUTE * 7 * n for n in range(200)):
        assert tested.is_open(at) == (at in oracle.open), at


@settings(max_examples=150, deadline=None, derandomize=True)
@given(worlds(), st.integers(0, 3))
def test_working_days_end_at_the_first_instant_that_shows_the_same_wall_time(
    world: tuple[Calendar, Oracle, datetime], days: int
) -> None:
    tested, oracle, start = world
    begins = oracle.add(start, 0)
    if begins is None:
        return
    wall = begins.astimezone(tested.zone).replace(tzinfo=None)
    worked = {at.astimezone(tested.zone).date() for at in oracle.open}
    later = sorted(day for day in worked if day > wall.date())
    if days == 0:
        assert tested.add_business_days(start, 0) == begins
    elif len(later) >= days:
        expected = oracle.first_showing(datetime.combine(later[days - 1], wall.time()))
        assert tested.add_business_days(start, days) == expected


@settings(max_examples=100, deadline=None, derandomize=True)
@given(worlds(), st.integers(0, 600), st.integers(0, 600))
def test_two_spans_one_after_the_other_end_where_their_sum_ends(
    world: tuple[Calendar, Oracle, datetime], one: int, other: int
) -> None:
    tested, _, start = world
    if not tested.ever_opens():
        return
    first = tested.add(start, MINUTE * one)
    assert tested.add(first, MINUTE * other) == tested.add(start, MINUTE * (one + other)) or other == 0


@settings(max_examples=100, deadline=None, derandomize=True)
@given(worlds(), st.lists(st.tuples(st.integers(-60, 300), st.integers(1, 80)), min_size=1, max_size=4))
def test_with_periods_open_time_is_what_of_the_hours_lies_within_them_and_ends_with_the_last_of_it(
    world: tuple[Calendar, Oracle, datetime], periods: list[tuple[int, int]]
) -> None:
    hours, oracle, start = world
    begun = [(start + HALF_HOUR * begins, start + HALF_HOUR * (begins + length)) for begins, length in periods]
    tested = Calendar(name="test", zone=hours.zone, weekly=hours.weekly, closed=hours.closed, periods=tuple(begun))
    first, last = oracle.first, oracle.first + DAY * (DAYS - 1)
    for at in (start + HALF_HOUR * n for n in range(300)):
        if first < at.astimezone(hours.zone).date() < last:
            within = any(begins <= at < ends for begins, ends in begun)
            assert tested.is_open(at) == (within and at in oracle.open), at
    ends = tested.ends_at()
    if ends is not None:
        assert tested.is_open(ends - SECOND)
        assert tested.add(ends - SECOND, SECOND) == ends
        with pytest.raises(ValueError, match="not open for"):
            tested.add(ends, timedelta())


# ---------------------------------------------------------------- named examples: spans


def test_eight_hours_from_opening_end_at_closing_time_and_not_at_the_next_opening() -> None:
    assert calendar().add(local("2026-11-23 09:00"), timedelta(hours=8)) == local("2026-11-23 17:00")


def test_the_minute_before_midnight_is_not_lost() -> None:
    # zammad#3180: a day that ended at 23:59 lost a minute each midnight.
    whole_week = calendar("Europe/Berlin", weekly=dict.fromkeys(range(7), WHOLE_DAY))
    start = local("2026-11-23 10:00", "Europe/Berlin")
    assert whole_week.add(start, timedelta(days=3)) == start + timedelta(days=3)


def test_no_weekday_is_treated_unlike_the_others() -> None:
    # osTicket#6739: plans that were right on every day but Monday and Thursday.
    for n in range(5):
        monday = datetime(2026, 11, 23, 10, tzinfo=UTC) + DAY * n
        assert calendar().add(monday, timedelta(hours=6)) == monday + timedelta(hours=6)
        assert calendar().is_open(monday)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [("2026-03-29 00:00", "2026-03-30 00:00", 23), ("2026-10-25 00:00", "2026-10-26 00:00", 25)],
)
def test_a_day_on_which_clocks_change_has_the_hours_that_really_pass(start: str, end: str, hours: int) -> None:
    # OTRS 9884: an hour too many or too few over the change.
    sunday = calendar("Europe/Berlin", weekly={6: WHOLE_DAY})
    begins = local(start, "Europe/Berlin")
    assert sunday.add(begins, timedelta(hours=hours)) == local(end, "Europe/Berlin")
    assert sunday.add(begins, timedelta(hours=hours, minutes=1)) > local(end, "Europe/Berlin")


def test_each_date_has_its_own_offset_and_not_the_one_of_today() -> None:
    # dbt_zendesk#25: today's offset was applied to last winter's tickets.
    office = calendar("Europe/Berlin")
    assert office.add(local("2026-01-12 00:00"), timedelta()) == datetime(2026, 1, 12, 8, tzinfo=UTC)
    assert office.add(local("2026-07-13 00:00"), timedelta()) == datetime(2026, 7, 13, 7, tzinfo=UTC)


def test_open_time_over_the_change_of_clocks_skips_the_weekend_and_keeps_local_opening_hours() -> None:
    office = calendar("Europe/Berlin")
    friday = local("2026-03-27 16:00", "Europe/Berlin")
    assert office.add(friday, timedelta(hours=2)) == local("2026-03-30 10:00", "Europe/Berlin")


def test_a_span_that_begins_in_the_hour_that_clocks_skip_begins_with_the_change() -> None:
    night = calendar("Europe/Berlin", weekly={6: ((time(2, 30), time(4)),)})
    change = datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert night.add(datetime(2026, 3, 28, tzinfo=UTC), timedelta()) == change
    assert not night.is_open(change - MINUTE)
    assert night.is_open(change)


def test_a_span_that_ends_in_the_hour_that_comes_twice_ends_the_first_time() -> None:
    night = calendar("Europe/Berlin", weekly={6: ((time(1), time(2, 30)),)})
    assert night.is_open(local("2026-10-25 02:29", "Europe/Berlin", fold=0))
    assert not night.is_open(local("2026-10-25 02:31", "Europe/Berlin", fold=0))
    assert not night.is_open(local("2026-10-25 02:29", "Europe/Berlin", fold=1))


def test_a_day_whose_midnight_does_not_exist_opens_with_the_change() -> None:
    beirut = calendar("Asia/Beirut", weekly={6: WHOLE_DAY})
    opening = beirut.add(local("2026-03-27 12:00", "Asia/Beirut"), timedelta())
    assert opening == local("2026-03-29 01:00", "Asia/Beirut")
    assert beirut.add(opening, timedelta(hours=23)) == local("2026-03-30 00:00", "Asia/Beirut")


def test_the_hour_before_midnight_that_comes_again_after_midnight_belongs_to_the_new_day() -> None:
    # St. John's: 00:01 on Sunday became 23:01 on Saturday.
    sunday = calendar("America/St_Johns", weekly={6: WHOLE_DAY})
    assert sunday.is_open(local("2010-11-06 23:30", "America/St_Johns", fold=1))
    assert not sunday.is_open(local("2010-11-06 23:30", "America/St_Johns", fold=0))


def test_a_skipped_local_time_is_due_at_the_change_to_the_microsecond() -> None:
    start = datetime(2026, 3, 28, 1, 30, 0, 500_000, tzinfo=UTC)
    always = calendar("Europe/Berlin", weekly={})
    assert always.add_business_days(start, 1) == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_a_date_that_a_zone_skipped_has_no_open_time() -> None:
    samoa = calendar("Pacific/Apia", weekly=dict.fromkeys(range(7), NINE_TO_FIVE))
    thursday = local("2011-12-29 16:00", "Pacific/Apia")
    assert samoa.add(thursday, timedelta(hours=2)) == local("2011-12-31 10:00", "Pacific/Apia")
    assert samoa.add_business_days(thursday, 1) == local("2011-12-31 16:00", "Pacific/Apia")


def test_the_leap_day_counts_like_any_other() -> None:
    assert calendar().add(local("2028-02-28 16:00"), timedelta(hours=2)) == local("2028-02-29 10:00")


def test_a_lunch_break_and_overlapping_spans_count_no_minute_twice() -> None:
    weekly = {0: ((time(13), time(17)), (time(9), time(12)), (time(10), time(11)))}
    assert calendar(weekly=weekly).add(local("2026-11-23 09:00"), timedelta(hours=4)) == local("2026-11-23 14:00")


def test_a_span_of_nothing_ends_at_the_start_while_open_and_at_the_next_opening_while_closed() -> None:
    assert calendar().add(local("2026-11-23 11:11"), timedelta()) == local("2026-11-23 11:11")
    assert calendar().add(local("2026-11-23 17:00"), timedelta()) == local("2026-11-24 09:00")


def test_the_answer_is_utc_whatever_zone_the_start_was_given_in() -> None:
    start = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)
    always = calendar("Europe/Berlin", weekly={})
    assert always.add(start, timedelta(hours=2)) == local("2026-10-25 03:30", "Europe/Berlin")
    assert always.add(start, timedelta(hours=2)).tzinfo is UTC


# ---------------------------------------------------------------- named examples: dates and periods


def test_a_holiday_is_closed_all_day_and_does_not_count() -> None:
    christmas = calendar(closed=("2026-12-25",))
    assert not christmas.is_open(local("2026-12-25 10:00"))
    assert christmas.add(local("2026-12-24 16:00"), timedelta(hours=2)) == local("2026-12-28 10:00")


def test_an_opened_date_wins_over_a_holiday_and_has_the_hours_of_its_weekday() -> None:
    busy = calendar(
        weekly={**MONDAY_TO_FRIDAY, 4: ((time(9), time(13)),)}, closed=("2026-12-25",), opened=("2026-12-25",)
    )
    assert busy.is_open(local("2026-12-25 12:59"))
    assert not busy.is_open(local("2026-12-25 13:00"))


def test_an_opened_saturday_has_the_hours_of_the_first_working_weekday() -> None:
    stocktaking = calendar(opened=("2026-11-28",))
    assert stocktaking.add(local("2026-11-27 16:00"), timedelta(hours=2)) == local("2026-11-28 10:00")
    assert stocktaking.is_open(local("2026-11-28 16:59"))


def test_the_first_working_weekday_is_the_first_of_the_week_and_not_of_the_file() -> None:
    weekly = {3: ((time(12), time(13)),), 0: NINE_TO_FIVE}
    assert calendar(weekly=weekly, opened=("2026-11-28",)).is_open(local("2026-11-28 16:00"))


def test_opened_dates_alone_are_open_all_day() -> None:
    fair = calendar(weekly={0: ()}, opened=("2026-11-28",))
    assert fair.add(local("2026-11-01 00:00"), timedelta(hours=24)) == local("2026-11-29 00:00")


def test_without_weekly_hours_it_is_open_all_the_time_but_for_closed_dates() -> None:
    shop = calendar(weekly={}, closed=("2026-12-25",))
    assert shop.add(local("2026-12-24 12:00"), timedelta(hours=24)) == local("2026-12-26 12:00")


def test_with_periods_it_is_open_only_within_them_and_within_its_hours() -> None:
    sale = ((datetime(2026, 11, 25, 12, tzinfo=BERLIN), datetime(2026, 11, 27, 12, tzinfo=BERLIN)),)
    black_friday = calendar("Europe/Berlin", periods=sale)
    assert black_friday.add(local("2026-11-01 00:00"), timedelta(hours=6)) == local("2026-11-26 10:00", "Europe/Berlin")
    assert not black_friday.is_open(local("2026-11-27 12:00", "Europe/Berlin"))


def test_with_periods_and_no_weekly_hours_it_is_open_throughout_them() -> None:
    freeze = (local("2026-12-20 18:00"), local("2027-01-04 06:00"))
    frozen = calendar(weekly={}, periods=(freeze,))
    assert frozen.is_open(local("2026-12-27 03:00"))
    assert frozen.add(local("2026-12-01 00:00"), freeze[1] - freeze[0]) == freeze[1]


def test_a_period_written_in_another_zone_counts_the_time_that_really_passes() -> None:
    begins = datetime(2026, 10, 25, tzinfo=BERLIN)
    sunday = calendar(weekly={}, periods=((begins, begins + DAY),))
    assert sunday.add(local("2026-10-01 00:00"), timedelta(hours=4)) == local("2026-10-25 03:00", "Europe/Berlin")
    assert sunday.add(local("2026-10-01 00:00"), timedelta()).tzinfo is UTC


def test_overlapping_periods_count_once() -> None:
    one = (local("2026-12-20 00:00"), local("2026-12-20 12:00"))
    other = (local("2026-12-20 06:00"), local("2026-12-20 18:00"))
    assert calendar(weekly={}, periods=(other, one)).add(one[0], timedelta(hours=18)) == other[1]


# ---------------------------------------------------------------- named examples: working days


@pytest.mark.parametrize(
    ("start", "days", "due"),
    [
        ("2026-11-23 10:30", 1, "2026-11-24 10:30"),  # Monday: the same time on Tuesday
        ("2026-11-27 16:59", 1, "2026-11-30 16:59"),  # Friday: Monday
        ("2026-11-28 12:00", 1, "2026-12-01 09:00"),  # Saturday: from Monday's opening, Tuesday's
        ("2026-11-23 07:00", 1, "2026-11-24 09:00"),  # before opening: from that day's opening
        ("2026-11-23 17:00", 1, "2026-11-25 09:00"),  # just closed: from the next day's opening
        ("2026-11-23 10:30", 5, "2026-11-30 10:30"),
        ("2026-11-23 10:30", 0, "2026-11-23 10:30"),
        ("2026-11-28 12:00", 0, "2026-11-30 09:00"),
        ("2026-12-23 15:00", 2, "2026-12-28 15:00"),  # Friday the 25th is a holiday
    ],
)
def test_working_days_end_at_the_same_local_time(start: str, days: int, due: str) -> None:
    assert calendar(closed=("2026-12-25",)).add_business_days(local(start), days) == local(due)


def test_a_working_day_over_the_change_of_clocks_keeps_the_local_time() -> None:
    start = local("2026-10-23 10:00", "Europe/Berlin")
    due = calendar("Europe/Berlin").add_business_days(start, 1)
    assert due == local("2026-10-26 10:00", "Europe/Berlin")
    assert due - start == timedelta(days=3, hours=1)


def test_a_short_day_does_not_move_the_local_time_at_which_a_working_day_ends() -> None:
    short_friday = calendar(weekly={**MONDAY_TO_FRIDAY, 4: ((time(9), time(13)),)})
    assert short_friday.add_business_days(local("2026-11-26 16:00"), 1) == local("2026-11-27 16:00")


# ---------------------------------------------------------------- what never opens


def test_a_calendar_without_any_open_span_never_opens_and_says_so_instead_of_searching_on() -> None:
    empty = calendar(weekly={0: ()})
    assert not empty.ever_opens()
    with pytest.raises(ValueError, match="calendar test: not open for 1:00:00 within ten years after 2026-11-23"):
        empty.add(local("2026-11-23 09:00"), timedelta(hours=1))


def test_a_calendar_that_was_only_open_in_the_past_opened_once_but_gives_no_due_instant() -> None:
    past = calendar(periods=((local("2020-01-06 00:00"), local("2020-01-08 00:00")),))
    assert past.ever_opens()
    with pytest.raises(ValueError, match="not open for"):
        past.add(local("2026-11-23 09:00"), timedelta())


@pytest.mark.parametrize(
    ("tested", "ends"),
    [
        (calendar(), None),
        (calendar(weekly={}), None),
        (calendar(weekly={0: ()}), None),
        (calendar(weekly={0: ()}, opened=("2026-11-28", "2026-11-21")), "2026-11-29 00:00"),
        (calendar(periods=((local("2026-11-24 00:00"), local("2026-11-30 08:00")),)), "2026-11-27 17:00"),
        (calendar(periods=((local("2026-11-28 00:00"), local("2026-11-30 00:00")),)), None),  # a weekend
    ],
    ids=["hours", "no limit", "never open", "dates", "a period", "a weekend only"],
)
def test_open_time_ends_where_only_dates_or_periods_give_it(tested: Calendar, ends: str | None) -> None:
    assert tested.ends_at() == (local(ends) if ends else None)


def looked_at(tested: Calendar, at: str) -> int:
    """How many dates are looked at to find that no hour of open time lies ahead."""
    looked: list[int] = []

    def closed(year: int) -> frozenset[date]:
        looked.append(year)
        return frozenset()

    counting = Calendar(name="test", zone=UTC_ZONE, weekly=tested.weekly, closed=closed, periods=tested.periods)
    with pytest.raises(ValueError, match="within ten years"):
        counting.add(local(at), timedelta(hours=1))
    with pytest.raises(ValueError, match="within ten years"):
        counting.add_business_days(local(at), 1)
    return len(looked)


def test_a_calendar_that_has_run_out_is_not_searched_for_each_incident() -> None:
    past = ((local("2020-01-06 00:00"), local("2020-01-08 00:00")),)
    ending = ((local("2026-11-23 00:00"), local("2026-11-23 09:30")),)
    distant = ((local("2090-01-02 00:00"), local("2090-01-03 00:00")),)
    assert looked_at(calendar(periods=past), "2026-11-23 09:00") == 0
    assert looked_at(calendar(periods=distant), "2026-11-23 09:00") == 0
    assert looked_at(calendar(periods=ending), "2026-11-23 09:00") <= 8


def test_a_span_that_is_longer_than_all_open_time_is_sought_once_a_day_and_shorter_ones_are_found() -> None:
    looked: list[int] = []

    def closed(year: int) -> frozenset[date]:
        looked.append(year)
        return frozenset()

    mondays = Calendar(name="test", zone=UTC_ZONE, weekly={0: ((time(9), time(10)),)}, closed=closed)
    for clock in ("09:00", "09:30", "00:00", "23:59"):
        with pytest.raises(ValueError, match="not open for 30 days, 0:00:00 within ten years after 2026-11-23"):
            mondays.add(local(f"2026-11-23 {clock}"), 30 * DAY)
    assert len(looked) < 4_000
    assert mondays.add(local("2026-11-23 09:00"), timedelta(hours=3)) == local("2026-12-07 10:00")
    # Ten years have 522 of these hours, or 523 from a Monday on.
    assert mondays.add(local("2026-11-23 09:00"), timedelta(hours=522)) > local("2036-11-16 00:00")
    with pytest.raises(ValueError, match="not open for"):
        mondays.add(local("2026-11-24 09:00"), 30 * DAY)
    assert 4_000 < len(looked) < 20_000


def test_thousands_of_periods_are_not_all_looked_at_for_one_instant() -> None:
    class Counted(datetime):
        compared = 0

        def __lt__(self, other: object) -> bool:
            Counted.compared += 1
            return super().__lt__(other)  # type: ignore[operator]  # datetimes alone are compared here

    def counted(at: datetime) -> datetime:
        return Counted.fromtimestamp(at.timestamp(), UTC)

    begins = [local("2020-01-06 09:00") + DAY * n for n in range(3_000)]
    many = calendar(weekly={}, periods=tuple((counted(at), counted(at + MINUTE)) for at in begins))
    Counted.compared = 0
    assert many.is_open(begins[2_000])
    assert Counted.compared < 100


def test_too_few_working_days_are_an_error_and_not_a_wrong_date() -> None:
    two_days = calendar(periods=((local("2026-11-23 00:00"), local("2026-11-25 00:00")),))
    assert two_days.add_business_days(local("2026-11-23 10:00"), 1) == local("2026-11-24 10:00")
    with pytest.raises(ValueError, match="no 2 working days within ten years"):
        two_days.add_business_days(local("2026-11-23 10:00"), 2)


@pytest.mark.parametrize(
    ("tested", "opens"),
    [
        (calendar(), True),
        (calendar(weekly={}), True),
        (calendar(weekly={0: ()}, opened=("2026-11-28",)), True),
        (calendar(periods=((local("2026-11-28 00:00"), local("2026-11-30 00:00")),)), False),  # a weekend
        (calendar(periods=((local("2026-11-28 00:00"), local("2026-11-30 09:01")),)), True),
        (calendar(periods=((local("2026-11-30 10:00"), local("2026-11-30 11:00")),)), True),
    ],
    ids=["hours", "no limit", "one date", "a weekend only", "a minute of Monday", "an hour"],
)
def test_a_calendar_ever_opens_where_hours_dates_and_periods_leave_a_moment(tested: Calendar, *, opens: bool) -> None:
    assert tested.ever_opens() is opens


def test_a_span_that_does_not_end_after_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="calendar test: expected an end after 22:00, not 06:00"):
        calendar(weekly={0: ((time(22), time(6)),)})


def test_negative_spans_and_days_are_refused() -> None:
    with pytest.raises(ValueError, match="a span of nothing or more"):
        calendar().add(local("2026-11-23 09:00"), -MINUTE)
    with pytest.raises(ValueError, match="0 working days or more"):
        calendar().add_business_days(local("2026-11-23 09:00"), -1)


def test_a_calendar_without_holidays_is_closed_on_no_date() -> None:
    assert never_closed(2026) == frozenset()
