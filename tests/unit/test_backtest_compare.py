"""Two outcomes side by side: what is the same incident, and how the others differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from building import START, incident, minutes
from triaged.cli.backtest_report import headline
from triaged.core.model import Fold, Outcome, Severity, State
from triaged.replay.backtest_compare import SHOWN, Compared, Kind, Sums, _groups, compare
from triaged.replay.backtest_outcomes import write
from triaged.store.history import Held, Member

Side = Mapping[int, str]
"""The alerts of incidents by number, one letter an alert."""


@pytest.fixture
def compared(tmp_path: Path) -> Callable[..., Compared]:
    """Compares two sides; `changes` are of the second side's incidents, by number."""

    def comparing(
        before: Side, after: Side, changes: Mapping[int, dict[str, Any]] | None = None, **more: Any
    ) -> Compared:
        for name, side, changed in (("before", before, {}), ("after", after, changes or {})):
            (tmp_path / name).unlink(missing_ok=True)
            write(tmp_path / name, *rows(side, changed))
        return compare(tmp_path / "before", tmp_path / "after", **{"most": 100, **more})

    return comparing


def rows(side: Side, changes: Mapping[int, dict[str, Any]]) -> tuple[list[Held], list[Member]]:
    members = [
        Member(fingerprint=letter, begun_at=START, incident_id=number)
        for number, letters in side.items()
        for letter in letters
    ]
    held = []
    for number in side:
        made = incident(**{"id": number, "opened_at": minutes(number), **changes.get(number, {})})
        breached = [int(outcome is Outcome.BREACHED) for outcome in (made.response_outcome, made.resolution_outcome)]
        held.append(Held(incident=made, response=breached[0], resolution=breached[1]))
    return held, members


def kinds(found: Compared) -> list[tuple[Kind, list[int], list[int]]]:
    return [(one.kind, [o.id for o in one.before], [o.id for o in one.after]) for one in found.differences]


def test_incidents_that_hold_the_same_alerts_are_the_same_whatever_their_numbers(
    compared: Callable[..., Compared],
) -> None:
    found = compared({1: "ab", 2: "c"}, {7: "c", 9: "ba"}, fields=("severity", "team", "alerts"))
    assert kinds(found) == []
    assert found.number == 0


def test_incidents_that_share_some_alert_are_the_same_with_other_alerts(compared: Callable[..., Compared]) -> None:
    found = compared({1: "abc"}, {1: "ad"})
    assert [one.changed for one in found.differences] == [("alerts",)]


def test_an_incident_without_a_counterpart_vanishes_or_appears(compared: Callable[..., Compared]) -> None:
    found = compared({1: "a", 2: "b"}, {1: "a", 3: "c"})
    assert kinds(found) == [(Kind.VANISHES, [2], []), (Kind.APPEARS, [], [3])]
    assert (found.before.issues, found.after.issues) == (2, 2)


def test_two_that_become_one_merge(compared: Callable[..., Compared]) -> None:
    assert kinds(compared({1: "a", 2: "b"}, {1: "ab"})) == [(Kind.MERGES, [1, 2], [1])]


def test_one_that_becomes_two_splits(compared: Callable[..., Compared]) -> None:
    assert kinds(compared({1: "ab"}, {1: "a", 2: "b"})) == [(Kind.SPLITS, [1], [1, 2])]


def test_several_that_become_several_others_are_regrouped(compared: Callable[..., Compared]) -> None:
    assert kinds(compared({1: "ab", 2: "c"}, {1: "a", 2: "bc"})) == [(Kind.REGROUPS, [1, 2], [1, 2])]


def test_a_firing_that_arrived_at_another_time_is_another(tmp_path: Path, compared: Callable[..., Compared]) -> None:
    compared({1: "a"}, {})
    held, (member,) = rows({1: "a"}, {})
    later = Member(fingerprint=member.fingerprint, begun_at=minutes(1), incident_id=1)
    (tmp_path / "after").unlink()
    write(tmp_path / "after", held, [later])
    found = compare(tmp_path / "before", tmp_path / "after", most=10)
    assert {one.kind for one in found.differences} == {Kind.VANISHES, Kind.APPEARS}


def test_a_change_names_what_changed(compared: Callable[..., Compared]) -> None:
    changes = {"severity": Severity.SEV1, "team": "search", "response_outcome": Outcome.BREACHED}
    found = compared({1: "a"}, {1: "a"}, {1: changes})
    (one,) = found.differences
    assert one.changed == ("severity", "team", "response")
    assert found.moved == {("sev2", "sev1"): 1}
    assert dict(found.fields) == {"severity": 1, "team": 1, "response": 1}
    assert (found.before.response, found.after.response) == (0, 1)
    assert found.after.severities == {"sev1": 1}


def test_what_is_not_asked_for_makes_no_difference(compared: Callable[..., Compared]) -> None:
    assert compared({1: "a"}, {1: "a"}, {1: {"team": "search"}}, fields=("severity",)).number == 0


def test_a_folded_incident_is_its_parents(compared: Callable[..., Compared]) -> None:
    folded = {"parent": 1, "fold": Fold.STORM, "round": 0}
    found = compared({1: "s", 2: "a", 3: "b"}, {1: "s", 2: "a", 3: "b"}, {2: folded, 3: folded})
    assert kinds(found) == [(Kind.MERGES, [1, 2, 3], [1])]
    assert (found.before.issues, found.after.issues) == (3, 1)


def test_one_that_never_opened_does_not_count(compared: Callable[..., Compared]) -> None:
    held_back = {"state": State.PENDING, "opened_at": None, "round": 0}
    assert kinds(compared({1: "a"}, {1: "a"}, {1: held_back})) == [(Kind.VANISHES, [1], [])]


def test_the_gravest_are_listed_where_not_all_can_be(compared: Callable[..., Compared]) -> None:
    changes = {number: {"severity": Severity.SEV4} for number in range(1, 9)} | {5: {"severity": Severity.SEV1}}
    found = compared({}, dict(zip(range(1, 10), "abcdefghi", strict=True)), changes, most=2)
    assert [one.after[0].id for one in found.differences] == [5, 9]
    assert found.number == 9


def test_a_large_merge_is_told_by_its_gravest_and_their_number(compared: Callable[..., Compared]) -> None:
    before = {number: chr(1_000 + number) for number in range(1, 105)}
    (one,) = compared(before, {1: "".join(before.values())}).differences
    assert (one.before_number, len(one.before)) == (104, SHOWN)
    assert [outcome.id for outcome in one.before] == [1, 2, 3, 4, 5]


def test_incidents_have_the_names_under_which_they_were_recorded(
    tmp_path: Path, compared: Callable[..., Compared]
) -> None:
    write(tmp_path / "recorded", *rows({12: "ab"}, {}))
    found = compared({1: "a", 2: "z"}, {}, recorded=tmp_path / "recorded")
    assert [one.before[0].name for one in found.differences] == ["INC-12", ""]


def test_nothing_beside_nothing_is_no_difference(compared: Callable[..., Compared]) -> None:
    found = compared({}, {})
    assert (found.number, found.before.issues, found.after.pages) == (0, 0, 0)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=40))
def test_groups_are_the_connected_parts_of_the_pairs(pairs: list[tuple[int, int]]) -> None:
    groups = list(_groups(pairs))
    for a, b in pairs:
        assert sum(a in left and b in right for left, right in groups) == 1
    assert sorted(a for left, _ in groups for a in left) == sorted({a for a, _ in pairs})
    assert sorted(b for _, right in groups for b in right) == sorted({b for _, b in pairs})
    for left, right in groups:
        reached = {("a", left[0])}
        while more := {
            node
            for a, b in pairs
            for node in (("a", a), ("b", b))
            if node not in reached and (("a", a) in reached or ("b", b) in reached)
        }:
            reached |= more
        assert reached == {("a", a) for a in left} | {("b", b) for b in right}


def test_instants_are_told_in_utc(compared: Callable[..., Compared]) -> None:
    (one,) = compared({1: "a"}, {}).differences
    assert one.before[0].opened_at == datetime(2026, 11, 23, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(("number", "expected"), [(1, "1 incident differs in"), (2, "2 incidents differ in")])
def test_where_the_totals_stay_the_incidents_that_differ_are_counted_in_words(number: int, expected: str) -> None:
    sums = Sums(issues=3, pages=0, response=0, resolution=0, severities={})
    compared = Compared(before=sums, after=sums, kinds=Counter(changes=number), moved={}, fields=Counter(team=number))
    assert headline(compared) == f"the totals stay; {expected} other ways"
