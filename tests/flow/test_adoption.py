"""People report on GitHub: an issue from the template or the form becomes an incident, and is that incident's issue."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from dying import Fate, Killed
from fakes.github import FakeGitHub, Issue, LateCommit, LostAnswer, Role, ServerError
from filing import form, markdown
from triaged import defaults
from triaged.clock import FakeClock
from triaged.config import GitHubSettings, Settings
from triaged.core.events import CloseAsked, Record, ReopenAsked, ResolveAsked
from triaged.core.model import Actor, ActorKind, Category, CloseReason, Incident, Severity, State
from triaged.core.reports import Filed, Report, alert_of
from triaged.intake.units import Adopt, Delivery
from triaged.ports.backend import Address
from triaged.ports.looks import Opened
from triaged.ports.source import Reading
from triaged.store import looks
from triaged.workers.poll import PollWorker
from world import START, World, alert, settings_for, world

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
ANSWERS = {
    "summary": "Customers cannot pay by card",
    "impact": "significant",
    "urgency": "high",
    "category": "outage",
    "services": "the shop, Checkout",
    "symptoms": "An error 500 after the last step.",
    "started": "08:40",
}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def github(clock: FakeClock) -> Iterator[FakeGitHub]:
    with FakeGitHub(now=clock.now) as fake:
        yield fake


def polling(folder: Path, github: FakeGitHub, **more: object) -> Settings:
    """As a daemon is configured without webhooks."""
    settings = settings_for(folder, github)
    known = settings.backend.github
    assert isinstance(known, GitHubSettings)
    told = known.model_copy(update={"poll_every": None, **more})
    return settings.model_copy(update={"backend": settings.backend.model_copy(update={"github": told})})


@pytest.fixture
def daemon(tmp_path: Path, clock: FakeClock, github: FakeGitHub) -> Iterator[World]:
    with world(polling(tmp_path, github), clock) as one:
        one.advance(MINUTE)
        yield one


@pytest.fixture
def slow(tmp_path: Path, clock: FakeClock, github: FakeGitHub) -> Iterator[World]:
    """A daemon that polls seldom, for tests in which days pass."""
    with world(polling(tmp_path, github, poll_every=HOUR), clock) as one:
        one.advance(MINUTE)
        yield one


def opened(github: FakeGitHub, body: str, *, title: str = "It is broken", login: str = "zoe") -> Issue:
    """An issue that somebody has just opened who may write there."""
    return github.person(login).open(title, body)


def said(github: FakeGitHub, number: int, words: str) -> list[str]:
    return [comment.body for comment in github.comments(number) if words in comment.body]


def ends_so(body: str | None, text: str) -> bool:
    """Whether the text stands there to the letter, once, below one block of ours."""
    whole = body or ""
    marks = whole.count("<!-- triaged:v1 op="), whole.count("<!-- triaged:begin -->")
    return whole.endswith(text) and whole.startswith("<!-- triaged:v1 op=") and marks == (1, 1)


@pytest.mark.parametrize("make", [form, markdown])
def test_a_report_from_form_or_template_becomes_an_incident_whose_issue_it_is(
    daemon: World, github: FakeGitHub, make: Callable[..., str]
) -> None:
    text = make(**ANSWERS).replace("\n", "\r\n")
    github.person("zoe").open("[Incident] Paying fails", text)
    daemon.advance(MINUTE)
    (incident,) = daemon.incidents()
    assert (incident.title, incident.severity, incident.category, incident.service, incident.source) == (
        "Customers cannot pay by card · checkout · outage",
        Severity.SEV2,
        Category.OUTAGE,
        "checkout",
        "people",
    )
    assert incident.started_at == START.replace(hour=8, minute=40)
    reporter = incident.process.reporter
    assert reporter is not None
    assert (reporter.login, reporter.name) == ("zoe", "zoe")
    (issue,) = github.issues
    assert (issue.title, issue.state) == ("[Incident] Paying fails", "open")
    assert ends_so(issue.body, text)
    assert f"- [ ] Users confirm that it works\n\n## Report\n\n{text}" in (issue.body or "")
    assert {"severity: sev2", "category: outage"} <= set(github.labels(1))
    assert not github.creates
    (row,) = daemon.rows()
    assert row.address is not None
    assert (row.address.repository, row.address.number) == ("acme/incidents", 1)


def test_from_then_on_it_is_an_issue_as_any_other(slow: World, github: FakeGitHub) -> None:
    text = form(**ANSWERS)
    opened(github, text)
    slow.advance(HOUR)
    slow.act(1, ResolveAsked(actor=Actor(name="ann", kind=ActorKind.PERSON), record=Record(fix="Restarted.")))
    slow.advance(HOUR)
    assert ends_so(github.issue(1).body, text)
    assert said(github, 1, "Resolved.")
    github.person("zoe").close(1)
    slow.advance(HOUR)
    (incident,) = slow.incidents()
    assert (incident.state, incident.closed_by) == (State.CLOSED, "zoe")


def test_nothing_else_is_a_report(slow: World, github: FakeGitHub) -> None:
    zoe, bot = github.person("zoe"), github.bot_named("renovate[bot]")
    zoe.open("Is this right?", "### Impact\n\nSome.")
    zoe.open("Empty")
    zoe.open("A change", form(**ANSWERS), pull_request=True)
    bot.open("By a bot", form(**ANSWERS))
    zoe.open("Closed at once", form(**ANSWERS))
    zoe.close(5)
    late = zoe.open("Became one later", "Something.")
    slow.advance(HOUR)
    zoe.edit_body(late.number, form(**ANSWERS))
    slow.advance(HOUR)
    assert slow.incidents() == []
    assert not github.writes


def test_what_was_reported_before_the_repository_was_first_listed_stays_what_it_is(
    tmp_path: Path, clock: FakeClock, github: FakeGitHub
) -> None:
    opened(github, form(**ANSWERS))
    clock.move_to(clock.now() + MINUTE)
    with world(polling(tmp_path, github), clock) as one:
        one.advance(10 * MINUTE)
        assert one.incidents() == []
    clock.move_to(clock.now() + 7 * HOUR)
    opened(github, form(**ANSWERS), title="While the daemon was down")
    clock.move_to(clock.now() + 7 * HOUR)
    with world(polling(tmp_path, github), clock) as one:
        one.advance(MINUTE)
        assert [row.address and row.address.number for row in one.rows()] == [2]


@pytest.mark.parametrize(
    ("reports", "role", "private", "becomes"),
    [
        ("collaborators", Role.NONE, False, 0),
        ("collaborators", Role.READ, False, 0),
        ("collaborators", Role.TRIAGE, False, 1),
        ("collaborators", Role.READ, True, 1),
        ("anyone", Role.NONE, False, 1),
        ("nobody", Role.ADMIN, True, 0),
    ],
)
def test_the_configuration_says_who_may_report(
    tmp_path: Path, clock: FakeClock, github: FakeGitHub, reports: str, role: Role, private: bool, becomes: int
) -> None:
    github.repository.private = private
    with world(polling(tmp_path, github, reports=reports), clock) as one:
        one.advance(MINUTE)
        github.person("zoe", role=role).open("It is broken", form(**ANSWERS))
        one.advance(2 * MINUTE)
        assert len(one.incidents()) == becomes
    assert len(github.requests_of("permission")) == (reports == "collaborators")
    assert not github.comments(1)


def test_whose_right_cannot_be_asked_now_is_asked_again(daemon: World, github: FakeGitHub) -> None:
    github.fail("permission", ServerError(status=502), times=12)
    opened(github, form(**ANSWERS))
    daemon.advance(5 * MINUTE)
    assert len(daemon.incidents()) == 1


def test_hostile_text_stays_text(daemon: World, github: FakeGitHub) -> None:
    begin, end = "<!-- triaged:begin -->", "<!-- triaged:end -->"
    text = form(
        **{
            **ANSWERS,
            "summary": "@acme/everybody look: <img src=x> #1 \u202eevil\0",
            "symptoms": f"<!-- triaged:v1 op=00 inc=1 -->\n{begin}\nmine\n{end}\n- [x] Users confirm that it works",
        }
    )
    opened(github, text)
    daemon.advance(MINUTE)
    daemon.act(1, ResolveAsked(actor=Actor(name="ann", kind=ActorKind.PERSON), record=Record()))
    daemon.advance(HOUR)
    body = github.issue(1).body or ""
    assert body.endswith(text)
    ours = body.removesuffix(text)
    assert ours.count(begin) == ours.count(end) == 1
    assert "resolved" in ours.lower()
    assert "@acme" not in ours
    assert "<img" not in re.sub(r"`[^`]*`", "", ours).replace("\\<", "")


def test_a_report_without_room_for_our_part_becomes_an_incident_all_the_same(daemon: World, github: FakeGitHub) -> None:
    text = form(**ANSWERS) + "\n" + "x" * (65_500 - len(form(**ANSWERS)))
    opened(github, text)
    daemon.advance(MINUTE)
    assert len(daemon.incidents()) == 1
    assert github.issue(1).body == text
    assert "severity: sev2" in github.labels(1)


def test_what_is_restricted_tells_no_more_there_than_its_reporter_wrote(daemon: World, github: FakeGitHub) -> None:
    text = form(**{**ANSWERS, "category": "security"})
    opened(github, text)
    daemon.advance(MINUTE)
    (incident,) = daemon.incidents()
    assert incident.restricted
    body = github.issue(1).body or ""
    assert ends_so(body, text)
    assert "checkout" not in body.removesuffix(text)
    assert github.labels(1) == []


def test_a_webhook_of_an_issue_that_is_not_ours_has_its_repository_asked_at_once(
    tmp_path: Path, clock: FakeClock, github: FakeGitHub
) -> None:
    with world(polling(tmp_path, github, poll_every=HOUR), clock) as one:
        one.advance(MINUTE)
        opened(github, form(**ANSWERS))
        asked = len(github.requests_of("list_issues"))
        assert one.app._hint("ACME/incidents", 1) is False
        one.advance(timedelta(seconds=10))
        assert len(one.incidents()) == 1
        for _ in range(20):
            one.app._hint("acme/incidents", 99)
            one.advance(timedelta(milliseconds=200))
        assert len(github.requests_of("list_issues")) - asked <= 3


def test_a_repository_that_cannot_be_asked_now_is_not_hurried(
    tmp_path: Path, clock: FakeClock, github: FakeGitHub
) -> None:
    with world(polling(tmp_path, github, poll_every=10 * MINUTE), clock) as one:
        one.advance(MINUTE)
        github.fail("list_issues", ServerError(status=502), times=6)
        one.advance(10 * MINUTE)
        asked = len(github.requests_of("list_issues"))
        for _ in range(5):
            one.app._hint("acme/incidents", 99)
            one.advance(timedelta(seconds=10))
        assert len(github.requests_of("list_issues")) == asked


def test_a_list_that_is_behind_its_webhook_is_asked_once_more(
    tmp_path: Path, clock: FakeClock, github: FakeGitHub
) -> None:
    with world(polling(tmp_path, github, poll_every=HOUR), clock) as one:
        one.advance(MINUTE)
        github.list_lag = timedelta(seconds=40)
        opened(github, form(**ANSWERS))
        one.app._hint("acme/incidents", 1)
        one.advance(timedelta(seconds=30))
        assert one.incidents() == []
        one.advance(MINUTE)
        assert len(one.incidents()) == 1


# ---------------------------------------------------------------- what looks like the same problem


def reported(one: World) -> None:
    """The same problem, reported by other means."""
    report = Report(key="1", by="ann", summary="No payments", service="checkout", category=Category.OUTAGE)
    reading = Reading(alerts=(alert_of(report),), rejected=())
    one.app.writer.ask(Delivery(id="test", source="people", body=b"", reading=reading))


def test_what_is_open_for_the_same_problem_is_offered_and_not_joined(daemon: World, github: FakeGitHub) -> None:
    reported(daemon)
    daemon.advance(MINUTE)
    opened(github, form(**ANSWERS))
    daemon.advance(MINUTE)
    first, second = daemon.incidents()
    assert second.process.like == first.id
    (question,) = said(github, 2, "looks like the same problem")
    assert f"/merge INC-{first.id} " in question
    assert "@zoe" in question
    assert not said(github, 1, "looks like the same problem")
    daemon.advance(HOUR)
    assert len(said(github, 2, "looks like the same problem")) == 1


def test_the_reporter_may_join_what_was_offered_without_any_other_right(daemon: World, github: FakeGitHub) -> None:
    daemon.deliver(alert("Unrelated", labels={"severity": "warning"}))
    reported(daemon)
    daemon.advance(MINUTE)
    zoe, eve = (github.person(login, role=Role.READ) for login in ("zoe", "eve"))
    number = zoe.open("It is broken", form(**ANSWERS)).number
    daemon.advance(MINUTE)
    unrelated, first, mine = daemon.incidents()
    eve.comment(number, f"/merge {first.name}")
    zoe.comment(number, f"/ack\n/merge {unrelated.name}")
    daemon.advance(MINUTE)
    assert daemon.incidents()[2].parent is None
    assert daemon.incidents()[2].state is State.OPEN
    zoe.comment(number, f"/note It began with the release.\n/merge {first.name}")
    daemon.advance(MINUTE)
    assert daemon.incidents()[2].parent == first.id
    assert any("It began with the release." in text for text in daemon.timeline(mine.id))
    assert (github.issue(number).state, github.issue(number).state_reason) == ("closed", "duplicate")


def test_where_nothing_is_open_for_it_nothing_is_asked_and_others_join_it(daemon: World, github: FakeGitHub) -> None:
    opened(github, form(**ANSWERS))
    daemon.advance(MINUTE)
    reported(daemon)
    daemon.advance(MINUTE)
    (incident,) = daemon.incidents()
    assert incident.alerts == 2
    assert not said(github, 1, "same problem")


def test_a_report_of_what_was_resolved_lately_is_an_incident_of_its_own(daemon: World, github: FakeGitHub) -> None:
    opened(github, form(**ANSWERS))
    daemon.advance(MINUTE)
    github.person("zoe").close(1)
    daemon.advance(MINUTE)
    opened(github, form(**ANSWERS))
    daemon.advance(MINUTE)
    first, second = daemon.incidents()
    assert (first.state, second.state, second.follows) == (State.CLOSED, State.OPEN, first.id)
    assert not said(github, 2, "same problem")


def test_what_people_reported_is_never_folded_unasked(daemon: World, github: FakeGitHub) -> None:
    empty = {"summary": "Recommendations are empty", "services": "recommendations", "category": "degradation"}
    text = form(**{**ANSWERS, **empty, "impact": "moderate", "urgency": "medium"})
    before = opened(github, text, login="yan").number
    daemon.advance(MINUTE)
    kafka = {"namespace": "events", "job": "kafka", "severity": "critical"}
    daemon.deliver(alert("KafkaDown", labels=kafka))
    daemon.advance(MINUTE)
    after = opened(github, text).number
    daemon.advance(10 * MINUTE)
    assert len(daemon.incidents()) == 3
    assert [incident.parent for incident in daemon.incidents()] == [None] * 3
    assert [github.issue(number).state for number in (before, after)] == ["open"] * 2


def test_who_reported_what_a_responder_merged_is_told_and_may_split_it(daemon: World, github: FakeGitHub) -> None:
    daemon.deliver(alert("Slow", labels={"severity": "warning"}))
    zoe, bob = github.person("zoe", role=Role.READ), github.person("bob")
    number = zoe.open("It is broken", form(**{**ANSWERS, "impact": "minor"})).number
    daemon.advance(MINUTE)
    parent = next(one for one in daemon.incidents() if one.source != "people")
    bob.comment(number, f"/merge {parent.name}")
    daemon.advance(2 * MINUTE)
    assert github.issue(number).state == "closed"
    (told,) = said(github, number, "goes on there")
    assert parent.title.partition(" ")[0] in told
    assert "@zoe" in told
    zoe.comment(number, "/split")
    daemon.advance(2 * MINUTE)
    assert github.issue(number).state == "open"


def test_of_one_second_the_oldest_report_is_adopted_first_and_no_key_shows_in_a_title(
    daemon: World, github: FakeGitHub
) -> None:
    for _ in range(2):
        opened(github, form(**ANSWERS))
    daemon.advance(MINUTE)
    assert [row.address and row.address.number for row in daemon.rows()] == [1, 2]
    first, second = daemon.incidents()
    assert second.process.like == first.id
    assert second.title == "Customers cannot pay by card"
    (question,) = said(github, 2, "looks like the same problem")
    assert "Customers cannot pay by card" in question


def test_help_says_to_who_reported_it_what_they_may_do(daemon: World, github: FakeGitHub) -> None:
    zoe, eve = (github.person(login, role=Role.READ) for login in ("zoe", "eve"))
    number = zoe.open("It is broken", form(**ANSWERS)).number
    daemon.advance(MINUTE)
    zoe.comment(number, "/help")
    eve.comment(number, "/help")
    daemon.advance(2 * MINUTE)
    (told,) = said(github, number, "You reported this.")
    assert "/close" in told
    assert "/escalate" not in told


# ---------------------------------------------------------------- asked before it is closed


def resolved(one: World, github: FakeGitHub, **answers: str) -> Incident:
    opened(github, form(**{**ANSWERS, **answers}))
    one.advance(HOUR)
    one.act(1, ResolveAsked(actor=Actor(name="ann", kind=ActorKind.PERSON), record=Record()))
    one.advance(HOUR)
    (incident,) = one.incidents()
    assert incident.state is State.RESOLVED
    (question,) = said(github, 1, "Does it work again?")
    assert "@zoe" in question
    return incident


def test_the_daemon_closes_only_after_the_reporter_had_time_to_answer(slow: World, github: FakeGitHub) -> None:
    incident = resolved(slow, github, impact="minor", urgency="high")
    assert incident.severity is Severity.SEV3
    slow.advance(22 * HOUR)
    assert slow.incidents()[0].state is State.RESOLVED
    slow.advance(3 * HOUR)
    closed = slow.incidents()[0]
    assert (closed.state, closed.closed_by_kind) == (State.CLOSED, ActorKind.DAEMON)
    assert github.issue(1).state == "closed"
    assert len(said(github, 1, "Does it work again?")) == 1


def test_a_reporter_who_says_no_is_asked_again_the_next_time(slow: World, github: FakeGitHub) -> None:
    resolved(slow, github, impact="minor", urgency="high")
    zoe = Actor(name="zoe", kind=ActorKind.PERSON)
    slow.act(1, ReopenAsked(actor=zoe, reason="it still fails"))
    slow.advance(30 * HOUR)
    assert slow.incidents()[0].state.unfinished
    slow.act(1, ResolveAsked(actor=Actor(name="ann", kind=ActorKind.PERSON), record=Record()))
    slow.advance(HOUR)
    assert len(said(github, 1, "Does it work again?")) == 2
    slow.act(1, CloseAsked(actor=zoe, reason=CloseReason.COMPLETED, record=Record()))
    slow.advance(MINUTE)
    assert github.issue(1).state == "closed"


@pytest.mark.parametrize(
    ("answer", "state"), [("/close It works.", State.CLOSED), ("/reopen It fails again.", State.OPEN)]
)
def test_the_reporters_answer_counts(daemon: World, github: FakeGitHub, answer: str, state: State) -> None:
    zoe = github.person("zoe", role=Role.READ)
    zoe.open("It is broken", form(**{**ANSWERS, "impact": "minor"}))
    daemon.advance(MINUTE)
    daemon.act(1, ResolveAsked(actor=Actor(name="ann", kind=ActorKind.PERSON), record=Record()))
    daemon.advance(20 * MINUTE)
    zoe.comment(1, answer)
    daemon.advance(MINUTE)
    (incident,) = daemon.incidents()
    assert incident.state is state
    assert github.issue(1).state == ("closed" if state is State.CLOSED else "open")


def test_an_answer_in_words_keeps_the_daemon_from_closing_it(slow: World, github: FakeGitHub) -> None:
    resolved(slow, github, impact="minor", urgency="high")
    github.person("zoe").comment(1, "No, it is still broken.")
    slow.advance(30 * HOUR)
    assert slow.incidents()[0].state is State.RESOLVED
    assert github.issue(1).state == "open"
    github.person("zoe").comment(1, "/close Now it works.")
    slow.advance(2 * HOUR)
    assert slow.incidents()[0].state is State.CLOSED


def test_what_a_person_has_to_close_waits_for_that_person(slow: World, github: FakeGitHub) -> None:
    assert resolved(slow, github).severity is Severity.SEV2
    slow.advance(3 * 24 * HOUR)
    assert slow.incidents()[0].state is State.RESOLVED


# ---------------------------------------------------------------- what waits


WINDOW = """
- match: ['service="checkout"']
  from: 2026-11-23T08:00Z
  to: 2026-11-23T12:00Z
  all: true
  reason: Move
"""


@pytest.fixture
def maintained(tmp_path: Path, clock: FakeClock, github: FakeGitHub) -> Iterator[World]:
    rules = tmp_path / "rules"
    shutil.copytree(defaults.RULES, rules)
    (rules / "maintenance.yaml").write_text(WINDOW)
    settings = polling(tmp_path, github, poll_every=timedelta(minutes=20)).model_copy(update={"rules": rules})
    with world(settings, clock) as one:
        one.advance(MINUTE)
        yield one


def test_what_maintenance_holds_back_gets_its_issue_when_it_opens(maintained: World, github: FakeGitHub) -> None:
    text = form(**ANSWERS)
    opened(github, text)
    maintained.advance(HOUR)
    github.person("zoe").comment(1, "It is back for some.")
    maintained.advance(HOUR)
    assert github.issue(1).body == text
    maintained.advance(2 * HOUR)
    (incident,) = maintained.incidents()
    assert incident.state is State.OPEN
    assert ends_so(github.issue(1).body, text)
    assert len(github.issues) == 1


def test_what_is_closed_while_it_waits_never_opens(maintained: World, github: FakeGitHub) -> None:
    text = form(**ANSWERS)
    opened(github, text)
    maintained.advance(HOUR)
    github.person("zoe").close(1)
    maintained.advance(6 * HOUR)
    assert [incident.opened_at for incident in maintained.incidents()] in ([], [None])
    assert (github.issue(1).body, github.issue(1).state) == (text, "closed")


# ---------------------------------------------------------------- once


@pytest.mark.parametrize("fault", [LostAnswer(), LateCommit(after=timedelta(seconds=8)), ServerError(status=502)])
def test_an_answer_that_is_lost_puts_no_second_block_there(
    daemon: World, github: FakeGitHub, fault: LostAnswer | LateCommit | ServerError
) -> None:
    text = form(**ANSWERS)
    github.fail("update_issue", fault)
    opened(github, text)
    daemon.advance(10 * MINUTE)
    assert ends_so(github.issue(1).body, text)
    assert not github.creates


FEW_RULES = """
matrix:
  extensive:   [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate:    [sev2, sev3, sev3, sev4]
  minor:       [sev3, sev3, sev4, sev4]
default: {impact: moderate, urgency: high, category: outage, team: platform}
key: [category]
rules: []
"""


def few_rules(folder: Path) -> Path:
    """Rules that are read in no time: many daemons start here."""
    rules = folder / "rules"
    shutil.copytree(defaults.RULES, rules, ignore=shutil.ignore_patterns("tests", "sources", "heartbeats.yaml"))
    (rules / "triage.yaml").write_text(FEW_RULES)
    return rules


def test_a_repository_that_is_renamed_keeps_its_reports_and_takes_new_ones(daemon: World, github: FakeGitHub) -> None:
    zoe = github.person("zoe")
    zoe.open("It is broken", form(**ANSWERS))
    daemon.advance(MINUTE)
    zoe.rename_repository("acme/operations")
    zoe.comment(1, "Still so.")
    zoe.open("Something else", form(**{**ANSWERS, "services": "", "category": ""}))
    daemon.advance(3 * MINUTE)
    assert [row.address and (row.address.repository, row.address.number) for row in daemon.rows()] == [
        ("acme/operations", 1),
        ("acme/operations", 2),
    ]
    assert sum("Still so." in text for text in daemon.timeline(1)) == 1


def test_two_replicas_that_find_the_same_issues_at_once_open_one_incident_for_each(
    tmp_path: Path, clock: FakeClock, github: FakeGitHub, new_store: Callable[[str], str]
) -> None:
    settings = polling(tmp_path, github).model_copy(
        update={"store": new_store("postgres"), "rules": few_rules(tmp_path)}
    )
    found = [
        Adopt(
            address=Address(
                backend="github", repository="acme/incidents", number=number, url=f"https://x.test/{number}"
            ),
            opened=Opened(by="zoe", at=START, title=f"Broken {number}", filed=Filed(category=Category.OUTAGE)),
        )
        for number in range(1, 9)
    ]
    with world(settings, clock) as one, world(settings, clock) as other, ThreadPoolExecutor(2) as both:
        asked = [both.submit(lambda app: [app.writer.ask(unit) for unit in found], two.app) for two in (one, other)]
        assert {answer.status for future in asked for answer in future.result()} == {200}
        incidents = one.incidents()
        with one.app.store.read() as reader:
            places = looks.at_places(reader.connection, "acme/incidents", range(1, 9))
    assert len(incidents) == 8
    assert {place.incident_id for place in places.values()} == {incident.id for incident in incidents}
    assert sum(incident.process.like is None for incident in incidents) == 1


@pytest.mark.no_cover
def test_death_at_any_instant_leaves_one_incident_with_one_block(tmp_path: Path) -> None:
    kill_at, died = 0, True
    while died:
        # After one call is before the next: nothing is kept in between.
        kill_at += 2
        folder = tmp_path / str(kill_at)
        folder.mkdir()
        died = one_life(folder, Fate(kill_at))
    assert kill_at > 8


def make_mortal(one: World, fate: Fate) -> None:
    """Each request and each commit of those who find, publish and comment may be the last."""
    poll = next(loop.worker for loop in one.app.loops if isinstance(loop.worker, PollWorker))
    adopting = poll._take.__self__  # type: ignore[attr-defined]
    for part, names in (
        (one.app.backend, ("update", "comment")),
        (one.app.publish.worker, ("_run",)),
        (poll, ("_run",)),
        (adopting, ("_ask",)),
    ):
        for name in names:
            setattr(part, name, fate.around(getattr(part, name)))


def one_life(folder: Path, fate: Fate) -> bool:
    """Whether the daemon was killed at its instant; asserts that nothing came of it."""
    clock, text = FakeClock(START), form(**ANSWERS)
    with FakeGitHub(now=clock.now, oracle=False) as github:
        settings = polling(folder, github, poll_every=10 * MINUTE).model_copy(update={"rules": few_rules(folder)})
        died = False
        with world(settings, clock) as one:
            reported(one)
            one.advance(MINUTE)
            make_mortal(one, fate)
            opened(github, text)
            one.app._hint("acme/incidents", 2)
            try:
                one.advance(MINUTE)
            except Killed:
                died = True
            incidents = one.incidents()
        if died:
            with world(settings, clock) as one:
                # A comment of which nobody knows is looked for as long as a list may hide it.
                one.advance(20 * MINUTE)
                incidents = one.incidents()
        where = f"killed at instant {fate.kill_at}"
        assert len(incidents) == 2, where
        assert len(github.issues) == 2, where
        assert ends_so(github.issue(2).body, text), where
        assert len(said(github, 2, "same problem")) == 1, where
    return died
