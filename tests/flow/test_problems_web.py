"""Problems and knowledge over HTTP and from a terminal: lists, pages, acts, their refusals, what is restricted."""

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
from triaged.workers.problems import ProblemsWorker
from web_desk import RULES, WebDesk

PROBLEMS = "problems: {same_key: {incidents: 2, within: 30d}}\nrules:"
WIKI = "https://wiki.example.com/leak"


@pytest.fixture(autouse=True)
def _rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two incidents of one key are a problem."""
    monkeypatch.setattr(
        web_desk, "RULES", {**RULES, "triage.yaml": RULES["triage.yaml"].replace("rules:", PROBLEMS, 1)}
    )


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[WebDesk]:
    desk = WebDesk(tmp_path)
    yield desk
    desk.close()


def recur(desk: WebDesk, times: int = 2, **labels: str) -> str:
    """The name of the problem that these incidents make."""
    worker = ProblemsWorker(lambda: desk.intake.rules.rule_set.problems, read=desk.store.read, ask=desk._process)
    for _ in range(times):
        desk.fire("Slow", annotations=None, **labels)
        desk.resolve("Slow", **labels)
        desk.pass_time(timedelta(days=2))
    worker.step(desk.clock.now())
    name: str = desk.get("/api/v1/problems").json()["problems"][0]["id"]
    return name


def done(desk: WebDesk, path: str, **fields: object) -> dict[str, Any]:
    answer = desk.post(f"/api/v1{path}", {"by": "ann", **fields})
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def test_a_problem_is_listed_and_shown_with_what_it_follows(desk: WebDesk) -> None:
    name = recur(desk, app="checkout")
    (listed,) = desk.get("/api/v1/problems?state=open&team=payments&limit=1").json()["problems"]
    assert (listed["id"], listed["kind"], listed["state"], listed["incidents"]) == (name, "recurring", "open", 2)
    assert listed["url"] == f"http://127.0.0.1:9876/problems/{name}"
    shown = desk.get(f"/api/v1/problems/{name.lower()}").json()
    assert [one["id"] for one in shown["followed"]] == ["INC-2", "INC-1"]
    assert shown["timeline"][0]["text"] == "opened: 2 incidents of the same key within 30 d"
    assert desk.get("/api/v1/problems?state=closed").json() == {"problems": [], "next_cursor": None}
    assert desk.get("/api/v1/problems?team=web").json()["problems"] == []


def test_a_long_list_has_pages(desk: WebDesk) -> None:
    for pod in "abc":
        recur(desk, service=pod)
    page = desk.get("/api/v1/problems?limit=2").json()
    rest = desk.get(f"/api/v1/problems?limit=2&cursor={page['next_cursor']}").json()
    assert (len(page["problems"]), len(rest["problems"]), rest["next_cursor"]) == (2, 1, None)


def test_an_incident_tells_its_problem_and_what_is_known(desk: WebDesk) -> None:
    name = recur(desk)
    done(desk, f"/problems/{name}/workaround", text="Restart <it>.", root_cause="A leak.")
    done(desk, f"/problems/{name}/knowledge", url=WIKI, title="Write-up <of it>")
    done(desk, "/incidents/INC-1/knowledge", url=f"{WIKI}/1", title="Another")
    desk.fire("Slow")
    recur(desk, times=0)
    shown = desk.get("/api/v1/incidents/INC-4").json()
    assert (shown["problem"]["id"], shown["problem"]["workaround"]) == (name, "Restart <it>.")
    assert [one["url"] for one in shown["knowledge"]] == [f"{WIKI}/1", WIKI]
    page = desk.get("/incidents/INC-4").text
    assert f'<a href="/problems/{name}">{name}</a>' in page
    assert "Restart &lt;it&gt;." in page
    assert f'<a href="{WIKI}" rel="noreferrer">Write-up &lt;of it&gt;</a>' in page
    assert "/INC-4/knowledge" in page


def test_its_page_shows_it_and_offers_what_can_be_done(desk: WebDesk) -> None:
    name = recur(desk)
    done(desk, f"/problems/{name}/workaround", text="Restart <it>.")
    done(desk, f"/problems/{name}/knowledge", url=WIKI, title="Write-up")
    done(desk, f"/problems/{name}/note", text="It leaks since May.")
    page = desk.get(f"/problems/{name}").text
    for words in ("Restart &lt;it&gt;.", WIKI, "It leaks since May.", "INC-1", "INC-2", "2 incidents"):
        assert words in page
    for act in ("note", "workaround", "knowledge", "close"):
        assert f'data-act="/api/v1/problems/{name}/{act}"' in page
    closed = done(desk, f"/problems/{name}/close", reason="not_planned", root_cause="A leak.", fix="None.")
    assert (closed["state"], closed["close_reason"], closed["closed_by"]) == ("closed", "not_planned", "ann")
    page = desk.get(f"/problems/{name}").text
    assert f'data-act="/api/v1/problems/{name}/reopen"' in page
    assert f'data-act="/api/v1/problems/{name}/close"' not in page
    assert done(desk, f"/problems/{name}/reopen", reason="It came again.")["state"] == "open"


def test_open_problems_are_counted_for_each_team_from_0(desk: WebDesk) -> None:
    def value(team: str) -> str:
        lines = desk.get("/metrics").text.splitlines()
        (line,) = [line for line in lines if line.startswith(f'triaged_problems_open{{team="{team}"}}')]
        return line.split()[-1]

    assert (value("payments"), value("platform")) == ("0.0", "0.0")
    name = recur(desk, app="checkout")
    assert (value("payments"), value("platform")) == ("1.0", "0.0")
    done(desk, f"/problems/{name}/close")
    assert value("payments") == "0.0"


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("problems/PRB-3/close", {"reason": "false_alarm"}, 400, "reason: "),
        ("problems/PRB-3/close", {"root": "x"}, 400, "expected only "),
        ("problems/PRB-3/reopen", None, 409, "PRB-3 is open: expected one that is closed"),
        ("problems/PRB-3/note", {"text": " "}, 400, "text: expected a text, got nothing"),
        ("problems/PRB-3/workaround", {}, 400, "text: expected it, got none"),
        ("problems/PRB-3/knowledge", {"url": "ftp://x", "title": "x"}, 409, "url: expected a link like https://"),
        ("problems/PRB-3/knowledge", {"url": WIKI, "title": "x" * 201}, 400, "title: "),
        ("problems/PRB-3/ack", {}, 404, "expected one of the acts close, reopen, note, workaround or knowledge"),
        ("problems/PRB-9/close", None, 404, "PRB-9 does not exist"),
        ("problems/INC-1/close", None, 404, "expected a problem like PRB-7, got 'INC-1'"),
        ("incidents/PRB-3/close", None, 404, "expected an incident like INC-7, got 'PRB-3'"),
        ("incidents/INC-3/note", {"text": "x"}, 404, "INC-3 does not exist"),
        ("incidents/INC-1/knowledge", {"url": WIKI}, 400, "title: expected it, got none"),
        ("incidents/INC-1/knowledge", {"url": "javascript:x", "title": "x"}, 409, "url: expected a link like https://"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(
    desk: WebDesk, path: str, body: object, status: int, said: str
) -> None:
    recur(desk)
    answer = desk.post(f"/api/v1/{path}", body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"].startswith(said)


@pytest.mark.parametrize("path", ["/api/v1/problems/PRB-9", "/problems/PRB-9", "/problems/9", "/api/v1/problems/x"])
def test_what_does_not_exist_is_not_found(desk: WebDesk, path: str) -> None:
    assert desk.get(path).status_code == 404


@pytest.mark.parametrize("query", ["state=gone", "limit=0", "cursor=x", "colour=red"])
def test_a_wrong_question_is_refused(desk: WebDesk, query: str) -> None:
    assert desk.get(f"/api/v1/problems?{query}").status_code == 400


def test_of_a_restricted_problem_only_a_token_sees_more_than_its_title(tmp_path: Path) -> None:
    tokens = ApiTokens({"bot": TokenSource(token="s3cret"), "look": TokenSource(role=Role.READ, token="look")})
    guarded = WebDesk(tmp_path, tokens=tokens, loopback=False)
    name = recur(guarded, intruder="yes")
    for act, body in (
        ("workaround", {"text": "hush"}),
        ("note", {"text": "hush"}),
        ("knowledge", {"url": f"{WIKI}/hush", "title": "hush"}),
    ):
        path = f"/api/v1/problems/{name}/{act}"
        assert guarded.post(path, body).status_code == 401
        assert guarded.post(path, body, authorization="Bearer look").status_code == 403
        assert guarded.post(path, body, authorization="Bearer s3cret").status_code == 200
    for path in (f"/api/v1/problems/{name}", "/api/v1/problems", f"/problems/{name}", "/incidents/INC-1"):
        shown = guarded.get(path).text
        assert "hush" not in shown, path
        assert "same key" not in shown, path
    assert guarded.get("/api/v1/incidents/INC-1").json()["problem"] is None
    whole = guarded.get(f"/api/v1/problems/{name}", authorization="Bearer look").json()
    assert (whole["workaround"], len(whole["followed"])) == ("hush", 2)
    guarded.close()


# ---------------------------------------------------------------- the terminal


@pytest.fixture
def run(desk: WebDesk, triaged: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `triaged …` against the desk."""

    def request(method: str, url: str, **more: Any) -> Any:
        return desk.send(method, url, **{name: more[name] for name in ("headers", "json", "params") if name in more})

    monkeypatch.setattr(httpx, "request", request)
    return triaged


def test_the_terminal_has_the_same_acts_with_the_same_fields(desk: WebDesk, run: Run) -> None:
    assert run("problems", "list").out == "no problems\n"
    name = recur(desk)
    assert name in run("problems", "list", "--state", "open").out
    for arguments in (
        ("problems", "note", name, "It leaks."),
        ("problems", "workaround", name, "Restart it.", "--root-cause", "A leak."),
        ("problems", "knowledge", name, WIKI, "Write-up"),
        ("problems", "close", name, "--reason", "not_planned", "--fix", "None.", "--workaround", "Restart it daily."),
        ("problems", "reopen", name, "--reason", "no"),
        ("incidents", "knowledge", "INC-1", f"{WIKI}/1", "Another"),
    ):
        said = run(*arguments, "--by", "ann")
        assert said.status == 0, said.err
    shown = run("problems", "show", name).out
    for words in (
        "recurring, open, 2 incidents",
        "root cause: A leak.",
        "workaround: Restart it daily.",
        "INC-2",
        WIKI,
    ):
        assert words in shown
    refused = run("problems", "reopen", name)
    assert (refused.status, refused.err) == (2, f"{name} is open: expected one that is closed\n")
