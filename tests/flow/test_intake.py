"""The write path on real stores with the shipped rules: what comes in is judged, decided and kept, once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog
from msgspec.structs import replace
from prometheus_client import generate_latest
from sqlalchemy import func, select, text

import building
from triaged import rulefiles
from triaged.app import App, rules_of
from triaged.clock import FakeClock
from triaged.core.events import Acknowledged, Act, CloseAsked, Record, ReopenAsked
from triaged.core.model import Alert, CloseReason, DeadlineKind, Episode, Incident, Severity, State, Verdict
from triaged.errors import StoreError
from triaged.intake.intake import Intake
from triaged.intake.known import Known
from triaged.intake.units import Answer, Ask, Delivery, Job, Passed, Rules, Unit
from triaged.metrics import Metrics
from triaged.ports.store import AlertRecord, Fate, Wanted
from triaged.sources import alertmanager
from triaged.store import schema as s
from triaged.store.store import Store
from triaged.workers.deadlines import DeadlinesWorker
from triaged.workers.retention import RetentionWorker
from world import ANN, START, alert, body, settings_for, world

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
FIXTURES = Path(__file__).parents[1] / "fixtures" / "alertmanager"


def shipped() -> Rules:
    return rules_of(building.rule_files())


def edited(*, severities: Mapping[str, str] | None = None, **replaced: str) -> Rules:
    """The shipped rules with texts of triage.yaml (by keyword `triage`) or severities.yaml replaced."""
    files = dict(building.rule_files().files)
    if "triage" in replaced:
        files["triage.yaml"] = replaced["triage"]
    for old, new in (severities or {}).items():
        assert old in files["severities.yaml"]
        files["severities.yaml"] = files["severities.yaml"].replace(old, new)
    return rules_of(rulefiles.read(files))


TRIAGE = """
matrix:
  extensive:   [sev1, sev1, sev2, sev3]
  significant: [sev1, sev2, sev3, sev3]
  moderate:    [sev2, sev3, sev3, sev4]
  minor:       [sev3, sev3, sev4, sev4]
default: {impact: moderate, urgency: high, category: error, team: platform}
key: [KEY]
rules:
"""


def triage(rules: str = "", key: str = "alertname, cluster") -> Rules:
    """Rules of the test's own."""
    listed = TRIAGE.replace("KEY", key) + rules if rules else TRIAGE.replace("KEY", key).rstrip() + " []\n"
    return edited(triage=listed)


class Poisoned:
    """A rule set with a bug: it breaks at alerts with a label `poison` that names the method called."""

    def __init__(self, sound: Any) -> None:
        self._sound = sound

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sound, name)

    def judge(self, alert: Alert, now: datetime) -> Verdict:
        if alert.labels.get("poison") == "judge":
            raise ZeroDivisionError("judging broke")
        verdict: Verdict = self._sound.judge(alert, now)
        if alert.labels.get("poison") == "decide":
            return replace(verdict, growing=("poisoned#0",))
        return verdict

    def growth(self, ref: str) -> Any:
        if ref == "poisoned#0":
            raise ZeroDivisionError("deciding broke")
        return self._sound.growth(ref)


def poisoned() -> Rules:
    sound = shipped()
    rule_set: Any = Poisoned(sound.rule_set)
    return replace(sound, rule_set=rule_set)


class Desk:
    """An intake on a store, with a clock of the test's."""

    def __init__(self, store: Store, rules: Rules) -> None:
        self.store = store
        self.clock = FakeClock(START)
        self.known = Known()
        self.metrics = Metrics()
        self.woken: list[tuple[bool, bool]] = []
        self.intake = Intake(
            store,
            rules,
            readers={"alertmanager": alertmanager.read, "broken": _breaks},
            read_policy=rulefiles.read_policy,
            known=self.known,
            metrics=self.metrics,
            woken=lambda publishes, deadlines: self.woken.append((publishes, deadlines)),
        )
        self.deadlines = DeadlinesWorker(store.read, self.ask)

    def ask(self, unit: Unit) -> Answer:
        (answer,) = self.intake.process([unit], self.clock.now())
        return answer

    def process(self, *units: Unit) -> list[Answer]:
        return self.intake.process(units, self.clock.now())

    def post(self, *alerts: Mapping[str, Any]) -> Answer:
        return self.ask(delivery(*alerts))

    def act(self, incident_id: int, act: Act) -> Answer:
        return self.ask(Ask(incident_id=incident_id, act=act))

    def advance(self, span: timedelta) -> None:
        """Let time pass; every deadline acts when it is due."""
        until = self.clock.now() + span
        while True:
            while self.deadlines.step(self.clock.now()):
                pass
            due = self.deadlines.next_at(self.clock.now())
            if due is None or due > until:
                break
            self.clock.move_to(due)
        self.clock.move_to(until)

    def at_the_door(self, *alerts: Mapping[str, Any]) -> bool:
        """Whether a delivery of these alerts would be answered without the writer."""
        found = alertmanager.digests("alertmanager", body(alerts))
        return found is not None and all(self.known.status(digest) for digest in found)

    def incidents(self) -> list[Incident]:
        """All of them, also those without a number, oldest first."""
        with self.store.read() as reader:
            found = reader.connection.execute(select(*(s.incidents.c[n] for n in s.INCIDENT.names)).order_by("id"))
            return [s.INCIDENT.decode(tuple(row)) for row in found]

    def only(self) -> Incident:
        (found,) = self.incidents()
        return found

    def grown(self) -> tuple[str, ...]:
        """What held of the one incident, as people call it."""
        return building.named(self.intake.rules.rule_set, self.only().grown)

    def episodes(self) -> list[Episode]:
        with self.store.read() as reader:
            found = reader.connection.execute(select(*(s.episodes.c[n] for n in s.EPISODE.names)).order_by("id"))
            return [s.EPISODE.decode(tuple(row)) for row in found]

    def records(self, *fates: Fate) -> list[AlertRecord]:
        with self.store.read() as reader:
            return reader.records(fates=fates or tuple(Fate), limit=10_000)[::-1]

    def count(self, table: Any) -> int:
        with self.store.read() as reader:
            return reader.connection.execute(select(func.count()).select_from(table)).scalar_one()

    def told(self, incident_id: int = 1) -> list[str]:
        with self.store.read() as reader:
            return [entry.text for entry in reader.timeline(incident_id, 1_000)]

    def total(self, metric: str, **labels: str) -> float:
        with self.store.read() as reader:
            return sum(
                one.value for one in reader.totals() if one.metric == metric and labels.items() <= one.labels.items()
            )

    def metric(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"triaged_{name}", labels) or 0.0


def _breaks(source: str, body: bytes) -> Any:
    raise ZeroDivisionError("reading broke")


def delivery(*alerts: Mapping[str, Any], number: str = "d1") -> Delivery:
    return Delivery(id=number, source="alertmanager", body=body(alerts))


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, new_store: Callable[[str], str]) -> str:
    return new_store(request.param)


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """What was logged, instead of tracebacks on the terminal."""
    with structlog.testing.capture_logs() as found:
        yield found


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store, shipped())


@pytest.fixture
def bare(store: Store) -> Callable[..., Desk]:
    """A desk with rules of the test's own."""
    return lambda rules="", key="alertname, cluster": Desk(store, triage(rules, key))


# ---------------------------------------------------------------- duplicates


def test_an_alert_is_known_at_the_door_after_its_commit_and_not_before(desk: Desk) -> None:
    seen: list[bool] = []
    look = Job(run=lambda _transaction, _now: seen.append(desk.at_the_door(alert())))
    assert not desk.at_the_door(alert())
    desk.process(delivery(alert()), look)
    assert seen == [False]
    assert desk.at_the_door(alert())
    assert not desk.at_the_door(alert(), alert("Other"))


class Watched:
    """A store that calls `look` when all statements are done, just before the commit."""

    def __init__(self, store: Store, look: Callable[[], None]) -> None:
        self._store, self._look = store, look

    @contextmanager
    def begin(self) -> Iterator[Any]:
        with self._store.begin() as transaction:
            yield transaction
            self._look()


def test_a_changed_alert_is_unknown_at_the_door_from_before_its_commit(desk: Desk) -> None:
    ended = alert(status="resolved", ends=START)
    seen: list[tuple[bool, bool]] = []

    def look() -> None:
        seen.append((desk.at_the_door(alert()), desk.at_the_door(ended)))

    watched = Intake(
        Watched(desk.store, look),
        desk.intake.rules,
        readers={"alertmanager": alertmanager.read},
        read_policy=rulefiles.read_policy,
        known=desk.known,
        metrics=desk.metrics,
    )
    watched.process([delivery(alert())], START)
    assert desk.at_the_door(alert())
    watched.process([delivery(ended)], START)
    assert seen == [(False, False), (False, False)]
    assert desk.at_the_door(ended)


@pytest.mark.parametrize("batches", [1, 50])
def test_fifty_identical_deliveries_are_one_incident_and_one_episode(desk: Desk, batches: int) -> None:
    units = [delivery(alert(), number=f"d{i}") for i in range(50)]
    answers = desk.process(*units) if batches == 1 else [desk.ask(unit) for unit in units]
    assert [answer.status for answer in answers] == [200] * 50
    assert [answer.counts for answer in answers] == [{"began": 1}] + [{"unchanged": 1}] * 49
    assert (len(desk.incidents()), len(desk.episodes()), len(desk.records())) == (1, 1, 1)
    assert (desk.only().alerts, desk.only().firing) == (1, 1)
    assert desk.total("episodes_total", source="alertmanager") == 1
    assert desk.metric("alerts_received_total", source="alertmanager", status="firing") == 50
    assert desk.metric("alerts_duplicate_total", source="alertmanager", status="firing") == 49


def test_a_repeat_writes_nothing(desk: Desk) -> None:
    desk.post(alert())
    before = [desk.count(table) for table in s.metadata.sorted_tables]
    desk.woken.clear()
    desk.clock.advance(MINUTE)
    desk.post(alert())
    assert [desk.count(table) for table in s.metadata.sorted_tables] == before
    assert desk.woken == []


def test_the_members_of_an_ha_pair_tell_of_one_outage_and_both_are_known(desk: Desk) -> None:
    pair = [alert(generatorURL=f"http://prometheus-{member}.example.com/graph") for member in "ab"]
    for _ in range(5):
        for sent in pair:
            desk.post(sent)
    assert (len(desk.incidents()), len(desk.episodes()), len(desk.records())) == (1, 1, 1)
    assert all(desk.at_the_door(sent) for sent in pair)
    for sent in pair:
        desk.post({**sent, "status": "resolved", "endsAt": START.isoformat()})
    assert not any(desk.at_the_door(sent) for sent in pair)
    assert len(desk.records(Fate.ENDED)) == 1


def test_members_of_an_ha_pair_in_one_batch_are_one_episode(desk: Desk) -> None:
    pair = [delivery(alert(generatorURL=f"http://{member}/"), number=member) for member in "ab"]
    assert [answer.counts for answer in desk.process(*pair)] == [{"began": 1}, {"unchanged": 1}]
    assert desk.only().firing == 1


# ---------------------------------------------------------------- groups, order, the unknown


@pytest.mark.parametrize("version", ["0.25.0", "0.28.1", "0.33.1"])
def test_a_group_ends_with_its_last_alert_and_not_with_its_first(desk: Desk, version: str) -> None:
    def play(name: str) -> Incident:
        desk.clock.advance(MINUTE)
        sent = (FIXTURES / f"am{version}_{name}.json").read_bytes()
        assert desk.ask(Delivery(id=name, source="alertmanager", body=sent)).status == 200
        (found,) = desk.incidents()
        return found

    assert (play("firing_multi").firing, desk.only().state) == (2, State.OPEN)
    assert (play("partial_resolved").firing, desk.only().state) == (1, State.OPEN)
    assert (play("resolved").firing, desk.only().state) == (0, State.VERIFYING)
    assert (play("refired").firing, desk.only().state) == (desk.only().firing, State.OPEN)
    assert desk.only().round == 1


@pytest.mark.parametrize("version", ["0.25.0", "0.28.1", "0.33.1"])
def test_a_truncated_group_ends_nothing_that_it_leaves_out(desk: Desk, version: str) -> None:
    whole = json.loads((FIXTURES / f"am{version}_truncated.json").read_bytes())
    first = whole["alerts"][0]
    more = [{**first, "labels": {**first["labels"], "instance": f"more{i}"}} for i in range(4)]
    desk.post(*whole["alerts"], *more)
    firing = sum(found.firing for found in desk.incidents())
    for name in ("truncated", "truncated_repeat"):
        sent = (FIXTURES / f"am{version}_{name}.json").read_bytes()
        desk.ask(Delivery(id=name, source="alertmanager", body=sent))
    assert sum(found.firing for found in desk.incidents()) == firing


def test_a_resolve_for_the_unknown_changes_nothing(desk: Desk) -> None:
    assert desk.post(alert(status="resolved", ends=START)).counts == {"unchanged": 1}
    assert (desk.incidents(), desk.records()) == ([], [])
    assert desk.post(alert()).counts == {"began": 1}


def test_a_late_resolve_of_the_episode_before_does_not_end_the_present_one(desk: Desk) -> None:
    desk.post(alert(starts=START))
    assert desk.post(alert(status="resolved", starts=START - HOUR, ends=START - MINUTE)).counts == {"unchanged": 1}
    assert desk.only().firing == 1


def test_firing_resolved_and_firing_again_in_one_batch_are_one_open_incident(desk: Desk) -> None:
    again = alert(starts=START + MINUTE)
    ended = alert(status="resolved", ends=START + MINUTE / 2)
    desk.clock.advance(2 * MINUTE)
    counts = [answer.counts for answer in desk.process(*map(delivery, (alert(), ended, again)))]
    assert counts == [{"began": 1}, {"ended": 1}, {"began": 1}]
    assert (desk.only().state, desk.only().firing, desk.only().alerts) == (State.OPEN, 1, 2)
    assert [(episode.last, episode.ended_at is None) for episode in desk.episodes()] == [(False, False), (True, True)]
    assert desk.at_the_door(again)
    assert not desk.at_the_door(ended)


def test_an_expired_alert_that_is_heard_again_continues_its_episode(desk: Desk) -> None:
    desk.post(alert())
    desk.post(alert(status="resolved", ends=START))
    assert desk.only().state is State.VERIFYING
    assert desk.post(alert()).counts == {"continued": 1}
    assert (desk.only().state, desk.only().alerts, len(desk.episodes())) == (State.OPEN, 1, 1)


def test_two_alerts_with_one_fingerprint_of_the_sender_are_two_episodes(desk: Desk) -> None:
    desk.post(*(alert(labels={"pod": pod}, fingerprint="same") for pod in "ab"))
    assert len(desk.episodes()) == 2


def test_an_earlier_start_of_an_episode_that_goes_on_is_kept(desk: Desk) -> None:
    desk.clock.advance(HOUR)
    desk.post(alert(starts=START + HOUR))
    desk.post(alert(starts=START))
    desk.post(alert(starts=START + 2 * HOUR))
    assert (desk.episodes()[0].starts_at, desk.only().started_at, len(desk.episodes())) == (START, START, 1)


# ---------------------------------------------------------------- what cannot be read


def test_an_unreadable_alert_is_kept_raw_and_counted_and_the_others_go_in(desk: Desk) -> None:
    bad = {"status": "firing", "labels": {}}
    answer = desk.post(alert("First"), bad, alert("Second"))
    assert (answer.status, answer.counts) == (200, {"began": 2, "rejected": 1})
    (kept,) = desk.records(Fate.REJECTED)
    assert json.loads(kept.raw) == bad
    assert kept.reason.startswith("no_labels: labels: expected at least one label")
    assert kept.rule_set == desk.intake.rules.rule_set.hash
    assert desk.metric("alerts_rejected_total", source="alertmanager", reason="no_labels") == 1
    assert desk.at_the_door(alert("First"), bad)


def test_a_repeated_unreadable_alert_is_kept_once(desk: Desk) -> None:
    bad = {"status": "sleeping", "labels": {"a": "b"}}
    for _ in range(3):
        if not desk.at_the_door(bad):
            desk.post(bad)
    assert len(desk.records(Fate.REJECTED)) == 1


def test_a_body_that_cannot_be_read_costs_no_other_delivery(desk: Desk) -> None:
    garbage = Delivery(id="g", source="alertmanager", body=b"garbage")
    first, refused, second = desk.process(delivery(alert("First")), garbage, delivery(alert("Second")))
    assert (first.status, refused.status, second.status) == (200, 400, 200)
    assert "expected a JSON object" in refused.error
    assert len(desk.incidents()) == 2


def test_what_had_to_be_mended_is_told_in_the_record(desk: Desk) -> None:
    desk.post(alert(startsAt="yesterday", labels={"port": 9090, "n\0\ud800": ["x"]}))
    (kept,) = desk.records(Fate.BEGAN)
    assert "startsAt: expected an RFC 3339 instant" in kept.reason
    assert "labels.port: expected a text, got a number" in kept.reason
    assert desk.only().started_at == START


@pytest.mark.parametrize("value", ["\0", "\ud800", "'; DROP TABLE incidents; --", "%s %(a)s :a ?", "🔥" * 4_000])
def test_hostile_labels_are_taken_in_and_found_again(desk: Desk, value: str) -> None:
    sent = alert(labels={"pod": value, "cluster": value}, annotations={"summary": value})
    assert desk.post(sent).counts == {"began": 1}
    assert desk.post(sent).counts == {"unchanged": 1}
    assert desk.post({**sent, "status": "resolved"}).counts == {"ended": 1}
    assert desk.only().firing == 0


# ---------------------------------------------------------------- bugs


@pytest.mark.parametrize("where", ["judge", "decide"])
def test_a_poison_alert_costs_itself_alone(store: Store, where: str) -> None:
    desk = Desk(store, poisoned())
    poison = alert("Poison", labels={"poison": where})
    others = [alert(f"Other{i}") for i in range(5)]
    answer = desk.post(*others[:2], poison, *others[2:])
    assert (answer.status, answer.counts) == (200, {"began": 5, "failed": 1})
    (kept,) = desk.records(Fate.FAILED)
    assert json.loads(kept.raw) == poison
    assert "Traceback" in kept.reason
    assert "ZeroDivisionError" in kept.reason
    assert desk.metric("alerts_rejected_total", source="alertmanager", reason="failed") == 1
    assert all(desk.at_the_door(other) for other in others)
    assert not desk.at_the_door(poison)


@pytest.mark.parametrize("where", ["judge", "decide"])
def test_poison_costs_no_other_delivery_act_or_deadline(store: Store, where: str) -> None:
    desk = Desk(store, poisoned())
    desk.post(alert("First"))
    acknowledge = Ask(incident_id=1, act=Acknowledged(actor=ANN))
    poison = delivery(alert("Poison", labels={"poison": where}))
    done: list[int] = []
    answers = desk.process(
        delivery(alert("Second")), poison, acknowledge, Job(run=lambda _t, _n: done.append(1)), delivery(alert("Third"))
    )
    assert [answer.status for answer in answers] == [200] * 5
    assert answers[1].counts == {"failed": 1}
    assert desk.incidents()[0].state is State.ACKNOWLEDGED
    assert (len(desk.incidents()), len(desk.records(Fate.FAILED))) == (3, 1)
    assert done


@pytest.mark.parametrize("where", ["judge", "decide"])
def test_many_poison_alerts_of_one_request_are_kept_and_answered(store: Store, where: str) -> None:
    desk = Desk(store, poisoned())
    sent = [alert(f"P{i}", labels={"poison": where}) for i in range(30)]
    assert desk.post(*sent).counts == {"failed": 30}
    assert len(desk.records(Fate.FAILED)) == 30


def test_alerts_that_the_rules_break_at_never_cost_the_sound_ones_however_many(store: Store) -> None:
    desk = Desk(store, poisoned())
    sent = [alert(f"P{i}", labels={"poison": "judge"} if i % 2 else {}) for i in range(80)]
    assert desk.post(*sent).counts == {"failed": 40, "began": 40}


def test_poison_of_both_kinds_costs_no_sound_alert(store: Store) -> None:
    desk = Desk(store, poisoned())
    kinds = ["judge"] * 25 + ["decide"] * 3
    sent = [alert(f"P{i}", labels={"poison": kind}) for i, kind in enumerate(kinds)]
    assert desk.post(*sent, alert("Sound")).counts == {"failed": 28, "began": 1}


def test_a_poison_alert_leaves_no_half_of_its_decision_behind(store: Store) -> None:
    desk = Desk(store, poisoned())
    desk.post(alert("Poison", labels={"poison": "decide"}))
    assert (desk.incidents(), desk.episodes(), desk.count(s.incident_keys), desk.count(s.publications)) == (
        [],
        [],
        0,
        0,
    )
    assert desk.total("episodes_total") == 0


def test_a_source_that_breaks_is_answered_503_and_costs_no_other_delivery(desk: Desk) -> None:
    broken = Delivery(id="b", source="broken", body=body([alert()]))
    first, second, third = desk.process(delivery(alert("First")), broken, delivery(alert("Second")))
    assert (first.status, second.status, third.status) == (200, 503, 200)
    assert len(desk.incidents()) == 2


def test_a_job_that_breaks_is_answered_500_and_costs_no_delivery(desk: Desk) -> None:
    def broken(_transaction: Any, _now: datetime) -> None:
        raise ZeroDivisionError

    first, second = desk.process(delivery(alert()), Job(run=broken))
    assert (first.status, second.status) == (200, 500)
    assert len(desk.incidents()) == 1
    assert desk.metric("errors_total", where="intake") == 1


def test_a_unit_that_the_database_refuses_is_set_apart_with_all_that_came_with_it(desk: Desk) -> None:
    """The rows of one alert break a constraint: no exception of ours, but the statement's."""
    sound = desk.intake.rules
    bug: Any = Poisoned(sound.rule_set)
    nobody: Any = None
    bug.judge = lambda sent, now: replace(sound.rule_set.judge(sent, now), team=nobody)
    desk.intake.use(replace(sound, rule_set=bug))
    answer = desk.post(alert(), {"labels": {}})
    assert answer.status == 200
    assert len(desk.records(Fate.FAILED)) == 1
    assert len(desk.records(Fate.REJECTED)) == 1


# ---------------------------------------------------------------- the store is not there


@contextmanager
def full_disk(store: Store) -> Iterator[None]:
    """SQLite may not take another page."""
    with store.begin() as transaction:
        pages = transaction.connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        transaction.connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    yield
    with store.begin() as transaction:
        transaction.connection.exec_driver_sql("PRAGMA max_page_count=1000000")


@contextmanager
def stopped_postgres(url: str) -> Iterator[None]:
    """The database takes nobody in, and has thrown out who was there."""
    where, _, host = url.partition("?host=")
    name = where.rpartition("/")[2]
    with psycopg.connect(f"host={host} user=postgres dbname=postgres", autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        try:
            yield
        finally:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())


def test_while_the_store_is_down_everything_is_503_and_nothing_is_known(desk: Desk, store_url: str) -> None:
    desk.post(alert("Before"))
    large = {"summary": "x" * 16_000}
    sent = [alert(f"A{i}", annotations=large) for i in range(20)]
    down = full_disk(desk.store) if desk.store.alone else stopped_postgres(store_url)
    with down:
        answers = desk.process(*(delivery(one) for one in sent), Job(run=lambda _t, _n: None))
        assert {answer.status for answer in answers} == {503}
        assert all("the store cannot be written" in answer.error for answer in answers)
        assert not any(desk.at_the_door(one) for one in sent)
        assert desk.metric("alerts_received_total", source="alertmanager", status="firing") == 1
    assert [answer.status for answer in desk.process(*(delivery(one) for one in sent))] == [200] * 20
    assert len(desk.incidents()) == 21
    assert all(desk.at_the_door(one) for one in sent)


def test_what_was_half_written_when_the_store_went_down_is_not_there(desk: Desk, store_url: str) -> None:
    def go_down(transaction: Any, _now: datetime) -> None:
        if desk.store.alone:
            transaction.connection.exec_driver_sql("INSERT INTO nowhere VALUES (1)")
        transaction.connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    answers = desk.process(delivery(alert()), Job(run=go_down))
    assert [answer.status for answer in answers] == [503, 503]
    assert (desk.incidents(), desk.records()) == ([], [])
    assert not desk.at_the_door(alert())
    assert desk.post(alert()).status == 200
    assert desk.only().id == 1


def test_a_store_whose_file_is_damaged_answers_503(tmp_path: Path) -> None:
    (tmp_path / "damaged.db").write_bytes(b"no database " * 1_000)
    damaged = Desk(Store(f"sqlite:///{tmp_path}/damaged.db"), shipped())
    assert damaged.post(alert()).status == 503
    damaged.store.close()


# ---------------------------------------------------------------- retry


def test_retry_takes_in_what_a_bug_had_made_fail(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    sent = [alert("Poison", labels={"poison": "judge", "pod": pod}) for pod in "ab"]
    with world(settings, FakeClock(START)) as before:
        before.app.intake.use(poisoned())
        assert before.deliver(*sent, alert("Sound")).counts == {"failed": 2, "began": 1}
    still_broken = App(settings, FakeClock(START + HOUR))
    still_broken.intake.use(poisoned())
    assert still_broken.retry() == (0, 2)
    assert App(settings, FakeClock(START + HOUR)).retry() == (2, 0)
    assert App(settings, FakeClock(START + HOUR)).retry() == (0, 0)
    with world(settings, FakeClock(START + 2 * HOUR)) as after:
        assert sorted(incident.title for incident in after.incidents()) == ["Poison · eu-1", "Sound · eu-1"]
        assert after.deliver(*sent).counts == {"unchanged": 2}


# ---------------------------------------------------------------- drop


DROP = """
- name: noise
  match: ['alertname="Noise"']
  drop: Nobody needs it.
  because: It is noise.
"""


def test_a_dropped_alert_is_counted_and_kept_and_opens_nothing(bare: Callable[..., Desk]) -> None:
    desk = bare(DROP)
    assert desk.post(alert("Noise"), alert("Signal")).counts == {"dropped": 1, "began": 1}
    (kept,) = desk.records(Fate.DROPPED)
    assert kept.reason == "rule noise: Nobody needs it."
    assert [found.title for found in desk.incidents()] == ["Signal · eu-1"]
    assert desk.metric("alerts_dropped_total", rule="noise") == 1
    assert desk.at_the_door(alert("Noise"))


def test_an_alert_of_an_unfinished_incident_is_not_dropped(bare: Callable[..., Desk]) -> None:
    desk = bare()
    desk.post(alert("Noise"))
    desk.intake.use(triage(DROP))
    desk.post(alert("Noise", status="resolved", ends=START))
    assert desk.post(alert("Noise", starts=START + MINUTE)).counts == {"began": 1}
    assert desk.only().firing == 1


def test_what_old_rules_dropped_is_asked_again(bare: Callable[..., Desk]) -> None:
    desk = bare(DROP)
    desk.post(alert("Noise"))
    desk.intake.use(triage())
    assert not desk.at_the_door(alert("Noise"))
    assert desk.post(alert("Noise")).counts == {"began": 1}


def test_what_was_dropped_in_the_batch_that_brought_new_rules_is_asked_again(bare: Callable[..., Desk]) -> None:
    desk = bare(DROP)
    desk.process(delivery(alert("Noise")), Job(run=lambda _t, _n: desk.intake.use(triage())))
    assert not desk.at_the_door(alert("Noise"))
    assert desk.post(alert("Noise")).counts == {"began": 1}


def test_a_drop_that_ends_some_day_does_not_swallow_what_still_fires_then(bare: Callable[..., Desk]) -> None:
    desk = bare(DROP + "  until: 2026-11-24\n")
    assert desk.post(alert("Noise")).counts == {"dropped": 1}
    assert desk.at_the_door(alert("Noise"))
    desk.clock.move_to(datetime.fromisoformat("2026-11-25T00:00:00Z"))
    desk.process()
    assert not desk.at_the_door(alert("Noise"))
    assert desk.post(alert("Noise")).counts == {"began": 1}
    assert desk.only().state is State.OPEN


def test_an_alert_that_no_rule_matches_is_counted_and_judged_by_the_defaults(bare: Callable[..., Desk]) -> None:
    desk = bare()
    desk.post(alert("Unheard"))
    desk.post(alert("Unheard"))
    assert (desk.only().severity, desk.only().team) == (Severity.SEV3, "platform")
    assert desk.metric("alerts_unmatched_total") == 1


# ---------------------------------------------------------------- delay


def crash(pod: str = "a", **more: Any) -> dict[str, Any]:
    return alert("KubePodCrashLooping", labels={"severity": "warning", "namespace": "shop", "pod": pod}, **more)


def test_a_delayed_alert_waits_without_number_issue_or_clock_and_opens_when_it_lasts(desk: Desk) -> None:
    desk.post(crash())
    assert (desk.only().state, desk.only().opened_at, desk.count(s.publications)) == (State.PENDING, None, 0)
    with desk.store.read() as reader:
        assert reader.incidents(Wanted()) == []
        assert [deadline.kind for deadline in reader.deadlines(1)] == [DeadlineKind.OPENING]
    desk.advance(15 * MINUTE - timedelta(microseconds=1))
    assert desk.only().state is State.PENDING
    desk.advance(timedelta(microseconds=1))
    assert (desk.only().state, desk.only().opened_at) == (State.OPEN, START + 15 * MINUTE)
    assert desk.count(s.publications) == 1


def test_a_delayed_alert_that_ends_in_time_never_opens(desk: Desk) -> None:
    desk.post(crash())
    desk.clock.advance(5 * MINUTE)
    desk.post(crash(status="resolved", ends=START + 5 * MINUTE))
    desk.advance(HOUR)
    assert (desk.only().state, desk.only().close_reason, desk.count(s.publications)) == (
        State.CLOSED,
        CloseReason.UNOPENED,
        0,
    )
    assert desk.total("incidents_opened_total") == 0
    desk.post(crash(starts=START + HOUR))
    assert [found.state for found in desk.incidents()] == [State.CLOSED, State.PENDING]


def test_what_grows_does_not_wait(desk: Desk) -> None:
    desk.post(*(crash(pod) for pod in "ab"))
    assert desk.only().state is State.PENDING
    desk.post(crash("c"))
    assert (desk.only().state, desk.only().severity) == (State.OPEN, Severity.SEV2)


# ---------------------------------------------------------------- rules edited while incidents are open


def test_an_edited_key_is_added_to_the_open_incident_and_nothing_is_doubled(bare: Callable[..., Desk]) -> None:
    desk = bare(key="alertname, cluster")
    first, second = (alert(labels={"pod": pod, "namespace": "shop"}) for pod in "ab")
    desk.post(first)
    desk.intake.use(triage(key="namespace, cluster"))
    assert desk.post(first).status == 200
    desk.post(second)
    assert (len(desk.incidents()), len(desk.episodes())) == (1, 2)
    assert (desk.only().firing, desk.count(s.incident_keys)) == (2, 2)
    assert desk.post(first, second).counts == {"unchanged": 2}


def test_an_open_incident_that_no_key_leads_to_any_more_keeps_its_episodes(bare: Callable[..., Desk]) -> None:
    desk = bare(key="cluster")
    pair = [alert("A"), alert("B")]
    desk.post(*pair)
    desk.intake.use(triage(key="alertname"))
    desk.post(*pair)
    assert (len(desk.incidents()), desk.only().firing) == (1, 2)
    assert desk.count(s.incident_keys) == 3
    desk.post(*({**one, "status": "resolved"} for one in pair))
    assert desk.only().state is State.VERIFYING


def test_new_rules_judge_a_repeat_that_is_the_same_to_the_letter(bare: Callable[..., Desk]) -> None:
    desk = bare()
    desk.post(alert())
    assert desk.only().severity is Severity.SEV3
    graver = """
- name: grave
  match: ['alertname="HighErrorRate"']
  impact: extensive
  because: It is grave.
"""
    desk.intake.use(triage(graver))
    desk.post(alert())
    assert desk.only().severity is Severity.SEV1
    assert desk.at_the_door(alert())


def test_an_open_incident_keeps_the_policy_that_it_was_opened_with(desk: Desk) -> None:
    desk.post(alert("First"))
    policies = {"sev2:\n  targets: {response: 1h, resolution: 8h}": "sev2:\n  targets: {response: 5m, resolution: 8h}"}
    desk.intake.use(edited(severities={**policies, "verify_for: 20m": "verify_for: 2m"}))
    desk.clock.advance(MINUTE)
    desk.post(alert("Second"))
    first, second = desk.incidents()
    assert first.policy != second.policy
    assert first.response_due_at == START + HOUR
    assert second.response_due_at == START + 6 * MINUTE
    restarted = Desk(desk.store, desk.intake.rules)
    restarted.clock.move_to(START + MINUTE)
    restarted.post(*(alert(name, status="resolved", ends=START + MINUTE) for name in ("First", "Second")))
    restarted.advance(19 * MINUTE)
    # A Sev-2 that nobody had to take closes once its window is over: the second one's is shorter.
    assert [found.state for found in desk.incidents()] == [State.VERIFYING, State.CLOSED]
    restarted.advance(MINUTE)
    assert desk.incidents()[0].state is State.CLOSED


# ---------------------------------------------------------------- people


def close(reason: CloseReason = CloseReason.COMPLETED) -> CloseAsked:
    return CloseAsked(actor=ANN, reason=reason, record=Record())


def test_repeats_after_a_person_s_close_change_nothing(desk: Desk) -> None:
    desk.post(alert())
    assert desk.act(1, close()).status == 200
    for _ in range(3):
        desk.clock.advance(MINUTE)
        assert desk.post(alert()).counts == {"unchanged": 1}
    assert desk.post(alert(generatorURL="http://other/")).counts == {"unchanged": 1}
    assert (desk.only().state, desk.only().firing) == (State.CLOSED, 1)


def test_an_episode_that_a_person_s_close_held_never_reopens_it(desk: Desk) -> None:
    desk.post(alert())
    desk.act(1, close())
    desk.post(alert(status="resolved", ends=START))
    assert desk.post(alert()).counts == {"continued": 1}
    assert desk.only().state is State.CLOSED


@pytest.mark.parametrize(
    ("reason", "state"), [(CloseReason.COMPLETED, State.OPEN), (CloseReason.NOT_PLANNED, State.CLOSED)]
)
def test_an_episode_after_a_person_s_close_reopens_it_or_is_only_recorded(
    desk: Desk, reason: CloseReason, state: State
) -> None:
    desk.post(alert())
    desk.act(1, close(reason))
    desk.post(alert(status="resolved", ends=START))
    desk.clock.advance(MINUTE)
    desk.post(alert(starts=START + MINUTE))
    assert (desk.only().state, desk.only().alerts) == (state, 2)


def test_a_long_closed_incident_is_followed_by_another_and_cannot_be_reopened_beside_it(desk: Desk) -> None:
    desk.post(alert())
    desk.post(alert(status="resolved", ends=START))
    desk.act(1, close())
    desk.clock.advance(timedelta(days=2))
    desk.post(alert(starts=START + timedelta(days=2)))
    first, second = desk.incidents()
    assert (first.state, second.state, second.follows) == (State.CLOSED, State.OPEN, 1)
    refused = desk.act(1, ReopenAsked(actor=ANN))
    assert (refused.status, refused.error) == (
        409,
        f"INC-1 cannot be reopened: {second.name} is open for the same problem",
    )
    desk.act(second.id, close())
    assert desk.act(1, ReopenAsked(actor=ANN)).status == 200


def test_acts_on_what_does_not_exist_are_404_and_cost_nothing(desk: Desk) -> None:
    desk.post(crash())
    unopened, unknown = (desk.act(number, Acknowledged(actor=ANN)) for number in (1, 99))
    assert (unopened.status, unknown.status) == (404, 404)
    assert "INC-99 does not exist" in unknown.error


def test_an_act_that_the_state_forbids_is_409_or_quiet(desk: Desk) -> None:
    desk.post(alert())
    desk.act(1, close())
    loud, quiet = (Ask(incident_id=1, act=close(), quietly=quietly) for quietly in (False, True))
    assert desk.ask(loud).status == 409
    assert desk.ask(quiet).status == 200


def test_two_acts_in_one_batch_see_each_other(desk: Desk) -> None:
    desk.post(alert())
    first = Ask(incident_id=1, act=Acknowledged(actor=ANN))
    answers = desk.process(first, Ask(incident_id=1, act=close()))
    assert [answer.status for answer in answers] == [200, 200]
    assert (desk.only().state, desk.only().acknowledged_by) == (State.CLOSED, "ann")


# ---------------------------------------------------------------- growth through the real tables


def test_distinct_values_make_it_graver_and_repeats_do_not(desk: Desk) -> None:
    def down(instance: str, **more: Any) -> dict[str, Any]:
        return alert("InstanceDown", labels={"instance": instance, "severity": "warning"}, **more)

    desk.post(down("a"), down("b"))
    desk.post(down("a", generatorURL="http://other/"))
    assert desk.only().severity is Severity.SEV3
    desk.post(down("c"))
    assert (desk.only().severity, desk.grown()) == (Severity.SEV2, ("instance-down#0",))
    assert any("3" in line or "grow" in line for line in desk.told())
    desk.post(*(down(str(i)) for i in range(7)))
    assert desk.only().severity is Severity.SEV1


def test_a_number_of_alerts_makes_it_graver_in_one_request_too(desk: Desk) -> None:
    desk.post(
        *(alert("KubePodNotReady", labels={"severity": "warning", "pod": str(i), "namespace": "x"}) for i in range(10))
    )
    assert "workload-not-ready#0" in desk.grown()
    assert desk.only().severity is Severity.SEV2


def test_lasting_makes_it_graver_by_deadline_alone(desk: Desk) -> None:
    desk.clock.advance(10 * MINUTE)
    desk.post(alert("KubeAPIDown", starts=START))
    assert desk.only().severity is Severity.SEV2
    desk.advance(20 * MINUTE - timedelta(microseconds=1))
    assert desk.only().severity is Severity.SEV2
    desk.advance(timedelta(microseconds=1))
    assert desk.only().severity is Severity.SEV1
    with desk.store.read() as reader:
        assert DeadlineKind.GROWTH not in [deadline.kind for deadline in reader.deadlines(1)]


def test_what_ends_before_it_lasted_does_not_grow(desk: Desk) -> None:
    desk.post(alert("KubeAPIDown", starts=START))
    desk.clock.advance(20 * MINUTE)
    desk.post(alert("KubeAPIDown", status="resolved", ends=START + 20 * MINUTE))
    desk.clock.advance(5 * MINUTE)
    desk.post(alert("KubeAPIDown", starts=START + 25 * MINUTE))
    desk.advance(20 * MINUTE)
    assert desk.only().severity is Severity.SEV2
    desk.advance(10 * MINUTE)
    assert desk.only().severity is Severity.SEV1


def test_refires_within_the_span_make_it_graver(desk: Desk) -> None:
    at = START
    severities = []
    for _ in range(4):
        desk.post(alert("HostOomKillDetected", starts=at, labels={"severity": "warning"}))
        severities.append(desk.only().severity)
        at += MINUTE
        desk.clock.move_to(at)
        desk.post(alert("HostOomKillDetected", status="resolved", ends=at, labels={"severity": "warning"}))
    assert severities == [Severity.SEV3] * 3 + [Severity.SEV3]
    assert desk.grown() == ("out-of-memory-kill#0",)


GROWS = """
- name: spreading
  match: ['alertname="Spreading"']
  annotations: ['scope="wide"']
  grows:
  - {when: {distinct: {pod: 2}}, impact: extensive, because: It spreads.}
  because: It may spread.
"""


def spreading(pod: str, scope: str, **more: Any) -> dict[str, Any]:
    return alert("Spreading", labels={"pod": pod}, annotations={"scope": scope}, **more)


def test_an_alert_that_matches_a_growing_rule_only_later_counts_from_then(bare: Callable[..., Desk]) -> None:
    desk = bare(GROWS)
    desk.post(spreading("a", "wide"), spreading("b", "narrow"))
    assert desk.grown() == ()
    desk.post(spreading("b", "wide"))
    assert desk.grown() == ("spreading#0",)
    assert desk.only().severity is Severity.SEV1


def test_an_alert_that_no_longer_matches_a_growing_rule_no_longer_counts(bare: Callable[..., Desk]) -> None:
    desk = bare(GROWS)
    desk.post(spreading("a", "wide"))
    desk.post(spreading("a", "narrow"))
    desk.post(spreading("b", "wide"))
    assert desk.grown() == ()
    desk.post(spreading("c", "wide"))
    assert desk.grown() == ("spreading#0",)


def test_an_alert_that_ends_is_counted_out_exactly_once(bare: Callable[..., Desk]) -> None:
    desk = bare(GROWS)
    desk.post(spreading("a", "narrow"))
    desk.post(spreading("a", "wide"))
    desk.post(spreading("a", "wide", status="resolved", ends=START))
    desk.post(spreading("b", "wide", starts=START + MINUTE))
    desk.post(spreading("a", "wide", starts=START + MINUTE))
    assert desk.grown() == ("spreading#0",)


def test_rules_that_begin_to_ask_for_growth_count_what_already_fires(bare: Callable[..., Desk]) -> None:
    desk = bare()
    pair = [spreading(pod, "wide") for pod in "ab"]
    desk.post(*pair)
    desk.intake.use(triage(GROWS))
    desk.post(*pair)
    assert desk.only().severity is Severity.SEV1


def test_an_alert_that_continues_under_other_rules_is_counted_by_them(bare: Callable[..., Desk]) -> None:
    desk = bare()
    ended = spreading("a", "wide", status="resolved", ends=START)
    desk.post(spreading("a", "wide"), spreading("c", "narrow"))
    desk.post(ended)
    desk.intake.use(triage(GROWS))
    assert desk.post(spreading("a", "wide")).counts == {"continued": 1}
    desk.post(ended)
    desk.post(spreading("b", "wide"))
    assert desk.grown() == ()
    desk.post(spreading("a", "wide"))
    assert desk.grown() == ("spreading#0",)


# ---------------------------------------------------------------- what a decision leaves behind


def test_every_decision_leaves_its_record_verdict_and_rule_set_whole(desk: Desk) -> None:
    sent = alert()
    desk.post(sent)
    (kept,) = desk.records()
    assert (kept.fate, kept.delivery, kept.received_at, kept.incident_id) == (Fate.BEGAN, "d1", START, 1)
    assert json.loads(kept.raw) == sent
    rules = desk.intake.rules
    assert kept.rule_set == rules.rule_set.hash == desk.only().rule_set
    with desk.store.read() as reader:
        files, policy = (
            reader.connection.execute(select(table.c.files)).scalar_one() for table in (s.rule_sets, s.policies)
        )
    assert json.loads(files) == rules.files
    assert json.loads(policy) == rules.policy_files
    again = rulefiles.read(json.loads(files))
    assert (again.rules.hash, rulefiles.read_policy(json.loads(policy)).hash) == (
        rules.rule_set.hash,
        rules.policy.hash,
    )
    with desk.store.begin() as transaction:
        verdict = transaction.verdict(desk.episodes()[0].verdict)
    (seen,) = alertmanager.read("alertmanager", body([sent])).alerts
    assert verdict == rules.rule_set.judge(seen, START)


def test_every_change_of_an_alert_leaves_a_record(desk: Desk) -> None:
    desk.post(alert())
    desk.post(alert(annotations={"summary": "Worse."}))
    desk.post(alert(status="resolved", ends=START))
    desk.post(alert(annotations={"summary": "Worse."}))
    assert [kept.fate for kept in desk.records()] == [Fate.BEGAN, Fate.CHANGED, Fate.ENDED, Fate.CONTINUED]


def test_a_rule_set_that_was_rolled_back_is_kept_with_the_next_decision(desk: Desk) -> None:
    def fail(_transaction: Any, _now: datetime) -> None:
        raise StoreError("gone")

    desk.process(delivery(alert()), Job(run=fail))
    assert (desk.count(s.rule_sets), desk.count(s.policies), desk.count(s.verdicts)) == (0, 0, 0)
    desk.post(alert())
    assert (desk.count(s.rule_sets), desk.count(s.policies), desk.count(s.verdicts)) == (1, 1, 1)


def test_those_who_publish_are_woken_after_the_commit(desk: Desk) -> None:
    seen: list[bool] = []
    desk.process(delivery(alert()), Job(run=lambda _t, _n: seen.append(bool(desk.woken))))
    assert (seen, [publishes for publishes, _ in desk.woken]) == ([False], [True])


def test_those_who_watch_deadlines_are_woken_for_one_that_is_near(desk: Desk) -> None:
    desk.clock.advance(30 * MINUTE - timedelta(seconds=1))
    desk.post(alert("KubeAPIDown", starts=START))
    assert desk.woken == [(True, True)]


def test_a_reopened_store_knows_what_was_decided(desk: Desk) -> None:
    desk.post(alert())
    restarted = Desk(desk.store, shipped())
    assert restarted.post(alert()).counts == {"unchanged": 1}
    assert restarted.post(alert(labels={"pod": "b"})).counts == {"began": 1}
    assert restarted.only().firing == 2


# ---------------------------------------------------------------- deadlines


def test_a_deadline_acts_once_even_when_it_is_passed_on_twice(desk: Desk) -> None:
    desk.post(alert())
    with desk.store.read() as reader:
        (due,) = [one for one in reader.deadlines(1) if one.kind is DeadlineKind.RESPONSE]
    desk.clock.advance(2 * HOUR)
    answers = desk.process(Passed(deadline=due), Passed(deadline=due))
    assert [answer.status for answer in answers] == [200, 200]
    assert desk.ask(Passed(deadline=due)).status == 200
    assert desk.total("sla_breached_total", objective="response") == 1


def test_a_deadline_that_a_bug_hinders_does_not_hinder_the_others_nor_run_hot(desk: Desk) -> None:
    desk.post(alert("First"))
    desk.clock.advance(MINUTE)
    desk.post(alert("Second"))

    def ask(unit: Unit) -> Answer:
        if isinstance(unit, Passed) and unit.deadline.incident_id == 1:
            return Answer(status=500, error="a bug")
        return desk.ask(unit)

    worker = DeadlinesWorker(desk.store.read, ask)
    desk.clock.advance(2 * HOUR)
    now = desk.clock.now()
    assert worker.step(now)
    first, second = desk.incidents()
    assert (first.response_outcome, second.response_outcome) == (None, "breached")
    assert not worker.step(now)
    next_at = worker.next_at(now)
    assert next_at is not None
    assert next_at > now


def test_a_store_that_is_down_stops_the_deadlines_until_it_is_back(desk: Desk) -> None:
    desk.post(alert())
    worker = DeadlinesWorker(desk.store.read, lambda _unit: Answer(status=503, error="down"))
    with pytest.raises(StoreError, match="down"):
        worker.step(START + 2 * HOUR)


# ---------------------------------------------------------------- retention


def test_retention_forgets_in_steps_what_is_over_and_old_and_then_rests(desk: Desk) -> None:
    for day in range(12):
        desk.clock.move_to(START + timedelta(days=2 * day))
        desk.post(alert(starts=desk.clock.now()))
        desk.post(alert(status="resolved", ends=desk.clock.now()))
        desk.act(desk.incidents()[-1].id, close())
    opened = [found.id for found in desk.incidents()]
    worker = RetentionWorker(
        lambda job: desk.ask(Job(run=job)).value, deliveries=timedelta(days=5), incidents=timedelta(days=10)
    )
    now = desk.clock.now()
    steps = 0
    while worker.step(now):
        steps += 1
    assert [found.id for found in desk.incidents()] == opened[-6:]
    assert min(kept.received_at for kept in desk.records()) >= now - timedelta(days=5)
    assert desk.total("incidents_opened_total") == 12
    assert steps > 1
    assert not worker.step(now + MINUTE)
    next_at = worker.next_at(now)
    assert next_at is not None
    assert next_at > now
    desk.clock.advance(MINUTE)
    desk.post(alert(starts=desk.clock.now()))
    assert desk.incidents()[-1].id >= opened[-1]


def test_an_alert_of_a_forgotten_incident_fires_anew(desk: Desk) -> None:
    desk.post(alert())
    desk.post(alert(status="resolved", ends=START))
    desk.act(1, close())
    desk.clock.advance(timedelta(days=30))
    assert desk.ask(Job(run=lambda tx, now: tx.forget_incidents(now))).value == 1
    assert desk.incidents() == []
    assert desk.post(alert(starts=desk.clock.now())).counts == {"began": 1}
    assert desk.only().id > 1


def test_metrics_can_be_exported_after_all_that(desk: Desk) -> None:
    desk.post(alert(), {"labels": {}})
    exported: Iterable[bytes] = generate_latest(desk.metrics.registry).splitlines()
    assert any(b"triaged_alerts_rejected_total" in line for line in exported)
