"""Problems over the whole daemon in virtual time: incidents that recur, their issue on GitHub, and what people do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from fakes.github import FakeGitHub
from triaged import defaults
from triaged.clock import FakeClock
from triaged.core.events import CloseAsked, KnowledgeAdded, Record
from triaged.core.model import CloseReason, Link
from triaged.core.problems import Problem, ProblemKind, ProblemState
from triaged.core.solving import (
    ProblemAct,
    ProblemClosed,
    ProblemExplained,
    ProblemNoted,
    ProblemReopened,
    ProblemWorkedAround,
)
from triaged.intake.units import Answer, AskProblem
from triaged.store import problems, queue
from world import ANN, START, World, alert, settings_for, world

HOUR = timedelta(hours=1)
RULES = """
matrix:
  extensive: [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate: [sev2, sev3, sev3, sev4]
  minor: [sev3, sev3, sev4, sev4]
default: {impact: moderate, urgency: high, category: error, team: platform}
key: [alertname, cluster]
storm: {opened: 5, within: 1m}
problems:
  same_key: {incidents: 3, within: 7d}
  same_service: {incidents: 4, within: 7d}
  downtime: {of: 3h, within: 7d}
rules:
- {name: slow, match: ['kind="slow"'], category: degradation}
- {name: down, match: ['kind="down"'], category: outage}
- {name: secret, match: ['kind="secret"'], category: security}
"""
SERVICES = """
services:
  shop: {match: ['app="shop"'], team: payments}
teams: {platform: {}, payments: {}}
"""


def rules_in(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "triage.yaml").write_text(RULES)
    (folder / "services.yaml").write_text(SERVICES)
    (folder / "calendars.yaml").write_text((defaults.RULES / "calendars.yaml").read_text())
    (folder / "severities.yaml").write_text((defaults.RULES / "severities.yaml").read_text())
    return folder


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def github(clock: FakeClock) -> Iterator[FakeGitHub]:
    with FakeGitHub(now=clock.now) as fake:
        yield fake


@pytest.fixture
def one(tmp_path: Path, clock: FakeClock, github: FakeGitHub) -> Iterator[World]:
    settings = settings_for(tmp_path, github).model_copy(update={"rules": rules_in(tmp_path / "rules")})
    with world(settings, clock) as made:
        yield made


def happen(
    one: World,
    name: str = "Slow",
    lasting: timedelta = HOUR,
    *,
    reason: CloseReason = CloseReason.COMPLETED,
    fix: str = "",
    **labels: str,
) -> int:
    """It comes and goes, a person closes it, and a day and a half later the next one is another incident."""
    begun = one.clock.now()
    one.deliver(alert(name, labels=labels, starts=begun))
    one.advance(timedelta(seconds=30))
    incident = one.incidents()[-1]
    one.clock.move_to(begun + lasting)
    one.deliver(alert(name, status="resolved", labels=labels, starts=begun, ends=one.clock.now()))
    one.act(incident.id, CloseAsked(actor=ANN, reason=reason, record=Record(fix=fix)))
    one.advance(timedelta(minutes=1))
    one.clock.move_to(begun + lasting + timedelta(hours=30))
    one.advance(timedelta(minutes=1))
    return incident.id


def found(one: World) -> list[Problem]:
    with one.app.store.read() as reader:
        rows = problems.listed(reader.connection, state=None, team=None, before=None, limit=100)
    return [row.problem for row in rows][::-1]


def ask(one: World, number: int, act: ProblemAct) -> Answer:
    answer = one.app.writer.ask(AskProblem(number=number, act=act))
    one.advance(timedelta(minutes=1))
    return answer


def text_of(one: World, github: FakeGitHub, number: int) -> str:
    """The body of the issue of an incident or a problem."""
    with one.app.store.read() as reader:
        published = queue.publication_of(reader.connection, number)
    assert published is not None
    (issue,) = [issue for issue in github.issues if issue.number == published.number]
    return issue.body or ""


# ---------------------------------------------------------------- what becomes a problem


def test_the_third_incident_of_one_key_opens_a_problem_with_an_issue_of_its_own(one: World, github: FakeGitHub) -> None:
    ids = [happen(one, fix="Restarted it."), happen(one)]
    assert found(one) == []
    ids.append(happen(one))
    (problem,) = found(one)
    assert (problem.kind, problem.state, problem.incidents) == (ProblemKind.RECURRING, ProblemState.OPEN, 3)
    assert problem.because == "3 incidents of the same key within 7 d"
    issue = github.issues[-1]
    assert (issue.title, issue.state) == (f"{problem.name} Recurring: Slow · eu-1", "open")
    assert {*issue.labels} >= {"problem", "problem: recurring", "team: platform"}
    body = issue.body or ""
    for incident_id in ids:
        assert f"| [INC-{incident_id}](" in body
        assert f"**Problem:** [{problem.name}](" in text_of(one, github, incident_id)
        assert f"part of problem {problem.name}" in one.timeline(incident_id)
    assert "Restarted it." in body
    assert "3 h together" in body
    assert "## Root cause analysis" in body
    assert one.timeline(problem.id) == ["opened: 3 incidents of the same key within 7 d"]


def test_what_follows_is_linked_while_the_problem_is_open(one: World, github: FakeGitHub) -> None:
    for _ in range(3):
        happen(one)
    later = happen(one)
    (problem,) = found(one)
    assert problem.incidents == 4
    assert f"INC-{later}" in text_of(one, github, problem.id)
    assert len(github.issues) == 5


def test_what_lies_further_back_than_the_window_does_not_count(one: World) -> None:
    happen(one)
    happen(one)
    one.clock.move_to(one.clock.now() + timedelta(days=7))
    happen(one)
    assert found(one) == []


def test_degradation_that_comes_again_is_a_matter_of_capacity(one: World) -> None:
    for _ in range(3):
        happen(one, kind="slow")
    (problem,) = found(one)
    assert (problem.kind, problem.category) == (ProblemKind.CAPACITY, "degradation")


def test_different_alerts_of_one_service_and_category_are_one_problem(one: World) -> None:
    for name in ("A", "B", "C"):
        happen(one, name, app="shop")
    happen(one, "D")
    assert found(one) == []
    happen(one, "E", app="shop")
    (problem,) = found(one)
    assert (problem.title, problem.team, problem.incidents) == ("shop · error", "payments", 4)


def test_what_one_problem_follows_is_not_counted_for_another(one: World) -> None:
    for _ in range(3):
        happen(one, "A", app="shop")
    happen(one, "B", app="shop")
    (problem,) = found(one)
    assert (problem.title, problem.incidents) == ("A · eu-1", 3)


def test_downtime_of_a_service_adds_up_to_a_problem(one: World, github: FakeGitHub) -> None:
    happen(one, "A", lasting=2 * HOUR, app="shop", kind="down")
    assert found(one) == []
    happen(one, "B", lasting=timedelta(minutes=70), app="shop", kind="down")
    (problem,) = found(one)
    assert (problem.kind, problem.title) == (ProblemKind.DOWNTIME, "shop · downtime")
    assert problem.because == "3 h 10 min of downtime in 2 incidents within 7 d; 3 h make a problem"
    assert "3 h 10 min together" in text_of(one, github, problem.id)


@pytest.mark.parametrize("reason", [CloseReason.FALSE_ALARM, CloseReason.NOT_PLANNED])
def test_what_was_no_trouble_does_not_count(one: World, reason: CloseReason) -> None:
    happen(one)
    happen(one, reason=reason)
    happen(one)
    assert found(one) == []
    happen(one)
    (problem,) = found(one)
    assert problem.incidents == 3


def test_a_false_alarm_that_counted_counts_no_more(one: World, github: FakeGitHub) -> None:
    happen(one)
    happen(one)
    last = happen(one, reason=CloseReason.FALSE_ALARM)
    (problem,) = found(one)
    # It was the third while it was open.
    assert (problem.incidents, problem.state) == (2, ProblemState.OPEN)
    assert f"INC-{last} counts no more: false alarm" in one.timeline(problem.id)
    assert f"| [INC-{last}](" not in text_of(one, github, problem.id)


def test_what_is_no_trouble_after_all_leaves_a_problem_that_is_closed_too(one: World) -> None:
    happen(one)
    happen(one)
    one.deliver(alert("Slow", starts=one.clock.now()))
    one.advance(timedelta(minutes=1))
    (problem,), last = found(one), max(incident.id for incident in one.incidents())
    assert ask(one, problem.id, ProblemClosed(actor=ANN)).status == 200
    one.act(last, CloseAsked(actor=ANN, reason=CloseReason.FALSE_ALARM, record=Record()))
    one.advance(timedelta(minutes=1))
    (closed,) = found(one)
    assert (closed.state, closed.incidents) == (ProblemState.CLOSED, 2)
    assert f"INC-{last} counts no more: false alarm" in one.timeline(problem.id)
    ask(one, problem.id, ProblemReopened(actor=ANN))
    assert [one.incidents for one in found(one)] == [2]


def test_neither_a_storm_nor_what_is_folded_into_it_counts(one: World) -> None:
    for day in range(4):
        one.clock.move_to(START + timedelta(days=2 * day))
        now = one.clock.now()
        one.deliver(*(alert(f"A{number}", starts=now) for number in range(8)))
        one.advance(timedelta(minutes=1))
        one.deliver(*(alert(f"A{number}", status="resolved", starts=now, ends=now) for number in range(8)))
        one.advance(3 * HOUR)
        for incident in one.incidents():
            one.act(incident.id, CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record()))
    storms = {incident.id for incident in one.incidents() if "Storm" in incident.title}
    folded = {incident.id for incident in one.incidents() if incident.parent is not None}
    assert storms
    assert folded
    with one.app.store.read() as reader:
        rows = [problems.incidents_of(reader.connection, problem.id, 100) for problem in found(one)]
    followed = {incident.id for incidents in rows for incident in incidents}
    # Those that opened before the storm began are incidents like any other.
    assert followed
    assert not followed & (storms | folded)


# ---------------------------------------------------------------- what people do to it


def test_a_person_closes_the_issue_and_only_a_new_count_opens_the_problem_again(one: World, github: FakeGitHub) -> None:
    for _ in range(3):
        happen(one)
    issue = github.issues[-1]
    github.person("ann").close(issue.number, "completed")
    one.clock.move_to(one.clock.now() + HOUR)
    # The close is seen when the issue is written the next time, and counts from its own instant.
    happen(one)
    (problem,) = found(one)
    assert (problem.state, problem.closed_by, problem.incidents) == (ProblemState.CLOSED, "ann", 3)
    assert github.issues[3].state == "closed"
    happen(one)
    assert found(one)[0].state is ProblemState.CLOSED
    happen(one)
    (problem,) = found(one)
    assert (problem.state, problem.incidents, problem.closed_at) == (ProblemState.OPEN, 6, None)
    assert issue.state == "open"
    assert len(github.issues) == 7


def test_what_is_closed_here_is_closed_at_github_with_what_was_found(one: World, github: FakeGitHub) -> None:
    for _ in range(3):
        happen(one)
    (problem,) = found(one)
    act = ProblemClosed(actor=ANN, reason=CloseReason.NOT_PLANNED, root_cause="A cron job.", fix="None.")
    assert ask(one, problem.id, act).status == 200
    issue = github.issues[-1]
    assert (issue.state, issue.state_reason) == ("closed", "not_planned")
    assert "A cron job." in (issue.body or "")
    again = ask(one, problem.id, act)
    assert (again.status, again.error) == (409, f"{problem.name} was closed by ann: expected one that is open")
    assert ask(one, problem.id, ProblemReopened(actor=ANN, reason="no")).status == 200
    assert issue.state == "open"
    assert ask(one, problem.id, ProblemReopened(actor=ANN)).status == 409
    assert ask(one, 999, ProblemReopened(actor=ANN)).status == 404


def test_a_workaround_is_shown_by_the_incidents_that_are_open(one: World, github: FakeGitHub) -> None:
    for _ in range(3):
        happen(one)
    (problem,) = found(one)
    one.deliver(alert("Slow", starts=one.clock.now()))
    one.advance(timedelta(minutes=1))
    newest = one.incidents()[-1]
    said = ProblemWorkedAround(actor=ANN, text="Restart *it*.", root_cause="A leak.")
    assert ask(one, problem.id, said).status == 200
    assert r"**Known workaround:** Restart \*it\*." in text_of(one, github, newest.id)
    assert "When it is mended for good close this issue, or comment `/close`." in text_of(one, github, problem.id)
    assert "· known error" in text_of(one, github, problem.id)
    ask(one, problem.id, ProblemNoted(actor=ANN, text="It leaks since May."))
    ask(one, problem.id, ProblemWorkedAround(actor=ANN, text=""))
    assert "Known workaround" not in text_of(one, github, newest.id)
    assert "It leaks since May." in text_of(one, github, problem.id)


# ---------------------------------------------------------------- knowledge


def keep(one: World, incident_id: int, url: str, title: str = "How to restart it") -> Answer:
    answer = one.act(incident_id, KnowledgeAdded(actor=ANN, link=Link(url=url, title=title)))
    one.advance(timedelta(minutes=1))
    return answer


def test_a_link_is_kept_on_an_incident_and_offered_at_the_next_one_like_it(one: World, github: FakeGitHub) -> None:
    first = happen(one, "A", app="shop")
    assert keep(one, first, "https://wiki.example.com/a").status == 200
    assert "https://wiki.example.com/a" in text_of(one, github, first)
    assert "knowledge: How to restart it (https://wiki.example.com/a)" in one.timeline(first)
    same_key, same_service, neither = happen(one, "A"), happen(one, "B", app="shop"), happen(one, "C")
    assert "https://wiki.example.com/a" in text_of(one, github, same_key)
    assert "https://wiki.example.com/a" in text_of(one, github, same_service)
    assert "https://wiki.example.com/a" not in text_of(one, github, neither)
    assert keep(one, first, "https://wiki.example.com/a").error.startswith("url: expected a link that INC-1 does not")


def test_a_link_of_a_problem_is_offered_to_its_incidents(one: World, github: FakeGitHub) -> None:
    for _ in range(3):
        happen(one)
    (problem,) = found(one)
    act = ProblemExplained(actor=ANN, link=Link(url="https://wiki.example.com/p", title="Write-up"))
    assert ask(one, problem.id, act).status == 200
    assert ask(one, problem.id, act).status == 409
    assert "https://wiki.example.com/p" in text_of(one, github, problem.id)
    assert "https://wiki.example.com/p" in text_of(one, github, happen(one))


def test_hostile_names_and_titles_stay_text(one: World, github: FakeGitHub) -> None:
    name = "](https://evil.example.com) | @ann <!-- triaged:end --> `x`"
    incident_id = 0
    for _ in range(3):
        incident_id = happen(one, name)
    keep(one, incident_id, "https://wiki.example.com/)](x)", "@ann | [x](https://evil.example.com)")
    (problem,) = found(one)
    act = ProblemExplained(actor=ANN, link=Link(url="https://wiki.example.com/|", title="<script> | @bob"))
    assert ask(one, problem.id, act).status == 200
    for number in (problem.id, incident_id):
        body = text_of(one, github, number)
        told = [line for line in body.splitlines() if "evil" in line or "bob" in line]
        assert told
        # What GitHub would act on stands in code spans; without these nothing of it is left.
        plain = "\n".join(re.sub(r"(`+).*?\1", "", line) for line in told)
        assert "evil" not in plain
        assert not re.search(r"@(ann|bob)", plain)
        assert "<script>" not in plain.replace(r"\<script\>", "")
        assert len(re.findall("^<!-- triaged:end -->$", body, re.MULTILINE)) == 1


def test_of_what_is_restricted_others_are_offered_nothing(one: World, github: FakeGitHub) -> None:
    first = happen(one, "A", kind="secret")
    keep(one, first, "https://wiki.example.com/secret")
    again, other = happen(one, "A", kind="secret"), happen(one, "A")
    with one.app.store.read() as reader:
        rows = {row.incident.id: row.incident for row in one.rows()}
        offered = problems.known(reader.connection, rows[again])
        assert [kept.link.url for kept in offered] == ["https://wiki.example.com/secret"]
        assert problems.known(reader.connection, rows[other]) == ()
    (problem,) = found(one)
    assert problem.restricted
    body = github.issues[-1].body or ""
    assert "### Restricted" in body
    assert "Incidents, newest first" not in body


def test_what_becomes_restricted_later_takes_its_problem_and_its_links_along(one: World, github: FakeGitHub) -> None:
    happen(one, "A", app="shop")
    happen(one, "A", app="shop")
    one.deliver(alert("A", labels={"app": "shop"}, starts=one.clock.now()))
    one.advance(timedelta(minutes=1))
    (problem,), last = found(one), max(incident.id for incident in one.incidents())
    keep(one, last, "https://wiki.example.com/plan")
    act = ProblemExplained(actor=ANN, link=Link(url="https://wiki.example.com/p", title="Write-up"))
    assert ask(one, problem.id, act).status == 200
    one.deliver(alert("A", labels={"app": "shop", "kind": "secret"}, starts=one.clock.now()))
    one.advance(timedelta(minutes=1))
    assert [incident.restricted for incident in one.incidents() if incident.id == last] == [True]
    assert [problem.restricted for problem in found(one)] == [True]
    body = text_of(one, github, problem.id)
    assert "### Restricted" in body
    assert "Incidents, newest first" not in body
    # Neither its links nor those of its problem are offered to others any more.
    other = text_of(one, github, happen(one, "B", app="shop"))
    assert "wiki.example.com" not in other


def test_an_alert_that_is_only_recorded_hides_what_its_issue_says(one: World, github: FakeGitHub) -> None:
    one.deliver(alert("A", starts=one.clock.now()))
    one.advance(timedelta(minutes=1))
    (first,) = [incident.id for incident in one.incidents()]
    one.act(first, CloseAsked(actor=ANN, reason=CloseReason.FALSE_ALARM, record=Record()))
    one.advance(timedelta(minutes=1))
    assert "### Restricted" not in text_of(one, github, first)
    one.deliver(alert("A", labels={"kind": "secret", "victim": "laptop-7"}, starts=one.clock.now()))
    one.advance(timedelta(minutes=1))
    assert [(incident.id, incident.restricted) for incident in one.incidents()] == [(first, True)]
    body = text_of(one, github, first)
    assert "### Restricted" in body
    assert "laptop-7" not in body


# ---------------------------------------------------------------- starts, ends, time


def test_what_recurred_before_problems_were_looked_for_counts(tmp_path: Path, clock: FakeClock) -> None:
    settings = settings_for(tmp_path).model_copy(update={"rules": rules_in(tmp_path / "rules")})
    with world(settings, clock) as before:
        happen(before)
        happen(before)
        with before.app.store.begin() as transaction:
            for table in ("problem_incidents", "problems_seen"):
                transaction.connection.exec_driver_sql(f"DELETE FROM {table}")
    with world(settings, clock) as after:
        after.settle()
        happen(after)
        assert [problem.incidents for problem in found(after)] == [3]


def test_a_restart_counts_nothing_twice(tmp_path: Path, clock: FakeClock) -> None:
    settings = settings_for(tmp_path).model_copy(update={"rules": rules_in(tmp_path / "rules")})
    for _ in range(4):
        with world(settings, clock) as one:
            happen(one)
    with world(settings, clock) as one:
        one.settle()
        (problem,) = found(one)
        assert (problem.incidents, len(one.timeline(problem.id))) == (4, 2)


def test_what_is_long_closed_is_forgotten_with_all_that_is_its(one: World) -> None:
    for _ in range(3):
        happen(one)
    (problem,) = found(one)
    link = Link(url="https://wiki.example.com/p", title="Write-up")
    ask(one, problem.id, ProblemExplained(actor=ANN, link=link))
    ask(one, problem.id, ProblemClosed(actor=ANN))
    one.clock.move_to(one.clock.now() + timedelta(days=4 * 366))
    one.advance(HOUR)
    assert found(one) == []
    with one.app.store.read() as reader:
        for table in ("problem_incidents", "knowledge", "timeline", "publications"):
            left = reader.connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
            assert left == 0, table
