"""Units of work in, answers out: one transaction for all that waits; what poisons it is set apart."""

from __future__ import annotations

import traceback
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

import structlog
from prometheus_client import Counter as Metric

from triaged.core import commanding
from triaged.core.heartbeats import SOURCE
from triaged.core.model import Alert, Incident
from triaged.core.sla import Policy
from triaged.errors import ActError, Conflict, NotFoundError, PayloadError, StoreError
from triaged.intake import adopting, observing, problems
from triaged.intake.deciding import Deciding
from triaged.intake.hearing import Hearings
from triaged.intake.known import Known
from triaged.intake.pulse import HEARTBEAT, NOT_FOLLOWED, Pulse, beating
from triaged.intake.units import (
    Adopt,
    Answer,
    Ask,
    AskProblem,
    Delivery,
    EndWindow,
    Happened,
    Job,
    Observed,
    Passed,
    Planning,
    PlanWindow,
    Recurring,
    Rules,
    RulesEnded,
    Stale,
    Suppress,
    Unit,
    WindowsChanged,
)
from triaged.intake.verdicts import Verdicts
from triaged.metrics import Metrics
from triaged.ports.backend import Kind
from triaged.ports.source import Cut, Read, Reading, Rejected
from triaged.ports.store import AlertRecord, Batch, Fate, Store, Transaction

log = structlog.get_logger(__name__)

_CONFLICTS = 3
_CULPRITS = 20
_UNCHANGED = "unchanged"
_SAME = frozenset((_UNCHANGED, HEARTBEAT, NOT_FOLLOWED))
_SAME_GROUP = _SAME | {Fate.CHANGED}
# Workers look for themselves every five seconds: only what is due before then is worth waking them.
_SOON = timedelta(seconds=6)


class _Told:
    """What one attempt learned; it counts only after the commit."""

    def __init__(self) -> None:
        self.answers: dict[int, Answer] = {}
        self.learned: list[tuple[str, bytes, str]] = []
        self.same: list[tuple[str, bytes, str]] = []
        self.counted: Counter[tuple[Metric, tuple[str, ...]]] = Counter()
        self.kept: list[str] = []
        self.heard: dict[bytes, str] = {}
        self.publishes = False
        self.cut: set[tuple[str, Cut]] = set()
        self.arrived: list[tuple[str, list[str], bool]] = []
        self.deadlines = False
        self.assembles: list[int] = []


class _Culprit(Exception):  # noqa: N818 - never leaves the module: which alert met a bug
    def __init__(self, digest: bytes, reason: str) -> None:
        super().__init__(reason)
        self.digest = digest
        self.reason = reason


class Intake:
    """The only caller of `decide`. Not thread-safe: the writer owns it.

    `woken` is told after a commit whether there is something to publish, and whether a deadline is near; `truncated`
    of which source a delivery left alerts out, `assembles` for which incidents people are to come together. `hearings`
    collects what is heard of.
    `alertmanagers` are the names of those that can be asked for silence, by the source whose alerts they hold, and
    `channels` the names of those that are configured; None: it is not known which are. `asks_health` says that a worker
    asks the health queries of services.
    """

    def __init__(  # noqa: PLR0913 - the collaborators, given once
        self,
        store: Store,
        rules: Rules,
        *,
        readers: Mapping[str, Read],
        read_policy: Callable[[Mapping[str, str]], Policy],
        known: Known,
        metrics: Metrics,
        woken: Callable[[bool, bool], None] = lambda _publishes, _deadlines: None,
        truncated: Callable[[str, Cut], None] = lambda _source, _cut: None,
        assembles: Callable[[Sequence[int]], None] = lambda _incidents: None,
        hearings: Hearings | None = None,
        alertmanagers: Mapping[str, str] | None = None,
        channels: tuple[str, ...] | None = None,
        asks_health: bool = False,
    ) -> None:
        self._store = store
        self._woken = woken
        self._truncated = truncated
        self._assembles = assembles
        self._hearings = hearings
        self._alertmanagers = alertmanagers or {}
        self._channels = channels
        self._asks_health = asks_health
        self._rules = rules
        self._readers = readers
        self._ended = 0
        self._read_policy = read_policy
        self._policies: dict[str, Policy] = {}
        self._verdicts = Verdicts()
        self._overfull: set[str] = set()
        self.known = known
        self.metrics = metrics

    @property
    def rules(self) -> Rules:
        return self._rules

    def use(self, rules: Rules) -> None:
        """Judge by other rules from the next batch on; what old rules dropped is asked again."""
        self._rules = rules
        self._ended = 0
        self._overfull.clear()
        self._verdicts.forget()
        self.known.clear()

    def process(self, units: Sequence[Unit], now: datetime) -> list[Answer]:
        """Decide and save all units in one transaction; answers in their order.

        A store that cannot write answers 503 to all. Where one unit makes the transaction fail, halves are tried until
        it stands alone; an alert alone is then kept raw as failed, and answered 200 once that is committed.
        """
        self._forget_what_ended(now)
        try:
            return self._attempt(units, now)
        except Conflict as error:
            failure: Exception = error
        except StoreError as error:
            log.warning("store unavailable", error=str(error), units=len(units))
            return [Answer(status=503, error=f"the store cannot be written: {error}") for _ in units]
        except Exception as error:  # noqa: BLE001 - a bug in one unit must cost that unit alone
            failure = error
        if len(units) > 1:
            middle = len(units) // 2
            return self.process(units[:middle], now) + self.process(units[middle:], now)
        return [self._set_apart(units[0], failure, now)]

    def _forget_what_ended(self, now: datetime) -> None:
        """Once a rule has ended, all that fires is asked again, as after a reload: it may have held it low."""
        ended = bisect_right(self._rules.rule_set.ends, now)
        if ended != self._ended:
            self._ended = ended
            self.known.clear()

    def _attempt(self, units: Sequence[Unit], now: datetime) -> list[Answer]:
        conflicts = culprits = 0
        rules = self._rules
        failed: dict[bytes, str] = {}
        while True:
            told = _Told()
            try:
                with self._rules_as_committed(), self._store.begin() as transaction:
                    self._run(transaction, units, told, failed, now)
                    self.known.forget(fingerprint for fingerprint, _, _ in told.learned)
                break
            except Conflict:
                conflicts += 1
                if conflicts == _CONFLICTS:
                    raise
            except _Culprit as culprit:
                culprits += 1
                if culprits > _CULPRITS:
                    raise
                failed[culprit.digest] = culprit.reason
        self._committed(told, rules)
        return [told.answers[i] for i in range(len(units))]

    @contextmanager
    def _rules_as_committed(self) -> Iterator[None]:
        """Where a job brings other rules and what it wrote for them cannot be committed, the former ones judge on."""
        rules = self._rules
        try:
            yield
        except BaseException:
            if self._rules is not rules:
                self.use(rules)
            raise

    def _committed(self, told: _Told, rules: Rules) -> None:
        """What an attempt learned under these rules counts from now on."""
        self._verdicts.kept.update(told.kept)
        # A job of this very batch may have brought other rules: they shall be asked.
        if self._rules is rules:
            for fingerprint, digest, status in told.learned:
                self.known.learn(fingerprint, digest, status)
            for fingerprint, digest, status in told.same:
                self.known.same(fingerprint, digest, status)
        for (metric, labels), number in told.counted.items():
            (metric.labels(*labels) if labels else metric).inc(number)
        for source, cut in told.cut:
            self._truncated(source, cut)
        if self._hearings is not None:
            for source, fingerprints, repeated in told.arrived:
                self._hearings.taken(source, fingerprints, repeated=repeated)
        if told.publishes or told.deadlines:
            self._woken(told.publishes, told.deadlines)
        if told.assembles:
            self._assembles(told.assembles)

    def _run(
        self, transaction: Transaction, units: Sequence[Unit], told: _Told, failed: dict[bytes, str], now: datetime
    ) -> None:
        """Read, decide, write: deliveries, acts and deadlines in their order, then growth, then the workers' jobs."""
        readings = self._parse(units, told)
        self._verdicts.bound()
        deciding = Deciding(
            transaction,
            self._rules,
            partial(self._policy, transaction),
            self._verdicts,
            self.known.status,
            now,
            alertmanagers=self._alertmanagers,
            channels=self._channels,
            asks_health=self._asks_health,
        )
        pulse = Pulse(transaction, self._rules.rule_set.heartbeats, now, overfull=self._overfull)
        told.answers.update(beating(pulse, units, readings))
        told.heard = pulse.heard
        ours = Reading(alerts=pulse.alerts(), rejected=())
        alerts = [alert for reading in (*readings.values(), ours) for alert in reading.alerts]
        for digest, error in deciding.read(alerts, _incident_ids(units)).items():
            if digest not in failed:
                log.error("alert failed", exc_info=error)
                failed[digest] = _traceback(error)
        for index, unit in enumerate(units):
            match unit:
                case Delivery() if index in readings:
                    told.answers[index] = self._deliver(deciding, unit, readings[index], told, failed, now)
                case Adopt():
                    told.answers[index] = self._adopt(transaction, deciding, unit, readings[index], told, failed, now)
                case (
                    Ask()
                    | Passed()
                    | Suppress()
                    | Stale()
                    | Happened()
                    | PlanWindow()
                    | EndWindow()
                    | WindowsChanged()
                    | RulesEnded()
                ):
                    told.answers[index] = _do(deciding, unit)
                case Observed() if unit.kind is not Kind.PROBLEM:
                    told.answers[index] = self._observe(transaction, deciding, unit, now)
                case _:
                    """A body that cannot be read is answered; a problem and a job come last."""
        if ours.alerts:
            self._deliver(deciding, Delivery(id=SOURCE, source=SOURCE, body=b""), ours, told, failed, now)
        deciding.batch.beats = pulse.changes()
        self._save(transaction, deciding.batch, told, now)
        if deciding.grow():
            self._save(transaction, deciding.batch, told, now)
        told.assembles = deciding.assembles
        self._run_last(transaction, units, told, now)

    def _observe(self, transaction: Transaction, deciding: Deciding, unit: Observed, now: datetime) -> Answer:
        """What people did to an issue is done, and who asked for something there is answered."""

        def do(step: observing.Step) -> Answer:
            match step:
                case Ask():
                    return _ask(deciding, step)
                case Happened():
                    deciding.happened(step)
                case observing.Withdrawn() if (waiting := deciding.incident(step.incident_id)) is not None:
                    deciding.withdraw(waiting)
                case _:
                    """Nothing else is asked of what is no problem."""
            return Answer()

        looked = observing.Observing(transaction, self._rules.rule_set, now, incident=deciding.incident, do=do)
        answer, comments = looked.take(unit)
        incident = deciding.incident(unit.incident_id)
        if incident is not None:
            deciding.batch.comments.extend((one, commanding.rank(one, incident.severity)) for one in comments)
        return answer

    def _run_last(self, transaction: Transaction, units: Sequence[Unit], told: _Told, now: datetime) -> None:
        """Problems and the workers' jobs, which see what the others decided."""
        solve = partial(self._solve, transaction, told=told, now=now)
        for index, unit in enumerate(units):
            match unit:
                case Recurring() | AskProblem():
                    told.answers[index] = solve(unit)
                case Observed(kind=Kind.PROBLEM):
                    looked = observing.Observing(transaction, self._rules.rule_set, now, do=solve)
                    told.answers[index], comments = looked.take(unit)
                    answers = Batch(comments=[(comment, problems.SEVERITY) for comment in comments])
                    self._save(transaction, answers, told, now)
                case Job():
                    told.answers[index] = Answer(value=unit.run(transaction, now))
                case _:
                    """Done by now."""

    def _solve(self, transaction: Transaction, asked: observing.Step | Recurring, told: _Told, now: datetime) -> Answer:
        """What a problem is asked, decided and saved."""
        assert isinstance(asked, Recurring | AskProblem)  # noqa: S101 - nothing else is asked of a problem
        answer, batch = problems.take(transaction, asked, self._rules.rule_set, now)
        self._save(transaction, batch, told, now)
        return answer

    def _parse(self, units: Sequence[Unit], told: _Told) -> dict[int, Reading]:
        readings: dict[int, Reading] = {}
        for index, unit in enumerate(units):
            if isinstance(unit, Delivery):
                try:
                    readings[index] = self._read(unit)
                except PayloadError as error:
                    told.answers[index] = Answer(status=error.status, error=str(error))
            elif isinstance(unit, Adopt):
                readings[index] = adopting.read(unit, self._rules.rule_set)
        return readings

    def _read(self, delivery: Delivery) -> Reading:
        return delivery.reading or self._readers[delivery.source](delivery.source, delivery.body)

    def _save(self, transaction: Transaction, batch: Batch, told: _Told, now: datetime) -> None:
        rules = self._rules
        if batch.records and rules.rule_set.hash not in self._verdicts.kept:
            transaction.keep_files("rule_sets", rules.rule_set.hash, rules.files, now)
            told.kept.append(rules.rule_set.hash)
        if batch.incidents and rules.policy.hash not in self._verdicts.kept:
            transaction.keep_files("policies", rules.policy.hash, rules.policy_files, now)
            told.kept.append(rules.policy.hash)
        told.kept.extend(batch.verdicts)
        told.publishes |= bool(batch.wants or batch.comments)
        soon = now + _SOON
        told.deadlines |= any(deadline.due_at < soon for stands in batch.deadlines.values() for deadline in stands)
        transaction.save(batch, now)

    def _deliver(  # noqa: PLR0913 - the state of one attempt
        self,
        deciding: Deciding,
        delivery: Delivery,
        reading: Reading,
        told: _Told,
        failed: Mapping[bytes, str],
        now: datetime,
    ) -> Answer:
        counts: dict[str, int] = {}
        if reading.cut is not None:
            told.cut.add((delivery.source, reading.cut))
        for alert in reading.alerts:
            if delivery.expects is not None and not deciding.is_at(
                alert.fingerprint, delivery.expects.get(alert.fingerprint)
            ):
                counts["changed since"] = counts.get("changed since", 0) + 1
                continue
            fate: Fate | None
            if alert.digest in told.heard:
                deciding.is_none(alert)
                told.counted[self.metrics.received, (alert.source, str(alert.status))] += 1
                counted_as = told.heard[alert.digest]
                counts[counted_as] = counts.get(counted_as, 0) + 1
                continue
            if alert.digest in failed:
                deciding.batch.records.append(_record(delivery, alert, Fate.FAILED, failed[alert.digest], now))
                fate = Fate.FAILED
            else:
                try:
                    fate = deciding.alert(alert, delivery.id)
                except StoreError:
                    raise
                except Exception as error:  # a bug that one alert meets must not cost the others
                    log.exception("alert failed", delivery=delivery.id, source=alert.source)
                    raise _Culprit(alert.digest, _traceback(error)) from error
            self._tell(alert, fate, deciding, told)
            word = fate or _UNCHANGED
            counts[word] = counts.get(word, 0) + 1
        if self._hearings is not None and delivery.expects is None:
            told.arrived.append(_arrived(delivery, reading, counts))
        for bad in reading.rejected:
            log.warning(
                "alert unreadable", delivery=delivery.id, source=delivery.source, reason=bad.reason, why=bad.text
            )
            deciding.batch.records.append(_unreadable(delivery, bad, self._rules.rule_set.hash, now))
            told.learned.append((f"unreadable {bad.digest.hex()}", bad.digest, "rejected"))
            told.counted[self.metrics.rejected, (delivery.source, bad.reason)] += 1
            counts[Fate.REJECTED] = counts.get(Fate.REJECTED, 0) + 1
        return Answer(counts=counts)

    def _adopt(  # noqa: PLR0913 - as above
        self,
        transaction: Transaction,
        deciding: Deciding,
        unit: Adopt,
        reading: Reading,
        told: _Told,
        failed: Mapping[bytes, str],
        now: datetime,
    ) -> Answer:
        """What people reported by an issue opens an incident of its own, whose issue that is from then on; once."""
        if transaction.looks.known(unit.address):
            return Answer()
        (alert,) = reading.alerts
        like = None if alert.digest in failed else deciding.apart(alert)
        answer = self._deliver(deciding, adopting.delivery(reading), reading, told, failed, now)
        if Fate.BEGAN in answer.counts:
            deciding.adopt(alert, unit.address, adopting.event(unit, like, self._rules.rule_set))
        return answer

    def _tell(self, alert: Alert, fate: Fate | None, deciding: Deciding, told: _Told) -> None:
        """Remember what is to be known and counted once the transaction is committed."""
        status: str = alert.status
        told.counted[self.metrics.received, (alert.source, status)] += 1
        if fate is Fate.FAILED:
            # Not known at the door: the next firing tries again, as `db retry` does.
            told.counted[self.metrics.rejected, (alert.source, "failed")] += 1
        elif fate is None:
            told.counted[self.metrics.duplicates, (alert.source, status)] += 1
            if deciding.goes_on(alert):
                told.same.append((alert.fingerprint, alert.digest, status))
        elif fate is Fate.DROPPED:
            told.counted[self.metrics.dropped, (deciding.rule_that_dropped(alert),)] += 1
            told.learned.append((alert.fingerprint, alert.digest, status))
        else:
            told.learned.append((alert.fingerprint, alert.digest, status))
            if fate is Fate.BEGAN and deciding.unmatched(alert):
                told.counted[self.metrics.unmatched, ()] += 1

    def _set_apart(self, unit: Unit, failure: Exception, now: datetime) -> Answer:
        """The unit that fails alone: its alerts are kept raw, so that a repaired release can take them in."""
        log.error("unit failed", unit=type(unit).__name__, exc_info=failure)
        self.metrics.errors.labels("intake").inc()
        if not isinstance(unit, Delivery):
            return Answer(status=500, error=f"{type(failure).__name__}: {failure}")
        reason = _traceback(failure)
        try:
            reading = self._read(unit)
            with self._store.begin() as transaction:
                batch = Batch()
                batch.records.extend(_record(unit, alert, Fate.FAILED, reason, now) for alert in reading.alerts)
                batch.records.extend(_unreadable(unit, bad, "", now) for bad in reading.rejected)
                transaction.save(batch, now)
        except Exception as error:
            log.exception("failed alerts could not be kept")
            return Answer(status=503, error=f"{type(error).__name__}: {error}")
        self.metrics.rejected.labels(unit.source, "failed").inc(len(reading.alerts))
        for bad in reading.rejected:
            self.metrics.rejected.labels(unit.source, bad.reason).inc()
        return Answer(counts={Fate.FAILED: len(reading.alerts)})

    def _policy(self, transaction: Transaction, digest: str) -> Policy:
        if digest == self._rules.policy.hash:
            return self._rules.policy
        found = self._policies.get(digest)
        if found is None:
            files = transaction.policy_files(digest)
            found = self._rules.policy if files is None else self._read_policy(files)
            self._policies[digest] = found
        return found


def _do(deciding: Deciding, unit: Ask | Passed | RulesEnded | Suppress | Stale | Happened | Planning) -> Answer:
    match unit:
        case Ask():
            return _ask(deciding, unit)
        case Passed():
            deciding.passed(unit.deadline)
            return Answer()
        case RulesEnded():
            deciding.judge_anew()
            return Answer()
        case Suppress():
            deciding.suppress(unit)
            return Answer()
        case Stale():
            deciding.listened(unit)
            return Answer()
        case Happened():
            deciding.happened(unit)
            return Answer()
        case PlanWindow() | EndWindow() | WindowsChanged():
            return deciding.plan(unit)


def _ask(deciding: Deciding, ask: Ask) -> Answer:
    try:
        incident: Incident = deciding.act(ask.incident_id, ask.act)
    except NotFoundError as error:
        return Answer(status=404, error=str(error))
    except ActError as error:
        return Answer() if ask.quietly else Answer(status=409, error=str(error))
    return Answer(value=incident)


def _incident_ids(units: Sequence[Unit]) -> set[int]:
    ids: set[int] = set()
    for unit in units:
        if isinstance(unit, Ask | Happened | Observed):
            ids.add(unit.incident_id)
        elif isinstance(unit, Passed):
            ids.add(unit.deadline.incident_id)
    return ids


def _record(delivery: Delivery, alert: Alert, fate: Fate, reason: str, now: datetime) -> AlertRecord:
    return AlertRecord(
        delivery=delivery.id,
        received_at=now,
        source=alert.source,
        fingerprint=alert.fingerprint,
        fate=fate,
        reason=reason,
        incident_id=None,
        rule_set="",
        raw=alert.raw,
    )


def _arrived(delivery: Delivery, reading: Reading, counts: Mapping[str, int]) -> tuple[str, list[str], bool]:
    """What a delivery lets us hear of: its source, what fires, and whether it was sent only to repeat that.

    Alertmanager sends when other alerts fire than before, or to repeat itself; never because a text is another one.
    https://github.com/prometheus/alertmanager/blob/main/notify/notify.go (DedupStage)
    """
    same = _SAME_GROUP if delivery.reading is None else _SAME
    firing = [alert.fingerprint for alert in reading.alerts if alert.status == "firing"]
    return delivery.source, firing, not reading.rejected and counts.keys() <= same


def _unreadable(delivery: Delivery, bad: Rejected, rule_set: str, now: datetime) -> AlertRecord:
    return AlertRecord(
        delivery=delivery.id,
        received_at=now,
        source=delivery.source,
        fingerprint="",
        fate=Fate.REJECTED,
        reason=f"{bad.reason}: {bad.text}",
        incident_id=None,
        rule_set=rule_set,
        raw=bad.raw,
    )


def _traceback(error: Exception) -> str:
    return "".join(traceback.format_exception(error))[-4_000:]
