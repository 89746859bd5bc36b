"""Reviews: begun at the end of a grave incident, held on an issue of their own, followed until all is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from dying import Fate, Killed
from fakes.github import FakeGitHub
from triaged import defaults
from triaged.app import App
from triaged.clock import FakeClock
from triaged.core.events import ActionAsked, CloseAsked, MergeAsked, Noted, Record, ReviewAsked
from triaged.core.model import ActionKind, Actor, ActorKind, CloseReason, Incident, Review, ReviewOutcome, State
from triaged.ids import operation_id
from triaged.store import schema as s
from triaged.workers.publish import PublishWorker
from world import ANN, START, World, alert, settings_for, world

BOB = Actor(name="bob", kind=ActorKind.PERSON)
RULES = """
matrix:
  extensive: [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate: [sev2, sev3, sev3, sev4]
  minor: [sev3, sev3, sev4, sev4]
default: {impact: moderate, urgency: high, category: error, team: platform}
key: [alertname, cluster]
rules:
- {name: grave, match: ['severity="critical"'], impact: extensive, urgency: critical, because: Nobody can pay.}
- {name: secret, match: ['secret="yes"'], restricted: true, because: Somebody is in.}
"""
OUT = "- {name: out, match: ['app=\"shop\"'], category: outage, because: Out.}\n"
GRAVE = {"severity": "critical"}
HOURS = timedelta(hours=1)


@contextmanager
def living(folder: Path, github: FakeGitHub, clock: FakeClock, more: str = "") -> Iterator[World]:
    rules = folder / "rules"
    rules.mkdir(exist_ok=True)
    (rules / "triage.yaml").write_text(RULES + more)
    for name in ("severities.yaml", "calendars.yaml"):
        (rules / name).write_text((defaults.RULES / name).read_text())
    with world(settings_for(folder, github).model_copy(update={"rules": rules}), clock) as one:
        yield one


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def github(clock: FakeClock) -> Iterator[FakeGitHub]:
    with FakeGitHub(now=clock.now) as fake:
        yield fake


def restored(one: World, *, name: str = "HighErrorRate", **labels: str) -> Incident:
    """A Sev-1 that somebody took, and that is over after two hours."""
    one.deliver(alert(name, labels={**GRAVE, **labels}, starts=one.clock.now()))
    one.act(1, Noted(actor=ANN, text="hypothesis: the release"))
    one.act(1, Noted(actor=BOB, text="decision: roll back"))
    one.advance(2 * HOURS)
    one.deliver(alert(name, status="resolved", labels={**GRAVE, **labels}, ends=one.clock.now()))
    one.advance(HOURS)
    found = one.incidents()[0]
    assert found.state is State.RESOLVED
    return found


def test_a_resolved_sev1_gets_a_review_issue_with_what_the_talk_needs(
    tmp_path: Path, github: FakeGitHub, clock: FakeClock
) -> None:
    with living(tmp_path, github, clock) as one:
        incident = restored(one)
        review = incident.process.review
        assert review is not None
        # Monday 11:30: two days later the office is open, three days too.
        assert (review.opens_at, review.due_at) == (
            datetime(2026, 11, 25, 11, 30, tzinfo=UTC),
            datetime(2026, 11, 26, 11, 30, tzinfo=UTC),
        )
        (first, second) = sorted(github.issues, key=lambda issue: issue.number)
        assert first.title.startswith("INC-1 ")
        assert second.title == f"{review.name} Review of INC-1 HighErrorRate · eu-1"
        assert {*github.labels(second.number)} == {"review", "severity: sev1", "team: platform"}
        body = second.body or ""
        for told in (
            "to be held by 2026-11-26 11:30 UTC",
            "**Participants:** ann, bob",
            "**Hypothesis** by ann: the release",
            "**Decision** by bob: roll back",
            "| To restore, from its opening | 2 h |",
            "## What went well",
            "## What could be improved",
            "## Action items",
            "### Contributing factors",
            f"/issues/{first.number})",
            "Action items: comment `/action TEXT`, with lines such as `owner: bob` and `due: 14d`; tick them here",
            "Then close this issue, or comment `/review held`.",
        ):
            assert told in body, told
        assert "(rev=" not in body
        assert f" rev={review.number} -->" in body


def test_closing_the_issue_of_a_review_says_that_it_was_held(
    tmp_path: Path, github: FakeGitHub, clock: FakeClock
) -> None:
    with living(tmp_path, github, clock) as one:
        restored(one)
        github.person("bob-acme").close(2)
        # It is found by asking what changed, before the review opens: nobody is reminded of it.
        one.advance(49 * HOURS)
        review = reviewed(one)
        assert (review.outcome, review.by) == (ReviewOutcome.HELD, "bob-acme")
        assert one.incidents()[0].state is State.RESOLVED
        assert github.issue(2).state == "closed"
        assert sum("reminded of it" in text for text in one.timeline(1) if "its review" in text) == 0
        github.person("bob-acme").reopen(2)
        one.act(1, Noted(actor=ANN, text="decision: look again"))
        one.advance(HOURS)
        assert reviewed(one).outcome is ReviewOutcome.OPEN


def test_closing_it_as_not_planned_waives_it_with_that_as_the_reason(
    tmp_path: Path, github: FakeGitHub, clock: FakeClock
) -> None:
    with living(tmp_path, github, clock) as one:
        restored(one)
        github.person("bob-acme").close(2, "not_planned")
        one.advance(49 * HOURS)
        review = reviewed(one)
        assert (review.outcome, review.reason) == (ReviewOutcome.WAIVED, "its issue was closed as not planned")
        assert (github.issue(2).state, github.issue(2).state_reason) == ("closed", "not_planned")


def test_what_people_wrote_into_a_review_stays_and_ours_follows(
    tmp_path: Path, github: FakeGitHub, clock: FakeClock
) -> None:
    with living(tmp_path, github, clock) as one:
        restored(one)
        body = github.issue(2).body or ""
        github.person("bob-acme").edit_body(
            2, body.replace("## What went well", "## What went well\n\nWe spoke early.")
        )
        one.act(1, ActionAsked(actor=ANN, text="Test the rollback", kind=ActionKind.PROCESS, due_in=timedelta(days=9)))
        one.advance(HOURS)
        body = github.issue(2).body or ""
        assert "We spoke early." in body
        assert "**Process improvements**\n\n- [ ] 1. Test the rollback · due 2026-12-02 12:00 UTC" in body
        one.act(1, ActionAsked(actor=BOB, done=1))
        one.advance(HOURS)
        assert "- [x] 1. Test the rollback · done 2026-11-23 13:00 UTC by bob" in (github.issue(2).body or "")


def test_an_incident_that_opens_again_takes_its_review_back_and_gets_the_same_one_later(
    tmp_path: Path, github: FakeGitHub, clock: FakeClock
) -> None:
    with living(tmp_path, github, clock) as one:
        number = restored(one).process.review
        assert number is not None
        one.deliver(alert(labels=GRAVE, starts=clock.now()))
        one.advance(HOURS)
        assert (reviewed(one).outcome, one.incidents()[0].state) == (ReviewOutcome.WITHDRAWN, State.OPEN)
        assert "withdrawn" in (github.issue(2).body or "")
        assert github.issue(2).state == "open"
        one.deliver(alert(status="resolved", labels=GRAVE, ends=clock.now()))
        one.advance(HOURS)
        review = reviewed(one)
        assert (review.outcome, review.number) == (ReviewOutcome.OPEN, number.number)
        assert review.due_at > number.due_at
        assert len(github.issues) == 2


def test_what_turns_out_to_be_nothing_is_not_reviewed(tmp_path: Path, github: FakeGitHub, clock: FakeClock) -> None:
    with living(tmp_path, github, clock) as one:
        restored(one)
        one.act(1, CloseAsked(actor=ANN, reason=CloseReason.FALSE_ALARM, record=Record()))
        one.advance(HOURS)
        assert reviewed(one).outcome is ReviewOutcome.WITHDRAWN
        assert (github.issue(2).state, github.issue(2).state_reason) == ("closed", "not_planned")
        one.advance(timedelta(days=3))
        assert not [text for text in one.timeline(1) if "reminded" in text and "review" in text]


def test_what_is_merged_into_another_is_reviewed_with_that(
    tmp_path: Path, github: FakeGitHub, clock: FakeClock
) -> None:
    with living(tmp_path, github, clock) as one:
        restored(one)
        one.deliver(alert("Other", labels=GRAVE, starts=clock.now()), alert(labels=GRAVE, starts=clock.now()))
        assert one.act(1, MergeAsked(actor=ANN, into=3)).status == 200
        one.advance(timedelta(minutes=1))
        assert reviewed(one).outcome is ReviewOutcome.WITHDRAWN
        assert github.issue(2).state == "closed"


def test_an_incident_is_closed_whether_or_not_it_was_reviewed(
    tmp_path: Path, github: FakeGitHub, clock: FakeClock
) -> None:
    with living(tmp_path, github, clock) as one:
        restored(one)
        assert one.act(1, CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record())).status == 200
        one.advance(timedelta(days=4))
        assert reviewed(one).outcome is ReviewOutcome.OPEN
        assert [(issue.number, issue.state) for issue in github.issues] == [(1, "closed"), (2, "open")]
        answer = one.act(1, ReviewAsked(actor=ANN, outcome=ReviewOutcome.HELD))
        one.settle()
        one.advance(HOURS)
        assert answer.status == 200
        assert github.issue(2).state_reason == "completed"


def test_reminders_come_in_working_time(tmp_path: Path, github: FakeGitHub, clock: FakeClock) -> None:
    """From a Wednesday evening: two days later is a Friday after hours, so that Monday and Tuesday are asked for."""
    clock.move_to(datetime(2026, 11, 25, 15, 0, tzinfo=UTC))
    with living(tmp_path, github, clock) as one:
        restored(one)
        one.advance(timedelta(days=7))
        with one.app.store.read() as reader:
            told = [entry.at for entry in reader.timeline(1, 1_000) if "its review" in entry.text]
            notices = select(s.notices.c.outcome).where(s.notices.c.kind == "review")
            outcomes = reader.connection.execute(notices).scalars().all()
        # There is no channel to tell them by, but it is not too late to be told.
        assert outcomes == ["silent"] * 3
        assert [f"{at:%a %d %H:%M}" for at in told] == [
            "Mon 30 09:00",
            "Tue 01 09:00",
            "Wed 02 09:00",
        ]
        assert one.timeline(1)[-1] == "its review was due at 2026-12-01 09:00 UTC: team and on call reminded of it"


def test_a_restricted_incident_has_a_review_that_tells_nothing(
    tmp_path: Path, github: FakeGitHub, clock: FakeClock
) -> None:
    with living(tmp_path, github, clock) as one:
        restored(one, secret="yes")
        issue = github.issue(2)
        assert "shown to responders only" in (issue.body or "")
        assert "release" not in (issue.body or "")
        assert github.labels(2) == []


def test_hostile_words_form_nothing_in_the_issue_of_a_review(
    tmp_path: Path, github: FakeGitHub, clock: FakeClock
) -> None:
    hostile = "@everyone #1 <b>x</b> ![i](http://evil.example) \n# big\n- [ ] fake"
    with living(tmp_path, github, clock) as one:
        restored(one)
        one.act(1, Noted(actor=Actor(name=hostile[:60], kind=ActorKind.PERSON), text=f"decision: {hostile}"))
        one.act(1, ActionAsked(actor=ANN, text=hostile, kind=ActionKind.TOOL))
        one.advance(HOURS)
        body = github.issue(2).body or ""
        assert "@everyone" not in body
        assert "<b>" not in body
        assert "\n# big" not in body
        assert " ![i](" not in body


def test_a_changed_backend_publishes_open_reviews_anew(tmp_path: Path, clock: FakeClock) -> None:
    with FakeGitHub(now=clock.now) as old, living(tmp_path, old, clock) as one:
        restored(one)
    rules = tmp_path / "rules"
    with world(settings_for(tmp_path).model_copy(update={"rules": rules}), clock) as one:
        one.advance(HOURS)
        names = sorted(path.name for path in (tmp_path / "incidents").glob("*.md"))
        assert names == ["INC-1.md", "REV-2.md"]
        assert any(text.startswith("REV-2 was published at http") for text in one.timeline(1))


def test_what_is_forgotten_takes_its_review_along(tmp_path: Path, github: FakeGitHub, clock: FakeClock) -> None:
    with living(tmp_path, github, clock) as one:
        restored(one)
        one.act(1, ActionAsked(actor=ANN, text="Learn"))
        one.act(1, CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record()))
        one.advance(HOURS)
        gone = one.app.writer.run(lambda tx, now: tx.forget_incidents(now + HOURS))
        with one.app.store.read() as reader:
            left = [
                reader.connection.execute(select(func.count()).select_from(table)).scalar()
                for table in (s.incidents, s.reviews, s.action_items, s.publications, s.comments)
            ]
        assert (gone, left) == (1, [0, 0, 0, 0, 0])


def reviewed(one: World) -> Review:
    found = one.incidents()[0].process.review
    assert found is not None
    return found


# ---------------------------------------------------------------- death

QUICK = """
sev1:
  targets: {response: 15m, resolution: 4h}
  calendar: always
  compliance: {response: 0.95, resolution: 0.9}
  verify_for: 1m
  reopen_within: 1m
  close: person
  review: {between: [2m, 4m]}
"""


@pytest.mark.no_cover
def test_death_at_any_instant_leaves_one_issue_of_one_review_and_each_reminder_once(tmp_path: Path) -> None:
    # The incident's issue is there by then: these are an update of it, the review's create, and updates of both.
    assert all(_one_life(tmp_path / f"{kill_at}", kill_at) for kill_at in range(1, 21))


def _one_life(folder: Path, kill_at: int) -> bool:
    """Whether the daemon was killed at that instant; asserts that nothing came of it."""
    rules = folder / "rules"
    rules.mkdir(parents=True)
    clock = FakeClock(START)
    with FakeGitHub(now=clock.now) as github:
        (rules / "triage.yaml").write_text(RULES)
        (rules / "severities.yaml").write_text("".join(QUICK.replace("sev1:", f"sev{n}:") for n in range(1, 5)))
        (rules / "calendars.yaml").write_text("business: {zone: UTC, hours: {monday-friday: ['09:00-17:00']}}\n")
        settings = settings_for(folder, github).model_copy(update={"rules": rules})
        died = False
        with world(settings, clock) as one:
            one.deliver(alert(labels=GRAVE))
            one.advance(timedelta(minutes=1))
            one.deliver(alert(status="resolved", labels=GRAVE, ends=clock.now()))
            one.app.publish.worker = mortal_publishing(one.app, Fate(kill_at))
            try:
                one.advance(timedelta(minutes=8))
            except Killed:
                died = True
        with world(settings, clock) as one:
            # It died before its review was due, and everything comes all the same.
            one.advance(timedelta(minutes=8))
            review = one.incidents()[0].process.review
            told = [text for text in one.timeline(1) if text.endswith("reminded of it")]
        where = f"killed at instant {kill_at}"
        assert review is not None, where
        titles = sorted(issue.title for issue in github.issues)
        assert titles == ["INC-1 HighErrorRate · eu-1", f"{review.name} Review of INC-1 HighErrorRate · eu-1"], where
        assert len(told) == 2, (where, told)
    return died


def mortal_publishing(app: App, fate: Fate) -> PublishWorker:
    """The publishing of this daemon in the hands of fate: before and after each commit and each request."""
    for call in ("create", "find", "update", "comment", "has_comment"):
        setattr(app.backend, call, fate.around(getattr(app.backend, call)))
    return PublishWorker(
        app.backend,
        read=app.store.read,
        run=fate.around(app.writer.run),
        render=app.render,
        mentions=app.mentions,
        clock=app.clock,
        operation_id=operation_id,
        interval=timedelta(seconds=10),
    )


# ---------------------------------------------------------------- downtime that adds up


def test_a_service_over_its_budget_of_downtime_is_reviewed_once(
    tmp_path: Path, github: FakeGitHub, clock: FakeClock
) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "services.yaml").write_text(
        "services:\n  shop: {match: ['app=\"shop\"'], downtime: {budget: 1h, within: 30d}}\n"
    )
    with living(tmp_path, github, clock, OUT) as one:
        for number in range(4):
            name = f"Out{number}"
            one.deliver(alert(name, labels={"severity": "warning", "app": "shop"}, starts=clock.now()))
            one.advance(timedelta(minutes=25))
            one.deliver(alert(name, status="resolved", labels={"severity": "warning", "app": "shop"}, ends=clock.now()))
            one.advance(timedelta(minutes=95))
        reviews = [incident.process.review for incident in one.incidents()]
        assert [review is not None for review in reviews] == [False, False, True, False]
        assert reviews[2] is not None
        assert reviews[2].because == "shop was down for 1 h 15 min in 30 d, more than its budget of 1 h"
        assert "**Why:** shop was down for 1 h 15 min" in (github.issue(4).body or "")
    with living(tmp_path, github, clock, OUT) as one:
        # A restart looks at every service with a budget anew.
        one.advance(timedelta(minutes=5))
        assert [found.process.review is not None for found in one.incidents()].count(True) == 1


def test_the_quiet_before_a_reopening_is_no_downtime(tmp_path: Path, github: FakeGitHub, clock: FakeClock) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "services.yaml").write_text(
        "services:\n  shop: {match: ['app=\"shop\"'], downtime: {budget: 1h, within: 30d}}\n"
    )
    with living(tmp_path, github, clock, OUT) as one:
        labels = {"severity": "warning", "app": "shop"}
        for _ in range(2):
            one.deliver(alert("Out", labels=labels, starts=clock.now()))
            one.advance(timedelta(minutes=5))
            one.deliver(alert("Out", status="resolved", labels=labels, ends=clock.now()))
            one.advance(timedelta(hours=20))
        (incident,) = one.incidents()
        assert incident.round == 2
        assert incident.process.review is None
