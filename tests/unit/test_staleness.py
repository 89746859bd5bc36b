"""Staleness: what repeats teach, and when nothing heard is told of."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from building import incident, minutes, policy
from triaged.core.draft import Context
from triaged.core.events import HeardAgain, NotHeardOf
from triaged.core.lifecycle import decide
from triaged.core.model import Entry
from triaged.core.staleness import COPIES_WITHIN, KEPT, SPANS, Hearing, Listened, Unheard, hear, quiet

HOUR = timedelta(hours=1)
START = minutes(0)
BEGAN = Hearing(fingerprint="f1", source="alertmanager", heard_at=START)


def heard(former: Hearing, after: timedelta, *, repeated: bool = True, since: datetime = START) -> Hearing:
    """After that gap; what is a copy leaves it as it was."""
    return hear(former, former.heard_at + after, listening_since=since, repeated=repeated) or former


def taught(*gaps: timedelta) -> Hearing:
    found = BEGAN
    for gap in gaps:
        found = heard(found, gap)
    return found


def every(hours: float) -> int:
    return int(hours * 3_600)


@pytest.mark.parametrize(
    ("gaps", "interval"),
    [
        ((), None),
        ((4,), None),
        ((4, 4), every(4)),
        ((4, 1), every(4)),
        ((0.5, 1, 1, 1), every(1)),
        ((2, 1, 1, 1, 1), every(1)),
    ],
)
def test_the_largest_of_the_last_gaps_is_learned_from_two_on(gaps: tuple[float, ...], interval: int | None) -> None:
    assert taught(*(timedelta(hours=gap) for gap in gaps)).every_seconds == interval


def test_a_copy_of_what_was_just_heard_changes_nothing() -> None:
    assert hear(BEGAN, START + COPIES_WITHIN - timedelta(seconds=1), listening_since=START, repeated=True) is None
    assert hear(BEGAN, START - HOUR, listening_since=START, repeated=True) is None


def test_a_group_that_changed_was_heard_and_teaches_nothing() -> None:
    changed = heard(taught(HOUR, HOUR), 0.1 * HOUR, repeated=False)
    assert (changed.every_seconds, changed.heard_at) == (every(1), START + 2.1 * HOUR)
    assert heard(changed, HOUR).gaps == (every(1),) * 3


def test_a_gap_in_which_we_did_not_listen_teaches_nothing() -> None:
    late = heard(BEGAN, 9 * HOUR, since=START + 8 * HOUR)
    assert (late.gaps, late.heard_at) == ((), START + 9 * HOUR)


def test_after_a_silence_it_is_learned_anew() -> None:
    back = heard(taught(HOUR, HOUR), SPANS * HOUR)
    assert (back.gaps, back.every_seconds) == ((), None)
    assert heard(heard(back, 12 * HOUR), 12 * HOUR).every_seconds == every(12)


STEP = st.tuples(st.sampled_from(["repeat", "copy", "change"]), st.floats(0.05, 0.95))


@given(st.integers(5, 24 * 60), st.lists(STEP, max_size=60), st.integers(0, 40))
def test_a_sender_that_keeps_its_interval_is_never_told_of(
    interval_minutes: int, steps: list[tuple[str, float]], restart_at: int
) -> None:
    """It sends an interval after it sent last, or sooner where its group changed, and copies of each at times."""
    interval = timedelta(minutes=interval_minutes)
    row, since = BEGAN, START
    at = START
    for number, (what, part) in enumerate(steps):
        gap = {"repeat": interval, "change": part * interval, "copy": part * COPIES_WITHIN}[what]
        if number == restart_at:
            since = at + gap
        of_source = {row.source: timedelta(seconds=row.every_seconds)} if row.every_seconds else {}
        listened = Listened(source=row.source, heard_at=row.heard_at, every=of_source.get(row.source))
        found = quiet([listened], of_source, listening_since=since)
        assert found is None or found.at > at + gap
        if what != "copy":
            at += gap
        row = hear(row, at if what != "copy" else at + gap, listening_since=since, repeated=what != "change") or row
        assert row.every_seconds is None or 0 < row.every_seconds <= (interval + COPIES_WITHIN).total_seconds()
        assert len(row.gaps) <= KEPT
    assert row.heard_at <= at + COPIES_WITHIN


OWN = Listened(source="a", heard_at=START, every=HOUR)


@pytest.mark.parametrize(
    ("alerts", "of_sources", "at"),
    [
        ([OWN], {"a": 4 * HOUR}, 3),
        ([replace(OWN, every=None)], {"a": 4 * HOUR}, 12),
        ([OWN, replace(OWN, every=None)], {"a": 4 * HOUR}, 12),
        ([OWN, replace(OWN, heard_at=START + HOUR)], {"a": HOUR}, 4),
        ([OWN, replace(OWN, source="storm")], {"a": HOUR}, None),
        ([OWN], {}, None),
        ([], {"a": HOUR}, None),
    ],
)
def test_the_last_of_its_alerts_to_be_missed_makes_it_unheard(
    alerts: list[Listened], of_sources: dict[str, timedelta], at: float | None
) -> None:
    found = quiet(alerts, of_sources, listening_since=START)
    assert (found and found.at) == (None if at is None else START + at * HOUR)
    if found is not None:
        assert found.since_at == max(alert.heard_at for alert in alerts)


def test_after_our_own_start_a_whole_span_is_left() -> None:
    found = quiet([OWN], {"a": HOUR}, listening_since=START + 9 * HOUR)
    assert found is not None
    assert (found.at, found.since_at) == (START + 12 * HOUR, START)


# ---------------------------------------------------------------- what people are told

UNHEARD = Unheard(incident_id=12, since_at=START, every_seconds=every(4))


def test_it_is_told_with_its_reason_and_no_clock_moves() -> None:
    before = incident()
    told = decide(before, NotHeardOf(unheard=UNHEARD), Context(policy=policy()), minutes(900))
    assert told.incident == before
    assert [(one.entry, one.text) for one in told.timeline] == [
        (Entry.UNHEARD, "not heard of since 2026-11-23 03:00 UTC, more than three times its usual 4 h")
    ]
    assert [type(effect).__name__ for effect in told.effects] == ["PublishIssue"]


def test_its_end_is_in_the_timeline() -> None:
    told = decide(incident(), HeardAgain(unheard=UNHEARD), Context(policy=policy()), minutes(900))
    assert [(one.entry, one.text) for one in told.timeline] == [
        (Entry.HEARD_AGAIN, "heard of again; nothing was since 2026-11-23 03:00 UTC")
    ]
    assert [type(effect).__name__ for effect in told.effects] == ["PublishIssue"]
