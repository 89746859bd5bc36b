"""People report problems: rules judge them, they join, they end, and none is made twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import web_desk
from commands import Run
from fakes.github import FakeGitHub
from triaged.clock import FakeClock
from triaged.core.events import CloseAsked, MergeAsked, Record, ResolveAsked
from triaged.core.model import CloseReason, State
from triaged.core.reports import SOURCE, Report, alert_of
from triaged.errors import StoreError
from triaged.intake.units import Answer, Delivery
from triaged.ports.backend import Places
from triaged.ports.source import Reading
from triaged.ports.store import Fate
from triaged.web.auth import ApiTokens, Role, TokenSource
from web_desk import RULES, WebDesk
from world import ANN, START, World, alert, settings_for, world

PATH = "/api/v1/incidents"
PEOPLE = """
- {name: all, source: ['name="people"'], match: ['impact="extensive"'], impact: extensive, urgency: critical}
- {name: breach, source: ['name="people"'], match: ['category="security"'], category: security}
- {name: outage, source: ['name="people"'], match: ['category="outage"'], category: outage}
- {name: joke, source: ['name="people"'], match: ['alertname=~"(?i).*april fool.*"'], drop: It is a joke.}
- {name: alone, source: ['name="people"'], match: ['service=""', 'category=""'], key: [report]}
- {name: people, source: ['name="people"'], key: [service, category], stop: true}
"""


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    texts = {**RULES, "triage.yaml": RULES["triage.yaml"] + PEOPLE}
    monkeypatch.setattr(web_desk, "RULES", texts)
    return texts


@pytest.fixture
def desk(tmp_path: Path, rules: dict[str, str]) -> Iterator[WebDesk]:
    desk = WebDesk(tmp_path)
    yield desk
    desk.close()


def say(desk: WebDesk, summary: str = "Nobody can pay", *, status: int = 201, **said: object) -> dict[str, Any]:
    answer = desk.post(PATH, {"summary": summary, "by": "ann", **said})
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def texts(shown: dict[str, Any]) -> list[str]:
    return [entry["text"] for entry in shown["timeline"]]


# ---------------------------------------------------------------- what comes of it


def test_a_report_opens_an_incident_that_the_rules_judge(desk: WebDesk) -> None:
    shown = say(desk, service="checkout", category="outage", impact="extensive", symptoms="The button spins.")
    assert (shown["id"], shown["became"], shown["severity"], shown["team"]) == ("INC-1", "opened", "sev1", "payments")
    assert shown["title"] == "Nobody can pay · checkout · outage"
    assert shown["published_in"] == {"backend": "local", "repository": ""}
    assert shown["timeline"][0]["by"] == "ann"
    assert texts(shown)[0].startswith("reported by ann: Nobody can pay. symptoms: The button spins. affected: checkout")
    assert shown["matched"] == ["all", "outage", "people"]
    assert shown["response"]["due_at"] == "2026-11-23T08:15:00Z"


def test_where_its_issue_will_be_is_told_before_there_is_one(desk: WebDesk) -> None:
    places = Places(common="acme/incidents", restricted="acme/secret")
    object.__setattr__(desk.desk, "places", places)
    object.__setattr__(desk.desk, "backend", "github")
    assert say(desk)["published_in"] == {"backend": "github", "repository": "acme/incidents"}
    secret = say(desk, "Somebody asks for passwords", category="security")
    assert (secret["published_in"]["repository"], secret["restricted"]) == ("acme/secret", True)


def test_reports_of_the_same_service_and_category_are_one_incident_and_may_raise_it(desk: WebDesk) -> None:
    assert say(desk, service="checkout", category="outage")["severity"] == "sev3"
    shown = say(desk, "Paying fails", service="checkout", category="outage", impact="extensive", by="bob", status=200)
    assert (shown["id"], shown["became"], shown["severity"], shown["firing"]) == ("INC-1", "joined", "sev1", 2)
    assert any(text.startswith("reported by bob: Paying fails") for text in texts(shown))


def test_reports_that_say_neither_are_incidents_of_their_own(desk: WebDesk) -> None:
    assert [say(desk, "It is slow")["id"] for _ in range(2)] == ["INC-1", "INC-2"]
    assert say(desk, "It is down", category="outage")["id"] == "INC-3"
    assert say(desk, "All is down", category="outage", status=200)["id"] == "INC-3"


def test_when_it_began_is_an_instant_or_how_long_ago(desk: WebDesk) -> None:
    assert say(desk, started="20m")["started_at"] == "2026-11-23T07:40:00Z"
    assert say(desk, started="2026-11-23T08:00+01:00")["started_at"] == "2026-11-23T07:00:00Z"
    assert say(desk)["started_at"] == "2026-11-23T08:00:00Z"


def test_a_list_may_be_a_text_as_a_form_sends_it(desk: WebDesk) -> None:
    shown = say(desk, functions="payment, orders", links="https://a.example.com/1,2 https://b.example.com")
    assert "affected: payment,orders" in texts(shown)[0]
    assert texts(shown)[0].endswith("see: https://a.example.com/1,2 https://b.example.com")


def test_with_a_token_the_report_is_of_whoever_it_is_on_behalf_of(tmp_path: Path, rules: dict[str, str]) -> None:
    tokens = ApiTokens({"bot": TokenSource(token="s3cret"), "look": TokenSource(role=Role.READ, token="look")})
    guarded = WebDesk(tmp_path, tokens=tokens, loopback=False)
    body = {"summary": "Nobody can pay", "on_behalf_of": "ann"}
    assert guarded.post(PATH, body).status_code == 401
    assert guarded.post(PATH, body, authorization="Bearer look").status_code == 403
    shown = guarded.post(PATH, body, authorization="Bearer s3cret")
    assert (shown.status_code, shown.json()["timeline"][0]["by"]) == (201, "ann (via bot)")
    guarded.close()


def test_what_maintenance_holds_back_is_accepted_and_says_until_when(desk: WebDesk) -> None:
    window = {"match": ['service="checkout"'], "for": "1h", "reason": "Deploy 7"}
    assert desk.post("/api/v1/maintenance", window).status_code == 201
    held = say(desk, service="checkout", status=202)
    assert held == {"held": "held back until 2026-11-23 09:00 UTC by maintenance: Deploy 7, by local"}
    desk.pass_time(timedelta(hours=1))
    assert desk.get(f"{PATH}/INC-1").json()["state"] == "open"


def test_what_a_rule_drops_is_refused_with_the_rule(desk: WebDesk) -> None:
    refused = say(desk, "April fools in the intranet", status=409)
    assert refused["error"] == "the rules drop this report, so that nothing was opened: rule joke: It is a joke."
    assert desk.get(PATH).json()["incidents"] == []


def test_what_meets_a_bug_is_kept_and_says_that_nothing_was_opened(desk: WebDesk) -> None:
    desk.instead = Answer(counts={Fate.FAILED: 1})
    assert "nothing was opened; tell people by other means" in say(desk, status=500)["error"]


@pytest.mark.parametrize(
    ("instead", "status"),
    [(Answer(status=503, error="no disk"), 503), (Answer(status=500), 500), (StoreError("x"), 503)],
)
def test_what_could_not_be_stored_is_told(desk: WebDesk, instead: Answer | Exception, status: int) -> None:
    desk.instead = instead
    assert desk.post(PATH, {"summary": "x"}).status_code == status


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "summary: expected it, got none"),
        ({"summary": " "}, "summary: expected what is wrong in a sentence, on one line"),
        ({"summary": "a\u202eb"}, "summary: expected what is wrong in a sentence, on one line"),
        ({"summary": "x" * 201}, "summary: String should have at most 200 characters"),
        ({"summary": "x", "servise": "checkout"}, "expected only by, on_behalf_of, summary, service"),
        (
            {"summary": "x", "service": "chekout"},
            "service: expected one of the services of services.yaml, got 'chekout'; did you mean checkout?",
        ),
        (
            {"summary": "x", "service": "zzz"},
            "service: expected one of the services of services.yaml, got 'zzz'",
        ),
        ({"summary": "x", "category": "fire"}, "category: expected outage, degradation, security, data_loss, error or"),
        ({"summary": "x", "impact": 7}, "impact: expected extensive, significant, moderate or minor, got '7'"),
        ({"summary": "x", "urgency": "soon"}, "urgency: expected critical, high, medium or low, got 'soon'"),
        ({"summary": "x", "users": "all"}, "users: expected most, many, some or few, got 'all'"),
        ({"summary": "x", "functions": ["a,b"]}, "functions.0: expected names of business functions, without commas"),
        ({"summary": "x", "functions": ["a"] * 11}, "functions: "),
        (
            {"summary": "x", "started": "soon"},
            "started: expected how long ago like 20m, or a date with time and offset",
        ),
        (
            {"summary": "x", "started": "2026-11-24T08:00Z"},
            "started: expected an instant in the last 30 days",
        ),
        ({"summary": "x", "started": "31d"}, "started: expected an instant in the last 30 days"),
        ({"summary": "x", "links": ["javascript:alert(1)"]}, "links.0: expected a URL like http://HOST:PORT/PATH"),
        ({"summary": "x", "links": ["https://a.example.com"] * 6}, "links: "),
        ({"summary": "x", "symptoms": "x" * 4_001}, "symptoms: "),
        ({"summary": "x", "symptoms": "a\0"}, "symptoms: expected text without NUL characters"),
        ({"summary": "x", "request_id": "a\nb"}, "request_id: expected a name on one line"),
        (["x"], "expected a JSON object"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(desk: WebDesk, body: object, said: str) -> None:
    answer = desk.post(PATH, body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"].startswith(said)
    assert desk.get(PATH).json()["incidents"] == []


# ---------------------------------------------------------------- once


def test_a_report_that_is_sent_again_opens_and_changes_nothing(desk: WebDesk) -> None:
    first = say(desk, service="checkout", request_id="a")
    again = say(desk, "Something else", service="checkout", impact="extensive", request_id="a", status=200)
    assert (again["id"], again["became"], again["severity"]) == ("INC-1", "known", "sev3")
    assert texts(again) == texts(first)
    assert say(desk, service="checkout", request_id="b", status=200)["became"] == "joined"


def test_the_same_request_id_of_another_person_is_another_report(desk: WebDesk) -> None:
    assert say(desk, request_id="a")["id"] == "INC-1"
    assert say(desk, request_id="a", by="bob")["id"] == "INC-2"


def test_a_report_that_is_sent_again_when_it_is_over_brings_nothing_back(desk: WebDesk) -> None:
    say(desk, request_id="a")
    desk.post(f"{PATH}/INC-1/close", {"by": "ann"})
    again = say(desk, request_id="a", status=200)
    assert (again["became"], again["state"]) == ("known", "closed")


def test_two_requests_of_one_report_in_one_transaction_are_one_incident(desk: WebDesk) -> None:
    one = alert_of(Report(key="a", by="ann", summary="Nobody can pay"))
    units = [
        Delivery(
            id=name,
            source=SOURCE,
            body=b"",
            reading=Reading(alerts=(one,), rejected=()),
            expects={one.fingerprint: None},
        )
        for name in ("x", "y")
    ]
    answers = desk.intake.process(units, desk.clock.now())
    assert [dict(answer.counts) for answer in answers] == [{"began": 1}, {"changed since": 1}]
    assert len(desk.get(PATH).json()["incidents"]) == 1


# ---------------------------------------------------------------- its end


@pytest.fixture
def running(tmp_path: Path) -> Iterator[World]:
    """The whole daemon with the shipped rules."""
    with world(settings_for(tmp_path), FakeClock(START)) as one:
        one.settle()
        yield one


def report(one: World, summary: str = "Nobody can pay", **said: Any) -> None:
    """As the API does."""
    found = alert_of(Report(key=f"{summary}{one.clock.now()}", by="ann", summary=summary, **said))
    reading = Reading(alerts=(found,), rejected=())
    answer = one.app.writer.ask(
        Delivery(id="r", source=SOURCE, body=b"", reading=reading, expects={found.fingerprint: None})
    )
    assert answer.counts == {"began": 1}
    one.settle()


def test_a_resolve_ends_all_reports_of_it_and_it_is_verified_and_resolved(running: World) -> None:
    report(running, service="checkout")
    report(running, "Paying fails", service="checkout")
    running.advance(timedelta(minutes=10))
    assert running.act(1, ResolveAsked(actor=ANN, record=Record())).status == 200
    (incident,) = running.incidents()
    assert (incident.state, incident.firing, incident.restored_at) == (State.VERIFYING, 0, running.clock.now())
    with running.app.store.read() as reader:
        assert reader.episodes(1, firing=True, limit=9) == []
        assert {one.ended_at for one in reader.episodes(1, firing=False, limit=9)} == {running.clock.now()}
    running.advance(timedelta(hours=1))
    assert running.incidents()[0].state is State.CLOSED


def test_what_is_reported_while_it_is_verified_brings_it_back(running: World) -> None:
    report(running, service="checkout")
    running.act(1, ResolveAsked(actor=ANN, record=Record()))
    report(running, "It still fails", service="checkout")
    assert [(one.id, one.state, one.firing) for one in running.incidents()] == [(1, State.OPEN, 1)]


def test_a_resolve_holds_for_what_was_reported_of_symptoms_too(running: World) -> None:
    report(running, service="postgres-main")
    report(running, "Checkout is slow", service="checkout")
    assert [one.parent for one in running.incidents()] == [None, 1]
    running.act(1, ResolveAsked(actor=ANN, record=Record()))
    assert [(one.state, one.firing) for one in running.incidents()] == [(State.VERIFYING, 0)] * 2


def test_a_close_that_comes_too_late_ends_no_report(running: World) -> None:
    report(running, service="checkout")
    running.advance(timedelta(minutes=5))
    before = running.clock.now()
    running.advance(timedelta(minutes=5))
    report(running, "It fails again", service="checkout")
    running.act(1, CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record(), at=before))
    (incident,) = running.incidents()
    assert (incident.state, incident.firing) == (State.OPEN, 2)
    with running.app.store.read() as reader:
        assert len(reader.episodes(1, firing=True, limit=9)) == 2


def test_what_is_closed_as_no_problem_takes_reports_down_and_nothing_of_them_goes_on(running: World) -> None:
    report(running, service="checkout")
    running.act(1, CloseAsked(actor=ANN, reason=CloseReason.NOT_PLANNED, record=Record()))
    report(running, "It still fails", service="checkout")
    (incident,) = running.incidents()
    assert (incident.state, incident.firing, incident.alerts) == (State.CLOSED, 0, 2)
    with running.app.store.read() as reader:
        assert reader.episodes(1, firing=True, limit=9) == []


def test_alerts_that_fire_beside_reports_keep_it_open(running: World) -> None:
    report(running, service="checkout")
    running.deliver(alert("Odd"))
    running.act(2, MergeAsked(actor=ANN, into=1))
    running.act(1, ResolveAsked(actor=ANN, record=Record()))
    assert [(one.state, one.firing) for one in running.incidents()] == [(State.VERIFYING, 0), (State.OPEN, 1)]


def test_a_restart_knows_what_was_reported(tmp_path: Path) -> None:
    clock = FakeClock(START)
    with world(settings_for(tmp_path), clock) as one:
        report(one, service="checkout")
    with world(settings_for(tmp_path), clock) as one:
        report(one, "Paying fails", service="checkout")
        assert [incident.firing for incident in one.incidents()] == [2]


def test_nobody_doubts_an_incident_because_a_report_is_not_repeated(running: World) -> None:
    for _ in range(4):
        running.deliver(alert("Repeats"))
        running.settle()
        running.advance(timedelta(minutes=20))
    report(running, service="checkout")
    running.advance(timedelta(hours=2))
    unheard = {row.incident.title.partition(" ·")[0]: row.unheard is not None for row in running.rows()}
    assert unheard == {"Repeats": True, "Nobody can pay": False}


# ---------------------------------------------------------------- where people see it


MARKDOWN = MarkdownIt("commonmark").enable("table")
HOSTILE = "<script>alert(1)</script> @everyone [x](javascript:y) `$(id)` | #1"


def test_hostile_words_form_nothing_in_the_issue(tmp_path: Path) -> None:
    clock = FakeClock(START)
    with FakeGitHub(now=clock.now) as github, world(settings_for(tmp_path, github), clock) as one:
        report(one, HOSTILE, symptoms=HOSTILE, links=("https://tickets.example.com/7?a=b",))
        (issue,) = github.issues
    body = issue.body or ""
    tokens = [one for token in MARKDOWN.parse(body) for one in (token, *(token.children or ()))]
    assert not [one for one in tokens if one.type.startswith("html") and "script" in one.content]
    assert not [one for one in tokens if "javascript" in str(one.attrGet("href"))]
    assert "@everyone" not in body
    assert "[reference](https://tickets.example.com/7?a=b)" in body
    assert "reported by ann" in body


def test_hostile_words_form_nothing_on_the_pages(desk: WebDesk) -> None:
    say(desk, HOSTILE, symptoms=HOSTILE)
    for path in ("/", "/incidents/INC-1"):
        assert "<script>alert" not in desk.get(path).text


def test_the_board_has_a_form_for_every_field_of_the_api(desk: WebDesk) -> None:
    page = desk.get("/").text
    form = page[page.index('data-act="/api/v1/incidents"') : page.index("Report it")]
    described = desk.get("/openapi.json").json()["components"]["schemas"]["Opening"]["properties"]
    names = set(re.findall(r'name="(\w+)"', form))
    assert names == described.keys() - {"request_id", "on_behalf_of"}
    assert "<option>checkout</option>" in form


@given(summary=st.text(min_size=1, max_size=300), symptoms=st.text(max_size=50), service=st.text(max_size=20))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_makes_anything_but_an_incident_or_a_refusal(
    desk: WebDesk, summary: str, symptoms: str, service: str
) -> None:
    body = {"summary": summary, "symptoms": symptoms, "service": service}
    try:
        answer = desk.post(PATH, body)
    except UnicodeEncodeError:
        return
    assert answer.status_code in (200, 201, 400), answer.text


# ---------------------------------------------------------------- from a terminal


@pytest.fixture
def run(desk: WebDesk, triaged: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    def request(method: str, url: str, **more: Any) -> httpx.Response:
        more.pop("timeout")
        return desk.send(method, url.removeprefix("http://127.0.0.1:9876"), **more)

    monkeypatch.setattr(httpx, "request", request)
    return triaged


def test_a_report_from_a_terminal_says_what_it_became(desk: WebDesk, run: Run) -> None:
    said = run("incidents", "open", "Nobody can pay", "--service", "checkout", "--category", "outage", "--by", "ann")
    assert said.status == 0, said.err
    lines = said.out.splitlines()
    assert lines[0] == "opened by your report"
    assert lines[1].startswith("INC-1  Nobody can pay")
    assert lines[-1] == "  its issue will be in local"
    options = ("--impact", "minor", "--urgency", "low", "--users", "few", "--function", "a", "--function", "b")
    more = ("--symptoms", "x", "--started", "5m", "--link", "https://a.example.com", "--request-id", "r", "--by", "bob")
    said = run("incidents", "open", "Paying fails", "--service", "checkout", "--category", "outage", *options, *more)
    assert said.out.splitlines()[0] == "open already: your report joined it"
    told = desk.get(f"{PATH}/INC-1").json()["timeline"]
    assert any(entry["text"].endswith("see: https://a.example.com") for entry in told)


def test_what_is_held_back_and_what_is_refused_are_told_in_a_terminal(desk: WebDesk, run: Run) -> None:
    window = {"match": ['service="checkout"'], "for": "1h", "reason": "Deploy 7"}
    desk.post("/api/v1/maintenance", window)
    said = run("incidents", "open", "Nobody can pay", "--service", "checkout")
    assert said.out == "no incident yet: held back until 2026-11-23 09:00 UTC by maintenance: Deploy 7, by local\n"
    said = run("incidents", "open", "Nobody can pay", "--service", "chekout")
    assert (said.status, said.err.strip()) == (
        2,
        "service: expected one of the services of services.yaml, got 'chekout'; did you mean checkout?",
    )


def test_where_no_answer_came_the_terminal_says_how_to_ask_again(
    desk: WebDesk, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrives = httpx.request

    def lost(method: str, url: str, **more: Any) -> httpx.Response:
        arrives(method, url, **more)
        raise httpx.ReadTimeout("too long")

    monkeypatch.setattr(httpx, "request", lost)
    said = run("incidents", "open", "Nobody can pay", "--by", "ann")
    assert said.status == 2
    (request_id,) = re.findall(r"--request-id (\w+)", said.err)
    monkeypatch.setattr(httpx, "request", arrives)
    said = run("incidents", "open", "Nobody can pay", "--by", "ann", "--request-id", request_id)
    assert said.out.splitlines()[0] == "your report was taken in before"
    assert len(desk.get(PATH).json()["incidents"]) == 1
