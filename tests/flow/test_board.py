"""The pages on a real store: what is shown, in which order, in words, and that nobody's text becomes markup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest

from triaged.web.auth import ApiTokens, TokenSource
from web_desk import HERE, WebDesk

CDN = re.compile(r"(?:src|href|url)\s*[=(]\s*[\"']?(?:https?:)?//")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[WebDesk]:
    desk = WebDesk(tmp_path)
    yield desk
    desk.close()


def text(desk: WebDesk, path: str = "/") -> str:
    """A page's words, one space between them."""
    answer = desk.get(path)
    assert answer.status_code == 200, answer.text
    body = re.sub(r"<(head|script|style)\b.*?</\1>", " ", answer.text, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


# ---------------------------------------------------------------- the board


def test_an_empty_board_says_how_to_send_alerts_to_this_daemon(desk: WebDesk) -> None:
    page = text(desk)
    assert "Nothing is open." in page
    assert f"- url: {HERE}/api/v1/alerts/alertmanager" in page


def test_a_quiet_board_names_the_newest_incidents(desk: WebDesk) -> None:
    desk.fire("Solved")
    desk.resolve("Solved")
    desk.pass_time(minutes(30))
    page = text(desk)
    assert "Nothing is open." in page
    assert "Solved" in page
    assert "INC-1, closed" in page


def test_the_gravest_incident_stands_first(desk: WebDesk) -> None:
    desk.fire("Grave", grave="1")
    desk.fire("Light", grave="4")
    desk.fire("Serious", grave="2")
    page = text(desk)
    assert page.index("Grave") < page.index("Serious") < page.index("Light")


def test_among_equals_what_nobody_has_taken_stands_first(desk: WebDesk) -> None:
    desk.fire("Taken")
    desk.fire("Untaken")
    desk.post("/api/v1/incidents/INC-1/ack")
    page = text(desk)
    assert page.index("Untaken") < page.index("Taken")


def test_an_incident_is_shown_with_its_facts(desk: WebDesk) -> None:
    desk.fire("DiskFull", grave="1", app="checkout", pod="a")
    desk.fire("DiskFull", grave="1", app="checkout", pod="b")
    desk.pass_time(minutes(5))
    page = text(desk)
    for word in ("Sev-1", "INC-1", "payments", "checkout", "5 min old", "2 of 2 alerts firing", "open", "no issue yet"):
        assert word in page


@pytest.mark.parametrize(
    ("passed", "said"),
    [(3, "12 min left"), (12, "at risk, 3 min left"), (20, "overdue 5 min"), (14.9, "at risk, under a minute left")],
)
def test_a_target_says_in_words_how_it_stands(desk: WebDesk, passed: float, said: str) -> None:
    desk.fire("A", grave="1")
    desk.pass_time(minutes(passed))
    assert said in text(desk)


def test_a_target_is_right_even_where_its_deadline_has_not_acted_yet(desk: WebDesk) -> None:
    desk.fire("A", grave="1")
    desk.clock.advance(minutes(25))
    assert "overdue 10 min" in text(desk)


def test_an_acknowledged_incident_names_who_has_it_and_how_fast(desk: WebDesk) -> None:
    desk.fire("A", grave="1")
    desk.pass_time(minutes(4))
    desk.post("/api/v1/incidents/INC-1/ack", {"by": "ann"})
    page = text(desk)
    assert "acknowledged by ann" in page
    assert "met in 4 min" in page


def test_an_objective_that_was_missed_says_by_how_much(desk: WebDesk) -> None:
    desk.fire("A", grave="1")
    desk.pass_time(minutes(18))
    desk.post("/api/v1/incidents/INC-1/ack", {"by": "ann"})
    assert "missed by 3 min" in text(desk)


def test_an_objective_waits_while_the_incident_is_verified(desk: WebDesk) -> None:
    desk.fire("A", grave="1")
    desk.resolve("A", grave="1")
    desk.pass_time(minutes(20))
    page = text(desk)
    assert "verifying" in page
    assert page.count("waits while verifying") == 2
    assert "overdue" not in page


def test_a_resolved_incident_that_a_person_has_to_close_is_listed(desk: WebDesk) -> None:
    desk.fire("A", grave="1")
    desk.pass_time(minutes(18))
    desk.resolve("A", grave="1")
    desk.pass_time(minutes(40))
    page = text(desk)
    assert "Resolved, to be closed 1" in page
    assert "missed" in page
    assert "Open 0" in page


def test_a_severity_that_a_person_chose_stands_beside_the_judged_one(desk: WebDesk) -> None:
    desk.fire("A", grave="1")
    desk.post("/api/v1/incidents/INC-1/severity", {"severity": "sev3", "by": "ann"})
    assert "Sev-3 by ann, judged Sev-1" in text(desk)


def test_what_was_closed_while_it_fires_has_its_own_section(desk: WebDesk) -> None:
    desk.fire("A")
    desk.post("/api/v1/incidents/INC-1/close", {"reason": "not_planned", "by": "ann"})
    page = text(desk)
    assert "Closed, still firing 1" in page
    assert "closed by ann" in page
    assert "not required" in page


def test_what_is_held_back_says_when_it_opens(desk: WebDesk) -> None:
    desk.fire("A", slow="yes")
    desk.pass_time(minutes(5))
    page = text(desk)
    assert "Held back 1" in page
    assert "opens in 10 min" in page
    desk.clock.advance(minutes(15))
    assert "opens now" in text(desk)


def test_an_alert_that_could_not_be_read_is_shown_with_the_reason(desk: WebDesk) -> None:
    desk.post_alert({"status": "exploded", "labels": {"alertname": "X"}})
    page = text(desk)
    assert "Alerts that could not be taken in 1" in page
    assert "unknown_status" in page
    assert "got 'exploded'" in page


def test_the_header_counts_open_incidents_and_tells_of_the_backlog(desk: WebDesk) -> None:
    desk.fire("A", grave="1")
    desk.fire("B", grave="4")
    desk.clock.advance(minutes(2))
    page = text(desk)
    assert "Sev-1 1 Sev-2 0 Sev-3 0 Sev-4 1" in page
    assert "publishing 2 waiting, the oldest for 2 min" in page
    assert "2026-11-23 08:02 UTC" in page
    assert desk.intake.rules.rule_set.hash[:12] in page


def test_the_header_says_when_the_last_reload_was_refused(desk: WebDesk) -> None:
    desk.metrics.reloaded.set(1)
    desk.metrics.reloaded_at.set(desk.clock.now().timestamp())
    assert "loaded, in force since 2026-11-23 08:00 UTC" in text(desk)
    desk.metrics.reloaded.set(0)
    assert "the last reload was refused; the former rules stay" in text(desk)


def test_the_header_says_when_clocks_do_not_act(desk: WebDesk) -> None:
    desk.fire("A", grave="1")
    desk.clock.advance(minutes(60))
    assert "3 deadlines passed and did not act" in text(desk)


def test_a_board_of_very_many_incidents_says_how_many_more_there_are(desk: WebDesk) -> None:
    for number in range(205):
        desk.fire(f"Alert{number}")
    page = text(desk)
    assert "… and 5 more, graver ones first" in page
    assert "Sev-3 205" in page


def test_the_board_refreshes_itself_with_and_without_scripts(desk: WebDesk) -> None:
    page = desk.get("/").text
    assert '<noscript><meta http-equiv="refresh" content="15"></noscript>' in page
    assert '<script src="/static/live.js' in page
    assert "15000" in desk.get("/static/live.js").text


# ---------------------------------------------------------------- one incident


def test_an_incident_tells_why_what_fires_and_what_happened(desk: WebDesk) -> None:
    desk.post_alert(
        {
            "status": "firing",
            "labels": {"alertname": "DiskFull", "grave": "1", "app": "checkout", "pod": "a"},
            "annotations": {"summary": "No space left.", "runbook_url": "https://runbooks.example.com/disk"},
            "generatorURL": "http://prometheus.example:9090/graph",
        }
    )
    page = text(desk, "/incidents/INC-1")
    for words in (
        "Why Sev-1",
        "extensive impact × critical urgency, error",
        "Nobody can pay.",
        "rules: grave",
        "No space left.",
        'pod="a"',
        "opened as sev1",
        "Response at risk",
    ):
        assert words in page
    html = desk.get("/incidents/INC-1").text
    for url in ("https://runbooks.example.com/disk", "http://prometheus.example:9090/graph"):
        assert f'href="{url}"' in html
    assert 'href="https://runbooks.example.com/checkout"' in html
    assert "{{ from }}" not in html


def test_an_incident_that_no_rule_matched_says_so(desk: WebDesk) -> None:
    desk.fire("A")
    assert "No rule matched: the defaults hold." in text(desk, "/incidents/INC-1")


def test_an_incident_offers_the_acts_that_its_state_allows(desk: WebDesk) -> None:
    desk.fire("A", grave="1")
    page = text(desk, "/incidents/INC-1")
    assert f"curl -sS -X POST {HERE}/api/v1/incidents/INC-1/ack" in page
    assert "Reopen it" not in page
    assert "Authorization" not in page
    desk.post("/api/v1/incidents/INC-1/close", {"summary": "It was the disk.", "by": "ann"})
    page = text(desk, "/incidents/INC-1")
    assert f"curl -sS -X POST {HERE}/api/v1/incidents/INC-1/reopen" in page
    assert "Acknowledge it" not in page
    assert "Close it" not in page
    assert "It was the disk." in page
    assert "by ann: completed" in page


def test_an_incident_in_its_second_round_says_so(desk: WebDesk) -> None:
    desk.fire("A")
    desk.post("/api/v1/incidents/INC-1/close")
    desk.post("/api/v1/incidents/INC-1/reopen")
    assert "Round 2, since 2026-11-23 08:00 UTC" in text(desk, "/incidents/INC-1")


@pytest.mark.parametrize("name", ["INC-9", "INC-x", "etc"])
def test_an_incident_that_does_not_exist_is_a_page_that_says_so(desk: WebDesk, name: str) -> None:
    answer = desk.get(f"/incidents/{name}")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert f"there is no incident {name}" in answer.text


def test_the_board_says_why_it_is_empty_while_the_store_is_down(desk: WebDesk) -> None:
    desk.fire("A")
    desk.break_store()
    answer = desk.get("/")
    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("text/html")
    assert "the store is not available" in answer.text


# ---------------------------------------------------------------- nobody's text becomes markup


HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


def test_text_of_senders_and_people_never_becomes_markup(desk: WebDesk) -> None:
    desk.fire(HOSTILE, pod=HOSTILE, annotations={"summary": HOSTILE, "runbook_url": "javascript:alert(1)"})
    desk.post("/api/v1/incidents/INC-1/ack", {"by": "<b>ann</b>"})
    desk.post("/api/v1/incidents/INC-1/resolve", {"summary": HOSTILE})
    desk.post_alert({"status": HOSTILE, "labels": {"alertname": "X"}})
    for path in ("/", "/incidents/INC-1", "/incidents/%3Cscript%3Ealert(1)%3C%2Fscript%3E"):
        html = desk.get(path).text
        assert "<script>alert" not in html
        assert "<img" not in html
        assert "<b>ann" not in html
        assert 'href="javascript' not in html.lower()


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "http://a\nb", "ftp://a"])
def test_only_web_addresses_become_links(desk: WebDesk, url: str) -> None:
    desk.post_alert({"status": "firing", "labels": {"alertname": "A"}, "generatorURL": url})
    assert ">graph</a>" not in desk.get("/incidents/INC-1").text


@pytest.mark.parametrize("path", ["/", "/incidents/INC-1", "/docs", "/static/board.css", "/static/live.js"])
def test_no_page_loads_anything_from_elsewhere_or_runs_inline_code(desk: WebDesk, path: str) -> None:
    desk.fire("A")
    body = desk.get(path).text
    assert not CDN.search(body)
    assert "@import" not in body
    assert " style=" not in body
    assert not re.search(r"<script(?![^>]*\bsrc=)", body)
    assert not re.search(r"<[^>]+\son\w+=", body)


def test_static_files_are_served_with_their_types_and_nothing_else(desk: WebDesk) -> None:
    kinds = {name: desk.get(f"/static/{name}").headers["content-type"] for name in ("board.css", "live.js", "icon.svg")}
    assert [kind.partition(";")[0] for kind in kinds.values()] == ["text/css", "text/javascript", "image/svg+xml"]
    assert desk.get("/static/board.py").status_code == 404


def test_a_page_shows_of_a_restricted_incident_its_title_alone_where_tokens_are_configured(tmp_path: Path) -> None:
    desk = WebDesk(tmp_path, tokens=ApiTokens({"bot": TokenSource(token="t")}))
    desk.fire("Shell", intruder="yes", host="db-1")
    page = text(desk, "/incidents/INC-1")
    assert "restricted: title and link only" in page
    assert "Shell" in page
    for hidden in ("db-1", "Somebody is in.", "Timeline", "What fires"):
        assert hidden not in page
    assert "db-1" not in text(desk)
    assert "Authorization: Bearer $TRIAGED_TOKEN" in page
    desk.close()
