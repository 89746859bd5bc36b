"""Heartbeats over HTTP: heard by a request, listed, on the board, as metrics; and who may send them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from triaged import rulefiles
from triaged.app import rules_of
from triaged.intake.units import Listen
from triaged.web.api import build
from triaged.web.auth import ApiTokens, Role, SourceAuth, TokenSource
from web_desk import RULES, START, WebDesk

HEARTBEATS = """
backup: {every: 1h, grace: 10m, by: [host], unheard: wait}
watchdog: {match: ['alertname="Watchdog"'], every: 5m, unheard: wait}
"""
PATH = "/api/v1/heartbeats/backup"


def desk_in(folder: Path, tokens: ApiTokens | None = None) -> WebDesk:
    desk = WebDesk(folder, tokens=tokens)
    desk.intake.use(rules_of(rulefiles.read({**RULES, "heartbeats.yaml": HEARTBEATS})))
    return desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[WebDesk]:
    one = desk_in(tmp_path)
    yield one
    one.close()


def listed(desk: WebDesk, name: str = "backup") -> dict[str, object]:
    found = desk.get("/api/v1/heartbeats").json()["heartbeats"]
    one: dict[str, object] = next(one for one in found if one["name"] == name)
    return one


def test_a_request_without_a_body_is_heard(desk: WebDesk) -> None:
    answer = desk.send("POST", PATH)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "labels": {"host": ""},
        "seen_at": "2026-11-23T08:00:00Z",
        "due_at": "2026-11-23T09:10:00Z",
        "missed_at": None,
        "failed": False,
    }


def test_labels_tell_which_series_it_is_and_a_failure_is_missing_at_once(desk: WebDesk) -> None:
    assert desk.post(PATH, {"labels": {"host": "a", "other": "b"}}).status_code == 200
    answer = desk.post(PATH, {"labels": {"host": "b"}, "failed": True})
    assert (answer.json()["failed"], answer.json()["due_at"]) == (True, None)
    found = listed(desk)
    assert (found["missing"], found["by"], found["every_seconds"]) == (1, ["host"], 3_600.0)
    assert [one["title"] for one in desk.get("/api/v1/incidents").json()["incidents"]] == ["HeartbeatMissed"]


@pytest.mark.parametrize(
    ("path", "body", "status", "expected"),
    [
        ("/api/v1/heartbeats/nobody", {}, 404, "expected a heartbeat of the rules (backup, watchdog), got 'nobody'"),
        (PATH, {"label": {}}, 400, "expected only labels or failed, got label; did you mean labels?"),
        (PATH, {"failed": "true"}, 400, "failed: expected true or false, got 'true'"),
        (PATH, {"failed": 1}, 400, "failed: expected true or false, got '1'"),
        (PATH, {"labels": {"host": "a\0"}}, 400, "expected text without NUL characters"),
        (PATH, {"labels": {"host": "\ud800"}}, 400, "labels.host: "),
        (PATH, {"labels": {"host": "a" * 20_000}}, 400, "at most 16384 characters"),
        (PATH, {"labels": {str(n): "" for n in range(200)}}, 400, "at most 128 items"),
    ],
)
def test_what_cannot_be_heard_is_told(desk: WebDesk, path: str, body: object, status: int, expected: str) -> None:
    answer = desk.post(path, body)
    assert answer.status_code == status, answer.text
    assert expected in answer.json()["error"]


def test_a_store_that_cannot_be_written_is_503(desk: WebDesk) -> None:
    desk.break_store()
    with desk.store.begin() as transaction:
        transaction.connection.exec_driver_sql("DROP TABLE heartbeats")
    assert desk.post(PATH, {}).status_code == 503


def test_only_a_sources_token_or_one_that_may_act_is_let_in(tmp_path: Path) -> None:
    names = {"ann": TokenSource(token="ann-token"), "eve": TokenSource(token="eve-token", role=Role.READ)}
    desk = desk_in(tmp_path, ApiTokens(names))
    source = SourceAuth(["source-token"])
    desk.desk = replace(desk.desk, sends=source.allows)
    desk.app = build(desk.desk)
    try:
        statuses = {
            token: desk.send("POST", PATH, headers={"authorization": f"Bearer {token}"}).status_code
            for token in ("ann-token", "source-token", "eve-token", "wrong")
        }
        assert statuses == {"ann-token": 200, "source-token": 200, "eve-token": 403, "wrong": 401}
        assert "or that of a source" in desk.send("POST", PATH).json()["error"]
        acts = desk.post("/api/v1/incidents/INC-1/ack", {}, authorization="Bearer source-token")
        assert acts.status_code == 401, "a source's token does nothing else"
    finally:
        desk.close()


def test_another_site_cannot_make_a_browser_send_one(desk: WebDesk) -> None:
    assert desk.send("POST", PATH, headers={"origin": "https://evil.example.com"}).status_code == 403
    text = desk.send("POST", PATH, headers={"content-type": "text/plain"}, content=b"{}")
    assert text.status_code == 415


def test_the_metrics_name_each_heartbeat_of_the_rules(desk: WebDesk) -> None:
    text = desk.get("/metrics").text
    assert 'triaged_heartbeat_overdue{name="watchdog"} 0.0' in text
    assert "triaged_heartbeat_last_seen_timestamp_seconds{" not in text
    desk.fire("Watchdog")
    desk.clock.advance(timedelta(minutes=10))
    desk.intake.process([Listen()], desk.clock.now())
    text = desk.get("/metrics").text
    assert 'triaged_heartbeat_overdue{name="watchdog"} 1.0' in text
    seen = text.partition('triaged_heartbeat_last_seen_timestamp_seconds{name="watchdog"} ')[2].splitlines()[0]
    assert float(seen) == START.timestamp()


def test_the_board_shows_what_is_missing_first(desk: WebDesk) -> None:
    assert "never heard, and not waited for yet" in desk.get("/").text
    desk.post(PATH, {"labels": {"host": "a"}})
    desk.fire("Watchdog")
    desk.clock.advance(timedelta(minutes=10))
    desk.intake.process([Listen()], desk.clock.now())
    text = desk.get("/").text
    missing = text.index("missing since 2026-11-23 08:10 UTC, heard 10 min ago")
    assert missing < text.index("backup (host a)")
    assert "heard 10 min ago, due within 1 h" in text


def test_a_desk_without_heartbeats_shows_none(tmp_path: Path) -> None:
    desk = WebDesk(tmp_path)
    try:
        assert desk.get("/api/v1/heartbeats").json() == {"heartbeats": []}
        assert "Heartbeats" not in desk.get("/").text
        assert desk.post(PATH, {}).json()["error"] == "expected a heartbeat of the rules (none), got 'backup'"
    finally:
        desk.close()
