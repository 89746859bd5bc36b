"""Escalation as people meet it: over the API and the command line, in notices, deadlines, explanation and metrics."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse
from sqlalchemy import select
from typer.testing import CliRunner

from triaged.cli import app
from triaged.core.events import NobodyTold
from triaged.core.model import DeadlineKind
from triaged.intake.units import Happened, Passed
from triaged.store import schema as s
from web_desk import WebDesk

ONE = "/api/v1/incidents/INC-1"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[WebDesk]:
    """INC-1, a Sev-1 whose rules say nothing of escalation: who is on call is told every quarter of an hour."""
    one = WebDesk(tmp_path)
    one.fire("Down", grave="1")
    yield one
    one.close()


def escalate(desk: WebDesk, **body: object) -> dict[str, Any]:
    answer = desk.post(f"{ONE}/escalate", {"by": "ann", **body})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def texts(desk: WebDesk) -> list[str]:
    return [entry["text"] for entry in desk.get(ONE).json()["timeline"] if "is told" in entry["text"]]


def notices(desk: WebDesk) -> list[tuple[str, str, str]]:
    """Key, recipients and text of every notice of escalation, oldest first."""
    c = s.notices.c
    with desk.store.read() as reader:
        rows = reader.connection.execute(select(c.key, c.recipients, c.text).order_by(c.id)).all()
    return [(row.key, row.recipients, row.text) for row in rows if row.key.startswith("escalated:")]


def escalations(desk: WebDesk) -> dict[tuple[str, str, str], float]:
    """The counter by severity, level and reason."""
    samples = [sample for family in parse(desk.get("/metrics").text) for sample in family.samples]
    found = [one for one in samples if one.name == "triaged_escalations_total"]
    return {(o.labels["severity"], o.labels["level"], o.labels["reason"]): o.value for o in found}


def test_the_first_level_is_stored_with_the_decision_that_opened_the_incident(desk: WebDesk) -> None:
    ((_, recipients, _),) = notices(desk)
    assert recipients == '["on_call"]'
    assert {"kind": "escalation", "due_at": "2026-11-23T08:15:00Z"} in desk.get(ONE).json()["deadlines"]


def test_time_calls_again_and_an_acknowledgement_ends_it(desk: WebDesk) -> None:
    desk.pass_time(15 * MINUTE)
    assert texts(desk)[-1] == "level 1 of 1 (on_call) is told again: nobody has acknowledged it for 15 min"
    assert len(notices(desk)) == 2
    assert desk.post(f"{ONE}/ack", {"by": "ann"}).status_code == 200
    assert "escalation" not in [one["kind"] for one in desk.get(ONE).json()["deadlines"]]


def test_a_deadline_that_is_passed_on_twice_tells_once(desk: WebDesk) -> None:
    with desk.store.read() as reader:
        (deadline,) = [one for one in reader.deadlines(1) if one.kind is DeadlineKind.ESCALATION]
    desk.clock.advance(20 * MINUTE)
    for _ in range(3):
        desk.intake.process([Passed(deadline=deadline), Passed(deadline=deadline)], desk.clock.now())
    assert len(notices(desk)) == 2


def test_where_nobody_is_found_on_the_last_level_nothing_follows(desk: WebDesk) -> None:
    ((key, _, _),) = notices(desk)
    for _ in range(2):
        (answer,) = desk.intake.process([Happened(incident_id=1, event=NobodyTold(key=key))], desk.clock.now())
        assert answer.status == 200
    assert len(notices(desk)) == 1


def test_a_person_calls_somebody_who_learns_what_was_done(desk: WebDesk) -> None:
    desk.pass_time(5 * MINUTE)
    desk.post(f"{ONE}/ack", {"by": "ann"})
    shown = escalate(desk, to="bob", reason="the index is broken", take_over=True)
    assert [entry["text"] for entry in shown["timeline"]][-2:] == [
        "bob is told: ann asks for it: the index is broken",
        "ann hands it over to bob",
    ]
    _, recipients, text = notices(desk)[-1]
    assert recipients == '["bob"]'
    assert text.splitlines()[:2] == ["Why you: ann asks for it: the index is broken.", "Acknowledged by ann."]
    assert "- 2026-11-23 08:05 UTC ann: acknowledged by ann" in "\n".join(text.splitlines())


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"to": "7"}, 409, "to: expected a level from 1 to 1 of sev1, or a name, got 7"),
        ({"to": "a\nb"}, 400, "to: expected a name on one line"),
        ({"to": "x" * 61}, 400, "to:"),
        ({"to": 2}, 400, "to:"),
        ({"take_over": "yes"}, 400, "take_over:"),
        ({"whom": "bob"}, 400, "expected only"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_was_expected(
    desk: WebDesk, body: dict[str, object], status: int, said: str
) -> None:
    answer = desk.post(f"{ONE}/escalate", body)
    assert (answer.status_code, said in answer.json()["error"]) == (status, True), answer.text
    assert len(notices(desk)) == 1


def test_what_is_closed_cannot_be_escalated(desk: WebDesk) -> None:
    desk.post(f"{ONE}/close", {"by": "ann"})
    answer = desk.post(f"{ONE}/escalate")
    assert answer.status_code == 409
    assert answer.json()["error"] == (
        "INC-1 is closed and cannot be escalated: expected one that is open, acknowledged"
    )


def test_the_counter_is_there_from_0_and_counts_what_was_told_but_for_openings_and_repetitions(desk: WebDesk) -> None:
    zeros = escalations(desk)
    assert zeros["sev1", "1", "severity_raised"] == zeros["sev4", "other", "asked"] == 0
    assert not any(reason == "opened" for _, _, reason in zeros)
    escalate(desk, to="bob")
    escalate(desk)
    desk.pass_time(16 * MINUTE)
    counted = {labels: value for labels, value in escalations(desk).items() if value}
    assert counted == {("sev1", "other", "asked"): 1, ("sev1", "1", "asked"): 1}


def test_an_explanation_says_what_the_next_level_follows_from(desk: WebDesk) -> None:
    explained = desk.get(f"{ONE}/explain").json()
    (due,) = [one for one in explained["deadlines"] if one["kind"] == "escalation"]
    assert due["derived"] == (
        "somebody was asked for 2026-11-23 08:00 UTC; the last level of sev1 is told again until somebody"
        " acknowledges it"
    )


def test_the_command_line_says_the_same(desk: WebDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    def request(method: str, url: str, **more: Any) -> httpx.Response:
        more.pop("timeout")
        answer = desk.send(method, urlsplit(url).path, **more)
        answer.request = httpx.Request(method, url)
        return answer

    monkeypatch.setattr(httpx, "request", request)
    command = ["incidents", "escalate", "INC-1", "--to", "bob", "--reason", "help", "--take-over", "--by", "ann"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert texts(desk)[-1] == "bob is told: ann asks for it: help"
    assert "ann hands it over to bob" in desk.get(ONE).text
