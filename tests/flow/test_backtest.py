"""A backtest tells what running the other rules live would have made different, and nothing else."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from living import READERS, Life, Lived, Sender, Sent, live, rules
from triaged.cli import app
from triaged.core.events import Acknowledged, CloseAsked, MergeAsked, Record, SeverityChosen, SilenceAsked
from triaged.core.model import CloseReason, Severity
from triaged.errors import ConfigError
from triaged.intake.units import Ask, Rules
from triaged.ports.store import Batch
from triaged.replay import backtest as whole
from triaged.replay.backtest import backtest, extent, read_rules
from triaged.replay.backtest_compare import SHOWN, Compared, Difference, Kind, compare
from triaged.replay.backtest_outcomes import FIELDS, Outcome, distil, record
from triaged.replay.backtest_replay import Replay, Replayed
from triaged.replay.world import empty_store
from triaged.store import history
from triaged.store.history import History, Span
from triaged.store.store import Store
from world import ANN, START

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
        "until: 2026-11-23; at_most: sev4",
        "until: 2026-11-24; impact: minor; urgency: low; key: [alertname]",
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

FEW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


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


def recorded(life: Life) -> int:
    return History(life.store.read).extent(SPAN).records


def backtested(life: Life, other: Rules, span: Span = SPAN) -> tuple[Compared, Compared, list[Replayed]]:
    """The differences that other rules would have made in a life; what differs in its own replay; the replays."""
    told = History(life.store.read)
    with TemporaryDirectory() as folder:
        before, after, recorded = (Path(folder) / name for name in ("before.db", "after.db", "recorded.db"))
        replay = Replay(told, readers=READERS, read_rules=lambda files: read_again(tuple(files.items())))
        replays = [replay.run(span, before), replay.run(span, after, other)]
        distil(before)
        distil(after)
        record(told, span, recorded)
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
        assume(recorded(life))
        found, _, _ = backtested(life, rules(**other))
        assert found_differences(found) == true_differences(life.lived(), otherwise.lived())


@FEW
@given(history=HISTORIES, in_force=RULES)
def test_unchanged_rules_make_no_difference_and_what_was_recorded_comes_out_again(
    history: list[Sent], in_force: dict[str, str]
) -> None:
    with lived(history, rules(**in_force)) as life:
        assume(recorded(life))
        found, reproduced, _ = backtested(life, rules(**in_force))
    assert found.differences == []
    assert found.before == found.after
    assert reproduced.differences == []


# ---------------------------------------------------------------- one by one

PLAIN: dict[str, str] = {"key": "alertname, cluster"}


def fires(*numbers: int, after: float = 0) -> Sent:
    return Sent(after=after * MINUTE, fires=numbers)


def kinds(compared: Compared) -> dict[str, int]:
    return {kind: number for kind, number in compared.kinds.items() if number}


def test_what_was_dropped_is_known_to_have_ended() -> None:
    dropping, keeping = rules(Disk="drop: Noise."), rules()
    history = [fires(0), Sent(after=20 * MINUTE, resolves=(0,)), fires(0, after=3_000)]
    with lived(history, dropping) as life, lived(history, keeping) as otherwise:
        found, _, _ = backtested(life, keeping)
        assert len(otherwise.lived()) == 2
        assert found_differences(found) == true_differences([], otherwise.lived())


def test_rules_that_changed_on_the_way_are_in_force_when_they_were() -> None:
    with closing(Store("sqlite://")) as store:
        store.become(migrated())
        life = Life(rules(), store)
        life.post([_alert(0)])
        life.advance(START + 10 * MINUTE)
        life.intake.use(rules(Down="impact: extensive"))
        life.post([_alert(1)])
        life.advance(SPAN.until)
        found, reproduced, (in_force, _) = backtested(life, rules())
    assert not reproduced.differences
    assert found.moved == {("sev1", "sev3"): 1}
    assert (found.before.pages, found.after.pages) == (1, 0)
    assert in_force.why == []


def test_rules_that_cannot_be_read_any_more_leave_the_former_in_force() -> None:
    with closing(Store("sqlite://")) as store:
        store.become(migrated())
        life = Life(rules(), store)
        life.post([_alert(0)])
        life.intake.use(rules(Down="impact: extensive"))
        life.post([_alert(1)])
        life.advance(SPAN.until)
        with store.begin() as transaction:
            transaction.connection.exec_driver_sql("DELETE FROM rule_sets WHERE files LIKE '%impact: extensive%'")
        found, _, (in_force, _) = backtested(life, rules())
    assert found.differences == []
    assert [why for why in in_force.why if "the store does not have them" in why]


# ---------------------------------------------------------------- people


@contextmanager
def peopled(*acts: tuple[int, Any], in_force: Rules, history: Sequence[Sent] = (fires(0, 1),)) -> Iterator[Life]:
    """A life in which ann acts on incidents ten minutes after its last moment."""
    with closing(Store("sqlite://")) as store:
        store.become(migrated())
        life = live(history, in_force, store, until=START + 10 * MINUTE)
        for incident_id, act in acts:
            (answer,) = life.ask(Ask(incident_id=incident_id, act=act))
            assert answer.status == 200, answer.error
        life.advance(SPAN.until)
        yield life


def test_what_people_did_is_done_again() -> None:
    lowered = SeverityChosen(actor=ANN, severity=Severity.SEV4)
    with peopled((1, Acknowledged(actor=ANN)), (1, lowered), in_force=rules()) as life:
        found, reproduced, (in_force, _) = backtested(life, rules())
    assert (in_force.acts, in_force.lost) == (2, 0)
    assert found.differences == []
    assert reproduced.differences == []
    assert found.before.severities["sev4"] == 1


def test_an_act_follows_the_incident_that_holds_the_alert_it_was_done_on() -> None:
    apart, together = rules(key="alertname"), rules(key="cluster", Disk="drop: Noise.")
    closes = CloseAsked(actor=ANN, reason=CloseReason.FALSE_ALARM, record=Record())
    with peopled((2, closes), in_force=apart, history=[fires(0, 1)]) as life:
        found, _, (_, other) = backtested(life, together)
    assert (other.acts, other.lost) == (1, 0)
    assert (found.before.response, found.after.response) == (1, 0)


def test_an_act_on_alerts_that_the_other_rules_drop_is_listed_as_lost() -> None:
    with peopled((1, Acknowledged(actor=ANN)), in_force=rules()) as life:
        _, _, (_, other) = backtested(life, rules(Disk="drop: Noise."))
    assert (other.acts, other.lost) == (1, 1)
    assert other.why == ["ack by ann on INC-1 at 2026-11-23 09:10 UTC: no incident holds an alert of it"]


def test_a_silence_is_left_out_as_nothing_is_silent_in_a_replay() -> None:
    with peopled(in_force=rules()) as life:
        with life.store.begin() as transaction:
            transaction.save(Batch(acts=[(1, SilenceAsked(actor=ANN))]), START + 10 * MINUTE)
        _, _, (in_force, _) = backtested(life, rules())
    assert (in_force.acts, in_force.lost) == (0, 0)
    assert in_force.why == ["silences were left out: here no Alertmanager keeps quiet, nor acknowledges by that"]


def test_a_merge_is_done_again_with_the_numbers_of_the_replay() -> None:
    with peopled((3, MergeAsked(actor=ANN, into=1)), in_force=rules(), history=[fires(0, 1, 2)]) as life:
        found, reproduced, replays = backtested(life, rules(Down="drop: Noise."))
    assert [replayed.lost for replayed in replays] == [0, 0]
    assert reproduced.differences == []
    assert kinds(found) == {Kind.VANISHES: 1}


def test_a_merge_of_what_is_one_incident_anyway_is_listed_as_lost() -> None:
    with peopled((3, MergeAsked(actor=ANN, into=1)), in_force=rules(), history=[fires(0, 1, 2)]) as life:
        _, _, (_, other) = backtested(life, rules(key="pod, severity", Slow="key: [severity]", Disk="key: [severity]"))
    assert other.why == ["merge by ann on INC-3 at 2026-11-23 09:10 UTC: there is nothing to merge it into"]


# ---------------------------------------------------------------- a part of the history


def test_what_fired_at_the_beginning_of_the_span_is_taken_to_have_begun_then() -> None:
    later = Span(since=START + 60 * MINUTE, until=SPAN.until)
    with lived([fires(0, 1), fires(2, after=90)], rules()) as life:
        found, reproduced, (in_force, _) = backtested(life, rules(Disk="impact: extensive"), later)
    assert in_force.standing == 2
    assert found.moved == {("sev3", "sev1"): 1}
    assert found.before.issues == 3
    assert {one.changed for one in reproduced.differences} == {("opened_at",)}


def test_what_had_ended_before_the_span_is_no_part_of_it() -> None:
    later = Span(since=START + 60 * MINUTE, until=SPAN.until)
    history = [fires(0, 1), Sent(after=5 * MINUTE, resolves=(0,)), fires(2, after=90)]
    with lived(history, rules(Down="drop: Noise.")) as life:
        found, _, _ = backtested(life, rules(Down="drop: Noise."), later)
    assert found.before.issues == 1


def test_a_history_in_any_store_is_read_in_pages(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "PAGE", 2)
    life = live([fires(0, 1, 2, 3), fires(4, after=90), fires(5)], rules(), store, until=START + 100 * MINUTE)
    life.ask(Ask(incident_id=1, act=Acknowledged(actor=ANN)))
    life.advance(SPAN.until)
    found, reproduced, (in_force, _) = backtested(life, rules(Disk="drop: Noise."))
    assert (in_force.records, in_force.acts, in_force.lost) == (6, 1, 0)
    assert kinds(found) == {Kind.VANISHES: 2}
    assert reproduced.differences == []
    later = Span(since=START + 60 * MINUTE, until=SPAN.until)
    assert backtested(life, rules(), later)[2][0].standing == 4


# ---------------------------------------------------------------- the whole of it


def _alert(number: int) -> dict[str, Any]:
    (sent,) = Sender().alerts(fires(number), START)
    return sent


@pytest.fixture
def store_file(tmp_path: Path) -> Path:
    """A store in which three alerts were recorded, two of them one incident by the rules in force."""
    file = tmp_path / "triaged.db"
    with closing(Store(f"sqlite:///{file}")) as store:
        store.migrate()
        live([fires(0, 1, 3)], rules(key="alertname"), store, until=START + 60 * MINUTE)
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes rules into a folder."""

    def written(**words: str) -> Path:
        made = tmp_path / "other"
        made.mkdir()
        for name, text in rules(**words).files.items():
            (made / name).write_text(text, encoding="utf-8")
        return made

    return written


@pytest.fixture
def run(store_file: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs `triaged backtest …` on that store."""
    config = store_file.parent / "config.yaml"
    config.write_text(f"store: sqlite:///{store_file}\n", encoding="utf-8")
    monkeypatch.setenv("COLUMNS", "40")

    def triaged(*arguments: object) -> Result:
        until = ("--until", "2026-11-23T10:10:00+01:00")
        return CliRunner().invoke(app, ["backtest", "--config", str(config), *until, *map(str, arguments)])

    return triaged


def test_two_processes_find_what_one_finds(store_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url, files = f"sqlite:///{store_file}", rules(key="cluster").files
    span, _ = extent(url, None, SPAN.until)
    one = backtest(url, files, span, most=10)
    monkeypatch.setattr(whole, "WORTH_A_PROCESS", 1)
    done: list[tuple[int, int]] = []
    two = backtest(url, files, span, most=10, progress=lambda *how_far: done.append(how_far))
    assert two == one
    assert one.compared.number > 0
    assert done[-1] == (6, 6)


def test_nothing_recorded_is_told(store_file: Path) -> None:
    with pytest.raises(ConfigError, match="found none; the first was recorded at 2026-11-23 09:00 UTC"):
        extent(f"sqlite:///{store_file}", SPAN.until, SPAN.until + MINUTE)


def test_a_backtest_leaves_the_store_as_it_was(store_file: Path) -> None:
    url = f"sqlite:///{store_file}"
    before = _dump(url)
    backtest(url, rules(key="cluster").files, SPAN, most=10)
    assert _dump(url) == before


def test_a_drop_that_ended_in_the_span_is_told(store_file: Path) -> None:
    files = rules(Disk="drop: Noise.; until: 2026-12-01").files
    found = backtest(f"sqlite:///{store_file}", files, SPAN, most=10)
    assert [note for note in found.notes if note.startswith("rule Disk stopped dropping at 2026-12-02 00:00 UTC")]


def test_in_a_pipe_a_line_is_as_long_as_what_it_says(run: Callable[..., Result], folder: Callable[..., Path]) -> None:
    said = run("--rules", folder(key="alertname", Down="impact: extensive"))
    lines = [line.rstrip() for line in said.stdout.splitlines()]
    assert "changes  INC-2 Down  sev3, 0 pages  sev1, 1 page" in lines
    assert lines[0].startswith("3 recorded alerts from ")
    assert re.search(r": 1 rule set in force against \w{32}$", lines[0])


def test_the_command_tells_totals_and_differences(run: Callable[..., Result], folder: Callable[..., Path]) -> None:
    said = run("--rules", folder(key="alertname", Down="impact: extensive"))
    assert said.exit_code == 0
    assert "1 sev3 becomes sev1, 1 page more." in said.stdout.lower()
    assert "INC-2 Down" in said.stdout
    assert "Note" not in said.stdout


def test_unchanged_rules_make_no_difference_to_the_command(
    run: Callable[..., Result], folder: Callable[..., Path]
) -> None:
    said = run("--rules", folder(key="alertname"), "--fail-on-change")
    assert (said.exit_code, "No difference." in said.stdout) == (0, True)


def test_a_difference_fails_the_command_where_that_is_asked(
    run: Callable[..., Result], folder: Callable[..., Path]
) -> None:
    assert run("--rules", folder(key="cluster"), "--fail-on-change").exit_code == 1


def test_json_holds_totals_and_as_many_differences_as_asked_for(
    run: Callable[..., Result], folder: Callable[..., Path]
) -> None:
    said = json.loads(run("--rules", folder(key="alertname, pod"), "--format", "json", "--limit", 0).stdout)
    assert said["kinds"]["splits"] == 1
    assert (said["before"]["issues"], said["after"]["issues"]) == (2, 3)
    assert said["differences"] == []
    assert said["differences_not_listed"] == 1


def test_markdown_folds_the_list_and_mentions_nobody(
    store_file: Path, run: Callable[..., Result], folder: Callable[..., Path]
) -> None:
    with closing(Store(f"sqlite:///{store_file}")) as store:
        life = Life(rules(key="alertname"), store)
        life.clock.move_to(START + 5 * MINUTE)
        hostile = _alert(2)
        hostile["labels"]["alertname"] = "Slow | @ann <img src=x> [a](http://b)"
        life.post([hostile])
    said = run("--rules", folder(key="alertname", storm="", Down="drop: Noise.")).stdout
    assert "vanishes" in said
    text = run("--rules", store_file.parent / "other", "--format", "markdown").stdout
    assert text.startswith("### Backtest: 1 issue fewer")
    assert "<summary>1 difference</summary>" in text
    assert "@ann" not in text
    assert "<img" not in text


@pytest.mark.parametrize("since", ["yesterday", "0m", "2026-13-01", "99999999999d"])
def test_a_beginning_that_is_none_is_refused(
    since: str, run: Callable[..., Result], folder: Callable[..., Path]
) -> None:
    said = run("--rules", folder(), "--since", since)
    assert isinstance(said.exception, ConfigError)
    assert "--since: expected a span like 7d, a day like 2026-11-01, or an instant" in str(said.exception)


def test_a_store_that_is_not_there_is_told(tmp_path: Path, folder: Callable[..., Path]) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"store: sqlite:///{tmp_path}/none.db\n", encoding="utf-8")
    said = CliRunner().invoke(app, ["backtest", "--config", str(config), "--rules", str(folder())])
    assert isinstance(said.exception, ConfigError)
    assert not (tmp_path / "none.db").exists()


def _dump(url: str) -> list[tuple[object, ...]]:
    with closing(Store(url)) as store, store.read() as reader:
        tables = ("incidents", "episodes", "alert_records", "timeline", "deadlines", "totals", "rule_sets", "acts")
        run = reader.connection.exec_driver_sql
        return [tuple(row) for table in tables for row in run(f"SELECT * FROM {table}")]
