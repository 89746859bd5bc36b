"""What was found about an incident: charts, changes in the order of likelihood, how often it was, filled-in links."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from building import incident, policy
from triaged.core import charts, evidence
from triaged.core.changes import LOOKED_BACK, SKEW, Change, ChangeKind, likely
from triaged.core.charts import MOST_LINES, POINTS, Chart, Line, drawn, query_of, sparkline, stretch
from triaged.core.draft import Context
from triaged.core.effects import KeepEvidence, PublishIssue
from triaged.core.events import EvidenceFound
from triaged.core.evidence import Evidence, Rarity, Seen, filled, frequency, is_wanted
from triaged.core.lifecycle import decide
from triaged.core.model import Entry, Severity, State

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CONTEXT = Context(policy=policy())


# ---- charts


@pytest.mark.parametrize(
    ("url", "query"),
    [
        ("http://p/graph?g0.expr=up+%3D%3D+0&g0.tab=1", "up == 0"),
        ("http://p/graph?g0.tab=1", ""),
        ("", ""),
        ("http://[::1/graph?g0.expr=up", ""),
        ("http://p/graph?" + "a=1&" * 60 + "g0.expr=up", ""),
        ("http://p/graph?g0.expr=" + "x" * 2_001, ""),
        ("http://p/graph?g0.expr=a%00b", ""),
    ],
)
def test_the_alert_s_own_query_is_read_from_its_link(url: str, query: str) -> None:
    assert query_of(url) == query


@given(ago=st.timedeltas(min_value=timedelta(), max_value=timedelta(days=40)))
def test_a_chart_ends_now_begins_before_and_has_whole_minutes(ago: timedelta) -> None:
    over = stretch(NOW - ago, NOW)
    assert over.ends_at == NOW
    assert over.begins_at == NOW - POINTS * over.step
    assert over.step % MINUTE == timedelta()
    assert timedelta(hours=3) <= NOW - over.begins_at <= timedelta(hours=25)
    assert ago > timedelta(hours=23) or over.begins_at <= NOW - ago - timedelta(hours=1)


def points(*values: float) -> list[tuple[datetime, float]]:
    """The newest points of a chart that ends now."""
    over = stretch(NOW, NOW)
    return [(NOW - step * over.step, value) for step, value in enumerate(reversed(values))]


def chart(*series: tuple[dict[str, str], list[tuple[datetime, float]]], **more: Any) -> Chart | None:
    return drawn("q", series, stretch(NOW, NOW), firing=more.pop("firing", ()), **more)


def test_a_series_has_a_point_for_each_step_and_none_where_it_says_nothing() -> None:
    made = chart(({"pod": "a"}, [*points(math.nan, 1 / 3, math.inf, 2.0), (NOW + timedelta(days=1), 9.0)]))
    assert made is not None
    (line,) = made.lines
    assert len(line.points) == POINTS + 1
    assert line.points[-4:] == (None, 0.333333, None, 2.0)
    assert (line.last, made.ends_at, set(line.points[:-4])) == (2.0, NOW, {None})


def test_series_without_any_value_make_no_chart() -> None:
    assert chart() is None
    assert chart(({"pod": "a"}, points(math.nan))) is None


def test_what_fires_is_drawn_first_then_what_is_nearest_to_firing() -> None:
    series = [({"pod": str(n)}, points(float(n))) for n in range(MOST_LINES + 2)]
    firing = [{"pod": "0", "alertname": "A"}, {"pod": "7"}]
    high = chart(*series, firing=firing, compares=(">", 3.0))
    low = chart(*series, firing=firing, compares=("<", 3.0))
    assert high is not None
    assert low is not None
    assert [line.labels["pod"] for line in high.lines] == ["0", "6", "5", "4", "3"]
    assert [line.labels["pod"] for line in low.lines] == ["0", "1", "2", "3", "4"]
    assert (high.left_out, high.sign, high.bound) == (2, ">", 3.0)


def test_one_that_has_ended_stands_behind_those_that_go_on() -> None:
    ended = [(NOW - timedelta(hours=1), 99.0)]
    made = chart(({"pod": "gone"}, ended), ({"pod": "on"}, points(1.0)), ({}, points(2.0)), firing=[{}])
    assert made is not None
    assert [line.labels.get("pod", "") for line in made.lines] == ["", "on", "gone"]
    assert made.lines[2].last is None


def test_only_what_tells_lines_apart_is_their_name() -> None:
    made = chart(({"job": "x", "pod": "a"}, points(2.0)), ({"job": "x", "pod": "b"}, points(1.0)))
    alone = chart(({"job": "x"}, points(1.0)))
    assert made is not None
    assert alone is not None
    assert charts.names(made) == ({"pod": "a"}, {"pod": "b"})
    assert charts.names(alone) == ({"job": "x"},)


@pytest.mark.parametrize(
    ("values", "blocks"),
    [
        ((), ""),
        ((None, None), ""),
        ((1.0, 1.0), "▁▁"),
        ((0.0, 0.5, None, 1.0), "▁▅·█"),
        ((-1e308, 1e308), "▁▁"),
        ((*[0.0] * 59, 5.0, None), "▁" * 20 + "█"),
    ],
)
def test_a_line_is_a_row_of_blocks(values: tuple[float | None, ...], blocks: str) -> None:
    assert sparkline(Line(labels={}, points=values)) == blocks


def test_a_line_without_points_has_no_last_value() -> None:
    assert Line(labels={}, points=()).last is None


# ---- changes


def change(kind: ChangeKind, ago: float, ref: str = "x", **more: str) -> Change:
    return Change(kind=kind, repository=more.pop("repository", "a/b"), at=NOW - ago * MINUTE, ref=ref, **more)


def test_a_deployment_outweighs_a_nearer_commit_until_it_is_six_hours_old() -> None:
    commit = change(ChangeKind.COMMIT, 0, "c")
    assert [one.ref for one in likely([commit, change(ChangeKind.DEPLOYMENT, 359, "d")], NOW)] == ["d", "c"]
    assert [one.ref for one in likely([commit, change(ChangeKind.DEPLOYMENT, 361, "d")], NOW)] == ["c", "d"]


def test_what_came_after_or_a_day_before_is_no_cause() -> None:
    day = LOOKED_BACK / MINUTE
    kept = likely([change(ChangeKind.COMMIT, ago, str(ago)) for ago in (day + 1, day, 0, -SKEW / MINUTE, -6)], NOW)
    assert [one.ref for one in kept] == ["-5.0", "0", str(day)]


def test_a_change_is_told_once_by_its_greatest_name() -> None:
    told = likely(
        [
            change(ChangeKind.DEPLOYMENT, 10, "v2", commit="aaa"),
            change(ChangeKind.COMMIT, 11, "1", commit="aaa"),
            change(ChangeKind.PULL_REQUEST, 12, "#7"),
            change(ChangeKind.COMMIT, 13, "2", title="Better (#7)"),
            change(ChangeKind.COMMIT, 14, "3", title="Merge pull request #7 from x/y"),
            change(ChangeKind.COMMIT, 15, "4", title="Better (#7)", repository="a/other"),
            change(ChangeKind.COMMIT, 16, "5", title="Own"),
        ],
        NOW,
    )
    assert [one.ref for one in told] == ["v2", "#7", "4", "5"]


@given(
    kinds=st.lists(st.tuples(st.sampled_from(ChangeKind), st.integers(-30, 3_000)), max_size=30),
)
def test_of_each_kind_the_nearer_one_stands_first(kinds: list[tuple[ChangeKind, int]]) -> None:
    told = likely([change(kind, ago, str(n)) for n, (kind, ago) in enumerate(kinds)], NOW)
    for kind in ChangeKind:
        ages = [max(NOW - one.at, timedelta()) for one in told if one.kind is kind]
        assert ages == sorted(ages)


# ---- links


def test_the_window_is_filled_in_as_instants_and_as_numbers() -> None:
    links = {
        "iso": "https://l/?f={{ from }}&t={{to}}",
        "ms": "https://l/{{from_ms}}/{{ to_ms }}",
        "s": "https://l/{{from_s}}-{{to_s}}",
        "plain": "https://l/",
        "odd": "https://l/{{ from }}/{{ pod }}",
        "code": "https://l/{{ from }}{% if x %}",
    }
    begins = int((NOW - 15 * MINUTE).timestamp())
    ends = int((NOW + MINUTE).timestamp())
    assert {one.name: one.url for one in filled(links, NOW, NOW + MINUTE)} == {
        "iso": "https://l/?f=2026-11-23T11%3A45%3A00Z&t=2026-11-23T12%3A01%3A00Z",
        "ms": f"https://l/{begins}000/{ends}000",
        "s": f"https://l/{begins}-{ends}",
    }


@pytest.mark.parametrize(
    ("url", "unknown"),
    [
        ("https://l/{{ from }}", ()),
        ("https://l/{{ pod }}/{{ from }}", ("{{ pod }}",)),
        ("https://l/{{ from | upper }}", ("{{ from | upper }}",)),
        ("https://l/{{ from", ("{{ from",)),
        ("https://l/{% for x in y %}", ("{% for x in y %}",)),
    ],
)
def test_what_nothing_can_be_filled_into_is_named(url: str, unknown: tuple[str, ...]) -> None:
    assert evidence.unknown_in(url) == unknown


# ---- how often


def found(seen: Seen = Seen(), **more: Any) -> Evidence:  # noqa: B008 - frozen
    fields = {"round": 1, "severity": Severity.SEV3, "at": NOW, "seen": seen, **more}
    return Evidence(**fields)


DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("seen", "rarity", "words"),
    [
        (Seen(), Rarity.NEW, "never seen before"),
        (Seen(last_at=NOW - 120 * DAY), Rarity.RARE, "rare (the last one 120 d ago)"),
        (Seen(quarter=1, last_at=NOW - 40 * DAY), Rarity.RARE, "rare (2 in 90 days)"),
        (Seen(month=2, quarter=2, last_at=NOW - DAY), Rarity.RARE, "rare (3 in 90 days)"),
        (
            Seen(month=1, quarter=3, last_at=NOW - DAY),
            Rarity.KNOWN,
            "seen before (4 in 90 days, the last one 1 d ago)",
        ),
        (
            Seen(month=8, quarter=9, last_at=NOW - 2 * DAY),
            Rarity.FREQUENT,
            "frequent (9 in 30 days, the last one 2 d ago)",
        ),
        (Seen(month=4, quarter=4, last_at=NOW), Rarity.FREQUENT, "frequent (5 in 30 days, the last one 0 s ago)"),
    ],
)
def test_counts_are_told_in_words(seen: Seen, rarity: Rarity, words: str) -> None:
    assert (seen.rarity, frequency(found(seen))) == (rarity, words)


def test_the_timeline_tells_what_was_found_and_what_was_not() -> None:
    told = evidence.in_words(found(changed=3, failures=("chart: x did not answer within 5 s",)))
    assert told == "evidence: never seen before, 3 recent changes; chart: x did not answer within 5 s"


def test_a_message_has_the_three_lines_that_matter_most() -> None:
    line = Line(labels={"pod": "a"}, points=(0.0, 1.0, 8.0))
    drawing = Chart(query="errors > 1", begins_at=NOW, step_seconds=60, lines=(line,))
    deployed = change(ChangeKind.DEPLOYMENT, 12, "v2", before="v1")
    told = evidence.briefly(found(charts=(drawing, drawing), changes=(deployed, deployed)), NOW)
    assert told == ("never seen before\nerrors > 1: ▁▂█ 8\ndeployment of a/b v2 (before: v1), 12 min before it began")


def test_what_has_ended_or_came_after_is_told_as_that() -> None:
    drawing = Chart(query="q", begins_at=NOW, step_seconds=60, lines=(Line(labels={}, points=(1.0, None)),))
    told = evidence.briefly(found(charts=(drawing,), changes=(change(ChangeKind.COMMIT, -1, "c"),)), NOW)
    assert told == "never seen before\nq: ▁·\ncommit of a/b c, 1 min after it began"
    assert evidence.briefly(found(), NOW) == "never seen before"


# ---- into the incident


def test_evidence_is_wanted_once_a_round_and_again_where_it_is_graver() -> None:
    one = incident(state=State.OPEN, round=1, severity=Severity.SEV3)
    assert is_wanted(one)
    decision = decide(one, EvidenceFound(evidence=found()), CONTEXT, NOW)
    kept, publish = decision.effects
    assert isinstance(kept, KeepEvidence)
    assert isinstance(publish, PublishIssue)
    assert (kept.key, kept.evidence) == (one.key, found())
    assert [entry.entry for entry in decision.timeline] == [Entry.EVIDENCE]
    after = decision.incident
    assert not is_wanted(after)
    again = decide(after, EvidenceFound(evidence=found()), CONTEXT, NOW)
    assert (again.effects, again.timeline) == ((), ())
    assert again.incident.process.found_for is after.process.found_for


@pytest.mark.parametrize("state", [State.PENDING, State.RESOLVED, State.CLOSED])
def test_what_is_not_open_or_over_wants_no_evidence(state: State) -> None:
    assert not is_wanted(incident(state=state, round=1))


def test_what_is_of_a_former_round_comes_too_late() -> None:
    one = incident(state=State.OPEN, round=2, severity=Severity.SEV3)
    assert decide(one, EvidenceFound(evidence=found()), CONTEXT, NOW).effects == ()
