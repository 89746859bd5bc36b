"""Pause and resume as people meet them: API, command line, board, issue, tests of the rules, explanation, metrics."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from building import incident, minutes, policy, report
from triaged import rulefiles
from triaged.app import rules_of
from triaged.backends.block import block
from triaged.cli import app
from triaged.core.model import Process, State
from triaged.explaining.deadlines import decided, due
from triaged.replay.ruletests import reading
from triaged.replay.ruletests.outcomes import Result
from triaged.replay.ruletests.running import Runner
from web_desk import RULES, START, WebDesk

ONE = "/api/v1/incidents/INC-1"
HOUR = timedelta(hours=1)
REASON = "the vendor looks at it"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[WebDesk]:
    """INC-1, a Sev-1 that ann has taken for a day; it is 08:00."""
    one = WebDesk(tmp_path)
    one.fire("Down", grave="1")
    assert one.post(f"{ONE}/ack", {"by": "ann", "for": "1d"}).status_code == 200
    yield one
    one.close()


def pause(desk: WebDesk, **body: str) -> dict[str, Any]:
    answer = desk.post(f"{ONE}/pause", {"by": "ann", "reason": REASON, **body})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refused(desk: WebDesk, act: str, body: object) -> tuple[int, str]:
    answer = desk.post(f"{ONE}/{act}", body)
    return answer.status_code, answer.json()["error"]


# ---- API


def test_a_pause_is_answered_with_its_end_and_only_that_is_due(desk: WebDesk) -> None:
    shown = pause(desk, **{"for": "2h"})
    assert shown["paused"] == {"since": "2026-11-23T08:00:00Z", "until": "2026-11-23T10:00:00Z", "reason": REASON}
    assert shown["deadlines"] == [{"kind": "pause", "due_at": "2026-11-23T10:00:00Z"}]
    assert desk.get("/api/v1/incidents").json()["incidents"][0]["paused"]["reason"] == REASON


def test_a_pause_may_end_at_an_instant_of_any_offset(desk: WebDesk) -> None:
    assert pause(desk, until="2026-11-24T09:00:00+01:00")["paused"]["until"] == "2026-11-24T08:00:00Z"


def test_a_resume_counts_on_from_then(desk: WebDesk) -> None:
    pause(desk, **{"for": "5h"})
    desk.pass_time(HOUR)
    answer = desk.post(f"{ONE}/resume")
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["paused"], shown["resolution"]["due_at"]) == (None, "2026-11-23T13:00:00Z")
    assert "the pause ended: resumed by local; due 2026-11-23 13:00 UTC" in [one["text"] for one in shown["timeline"]]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"reason": "so"}, "expected either until or for, got none of them"),
        ({"reason": "so", "for": "1h", "until": "2026-11-24T09:00Z"}, "expected either until or for, got both"),
        ({"for": "1h"}, "reason:"),
        ({"for": "1h", "reason": ""}, "reason:"),
        ({"for": "1h", "reason": " "}, "reason"),
        ({"for": "soon", "reason": "so"}, "for: expected a duration like 15m, 1h30m or 3d, got 'soon'"),
        ({"until": "2026-11-24T09:00", "reason": "so"}, "until: expected a date with time and offset"),
        ({"until": "tomorrow", "reason": "so"}, "until: expected a date with time and offset"),
        ({"for": "1h", "reason": "so", "untill": "x"}, "expected only"),
    ],
)
def test_a_pause_that_cannot_be_read_is_refused_with_what_was_expected(
    desk: WebDesk, body: dict[str, str], said: str
) -> None:
    status, text = refused(desk, "pause", body)
    assert status in (400, 409)
    assert said in text


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"for": "31d", "reason": "so"}, "expected a pause of at most 30 d"),
        ({"until": "2026-11-23T07:00Z", "reason": "so"}, "expected an end of the pause after now"),
    ],
)
def test_a_pause_without_a_sensible_end_is_409(desk: WebDesk, body: dict[str, str], said: str) -> None:
    status, text = refused(desk, "pause", body)
    assert (status, said in text) == (409, True)


def test_what_nobody_took_is_not_paused_and_what_is_not_paused_not_resumed(desk: WebDesk) -> None:
    desk.fire("Other", grave="2")
    answer = desk.post("/api/v1/incidents/INC-2/pause", {"for": "1h", "reason": "so"})
    assert (answer.status_code, "acknowledge it first" in answer.text) == (409, True)
    assert refused(desk, "resume", {}) == (409, "INC-1 is not paused")


def test_the_acts_are_described_with_their_fields(desk: WebDesk) -> None:
    described = desk.get("/openapi.json").json()
    assert {"/api/v1/incidents/{name}/pause", "/api/v1/incidents/{name}/resume"} <= described["paths"].keys()
    fields = described["components"]["schemas"]["Pause"]
    assert {"until", "for", "reason"} <= fields["properties"].keys()
    assert "reason" in fields["required"]


def test_a_paused_incident_is_not_the_next_deadline_in_the_metrics(desk: WebDesk) -> None:
    resolution = 'triaged_sla_next_deadline_timestamp_seconds{objective="resolution",severity="sev1"'
    assert resolution in desk.get("/metrics").text
    pause(desk, **{"for": "2h"})
    assert resolution not in desk.get("/metrics").text
    desk.pass_time(2 * HOUR)
    found = next(line for line in desk.get("/metrics").text.splitlines() if line.startswith(resolution))
    assert float(found.split()[-1]) == (START + 6 * HOUR).timestamp()


def test_the_board_says_until_when_it_is_paused(desk: WebDesk) -> None:
    pause(desk, **{"for": "2h"})
    assert "paused until 2026-11-23 10:00 UTC" in desk.get("/").text


# ---- the command line


@pytest.fixture
def triaged(desk: WebDesk, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `triaged incidents …` against the desk."""

    def request(method: str, url: str, *, timeout: float, **more: Any) -> httpx.Response:
        assert timeout > 0
        return desk.send(method, urlsplit(url).path, **more)

    monkeypatch.setattr(httpx, "request", request)
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *words: CliRunner().invoke(app, ["incidents", *words])


def test_a_person_pauses_and_resumes_from_a_terminal(desk: WebDesk, triaged: Any) -> None:
    said = triaged("pause", "INC-1", "--for", "2d", "--reason", REASON, "--by", "ann")
    assert said.exit_code == 0, said.output
    assert f"paused until 2026-11-25T08:00: {REASON}" in said.output
    assert triaged("pause", "INC-1", "--until", "2026-11-24T08:00Z", "--reason", "b").exit_code == 0
    shown = triaged("show", "INC-1")
    assert "ann pauses it until 2026-11-25 08:00 UTC" in shown.output
    assert "local moves the end of its pause: until 2026-11-24 08:00 UTC: b" in shown.output
    said = triaged("resume", "INC-1", "--reason", "they called")
    assert said.exit_code == 0
    assert "paused until" not in said.output
    assert desk.get(ONE).json()["paused"] is None


def test_a_pause_without_a_reason_is_refused_by_the_command(triaged: Any) -> None:
    assert triaged("pause", "INC-1", "--for", "2d").exit_code == 2


# ---- issue and explanation


def paused(**changes: Any) -> Any:
    process = Process(paused_at=minutes(30), paused_until=minutes(90), paused_for="*vendor* <b>")
    return incident(state=State.ACKNOWLEDGED, acknowledged_by="ann", process=process, **changes)


def test_the_issue_says_until_when_and_why_it_is_paused_and_that_text_is_no_markup() -> None:
    text = block(report(incident=paused()))
    assert "**Paused until 2026-11-23 04:30 UTC:** " in text
    assert "<b>" not in text
    assert "*vendor*" not in text.replace("\\*vendor\\*", "")
    assert "| paused until 2026-11-23 04:30 UTC |" in text


def test_an_explanation_tells_the_pauses_that_a_deadline_follows_from() -> None:
    found = {one.kind: one.derived for one in due(paused(), policy(), ())}
    assert found == {"pause": "paused since 2026-11-23 03:30 UTC: what was left of the resolution counts on then"}
    process = Process(paused_at=minutes(200), paused_until=minutes(300), pauses=((minutes(30), minutes(90)),))
    moved = replace(paused(resolution_due_at=minutes(541)), process=process)
    (_, resolution) = decided(moved, policy(), ())
    assert resolution.derived == (
        "what was left counted on after pauses: from 2026-11-23 03:30 UTC to 2026-11-23 04:30 UTC,"
        " since 2026-11-23 06:20 UTC"
    )


# ---- tests of the rules

STEPS = """
- test: what waits for the vendor
  steps:
  - {at: 0m, fire: {alertname: Down, grave: "1"}}
  - {at: 5m, act: ack, by: ann, for: 1d}
"""


def played(steps: str) -> Result:
    findings: list[Any] = []
    (case,) = reading.read("t.yaml", STEPS + steps, findings)
    assert findings == []
    with Runner(rules_of(rulefiles.read(RULES)), {}) as runner:
        return runner.run(case)


def findings_of(step: str) -> list[str]:
    findings: list[Any] = []
    reading.read("t.yaml", f"{STEPS}  - {{at: 9m, {step}}}\n  - {{at: 9h, expect: {{state: open}}}}\n", findings)
    return [str(finding) for finding in findings]


def test_a_pause_is_provable_in_virtual_time() -> None:
    failure = played("""
  - {at: 1h, act: pause, by: ann, for: 2h, reason: the vendor looks}
  - {at: 1h, expect: {state: acknowledged, due: {pause: 3h, resolution: none, resolution_at_risk: none}}}
  - {at: 3h, expect: {due: {pause: none, resolution: 6h, resolution_at_risk: 5h}, timeline: the pause ended}}
  - {at: 4h, act: pause, until: 2026-01-08T00:00+00:00, reason: again}
  - {at: 4h30m, act: resume}
  - {at: 4h30m, expect: {due: {resolution: 6h30m}}}
  - {at: 6h30m, expect: {breached: [resolution]}}
""").failure
    assert failure is None or [problem.text for problem in failure.problems] == []


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("act: pause, for: 2h", "expected a key reason beside it, got none"),
        ("act: pause, reason: so", "expected either `for` or `until` beside it, got none of them"),
        (
            "act: pause, reason: so, for: 2h, until: 2026-01-08T00:00Z",
            "expected either `for` or `until` beside it, got both",
        ),
    ],
)
def test_a_pause_in_a_test_that_cannot_be_read_is_a_finding(step: str, said: str) -> None:
    assert any(said in found for found in findings_of(step)), findings_of(step)
