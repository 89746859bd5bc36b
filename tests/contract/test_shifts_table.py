"""The tables of shifts: a good reading replaces the former one, a failed one leaves it, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from triaged import rulefiles
from triaged.core.catalogue import Feed
from triaged.core.oncall import Reading, Rota
from triaged.core.rotation import Shift
from triaged.store import shifts
from triaged.store.store import Store
from web_desk import RULES

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SERVICES = """
teams:
  pay: {on_call: {ical: 'https://calendar.example.com/pay.ics'}}
  web: {on_call: {rotation: [ann]}}
people: {ann: {}, bob: {}}
"""
FOUND = rulefiles.read({**RULES, "services.yaml": SERVICES, "triage.yaml": RULES["triage.yaml"]}).rules


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path}/new.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    one = Store(url)
    one.migrate()
    yield one
    one.close()


def hours(number: float) -> datetime:
    return START + timedelta(hours=number)


def shift(who: str, begins: float, ends: float) -> Shift:
    return Shift(who=(who, "on call"), begins_at=hours(begins), ends_at=hours(ends))


def reading(team: str = "pay", *, tried: float = 0, good: bool = True, failure: str = "") -> Reading:
    at = hours(tried)
    until = at + timedelta(weeks=8)
    return Reading(
        team=team,
        source="abc",
        tried_at=at,
        read_at=at if good else None,
        until=until if good else None,
        failure=failure,
    )


def keep(store: Store, one: Reading, *found: Shift) -> None:
    with store.begin() as transaction:
        shifts.keep(transaction.connection, one, found)


def asked(store: Store) -> Rota:
    with store.read() as reader:
        return shifts.rota(FOUND, reader.connection)


def test_the_shifts_of_a_reading_are_kept_in_the_order_in_which_they_begin(store: Store) -> None:
    keep(store, reading(), shift("bob", 2, 4), shift("ann", 0, 2))
    rota = asked(store)
    assert rota.shifts == {"pay": [shift("ann", 0, 2), shift("bob", 2, 4)]}
    assert rota.readings == {"pay": reading()}
    assert rota.now("pay", START) == ("ann", "bob")
    assert rota.now("web", START) == ("ann",)


def test_another_reading_takes_the_place_of_the_former_one_of_its_team_alone(store: Store) -> None:
    keep(store, reading(), shift("ann", 0, 2), shift("bob", 2, 4))
    keep(store, reading("other"), shift("ann", 0, 9))
    keep(store, reading(tried=1), shift("bob", 0, 3))
    assert asked(store).shifts == {"pay": [shift("bob", 0, 3)]}
    with store.read() as reader:
        assert set(shifts.readings(reader.connection)) == {"pay", "other"}


def test_a_reading_that_fails_leaves_the_last_good_one(store: Store) -> None:
    keep(store, reading(), shift("ann", 0, 2))
    with store.begin() as transaction:
        shifts.fail(transaction.connection, reading(tried=1, good=False, failure="expected 200, got 500"))
    rota = asked(store)
    one = rota.readings["pay"]
    assert (one.tried_at, one.read_at, one.until) == (hours(1), START, reading().until)
    assert one.failure == "expected 200, got 500"
    assert rota.now("pay", START) == ("ann",)


def test_a_first_reading_that_fails_is_remembered_with_its_reason(store: Store) -> None:
    with store.begin() as transaction:
        shifts.fail(transaction.connection, reading(good=False, failure="no answer"))
    assert asked(store).readings["pay"].read_at is None


def test_what_was_read_for_other_teams_can_be_forgotten(store: Store) -> None:
    keep(store, reading(), shift("ann", 0, 2))
    keep(store, reading("gone"), shift("ann", 0, 2))
    with store.begin() as transaction:
        shifts.forget_others(transaction.connection, ["pay"])
    with store.read() as reader:
        assert set(shifts.readings(reader.connection)) == {"pay"}
        assert [*shifts.rota(FOUND, reader.connection).shifts] == ["pay"]


def test_a_team_that_has_a_rotation_by_now_is_not_asked_of_the_table(store: Store) -> None:
    keep(store, reading("web"), shift("bob", 0, 2))
    assert asked(store).now("web", START) == ("ann",)


def test_the_rules_give_the_feed_as_it_stands_there() -> None:
    assert FOUND.teams["pay"].on_call == Feed(url="https://calendar.example.com/pay.ics", zone=ZoneInfo("UTC"))
