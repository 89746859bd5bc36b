"""One incident, exactly one issue: through faults, outages, repeats and people's work, against GitHub's fake."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest

from fakes.github import FakeGitHub, Limited, LostAnswer, ServerError
from triaged.backends.local import LocalBackend
from triaged.clock import FakeClock
from triaged.core.events import CloseAsked, Record
from triaged.core.model import CloseReason, Severity, State
from triaged.ports.store import IncidentRow
from world import ANN, START, World, alert, settings_for, world

MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def github(clock: FakeClock) -> Iterator[FakeGitHub]:
    with FakeGitHub(now=clock.now) as fake:
        yield fake


@pytest.fixture
def daemon(tmp_path: Path, clock: FakeClock, github: FakeGitHub) -> Iterator[World]:
    with world(settings_for(tmp_path, github), clock) as one:
        yield one


def test_an_alert_becomes_one_issue_that_says_what_fires(daemon: World, github: FakeGitHub) -> None:
    assert daemon.deliver(alert(labels={"namespace": "shop"})).status == 200
    daemon.settle()
    (issue,) = github.issues
    text = issue.body or ""
    assert issue.title == "INC-1 HighErrorRate · eu-1 · shop"
    assert {"severity: sev2", "team: platform"} <= set(github.labels(issue.number))
    assert "HighErrorRate" in text
    assert "Response" in text


def test_a_repeat_that_changes_nothing_asks_nothing_of_github(daemon: World, github: FakeGitHub) -> None:
    daemon.deliver(alert())
    daemon.advance(5 * MINUTE)
    before = len(github.requests)
    for _ in range(20):
        daemon.deliver(alert())
        daemon.advance(MINUTE)
    assert len(github.requests) == before


def test_a_quiet_incident_costs_at_most_five_writes(daemon: World, github: FakeGitHub) -> None:
    daemon.deliver(alert(labels={"severity": "warning"}))
    daemon.advance(10 * MINUTE)
    daemon.deliver(alert(status="resolved", labels={"severity": "warning"}, ends=daemon.clock.now()))
    daemon.advance(timedelta(hours=2))
    (incident,) = daemon.incidents()
    (issue,) = github.issues
    assert (incident.severity, incident.state) == (Severity.SEV3, State.CLOSED)
    assert (issue.state, issue.state_reason) == ("closed", "completed")
    assert len(github.comments(issue.number)) == 1
    assert "#### Evidence" in (issue.body or "")
    assert len(github.writes) <= 5


def test_a_lost_answer_with_a_list_that_lags_a_minute_leaves_one_issue(daemon: World, github: FakeGitHub) -> None:
    github.list_lag = timedelta(seconds=60)
    github.fail("create_issue", LostAnswer())
    daemon.deliver(alert())
    daemon.advance(10 * MINUTE)
    assert len(github.issues) == 1
    assert daemon.rows()[0].address is not None
    assert len(github.creates) == 1


@pytest.mark.parametrize("after_commit", [False, True])
@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_error_at_the_create_leaves_one_issue(
    daemon: World, github: FakeGitHub, status: Literal[500, 502, 503], after_commit: bool
) -> None:
    github.fail("create_issue", ServerError(status=status, after_commit=after_commit))
    daemon.deliver(alert())
    daemon.advance(10 * MINUTE)
    assert len(github.issues) == 1
    assert daemon.rows()[0].failure == ""


def test_a_lost_answer_to_a_comment_leaves_one_comment(daemon: World, github: FakeGitHub) -> None:
    daemon.deliver(alert(labels={"severity": "warning"}))
    daemon.settle()
    github.fail("create_comment", LostAnswer())
    daemon.deliver(alert(status="resolved", labels={"severity": "warning"}, ends=daemon.clock.now()))
    daemon.advance(timedelta(hours=1))
    (issue,) = github.issues
    assert len(github.comments(issue.number)) == 1


def test_a_secondary_limit_is_waited_out(daemon: World, github: FakeGitHub) -> None:
    github.fail("create_issue", Limited(status=403, retry_after=120))
    daemon.deliver(alert())
    daemon.advance(MINUTE)
    assert not github.issues
    daemon.advance(2 * MINUTE)
    assert len(github.issues) == 1
    assert github.limits.impatient == 0


def test_an_alert_that_came_and_went_while_github_was_down_has_one_issue_with_both_instants(
    daemon: World, github: FakeGitHub
) -> None:
    github.down()
    began = daemon.clock.now()
    daemon.deliver(alert(starts=began))
    daemon.advance(timedelta(minutes=50))
    ended = daemon.clock.now()
    daemon.deliver(alert(status="resolved", starts=began, ends=ended))
    daemon.advance(timedelta(minutes=70))
    github.up()
    daemon.advance(timedelta(minutes=30))
    (incident,) = daemon.incidents()
    assert (incident.started_at, incident.restored_at) == (began, ended)
    (issue,) = github.issues
    text = issue.body or ""
    assert "09:00" in text
    assert "09:50" in text


def test_what_a_person_wrote_survives_three_more_updates(daemon: World, github: FakeGitHub) -> None:
    daemon.deliver(alert(labels={"pod": "a"}))
    daemon.settle()
    (issue,) = github.issues
    ann = github.person("ann")
    ann.edit_title(issue.number, "Checkout is broken")
    ann.edit_body(issue.number, f"Ann looks at it.\r\n\r\n{issue.body}\nCall the vendor: 555")
    ann.label(issue.number, "customer-visible")
    ann.unlabel(issue.number, "team: platform")
    ann.assign(issue.number, "ann")
    for pod in ("b", "c", "d"):
        daemon.deliver(alert(labels={"pod": pod}))
        daemon.advance(MINUTE)
    now = github.issue(issue.number)
    assert now.title == "Checkout is broken"
    text = now.body or ""
    assert text.startswith("Ann looks at it.")
    assert text.rstrip().endswith("Call the vendor: 555")
    assert "customer-visible" in github.labels(issue.number)
    assert "team: platform" not in github.labels(issue.number)
    assert [user.login for user in now.assignees] == ["ann"]
    assert "4 alerts" in text or "4 of" in text or "fires (4" in text


def test_a_persons_close_on_github_survives_repeats_and_is_the_incidents(daemon: World, github: FakeGitHub) -> None:
    daemon.deliver(alert(labels={"pod": "a"}))
    daemon.settle()
    (issue,) = github.issues
    github.person("ann").close(issue.number, "not_planned")
    for _ in range(3):
        daemon.deliver(alert(labels={"pod": "a"}))
        daemon.advance(MINUTE)
    daemon.deliver(alert(labels={"pod": "b"}))
    daemon.advance(timedelta(hours=1))
    assert github.issue(issue.number).state == "closed"
    (incident,) = daemon.incidents()
    assert (incident.state, incident.closed_by, incident.close_reason) == (
        State.CLOSED,
        "ann",
        CloseReason.NOT_PLANNED,
    )


def test_a_persons_close_by_act_closes_the_issue_whose_body_says_that_it_still_fires(
    daemon: World, github: FakeGitHub
) -> None:
    daemon.deliver(alert())
    daemon.settle()
    daemon.act(1, CloseAsked(actor=ANN, reason=CloseReason.NOT_PLANNED, record=Record()))
    daemon.advance(MINUTE)
    for _ in range(3):
        daemon.deliver(alert())
        daemon.advance(timedelta(hours=1))
    (issue,) = github.issues
    assert (issue.state, issue.state_reason) == ("closed", "not_planned")
    assert (issue.body or "").count("**Closed, and 1 alert still fires.**") == 1
    assert github.comments(issue.number) == [], "that notifies nobody"


def test_sev1_goes_out_before_a_backlog_of_sev4(daemon: World, github: FakeGitHub) -> None:
    for number in range(200):
        daemon.deliver(alert("CertificateExpiresSoon", labels={"severity": "info", "namespace": f"n{number}"}))
    daemon.advance(timedelta(seconds=30))
    sent = len(github.issues)
    assert 0 < sent < 200
    daemon.deliver(
        *(
            alert("HighErrorRate", labels={"namespace": "shop", "deployment": "checkout", "pod": pod})
            for pod in ("a", "b", "c")
        )
    )
    assert daemon.incidents()[-1].severity is Severity.SEV1
    daemon.advance(timedelta(seconds=2))
    assert "severity: sev1" in {name for issue in github.issues[sent:] for name in github.labels(issue.number)}


def test_a_storm_stays_within_githubs_limits_and_loses_nothing(daemon: World, github: FakeGitHub) -> None:
    for number in range(120):
        daemon.deliver(alert("DiskFull", labels={"severity": "warning", "namespace": f"n{number}"}))
    daemon.advance(timedelta(minutes=10))
    assert len(github.issues) == 120
    instants = sorted(request.at for request in github.creates)
    assert all(later - earlier >= timedelta(seconds=1) for earlier, later in pairwise(instants))
    assert all(sum(at <= other < at + MINUTE for other in instants) <= 80 for at in instants)


def test_a_changed_backend_publishes_open_incidents_anew_once_and_says_where_they_were(
    tmp_path: Path, clock: FakeClock, github: FakeGitHub
) -> None:
    with world(settings_for(tmp_path), clock) as local:
        local.deliver(alert())
        local.settle()
        assert (tmp_path / "incidents" / "INC-1.md").exists()
    for _ in range(2):
        with world(settings_for(tmp_path, github), clock) as moved:
            moved.advance(MINUTE)
    (issue,) = github.issues
    assert "INC-1.md" in (issue.body or "").replace("\u200b", "")
    (row,) = moved_rows(tmp_path, clock, github)
    assert row.address is not None
    assert row.address.backend == "github"


def moved_rows(folder: Path, clock: FakeClock, github: FakeGitHub) -> list[IncidentRow]:
    with world(settings_for(folder, github), clock) as daemon:
        return daemon.rows()


def test_alerts_that_begin_after_a_completed_close_on_github_are_not_swallowed_by_it(
    daemon: World, github: FakeGitHub
) -> None:
    daemon.deliver(alert())
    daemon.advance(MINUTE)
    daemon.deliver(alert(status="resolved", ends=daemon.clock.now()))
    daemon.advance(timedelta(hours=1))
    (issue,) = github.issues
    github.person("ann").close(issue.number, "completed")
    daemon.advance(MINUTE)
    daemon.deliver(alert(starts=daemon.clock.now()))
    daemon.advance(MINUTE)
    (incident,) = daemon.incidents()
    assert (incident.state, incident.firing, incident.round) == (State.OPEN, 1, 2)
    assert incident.resolution_outcome is None
    assert github.issue(issue.number).state == "open"


def test_a_graver_alert_after_a_close_on_github_keeps_the_incident_open(daemon: World, github: FakeGitHub) -> None:
    daemon.deliver(alert(labels={"severity": "warning"}))
    daemon.advance(MINUTE)
    (issue,) = github.issues
    github.person("ann").close(issue.number, "not_planned")
    daemon.advance(MINUTE)
    daemon.deliver(alert(labels={"severity": "critical", "pod": "b"}))
    daemon.advance(MINUTE)
    (incident,) = daemon.incidents()
    assert (incident.state, incident.severity) == (State.OPEN, Severity.SEV2)
    assert github.issue(issue.number).state == "open"


def test_a_close_on_github_that_is_found_late_counts_from_its_own_instant(daemon: World, github: FakeGitHub) -> None:
    daemon.deliver(alert())
    daemon.advance(MINUTE)
    (issue,) = github.issues
    github.person("ann").close(issue.number, "completed")
    closed_at = daemon.clock.now()
    daemon.advance(timedelta(hours=3))
    (incident,) = daemon.incidents()
    assert (incident.state, incident.closed_at, incident.restored_at) == (State.CLOSED, closed_at, closed_at)


class FullFolder(LocalBackend):
    """Takes nothing new until an hour has passed."""

    def ready_at(self, now: datetime, *, urgent: bool, creates: bool) -> datetime:
        ready_at = super().ready_at(now, urgent=urgent, creates=creates)
        return max(ready_at, START + timedelta(hours=1)) if creates else ready_at


def test_what_may_be_written_is_written_while_new_issues_have_to_wait(tmp_path: Path, clock: FakeClock) -> None:
    folder = tmp_path / "incidents"
    with world(settings_for(tmp_path), clock) as one:
        one.deliver(alert(labels={"severity": "warning"}))
        one.settle()
        one.app.publish.worker._backend = FullFolder(folder, clock)  # type: ignore[attr-defined]
        one.deliver(alert(labels={"severity": "warning", "pod": "checkout-7"}), alert("DiskFull"))
        one.advance(MINUTE)
        assert "checkout-7" in (folder / "INC-1.md").read_text()
        assert not (folder / "INC-2.md").exists()
        one.advance(timedelta(hours=1))
        assert (folder / "INC-2.md").exists()
