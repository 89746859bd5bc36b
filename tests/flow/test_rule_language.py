"""The rule language, sentence by sentence: small rule texts through the real intake in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

import building
from triaged import rulefiles
from triaged.app import rules_of
from triaged.clock import FakeClock
from triaged.core.events import Act, CloseAsked, MergeAsked, Record, ReopenAsked
from triaged.core.model import CloseReason, DeadlineKind, Incident, Severity, State, Verdict
from triaged.errors import ConfigError
from triaged.intake.keying import gain_keys
from triaged.intake.units import Ask, Delivery, Job, Rules, RulesEnded
from triaged.replay.world import World
from triaged.sources import alertmanager
from triaged.store import schema as s
from triaged.store.store import Store
from triaged.workers.ends import EndsWorker
from world import ANN, START, alert, body, settings_for, world

S1, S2, S3, S4 = Severity
MINUTE = timedelta(minutes=1)
NIGHT = datetime(2026, 11, 24, 3, tzinfo=UTC)
TRIAGE = """
matrix:
  extensive:   [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate:    [sev2, sev3, sev3, sev4]
  minor:       [sev3, sev3, sev4, sev4]
default: {{impact: moderate, urgency: high, category: error, team: platform}}
key: [{key}]
rules:{rules}
"""
SERVICES = """
services:
  checkout:
    match: ['namespace="shop"', 'deployment=~"checkout.*"']
    team: payments
    tier: 1
    users: most
    functions: [payment, refunds]
    revenue: true
    depends_on: [postgres-main]
  shop: {match: ['namespace="shop"'], team: platform, tier: 3, users: few}
  postgres-main: {team: platform}
teams:
  platform: {}
  payments: {repository: acme/pay}
"""
OFFICE = "office: {zone: UTC, hours: {monday-friday: '09:00-17:00'}}\n"


@cache
def rules(text: str = "", *, key: str = "alertname", services: str = SERVICES) -> Rules:
    """Rules of the test's own over its catalogue and a calendar `office`; severities are the shipped ones."""
    shipped = building.rule_files().files
    return rules_of(
        rulefiles.read(
            {
                "triage.yaml": TRIAGE.format(key=key, rules=f"\n{text}" if text else " []"),
                "services.yaml": services,
                "severities.yaml": shipped["severities.yaml"],
                "calendars.yaml": shipped["calendars.yaml"] + OFFICE,
            }
        )
    )


def told(**more: Any) -> dict[str, Any]:
    """An alert with exactly these labels, as Alertmanager sends it."""
    parts = {name: more.pop(name) for name in ("status", "starts", "ends", "annotations") if name in more}
    sent = alert(**parts)
    return {**sent, "labels": {"alertname": "Error", **more}}


def judged(text: str, *, key: str = "alertname", sender: str = "am", at: datetime = START, **more: Any) -> Verdict:
    """What rules say of an alert with these labels (and annotations)."""
    (read,) = alertmanager.read(sender, body([told(**more)])).alerts
    return rules(text, key=key).rule_set.judge(read, at)


class Life(World):
    """A daemon under small rules, with short words for what happens to it."""

    def __init__(self, in_force: Rules, store: Store | None = None, at: datetime = START) -> None:
        super().__init__(in_force, at, readers={"am": alertmanager.read}, store=store)

    def post(self, *alerts: Mapping[str, Any]) -> Mapping[str, int]:
        (answer,) = self.ask(Delivery(id="d", source="am", body=body(alerts)))
        assert answer.status == 200, answer.error
        return answer.counts

    def fire(self, **labels: Any) -> Mapping[str, int]:
        return self.post(told(**{"starts": self.clock.now(), **labels}))

    def resolve(self, **labels: Any) -> Mapping[str, int]:
        return self.post(told(**{"status": "resolved", "ends": self.clock.now(), **labels}))

    def act(self, act: Act, number: int = 1) -> None:
        (answer,) = self.ask(Ask(incident_id=number, act=act))
        assert answer.status == 200, answer.error

    def wait(self, span: timedelta) -> None:
        self.advance(self.clock.now() + span)

    def incidents(self) -> list[Incident]:
        with self.store.read() as reader:
            found = reader.connection.execute(select(*(s.incidents.c[n] for n in s.INCIDENT.names)).order_by("id"))
            return [s.INCIDENT.decode(tuple(row)) for row in found]

    def only(self) -> Incident:
        (found,) = self.incidents()
        return found

    def grown(self) -> tuple[str, ...]:
        """What held of the one incident, as people call it."""
        return building.named(self.intake.rules.rule_set, self.only().grown)

    def metric(self, name: str, **labels: str) -> float:
        return self.intake.metrics.registry.get_sample_value(f"triaged_{name}", labels) or 0.0

    def total(self, name: str, **labels: str) -> float:
        with self.store.read() as reader:
            return sum(t.value for t in reader.totals() if t.metric == name and labels.items() <= t.labels.items())


@pytest.fixture
def live() -> Iterator[Callable[..., Life]]:
    with ExitStack() as stack:
        yield lambda text="", **more: stack.enter_context(Life(rules(text, **more)))


# ---------------------------------------------------------------- matrix, default, key


@pytest.mark.parametrize("impact", ["extensive", "significant", "moderate", "minor"])
def test_a_row_of_the_matrix_gives_the_severity_for_urgency_critical_high_medium_low(impact: str) -> None:
    row = next(line for line in TRIAGE.splitlines() if line.strip().startswith(impact))
    found = [
        judged(f"- {{name: a, impact: {impact}, urgency: {urgency}}}").severity.value
        for urgency in ("critical", "high", "medium", "low")
    ]
    assert f"[{', '.join(found)}]" in row


def test_default_is_the_axis_that_no_rule_sets() -> None:
    verdict = judged("- {name: a, urgency: low}")
    assert (verdict.impact, verdict.urgency, verdict.category, verdict.team) == ("moderate", "low", "error", "platform")


def test_unmatched_alerts_are_counted(live: Callable[..., Life]) -> None:
    life = live("- {name: a, match: [alertname=Other]}")
    life.fire()
    life.fire(alertname="Other")
    assert life.metric("alerts_unmatched_total") == 1
    assert [one.severity for one in life.incidents()] == [S3, S3]


def test_alerts_with_equal_values_of_the_key_are_one_incident(live: Callable[..., Life]) -> None:
    life = live(key="alertname, cluster")
    for cluster, pod in (("eu", "a"), ("eu", "b"), ("us", "a"), ("", "c")):
        life.fire(cluster=cluster, pod=pod)
    assert [one.alerts for one in life.incidents()] == [2, 1, 1]


def test_in_a_key_service_team_category_and_source_are_the_verdicts_and_other_names_are_labels() -> None:
    labels: dict[str, Any] = {"service": "label", "team": "label", "category": "label", "source": "label", "pod": "p"}
    verdict = judged(
        "- {name: a, key: [service, team, category, source, pod, absent], category: outage}",
        namespace="shop",
        deployment="checkout-1",
        **labels,
    )
    assert verdict.key.pairs == (
        ("service", "checkout"),
        ("team", "payments"),
        ("category", "outage"),
        ("source", "am"),
        ("pod", "p"),
        ("absent", ""),
    )


# ---------------------------------------------------------------- conditions


@pytest.mark.parametrize(
    ("matcher", "cluster", "holds"),
    [
        ('cluster=~"staging-.+"', "staging-1", True),
        ('cluster=~"staging-.+"', "my-staging-1", False),
        ('cluster=~"staging-.+"', "staging-", False),
        ('cluster="eu"', "eu", True),
        ('cluster="eu"', "eu-1", False),
        ('cluster!="eu"', "us", True),
        ('cluster!~"eu|us"', "us-1", True),
        ('cluster!~"eu|us"', "us", False),
        ('cluster=""', None, True),
        ('cluster!="eu"', None, True),
        ('cluster=~".*"', None, True),
        ('cluster=~".+"', None, False),
        ('cluster!~".+"', None, True),
    ],
)
def test_a_matcher_is_anchored_and_an_absent_label_is_empty(matcher: str, cluster: str | None, *, holds: bool) -> None:
    labels: dict[str, Any] = {} if cluster is None else {"cluster": cluster}
    assert bool(judged(f"- {{name: a, match: ['{matcher}']}}", **labels).matched) is holds


def test_all_matchers_of_all_four_lists_must_hold() -> None:
    text = """
- name: a
  match: ['pod="a"', 'cluster="eu"']
  service: ['tier="1"']
  annotations: ['summary=~".*payment.*"']
  source: ['name="am"']
"""
    good: dict[str, Any] = {
        "pod": "a",
        "cluster": "eu",
        "namespace": "shop",
        "deployment": "checkout",
        "annotations": {"summary": "No payment goes through."},
    }
    bad: list[dict[str, Any]] = [
        {"pod": "b"},
        {"cluster": "us"},
        {"deployment": "cart"},
        {"annotations": {"summary": "It is slow."}},
        {"sender": "grafana"},
    ]
    assert judged(text, **good).matched == ("a",)
    assert [judged(text, **{**good, **wrong}).matched for wrong in bad] == [()] * 5


@pytest.mark.parametrize(
    ("matcher", "severity"),
    [
        ('name="checkout"', S1),
        ('tier="1"', S1),
        ('users=~"most|many"', S1),
        ('functions="payment"', S1),
        ('functions="refunds"', S1),
        ('revenue="true"', S1),
        ('team="payments"', S1),
        ('depends_on="postgres-main"', S1),
        ('tier="3"', S3),
        ('functions="search"', S3),
        ('revenue="false"', S3),
    ],
)
def test_impact_comes_from_facts_of_the_catalogue_by_rules(matcher: str, severity: Severity) -> None:
    text = f"- {{name: a, service: ['{matcher}'], impact: extensive}}"
    assert judged(text, namespace="shop", deployment="checkout").severity is severity


def test_facts_of_the_catalogue_that_no_rule_asks_change_no_severity() -> None:
    everywhere: list[dict[str, Any]] = [{"namespace": "shop", "deployment": "checkout"}, {"namespace": "shop"}, {}]
    for labels in everywhere:
        assert judged("- {name: a, impact: minor}", **labels).severity is S3


@pytest.mark.parametrize(
    ("labels", "service", "team"),
    [
        ({"namespace": "shop", "deployment": "checkout-7", "service": "postgres-main"}, "checkout", "payments"),
        ({"namespace": "shop", "service": "checkout"}, "shop", "platform"),
        ({"service": "checkout"}, "checkout", "payments"),
        ({"service": "kube-state-metrics"}, "", "platform"),
        ({}, "", "platform"),
    ],
)
def test_the_service_is_the_first_entry_that_holds_else_the_label_if_it_names_an_entry_else_none(
    labels: dict[str, Any], service: str, team: str
) -> None:
    verdict = judged("", **labels)
    assert (verdict.service, verdict.team) == (service, team)


def test_calendars_are_asked_when_the_alert_arrives(live: Callable[..., Life]) -> None:
    life = live("- {name: day, during: office, impact: extensive}\n- {name: night, outside: office, impact: minor}")
    life.fire(alertname="Day")
    life.advance(NIGHT)
    life.fire(alertname="Night")
    assert [one.severity for one in life.incidents()] == [S1, S3]
    assert [one.matched for one in life.incidents()] == [("day",), ("night",)]
    life.advance(NIGHT + timedelta(hours=9))
    assert life.post(told(alertname="Night", starts=NIGHT)) == {"unchanged": 1}
    assert life.incidents()[1].severity is S3


def test_until_is_the_last_day_of_a_rule_in_utc() -> None:
    text = "- {name: a, until: 2026-11-24}"
    last = datetime.fromisoformat("2026-11-25T00:59:59.999999+01:00")
    assert judged(text, at=last).matched == ("a",)
    assert judged(text, at=last + timedelta(microseconds=1)).matched == ()


@pytest.mark.parametrize("reason", ["at_most: sev4", "impact: minor, urgency: low, stop: true"])
def test_what_fires_on_when_a_rule_has_ended_is_judged_without_it(live: Callable[..., Life], reason: str) -> None:
    life = live(f"- {{name: quiet, until: 2026-11-23, {reason}}}\n- {{name: grave, impact: significant}}")
    life.fire()
    life.advance(datetime(2026, 11, 23, 23, 59, tzinfo=UTC))
    assert life.fire(starts=START) == {"unchanged": 1}
    assert life.only().severity is S4
    life.wait(MINUTE)
    assert (life.only().severity, life.only().matched) == (S2, ("grave",)), "though nobody sent it again"
    assert life.fire(starts=START) == {"unchanged": 1}


def test_of_what_a_rule_judged_that_ended_what_is_over_and_what_others_judged_stays(live: Callable[..., Life]) -> None:
    ending = "- {name: quiet, match: ['pod=\"a\"'], until: 2026-11-23, at_most: sev4}"
    life = live(f"{ending}\n- {{name: grave, impact: significant}}")
    life.fire(pod="a")
    life.resolve(pod="a")
    before = life.only()
    life.advance(datetime(2026, 11, 24, 0, 1, tzinfo=UTC))
    assert life.only().severity is before.severity is S4


def test_an_incident_that_a_rule_held_back_opens_at_its_deadline_though_the_rule_has_ended(
    live: Callable[..., Life],
) -> None:
    life = live("- {name: a, until: 2026-11-23, delay: 1h, because: It often ends by itself.}")
    life.advance(datetime(2026, 11, 23, 23, 30, tzinfo=UTC))
    life.fire()
    life.wait(59 * MINUTE)
    assert life.only().state is State.PENDING
    life.wait(MINUTE)
    assert life.only().state is State.OPEN


def test_repeats_reach_the_rules_again_once_one_has_ended(live: Callable[..., Life]) -> None:
    life = live("- {name: quiet, until: 2026-11-23, drop: It is known.}")
    worker = EndsWorker(lambda: life.intake.rules.rule_set.ends, lambda: life.ask(RulesEnded()), since=START)
    over = datetime(2026, 11, 24, tzinfo=UTC)
    life.fire()
    (digest,) = alertmanager.digests("am", body([told(starts=START)])) or [b""]
    assert life.intake.known.status(digest) == "firing"
    assert (worker.step(START), worker.next_at(START)) == (False, over)
    life.clock.move_to(over)
    assert life.intake.known.status(digest) == "firing"
    assert [worker.step(over), worker.step(over)] == [True, False]
    assert life.intake.known.status(digest) is None
    assert worker.next_at(over) is None
    assert life.fire(starts=START) == {"began": 1}


def test_the_daemon_forgets_at_the_door_what_a_rule_that_ended_had_judged(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    for name, text in rules("- {name: quiet, until: 2026-11-23, at_most: sev4}").files.items():
        (folder / name).write_text(text)
    settings = settings_for(tmp_path).model_copy(update={"rules": folder})
    late = datetime(2026, 11, 23, 23, 57, 13, tzinfo=UTC)
    with world(settings, FakeClock(late)) as daemon:
        daemon.deliver(alert())
        (digest,) = alertmanager.digests("alertmanager", body([alert()])) or [b""]
        daemon.advance(2 * MINUTE)
        assert daemon.app.known.status(digest) == "firing"
        daemon.advance(MINUTE)
        assert daemon.app.known.status(digest) is None
        daemon.deliver(alert())
        assert [one.severity for one in daemon.incidents()] == [S3]


# ---------------------------------------------------------------- what several matches set


def test_impact_and_urgency_are_each_the_maximum_over_all_matches() -> None:
    verdict = judged("""
- {name: a, impact: minor, urgency: critical, because: A.}
- {name: b, impact: extensive, urgency: low, because: B.}
- {name: c, match: [pod=x], impact: moderate, urgency: medium, because: C.}
""")
    assert (verdict.impact, verdict.urgency, verdict.severity) == ("extensive", "critical", S1)
    assert (verdict.matched, verdict.because) == (("a", "b"), ("A.", "B."))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_severity_is_the_matrix_limited_by_the_lowest_at_most_wherever_it_stands(order: tuple[int, ...]) -> None:
    texts = ("- {name: a, at_most: sev3}", "- {name: b, at_most: sev4}", "- {name: c, impact: extensive}")
    verdict = judged("\n".join(texts[at] for at in order))
    assert (verdict.impact, verdict.severity, verdict.at_most) == ("extensive", S4, S4)


def test_at_most_makes_nothing_graver() -> None:
    assert judged("- {name: a, impact: minor, urgency: low, at_most: sev2}").severity is S4


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("- {name: a, at_most: sev4}\n- {name: b, impact: extensive, stop: true}", S4),
        ("- {name: a, at_most: sev4, stop: true}\n- {name: b, impact: extensive}", S4),
        ("- {name: a, impact: extensive, stop: true}\n- {name: b, at_most: sev4}", S1),
    ],
)
def test_nothing_counts_after_a_rule_that_stops_not_even_at_most(text: str, severity: Severity) -> None:
    assert judged(text).severity is severity


@pytest.mark.parametrize(
    ("word", "first", "second", "found"),
    [
        ("category", "outage", "security", "outage"),
        ("key", "[pod]", "[cluster]", (("pod", "p"),)),
        ("team", "payments", "platform", "payments"),
        ("repository", "acme/one", "acme/two", "acme/one"),
        ("delay", "5m", "1m", timedelta(minutes=5)),
        ("close", "person", "daemon", "person"),
    ],
)
def test_the_first_match_that_sets_it_decides(word: str, first: str, second: str, found: object) -> None:
    verdict = judged(
        f"- {{name: a}}\n- {{name: b, match: [pod=other], {word}: {second}}}\n"
        f"- {{name: c, {word}: {first}}}\n- {{name: d, {word}: {second}}}",
        pod="p",
    )
    assert (verdict.key.pairs if word == "key" else getattr(verdict, word)) == found


def test_a_repository_is_the_rules_else_that_of_the_verdicts_team() -> None:
    assert judged("- {name: a, repository: acme/rule, team: payments}").repository == "acme/rule"
    assert judged("- {name: a, team: payments}").repository == "acme/pay"
    assert judged("- {name: a, team: platform}", service="checkout").repository is None


def test_labels_are_the_union(live: Callable[..., Life]) -> None:
    life = live(
        "- {name: a, labels: [x, y]}\n- {name: b, labels: [y, z]}\n- {name: c, match: [pod=b], labels: [w]}",
    )
    life.fire(pod="a")
    assert life.only().labels == ("x", "y", "z")
    life.fire(pod="b")
    assert life.only().labels == ("x", "y", "z", "w")


@pytest.mark.parametrize(("who", "state"), [("daemon", State.CLOSED), ("person", State.RESOLVED)])
@pytest.mark.parametrize("severity", [S2, S3])
def test_a_rule_says_who_closes_in_place_of_severities(
    live: Callable[..., Life], who: str, state: State, severity: Severity
) -> None:
    life = live(f"- {{name: a, close: {who}, impact: {'significant' if severity is S2 else 'moderate'}}}")
    life.fire()
    life.resolve()
    life.wait(timedelta(hours=1))
    assert (life.only().severity, life.only().state) == (severity, state)


@pytest.mark.parametrize(
    ("text", "restricted"),
    [
        ("- {name: a, category: security}", True),
        ("- {name: a, category: outage}", False),
        ("- {name: a, category: outage, restricted: true}", True),
        ("- {name: a, category: security, restricted: false}", False),
        ("- {name: a, restricted: false}\n- {name: b, restricted: true}", True),
    ],
)
def test_security_is_restricted_and_rules_can_say_otherwise(
    live: Callable[..., Life], text: str, *, restricted: bool
) -> None:
    life = live(text)
    life.fire()
    assert life.only().restricted is restricted


# ---------------------------------------------------------------- drop


def test_drop_ends_here_and_nothing_else_counts(live: Callable[..., Life]) -> None:
    life = live(
        "- {name: a, impact: extensive}\n- {name: b, match: [pod=x], drop: Noise.}\n- {name: c, category: outage}"
    )
    assert life.fire(pod="x") == {"dropped": 1}
    assert life.incidents() == []
    assert life.metric("alerts_dropped_total", rule="b") == 1
    assert judged("- {name: a, drop: Noise.}\n- {name: b, category: outage}").category == "error"


def test_drop_is_not_for_an_alert_in_an_unfinished_incident_which_stays_as_it_was_judged(
    live: Callable[..., Life],
) -> None:
    life = live("- {name: a, impact: minor, urgency: low}")
    life.fire()
    life.intake.use(rules("- {name: a, drop: Noise.}"))
    life.fire(starts=START)
    assert (life.only().severity, life.only().firing) == (S4, 1)
    life.wait(MINUTE)
    life.resolve(starts=START)
    life.wait(MINUTE)
    assert life.fire() == {"began": 1}
    assert (life.only().severity, life.only().firing, life.only().alerts) == (S4, 1, 2)


def test_drop_is_for_the_same_alert_once_its_incident_is_finished_and_for_others_at_once(
    live: Callable[..., Life],
) -> None:
    life = live(key="alertname")
    life.fire(pod="a")
    life.intake.use(rules("- {name: a, drop: Noise.}"))
    assert life.fire(pod="b") == {"dropped": 1}
    life.resolve(pod="a", starts=START)
    life.wait(timedelta(hours=1))
    assert life.only().state is State.CLOSED
    assert life.fire(pod="a") == {"dropped": 1}


def test_an_alert_that_a_rule_would_drop_gives_its_incident_no_key_that_others_have(live: Callable[..., Life]) -> None:
    life = live("- {name: a, key: [pod]}")
    life.fire(pod="a")
    others = rules("- {name: a, match: [pod=a], drop: Noise.}")
    life.intake.use(others)
    life.ask(Job(run=lambda transaction, now: gain_keys(transaction, others.rule_set, now)))
    life.fire(pod="a", starts=START)
    life.fire(pod="b")
    assert [one.alerts for one in life.incidents()] == [1, 1]


# ---------------------------------------------------------------- grows


@pytest.mark.parametrize("word", ["category: outage", "team: platform", "at_most: sev4", "key: [pod]", "delay: 5m"])
def test_an_entry_of_grows_sets_only_impact_urgency_and_because(word: str) -> None:
    with pytest.raises(ConfigError, match="expected when, impact, urgency or because, got an unknown key"):
        rules(f"- {{name: a, grows: [{{when: {{alerts: 2}}, impact: minor, {word}}}]}}")


def growing(*entries: str, match: str = "", more: str = "impact: minor") -> str:
    """A rule of which every entry makes a Sev-1, unless it says otherwise."""
    listed = "".join(f"\n  - {{when: {{{entry}}}, impact: extensive, because: It grew.}}" for entry in entries)
    asks = f"\n  match: [{match}]" if match else ""
    return f"- name: a{asks}\n  {more}\n  grows:{listed}"


def test_alerts_is_a_minimum_of_alerts(live: Callable[..., Life]) -> None:
    life = live(growing("alerts: 3"))
    severities = []
    for pod in "aabcd":
        life.fire(pod=pod, starts=START)
        severities.append(life.only().severity)
    assert severities == [S3, S3, S3, S1, S1]
    assert life.only().because == ("It grew.",)


def test_distinct_is_a_minimum_of_different_values_and_an_absent_label_has_none(live: Callable[..., Life]) -> None:
    life = live(growing("distinct: {instance: 3}"))
    for number, instance in enumerate(("a", "b", "b")):
        life.fire(instance=instance, pod=str(number))
    life.fire(pod="none")
    assert life.only().severity is S3
    life.fire(instance="c")
    assert life.only().severity is S1


def test_firing_for_is_a_minimum_of_time_since_the_alert_began_and_is_asked_as_time_passes(
    live: Callable[..., Life],
) -> None:
    life = live(growing("firing_for: 10m"))
    life.wait(4 * MINUTE)
    life.fire(starts=START)
    life.wait(6 * MINUTE - timedelta(microseconds=1))
    assert life.only().severity is S3
    life.wait(timedelta(microseconds=1))
    assert life.only().severity is S1


def test_refires_is_a_minimum_of_firings_again_within_a_span(live: Callable[..., Life]) -> None:
    life = live(growing("refires: {count: 3, within: 1h}"))
    severities = []
    for pause in (2, 2, 2, 30, 26):
        life.fire()
        severities.append(life.only().severity)
        life.wait(MINUTE)
        life.resolve()
        life.wait((pause - 1) * MINUTE)
    assert severities == [S3, S3, S3, S1, S1]


def test_refires_before_the_span_do_not_count(live: Callable[..., Life]) -> None:
    life = live(growing("refires: {count: 3, within: 10m}"))
    for _ in range(8):
        life.fire()
        life.wait(MINUTE)
        life.resolve()
        life.wait(4 * MINUTE + timedelta(seconds=1))
    assert (life.only().alerts, life.only().severity) == (8, S3)


def test_all_values_of_when_must_hold(live: Callable[..., Life]) -> None:
    life = live(growing("alerts: 2, firing_for: 10m, distinct: {instance: 2}, refires: {count: 1, within: 1h}"))
    life.fire(instance="a")
    life.wait(12 * MINUTE)
    life.fire(instance="a", pod="x")
    life.fire(instance="b")
    assert life.only().severity is S3
    life.resolve(instance="b")
    life.fire(instance="b", starts=START + 13 * MINUTE)
    assert life.only().severity is S1


@pytest.mark.parametrize("entry", ["alerts: 3", "distinct: {pod: 3}", "alerts: 1, firing_for: 6m"])
def test_only_firing_alerts_count(live: Callable[..., Life], entry: str) -> None:
    life = live(growing(entry, match="'pod!=\"a\"'"))
    for pod in "abcdef":
        life.fire(pod=pod)
        if pod != "a":
            life.wait(MINUTE)
            life.resolve(pod=pod)
    assert (life.only().firing, life.only().alerts, life.only().severity) == (1, 6, S3)


def test_alerts_that_come_back_count_again(live: Callable[..., Life]) -> None:
    life = live(growing("alerts: 2"))
    life.fire(pod="a")
    life.resolve(pod="a")
    life.fire(pod="b")
    assert life.only().severity is S3
    life.wait(MINUTE)
    life.fire(pod="a")
    assert life.only().severity is S1


def test_an_alert_that_ends_and_goes_on_within_one_transaction_counts(live: Callable[..., Life]) -> None:
    life = live(growing("alerts: 2"))
    fires, ends = told(pod="a"), told(pod="a", status="resolved", ends=START)
    sent = (fires, ends, fires)
    life.ask(*(Delivery(id=str(n), source="am", body=body([one])) for n, one in enumerate(sent)))
    life.fire(pod="b")
    assert life.only().severity is S1


def test_an_alert_that_goes_on_and_ends_within_one_transaction_does_not_count(live: Callable[..., Life]) -> None:
    life = live(growing("alerts: 2"))
    fires, ends = told(pod="a"), told(pod="a", status="resolved", ends=START)
    life.ask(*(Delivery(id=str(n), source="am", body=body([one])) for n, one in enumerate((fires, ends, fires, ends))))
    life.fire(pod="b")
    assert life.only().severity is S3


def test_alerts_of_the_incident_that_do_not_match_the_rule_do_not_count(live: Callable[..., Life]) -> None:
    life = live(growing("alerts: 2", match="'tier=\"front\"'"))
    for pod in "abc":
        life.fire(pod=pod, tier="back")
    life.fire(tier="front")
    assert (life.only().firing, life.only().severity) == (4, S3)
    life.fire(tier="front", pod="d")
    assert life.only().severity is S1


def test_alerts_of_other_incidents_do_not_count(live: Callable[..., Life]) -> None:
    life = live(growing("alerts: 2"), key="cluster")
    for cluster in ("eu", "us", "ap"):
        life.fire(cluster=cluster)
    assert [one.severity for one in life.incidents()] == [S3] * 3


def test_a_rule_behind_one_that_stops_counts_nobody(live: Callable[..., Life]) -> None:
    life = live(f"- {{name: first, match: ['pod=~\"b|c\"'], impact: minor, stop: true}}\n{growing('alerts: 2')}")
    for pod in "abc":
        life.fire(pod=pod)
    assert life.only().severity is S3


def test_each_entry_raises_when_it_holds(live: Callable[..., Life]) -> None:
    text = """
- name: a
  impact: minor
  urgency: low
  grows:
  - {when: {alerts: 2}, impact: significant}
  - {when: {alerts: 3}, urgency: critical}
  - {when: {firing_for: 10m}, impact: extensive}
"""
    life = live(text)
    severities = []
    for pod in "abc":
        life.fire(pod=pod)
        severities.append(life.only().severity)
    assert severities == [S4, S3, S1]
    life.wait(10 * MINUTE)
    assert (life.only().impact, life.grown()) == ("significant", ("a#0", "a#1", "a#2"))


@pytest.mark.parametrize("order", ["xy", "yx"])
def test_entries_of_several_rules_count_together_for_the_gravest_alert(live: Callable[..., Life], order: str) -> None:
    """The first alert is urgent, the second is what makes many of them: many and urgent is a Sev-1."""
    life = live("""
- {name: all, impact: minor, urgency: low, grows: [{when: {alerts: 3}, impact: extensive}]}
- {name: some, match: [kind=x], grows: [{when: {firing_for: 5m}, urgency: critical}]}
""")
    life.fire(kind="x")
    life.wait(5 * MINUTE)
    for kind in order:
        life.fire(kind=kind, pod="b")
    assert (life.grown(), life.only().severity) == (("some#0", "all#0"), S1)


def test_growth_of_the_newest_alert_does_not_hide_that_of_a_graver_one(live: Callable[..., Life]) -> None:
    life = live("""
- {name: all, impact: minor, urgency: low, grows: [{when: {alerts: 2}, impact: extensive}]}
- {name: urgent, match: [kind=x], urgency: critical}
""")
    life.fire(kind="x")
    life.fire(kind="y")
    assert (life.only().urgency, life.only().severity) == ("critical", S1)


def test_growth_stays_below_the_at_most_of_its_alerts(live: Callable[..., Life]) -> None:
    life = live(f"{growing('alerts: 2')}\n- {{name: b, match: [cluster=staging], at_most: sev4}}")
    for pod in "abc":
        life.fire(pod=pod, cluster="staging")
    assert (life.only().severity, life.grown()) == (S4, ("a#0",))
    life.fire(cluster="prod")
    assert life.only().severity is S1


def test_an_alert_that_joins_what_has_grown_is_judged_grown(live: Callable[..., Life]) -> None:
    life = live(f"{growing('alerts: 2', more='urgency: low')}\n- {{name: b, match: [kind=x], urgency: medium}}")
    for pod in "ab":
        life.fire(pod=pod)
    assert life.only().severity is S3
    life.fire(kind="x")
    assert life.only().severity is S2


def test_an_earlier_beginning_of_an_alert_counts_for_firing_for(live: Callable[..., Life]) -> None:
    life = live(growing("firing_for: 10m"))
    life.wait(9 * MINUTE)
    life.fire()
    life.fire(starts=START + MINUTE)
    life.wait(2 * MINUTE - timedelta(microseconds=1))
    assert life.only().severity is S3
    life.wait(timedelta(microseconds=1))
    assert life.only().severity is S1


def test_other_rules_that_ask_less_are_asked_of_what_fires(live: Callable[..., Life]) -> None:
    life = live(growing("alerts: 5"))
    pair = [told(pod=pod) for pod in "ab"]
    life.post(*pair)
    life.intake.use(rules(growing("alerts: 2")))
    assert life.only().severity is S3
    life.post(*pair)
    assert life.only().severity is S1


def test_growth_goes_on_after_a_restart(live: Callable[..., Life]) -> None:
    before = live(growing("alerts: 3", "alerts: 2, firing_for: 10m"))
    before.fire(pod="a")
    after = Life(rules(growing("alerts: 3", "alerts: 2, firing_for: 10m")), before.store)
    after.fire(pod="b")
    again = Life(rules(growing("alerts: 3", "alerts: 2, firing_for: 10m")), before.store)
    assert again.only().severity is S3
    again.wait(10 * MINUTE)
    assert (again.only().severity, again.grown()) == (S1, ("a#1",))


def test_what_joined_while_a_person_had_it_closed_counts_once_it_is_open_again(live: Callable[..., Life]) -> None:
    life = live(growing("alerts: 3"))
    life.fire(pod="a")
    life.act(CloseAsked(actor=ANN, reason=CloseReason.NOT_PLANNED, record=Record()))
    for pod in "bc":
        life.fire(pod=pod)
    assert (life.only().state, life.only().severity) == (State.CLOSED, S3)
    life.act(ReopenAsked(actor=ANN))
    assert (life.only().state, life.only().severity) == (State.OPEN, S1)


HELD = "{when: {alerts: 2}, impact: significant, because: Two of them.}"
GRAVE = "{when: {alerts: 9}, impact: extensive, urgency: critical}"


def entries(*grows: str) -> str:
    listed = "".join(f"\n  - {one}" for one in grows)
    return f"- name: a\n  impact: minor\n  urgency: low\n  grows:{listed}"


@pytest.mark.parametrize(
    "edited",
    [
        (GRAVE, HELD),
        (HELD.replace("Two of them", "There are two"), GRAVE),
        (GRAVE, "{when: {firing_for: 1h}, impact: extensive}", HELD),
    ],
    ids=["one inserted above", "reworded", "two inserted above"],
)
def test_an_entry_that_held_is_known_again_whatever_stands_around_it(
    live: Callable[..., Life], edited: tuple[str, ...]
) -> None:
    life = live(entries(HELD))
    for pod in "ab":
        life.fire(pod=pod)
    held = life.only().grown
    life.intake.use(rules(entries(*edited)))
    life.post(*(told(pod=pod) for pod in "abc"))
    assert (life.only().impact, life.only().severity, life.only().grown) == ("significant", S3, held)
    for pod in "defghi":
        life.fire(pod=pod)
    assert (life.only().severity, len(life.only().grown)) == (S1, 2)


def test_an_entry_counts_on_whatever_is_inserted_above_it(live: Callable[..., Life]) -> None:
    life = live(entries(HELD.replace("2", "3")))
    for pod in "ab":
        life.fire(pod=pod)
    life.intake.use(rules(entries(GRAVE, HELD.replace("2", "3"))))
    life.resolve(pod="b")
    life.fire(pod="c")
    assert life.only().grown == ()
    life.fire(pod="d")
    assert (life.only().impact, life.grown()) == ("significant", ("a#1",))


def test_an_entry_whose_condition_is_edited_is_another_one(live: Callable[..., Life]) -> None:
    life = live(entries(HELD))
    for pod in "ab":
        life.fire(pod=pod)
    life.intake.use(rules(entries(HELD.replace("significant", "extensive, urgency: high").replace("2", "3"))))
    life.post(*(told(pod=pod) for pod in "ab"))
    assert (life.only().impact, life.only().severity) == ("significant", S3)
    life.fire(pod="c")
    assert (life.only().severity, len(life.only().grown)) == (S1, 2)


def test_entries_that_differ_in_their_reasons_alone_both_hold(live: Callable[..., Life]) -> None:
    life = live(entries(HELD, HELD.replace("Two", "Both")))
    for pod in "ab":
        life.fire(pod=pod)
    assert life.grown() == ("a#0", "a#1")
    assert life.only().because == ("Two of them.",)


@pytest.mark.parametrize(("entry", "severity"), [("firing_for: 10m", S1), ("alerts: 2", S3)])
def test_what_is_merged_grows_by_its_own_alerts_alone(
    live: Callable[..., Life], entry: str, severity: Severity
) -> None:
    life = live(growing(entry, match="'alertname=\"Error\"'"))
    life.fire()
    life.fire(alertname="Other")
    life.act(MergeAsked(actor=ANN, into=2))
    life.wait(11 * MINUTE)
    merged, into = life.incidents()
    assert (merged.severity, into.severity) == (severity, S3)
    assert merged.parent == (None if severity is S1 else 2)


# ---------------------------------------------------------------- delay, pending


def test_delay_holds_back_without_number_issue_or_clock(live: Callable[..., Life]) -> None:
    life = live("- {name: a, delay: 15m}")
    life.fire()
    with life.store.read() as reader:
        kinds = [deadline.kind for deadline in reader.deadlines(1)]
        published = reader.connection.execute(select(s.publications.c.incident_id)).all()
    assert (life.only().state, life.only().opened_at, kinds, published) == (
        State.PENDING,
        None,
        [DeadlineKind.OPENING],
        [],
    )
    assert life.total("incidents_opened_total") == 0


def test_what_is_pending_opens_at_its_deadline_if_it_still_fires(live: Callable[..., Life]) -> None:
    life = live("- {name: a, delay: 15m}")
    life.fire()
    life.wait(15 * MINUTE - timedelta(microseconds=1))
    assert life.only().state is State.PENDING
    life.wait(timedelta(microseconds=1))
    opened = life.only()
    assert (opened.state, opened.opened_at) == (State.OPEN, START + 15 * MINUTE)
    assert opened.response_due_at == START + 15 * MINUTE + timedelta(hours=4)


def test_what_is_pending_ends_counted_if_nothing_fires_any_more(live: Callable[..., Life]) -> None:
    life = live("- {name: a, delay: 15m}")
    life.fire()
    life.resolve()
    life.wait(15 * MINUTE)
    assert (life.only().state, life.only().close_reason) == (State.CLOSED, CloseReason.UNOPENED)
    assert life.total("incidents_closed_total", reason="unopened", by="daemon") == 1
    assert life.total("incidents_opened_total") == 0


@pytest.mark.parametrize(
    ("impact", "state"), [("extensive", State.OPEN), ("significant", State.OPEN), ("minor", State.PENDING)]
)
def test_what_is_judged_sev1_or_sev2_is_not_held_back(live: Callable[..., Life], impact: str, state: State) -> None:
    life = live(f"- {{name: a, delay: 15m, impact: {impact}}}")
    life.fire()
    assert life.only().state is state


def test_what_is_pending_opens_at_once_when_a_graver_alert_joins(live: Callable[..., Life]) -> None:
    life = live("- {name: a, delay: 15m, impact: minor}\n- {name: b, match: [pod=b], impact: significant}")
    life.fire(pod="a")
    life.wait(MINUTE)
    life.fire(pod="b")
    assert (life.only().state, life.only().severity, life.only().opened_at) == (State.OPEN, S2, START + MINUTE)


@pytest.mark.parametrize("entry", ["alerts: 2", "firing_for: 5m"])
def test_what_is_pending_opens_at_once_when_it_grows_to_sev1_or_sev2(live: Callable[..., Life], entry: str) -> None:
    life = live(growing(entry, more="delay: 15m"))
    life.fire(pod="a")
    assert life.only().state is State.PENDING
    life.wait(5 * MINUTE)
    life.fire(pod="b")
    assert (life.only().state, life.only().severity, life.only().opened_at) == (State.OPEN, S1, START + 5 * MINUTE)


def test_what_is_limited_to_sev3_stays_pending_however_it_grows(live: Callable[..., Life]) -> None:
    life = live(growing("alerts: 2", more="delay: 15m\n  at_most: sev3"))
    for pod in "abc":
        life.fire(pod=pod)
    assert (life.only().state, life.grown()) == (State.PENDING, ("a#0",))


# ---------------------------------------------------------------- what check refuses; what is shipped


@pytest.mark.parametrize("condition", ["annotations: ['a=b']", "during: office", "outside: office"])
@pytest.mark.parametrize("word", ["key: [pod]", "drop: Noise.", "delay: 5m", "repository: acme/x"])
def test_rules_that_set_key_drop_delay_or_repository_use_neither_annotations_nor_calendars(
    word: str, condition: str
) -> None:
    name, setting = condition.partition(":")[0], word.partition(":")[0]
    with pytest.raises(ConfigError, match=f"expected no `{name}` in a rule that sets {setting}"):
        rules(f"- {{name: a, {word}, {condition}}}")


@pytest.mark.parametrize(("label", "severity"), [("critical", S2), ("warning", S3), ("info", S4), ("none", S3)])
def test_the_shipped_rules_judge_the_label_severity_where_nothing_better_is_known(
    label: str, severity: Severity
) -> None:
    (read,) = alertmanager.read("am", body([told(alertname="NobodyKnowsMe", severity=label)])).alerts
    assert building.rule_files().rules.judge(read, START).severity is severity


def test_the_shipped_rules_believe_what_is_better_known_than_the_label() -> None:
    labels = {"alertname": "KubeNodeNotReady", "severity": "critical"}
    (read,) = alertmanager.read("am", body([told(**labels)])).alerts
    assert building.rule_files().rules.judge(read, START).severity is S3


@pytest.mark.parametrize("fact", ["users", "functions", "revenue", "tier"])
def test_the_shipped_rules_ask_the_catalogue_for_users_functions_revenue_and_tier(fact: str) -> None:
    asked = {matcher.name for rule in building.rule_files().rules.rules for matcher in rule.service}
    assert fact in asked
