"""People at work on an incident over HTTP: the acts, their refusals, and what of them everybody sees."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

import web_desk
from commands import Run
from triaged.web.auth import ApiTokens, Role, TokenSource
from web_desk import RULES, WebDesk

ONE = "/api/v1/incidents/INC-1"
PEOPLE = """
people:
  ann: {notify: ['mailto://ann@example.com']}
  bob: {notify: ['mailto://bob@example.com']}
"""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebDesk]:
    """One whose rules know people, and ask for updates of a Sev-1 every half hour."""
    severities = RULES["severities.yaml"].replace("sev1:\n", "sev1:\n  update_every: 30m\n")
    rules = {**RULES, "services.yaml": RULES["services.yaml"] + PEOPLE, "severities.yaml": severities}
    monkeypatch.setattr(web_desk, "RULES", rules)
    desk = WebDesk(tmp_path)
    yield desk
    desk.close()


def done(desk: WebDesk, act: str, **fields: object) -> dict[str, Any]:
    answer = desk.post(f"{ONE}/{act}", {"by": "ann", **fields})
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def last(shown: dict[str, Any]) -> tuple[str, str, str]:
    entry = shown["timeline"][-1]
    return entry["entry"], entry["by"], entry["text"]


def test_an_incident_is_assigned_and_its_roles_are_given(desk: WebDesk) -> None:
    desk.fire("A", grave="1")
    done(desk, "assign", to="payments")
    shown = done(desk, "assign", to="bob", reason="he knows it")
    assert (shown["process"]["owner"], shown["state"]) == ("bob", "open")
    assert last(shown) == ("assigned", "ann", "assigned to bob (was payments) by ann: he knows it")
    shown = done(desk, "role", role="COMMANDER", person="ann")
    assert shown["process"]["roles"] == {"commander": "ann"}
    assert done(desk, "role", role="commander", person="")["process"]["roles"] == {}


def test_an_update_is_shown_with_the_time_of_the_next(desk: WebDesk) -> None:
    desk.fire("A", grave="1")
    desk.pass_time(timedelta(minutes=10))
    fields = {"status": "Identified", "impact": "Nobody can pay.", "next_steps": "We roll back."}
    process = done(desk, "update", text=" A bad release. ", eta="2h", **fields)["process"]
    assert process["update"] == {"at": "2026-11-23T08:10:00Z", "by": "ann", "text": "A bad release.", **fields}
    assert (process["eta"], process["next_update_at"]) == ("2026-11-23T10:10:00Z", "2026-11-23T08:40:00Z")
    assert process["updates"] == 1


def test_an_update_takes_an_instant_too(desk: WebDesk) -> None:
    desk.fire("A", grave="1")
    process = done(desk, "update", text="x", eta="2026-11-23T12:00+01:00")["process"]
    assert process["eta"] == "2026-11-23T11:00:00Z"


def test_an_expectation_is_given_moved_and_taken_back(desk: WebDesk) -> None:
    desk.fire("A")
    assert done(desk, "eta", **{"in": "90m"})["process"]["eta"] == "2026-11-23T09:30:00Z"
    assert done(desk, "eta", at="2026-11-23T12:00Z")["process"]["eta"] == "2026-11-23T12:00:00Z"
    assert done(desk, "eta", none=True)["process"]["eta"] is None


def test_notes_of_each_kind_are_entries_of_that_kind(desk: WebDesk) -> None:
    desk.fire("A")
    assert last(done(desk, "note", text="decision: roll back")) == ("decision", "ann", "decision: roll back")
    assert last(done(desk, "note", text="It is slow.")) == ("note", "ann", "It is slow.")


def test_what_was_taken_is_given_back(desk: WebDesk) -> None:
    desk.fire("A")
    done(desk, "ack")
    shown = done(desk, "unack")
    assert (shown["state"], shown["acknowledged_by"], shown["response"]["outcome"]) == ("open", None, "met")


def test_what_is_to_be_written_down_is_asked_for_when_it_is_over(desk: WebDesk) -> None:
    desk.fire("A", grave="1")
    assert desk.get(ONE).json()["missing"] == []
    shown = done(desk, "close", summary="A bad release.")
    assert shown["missing"] == ["root_cause", "fix", "prevention"]


@pytest.mark.parametrize(
    ("act", "body", "status", "said"),
    [
        ("assign", {}, 400, "to: expected it, got none"),
        ("assign", {"to": "a\nb"}, 400, "to: expected a name on one line, or nothing for nobody"),
        (
            "assign",
            {"to": "anne"},
            409,
            "to: expected one of the people or teams of services.yaml, got 'anne'; did you mean ann?",
        ),
        ("role", {"role": "boss", "person": "ann"}, 400, "role: expected commander, technical, communications or"),
        ("role", {"role": "scribe", "person": "payments"}, 409, "person: expected one of the people of services.yaml"),
        ("note", {"text": " "}, 400, "text: expected a text, got nothing"),
        ("note", {"text": "x\0"}, 400, "text: expected text without NUL characters"),
        ("note", {"text": "decision:"}, 409, "text: expected what is to be noted, got nothing"),
        ("note", {"txt": "x"}, 400, "expected only by, on_behalf_of or text, got txt; did you mean text?"),
        ("update", {"text": "x", "eta": "soon"}, 400, "eta: expected a duration like 2h, or a date with time"),
        ("update", {"text": "x", "eta": "2020-01-01T00:00Z"}, 409, "eta: expected an instant after now"),
        ("update", {"text": "x", "status": "a\nb"}, 400, "status: expected a word or two on one line"),
        ("eta", {}, 400, "expected one of at, in or none: true"),
        ("eta", {"in": "1h", "none": True}, 400, "expected one of at, in or none: true"),
        ("eta", {"none": "yes"}, 400, "none: "),
        ("workaround", {}, 400, "text: expected it, got none"),
        ("workaround", {"text": "x" * 10_001}, 400, "text: "),
        ("unack", None, 409, "INC-1 is open: expected one that somebody has acknowledged"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(
    desk: WebDesk, act: str, body: object, status: int, said: str
) -> None:
    desk.fire("A", grave="1")
    answer = desk.post(f"{ONE}/{act}", body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"].startswith(said)


def test_of_a_restricted_incident_without_a_token_nothing_of_the_work_is_shown(tmp_path: Path) -> None:
    tokens = ApiTokens({"bot": TokenSource(token="s3cret"), "look": TokenSource(role=Role.READ, token="look")})
    guarded = WebDesk(tmp_path, tokens=tokens, loopback=False)
    guarded.fire("A", intruder="yes")
    said = {"workaround": {"text": "hush"}, "assign": {"to": "hush"}, "update": {"text": "hush"}}
    for act, body in said.items():
        assert guarded.post(f"{ONE}/{act}", body, authorization="Bearer s3cret").status_code == 200
    assert "hush" not in guarded.get(ONE).text
    assert "hush" not in guarded.get("/incidents/INC-1").text
    assert guarded.get(ONE, authorization="Bearer look").json()["process"]["workaround"] == "hush"
    guarded.close()


def test_the_page_of_an_incident_shows_who_works_on_it_and_what_is_expected(desk: WebDesk) -> None:
    desk.fire("A", grave="1")
    done(desk, "assign", to="bob")
    done(desk, "role", role="commander", person="ann")
    done(desk, "update", text="A <b>bad</b> release.", eta="2h", status="Identified")
    done(desk, "workaround", text="Reload.")
    page = desk.get("/incidents/INC-1").text
    for words in ("bob", "incident commander", "A &lt;b&gt;bad&lt;/b&gt; release.", "Identified", "Reload."):
        assert words in page
    assert "2026-11-23 10:00 UTC" in page
    assert "2026-11-23 08:30 UTC" in page
    for act in ("assign", "role", "note", "update", "eta", "workaround"):
        assert f"/INC-1/{act}" in page


def test_the_page_of_a_closed_incident_says_what_is_still_to_be_written_down(desk: WebDesk) -> None:
    desk.fire("A", grave="1")
    done(desk, "close", summary="It broke.")
    assert "root cause, fix, prevention" in desk.get("/incidents/INC-1").text


# ---------------------------------------------------------------- the terminal


@pytest.fixture
def run(desk: WebDesk, triaged: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `triaged incidents …` as ann, against the desk."""

    def request(method: str, url: str, **more: Any) -> Any:
        return desk.send(method, url, **{name: more[name] for name in ("headers", "json", "params") if name in more})

    monkeypatch.setattr(httpx, "request", request)
    return triaged


def test_the_terminal_has_the_same_acts_with_the_same_fields(desk: WebDesk, run: Run) -> None:
    desk.fire("A", grave="1")
    for arguments in (
        ("ack", "INC-1"),
        ("unack", "INC-1", "--reason", "home"),
        ("assign", "INC-1", "bob", "--reason", "he knows it"),
        ("role", "INC-1", "commander", "ann"),
        ("note", "INC-1", "decision: roll back"),
        ("workaround", "INC-1", "Reload."),
        ("eta", "INC-1", "--at", "2026-11-23T12:00Z"),
        ("eta", "INC-1", "--none"),
        ("eta", "INC-1", "--in", "3h"),
        (
            "update",
            "INC-1",
            "A release.",
            "--eta",
            "2h",
            "--status",
            "Found",
            "--impact",
            "All.",
            "--next-steps",
            "Back.",
        ),
    ):
        said = run("incidents", *arguments, "--by", "ann")
        assert said.status == 0, said.err
    shown = desk.get(ONE).json()
    assert [entry["entry"] for entry in shown["timeline"] if entry["by"] == "ann"] == [
        "acknowledged",
        "acknowledgement_ended",
        "assigned",
        "role",
        "decision",
        "workaround",
        "eta",
        "eta",
        "eta",
        "update",
    ]
    lines = [line.strip() for line in run("incidents", "show", "INC-1").out.splitlines()]
    for line in (
        "owner: bob",
        "roles: commander ann",
        "workaround: Reload.",
        "expected: 2026-11-23T10:00:00Z",
        "next update: 2026-11-23T08:30:00Z",
        "last update: 2026-11-23T08:00 by ann: A release.",
    ):
        assert line in lines


def test_the_terminal_says_what_is_still_to_be_written_down(desk: WebDesk, run: Run) -> None:
    desk.fire("A", grave="1")
    said = run("incidents", "close", "INC-1", "--summary", "It broke.").out
    assert "still to be written down: root cause, fix, prevention" in said


def test_a_refusal_is_the_same_sentence_in_the_terminal(desk: WebDesk, run: Run) -> None:
    desk.fire("A")
    said = run("incidents", "assign", "INC-1", "anne")
    assert said.status == 2
    assert "expected one of the people or teams of services.yaml, got 'anne'; did you mean ann?" in said.err
