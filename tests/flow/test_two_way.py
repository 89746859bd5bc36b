"""What people do to an issue, done to its incident: found by polling alone, whatever is missed, twice or at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dying import Fate, Killed, MortalWatch
from fakes.github import FakeGitHub, Limited, ServerError
from triaged.clock import FakeClock
from triaged.core.events import CloseAsked, Record
from triaged.core.model import ActorKind, CloseReason, Severity, State
from triaged.workers.look import LookWorker
from world import ANN, START, World, alert, polling, world

MINUTE = timedelta(minutes=1)
PEOPLE = "\npeople:\n  ann: {}\n  bob: {github: bob-acme}\n  eve: {github: eve-acme}\n"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def github(clock: FakeClock) -> Iterator[FakeGitHub]:
    with FakeGitHub(now=clock.now) as fake:
        yield fake


@pytest.fixture
def daemon(tmp_path: Path, clock: FakeClock, github: FakeGitHub) -> Iterator[World]:
    with world(polling(tmp_path, github, PEOPLE), clock) as one:
        one.deliver(alert())
        one.advance(MINUTE)
        yield one


def test_a_person_closes_the_issue_and_so_the_incident(daemon: World, github: FakeGitHub) -> None:
    github.person("bob-acme").close(1, "not_planned")
    closed_at = daemon.clock.now()
    daemon.advance(MINUTE)
    (incident,) = daemon.incidents()
    assert (incident.state, incident.close_reason, incident.closed_by, incident.closed_by_kind, incident.closed_at) == (
        State.CLOSED,
        CloseReason.NOT_PLANNED,
        "bob",
        ActorKind.PERSON,
        closed_at,
    )
    assert (github.issue(1).state, github.issue(1).state_reason) == ("closed", "not_planned")


def test_a_person_opens_the_issue_again_and_so_the_incident(daemon: World, github: FakeGitHub) -> None:
    github.person("bob-acme").close(1)
    daemon.advance(MINUTE)
    github.person("zoe").reopen(1)
    daemon.advance(MINUTE)
    (incident,) = daemon.incidents()
    assert (incident.state, incident.round) == (State.OPEN, 2)
    assert any("zoe" in text for text in daemon.timeline(1))
    assert github.issue(1).state == "open"


def test_a_bots_close_is_undone_once_and_then_left_and_told(daemon: World, github: FakeGitHub) -> None:
    bot = github.bot_named("stale[bot]")
    bot.close(1)
    daemon.advance(MINUTE)
    assert github.issue(1).state == "open"
    assert daemon.incidents()[0].state is State.OPEN
    bot.close(1)
    daemon.advance(MINUTE)
    daemon.deliver(alert(labels={"pod": "b"}))
    daemon.advance(5 * MINUTE)
    assert github.issue(1).state == "closed"
    assert daemon.incidents()[0].state is State.OPEN
    told = [text for text in daemon.timeline(1) if "stale[bot]" in text]
    assert len(told) == 2
    assert "left closed" in told[1]


def test_a_severity_label_sets_the_severity_and_takes_the_place_of_ours(daemon: World, github: FakeGitHub) -> None:
    github.person("bob-acme").label(1, "Severity: SEV1")
    daemon.advance(MINUTE)
    (incident,) = daemon.incidents()
    assert (incident.severity, incident.chosen, incident.chosen_by) == (Severity.SEV1, Severity.SEV1, "bob")
    assert [name for name in github.labels(1) if name.lower().startswith("severity")] == ["Severity: SEV1"]
    github.person("bob-acme").label(1, "severity: sev2")
    daemon.advance(MINUTE)
    assert daemon.incidents()[0].severity is Severity.SEV2
    assert [name for name in github.labels(1) if name.lower().startswith("severity")] == ["severity: sev2"]
    assert sum(text.startswith("severity sev") for text in daemon.timeline(1)) == 2


def test_the_label_acknowledged_acknowledges(daemon: World, github: FakeGitHub) -> None:
    github.person("bob-acme").label(1, "acknowledged")
    daemon.advance(MINUTE)
    (incident,) = daemon.incidents()
    assert (incident.state, incident.acknowledged_by) == (State.ACKNOWLEDGED, "bob")


def test_assigning_acknowledges_and_makes_an_owner(daemon: World, github: FakeGitHub) -> None:
    github.person("eve-acme")
    github.person("bob-acme").assign(1, "eve-acme")
    daemon.advance(MINUTE)
    (incident,) = daemon.incidents()
    assert (incident.state, incident.acknowledged_by, incident.process.owner) == (State.ACKNOWLEDGED, "bob", "eve")
    assert [user.login for user in github.issue(1).assignees] == ["eve-acme"]


def test_whoever_is_nobody_that_the_rules_know_acknowledges_but_owns_nothing(daemon: World, github: FakeGitHub) -> None:
    github.person("zoe").assign(1, "zoe")
    daemon.advance(MINUTE)
    (incident,) = daemon.incidents()
    assert (incident.acknowledged_by, incident.process.owner) == ("zoe", "")


def test_peoples_comments_enter_the_timeline_once_and_ours_never(daemon: World, github: FakeGitHub) -> None:
    bob = github.person("bob-acme")
    bob.comment(1, "The disk is full.")
    daemon.deliver(alert(labels={"severity": "warning"}, status="resolved", ends=daemon.clock.now()))
    daemon.advance(MINUTE)
    said = bob.comment(1, "I cleaned it up.")
    bob.edit_comment(said.id, "I cleaned it up!")
    daemon.advance(10 * MINUTE)
    told = [text for text in daemon.timeline(1) if "#issuecomment" in text]
    assert [text.partition(" (")[0] for text in told] == ["The disk is full.", "I cleaned it up!"]
    assert "The disk is full" not in (github.issue(1).body or "")


def test_ticks_are_read(daemon: World, github: FakeGitHub) -> None:
    body = github.issue(1).body or ""
    github.person("bob-acme").edit_body(1, body.replace("- [ ] Users confirm", "- [x] Users confirm"))
    daemon.advance(MINUTE)
    github.person("bob-acme").edit_body(1, body)
    daemon.advance(MINUTE)
    assert [text for text in daemon.timeline(1) if "ticked" in text] == [
        "ticked on the issue: Users confirm that it works",
        "no longer ticked on the issue: Users confirm that it works",
    ]


def test_a_title_and_a_label_of_people_mean_nothing(daemon: World, github: FakeGitHub) -> None:
    before = daemon.timeline(1)
    bob = github.person("bob-acme")
    bob.edit_title(1, "Checkout is broken")
    bob.label(1, "customer-visible")
    daemon.advance(5 * MINUTE)
    assert daemon.timeline(1) == before
    assert github.issue(1).title == "Checkout is broken"


def test_a_quiet_issue_costs_nothing_but_lists_that_are_free(daemon: World, github: FakeGitHub) -> None:
    daemon.advance(2 * MINUTE)
    before = len(github.requests)
    daemon.advance(30 * MINUTE)
    asked = github.requests[before:]
    assert {request.operation for request in asked} == {"list_issues"}
    # Its question changes every ten minutes.
    assert sum(request.status == 200 for request in asked) <= 4
    assert sum(request.status == 304 for request in asked) >= 50


def test_what_we_write_ourselves_is_no_news(daemon: World, github: FakeGitHub) -> None:
    daemon.deliver(alert(labels={"pod": "b"}))
    daemon.advance(MINUTE)
    assert github.requests_of("get_issue")
    assert not github.requests_of("list_events")
    assert not any("by" in text and "triaged-bot" in text for text in daemon.timeline(1))


def test_what_happens_while_the_daemon_is_down_is_found_at_its_start(
    tmp_path: Path, clock: FakeClock, github: FakeGitHub
) -> None:
    with world(polling(tmp_path, github, PEOPLE), clock) as one:
        one.deliver(alert(), alert("DiskFull", labels={"severity": "warning"}))
        one.advance(MINUTE)
    clock.move_to(clock.now() + timedelta(hours=7))
    github.person("bob-acme").label(1, "acknowledged")
    github.person("bob-acme").close(2)
    clock.move_to(clock.now() + timedelta(hours=7))
    with world(polling(tmp_path, github, PEOPLE), clock) as one:
        one.advance(MINUTE)
        first, second = one.incidents()
    assert {first.acknowledged_by, first.closed_by} | {second.acknowledged_by, second.closed_by} == {"bob", None}


def test_a_hundred_issues_at_once_are_all_found(tmp_path: Path, clock: FakeClock) -> None:
    with (
        FakeGitHub(now=clock.now, oracle=False) as github,
        world(polling(tmp_path, github, PEOPLE), clock) as one,
    ):
        github.limits.enabled = False
        github.limits.creations_per_hour = github.limits.creations_per_minute = 1_000
        for number in range(3):
            one.deliver(*(alert(f"A{number}x{n}", labels={"severity": "warning"}) for n in range(40)))
        one.advance(timedelta(minutes=30))
        bob = github.person("bob-acme")
        ours = [issue.number for issue in github.issues]
        assert len(ours) > 100
        for issue in ours:
            bob.close(issue)
        one.advance(timedelta(minutes=5))
        assert {incident.state for incident in one.incidents()} == {State.CLOSED}


@pytest.mark.parametrize("operation", ["list_issues", "get_issue", "list_events", "list_comments"])
def test_what_cannot_be_asked_now_is_asked_again(daemon: World, github: FakeGitHub, operation: str) -> None:
    github.fail(operation, ServerError(status=502), times=4)
    bob = github.person("bob-acme")
    bob.comment(1, "On it.")
    bob.label(1, "acknowledged")
    daemon.advance(10 * MINUTE)
    assert daemon.incidents()[0].acknowledged_by == "bob"
    assert sum("On it." in text for text in daemon.timeline(1)) == 1


def test_a_limit_of_the_credential_keeps_the_readers_quiet_too(daemon: World, github: FakeGitHub) -> None:
    github.fail("update_issue", Limited(status=403, retry_after=300))
    daemon.deliver(alert(labels={"pod": "b"}))
    daemon.advance(10 * MINUTE)
    assert github.limits.impatient == 0


def test_a_renamed_repository_goes_on(daemon: World, github: FakeGitHub) -> None:
    bob = github.person("bob-acme")
    bob.rename_repository("acme/operations")
    bob.label(1, "acknowledged")
    daemon.advance(2 * MINUTE)
    bob.close(1)
    daemon.advance(2 * MINUTE)
    (row,) = daemon.rows()
    assert (row.incident.acknowledged_by, row.incident.state) == ("bob", State.CLOSED)
    assert row.address is not None
    assert row.address.repository == "acme/operations"


def test_a_reopening_that_cannot_be_is_undone_and_says_why(daemon: World, github: FakeGitHub) -> None:
    github.person("bob-acme").close(1, "not_planned")
    daemon.advance(MINUTE)
    daemon.clock.move_to(daemon.clock.now() + timedelta(hours=30))
    daemon.deliver(alert(starts=daemon.clock.now(), labels={"pod": "b"}), alert(starts=daemon.clock.now()))
    daemon.advance(MINUTE)
    assert len(github.issues) == 2
    github.person("bob-acme").reopen(1)
    daemon.advance(MINUTE)
    assert github.issue(1).state == "closed"
    assert any(
        text.startswith("the reopening by bob is undone: INC-1 cannot be reopened") for text in daemon.timeline(1)
    )


def test_a_close_by_hand_of_what_is_closed_here_as_well_is_told_once(daemon: World, github: FakeGitHub) -> None:
    github.person("bob-acme").close(1)
    daemon.act(1, CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record()))
    daemon.advance(2 * MINUTE)
    (incident,) = daemon.incidents()
    assert (incident.state, incident.closed_by) == (State.CLOSED, "ann")
    assert sum(text.startswith("closed by") for text in daemon.timeline(1)) == 1
    assert github.issue(1).state == "closed"


@pytest.mark.no_cover
def test_death_at_any_instant_of_a_look_loses_no_act_and_does_none_twice(tmp_path: Path) -> None:
    kill_at, died = 0, True
    while died:
        kill_at += 1
        folder = tmp_path / str(kill_at)
        folder.mkdir()
        died = one_life(folder, Fate(kill_at))
    assert kill_at > 10


def one_life(folder: Path, fate: Fate) -> bool:
    """Whether the daemon was killed at its instant; asserts that nothing came of it."""
    clock = FakeClock(START)
    with FakeGitHub(now=clock.now) as github:
        settings, died = polling(folder, github, PEOPLE), False
        with world(settings, clock) as one:
            one.deliver(alert())
            one.advance(MINUTE)
            bob = github.person("bob-acme")
            bob.comment(1, "On it.")
            bob.label(1, "acknowledged", "severity: sev3")
            watch = MortalWatch(one.app.watch, fate)
            run, ask = fate.around(one.app.writer.run), fate.around(one.app.writer.ask)
            one.app.look.worker = LookWorker(watch, read=one.app.store.read, run=run, ask=ask)
            try:
                one.advance(MINUTE)
                bob.close(1)
                one.advance(MINUTE)
            except Killed:
                died = True
        if died:
            with world(settings, clock) as one:
                one.advance(MINUTE)
                bob.close(1)
                one.advance(MINUTE)
        with world(settings, clock) as one:
            (incident,) = one.incidents()
            told = one.timeline(1)
        where = f"killed at instant {fate.kill_at}"
        assert (incident.state, incident.severity, incident.closed_by) == (State.CLOSED, Severity.SEV3, "bob"), where
        for words in ("On it.", "acknowledged by bob", "severity sev3", "closed by bob"):
            assert sum(words in text for text in told) == 1, (where, words, told)
    return died
