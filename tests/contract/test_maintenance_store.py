"""What the store promises of maintenance windows and of what they hold back, on every engine."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from building import episode, incident, minutes
from triaged.core.maintenance import Plan
from triaged.core.model import State
from triaged.errors import Conflict
from triaged.ports.store import Batch
from triaged.store import maintenance as table
from triaged.store.store import Store


def plan(begins: float = 0, ends: float = 60, **changes: Any) -> Plan:
    built = Plan(
        name="deploy ö",
        match=('cluster="eu-1"', 'team!="ops"'),
        begins_at=minutes(begins),
        ends_at=minutes(ends),
        reason='It\'s "quoted"; DROP TABLE windows; -- 漢字',
        by="ann",
        all=True,
    )
    return replace(built, **changes)


def keep(store: Store, *plans: Plan) -> list[Plan]:
    with store.begin() as transaction:
        return [transaction.keep_plan(one) for one in plans]


def test_a_window_comes_back_as_it_was_by_its_name_and_by_its_id(store: Store) -> None:
    (kept,) = keep(store, plan())
    assert kept == plan(number=kept.number)
    with store.begin() as transaction:
        assert transaction.plan("deploy ö") == kept
        assert transaction.plan(kept.id) == kept
        assert transaction.plan("MW-999") is None
        assert transaction.plan("999") is None


def test_of_windows_of_one_name_the_newest_is_meant(store: Store) -> None:
    _, newest = keep(store, plan(), plan(70, 90))
    with store.begin() as transaction:
        assert transaction.plan("deploy ö") == newest


def test_a_window_kept_again_is_one_row_with_the_newest_values(store: Store) -> None:
    (kept,) = keep(store, plan())
    (ended,) = keep(store, replace(kept, ends_at=minutes(5), ended_by="bob", all=False))
    with store.read() as reader:
        assert table.newest(reader.connection, 10) == [ended]


def test_windows_that_are_over_are_not_asked_and_what_was_just_stored_is(store: Store) -> None:
    first, _ = keep(store, plan(0, 60), plan(0, 5))
    with store.begin() as transaction:
        assert transaction.windows(minutes(5)) == (first.window,)
        second = transaction.keep_plan(plan(10, 20))
        assert transaction.windows(minutes(5)) == (first.window, second.window)
    with store.begin() as transaction:
        assert transaction.windows(minutes(5)) == (first.window, second.window)


def test_windows_are_listed_by_their_beginning_and_found_where_they_ran(store: Store) -> None:
    a, b, c = keep(store, plan(0, 10), plan(20, 30), plan(5, 5))
    with store.read() as reader:
        assert table.newest(reader.connection, 2) == [b, c]
        assert table.within(reader.connection, minutes(5), minutes(25), 9) == [a, b]
        assert table.within(reader.connection, minutes(10), minutes(20), 9) == []
        assert table.within(reader.connection, minutes(0), minutes(99), 1) == [a]


def test_windows_are_forgotten_by_their_end(store: Store) -> None:
    _, later = keep(store, plan(0, 10), plan(0, 20))
    with store.begin() as transaction:
        assert table.forget(transaction.connection, minutes(20)) == 1
    with store.read() as reader:
        assert table.newest(reader.connection, 9) == [later]


def test_a_window_does_not_end_before_it_begins(store: Store) -> None:
    with pytest.raises(Conflict, match=r"span|CHECK"):
        keep(store, plan(10, 5))


def test_what_maintenance_holds_back_is_found_with_what_fires_in_it(store: Store) -> None:
    waiting = incident(state=State.PENDING, opened_at=None, held_by="MW-1", held_for="x", held_until=minutes(60))
    delayed = replace(waiting, id=13, held_by=None, held_for=None, held_until=None, delayed_until=minutes(15))
    ended = episode(id=2, ended_at=minutes(3))
    with store.begin() as transaction:
        open_by_now = incident(id=14, held_until=minutes(0))
        rows = {12: waiting, 13: delayed, 14: open_by_now, 15: replace(waiting, id=15)}
        transaction.save(Batch(incidents=rows, episodes={1: episode(), 2: ended, 3: episode(id=3)}), minutes(4))
    with store.begin() as transaction:
        assert transaction.held(0, 9) == [12, 15]
        assert transaction.held(0, 1) == [12]
        assert transaction.held(12, 9) == [15]
        assert transaction.firing(12, 9) == [episode(), episode(id=3)]
        assert transaction.firing(12, 1) == [episode()]
        assert transaction.incidents([12, 13]) == {12: waiting, 13: delayed}
