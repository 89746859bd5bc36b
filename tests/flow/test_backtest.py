"""A backtest tells what running the other rules live would have made different, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from living import READERS, Life, Lived, Sent, live, rules
from triaged.intake.units import Rules
from triaged.replay.backtest import read_rules
from triaged.replay.backtest_compare import SHOWN, Compared, Difference, Kind, compare
from triaged.replay.backtest_outcomes import FIELDS, Outcome, distil, record
from triaged.replay.backtest_replay import Replay, Replayed
from triaged.replay.world import empty_store
from triaged.store.history import History, Span
from triaged.store.store import Store
from world import START

MINUTE = timedelta(minutes=1)
SPAN = Span(since=START, until=START + timedelta(days=30))

# ---------------------------------------------------------------- what may happen

NUMBERS = st.lists(st.integers(0, 5), max_size=3, unique=True).map(tuple)
AFTER = st.sampled_from([0, 1, 3, 7, 12, 20, 45, 90, 400, 1_500, 3_000]).map(lambda minutes: minutes * MINUTE)
SENT = st.builds(Sent, after=AFTER, fires=NUMBERS, resolves=NUMBERS, repeats=NUMBERS, rewords=NUMBERS)
HISTORIES = st.lists(SENT, min_size=1, max_size=14)

WORDS = st.sampled_from(
    [
        "",
        "impact: extensive",
        "impact: minor",
        "impact: minor; urgency: low; team: platform",
        "urgency: critical; close: person",
        "impact: minor; delay: 15m",
        "delay: 1h",
        "at_most: sev4",
        "drop: Nobody needs it.",
        "key: [alertname]",
        "key: [cluster]",
        "key: [alertname, pod]; impact: significant",
        "impact: minor; grows: [{when: {alerts: 2}, impact: extensive, because: More.}]",
        "impact: minor; grows: [{when: {firing_for: 30m}, impact: significant, because: It lasts.}]",
        "impact: minor; grows: [{when: {refires: {count: 1, within: 2h}}, impact: extensive, because: It flaps.}]",
    ]
)
STORM = st.sampled_from(["", "storm: {opened: 3, within: 5m, severity: sev2}"])
KEY = st.sampled_from(["alertname, cluster", "alertname", "cluster", "alertname, cluster, pod"])
RULES = st.fixed_dictionaries({"key": KEY, "storm": STORM, "Disk": WORDS, "Down": WORDS, "Slow": WORDS})

FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


# ---------------------------------------------------------------- what it must come to


def true_differences(before: Sequence[Lived], after: Sequence[Lived]) -> Counter[tuple[Any, ...]]:
    """The differences of two lives, found the plain way: parts of the graph of shared alerts."""
    left = [(0, one) for one in before]
    right = [(1, one) for one in after]
    found: Counter[tuple[Any, ...]] = Counter()
    waiting = [*left, *right]
    while waiting:
        part = [waiting.pop()]
        for _, one in part:
            touched = [node for node in waiting if node[1].alerts & one.alerts]
            part += touched
            waiting = [node for node in waiting if node not in touched]
        sides = [sorted((one for side, one in part if side == wanted), key=_order) for wanted in (0, 1)]
        found.update(_kind(*sides))
    return found


def _kind(before: list[Lived], after: list[Lived]) -> Iterator[tuple[Any, ...]]:
    changed: tuple[str, ...] = ()
    if not after:
        kind = Kind.VANISHES
    elif not before:
        kind = Kind.APPEARS
    elif len(before) == len(after) == 1:
        kind = Kind.CHANGES
        changed = tuple(name for name in FIELDS if _value(before[0], name) != _value(after[0], name))
        if not changed:
            return
    else:
        kind = Kind.MERGES if len(after) == 1 else Kind.SPLITS if len(before) == 1 else Kind.REGROUPS
    told = [tuple(tuple(_value(one, name) for name in ("title", *FIELDS)) for one in side) for side in (before, after)]
    yield kind, changed, len(before), len(after), told[0][:SHOWN], told[1][:SHOWN]


def _value(one: Lived | Outcome, name: str) -> Any:
    value = getattr(one, name)
    return len(value) if isinstance(value, frozenset) else value


def _order(one: Lived) -> tuple[Any, ...]:
    return one.severity, one.opened_at, one.id


def found_differences(compared: Compared) -> Counter[tuple[Any, ...]]:
    return Counter(map(_told, compared.differences))


def _told(one: Difference) -> tuple[Any, ...]:
    told = [
        tuple(tuple(_value(outcome, name) for name in ("title", *FIELDS)) for outcome in side)
        for side in (one.before, one.after)
    ]
    return one.kind, one.changed, one.before_number, one.after_number, told[0], told[1]


@cache
def migrated() -> Store:
    """A store to copy: a migration costs more than a life."""
    return empty_store()


@cache
def read_again(files: tuple[tuple[str, str], ...]) -> Rules:
    return read_rules(dict(files))


@contextmanager
def lived(history: Sequence[Sent], in_force: Rules) -> Iterator[Life]:
    with closing(Store("sqlite://")) as store:
        store.become(migrated())
        yield live(history, in_force, store, until=SPAN.until)


def backtested(life: Life, other: Rules, span: Span = SPAN) -> tuple[Compared, Compared, list[Replayed]]:
    """The differences that other rules would have made in a life; what differs in its own replay; the replays."""
    history = History(life.store.read)
    with TemporaryDirectory() as folder:
        before, after, recorded = (Path(folder) / name for name in ("before.db", "after.db", "recorded.db"))
        replay = Replay(history, readers=READERS, read_rules=lambda files: read_again(tuple(files.items())))
        replays = [replay.run(span, before), replay.run(span, after, other)]
        distil(before)
        distil(after)
        record(history, span, recorded)
        found = compare(before, after, most=10_000)
        return (
            found,
            compare(recorded, before, most=10_000, fields=("severity", "team", "opened_at", "alerts")),
            replays,
        )


@FEW
@given(history=HISTORIES, in_force=RULES, other=RULES)
def test_the_differences_found_are_those_of_running_the_other_rules_live(
    history: list[Sent], in_force: dict[str, str], other: dict[str, str]
) -> None:
    with lived(history, rules(**in_force)) as life, lived(history, rules(**other)) as otherwise:
        found, _, _ = backtested(life, rules(**other))
        assert found_differences(found) == true_differences(life.lived(), otherwise.lived())


@FEW
@given(history=HISTORIES, in_force=RULES)
def test_unchanged_rules_make_no_difference_and_what_was_recorded_comes_out_again(
    history: list[Sent], in_force: dict[str, str]
) -> None:
    with lived(history, rules(**in_force)) as life:
        found, reproduced, _ = backtested(life, rules(**in_force))
    assert found.differences == []
    assert found.before == found.after
    assert reproduced.differences == []
