"""Weekly rotations: whose turn it is, over handovers, changes of clocks and years."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triaged.core.rotation import Rotation

ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia",
    "Asia/Kolkata", "Africa/Casablanca", "America/Santiago", "Asia/Tehran", "Europe/Dublin", "Pacific/Chatham",
)  # fmt: skip
INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2040, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
PEOPLE = ("ann", "bob", "carl", "dora")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@st.composite
def rotations(draw: st.DrawFn) -> Rotation:
    return Rotation(
        people=PEOPLE[: draw(st.integers(1, 4))],
        weekday=draw(st.integers(0, 6)),
        wall=draw(st.sampled_from([time(0), time(0, 1), time(1, 30), time(2, 30), time(9), time(23, 59)])),
        zone=ZoneInfo(draw(st.sampled_from(ZONES))),
        first=draw(st.dates(date(1999, 1, 1), date(2041, 1, 1))),
    )


def test_one_hands_over_to_the_next_at_the_handover_and_not_before() -> None:
    rotation = Rotation(people=("ann", "bob"), zone=ZoneInfo("Europe/Berlin"), first=date(2026, 11, 23))
    assert rotation.on_call(at("2026-11-23T07:59:59+00:00")) == ("bob", "ann")
    assert rotation.on_call(at("2026-11-23T08:00:00+00:00")) == ("ann", "bob")
    assert rotation.on_call(at("2026-11-30T07:59:59+00:00")) == ("ann", "bob")
    assert rotation.on_call(at("2026-11-30T09:00:00+01:00")) == ("bob", "ann")


@pytest.mark.parametrize("first", ["2026-11-23", "2026-11-25", "2026-11-29"])
def test_the_date_may_be_any_in_the_week_of_the_first_one(first: str) -> None:
    rotation = Rotation(people=PEOPLE, first=date.fromisoformat(first))
    assert rotation.on_call(at("2026-11-26T12:00:00+00:00"))[0] == "ann"
    assert rotation.on_call(at("2026-12-01T12:00:00+00:00")) == ("bob", "carl", "dora", "ann")


def test_without_a_date_the_weeks_count_from_the_first_monday_of_1970() -> None:
    rotation = Rotation(people=("ann", "bob"), wall=time(0))
    assert rotation.on_call(at("1970-01-05T00:00:00+00:00"))[0] == "ann"
    assert rotation.on_call(at("1970-01-12T00:00:00+00:00"))[0] == "bob"
    assert rotation.on_call(at("1970-01-04T23:59:59+00:00"))[0] == "bob"


def test_a_week_in_which_clocks_are_put_back_is_an_hour_longer() -> None:
    rotation = Rotation(people=("ann", "bob"), weekday=4, zone=ZoneInfo("Europe/Berlin"))
    (shift,) = rotation.shifts(at("2026-10-25T00:00:00+00:00"), at("2026-10-25T00:00:01+00:00"))
    assert shift.ends_at - shift.begins_at == timedelta(days=7, hours=1)
    assert (shift.begins_at, shift.ends_at) == (at("2026-10-23T07:00:00+00:00"), at("2026-10-30T08:00:00+00:00"))


def test_a_handover_that_the_clocks_skip_is_as_late_as_without_the_change() -> None:
    rotation = Rotation(people=("ann", "bob"), weekday=6, wall=time(2, 30), zone=ZoneInfo("Europe/Berlin"))
    (_, shift) = rotation.shifts(at("2026-03-28T00:00:00+00:00"), at("2026-03-30T00:00:00+00:00"))
    assert shift.begins_at == at("2026-03-29T03:30:00+02:00")


def test_of_a_handover_that_the_clocks_show_twice_the_first_counts() -> None:
    rotation = Rotation(people=("ann", "bob"), weekday=6, wall=time(2, 30), zone=ZoneInfo("Europe/Berlin"))
    (_, shift) = rotation.shifts(at("2026-10-24T00:00:00+00:00"), at("2026-10-26T00:00:00+00:00"))
    assert shift.begins_at == at("2026-10-25T02:30:00+02:00")


def test_clocks_that_go_back_over_midnight_do_not_hand_back() -> None:
    # St. John's put its clocks back at 00:01 until 2011: an hour after the handover at midnight it was Saturday again.
    rotation = Rotation(people=("ann", "bob"), weekday=6, wall=time(0), zone=ZoneInfo("America/St_Johns"))
    handover = at("2010-11-07T02:30:00+00:00")
    before = rotation.on_call(handover - timedelta(seconds=1))
    assert [rotation.on_call(handover + timedelta(minutes=n)) for n in (0, 1, 59, 61)] == [before[::-1]] * 4


@given(rotations(), INSTANTS)
def test_whoever_is_on_call_has_the_shift_that_runs(rotation: Rotation, now: datetime) -> None:
    running = list(rotation.shifts(now, now + timedelta(microseconds=1)))
    assert [shift.who[0] for shift in running] == [rotation.on_call(now)[0]]
    assert running[0].begins_at <= now < running[0].ends_at


@given(rotations(), INSTANTS, st.integers(1, 60))
def test_shifts_follow_one_another_without_gap_in_the_order_of_the_people(
    rotation: Rotation, since: datetime, days: int
) -> None:
    until = since + timedelta(days=days)
    shifts = list(rotation.shifts(since, until))
    assert shifts[0].begins_at <= since
    assert shifts[-1].begins_at < until <= shifts[-1].ends_at
    for one, following in pairwise(shifts):
        assert one.ends_at == following.begins_at
        assert following.who == (rotation.on_call(one.begins_at) * 2)[1:2]
    for shift in shifts:
        assert timedelta(days=5) < shift.ends_at - shift.begins_at < timedelta(days=9)


@given(rotations(), INSTANTS)
def test_a_handover_is_shown_by_the_clock_of_its_zone(rotation: Rotation, now: datetime) -> None:
    (shift, *_) = rotation.shifts(now, now + timedelta(seconds=1))
    local = shift.begins_at.astimezone(rotation.zone)
    wanted = datetime.combine(local.date(), rotation.wall)
    shown = local.replace(tzinfo=None)
    skipped = shown != wanted
    assert skipped or local.weekday() == rotation.weekday
    # Only what the clock never showed is told otherwise: then it is later, by as much as was skipped.
    assert not skipped or _skipped(rotation, shift.begins_at)


def _skipped(rotation: Rotation, instant: datetime) -> bool:
    """Whether the clocks of the zone were put forward within the day before."""
    offsets = [(instant - timedelta(hours=n)).astimezone(rotation.zone).utcoffset() for n in (0, 25)]
    return offsets[0] is not None and offsets[1] is not None and offsets[0] > offsets[1]
