"""Evidence as it is shown: Mermaid of numbers and words of ours only, drawings for the page, sections of the issue."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from building import incident, report
from triaged.backends import chart as charting
from triaged.backends.evidence import evidence
from triaged.backends.issue import render
from triaged.core.changes import Change, ChangeKind
from triaged.core.charts import POINTS, Chart, Line
from triaged.core.evidence import Evidence, LogLink, Neighbour, Similar
from triaged.core.model import Severity
from triaged.web import evidence as shown

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
EVIL = '@all ``` "] %% --> <b>| [x](javascript:1) \n\n# x'


def chart(*lines: tuple[float | None, ...], **more: Any) -> Chart:
    """A chart that ends at noon; its points are three minutes apart."""
    begins = NOW - (len(lines[0]) - 1) * timedelta(minutes=3)
    made = tuple(Line(labels={"pod": f"p{n}"}, points=line) for n, line in enumerate(lines))
    return Chart(query="q", begins_at=begins, step_seconds=180, lines=made, **more)


def found(**more: Any) -> Evidence:
    return Evidence(round=1, severity=Severity.SEV2, at=NOW, **more)


def test_the_drawing_is_what_mermaid_reads() -> None:
    assert charting.mermaid(chart((0.5, None, 0.25), (1.0, 1.0, 1.0), sign=">", bound=0.75)) == (
        '%%{init: {"themeVariables": {"xyChart": {"plotColorPalette": "#3b88c3, #f4900c, #8b949e"}}}}%%\n'
        "xychart-beta\n"
        '    x-axis "minutes until 2026-11-23 12:00 UTC" -6 --> 0\n'
        '    y-axis "value" 0 --> 1.05\n'
        "    line [0.5, 0, 0.25]\n"
        "    line [1, 1, 1]\n"
        "    line [0.75, 0.75, 0.75]"
    )


def test_the_legend_tells_which_colour_is_which_and_what_is_missing() -> None:
    assert charting.legend(chart((0.5, None, 0.25), (1.0, 1.0, None), sign="<", bound=0.1, left_out=7)) == (
        "🟦 `pod=p0`: **0.25** (no value at 1 of 3 points)\\\n"
        "🟧 `pod=p1`: — (no value at 1 of 3 points)\\\n"
        "⬜ it fires at `< 0.1`\\\n"
        "… and 7 more series"
    )


def test_a_series_without_labels_is_called_as_its_query() -> None:
    one = Chart(query="sum(x)", begins_at=NOW, step_seconds=60, lines=(Line(labels={}, points=(1.0,)),))
    assert charting.legend(one) == "🟦 `sum(x)`: **1**"


@pytest.mark.parametrize(
    ("values", "unit", "low", "high"),
    [
        ((0.0, 0.0), "value", "0", "1"),
        ((-3.0, -1.0), "value", "-3", "0.15"),
        ((3.2e9, 9.2e9), "× 10^9", "0", "9.66"),
        ((4e-7, 1e-7), "× 10^-9", "0", "420"),
        ((-1e300, 1e-300), "× 10^300", "-1", "0.05"),
    ],
)
def test_the_axis_has_handy_numbers(values: tuple[float, ...], unit: str, low: str, high: str) -> None:
    assert f'y-axis "{unit}" {low} --> {high}\n' in charting.mermaid(chart(values))


finite = st.floats(allow_nan=False, allow_infinity=False)
rows = st.lists(st.one_of(st.none(), finite), min_size=POINTS + 1, max_size=POINTS + 1).filter(
    lambda row: any(one is not None for one in row)
)


@given(lines=st.lists(rows, min_size=1, max_size=5), sign=st.sampled_from(["", ">"]), bound=finite)
def test_whatever_the_values_only_numbers_without_exponents_are_drawn(
    lines: list[list[float | None]], sign: str, bound: float
) -> None:
    one = chart(*map(tuple, lines), sign=sign, bound=bound)
    drawn = charting.mermaid(one).splitlines()[4:]
    for line in drawn:
        numbers = re.fullmatch(r"    line \[(.*)\]", line)
        assert numbers is not None
        values = numbers[1].split(", ")
        assert len(values) == POINTS + 1
        assert all(re.fullmatch(r"-?\d{1,7}(\.\d{1,9})?", value) for value in values), values
    assert len("\n".join(drawn)) < 10_000
    for stroke in shown.on_page(found(charts=(one,))).drawings[0].strokes:  # type: ignore[union-attr]
        assert all(re.fullmatch(r"(?:[0-9.]+,[0-9.]+ ?)+", points) for points in stroke.pieces)


def test_a_gap_parts_a_line_and_a_lone_value_is_seen() -> None:
    page = shown.on_page(found(charts=(chart((1.0, None, 0.5, 0.0), sign=">", bound=1.0),)))
    assert page is not None
    (drawing,) = page.drawings
    assert [*drawing.strokes[0].pieces] == ["0.0,4.0 2.0,4.0", "400.0,60.0 600.0,116.0"]
    assert (drawing.low, drawing.high, drawing.bound_y, drawing.fires_at) == ("0", "1", 4.0, "> 1")


def test_nothing_found_is_nothing_shown() -> None:
    assert evidence(report()) == ""
    assert shown.on_page(None) is None
    assert shown.answered(None) is None


def full(text: str) -> Evidence:
    """Evidence with that text wherever others may have written it."""
    change = Change(
        kind=ChangeKind.DEPLOYMENT,
        repository="acme/x",
        at=NOW,
        ref=text,
        title=text,
        by=text,
        url="javascript:alert(1)",
        before=text,
        where=text,
    )
    line = Line(labels={text: text}, points=(1.0, 2.0))
    return found(
        charts=(Chart(query=text, begins_at=NOW, step_seconds=60, lines=(line,)),),
        links=(LogLink(name=text, url="https://logs.example.com/"), LogLink(name="x", url="javascript:alert(1)")),
        changes=(change,),
        changed=3,
        around=(
            Neighbour(incident_id=3, title=text, service=text, severity=Severity.SEV1, opened_at=NOW, depends=False),
            Neighbour(incident_id=4, title="", service="s", severity=Severity.SEV3, opened_at=NOW, depends=True),
        ),
        similar=(
            Similar(incident_id=5, title=text, opened_at=NOW, took_seconds=None, root_cause=text, fix="", same=False),
        ),
        failures=(text,),
    )


def test_text_of_others_forms_nothing() -> None:
    text = evidence(report(evidence=full(EVIL)))
    lively = re.sub(r"(?<!`)(`+)(?!`)(.*?[^`])\1(?!`)", "", text)
    lively = re.sub(r"\\.", "", lively)
    assert "@all" not in text
    assert "javascript:alert" not in text
    assert "](javascript" not in lively
    assert not re.search(r"<b>|^# x", lively, re.MULTILINE)
    assert [line for line in text.splitlines() if line.startswith("```")] == ["```mermaid", "```"]
    drawing = text.partition("```mermaid")[2].partition("\n```")[0]
    assert not [word for word in EVIL.split() if word not in ("%%", "-->") and word in drawing.split()]


def test_the_section_tells_all_that_was_found() -> None:
    text = evidence(report(evidence=full("plain")))
    assert "… and 2 more changes" in text
    assert "[INC-3](https://triaged.example.com/incidents/INC-3) sev1 plain: `plain`, on which this depends" in text
    assert "[INC-4](https://triaged.example.com/incidents/INC-4) sev3 (restricted): `s`, which depends on this" in text
    assert "(other alert), 2026-11-23 12:00 UTC | — | Cause: plain |" in text
    assert "- *Not found:* plain" in text


def test_neither_what_is_folded_nor_what_is_hidden_shows_evidence() -> None:
    assert evidence(report(incident=incident(parent=3), evidence=full("plain"))) == ""
    assert "Evidence" not in render(report(incident=incident(restricted=True), evidence=full("plain"))).block


def test_an_issue_that_is_too_long_loses_rows_and_never_half_a_chart() -> None:
    lines = tuple(tuple(float(n) for n in range(POINTS + 1)) for _ in range(5))
    many = tuple(chart(*lines) for _ in range(40))
    block = render(report(evidence=found(charts=many))).block
    assert len(block) <= 48_000
    assert block.count("```mermaid") == len(re.findall(r"^```$", block, re.MULTILINE))


def test_the_api_tells_the_same() -> None:
    answered = shown.EvidenceShown.model_validate(shown.answered(full("plain")))
    assert (answered.around[0].id, answered.similar[0].id, answered.similar[0].issue) == ("INC-3", "INC-5", "")
    assert (answered.seen.in_30_days, answered.charts[0].sign, answered.charts[0].bound) == (1, None, None)
    assert (answered.changes[0].ref, answered.changes_found) == ("plain", 3)
