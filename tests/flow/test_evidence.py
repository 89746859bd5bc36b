"""Evidence in virtual time: the whole daemon beside a Prometheus and a GitHub that answer, fail, hang and lie."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fakes.github import FakeGitHub, Garbled, Repository
from fakes.github.history import Kind, happen
from fakes.prometheus import FakePrometheus
from triaged.app import App
from triaged.channels.writing import Format, write
from triaged.clock import FakeClock
from triaged.config import PrometheusSettings, Settings
from triaged.core.effects import Audience, NoticeKind
from triaged.core.events import Acknowledged, CloseAsked, Record, ResolveAsked
from triaged.core.evidence import Evidence
from triaged.core.model import CloseReason
from triaged.errors import StoreError
from triaged.intake.units import Answer
from triaged.ports.store import Notice
from triaged.rulefiles.templates import shipped
from triaged.store import findings
from triaged.workers import changes
from triaged.workers.evidence import EvidenceWorker
from triaged.workers.letters import Desk, letter_of
from world import ANN, START, World, alert, settings_for, world

MINUTE = timedelta(minutes=1)
SEVERITY = """
  targets: {response: 15m, resolution: 4h}
  calendar: always
  compliance: {response: 0.95, resolution: 0.9}
  at_risk: 0.75
  verify_for: 30m
  reopen_within: 24h
  close: daemon
"""
RULES = {
    "triage.yaml": """
matrix:
  extensive: [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate: [sev2, sev3, sev3, sev4]
  minor: [sev3, sev3, sev4, sev4]
default: {impact: moderate, urgency: high, category: error, team: platform}
key: [alertname, cluster]
rules:
- {name: grave, match: ['grave="1"'], impact: extensive, urgency: critical, because: Nobody can pay.}
- {name: secret, match: ['secret="1"'], restricted: true, because: Somebody is in.}
""",
    "severities.yaml": "".join(f"{name}:{SEVERITY}" for name in ("sev1", "sev2", "sev3", "sev4")),
    "calendars.yaml": """
business: {zone: Europe/Berlin, hours: {monday-friday: ['09:00-17:00']}}
""",
    "services.yaml": """
services:
  checkout:
    match: ['app="checkout"']
    code: [acme/checkout]
    links:
      logs: 'https://logs.example.com/?from={{ from }}&to={{to}}'
      traces: 'https://traces.example.com/{{ from_ms }}/{{ to_s }}'
      home: https://home.example.com/
    depends_on: [database]
  database: {match: ['app="database"']}
  shop: {match: ['app="shop"'], depends_on: [checkout]}
""",
}
CHECKOUT = {"app": "checkout"}
ASKED = "http://prometheus.example.com/graph?g0.expr=job%3Aerrors+%3E+0.5&g0.tab=1"


@dataclass
class Surroundings:
    """A daemon's whole world."""

    clock: FakeClock
    prometheus: FakePrometheus
    github: FakeGitHub
    code: Repository
    settings: Settings

    @contextmanager
    def daemon(self, *, seconds: float = 5.0) -> Iterator[World]:
        with world(self.settings, self.clock) as one:
            worker = _worker(one.app)
            worker._seconds = seconds
            if worker._code is not None:
                patient(worker._code, seconds)
            yield one


@pytest.fixture
def around(tmp_path: Path) -> Iterator[Surroundings]:
    clock = FakeClock(START)
    rules = tmp_path / "rules"
    rules.mkdir()
    for name, text in RULES.items():
        (rules / name).write_text(text)
    with FakePrometheus(clock) as prometheus, FakeGitHub(now=clock.now) as github:
        code = github.add_repository("acme/checkout")
        asked = {"prometheus": PrometheusSettings(url=prometheus.url), "rules": rules}
        settings = settings_for(tmp_path, github).model_copy(update=asked)
        yield Surroundings(clock=clock, prometheus=prometheus, github=github, code=code, settings=settings)


def _worker(app: App) -> EvidenceWorker:
    (found,) = (loop.worker for loop in app.loops if isinstance(loop.worker, EvidenceWorker))
    return found


def patient(code: Any, seconds: float) -> None:
    """Have it wait for GitHub so long only."""
    known = changes.Changes(code._settings, code._around, seconds=seconds)
    code._transport, code._seconds = known._transport, seconds


def found(one: World, incident_id: int = 1) -> Evidence:
    with one.app.store.read() as reader:
        evidence = findings.of_incident(reader.connection, incident_id)
    assert evidence is not None
    return evidence


def body(around: Surroundings, number: int = 1) -> str:
    """The text of an incident's issue."""
    (issue,) = (one for one in around.github.issues if one.title.startswith(f"INC-{number} "))
    return issue.body or ""


def fire(one: World, name: str = "HighErrorRate", **labels: str) -> None:
    """An alert of the checkout begins, and the workers do what they can."""
    starts = one.clock.now()
    one.deliver(alert(name, labels={**CHECKOUT, **labels}, starts=starts, generatorURL=ASKED))
    one.settle()


def resolve(one: World, name: str = "HighErrorRate", **labels: str) -> None:
    now = one.clock.now()
    one.deliver(alert(name, status="resolved", labels={**CHECKOUT, **labels}, starts=START, ends=now))


def test_an_incident_shows_what_was_found_and_costs_two_writes_until_then(around: Surroundings) -> None:
    ann = around.github._world.user("ann")
    with around.daemon() as one:
        for value in (0.01, 0.02, 0.3, 0.93):
            around.prometheus.says("job:errors", value, app="checkout", pod="a")
            around.prometheus.says("job:errors", value / 3, app="checkout", pod="b")
            one.advance(20 * MINUTE)
        now = around.clock.now()
        happen(around.code, Kind.DEPLOYMENT, at=now - timedelta(days=2), by=ann, ref="v1.4.1")
        happen(around.code, Kind.DEPLOYMENT, at=now - 12 * MINUTE, by=ann, ref="v1.4.2")
        fire(one, pod="a")
        one.advance(MINUTE)
        text = body(around)
        assert one.timeline(1)[-1] == "evidence: never seen before, 1 chart, 1 recent change"
        assert len(around.github.writes) == 2
    assert "**How often:** never seen before" in text
    assert "xychart-beta" in text
    assert "🟦 `pod=a`: **0.93**" in text
    assert "⬜ it fires at `> 0.5`" in text
    assert "https://logs.example.com/?from=2026-11-23T10%3A05%3A00Z&to=2026-11-23T10%3A20%3A00Z" in text
    begins = int((now - 15 * MINUTE).timestamp()) * 1_000
    assert f"https://traces.example.com/{begins}/{int(now.timestamp())}" in text
    assert "deployment of acme/checkout [`v1.4.2`]" in text
    assert "to production (before: `v1.4.1`)" in text


def test_the_changes_that_may_be_why_stand_in_the_order_of_likelihood(around: Surroundings) -> None:
    bob = around.github._world.user("bob")
    with around.daemon() as one:
        now = around.clock.now()

        def ago(minutes: int) -> datetime:
            return now - minutes * MINUTE

        happen(around.code, Kind.COMMIT, at=ago(30), by=None, title="Tune the pool\n\nwhole story")
        happen(around.code, Kind.COMMIT, at=ago(40), by=bob, title="Merge pull request #3 from bob/x")
        happen(around.code, Kind.PULL, at=ago(41), by=bob, title="Retry payments")
        happen(around.code, Kind.PULL, at=ago(5), by=bob, title="Never merged", merged=False)
        happen(around.code, Kind.RELEASE, at=ago(60), by=bob, ref="v2.0.0", title="Two")
        happen(around.code, Kind.DEPLOYMENT, at=ago(90), by=bob, ref="main", sha="a" * 40)
        happen(around.code, Kind.DEPLOYMENT, at=ago(20), by=bob, ref="main", sha="b" * 40)
        happen(around.code, Kind.COMMIT, at=ago(25), by=bob, title="What was deployed", sha="b" * 40)
        happen(around.code, Kind.RELEASE, at=ago(60 * 30), by=bob, ref="v1.0.0", title="Long ago")
        happen(around.code, Kind.COMMIT, at=now + 30 * MINUTE, by=bob, title="The fix")
        fire(one)
        told = [(str(change.kind), change.ref, change.before) for change in found(one).changes]
    assert told == [
        ("deployment", "bbbbbbb", "aaaaaaa"),
        ("deployment", "aaaaaaa", ""),
        ("release", "v2.0.0", ""),
        ("pull_request", "#3", ""),
        ("commit", around.code.history[0].sha[:7], ""),
    ]


def test_a_repository_without_a_commit_is_no_failure(around: Surroundings) -> None:
    with around.daemon() as one:
        fire(one)
        assert found(one).failures == ()


def test_what_is_down_is_told_in_a_line_and_the_issue_is_there_all_the_same(around: Surroundings) -> None:
    around.prometheus.down = True
    around.code.roles.clear()
    with around.daemon() as one:
        fire(one)
        one.advance(MINUTE)
        failures = found(one).failures
        text = body(around)
        pieces = one.app.metrics.registry.get_sample_value
        assert pieces("triaged_evidence_pieces_total", {"piece": "chart", "outcome": "failed"}) == 1
        assert pieces("triaged_evidence_pieces_total", {"piece": "changes", "outcome": "failed"}) == 1
    assert failures[0].startswith("chart: ")
    assert "answered 503" in failures[0]
    assert failures[1].startswith("changes of acme/checkout: ")
    assert "404" in failures[1]
    assert "*Not found:* chart:" in text
    assert "never seen before" in text


def test_who_hangs_costs_its_seconds_only(around: Surroundings) -> None:
    around.prometheus.hangs = threading.Event()
    with around.daemon(seconds=0.2) as one:
        fire(one)
        one.advance(MINUTE)
        (failure,) = found(one).failures
        assert failure.endswith("did not answer within 0.2 s")
        assert len(around.github.issues) == 1


def test_a_prometheus_that_talks_nonsense_is_a_line_too(around: Surroundings) -> None:
    around.prometheus.garbage = (
        b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":7}]}}'
    )
    with around.daemon() as one:
        fire(one)
        assert found(one).failures[0].startswith("chart: ")


def test_a_github_that_talks_nonsense_is_a_line_too(around: Surroundings) -> None:
    around.github.fail("list_releases", Garbled(body=b"<html>"))
    with around.daemon() as one:
        fire(one)
        (failure,) = found(one).failures
    assert failure.startswith("changes of acme/checkout (releases): ")


def test_hundreds_of_series_are_five_and_a_number(around: Surroundings) -> None:
    for number in range(300):
        around.prometheus.says("job:errors", number / 300, app="checkout", pod=f"p{number}")
    with around.daemon() as one:
        fire(one, pod="p7")
        (chart,) = found(one).charts
        one.advance(MINUTE)
        text = body(around)
    # The one that fires first, then the ones that are nearest to it.
    assert [line.labels["pod"] for line in chart.lines] == ["p7", "p299", "p298", "p297", "p296"]
    assert chart.left_out == 295
    assert "… and 295 more series" in text


def test_hostile_text_stays_text(around: Surroundings) -> None:
    evil = "@everyone <!-- x --> ``` [x](javascript:alert(1)) | #1 </details>"
    around.prometheus.says("job:errors", 0.9, pod=evil)
    around.prometheus.says("job:errors", 0.8, pod="b")
    mallory = around.github._world.user("mallory")
    with around.daemon() as one:
        happen(around.code, Kind.DEPLOYMENT, at=around.clock.now(), by=mallory, ref="v1" + evil[:60], title=evil)
        happen(around.code, Kind.COMMIT, at=around.clock.now(), by=None, title=evil)
        one.deliver(alert("Evil", labels={"app": "shop", "x": evil}, annotations={"summary": evil}))
        fire(one)
        one.act(1, Acknowledged(actor=ANN))
        one.advance(MINUTE)
        text = body(around, 2)
    section = text.partition("#### Evidence")[2].partition("<summary>Why")[0]
    assert "@\u200b" in section
    assert "@everyone" not in section
    # What stands in a code span is text; what is left is what GitHub acts on.
    lively = re.sub(r"(?<!`)(`+)(?!`)(.*?[^`])\1(?!`)", "", section)
    assert "](javascript:" not in lively
    assert "<!--" not in lively.replace("\\<", "")
    fences = [line for line in section.splitlines() if line.startswith("```")]
    assert fences == ["```mermaid", "```"]


def test_of_a_restricted_incident_nothing_is_shown_elsewhere(around: Surroundings) -> None:
    with around.daemon() as one:
        one.deliver(alert("Break-in", labels={"app": "database", "secret": "1"}))
        fire(one)
        one.advance(MINUTE)
        (neighbour,) = found(one, 2).around
        restricted, other = (one.body or "" for one in around.github.issues)
        assert "Evidence" not in restricted
        assert "Evidence" in other
        assert "Break-in" not in other
    assert (neighbour.name, neighbour.title, neighbour.depends) == ("INC-1", "", False)


def test_what_is_open_around_it_is_named(around: Surroundings) -> None:
    with around.daemon() as one:
        one.deliver(alert("ShopSlow", labels={"app": "shop"}))
        one.deliver(alert("DiskFull", labels={"app": "elsewhere"}))
        one.settle()
        fire(one, grave="1")
        (neighbour,) = found(one, 3).around
        one.advance(MINUTE)
        text = body(around, 3)
    assert (neighbour.name, neighbour.depends) == ("INC-1", True)
    assert "which depends on this" in text


def solve(one: World, incident_id: int, fix: str) -> None:
    """A person says what it was; it is watched, and closed."""
    resolve(one)
    one.act(incident_id, ResolveAsked(actor=ANN, record=Record(root_cause="A bad release.", fix=fix)))
    one.advance(timedelta(hours=1))
    one.act(incident_id, CloseAsked(actor=ANN, reason=CloseReason.COMPLETED, record=Record()))


def test_what_solved_it_before_is_offered_with_how_often_it_was(around: Surroundings) -> None:
    with around.daemon() as one:
        for number in range(1, 6):
            fire(one)
            one.advance(30 * MINUTE)
            solve(one, number, f"Rolled back to {number}.")
            one.advance(timedelta(days=3))
        fire(one, "Latency")
        now = found(one, 6)
        assert now.seen.last_at is None
        assert next((past.name, past.same) for past in now.similar) == ("INC-5", False)
        fire(one)
        again = found(one, 7)
        one.advance(MINUTE)
        text = body(around, 7)
    assert [(past.name, past.fix, past.took_seconds) for past in again.similar[:2]] == [
        ("INC-5", "Rolled back to 5.", 1_800),
        ("INC-4", "Rolled back to 4.", 1_800),
    ]
    assert "frequent (6 in 30 days, the last one 3 d 1 h ago)" in text
    assert "Fix: Rolled back to 5. · Cause: A bad release." in text


def test_it_is_looked_at_again_when_it_grew_but_not_sooner_than_a_quarter_of_an_hour(around: Surroundings) -> None:
    with around.daemon() as one:
        fire(one)
        first = found(one)
        one.advance(2 * MINUTE)
        fire(one, grave="1", pod="b")
        one.advance(10 * MINUTE)
        assert found(one) == first
        one.advance(4 * MINUTE)
        second = found(one)
        assert (str(second.severity), second.at) == ("sev1", first.at + 15 * MINUTE)
        one.advance(timedelta(hours=2))
        assert found(one) == second


def test_a_new_round_is_looked_at_anew(around: Surroundings) -> None:
    with around.daemon() as one:
        fire(one)
        one.advance(20 * MINUTE)
        resolve(one)
        one.advance(timedelta(hours=1))
        fire(one)
        assert found(one).round == 2


def test_what_is_quiet_wants_nothing_of_anybody(around: Surroundings) -> None:
    with around.daemon() as one:
        fire(one)
        one.advance(MINUTE)
        asked, requests = len(around.prometheus.asked), len(around.github.requests)
        one.deliver(alert(labels=CHECKOUT, generatorURL=ASKED))
        one.advance(timedelta(minutes=9))
        assert (len(around.prometheus.asked), len(around.github.requests)) == (asked, requests)


def test_what_is_folded_is_not_looked_at(around: Surroundings) -> None:
    with around.daemon() as one:
        one.deliver(alert("DatabaseDown", labels={"app": "database"}))
        one.settle()
        fire(one)
        with one.app.store.read() as reader:
            assert findings.of_incident(reader.connection, 2) is None
            assert findings.of_incident(reader.connection, 1) is not None


def test_a_storm_asks_for_the_changes_of_one_repository_once(around: Surroundings) -> None:
    with around.daemon() as one:
        for number in range(12):
            one.deliver(alert(f"Alert{number}", labels=CHECKOUT, generatorURL=""))
        one.settle()
        assert {found(one, number).round for number in range(1, 13)} == {1}
        # Five at a time begin before any of them has an answer.
        assert len(around.github.requests_of("list_deployments")) <= 5


def test_a_daemon_that_died_while_it_looked_looks_once_more(around: Surroundings) -> None:
    class Killed(BaseException):
        """The process is gone."""

    def die(_: object) -> None:
        raise Killed

    with around.daemon() as one:
        worker = _worker(one.app)
        one.deliver(alert(labels=CHECKOUT, generatorURL=ASKED))
        tell, worker._ask = worker._ask, die  # type: ignore[assignment]
        with pytest.raises(Killed):
            worker.step(around.clock.now())
        worker._ask = tell
    before = len(around.prometheus.asked)
    assert before == 1
    with around.daemon() as one:
        one.advance(MINUTE)
        assert found(one).round == 1
        assert one.timeline(1).count("evidence: never seen before") == 1
    with around.daemon() as one:
        one.advance(MINUTE)
        assert one.timeline(1).count("evidence: never seen before") == 1
    assert len(around.prometheus.asked) == before + 1


def test_two_answers_to_one_question_are_one(around: Surroundings) -> None:
    with around.daemon() as one:
        one.deliver(alert(labels=CHECKOUT, generatorURL=ASKED))
        twice = [_worker(one.app), EvidenceWorker(None, None, **_of(one.app))]
        for worker in twice:
            with one.app.store.read() as reader:
                worker._notice(reader)
        for worker in twice:
            worker.step(around.clock.now())
        told = [text for text in one.timeline(1) if text.startswith("evidence")]
        assert len(told) == 1


def _of(app: App) -> dict[str, Any]:
    return {
        "rules": lambda: app.intake.rules.rule_set,
        "read": app.store.read,
        "ask": app.writer.ask,
        "pieces": app.metrics.evidence,
    }


def test_few_requests_that_are_left_belong_to_the_issues(around: Surroundings) -> None:
    around.github.limits.primary = 20
    with around.daemon() as one:
        fire(one)
        assert "requests are left to us at GitHub" in found(one).failures[0]
        assert len(around.github.requests_of("list_deployments")) == 1
        assert not around.github.requests_of("list_releases")


def test_the_stored_evidence_is_small(around: Surroundings) -> None:
    for number in range(50):
        around.prometheus.says(
            "job:errors", number / 7, app="checkout", pod="x" * 5_000 + str(number), note="y" * 5_000
        )
    with around.daemon() as one:
        fire(one)
        with one.app.store.read() as reader:
            (size,) = reader.connection.exec_driver_sql("SELECT length(body) FROM findings").one()
    assert size < 20_000


def test_the_evidence_is_json_of_the_shape_that_the_store_gives_back(around: Surroundings) -> None:
    around.prometheus.says("job:errors", 0.75, app="checkout")
    with around.daemon() as one:
        fire(one)
        with one.app.store.read() as reader:
            (text,) = reader.connection.exec_driver_sql("SELECT body FROM findings").one()
        assert json.loads(text)["charts"][0]["lines"][0]["points"][-1] == 0.75
        assert found(one).charts[0].lines[0].last == 0.75


def test_a_store_that_cannot_be_written_loses_nothing(around: Surroundings) -> None:
    with around.daemon() as one:
        one.deliver(alert(labels=CHECKOUT, generatorURL=ASKED))
        worker = _worker(one.app)
        ask = worker._ask
        worker._ask = lambda _: Answer(status=503, error="the disk is full")
        with pytest.raises(StoreError):
            worker.step(around.clock.now())
        worker._ask = ask
        one.advance(MINUTE)
        assert found(one).round == 1


def test_a_service_of_many_repositories_is_asked_for_the_first_five(around: Surroundings) -> None:
    names = [f"acme/part-{number}" for number in range(7)]
    for name in names:
        around.github.add_repository(name)
    rules = around.settings.rules
    assert rules is not None
    text = RULES["services.yaml"].replace("[acme/checkout]", f"[{', '.join(names)}]")
    (rules / "services.yaml").write_text(text)
    with around.daemon() as one:
        fire(one)
        assert found(one).failures == ("changes: 2 more repositories were not asked",)
    asked = {request.path.split("/")[3] for request in around.github.requests_of("list_commits")}
    assert asked == {f"part-{number}" for number in range(5)}


def test_without_a_prometheus_and_a_github_the_store_alone_tells(around: Surroundings, tmp_path: Path) -> None:
    alone = settings_for(tmp_path / "alone").model_copy(update={"rules": around.settings.rules})
    with world(alone, around.clock) as one:
        fire(one)
        told = found(one)
        assert (told.charts, told.changes, told.failures) == ((), (), ())
        assert [link.name for link in told.links] == ["logs", "traces"]


def test_whoever_is_called_in_reads_the_evidence_in_the_message(around: Surroundings) -> None:
    around.prometheus.says("job:errors", 0.75, app="checkout")
    with around.daemon() as one:
        fire(one)
        with one.app.store.read() as reader:
            row = reader.incident(1)
            evidence = findings.of_incident(reader.connection, 1)
        assert row is not None
        desk = Desk(rules=one.app.intake.rules.rule_set, templates=shipped(), public_url="http://localhost:9876")
        notice = Notice(
            id=1,
            incident_id=1,
            kind=NoticeKind.ESCALATED,
            audience=Audience.RESPONDERS,
            key="k",
            recipients=("ann",),
            text="Nobody took it.",
            rank=1,
            created_at=around.clock.now(),
        )
        letter = letter_of(notice, row, desk, every=None, found=evidence)
    said = write(letter.body, Format.TEXT, markdown=letter.markdown)
    assert "Evidence: never seen before" in said
    assert "job:errors > 0.5: ····················▁ 0.75" in said
