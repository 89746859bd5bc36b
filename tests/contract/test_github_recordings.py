"""Real exchanges with GitHub: the daemon's client reads them; the fake answers the same requests likewise."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from fakes.github import FakeGitHub, Role
from fakes.github.exchange import Answer
from fakes.github.server import Incoming, Server
from triaged.backends.github.administration import Administration
from triaged.backends.github.transport import Access, Request, Surroundings, Transport
from triaged.backends.github.wire import NewIssue, NewLabel
from triaged.clock import FakeClock
from triaged.errors import DeliveryError
from world import START

RECORDED = Path(__file__).parents[1] / "fixtures" / "github" / "recordings" / "recorded.json"
OWNER = "octokit-fixture-org"
API = "https://api.github.com"


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A request and its answer; `path` has the query, too."""

    scenario: str
    method: str
    path: str
    body: Any
    status: int
    headers: dict[str, str]
    response: Any

    def __str__(self) -> str:
        return f"{self.scenario}: {self.method} {self.path}"


EXCHANGES = [Exchange(**one) for one in json.loads(RECORDED.read_text(encoding="utf-8"))]


def of(scenario: str, *, but: str = "") -> list[Exchange]:
    """The exchanges of a scenario, without those of a method."""
    return [one for one in EXCHANGES if one.scenario == scenario and one.method != but]


# ---------------------------------------------------------------- the client reads them


class Replay:
    """GitHub as it was recorded, over loopback HTTP: 404 for what nobody asked then. Its links lead to itself."""

    def __init__(self, exchanges: list[Exchange]) -> None:
        self._exchanges = exchanges
        self.asked: list[tuple[str, str, Any]] = []
        self._server = Server(handle=self._answer, on_bug=self._bugs)
        self.bugs: list[str] = []

    def __enter__(self) -> Replay:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        assert self.bugs == []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    def _bugs(self, words: str) -> None:
        self.bugs.append(words)

    def _answer(self, incoming: Incoming) -> Answer:
        self.asked.append((incoming.method, incoming.target, json.loads(incoming.body) if incoming.body else None))
        path = incoming.target.partition("?")[0]
        exact = (one for one in self._exchanges if (one.method, one.path) == (incoming.method, incoming.target))
        # A first page is asked with parameters of our own.
        like = (one for one in self._exchanges if (one.method, one.path.partition("?")[0]) == (incoming.method, path))
        found = next(exact, None) or next(like, None)
        if found is None:
            return Answer(404, {"message": "Not Found"})
        text = json.dumps({"body": found.response, "headers": found.headers}).replace(API, self.url)
        told = json.loads(text)
        headers = {name: value for name, value in told["headers"].items() if name != "content-type"}
        return Answer(found.status, told["body"], headers)


@pytest.fixture
def github(request: pytest.FixtureRequest) -> Iterator[Replay]:
    with Replay(request.param) as replay:
        yield replay


@pytest.fixture
def client(github: Replay) -> Iterator[Administration]:
    made = Administration(*surroundings(github))
    yield made
    made.close()


def surroundings(github: Replay) -> tuple[Access, Surroundings]:
    clock = FakeClock(START)
    return Access(api_url=github.url, token=lambda: "ghp_replayed"), Surroundings(now=clock.now, pause=lambda _: None)


def replaying(scenario: str, *, but: str = "") -> pytest.MarkDecorator:
    return pytest.mark.parametrize("github", [of(scenario, but=but)], indirect=True, ids=[scenario])


@replaying("add-labels-to-issue")
def test_a_created_issue_and_the_labels_added_to_it_are_read(github: Replay, client: Administration) -> None:
    place = f"{OWNER}/add-labels-to-issue"
    issue = client.create_issue(place, NewIssue(title="Issue without a label", body="")).value
    assert (issue.number, issue.title, issue.state, issue.repository) == (1, "Issue without a label", "open", place)
    assert issue.user is not None
    assert (issue.user.login, issue.label_names, issue.assignees) == ("octokit-fixture-user-a", (), ())
    labels = client.add_labels(place, 1, ("Foo", "bAr", "baZ")).value
    assert [(label.name, label.color) for label in labels] == [(name, "ededed") for name in ("Foo", "bAr", "baZ")]
    assert github.asked[1] == ("POST", of("add-labels-to-issue")[1].path, of("add-labels-to-issue")[1].body)


@replaying("labels")
def test_labels_of_a_repository_are_read_and_changed(github: Replay, client: Administration) -> None:
    place = f"{OWNER}/labels"
    labels = {label.name: label for label in client.labels(place)}
    assert labels["bug"].color == "d73a4a"
    assert labels["bug"].description == "Something isn't working"
    found = client.ensure_label(place, NewLabel(name="test-label", color="ff0000")).value
    assert (found.color, found.description) == ("663399", None)
    client.change_label(place, "test-label", {"new_name": "test-label-updated", "color": "BADA55"})
    assert [method for method, _, _ in github.asked] == ["GET", "GET", "PATCH"]


@replaying("labels", but="GET")
def test_a_label_that_is_not_there_is_made(github: Replay, client: Administration) -> None:
    made = client.ensure_label(f"{OWNER}/labels", NewLabel(name="test-label", color="663399")).value
    assert (made.name, made.color) == ("test-label", "663399")
    assert [method for method, _, _ in github.asked] == ["GET", "POST"]


@replaying("errors")
def test_a_validation_error_is_told_in_its_words_and_not_tried_again(github: Replay, client: Administration) -> None:
    with pytest.raises(DeliveryError, match=r"Validation Failed.*color") as caught:
        client.ensure_label(f"{OWNER}/errors", NewLabel(name="foo", color="invalid"))
    assert (caught.value.reason, caught.value.retry_at, caught.value.ambiguous) == ("invalid", None, False)
    assert [method for method, _, _ in github.asked] == ["GET", "POST"]


@replaying("paginate-issues")
def test_every_page_of_a_list_is_read_by_its_links(github: Replay, client: Administration) -> None:
    issues = list(client.list_issues(f"{OWNER}/paginate-issues"))
    assert [issue.number for issue in issues] == [*range(13, 0, -1)]
    assert [target for _, target, _ in github.asked[1:]] == [one.path for one in of("paginate-issues")[1:]]


@replaying("rename-repository")
def test_a_renamed_repository_is_found_by_a_read_and_by_a_write(github: Replay, client: Administration) -> None:
    reply = client.repository(f"{OWNER}/rename-repository")
    assert (reply.value.full_name, reply.moved_to) == (f"{OWNER}/rename-repository-newname", "/repositories/1000")
    *_, redirected, followed = of("rename-repository")
    transport = Transport(*surroundings(github))
    body = json.dumps(redirected.body).encode()
    sent = Request(operation="update", method="PATCH", url=github.url + redirected.path, body=body)
    answer = transport.send(sent)
    transport.close()
    assert answer.moved_to == "/repositories/1000"
    assert github.asked[-2:] == [("PATCH", one.path, redirected.body) for one in (redirected, followed)]


@replaying("get-repository")
def test_a_repository_s_settings_are_read(github: Replay, client: Administration) -> None:
    place = client.place(f"{OWNER}/hello-world")
    assert (place.full_name, place.default_branch, place.private) == (f"{OWNER}/hello-world", "master", False)
    assert place.permissions is not None
    assert place.permissions.push
    assert github.asked == [("GET", "/repos/octokit-fixture-org/hello-world", None)]


@replaying("get-content")
def test_a_folder_is_told_from_a_file(github: Replay, client: Administration) -> None:
    found = client.content(f"{OWNER}/hello-world", "")
    assert found is not None
    assert (found.type, found.text) == ("dir", None)
    assert [path for _, path, _ in github.asked] == ["/repos/octokit-fixture-org/hello-world/contents/"]


@replaying("create-file")
def test_a_file_is_written_with_the_recorded_request(github: Replay, client: Administration) -> None:
    client.write_file(f"{OWNER}/create-file", "test.txt", "Test content", message="create test.txt", sha=None)
    (recorded,) = of("create-file")
    assert github.asked == [(recorded.method, recorded.path, recorded.body)]


# ---------------------------------------------------------------- the fake answers alike


AUTHOR = "octokit-fixture-user-a"
THEN = datetime(2017, 10, 10, 16, tzinfo=UTC)
# These have to be as they were, not only of their type; of addresses what follows the host.
TO_THE_LETTER = frozenset(
    {"code", "color", "created_at", "description", "field", "full_name", "html_url", "locked", "message"}
    | {"name", "number", "path", "permissions", "repository_url", "resource", "size", "state", "title", "type"}
)
# What the fake leaves out of its answers: nobody of ours reads it, and GitHub's description does not ask for it.
LEFT_OUT = frozenset(
    {"$.reactions", "$.timeline_url", "$[].reactions", "$[].timeline_url"}
    | {f"$.commit.{name}" for name in ("html_url", "parents", "tree", "verification")}
    | {f"$.allow_{name}" for name in ("auto_merge", "forking", "merge_commit", "rebase_merge", "squash_merge")}
    | {f"$.{name}" for name in ("allow_update_branch", "delete_branch_on_merge", "has_downloads", "is_template")}
    | {f"$.{name}" for name in ("organization", "temp_clone_token", "topics", "visibility")}
    | {"$.use_squash_pr_title_as_default", "$.web_commit_signoff_required"}
)


@contextmanager
def fake_of(scenario: str, name: str) -> Iterator[FakeGitHub]:
    """A fake whose repository is as that of the scenario was before its first exchange."""
    with FakeGitHub(repository=f"{OWNER}/{name}", now=lambda: THEN, login=AUTHOR) as fake:
        fake.grant(AUTHOR, Role.ADMIN)
        if scenario == "labels":
            for label in of(scenario)[0].response:
                made = {name: label[name] for name in ("name", "color", "description")}
                assert asked(fake, "POST", f"/repos/{OWNER}/{name}/labels", made).status_code == 201
        for number in range(1, 14 if scenario == "paginate-issues" else 1):
            fake.person(AUTHOR).open(f"Test issue {number}")
        yield fake


def asked(fake: FakeGitHub, method: str, path: str, body: Any = None) -> httpx.Response:
    headers = {
        "Authorization": f"token {fake.token}",
        "Accept": "application/vnd.github.v3+json",
        "User-Agent": "octokit",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    return httpx.request(method, fake.url + path, json=body, headers=headers, timeout=5, trust_env=False)


@pytest.mark.parametrize(
    "scenario", ["add-labels-to-issue", "create-file", "errors", "get-repository", "labels", "paginate-issues"]
)
def test_the_fake_answers_as_github_did(scenario: str) -> None:
    exchanges = of(scenario)
    name = exchanges[0].path.split("/")[3]
    with fake_of(scenario, name) as fake:
        for one in exchanges:
            path = one.path.replace("/repositories/1000", f"/repositories/{fake.repository.id}")
            compare(one, asked(fake, one.method, path, one.body), fake)


def test_the_fake_shows_a_folder_as_github_did() -> None:
    """The recorded one is the top of the repository, which the fake's routes cannot name."""
    (one,) = of("get-content")
    with fake_of("get-content", "hello-world") as fake:
        fake.repository.files["docs/README.md"] = b"# hello-world"
        answer = asked(fake, "GET", f"{one.path}docs")
        assert [*differences(one.response, answer.json())] == [
            "$[].html_url is '/octokit-fixture-org/hello-world/blob/main/docs/README.md'",
            "$[].path is 'docs/README.md'",
        ]


def test_the_fake_sends_who_uses_a_former_name_on_as_github_did() -> None:
    read, moved, written, _ = of("rename-repository")
    with fake_of("rename-repository", "rename-repository") as fake:
        fake.person(AUTHOR).open("Test issue")
        fake.person(AUTHOR).rename_repository(f"{OWNER}/rename-repository-newname")
        place = f"/repositories/{fake.repository.id}"
        compare(read, asked(fake, "GET", read.path), fake)
        compare(moved, asked(fake, "GET", place), fake)
        # The recorded write renames the repository, which nothing of ours ever does.
        of_an_issue = f"{written.path}/issues/1"
        answer = asked(fake, "PATCH", of_an_issue, {"title": "Another"})
        assert answer.status_code == written.status
        assert answer.headers["location"] == answer.json()["url"] == f"{fake.url}{place}/issues/1"
        assert [*differences(written.response, answer.json())] == []


def compare(recorded: Exchange, given: httpx.Response, fake: FakeGitHub) -> None:
    """Status, content type, the headers that a client follows, and the body's shape."""
    assert given.status_code == recorded.status, recorded
    assert given.headers["content-type"] == recorded.headers["content-type"]
    for name in ("location", "link"):
        told = recorded.headers.get(name, "").replace(API, fake.url)
        told = told.replace("/repositories/1000", f"/repositories/{fake.repository.id}")
        assert sorted(given.headers.get(name, "").split(", ")) == sorted(told.split(", ")), recorded
    assert [*differences(recorded.response, given.json())] == [], recorded


def differences(recorded: Any, given: Any, where: str = "$") -> Iterator[str]:
    """What the recorded answer has and the given one lacks, or has otherwise; null may stand for anything."""
    key = where.rpartition(".")[2]
    if recorded is None or given is None:
        return
    if type(recorded) is not type(given):
        yield f"{where} is a {type(given).__name__}, was a {type(recorded).__name__}"
    elif isinstance(recorded, dict):
        yield from (
            f"{where}.{name} is missing" for name in recorded if name not in given and f"{where}.{name}" not in LEFT_OUT
        )
        for name in sorted(recorded.keys() & given.keys()):
            yield from differences(recorded[name], given[name], f"{where}.{name}")
    elif isinstance(recorded, list):
        if len(recorded) != len(given):
            yield f"{where} has {len(given)} items, had {len(recorded)}"
        for one, other in zip(recorded, given, strict=False):
            yield from differences(one, other, f"{where}[]")
    elif key in TO_THE_LETTER and hostless(recorded) != hostless(given):
        yield f"{where} is {hostless(given)!r}"


def hostless(value: Any) -> Any:
    return re.sub(r"^https?://[^/]+", "", value) if isinstance(value, str) else value
