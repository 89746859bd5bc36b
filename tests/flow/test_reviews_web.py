"""Reviews and action items over HTTP and from the terminal: the acts, their refusals, the calendar, the metrics."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from icalendar import Calendar
from prometheus_client.parser import text_string_to_metric_families as parse

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
DAY = timedelta(days=1)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebDesk]:
    desk = reviewing(tmp_path, monkeypatch)
    yield desk
    desk.close()


def reviewing(folder: Path, monkeypatch: pytest.MonkeyPatch, **more: Any) -> WebDesk:
    """One whose rules know people and want a Sev-1 reviewed."""
    severities = RULES["severities.yaml"].replace("sev1:\n", "sev1:\n  review: {between: [48h, 72h]}\n")
    rules = {**RULES, "services.yaml": RULES["services.yaml"] + PEOPLE, "severities.yaml": severities}
    monkeypatch.setattr(web_desk, "RULES", rules)
    return WebDesk(folder, **more)


def done(desk: WebDesk, act: str, **fields: object) -> dict[str, Any]:
    answer = desk.post(f"{ONE}/{act}", {"by": "ann", **fields})
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def over(desk: WebDesk, **labels: str) -> None:
    desk.post_alert({"status": "firing", "labels": {"alertname": "A", "grave": "1", **labels}})
    done(desk, "close")


def gauge(desk: WebDesk, name: str) -> dict[str, float]:
    families = parse(desk.get("/metrics").text)
    return {
        sample.labels["team"]: sample.value
        for family in families
        for sample in family.samples
        if sample.name == f"triaged_{name}"
    }


def events(desk: WebDesk) -> list[Any]:
    answer = desk.get("/calendar.ics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    return list(Calendar.from_ical(answer.content).walk("VEVENT"))


# ---------------------------------------------------------------- acts


def test_a_review_is_shown_and_held(desk: WebDesk) -> None:
    desk.fire("A", grave="1")
    assert desk.get(ONE).json()["review"] is None
    review = done(desk, "close")["review"]
    # Monday 08:00 in Berlin's winter is before 09:00 there; two days later 09:00 local is open.
    assert {name: review[name] for name in ("id", "outcome", "severity", "opens_at", "due_at")} == {
        "id": "REV-2",
        "outcome": "open",
        "severity": "sev1",
        "opens_at": "2026-11-25T08:00:00Z",
        "due_at": "2026-11-26T08:00:00Z",
    }
    assert {"kind": "review", "due_at": "2026-11-25T08:00:00Z"} in desk.get(ONE).json()["deadlines"]
    held = done(desk, "review", reason="on Tuesday")
    assert (held["review"]["outcome"], held["review"]["by"], held["review"]["reason"]) == ("held", "ann", "on Tuesday")
    assert not [due for due in held["deadlines"] if due["kind"] == "review"]


def test_action_items_are_added_and_done(desk: WebDesk) -> None:
    over(desk)
    done(desk, "action", text=" Test it ", kind="PROCESS", owner="bob", due="14d")
    (item,) = done(desk, "action", text="Learn", due="2026-12-24T08:00+01:00")["actions"][:1]
    assert (item["id"], item["kind"], item["text"], item["owner"]) == (1, "process", "Test it", "bob")
    assert item["due_at"] == "2026-12-07T08:00:00Z"
    # A form of a page sends a text.
    assert done(desk, "action", done="2")["actions"][1]["done_by"] == "ann"
    assert [one["done_at"] for one in done(desk, "action", done=1)["actions"]] == ["2026-11-23T08:00:00Z"] * 2


@pytest.mark.parametrize(
    ("act", "body", "status", "said"),
    [
        ("review", {"outcome": "withdrawn"}, 400, "outcome: expected held, waived or open"),
        ("review", {"outcome": 7}, 400, "outcome: expected held, waived or open"),
        ("review", {"outcome": "waived"}, 409, "reason: expected why there is no review, got nothing"),
        ("review", {"outcome": "open"}, 409, "REV-2 is open: expected an incident without an open review"),
        ("review", {"outcom": "held"}, 400, "expected only by, on_behalf_of, outcome or reason, got outcom"),
        ("action", {}, 400, "expected text, or done with the number of an action item"),
        ("action", {"done": 1, "text": "x"}, 400, "expected either done, or text with kind, owner and due"),
        ("action", {"done": True}, 400, "done: expected the number of an action item, like 2"),
        ("action", {"done": "x"}, 400, "done: expected the number of an action item, like 2"),
        ("action", {"done": 3}, 409, "done: INC-1 has no action item 3: expected an incident with action items"),
        ("action", {"text": "x", "kind": "wish"}, 400, "kind: expected preventive, process, tool or training"),
        ("action", {"text": "x", "owner": "bobb"}, 409, "owner: expected one of the people or teams of services.yaml"),
        ("action", {"text": "x", "due": "soon"}, 400, "due: expected a duration like 2h, or a date with time"),
        ("action", {"text": "x", "due": "2020-01-01T00:00Z"}, 409, "due: expected an instant after now"),
        ("action", {"text": "x" * 1_001}, 400, "text: "),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(
    desk: WebDesk, act: str, body: dict[str, object], status: int, said: str
) -> None:
    over(desk)
    answer = desk.post(f"{ONE}/{act}", body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"].startswith(said), answer.text


def test_the_page_shows_the_review_with_its_action_items_and_their_forms(desk: WebDesk) -> None:
    over(desk)
    done(desk, "action", text="<b>Test</b> it", owner="bob", due="1d")
    desk.pass_time(4 * DAY)
    page = desk.get("/incidents/INC-1").text
    for words in ("REV-2", "&lt;b&gt;Test&lt;/b&gt; it", "overdue", "/INC-1/review", "/INC-1/action", 'value="1"'):
        assert words in page, words
    done(desk, "review")
    assert "was held by ann" in desk.get("/incidents/INC-1").text


def test_nothing_of_a_restricted_review_is_shown_without_a_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = ApiTokens({"bot": TokenSource(token="s3cret"), "look": TokenSource(role=Role.READ, token="look")})
    guarded = reviewing(tmp_path, monkeypatch, tokens=tokens, loopback=False)
    guarded.fire("A", grave="1", intruder="yes")
    for act, body in {"close": {}, "action": {"text": "hush", "due": "1d"}, "review": {"reason": "hush"}}.items():
        assert guarded.post(f"{ONE}/{act}", body, authorization="Bearer s3cret").status_code == 200
    for path in (ONE, "/incidents/INC-1", "/calendar.ics"):
        assert "hush" not in guarded.get(path).text
    assert "REV-2" not in guarded.get("/calendar.ics").text
    assert guarded.get(ONE, authorization="Bearer look").json()["actions"][0]["text"] == "hush"
    guarded.close()


# ---------------------------------------------------------------- the terminal


@pytest.fixture
def run(desk: WebDesk, triaged: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    def request(method: str, url: str, **more: Any) -> Any:
        return desk.send(method, url, **{name: more[name] for name in ("headers", "json", "params") if name in more})

    monkeypatch.setattr(httpx, "request", request)
    return triaged


def test_the_terminal_has_the_same_acts_with_the_same_fields(desk: WebDesk, run: Run) -> None:
    over(desk)
    for arguments in (
        ("action", "INC-1", "Test it", "--kind", "process", "--owner", "bob", "--due", "14d"),
        ("action", "INC-1", "Learn"),
        ("action", "INC-1", "--done", "2"),
        ("review", "INC-1", "waived", "--reason", "a drill"),
        ("review", "INC-1", "open"),
        ("review", "INC-1"),
    ):
        said = run("incidents", *arguments, "--by", "ann")
        assert said.status == 0, said.err
    lines = [line.strip() for line in run("incidents", "show", "INC-1").out.splitlines()]
    for line in (
        "review: REV-2 held by ann",
        "action item 1 (process) of bob, due 2026-12-07T08:00: Test it",
        "action item 2 (preventive), done by ann: Learn",
    ):
        assert line in lines
    assert "expected either done, or text" in run("incidents", "action", "INC-1", "x", "--done", "1").err


# ---------------------------------------------------------------- metrics


def test_open_and_overdue_reviews_and_open_action_items_are_counted_by_team_from_0(desk: WebDesk) -> None:
    names = ("reviews_open", "reviews_overdue", "action_items_open")
    assert [gauge(desk, name) for name in names] == [{"payments": 0, "platform": 0}] * 3
    over(desk, app="checkout")
    done(desk, "action", text="Test it")
    assert [gauge(desk, name)["payments"] for name in names] == [1, 0, 1]
    desk.pass_time(4 * DAY)
    assert [gauge(desk, name)["payments"] for name in names] == [1, 1, 1]
    done(desk, "review")
    done(desk, "action", done=1)
    assert [gauge(desk, name) for name in names] == [{"payments": 0, "platform": 0}] * 3


# ---------------------------------------------------------------- the calendar


def test_the_calendar_has_reviews_and_dated_action_items(desk: WebDesk) -> None:
    assert events(desk) == []
    over(desk)
    done(desk, "action", text="Test it", owner="bob", due="14d")
    done(desk, "action", text="Some day")
    review, item = events(desk)
    assert review["UID"] == "REV-2@127.0.0.1:9876"
    assert review["SUMMARY"] == "Review of INC-1 A"
    assert review["DTSTART"].dt == datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
    assert review["DTEND"].dt == datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
    assert review["DTSTAMP"].dt == datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    assert (review["STATUS"], review["SEQUENCE"], review["TRANSP"]) == ("CONFIRMED", 0, "TRANSPARENT")
    assert item["UID"] == "INC-1-action-1@127.0.0.1:9876"
    assert (item["SUMMARY"], item["DTSTART"].dt) == ("Due: Test it (INC-1)", datetime(2026, 12, 7, 8, 0, tzinfo=UTC))


def test_an_event_keeps_its_name_and_counts_its_changes(desk: WebDesk) -> None:
    over(desk)
    first = events(desk)[0]
    desk.pass_time(timedelta(hours=1))
    done(desk, "note", text="nothing of the review changes")
    assert events(desk)[0] == first
    done(desk, "review", outcome="waived", reason="a drill")
    second = events(desk)[0]
    assert second["UID"] == first["UID"]
    assert (second["STATUS"], second["SEQUENCE"]) == ("CANCELLED", 1)
    assert second["LAST-MODIFIED"].dt == datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    done(desk, "review", outcome="open")
    assert (events(desk)[0]["STATUS"], events(desk)[0]["SEQUENCE"]) == ("CONFIRMED", 2)


def test_one_that_has_the_calendar_already_is_not_sent_it_again(desk: WebDesk) -> None:
    over(desk)
    tag = desk.get("/calendar.ics").headers["etag"]
    for asked in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = desk.get("/calendar.ics", **{"if-none-match": asked})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    done(desk, "review")
    changed = desk.get("/calendar.ics", **{"if-none-match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


def test_hostile_text_forms_no_line_of_its_own_in_the_calendar(desk: WebDesk) -> None:
    text = "x\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nSUMMARY:evil\x0b\x85\u2028;,\\n" + "\U0001f600" * 300
    over(desk)
    done(desk, "action", text=text, due="1d")
    found = events(desk)
    assert len(found) == 2
    summary = str(found[1]["SUMMARY"])
    assert summary.startswith("Due: x END:VEVENT BEGIN:VEVENT SUMMARY:evil ;,\\n")
    assert summary.isprintable()
    raw = desk.get("/calendar.ics").content
    assert all(len(line) <= 75 for line in raw.split(b"\r\n"))
    assert raw.count(b"\nBEGIN:VEVENT") == 2
