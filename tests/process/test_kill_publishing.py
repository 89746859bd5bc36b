"""kill -9 on a real daemon amid its writes to a GitHub that fails: one issue, each comment once, nothing lost.

The whole matrix of faults is lived in virtual time (`tests/faulting.py`); here a process dies, by the machine's clock.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx

from fakes.github import FakeGitHub, Fault, Hang, LateCommit, ServerError
from process.daemon import Daemon
from waiting import wait_until
from web_desk import RULES
from world import alert, body


@dataclass(frozen=True, kw_only=True)
class Life:
    """A daemon that is killed amid its writes."""

    daemon: Daemon
    github: FakeGitHub

    def ends_amid(self, operation: str, fault: Fault, want: Callable[[], httpx.Response]) -> None:
        """Killed when its next such write has met the fault, started again, and at work with GitHub by then."""
        before = len(self.github.requests_of(operation))
        self.github.fail(operation, fault)
        assert want().is_success
        self.github.wait_until(lambda fake: len(fake.requests_of(operation)) > before, seconds=60)
        self.daemon.end(signal.SIGKILL)
        asked = len(self.github.requests)
        self.daemon.start()
        self.github.wait_until(lambda fake: len(fake.requests) > asked, seconds=60)

    def act(self, name: str, **fields: str) -> httpx.Response:
        return self.daemon.post(f"/api/v1/incidents/INC-1/{name}", json={"by": "ann", **fields})


def test_kill_9_amid_each_write_leaves_one_issue_and_each_comment_once(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    for name, text in RULES.items():
        (rules / name).write_text(text)
    with FakeGitHub() as github, Daemon(tmp_path, github=github, rules="rules") as daemon:
        life = Life(daemon=daemon, github=github)
        # Edits of a Sev-1's issue do not wait for others. Of its creation the answer is lost, and it comes late.
        grave = body([alert(labels={"grave": "1"})])
        life.ends_amid("create_issue", LateCommit(timedelta(seconds=2)), lambda: daemon.deliver(grave))
        life.ends_amid(
            "create_comment", ServerError(after_commit=True), lambda: life.act("update", text="We know why.")
        )
        life.ends_amid("update_issue", Hang(after_commit=True), lambda: life.act("close", reason="not_planned"))
        wait_until(lambda: daemon.metric("triaged_backend_pending") == 0, seconds=60, what="all to be published")
        (issue,) = github.issues
        assert (issue.state, issue.state_reason, len(github.creates)) == ("closed", "not_planned", 1)
        said = [comment.body.partition("\n")[2] for comment in github.comments(1)]
        assert len(said) == len(set(said))
        assert sum("We know why." in text for text in said) == 1
        shown = daemon.get("/api/v1/incidents/INC-1").json()
        assert (shown["state"], shown["closed_by"], shown["issue"]["number"]) == ("closed", "ann", 1)
