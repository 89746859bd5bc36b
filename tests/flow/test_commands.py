"""Commands in comments: done as the one who wrote them, once, and answered once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dying import Fate, Killed, MortalBackend, MortalWatch
from fakes.github import FakeGitHub, LostAnswer, Role, ServerError
from fakes.github.people import Person
from triaged import configured, defaults
from triaged.clock import FakeClock
from triaged.config import Settings
from triaged.core.events import CloseAsked, Record
from triaged.core.model import CloseReason, ReviewOutcome, Severity, State
from triaged.ids import operation_id
from triaged.intake.units import Observed
from triaged.store import looks, problems
from triaged.workers.look import LookWorker
from triaged.workers.publish import PublishWorker
from world import ANN, START, World, alert, settings_for, world

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
PEOPLE = "people:\n  ann: {github: ann-acme}\n  bob: {github: bob-acme}\n"
RULES = """
matrix:
  extensive: [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate: [sev2, sev3, sev3, sev4]
  minor: [sev3, sev3, sev4, sev4]
default: {impact: significant, urgency: high, category: error, team: platform}
key: [alertname, cluster]
problems: {same_key: {incidents: 2, within: 7d}}
rules: []
"""
EVERY = 5
# Who dies at the same place of each life gets nowhere.
MOST = 6


def lightly(folder: Path, github: FakeGitHub, **more: object) -> Settings:
    """A daemon with few rules, for it is started often; it polls as often as usual."""
    rules = folder / "rules"
    rules.mkdir()
    (rules / "triage.yaml").write_text(RULES)
    (rules / "services.yaml").write_text(PEOPLE)
    for name in ("severities.yaml", "calendars.yaml"):
        (rules / name).write_text((defaults.RULES / name).read_text())
    settings = settings_for(folder, github)
    assert settings.backend.github is not None
    told = settings.backend.github.model_copy(update={"poll_every": None, **more})
    return settings.model_copy(update={"rules": rules, "backend": settings.backend.model_copy(update={"github": told})})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def github(clock: FakeClock) -> Iterator[FakeGitHub]:
    with FakeGitHub(now=clock.now) as fake:
        yield fake


@pytest.fixture
def daemon(tmp_path: Path, clock: FakeClock, github: FakeGitHub) -> Iterator[World]:
    with world(lightly(tmp_path, github), clock) as one:
        one.deliver(alert())
        one.advance(MINUTE)
        yield one


@pytest.fixture
def bob(github: FakeGitHub) -> Person:
    return github.person("bob-acme")


def ours(github: FakeGitHub, number: int = 1) -> list[str]:
    """What the daemon has written as comments, without markers."""
    return [one.body.partition("-->")[2].strip() for one in github.comments(number) if one.author == github.bot]


def answers(github: FakeGitHub, number: int = 1) -> list[str]:
    """Those of them that answer somebody: they begin with what was wrong."""
    return [text for text in ours(github, number) if text.startswith(("\\/", "Commands", "This", "No commands"))]


def test_every_act_can_be_asked_for_by_a_comment_and_is_answered_by_a_reaction(
    daemon: World, github: FakeGitHub, bob: Person
) -> None:
    daemon.deliver(alert("DiskFull"))
    daemon.advance(MINUTE)
    for text, told in STORY:
        before = len(daemon.timeline(1))
        said = bob.comment(1, text)
        daemon.advance(timedelta(seconds=40))
        assert any(told in entry for entry in daemon.timeline(1)[before:]), (text, daemon.timeline(1)[before:])
        assert github.reactions(said) == ["rocket"], text
    assert answers(github) == []
    assert not any("#issuecomment" in entry for entry in daemon.timeline(1))
    # Who may is asked once in five minutes.
    assert len(github.requests_of("permission")) < len(STORY) / 3


# In the order in which an incident goes on: a comment, and what the timeline tells of it.
STORY = (
    ("/ack 4h", "acknowledged by bob for 4 h"),
    ("/unack wrong team", "bob gives it back: wrong team"),
    ("/ack", "acknowledged by bob"),
    ("/sev 1 the whole shop", "severity sev1 (was sev2) by bob: the whole shop"),
    ("/assign me", "assigned to bob by bob"),
    ("/assign @ann-acme", "assigned to ann (was bob) by bob"),
    ("/role scribe ann-acme", "scribe: ann, says bob"),
    ("/pause 1h the vendor", "bob pauses it until"),
    ("/resume they answered", "they answered"),
    ("/escalate to ann the database is new to us", "ann is told: bob asks for it: the database is new to us"),
    ("/note hypothesis: the deployment of noon", "hypothesis: the deployment of noon"),
    ("/update We roll back.\nImpact: one in ten payments", "update by bob: We roll back. · Status: Investigating"),
    ("/eta 2h", "expected to work again at 2026-11-23 11:"),
    ("/workaround pay by invoice", "workaround by bob: pay by invoice"),
    ("/knowledge https://wiki.example.com/shop How to roll back", "knowledge: How to roll back"),
    ("/action Test the roll back\nOwner: @ann-acme\nDue: 3d", "of ann, due 2026-11-26"),
    ("/merge #2 the same", "INC-2"),
    ("/split another one", "another one"),
    ("/resolve Rolled back.\nRoot cause: a bad query\nFix: the former release", "bob says that it is fixed"),
    ("/close\nPrevention: a test", "closed by bob: completed"),
    ("/review waived it is known too well", "it is known too well"),
    ("/reopen it is back", "bob asked for it: it is back"),
    ("/close false alarm", "closed by bob: false alarm"),
)


def test_several_commands_are_done_in_their_order_and_what_fails_is_said_in_one_reply(
    daemon: World, github: FakeGitHub, bob: Person
) -> None:
    said = bob.comment(1, "It is the disk.\n\n/eta soon\n/ack\n/merge INC-9 @bob-acme\n/silence 1h\n\nI clean it up.")
    daemon.advance(MINUTE)
    assert daemon.incidents()[0].acknowledged_by == "bob"
    (reply,) = answers(github)
    assert [line.strip("\\") for line in reply.splitlines()] == [
        "/eta: in: expected a duration like 15m, 1h30m or 3d, got 'soon'",
        "/merge: INC-9 does not exist",
        "/silence: INC-1 cannot be silenced: its alerts come from the source alertmanager, for which the configuration"
        " names no Alertmanager (alertmanagers)",
        "The rest is done.",
    ]
    assert github.reactions(said) == []
    (told,) = (text for text in daemon.timeline(1) if "#issuecomment" in text)
    assert told.partition(" (")[0] == "It is the disk.\n\nI clean it up."


def test_help_lists_every_command_in_one_reply(daemon: World, github: FakeGitHub, bob: Person) -> None:
    bob.comment(1, "/help")
    daemon.advance(2 * MINUTE)
    (reply,) = (text for text in ours(github) if "| command | does |" in text)
    assert "| `/ack [4h]` | take it, for as long as usual or for a time |" in reply
    assert "@" not in reply


def test_a_stranger_is_told_once_that_commands_are_not_for_him(daemon: World, github: FakeGitHub) -> None:
    eve = github.person("eve", role=Role.TRIAGE)
    first = eve.comment(1, "/ack")
    daemon.advance(MINUTE)
    second = eve.comment(1, "/close\n/sev 4")
    third = eve.comment(1, "/akc")
    daemon.advance(MINUTE)
    (incident,) = daemon.incidents()
    assert (incident.state, incident.severity) == (State.OPEN, Severity.SEV2)
    assert answers(github) == ["Commands are done for those who have the permission write on this repository, or more."]
    assert [github.reactions(one) for one in (first, second, third)] == [["confused"], [], []]
    assert [text.partition(" (")[0] for text in daemon.timeline(1) if "#issuecomment" in text] == [
        "/ack",
        "/close\n/sev 4",
        "/akc",
    ]


def test_who_may_give_commands_is_configured(tmp_path: Path, clock: FakeClock, github: FakeGitHub) -> None:
    with world(lightly(tmp_path, github, commands="triage"), clock) as one:
        one.deliver(alert())
        one.advance(MINUTE)
        github.person("eve", role=Role.TRIAGE).comment(1, "/ack")
        github.person("mallory", role=Role.READ).comment(1, "/close")
        one.advance(MINUTE)
        (incident,) = one.incidents()
    assert (incident.state, incident.acknowledged_by) == (State.ACKNOWLEDGED, "eve")


def test_bots_edits_code_and_paths_command_nothing(daemon: World, github: FakeGitHub, bob: Person) -> None:
    github.bot_named("helper[bot]").comment(1, "/close")
    late = bob.comment(1, "I look at it.")
    bob.comment(1, "/var/log is full\n\n> /close\n\n```\n/close\n```\n<!--\n/close\n-->\n/etc is full, too")
    daemon.advance(MINUTE)
    bob.edit_comment(late.id, "/close")
    daemon.advance(10 * MINUTE)
    assert daemon.incidents()[0].state is State.OPEN
    assert answers(github) == []
    zoe, early = github.person("zoe", role=Role.READ), bob.comment(1, "/ack")
    hers = zoe.comment(1, "Hm.")
    daemon.clock.move_to(daemon.clock.now() + timedelta(seconds=5))
    github.person("eve").edit_comment(early.id, "/close")
    zoe.edit_comment(hers.id, "/close")
    daemon.advance(MINUTE)
    assert daemon.incidents()[0].state is State.OPEN
    assert answers(github) == ["This was edited before it was read: give commands in a new comment."]


def test_a_person_who_shares_the_daemons_account_may_give_commands(daemon: World, github: FakeGitHub) -> None:
    said = github.person(github.bot.login, role=Role.ADMIN).comment(1, "/ack\n/update We look into it.")
    daemon.advance(2 * MINUTE)
    (incident,) = daemon.incidents()
    assert (incident.acknowledged_by, incident.process.updates) == (github.bot.login, 1)
    assert github.reactions(said) == ["rocket"]


def test_where_github_does_not_tell_who_may_nobody_may(daemon: World, github: FakeGitHub, bob: Person) -> None:
    github.grant(github.bot.login, Role.TRIAGE)
    bob.comment(1, "/ack")
    daemon.advance(MINUTE)
    assert daemon.incidents()[0].state is State.OPEN
    assert answers(github) == ["No commands are done here: GitHub does not tell this account who may give some."]


def test_who_may_is_asked_again_where_it_cannot_be_asked_now(daemon: World, github: FakeGitHub, bob: Person) -> None:
    github.fail("permission", ServerError(status=502), times=7)
    said = bob.comment(1, "/ack")
    daemon.advance(10 * MINUTE)
    assert daemon.incidents()[0].acknowledged_by == "bob"
    assert github.reactions(said) == ["rocket"]


def test_a_close_with_a_comment_is_one_close(daemon: World, github: FakeGitHub, bob: Person) -> None:
    bob.comment(1, "/close false alarm")
    bob.close(1)
    daemon.advance(2 * MINUTE)
    (incident,) = daemon.incidents()
    assert (incident.state, incident.close_reason) == (State.CLOSED, CloseReason.FALSE_ALARM)
    assert not any("undone" in text for text in daemon.timeline(1))
    bob.close(1, "not_planned")
    bob.reopen(1)
    bob.comment(1, "/reopen")
    daemon.advance(2 * MINUTE)
    assert (daemon.incidents()[0].round, github.issue(1).state) == (2, "open")
    bob.close(1)
    daemon.clock.move_to(daemon.clock.now() + timedelta(seconds=2))
    said = bob.comment(1, "/reopen too early")
    daemon.advance(2 * MINUTE)
    assert (daemon.incidents()[0].round, github.issue(1).state) == (3, "open")
    assert github.reactions(said) == ["rocket"]


def test_a_close_covers_what_had_begun_when_it_was_written(daemon: World, github: FakeGitHub, bob: Person) -> None:
    bob.comment(1, "/close")
    daemon.clock.move_to(daemon.clock.now() + timedelta(seconds=5))
    daemon.deliver(alert(labels={"pod": "b"}, starts=daemon.clock.now()))
    daemon.advance(MINUTE)
    assert daemon.incidents()[0].state is State.OPEN
    assert answers(github) == ["\\/close: alerts began after that was written: it is open"]


def test_on_the_issue_of_a_review_commands_are_about_its_incident_and_a_close_is_the_reviews(
    daemon: World, github: FakeGitHub, bob: Person
) -> None:
    daemon.act(1, CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record()))
    daemon.advance(MINUTE)
    review = github.issues[1]
    bob.comment(review.number, "/action Test the roll back\n/note It was the disk.")
    daemon.advance(MINUTE)
    bob.comment(review.number, "/close")
    daemon.advance(2 * MINUTE)
    (incident,) = daemon.incidents()
    assert [item.text for item in incident.process.actions] == ["Test the roll back"]
    assert incident.process.review is not None
    assert incident.process.review.outcome is ReviewOutcome.HELD
    assert github.issue(review.number).state == "closed"
    assert [github.reactions(one) for one in github.comments(review.number) if one.author == bob.user] == [
        ["rocket"],
        ["rocket"],
    ]


def test_on_the_issue_of_a_problem_commands_are_about_the_problem(
    tmp_path: Path, clock: FakeClock, github: FakeGitHub, bob: Person
) -> None:
    with world(lightly(tmp_path, github), clock) as one:
        one.deliver(alert())
        one.settle()
        one.deliver(alert(status="resolved", ends=clock.now()))
        one.act(1, CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record()))
        one.advance(MINUTE)
        one.clock.move_to(START + 2 * DAY)
        one.deliver(alert(starts=one.clock.now()))
        one.advance(2 * MINUTE)
        number = next(issue.number for issue in github.issues if issue.title.startswith("PRB-"))
        said = bob.comment(number, "/workaround restart it\nroot cause: a leak\n/note It leaks.\n/ack")
        one.advance(2 * MINUTE)
        bob.comment(number, "/close freed")
        one.advance(2 * MINUTE)
        with one.app.store.read() as reader:
            (row,) = problems.listed(reader.connection, state=None, team=None, before=None, limit=9)
            told = [entry.text for entry in reader.timeline(row.problem.id, 99)]
    assert (row.problem.workaround, row.problem.root_cause, row.problem.fix) == ("restart it", "a leak", "freed")
    assert (row.problem.state, row.problem.closed_by, github.issue(number).state) == ("closed", "bob", "closed")
    assert sum("It leaks." in text for text in told) == 1
    assert answers(github, number) == [
        "\\/ack: expected one of /close, /reopen, /note, /workaround or /knowledge on the issue of a problem\\\n"
        "The rest is done."
    ]
    assert github.reactions(said) == []


def test_one_look_that_two_replicas_tell_is_done_once(daemon: World, github: FakeGitHub, bob: Person) -> None:
    app, asked = daemon.app, list[Observed]()

    def twice(unit: Any) -> Any:
        asked.append(unit)
        return [app.writer.ask(unit), app.writer.ask(unit)][0]

    app.look.worker = LookWorker(
        app.watch,
        read=app.store.read,
        run=app.writer.run,
        ask=twice,
        heeding=configured.heeding(app.settings, app.watch),
    )
    said = bob.comment(1, "/note Only once.\n/action Only one")
    daemon.advance(MINUTE)
    assert [one.looked.remarks[0].id for one in asked if one.looked.remarks] == [said.id]
    assert sum("Only once." in text for text in daemon.timeline(1)) == 1
    assert len(daemon.incidents()[0].process.actions) == 1


@pytest.mark.parametrize("fault", [LostAnswer(), ServerError(status=502)])
def test_a_reaction_whose_answer_is_lost_is_given_once(
    daemon: World, github: FakeGitHub, bob: Person, fault: LostAnswer | ServerError
) -> None:
    github.fail("react", fault)
    said = bob.comment(1, "/ack")
    daemon.advance(MINUTE)
    assert github.reactions(said) == ["rocket"]
    assert len(github.requests_of("react")) == 2


def test_a_reaction_to_a_comment_that_is_gone_is_given_up(daemon: World, github: FakeGitHub, bob: Person) -> None:
    said = bob.comment(1, "/ack")
    app = daemon.app
    app.look.worker.step(daemon.clock.now())
    while daemon.incidents()[0].acknowledged_by is None:
        daemon.clock.move_to(daemon.clock.now() + timedelta(seconds=10))
        for loop in app.loops:
            if loop is not app.publish:
                loop.worker.step(daemon.clock.now())
    bob.delete_comment(said.id)
    daemon.advance(3 * MINUTE)
    assert [request.status for request in github.requests_of("react")] == [404]


def test_a_webhook_has_commands_done_without_any_poll(tmp_path: Path, clock: FakeClock, github: FakeGitHub) -> None:
    settings = lightly(tmp_path, github, poll_every=DAY)
    with world(settings, clock) as one:
        one.deliver(alert())
        one.advance(MINUTE)
        said = github.person("bob-acme").comment(1, "/ack")
        # What the door makes of a delivery that is signed.
        one.app.writer.run(lambda tx, at: looks.hint_place(tx.connection, "acme/incidents", 1, at))
        one.advance(timedelta(seconds=5))
        assert one.incidents()[0].acknowledged_by == "bob"
    assert github.reactions(said) == ["rocket"]


def mortal(one: World, fate: Fate) -> None:
    """Looking and publishing are in the hands of fate, from now on."""
    app = one.app
    run, ask = fate.around(app.writer.run), fate.around(app.writer.ask)
    app.look.worker = LookWorker(
        MortalWatch(app.watch, fate),
        read=app.store.read,
        run=run,
        ask=ask,
        heeding=configured.heeding(app.settings, app.watch),
    )
    app.publish.worker = PublishWorker(
        MortalBackend(app.backend, fate),
        read=app.store.read,
        run=run,
        render=app.render,
        mentions=app.mentions,
        clock=app.clock,
        operation_id=operation_id,
        interval=timedelta(seconds=10),
    )


@pytest.mark.parametrize("kill_at", range(1, EVERY + 1))
@pytest.mark.no_cover
def test_death_at_any_instant_does_each_command_once_and_answers_once(tmp_path: Path, kill_at: int) -> None:
    clock, fate, deaths = FakeClock(START), Fate(kill_at, every=EVERY), 0
    with FakeGitHub(now=clock.now, oracle=False) as github:
        settings, bob = lightly(tmp_path, github, poll_every=DAY), github.person("bob")
        with world(settings, clock) as one:
            one.deliver(alert())
            one.settle()
        good, bad = bob.comment(1, "/note Once.\n/action One"), bob.comment(1, "/eta soon")
        lives = True
        while lives:
            with world(settings, clock) as one:
                if not deaths:
                    one.app.writer.run(lambda tx, at: looks.hint_place(tx.connection, "acme/incidents", 1, at))
                if deaths < MOST:
                    mortal(one, fate)
                try:
                    one.advance(15 * MINUTE)
                    lives = False
                except Killed:
                    deaths += 1
                (incident,) = one.incidents()
                told = one.timeline(1)
        # To look, to tell the writer, to react, to reply, and to write each down.
        assert deaths >= 3
        assert sum("Once." in text for text in told) == 1
        assert [item.text for item in incident.process.actions] == ["One"]
        assert (github.reactions(good), github.reactions(bad)) == (["rocket"], [])
        assert len(answers(github)) == 1
