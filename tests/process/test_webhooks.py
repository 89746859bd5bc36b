"""GitHub's webhooks through the real door: what they hint at is done at once, and none of them is believed."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.github import FakeGitHub
from fakes.github.webhooks import Hooked
from process.daemon import Daemon
from waiting import wait_until
from world import alert, body

PATH = "/api/v1/github/webhook"
EXAMPLES = Path(__file__).parents[1] / "fixtures" / "github" / "webhooks" / "examples.json.xz"


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        yield fake


@pytest.fixture
def daemon(tmp_path: Path, github: FakeGitHub) -> Iterator[Daemon]:
    """It polls once, at its start, and then not before the test is over."""
    (tmp_path / "secret").write_text(f"an older one\n{github.webhooks.secret}\n")
    backend = {
        "type": "github",
        "github": {
            "repository": github.repository.full_name,
            "api_url": github.url,
            "token_file": "token",
            "webhook_secret_file": "secret",
        },
    }
    tokens = {"api_tokens": {"ann": {"token": "not for webhooks"}}}
    with Daemon(tmp_path, github=github, backend=backend, **tokens) as one:
        yield one


def state(daemon: Daemon) -> dict[str, object]:
    return daemon.incidents()[0]


def test_a_sev_2_is_assigned_judged_and_closed_through_webhooks(daemon: Daemon, github: FakeGitHub) -> None:
    assert daemon.deliver(body([alert()])).status_code == 200
    wait_until(lambda: state(daemon)["issue"] is not None, what="the issue to be known")
    bob = github.person("bob")
    url = daemon.url + PATH
    bob.assign(1, "bob")
    assert set(github.webhooks.send(url)) == {202}
    wait_until(lambda: state(daemon)["state"] == "acknowledged", what="the assignment to be seen")
    bob.label(1, "severity: sev3")
    bob.comment(1, "Only the canary.")
    hooked = [*github.webhooks.waiting]
    # Out of order, and twice.
    assert set(github.webhooks.send(url, [*reversed(hooked), *hooked])) == {202}
    wait_until(lambda: state(daemon)["severity"] == "sev3", what="the severity to be seen")
    # A close counts from the end of its second: this one is of a later second than the alert.
    github.wait_until(lambda fake: bool(fake.requests_of("update_issue")))
    bob.close(1, "not_planned")
    assert set(github.webhooks.send(url)) == {202}
    wait_until(lambda: state(daemon)["state"] == "closed", what="the close to be seen")
    told = [entry["text"] for entry in json.loads(daemon.get("/api/v1/incidents/INC-1").content)["timeline"]]
    assert sum("Only the canary." in text for text in told) == 1
    assert sum(text.startswith("severity sev3") for text in told) == 1
    assert sum(text.startswith("closed by bob") for text in told) == 1


def test_a_webhook_that_lies_changes_nothing(daemon: Daemon, github: FakeGitHub) -> None:
    assert daemon.deliver(body([alert()])).status_code == 200
    wait_until(lambda: state(daemon)["issue"] is not None, what="the issue to be known")
    lie = {
        "action": "closed",
        "issue": {"number": 1, "state": "closed"},
        "repository": {"full_name": github.repository.full_name},
    }
    hooked = Hooked(id="1", event="issues", body=json.dumps(lie).encode())
    assert github.webhooks.send(daemon.url + PATH, [hooked]) == [202]
    github.wait_until(lambda fake: bool(fake.requests_of("get_issue")))
    assert state(daemon)["state"] == "open"


def test_without_the_right_signature_nothing_comes_in(daemon: Daemon, github: FakeGitHub) -> None:
    hooked = Hooked(id="1", event="ping", body=b'{"zen": "Keep it logically awesome."}')
    right = github.webhooks.headers(hooked)
    json_only = {"Content-Type": "application/json"}
    answers = [
        daemon.post(PATH, content=hooked.body, headers=headers).status_code
        for headers in (
            right,
            json_only,
            {**right, "X-Hub-Signature-256": "sha256=" + "0" * 64},
            {**right, "X-Hub-Signature-256": right["X-Hub-Signature-256"].removeprefix("sha256=")},
            {**json_only, "Authorization": "Bearer not for webhooks"},
        )
    ]
    assert answers == [202, 401, 401, 401, 401]
    assert daemon.post(PATH, content=hooked.body + b" ", headers=right).status_code == 401
    large = b"x" * 300_000
    assert daemon.post(PATH, content=large, headers=json_only).status_code == 413
    assert daemon.post(PATH, content=large, headers=right).status_code == 401


def test_another_secret_counts_at_once(daemon: Daemon, github: FakeGitHub) -> None:
    hooked = Hooked(id="1", event="ping", body=b"{}")
    (daemon.folder / "secret").write_text("a new one\n")
    assert github.webhooks.send(daemon.url + PATH, [hooked]) == [401]
    github.webhooks.secret = "a new one"
    assert github.webhooks.send(daemon.url + PATH, [hooked]) == [202]


def test_whatever_github_sends_is_taken_without_an_error(daemon: Daemon, github: FakeGitHub) -> None:
    """The whole corpus as it is, and once more what of it is about an issue as if that were ours."""
    assert daemon.deliver(body([alert()])).status_code == 200
    wait_until(lambda: state(daemon)["issue"] is not None, what="the issue to be known")
    examples = json.loads(lzma.decompress(EXAMPLES.read_bytes()))
    about_ours = [
        {**one, "payload": {**one["payload"], "issue": {**one["payload"]["issue"], "number": 1}, **ours(github)}}
        for one in examples
        if "issue" in one["payload"]
    ]
    hooked = [
        Hooked(id=str(number), event=one["event"], body=json.dumps(one["payload"]).encode())
        for number, one in enumerate([*examples, *about_ours])
    ]
    odd = (b"", b"[]", b"null", b"\xff", b'{"issue": {"number": -1}, "repository": {"full_name": 7}}', b"[" * 9_000)
    hooked += [Hooked(id="odd", event="issues", body=one) for one in odd]
    assert len(examples) > 300
    assert len(about_ours) > 30
    assert set(github.webhooks.send(daemon.url + PATH, hooked)) == {202}
    github.wait_until(lambda fake: bool(fake.requests_of("get_issue")))
    assert daemon.metric("triaged_errors_total") == 0
    assert state(daemon)["state"] == "open"


def ours(github: FakeGitHub) -> dict[str, object]:
    return {"repository": {"full_name": github.repository.full_name}}
