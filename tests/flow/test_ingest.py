"""The ingest door as senders see it: statuses, authentication, limits, repeats that touch no disk."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from process.daemon import Daemon
from triaged.sources.limits import MOST_BYTES
from world import alert, body

FIXTURES = Path(__file__).parents[1] / "fixtures" / "alertmanager"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("ingest")
    (folder / "tokens").write_text("old-token\nnew-token\n")
    (folder / "passwords").write_text("alertmanager:secret\n")
    sources = {"alertmanager": {}, "eu": {"tokens_file": "tokens", "basic_auth_file": "passwords"}}
    with Daemon(folder, sources=sources) as one:
        yield one


def post(daemon: Daemon, content: bytes, path: str = "alertmanager", **headers: str) -> httpx.Response:
    return daemon.post(f"/api/v1/alerts/{path}", content=content, headers=headers)


@pytest.mark.parametrize("file", sorted(FIXTURES.glob("am*.json")), ids=lambda file: file.stem)
def test_every_captured_body_is_taken_in(daemon: Daemon, file: Path) -> None:
    answer = post(daemon, file.read_bytes())
    assert answer.status_code == 200
    assert "rejected" not in answer.json().get("alerts", {})


def test_a_repeat_is_answered_without_the_writer_and_counted(daemon: Daemon) -> None:
    content = body([alert("Repeated")])
    assert post(daemon, content).json()["alerts"] == {"began": 1}
    duplicates = daemon.metric("triaged_alerts_duplicate_total")
    assert "alerts" not in post(daemon, content).json()
    assert daemon.metric("triaged_alerts_duplicate_total") == duplicates + 1


def test_a_firing_after_its_resolve_with_the_same_start_is_not_taken_for_a_repeat(daemon: Daemon) -> None:
    firing = body([alert("Back")])
    post(daemon, firing)
    resolved = {**alert("Back", status="resolved"), "endsAt": "2026-11-23T09:05:00Z"}
    assert post(daemon, body([resolved])).json()["alerts"] == {"ended": 1}
    assert post(daemon, firing).json()["alerts"] == {"continued": 1}


def test_one_unreadable_alert_never_costs_the_others(daemon: Daemon) -> None:
    before = daemon.metric("triaged_alerts_rejected_total")
    answer = post(daemon, json.dumps({"alerts": [alert("Good"), {"labels": 5}, None, alert("Fine")]}).encode())
    assert answer.status_code == 200
    assert answer.json()["alerts"] == {"began": 2, "rejected": 2}
    assert daemon.metric("triaged_alerts_rejected_total") == before + 2
    assert "no_labels" in daemon.get("/").text


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", 'expected a JSON object with a list "alerts"'),
        (b"[]", "got a list"),
        (b'{"alerts": {}}', '"alerts" as an object'),
        (b'{"alerts": [', "no readable JSON"),
        (b"\xff\xfe", "no readable JSON"),
        (b"[" * 50_000, "no readable JSON"),
    ],
)
def test_what_can_never_be_read_is_400_and_says_what_was_expected(
    daemon: Daemon, content: bytes, expected: str
) -> None:
    answer = post(daemon, content)
    assert answer.status_code == 400
    assert expected in answer.json()["error"]


def test_an_empty_list_of_alerts_is_fine(daemon: Daemon) -> None:
    assert post(daemon, b'{"alerts": []}').status_code == 200


def test_gzip_is_read_and_a_bomb_is_too_large(daemon: Daemon) -> None:
    packed = {"content-encoding": "gzip"}
    assert post(daemon, gzip.compress(body([alert("Packed")])), **packed).json()["alerts"] == {"began": 1}
    whole = body([alert("Two members")])
    halves = gzip.compress(whole[:40]) + gzip.compress(whole[40:])
    assert post(daemon, halves, **packed).json()["alerts"] == {"began": 1}
    assert post(daemon, gzip.compress(whole) + b"junk", **packed).status_code == 400
    assert post(daemon, gzip.compress(b" " * (MOST_BYTES + 10)), **packed).status_code == 413
    assert post(daemon, b"no gzip", **packed).status_code == 400
    assert post(daemon, gzip.compress(body([alert("Packed")]))[:50], **packed).status_code == 400
    assert post(daemon, b"{}", **{"content-encoding": "br"}).status_code == 415


def test_a_body_that_is_too_large_is_413(daemon: Daemon) -> None:
    assert post(daemon, b" " * (MOST_BYTES + 1)).status_code == 413
    many = json.dumps({"alerts": [{"labels": {"n": str(n)}, "status": "firing"} for n in range(10_001)]}).encode()
    answer = post(daemon, many)
    assert answer.status_code == 413
    assert "10,000" in answer.json()["error"]


def test_a_web_page_cannot_make_alerts_where_no_token_is_asked(daemon: Daemon) -> None:
    content = body([alert("Forged by a page")])
    assert post(daemon, content, origin="https://evil.example").status_code == 403
    assert post(daemon, content).json()["alerts"] == {"began": 1}


def test_other_methods_and_paths_say_what_was_expected(daemon: Daemon) -> None:
    assert daemon.get("/api/v1/alerts/alertmanager").status_code == 405
    answer = post(daemon, b"{}", path="zabbix")
    assert answer.status_code == 404
    assert "/api/v1/alerts/alertmanager/eu" in answer.json()["error"]


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer wrong",
        "Basic b2xkLXRva2Vu",
        "Basic YWxlcnRtYW5hZ2VyOndyb25n",
        "Bearer old-token new-token",
    ],
)
def test_without_a_valid_credential_nothing_is_stored(daemon: Daemon, authorization: str) -> None:
    before = daemon.metric("triaged_episodes_total")
    headers = {"authorization": authorization} if authorization else {}
    answer = post(daemon, body([alert("Forged")]), path="alertmanager/eu", **headers)
    assert answer.status_code == 401
    assert "www-authenticate" in answer.headers
    assert daemon.metric("triaged_episodes_total") == before


@pytest.mark.parametrize(
    "authorization", ["Bearer old-token", "bearer new-token", "Basic YWxlcnRtYW5hZ2VyOnNlY3JldA=="]
)
def test_two_tokens_and_a_password_are_valid_at_once(daemon: Daemon, authorization: str) -> None:
    answer = post(daemon, body([alert("Sent")]), path="alertmanager/eu", authorization=authorization)
    assert answer.status_code == 200


def test_beyond_loopback_it_does_not_start_without_tokens(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, listen="0.0.0.0:0")
    with pytest.raises(AssertionError, match=r"sources\.alertmanager: expected tokens_file"):
        daemon.start()
