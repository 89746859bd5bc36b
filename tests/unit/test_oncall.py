"""Who is on call for a team: by rotations, by shifts of a calendar, and in its gaps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triaged.core.catalogue import Feed, Person, Team, addresses
from triaged.core.oncall import STALE_AFTER, Reading, Rota, meant
from triaged.core.rotation import Rotation, Shift

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
FEED = Feed(url="https://calendar.example.com/pay.ics", zone=ZoneInfo("UTC"))
PEOPLE = {
    "ann": Person(name="ann", github="ann-acme", notify=("mailto://ann@example.com",)),
    "bob": Person(name="bob", notify=("slack://token", "mailtos://robert:secret@mail.example.com?to=bob@example.org")),
    "carl": Person(name="carl"),
}


def hours(number: float) -> datetime:
    return START + timedelta(hours=number)


def shift(who: str, begins: float, ends: float) -> Shift:
    return Shift(who=(who,), begins_at=hours(begins), ends_at=hours(ends))


def rota(*shifts: Shift) -> Rota:
    return Rota(
        teams={
            "pay": Team(name="pay", on_call=FEED),
            "web": Team(name="web", on_call=Rotation(people=("ann", "bob"))),
            "none": Team(name="none"),
        },
        people=PEOPLE,
        shifts={"pay": shifts},
    )


def test_of_a_rotation_the_one_on_call_comes_first_then_the_next() -> None:
    assert set(rota().now("web", START)) == {"ann", "bob"}
    assert rota().now("web", START) == rota().now("web", hours(7 * 24))[::-1]


def test_the_turns_of_a_rotation_follow_each_other_without_gap() -> None:
    found = rota()
    (running,), (following, *_) = found.running("web", START), found.coming("web", START)
    assert (running.person, following.person) == found.now("web", START)
    assert running.ends_at == following.begins_at
    assert list(found.gaps("web", START, hours(2000))) == []


@pytest.mark.parametrize("team", ["none", "nowhere"])
def test_a_team_without_on_call_has_nobody(team: str) -> None:
    found = rota(shift("ann", -1, 1))
    assert found.now(team, START) == ()
    assert (found.running(team, START), found.coming(team, START)) == ([], [])


def test_of_a_calendar_the_shift_that_runs_counts_then_those_that_follow() -> None:
    found = rota(shift("ann", -2, 0), shift("bob", 0, 2), shift("carl", 2, 4), shift("bob", 4, 6), shift("ann", 6, 8))
    assert found.now("pay", START) == ("bob", "carl", "ann")
    assert [turn.person for turn in found.coming("pay", START)] == ["carl", "bob", "ann"]


def test_whoever_covers_for_some_hours_stands_before_whoever_has_the_week() -> None:
    found = rota(shift("ann", -48, 48), shift("bob", -1, 1))
    assert found.now("pay", START) == ("bob", "ann")
    assert found.now("pay", hours(1)) == ("ann",)


def test_in_a_gap_nobody_is_on_call_whoever_comes_next() -> None:
    found = rota(shift("ann", -2, 0), shift("bob", 1, 2))
    assert found.now("pay", START) == ()
    assert [turn.person for turn in found.coming("pay", START)] == ["bob"]


def test_a_stranger_is_shown_as_the_calendar_says_and_is_nobody_who_can_be_told() -> None:
    found = rota(shift("Zoe", -1, 1), shift("ann", 1, 2))
    assert found.now("pay", START) == ()
    assert [(turn.person, turn.said) for turn in found.running("pay", START)] == [("", "Zoe")]
    assert found.strangers("pay") == ("Zoe",)
    assert list(found.gaps("pay", START, hours(2))) == [(START, hours(1))]


def test_a_stranger_beside_somebody_who_is_known_leaves_no_gap() -> None:
    found = rota(shift("ann", -2, 4), shift("Zoe", -1, 1))
    assert found.now("pay", START) == ("ann",)
    assert list(found.gaps("pay", START, hours(4))) == []


@pytest.mark.parametrize(
    ("words", "person"),
    [
        (("ann",), "ann"),
        (("ANN ",), "ann"),
        (("Ann-Acme",), "ann"),
        (("ann@example.com",), "ann"),
        (("robert@mail.example.com",), "bob"),
        (("bob@example.org",), "bob"),
        (("On call: Ann",), "ann"),
        (("Primary (carl)",), "carl"),
        (("carl.",), "carl"),
        (("nobody@example.com", "Bob"), "bob"),
        (("ann and bob",), ""),
        (("joann",), ""),
        (("ann@elsewhere.example.com",), ""),
        (("carl-heinz",), ""),
        (("secret",), ""),
        ((), ""),
    ],
)
def test_a_person_is_meant_by_name_github_name_or_mail_address(words: tuple[str, ...], person: str) -> None:
    assert meant(words, PEOPLE) == person


def test_a_name_that_two_people_have_at_github_means_neither() -> None:
    people = {name: Person(name=name, github="same") for name in ("x", "y")}
    assert meant(("same",), people) == ""


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("mailto://ann@example.com", ["ann@example.com"]),
        ("mailto:ann@example.com", ["ann@example.com"]),
        ("mailtos://ann:p%40ss@example.com", ["ann@example.com"]),
        ("mailtos://ann:p:w@example.com:587/bob@example.org", ["ann@example.com", "bob@example.org"]),
        ("mailtos://smtp.example.com?user=x&to=ann%40example.com", ["ann@example.com"]),
        ("slack://ann@example.com", []),
    ],
)
def test_mail_addresses_are_found_in_urls_of_mailboxes(url: str, found: list[str]) -> None:
    assert list(addresses(url)) == found


def test_a_reading_is_stale_when_it_is_older_than_a_day_or_never_was() -> None:
    reading = Reading(team="pay", source="", tried_at=START)
    assert reading.stale(START)
    read = Reading(team="pay", source="", tried_at=START, read_at=START, until=hours(1))
    assert not read.stale(START + STALE_AFTER)
    assert read.stale(START + STALE_AFTER + timedelta(seconds=1))


SHIFTS = st.lists(
    st.tuples(st.sampled_from(["ann", "bob", "Zoe"]), st.integers(-20, 60), st.integers(1, 20)), max_size=12
).map(lambda drawn: sorted((shift(who, at, at + span) for who, at, span in drawn), key=lambda one: one.begins_at))


@given(SHIFTS)
def test_the_gaps_are_just_the_hours_in_which_nobody_is_on_call(shifts: list[Shift]) -> None:
    found = rota(*shifts)
    gaps = list(found.gaps("pay", START, hours(48)))
    for hour in range(48):
        within = any(begins <= hours(hour) < ends for begins, ends in gaps)
        assert within == (found.now("pay", hours(hour)) == ())
    assert all(begins < ends for begins, ends in gaps)
    assert all(ends < begins for (_, ends), (begins, _) in pairwise(gaps))


@given(SHIFTS, st.integers(-30, 80))
def test_whoever_is_named_is_named_once_and_the_first_one_has_a_shift(shifts: list[Shift], hour: int) -> None:
    found = rota(*shifts)
    named = found.now("pay", hours(hour))
    assert len(set(named)) == len(named)
    running = [one for one in shifts if one.begins_at <= hours(hour) < one.ends_at and one.who != ("Zoe",)]
    assert bool(named) == bool(running)
    if named:
        latest = max(one.begins_at for one in running)
        assert named[0] in {one.who[0] for one in running if one.begins_at == latest}
