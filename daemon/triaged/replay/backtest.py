"""Another rule set over the recorded history: two replays side by side, and what would have been different."""

from __future__ import annotations

import gc
import multiprocessing
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from msgspec import Struct

from triaged import logs, rulefiles
from triaged.core import wording
from triaged.errors import ConfigError
from triaged.intake.units import Rules
from triaged.replay.backtest_compare import Compared, compare
from triaged.replay.backtest_outcomes import distil, record
from triaged.replay.backtest_replay import Replay, Replayed
from triaged.rulefiles.folder import CALENDARS, SEVERITIES
from triaged.sources import alertmanager
from triaged.store.history import Extent, History, Span
from triaged.store.store import Store

WORTH_A_PROCESS: Final = 20_000
"""Of so many records on, the two replays run at the same time, each in a process of its own: two take 2 s to start."""

_LOOK_SECONDS: Final = 0.2
# The values of one delivery hold no cycles and go with it: looking for some after every 700 of them costs 7 %.
_COLLECT_AFTER: Final = (10_000, 20, 20)
_CHECKED: Final = ("severity", "team")

Texts = Mapping[str, str]
Progress = Callable[[int, int], None]
"""Called with how much has been done, and of how much."""


class Backtest(Struct, kw_only=True):
    """What a backtest found.

    `compared` sets the rules in force (`former`) against the other ones (`rule_set`), both replayed; `reproduced` sets
    what was recorded against the replay of the rules in force: a difference there is what no replay can do again, and
    `notes` say in sentences what else was left out.
    """

    span: Span
    extent: Extent
    rule_set: str
    former: tuple[str, ...]
    compared: Compared
    reproduced: Compared
    notes: tuple[str, ...]


class _Task(Struct, frozen=True, kw_only=True):
    """One replay, told so that another process can do it; without `files` the rules are those of the time."""

    url: str
    span: Span
    file: str
    files: dict[str, str] | None


def extent(url: str, since: datetime | None, until: datetime) -> tuple[Span, Extent]:
    """What is recorded before `until`, from `since` or the beginning on. Raises ConfigError where that is nothing."""
    with _history(url) as history:
        begins_at = history.begins_at()
        span = Span(since=since or begins_at or until, until=until)
        found = history.extent(span)
    if not found.records:
        said = "" if begins_at is None else f"; the first was recorded at {wording.instant(begins_at)}"
        from_to = f"{wording.instant(span.since)} and {wording.instant(until)}"
        raise ConfigError(f"backtest: expected recorded alerts between {from_to}, found none{said}")
    return span, found


def backtest(
    url: str, files: Texts, span: Span, *, most: int, progress: Progress = lambda _done, _all: None
) -> Backtest:
    """The differences that the rules of these texts would have made in the span; at most `most` are listed.

    The store at `url` is only read, in short transactions. Two files of about 0.3 kB a recorded alert are made in the
    temporary folder (TMPDIR) and deleted. Raises ConfigError, StoreError.
    """
    rules = read_rules(files)
    with TemporaryDirectory(prefix="triaged-backtest-") as folder, _history(url) as history:
        before, after, recorded = (Path(folder) / name for name in ("before.db", "after.db", "recorded.db"))
        found = history.extent(span)
        tasks = [
            _Task(url=url, span=span, file=str(before), files=None),
            _Task(url=url, span=span, file=str(after), files=dict(rules.files)),
        ]
        in_force, other = _replays(tasks, found.records, progress)
        distil(before)
        distil(after)
        record(history, span, recorded)
        return Backtest(
            span=span,
            extent=found,
            rule_set=rules.rule_set.hash,
            former=tuple(history.rule_sets(span)),
            compared=compare(before, after, most=most, recorded=recorded),
            reproduced=compare(recorded, before, most=most, recorded=recorded, fields=_CHECKED),
            notes=tuple(_notes(found, in_force, other, rules, span)),
        )


def read_rules(files: Texts) -> Rules:
    """The rules of texts by file name. Raises ConfigError with all findings."""
    read = rulefiles.read(files)
    policy_files = {name: read.files[name] for name in (SEVERITIES, CALENDARS) if name in read.files}
    return Rules(rule_set=read.rules, policy=read.policy, files=read.files, policy_files=policy_files)


def _replays(tasks: list[_Task], records: int, progress: Progress) -> list[Replayed]:
    every = records * len(tasks)
    if records < WORTH_A_PROCESS:
        return [_replay(task, _adding(progress, i * records, every)) for i, task in enumerate(tasks)]
    context = multiprocessing.get_context("spawn")
    counters: list[Any] = [context.Value("Q", 0) for _ in tasks]
    with ProcessPoolExecutor(len(tasks), mp_context=context, initializer=_begin, initargs=(counters,)) as pool:
        futures: list[Future[Replayed]] = [pool.submit(_replay_apart, task, i) for i, task in enumerate(tasks)]
        while wait(futures, timeout=_LOOK_SECONDS).not_done:
            progress(sum(counter.value for counter in counters), every)
        progress(every, every)
        return [future.result() for future in futures]


def _adding(progress: Progress, before: int, every: int) -> Callable[[int], None]:
    return lambda done: progress(before + done, every)


_counters: list[Any] = []


def _begin(counters: list[Any]) -> None:
    """A process of its own begins."""
    _counters.extend(counters)
    logs.set_up(level="error")
    gc.set_threshold(*_COLLECT_AFTER)
    gc.freeze()


def _replay_apart(task: _Task, index: int) -> Replayed:
    def told(done: int) -> None:
        _counters[index].value = done

    return _replay(task, told)


def _replay(task: _Task, told: Callable[[int], None]) -> Replayed:
    rules = None if task.files is None else read_rules(task.files)
    with _history(task.url) as history:
        # Alerts of every source are kept in Alertmanager's form.
        readers: Any = defaultdict(lambda: alertmanager.read)
        replay = Replay(history, readers=readers, read_rules=read_rules, told=told)
        return replay.run(task.span, Path(task.file), rules)


@contextmanager
def _history(url: str) -> Iterator[History]:
    store = Store(url)
    try:
        yield History(store.read)
    finally:
        store.close()


def _notes(extent: Extent, in_force: Replayed, other: Replayed, rules: Rules, span: Span) -> Iterator[str]:
    """What could not be replayed, in sentences."""
    count = wording.count
    if in_force.standing:
        yield (
            f"{count(in_force.standing, 'alert')} had last been heard of before the beginning: what fired then is "
            "taken to have begun then, on both sides"
        )
    if extent.failed:
        yield f"left out: {count(extent.failed, 'recorded alert')} that had met a bug (`triaged db retry`)"
    if extent.rejected:
        yield f"left out: {count(extent.rejected, 'recorded alert')} that could not be read"
    for who, replayed in (("the rules in force", in_force), ("the other rules", other)):
        if replayed.lost:
            yield f"under {who}, {replayed.lost:,} of {count(replayed.acts, 'act')} of people could not be done again"
        if replayed.broken:
            yield f"left out under {who}: {count(replayed.broken, 'alert')} that met a bug"
        yield from (f"under {who}: {why}" for why in replayed.why)
    for rule in rules.rule_set.rules:
        if rule.drop is not None and rule.until is not None and span.since < rule.until <= span.until:
            yield (
                f"rule {rule.name} stopped dropping at {wording.instant(rule.until)}: whether what it had dropped was "
                "still repeated then is not recorded, so it opens nothing here"
            )
