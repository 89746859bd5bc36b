"""The HTTP API on a real store: lists, acts, refusals in words, and who may act."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from triaged.errors import StoreError
from triaged.intake.units import Answer
from triaged.web.auth import ApiTokens, Role, TokenSource
from triaged.web.limits import MOST_BYTES
from web_desk import HERE, WebDesk

LIST = "/api/v1/incidents"
ONE = "/api/v1/incidents/INC-1"
BOT = "Bearer s3cret"
READER = "Bearer look"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[WebDesk]:
    desk = WebDesk(tmp_path)
    yield desk
    desk.close()


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[WebDesk]:
    """One that asks for tokens, and can be reached from other machines."""
    tokens = ApiTokens(
        {"ops-bot": TokenSource(token="s3cret"), "grafana": TokenSource(role=Role.READ, token="look")},
    )
    desk = WebDesk(tmp_path, tokens=tokens, loopback=False, public_url="https://triaged.example.com")
    yield desk
    desk.close()


def names(desk: WebDesk, query: str = "") -> list[str]:
    return [one["id"] for one in desk.get(LIST + query).json()["incidents"]]


def error(desk: WebDesk, path: str, body: object, status: int = 400) -> str:
    answer = desk.post(path, body)
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    text: str = answer.json()["error"]
    return text


# ---------------------------------------------------------------- reading


def test_the_list_is_empty_before_the_first_alert(desk: WebDesk) -> None:
    assert desk.get(LIST).json() == {"incidents": [], "next_cursor": None}


def test_the_list_shows_the_newest_incident_first(desk: WebDesk) -> None:
    for name in ("A", "B", "C"):
        desk.fire(name)
    assert names(desk) == ["INC-3", "INC-2", "INC-1"]


def test_the_cursor_leads_through_all_pages_without_gap_or_repeat(desk: WebDesk) -> None:
    for name in "ABCDE":
        desk.fire(name)
    seen: list[str] = []
    query = "?limit=2"
    while query:
        page = desk.get(LIST + query).json()
        seen += [one["id"] for one in page["incidents"]]
        query = f"?limit=2&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert seen == ["INC-5", "INC-4", "INC-3", "INC-2", "INC-1"]


def test_the_list_can_be_narrowed_by_state_severity_and_team(desk: WebDesk) -> None:
    desk.fire("A", grave="1", app="checkout")
    desk.fire("B", grave="4")
    desk.fire("C")
    desk.post(f"{LIST}/INC-3/ack")
    assert names(desk, "?severity=sev1") == ["INC-1"]
    assert names(desk, "?team=payments") == ["INC-1"]
    assert names(desk, "?state=acknowledged") == ["INC-3"]
    assert names(desk, "?state=open,acknowledged&team=platform") == ["INC-3", "INC-2"]
    assert names(desk, "?team=nobody") == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?state=burning", "state: expected one or more of pending, open, acknowledged"),
        ("?severity=high", "severity: expected sev1, sev2, sev3 or sev4, got 'high'"),
        ("?limit=0", "limit: "),
        ("?limit=many", "limit: expected a valid integer"),
        ("?limit=501", "limit: "),
        ("?cursor=-1", "cursor: expected the next_cursor of a page before"),
        ("?sevrity=sev1", "expected only state, severity, team, limit or cursor, got sevrity; did you mean severity?"),
    ],
)
def test_a_query_that_cannot_be_meant_is_refused_in_words(desk: WebDesk, query: str, said: str) -> None:
    answer = desk.get(LIST + query)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(said)


def test_an_incident_is_shown_with_timeline_episodes_and_deadlines(desk: WebDesk) -> None:
    desk.fire("DiskFull", grave="1", instance="a", annotations={"summary": "full"})
    shown = desk.get(ONE).json()
    assert shown["id"] == "INC-1"
    assert shown["severity"] == "sev1"
    assert shown["because"] == ["Nobody can pay."]
    assert shown["opened_at"] == "2026-11-23T08:00:00Z"
    assert shown["response"] == {"due_at": "2026-11-23T08:15:00Z", "at_risk": False, "outcome": None}
    assert shown["issue"] is None
    assert shown["url"] == f"{HERE}/incidents/INC-1"
    assert [one["labels"]["instance"] for one in shown["episodes"]] == ["a"]
    assert [entry["entry"] for entry in shown["timeline"]] == ["fired", "opened", "escalated"]
    assert {one["kind"] for one in shown["deadlines"]} == {
        "response",
        "response_at_risk",
        "resolution",
        "resolution_at_risk",
        "escalation",
    }


def test_the_name_of_an_incident_may_be_written_small(desk: WebDesk) -> None:
    desk.fire("A")
    assert desk.get(f"{LIST}/inc-1").json()["id"] == "INC-1"


@pytest.mark.parametrize("name", ["INC-2", "INC-0", "7", "INC-x", "INC-" + "9" * 40, "INC-\u0661", "%00"])
def test_an_incident_that_does_not_exist_is_404(desk: WebDesk, name: str) -> None:
    desk.fire("A")
    answer = desk.get(f"{LIST}/{name}")
    assert answer.status_code == 404
    assert list(answer.json()) == ["error"]


def test_what_is_held_back_has_no_number_yet(desk: WebDesk) -> None:
    desk.fire("A", slow="yes")
    assert names(desk) == []
    assert desk.get(ONE).status_code == 404
    assert desk.post(f"{ONE}/ack").status_code == 404


# ---------------------------------------------------------------- acts


def test_an_acknowledgement_answers_with_the_incident_as_it_is_then(desk: WebDesk) -> None:
    desk.fire("A", grave="1")
    answer = desk.post(f"{ONE}/ack", {"for": "1h30m", "by": "ann"})
    assert answer.status_code == 200
    shown = answer.json()
    assert shown["state"] == "acknowledged"
    assert shown["acknowledged_by"] == "ann"
    assert shown["acknowledged_until"] == "2026-11-23T09:30:00Z"
    assert shown["response"]["outcome"] == "met"
    assert shown["timeline"][-1]["by"] == "ann"
    assert shown == desk.get(ONE).json()


def test_who_says_no_name_is_local(desk: WebDesk) -> None:
    desk.fire("A")
    assert desk.post(f"{ONE}/ack").json()["acknowledged_by"] == "local"


def test_for_whom_one_acts_is_shown_with_who_acts(desk: WebDesk) -> None:
    desk.fire("A")
    answer = desk.post(f"{ONE}/ack", {"by": "desk", "on_behalf_of": "ann"})
    assert answer.json()["acknowledged_by"] == "ann (via desk)"


def test_a_chosen_severity_stands_beside_the_judged_one(desk: WebDesk) -> None:
    desk.fire("A", grave="1")
    shown = desk.post(f"{ONE}/severity", {"severity": "Sev4", "reason": "a test", "by": "ann"}).json()
    assert (shown["severity"], shown["judged"], shown["chosen_by"]) == ("sev4", "sev1", "ann")
    assert "a test" in shown["timeline"][-1]["text"]


def test_what_a_person_writes_down_when_resolving_and_closing_is_kept(desk: WebDesk) -> None:
    desk.fire("A")
    desk.post(f"{ONE}/resolve", {"summary": "s", "root_cause": "r", "reason": "completed"})
    shown = desk.post(f"{ONE}/close", {"fix": "f", "prevention": "p", "reason": "false_alarm"}).json()
    assert [shown[name] for name in ("summary", "root_cause", "fix", "prevention")] == ["s", "r", "f", "p"]
    assert (shown["state"], shown["close_reason"], shown["closed_by"]) == ("closed", "false_alarm", "local")


def test_a_closed_incident_can_be_reopened_with_a_reason(desk: WebDesk) -> None:
    desk.fire("A")
    desk.post(f"{ONE}/close")
    shown = desk.post(f"{ONE}/reopen", {"reason": "too early"}).json()
    assert (shown["state"], shown["round"]) == ("open", 2)
    assert "too early" in shown["timeline"][-1]["text"]


def test_an_act_that_the_state_does_not_allow_is_409_and_changes_nothing(desk: WebDesk) -> None:
    desk.fire("A")
    before = desk.get(ONE).json()
    assert "expected one that is resolved, closed" in error(desk, f"{ONE}/reopen", {}, 409)
    assert desk.get(ONE).json() == before


def test_an_unknown_act_is_404_with_the_acts_that_there_are(desk: WebDesk) -> None:
    desk.fire("A")
    said = error(desk, f"{ONE}/explode", {}, 404)
    acts = (
        "ack, severity, resolve, close, reopen, merge, split, silence, pause, resume, escalate, unack, assign, role,"
        " note, update, eta, workaround, review, action or knowledge"
    )
    assert said == f"expected one of the acts {acts}, got 'explode'"


def test_an_act_on_an_unknown_incident_is_404(desk: WebDesk) -> None:
    assert error(desk, f"{LIST}/INC-9/ack", {}, 404) == "INC-9 does not exist"


@pytest.mark.parametrize(
    ("act", "body", "said"),
    [
        ("ack", {"for": "soon"}, "for: expected a duration like 15m, 1h30m or 3d, got 'soon'"),
        ("ack", {"for": "0m"}, "for: expected a duration of more than nothing, like 15m, got '0m'"),
        ("ack", {"for": "9999d"}, "for: expected a duration of at most 3660d, got '9999d'"),
        ("ack", {"for": 4}, "for: expected a duration like 15m, 1h30m or 3d, got '4'"),
        ("ack", {"lasting": "4h"}, "expected only by, on_behalf_of or for, got lasting"),
        ("ack", {"fro": "4h"}, "expected only by, on_behalf_of or for, got fro; did you mean for?"),
        ("ack", {"by": ""}, "by: expected a name on one line, got ''"),
        ("ack", {"by": "a\nb"}, "by: expected a name on one line"),
        ("ack", {"by": "a" * 61}, "by: "),
        ("ack", {"by": "a\0b"}, "by: expected text without NUL characters"),
        ("ack", {"by": 1}, "by: expected a valid string, got '1'"),
        ("ack", [], "expected a JSON object"),
        ("ack", "ack", "expected a JSON object"),
        ("severity", None, "expected a JSON object, got none"),
        ("severity", {}, "severity: expected it, got none"),
        ("severity", {"severity": "sev5"}, "severity: expected sev1, sev2, sev3 or sev4, got 'sev5'"),
        ("severity", {"severity": "sev1", "reason": "x" * 1_001}, "reason: "),
        ("resolve", {"reason": "duplicate"}, "reason: expected completed; an incident that is duplicate is closed"),
        ("close", {"reason": "unopened"}, "reason: expected completed, false_alarm, not_planned or duplicate"),
        ("close", {"summary": "x" * 10_001}, "summary: "),
        ("merge", {"into": "INC-x, got lost"}, "into: expected an incident like INC-7, got 'INC-x, got lost'"),
        ("reopen", {"severity": "sev1"}, "expected only by, on_behalf_of or reason, got severity"),
    ],
)
def test_a_body_that_cannot_be_meant_is_400_and_says_what_was_expected(
    desk: WebDesk, act: str, body: object, said: str
) -> None:
    desk.fire("A")
    before = desk.get(ONE).json()
    assert error(desk, f"{ONE}/{act}", body).startswith(said)
    assert desk.get(ONE).json() == before


@pytest.mark.parametrize(
    "content",
    [
        b'{"for":',
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"by": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"by": "\xff"}',
        b"NaN",
        b'{"by": 1e999}',
    ],
)
def test_bytes_that_are_no_json_object_are_400(desk: WebDesk, content: bytes) -> None:
    desk.fire("A")
    headers = {"content-type": "application/json"}
    answer = desk.send("POST", f"{ONE}/ack", content=content, headers=headers)
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]
    assert desk.get(ONE).json()["state"] == "open"


def test_a_body_that_is_too_large_is_413(desk: WebDesk) -> None:
    desk.fire("A")
    said = error(desk, f"{ONE}/close", {"summary": "x" * MOST_BYTES}, 413)
    assert said == f"expected a body of at most {MOST_BYTES:,} bytes, got more"


# ---------------------------------------------------------------- when something is broken


def test_an_act_is_503_while_the_store_is_down(desk: WebDesk) -> None:
    desk.fire("A")
    desk.instead = Answer(status=503, error="the store cannot be written: disk full")
    answer = desk.post(f"{ONE}/ack")
    assert answer.status_code == 503
    assert "disk full" in answer.json()["error"]
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("path", [LIST, ONE, "/-/ready"])
def test_reading_is_503_while_the_store_is_down(tmp_path: Path, path: str) -> None:
    desk = WebDesk(tmp_path)
    desk.fire("A")
    desk.break_store()
    answer = desk.get(path)
    assert answer.status_code == 503
    assert "no such table" in answer.text
    desk.close()


@pytest.mark.parametrize("failure", [RuntimeError("secret detail"), Answer(status=500, error="secret detail")])
def test_a_bug_is_counted_logged_and_answered_with_a_short_text(desk: WebDesk, failure: Answer | Exception) -> None:
    desk.fire("A")
    desk.instead = failure
    with capture_logs() as logs:
        answer = desk.post(f"{ONE}/ack")
    assert answer.status_code == 500
    assert [(entry["event"], entry["exc_info"]) for entry in logs] == [("request failed", True)]
    assert answer.json() == {"error": "something broke here; the daemon's log tells what"}
    assert desk.metrics.registry.get_sample_value("triaged_errors_total", {"where": "web"}) == 1


def test_a_store_error_of_the_writer_is_503(desk: WebDesk) -> None:
    desk.fire("A")
    desk.instead = StoreError("gone")
    assert desk.post(f"{ONE}/ack").status_code == 503


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/v2"), ("GET", "/nothing"), ("GET", "/static/../api.py")])
def test_what_is_not_there_is_404_in_json(desk: WebDesk, method: str, path: str) -> None:
    answer = desk.send(method, path)
    assert answer.status_code == 404
    assert list(answer.json()) == ["error"]


@pytest.mark.parametrize("path", ["/api/v1/incidents/", "/api/v1/maintenance//", "/docs/", "/-/ready/", "//"])
def test_a_slash_at_the_end_of_an_address_leads_to_what_is_meant(desk: WebDesk, path: str) -> None:
    assert desk.get(path).status_code == 200


def test_another_method_is_405_and_names_the_right_one(desk: WebDesk) -> None:
    answer = desk.send("DELETE", LIST, headers={"content-type": "application/json"})
    assert answer.status_code == 405
    assert answer.json() == {"error": "expected GET, got DELETE"}
    assert answer.headers["allow"] == "GET"


# ---------------------------------------------------------------- who may act


def test_without_a_token_nobody_acts_where_tokens_are_configured(guarded: WebDesk) -> None:
    guarded.fire("A")
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic czNjcmV0"}):
        answer = guarded.post(f"{ONE}/ack", {"by": "ann"}, **headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert guarded.get(ONE).json()["state"] == "open"


def test_the_token_is_asked_for_before_the_body_is_looked_at(guarded: WebDesk) -> None:
    assert guarded.post(f"{LIST}/INC-9/explode", {"x": 1}).status_code == 401
    assert guarded.send("POST", f"{ONE}/ack", content=b"{", headers={}).status_code == 401


def test_a_token_with_the_role_read_cannot_act(guarded: WebDesk) -> None:
    guarded.fire("A")
    answer = guarded.post(f"{ONE}/ack", {}, authorization=READER)
    assert answer.status_code == 403
    assert answer.json()["error"] == "expected a token with the role act; grafana has the role read"
    assert guarded.get(ONE).json()["state"] == "open"


def test_who_acts_with_a_token_is_the_name_of_the_token(guarded: WebDesk) -> None:
    guarded.fire("A")
    assert guarded.post(f"{ONE}/ack", {}, authorization=BOT).json()["acknowledged_by"] == "ops-bot"
    answer = guarded.post(f"{ONE}/ack", {"on_behalf_of": "ann"}, authorization=BOT)
    assert answer.json()["acknowledged_by"] == "ann (via ops-bot)"


def test_nobody_gives_himself_another_name_than_that_of_the_token(guarded: WebDesk) -> None:
    guarded.fire("A")
    answer = guarded.post(f"{ONE}/ack", {"by": "ann"}, authorization=BOT)
    assert answer.status_code == 400
    assert "expected on_behalf_of instead" in answer.json()["error"]


def test_reading_needs_no_token(guarded: WebDesk) -> None:
    guarded.fire("A")
    assert guarded.get(LIST).status_code == 200
    assert guarded.get(ONE).json()["timeline"]


def test_a_restricted_incident_shows_its_title_alone_to_whom_no_token_names(guarded: WebDesk) -> None:
    guarded.fire("Shell", intruder="yes", host="db-1")
    masked = guarded.get(ONE).json()
    assert masked["restricted"]
    assert masked["title"]
    assert (masked["because"], masked["episodes"], masked["timeline"], masked["matched"]) == ([], [], [], [])
    assert "db-1" not in guarded.get(ONE).text + guarded.get(LIST).text
    assert guarded.get(ONE, authorization=READER).json()["episodes"][0]["labels"]["host"] == "db-1"


def test_a_restricted_incident_is_shown_whole_where_no_tokens_are_configured(desk: WebDesk) -> None:
    desk.fire("Shell", intruder="yes", host="db-1")
    assert desk.get(ONE).json()["episodes"][0]["labels"]["host"] == "db-1"


# ---------------------------------------------------------------- browsers that another site drives


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_form_of_another_site_cannot_act(desk: WebDesk, kind: str) -> None:
    desk.fire("A")
    answer = desk.send("POST", f"{ONE}/close", content=b"{}", headers={"content-type": kind})
    assert answer.status_code == 415
    assert desk.get(ONE).json()["state"] == "open"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:3000"},
        {"origin": "http://127.0.0.1:9876.evil.example"},
        {"origin": "http://[::1"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", [f"{ONE}/close", "/-/reload"])
def test_a_script_of_another_site_cannot_act(desk: WebDesk, headers: dict[str, str], path: str) -> None:
    desk.fire("A")
    assert desk.post(path, {}, **headers).status_code == 403
    assert desk.get(ONE).json()["state"] == "open"


@pytest.mark.parametrize("headers", [{"origin": HERE, "sec_fetch_site": "same-origin"}, {"sec_fetch_site": "none"}])
def test_a_page_of_the_daemon_can_act(desk: WebDesk, headers: dict[str, str]) -> None:
    desk.fire("A")
    assert desk.post(f"{ONE}/ack", {}, **headers).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9876", "127.0.0.1.evil.example", "[::1", "10.0.0.1"])
def test_a_name_that_was_made_to_point_here_is_refused(desk: WebDesk, host: str) -> None:
    desk.fire("A")
    assert desk.post(f"{ONE}/close", {}, host=host, origin=f"http://{host}").status_code == 403
    assert desk.get(ONE, host=host).status_code == 403
    assert desk.get("/", host=host).status_code == 403
    assert desk.get(ONE).json()["state"] == "open"


@pytest.mark.parametrize("host", ["localhost", "localhost:1234", "127.0.0.1", "[::1]:9876", "triaged.localhost"])
def test_the_names_of_this_machine_are_taken(desk: WebDesk, host: str) -> None:
    desk.fire("A")
    assert desk.get(ONE, host=host).status_code == 200
    assert desk.post(f"{ONE}/ack", {}, host=host, origin=f"http://{host}").status_code == 200


def test_the_host_of_public_url_is_taken_behind_a_proxy(tmp_path: Path) -> None:
    desk = WebDesk(tmp_path, public_url="https://triaged.example.com")
    desk.fire("A")
    named = {"host": "triaged.example.com", "origin": "https://triaged.example.com"}
    assert desk.post(f"{ONE}/ack", {}, **named).status_code == 200
    assert desk.post(f"{ONE}/ack", {}, origin="https://triaged.example.com").status_code == 200
    desk.close()


def test_any_host_is_taken_beyond_loopback_because_tokens_guard_it(guarded: WebDesk) -> None:
    guarded.fire("A")
    assert guarded.get(ONE, host="triaged.svc").status_code == 200
    assert guarded.post(f"{ONE}/ack", {}, host="triaged.svc", authorization=BOT).status_code == 200


# ---------------------------------------------------------------- the daemon itself


def test_the_daemon_is_healthy_and_ready(desk: WebDesk) -> None:
    for method in ("GET", "HEAD"):
        assert desk.send(method, "/-/healthy").status_code == 200
        assert desk.send(method, "/-/ready").status_code == 200


def test_the_daemon_says_why_it_is_not_ready(desk: WebDesk) -> None:
    desk.is_ready = False
    answer = desk.get("/-/ready")
    assert answer.status_code == 503
    assert answer.text.startswith("not ready: ")
    assert desk.get("/-/healthy").status_code == 200


def test_a_reload_names_the_rules_in_force(desk: WebDesk) -> None:
    answer = desk.send("POST", "/-/reload")
    assert answer.json() == {"status": "ok", "rules": desk.intake.rules.rule_set.hash}


def test_a_refused_reload_is_400_with_every_line_of_what_is_wrong(desk: WebDesk) -> None:
    desk.problems = ["triage.yaml:1:1: expected x", "services.yaml:2:2: expected y"]
    answer = desk.send("POST", "/-/reload")
    assert answer.status_code == 400
    assert answer.json()["errors"] == desk.problems
    assert answer.json()["error"] == "\n".join(desk.problems)


def test_a_reload_needs_a_token_where_tokens_are_configured(guarded: WebDesk) -> None:
    assert guarded.send("POST", "/-/reload").status_code == 401
    assert guarded.send("POST", "/-/reload", headers={"authorization": READER}).status_code == 403
    assert guarded.send("POST", "/-/reload", headers={"authorization": BOT}).status_code == 200


# ---------------------------------------------------------------- the description


def described(desk: WebDesk) -> dict[str, Any]:
    found: dict[str, Any] = desk.get("/openapi.json").json()
    return found


def test_the_description_tells_of_every_act_and_of_the_intake(desk: WebDesk) -> None:
    paths = described(desk)["paths"]
    for act in ("ack", "severity", "resolve", "close", "reopen"):
        assert f"/api/v1/incidents/{{name}}/{act}" in paths
    assert "/api/v1/alerts/alertmanager" in paths


def test_the_description_promises_no_status_that_is_never_answered(desk: WebDesk) -> None:
    for path, methods in described(desk)["paths"].items():
        for operation in methods.values():
            assert "422" not in operation["responses"], path


def test_the_page_of_the_api_shows_every_path_and_loads_nothing_from_elsewhere(desk: WebDesk) -> None:
    page = desk.get("/docs").text
    for path in described(desk)["paths"]:
        assert path in page
    assert "http://" not in page.replace(HERE, "")
    assert "https://" not in page


@pytest.mark.parametrize("path", ["/", "/docs", LIST, "/metrics", "/nothing", "/static/board.css"])
def test_every_answer_forbids_foreign_scripts_frames_and_guessing(desk: WebDesk, path: str) -> None:
    headers = desk.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


def test_an_acknowledgement_for_a_time_ends_with_it(desk: WebDesk) -> None:
    desk.fire("A", grave="1")
    desk.post(f"{ONE}/ack", {"for": "10m"})
    desk.pass_time(timedelta(minutes=11))
    assert desk.get(ONE).json()["state"] == "open"
