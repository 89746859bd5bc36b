"""The daemon put together: wiring, start, stop, reload; the only module that names concrete classes."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog
import uvloop
from fastapi import FastAPI
from msgspec.structs import replace

from triaged import configured, defaults, rulefiles
from triaged.alertmanagers.asking import Alertmanager
from triaged.clock import Clock, SystemClock
from triaged.config import HeartbeatSettings, Settings
from triaged.core.events import CloseAsked, SilenceAsked
from triaged.core.recipients import PEOPLE
from triaged.door.doors import Door, doors
from triaged.door.inside import Inside
from triaged.errors import ConfigError, StoreError
from triaged.explaining.former import Former
from triaged.ids import operation_id
from triaged.intake import planning
from triaged.intake.hearing import Hearings
from triaged.intake.intake import Intake
from triaged.intake.keying import gain_keys
from triaged.intake.known import Known, Mirrored
from triaged.intake.units import Answer, Ask, Delivery, Job, Leave, Rules, RulesEnded, Unit, WindowsChanged
from triaged.intake.writer import Writer
from triaged.metrics import Metrics
from triaged.ports.backend import Issue
from triaged.ports.mapping import SourceMapping
from triaged.ports.source import Cut
from triaged.ports.store import Fate, PendingComment
from triaged.rulefiles import RuleFiles
from triaged.secretfile import Secret
from triaged.sources import alertmanager
from triaged.sources.sns import Handshake
from triaged.store import looks, queue, suppressions
from triaged.store.reading import Reader
from triaged.store.transaction import Transaction
from triaged.store.trouble import trouble
from triaged.web import slash_words
from triaged.web.api import build
from triaged.web.auth import ApiTokens, Role, SourceAuth, TokenSource
from triaged.web.desk import Desk
from triaged.workers import bridge, ical
from triaged.workers.addresses import Addresses
from triaged.workers.adopt import AdoptIssues, Reporters
from triaged.workers.assemble import AssembleWorker
from triaged.workers.assigning import whose
from triaged.workers.catching_up import CatchingUp
from triaged.workers.deadlines import DeadlinesWorker
from triaged.workers.downtime import DowntimeWorker
from triaged.workers.ends import EndsWorker
from triaged.workers.evidence import EvidenceWorker
from triaged.workers.heartbeats import HeartbeatsWorker
from triaged.workers.lifesign import LifesignWorker, get
from triaged.workers.look import LookWorker
from triaged.workers.loop import Loop
from triaged.workers.mentions import mentions
from triaged.workers.notify import NotifyWorker
from triaged.workers.poll import PollWorker
from triaged.workers.post import Lane, PostWorker
from triaged.workers.problems import ProblemsWorker, gather_problem
from triaged.workers.publish import PublishWorker
from triaged.workers.reconcile import ReconcileWorker
from triaged.workers.reload import ReloadWorker, Signature, signature
from triaged.workers.report import gather
from triaged.workers.retention import RetentionWorker
from triaged.workers.reviews import gather_review
from triaged.workers.shifts import ShiftsWorker
from triaged.workers.silences import SilencesWorker
from triaged.workers.staleness import StalenessWorker
from triaged.workers.subscribe import SubscribeWorker, fetch

if TYPE_CHECKING:
    from triaged.prometheus.client import Prometheus

log = structlog.get_logger(__name__)

_POLICY_FILES: Final = ("severities.yaml", "calendars.yaml")
_STOP_SECONDS: Final = 15.0
_PEOPLE_AT_ONCE: Final = 3
# The threads share one interpreter lock; the default of 5 ms lets a worker starve the writer.
_SWITCH_SECONDS: Final = 0.0005
# The values of a batch hold no cycles and go with it: looking for some after every 700 of them costs 7 % of ingest.
_COLLECT_AFTER: Final = (10_000, 20, 20)


def rules_of(files: RuleFiles) -> Rules:
    """What judges, from what was read."""
    policy_files = {name: files.files[name] for name in _POLICY_FILES if name in files.files}
    return Rules(rule_set=files.rules, policy=files.policy, files=files.files, policy_files=policy_files)


class App:
    """One daemon. Building it reads files and opens the store; `serve` runs it until it is told to stop."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.metrics = Metrics()
        self.store = configured.open_store(settings)
        # On PostgreSQL another replica may have changed an alert since: there the stored digest alone decides.
        self.known = Mirrored() if self.store.alone else Known()
        self._folder = settings.rules or defaults.RULES
        self._prometheus = configured.open_prometheus(settings)
        self._changes = configured.open_changes(settings, self.clock, self.metrics)
        self.former = Former()
        self._auths = {name: configured.source_auth(settings, name) for name in settings.source_names}
        self._closed: tuple[str, ...] = ()
        self._reloading = threading.Lock()
        self._watch = ReloadWorker(self._folder, self.reload)
        self.refused: tuple[str, ...] = ()
        # Where an Alertmanager is asked what it holds, silence needs no guess.
        asked = frozenset(settings.source_of(one) for one in settings.alertmanagers)
        self.hearings = Hearings(but=asked)
        files = rulefiles.load(self._folder)
        configured.expect_allowed(settings, files.sheet)
        rules = rules_of(files)
        self._templates = files.templates
        self.intake = Intake(
            self.store,
            rules,
            # What a mapped source sends is read at the door; kept alerts of all sources are in Alertmanager's form.
            readers=defaultdict(lambda: alertmanager.read),
            read_policy=rulefiles.read_policy,
            known=self.known,
            metrics=self.metrics,
            woken=self._woken,
            truncated=self._truncated,
            assembles=self._call_together,
            hearings=self.hearings,
            alertmanagers={settings.source_of(one): one.name for one in settings.alertmanagers},
            channels=(*settings.channels,),
            asks_health=settings.prometheus is not None,
        )
        self.writer = Writer(self.intake, self.clock, answered=lambda: self.door.flush(), died=self._died)
        self.backend = configured.open_backend(settings, self.clock, self.metrics)
        self._places = configured.places(settings)
        self.publish = Loop(
            PublishWorker(
                self.backend,
                read=self.store.read,
                run=self.writer.run,
                render=self.render,
                mentions=self.mentions,
                clock=self.clock,
                operation_id=operation_id,
                interval=timedelta(seconds=10 if settings.backend.type == "github" else 1),
                commands=slash_words.HELP,
            ),
            self.clock,
            self.metrics,
        )
        self._hurry: Callable[[str], None] = lambda _repository: None
        self._catching_up = CatchingUp(lambda: True, self.store.read)
        self.watch = configured.open_watch(settings, self.backend, self.clock, self.metrics)
        self.look = Loop(
            LookWorker(
                self.watch,
                read=self.store.read,
                run=self.writer.run,
                ask=self.writer.ask,
                heeding=configured.heeding(settings, self.watch),
            ),
            self.clock,
            self.metrics,
        )
        members = {one.name: configured.members_of(one) for one in settings.alertmanagers}
        self.silences = self._silencing(
            {
                settings.source_of(one): Alertmanager(name=one.name, members=members[one.name])
                for one in settings.alertmanagers
            }
        )
        self._reconcile = ReconcileWorker(
            [configured.watched(settings, one, members[one.name]) for one in settings.alertmanagers],
            read=self.store.read,
            ask=self.writer.ask,
            rules=lambda: self.intake.rules,
        )
        self.reconcile = Loop(self._reconcile, self.clock, self.metrics)
        polling = self._polling()
        deadlines = DeadlinesWorker(self.store.read, self.writer.ask, self._catching_up.again_at)
        self.deadlines = Loop(deadlines, self.clock, self.metrics)
        self.retention = Loop(
            RetentionWorker(
                self.writer.run,
                deliveries=settings.retention.deliveries,
                incidents=settings.retention.incidents,
            ),
            self.clock,
            self.metrics,
        )
        self._subscribe = SubscribeWorker(fetch)
        self.subscribe = Loop(self._subscribe, self.clock, self.metrics)
        ends = EndsWorker(
            lambda: self.intake.rules.rule_set.ends, lambda: self.writer.ask(RulesEnded()), since=self.clock.now()
        )
        heartbeats = HeartbeatsWorker(lambda: self.intake.rules.rule_set.heartbeats, self.store.read, self.writer.ask)
        self._staleness = StalenessWorker(
            self.hearings,
            self.known,
            read=self.store.read,
            run=self.writer.run,
            ask=self.writer.ask,
            since=self.clock.now(),
            but=asked,
        )
        shifts = ShiftsWorker(
            lambda: self.intake.rules.rule_set, read=self.store.read, run=self.writer.run, ask=ical.ask
        )
        problems = ProblemsWorker(
            lambda: self.intake.rules.rule_set.problems, read=self.store.read, ask=self.writer.ask
        )
        downtime = DowntimeWorker(lambda: self.intake.rules.rule_set, read=self.store.read, ask=self.writer.ask)
        of_rules = [
            Loop(worker, self.clock, self.metrics)
            for worker in (ends, heartbeats, shifts, self._staleness, self._watch, problems, downtime)
        ]
        self._assemble = AssembleWorker(
            configured.bridge_hook(settings),
            bridge.ask,
            rules=lambda: self.intake.rules,
            former=self.former,
            read=self.store.read,
            ask=self.writer.ask,
            public_url=settings.public_url,
        )
        self.assemble = Loop(self._assemble, self.clock, self.metrics)
        self._addresses = Addresses(configured.channel_urls(settings), lambda: self.intake.rules.rule_set)
        self.notify, self.posts = self._notifying()
        self.loops = (self.publish, self.deadlines, self.retention, self.subscribe, *of_rules, self.notify, *self.posts)
        self.loops = (*self.loops, self.assemble, self._looking_around(), self.look, *polling)
        if settings.heartbeat is not None:
            self.loops = (*self.loops, self._lifesign(settings.heartbeat))
        if self._prometheus is not None:
            self.loops = (*self.loops, self._asking(self._prometheus))
        if settings.alertmanagers:
            self.loops = (*self.loops, self.reconcile, *self.silences)
        self.application = self._application()
        self.door = Inside(
            self.application,
            doors=self._doors(files.sources),
            known=self.known if isinstance(self.known, Mirrored) else None,
            submit=self.writer.submit,
            count=self.metrics.count,
            shake=self.shake,
            repeated=self.hearings.answered,
        )
        self._serving = False
        self._dead = False
        self._show(rules)

    def serve(self, log_level: str = "info") -> int:
        """Run until SIGTERM or SIGINT; the process's exit status. Raises ConfigError where the address is taken."""
        listener = configured.open_listener(self.settings, self.clock)
        self.start()
        try:
            uvloop.run(self._serve(listener, log_level))
        finally:
            self.stop()
        return 1 if self._dead else 0

    async def _serve(self, listener: socket.socket, log_level: str) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.door.stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: threading.Thread(target=self.reload, name="reload").start())
        self._serving = True
        log.info("listening", address=self.settings.listen, store=self.settings.store_place)
        if not await self.door.serve(listener, log_level):
            log.error("the door ended by itself")
            self._dead = True

    def start(self) -> None:
        """Open the store and start the threads."""
        sys.setswitchinterval(_SWITCH_SECONDS)
        gc.set_threshold(*_COLLECT_AFTER)
        self.open()
        # What is there by now stays: no collection has to look at it again.
        gc.freeze()
        for loop in self.loops:
            loop.start()

    def open(self) -> None:
        """Own and migrate the store, learn what is known, let the writer take work. Raises StoreError, ConfigError."""
        self.store.own()
        if self.store.migrate():
            log.info("store migrated")
        self.store.release(changes_from=self.clock.now() + self.backend.late_for)
        with self.store.begin() as transaction:
            moved = queue.republish(transaction.connection, self.backend.name, self.clock.now())
        if moved:
            log.info("open incidents are published anew", backend=self.backend.name, incidents=moved)
        with self.store.read() as reader:
            for fingerprint, digest in reader.known(self.intake.rules.rule_set.hash):
                self.known.learn(fingerprint, digest, "firing")
        self.writer.start()
        self.writer.run(self._gain_keys)
        self.writer.run(self._forget_unwatched)
        planning.ask_whole(self.writer.ask, WindowsChanged())
        self.writer.ask(RulesEnded())

    def stop(self) -> None:
        """Stop workers between two steps, commit what waits, leave one whole database file."""
        self._serving = False
        for loop in self.loops:
            loop.stop(_STOP_SECONDS)
        self.backend.close()
        self.watch.close()
        if self._changes is not None:
            self._changes.close()
        self._hear_out()
        self.writer.close()
        if not self._dead:
            self.store.checkpoint()
        self.store.close()
        log.info("stopped")

    def _hear_out(self) -> None:
        """Write down what was heard since the last time: the next start goes on from there."""
        try:
            self._staleness.keep(self.clock.now())
        except StoreError as error:
            log.warning("what was heard last is lost", error=str(error))
        left = self.writer.ask(Leave())
        if left.status != 200:
            log.warning("what was heard last is lost", error=left.error)

    def shut_down(self) -> None:
        """Make `serve` come to its end. Thread-safe."""
        self.door.stop()

    def retry(self) -> tuple[int, int]:
        """Take in again what a bug had made fail, on a store that no daemon serves: how many went in, how many not.

        Each alert and the end of its failed record are one transaction.
        """
        self.store.own()
        self.store.migrate()
        taken = left = 0
        with self.store.read() as reader:
            failed = reader.records(fates=(Fate.FAILED,), limit=100_000)
        for record in reversed(failed):
            body = alertmanager.kept([record.raw])
            delivery = Delivery(id=record.delivery, source=record.source, body=body)
            forget = Job(run=partial(_forget, record.id))
            answer, _ = self.intake.process([delivery, forget], self.clock.now())
            again = answer.status != 200 or Fate.FAILED in answer.counts
            taken, left = taken + (not again), left + again
        self.store.close()
        return taken, left

    def reload(self) -> list[str]:
        """Read the rules again: all of them come into force, or none; the lines of what is wrong. Thread-safe."""
        with self._reloading:
            return self._reload()

    def _reload(self) -> list[str]:
        read = signature(self._folder)
        try:
            files = rulefiles.load(self._folder)
            configured.expect_allowed(self.settings, files.sheet)
            rules = rules_of(files)
            _expect_same(self._folder, read)
        except ConfigError as error:
            self._refuse(read, str(error).splitlines())
            log.warning("rules refused, the former ones stay in force", errors=str(error))
            return str(error).splitlines()
        except Exception as error:
            # A bug of ours in reading them must neither end the daemon nor look like success.
            self._refuse(read, [f"a bug of triaged hinders reading them: {type(error).__name__}"])
            raise
        self._templates = files.templates
        self.writer.run(partial(self._use, rules))
        planning.ask_whole(self.writer.ask, WindowsChanged())
        self.door.use(self._doors(files.sources))
        self._watch.has_read(read)
        self.refused = ()
        self._show(rules)
        log.info("rules in force", hash=rules.rule_set.hash)
        return []

    def _refuse(self, read: Signature, problems: Iterable[str]) -> None:
        self._watch.has_read(read)
        self.refused = tuple(problems)
        self.metrics.reloaded.set(0)

    @property
    def ready(self) -> bool:
        """Whether alerts can be taken in: proven by a row that is written and gone in one commit."""
        return self._serving and not self._dead and self.writer.ask(Job(run=_prove)).status == 200

    def _lifesign(self, settings: HeartbeatSettings) -> Loop:
        url = partial(configured.secret_of, settings.url, settings.url_file, Secret.URL)
        url()
        worker = LifesignWorker(url, every=settings.every, trouble=self._trouble, get=get)
        return Loop(worker, self.clock, self.metrics)

    def _silencing(self, alertmanagers: Mapping[str, Alertmanager]) -> tuple[Loop, ...]:
        """What makes and removes silences: in each Alertmanager for itself, so that none waits for another."""

        def loop(source: str | None) -> Loop:
            worker = SilencesWorker(
                alertmanagers,
                source,
                read=self.store.read,
                run=self.writer.run,
                ask=self.writer.ask,
                clock=self.clock,
                operation_id=operation_id,
            )
            return Loop(worker, self.clock, self.metrics)

        return tuple(loop(source) for source in (*sorted(alertmanagers), None))

    def _asking(self, prometheus: Prometheus) -> Loop:
        """What asks the health queries of services."""
        from triaged.workers.health import HealthWorker  # noqa: PLC0415 - a daemon without one loads none of it

        worker = HealthWorker(
            prometheus, rules=lambda: self.intake.rules.rule_set, read=self.store.read, ask=self.writer.ask
        )
        return Loop(worker, self.clock, self.metrics)

    def _polling(self) -> tuple[Loop, ...]:
        """What asks repositories what changed there; files are looked at when they are written."""
        github = self.settings.backend.github
        if self.settings.backend.type != "github" or github is None:
            return ()
        from triaged.backends.github.watch import GitHubWatch  # noqa: PLC0415 - a daemon without GitHub loads none of it

        assert isinstance(self.watch, GitHubWatch)  # noqa: S101 - as configured
        reporters = Reporters(github.reports)
        adopting = AdoptIssues(self.watch, reporters=reporters, ask=self.writer.ask)
        named = (name for name in self._places.listed if not name.endswith("/*"))
        also = () if reporters is Reporters.NOBODY else tuple(named)
        worker = PollWorker(
            self.watch,
            backend=self.backend.name,
            repositories=(self._places.common, self._places.restricted, *also),
            every=github.polled_every,
            read=self.store.read,
            run=self.writer.run,
            hinted=self.look.wake,
            take=adopting.take,
        )
        loop = Loop(worker, self.clock, self.metrics)

        def hurry(repository: str) -> None:
            worker.hurry(repository)
            loop.wake()

        self._hurry = hurry
        self._catching_up = CatchingUp(lambda: worker.has_asked, self.store.read)
        return (loop,)

    def _looking_around(self) -> Loop:
        """What looks for evidence."""
        worker = EvidenceWorker(
            self._prometheus,
            self._changes,
            rules=lambda: self.intake.rules.rule_set,
            read=self.store.read,
            ask=self.writer.ask,
            pieces=self.metrics.evidence,
        )
        return Loop(worker, self.clock, self.metrics)

    def _notifying(self) -> tuple[Loop, tuple[Loop, ...]]:
        """What takes notices up, and what sends them: each channel for itself, so that none waits for another."""

        def post(channel: str, lane: Lane, number: int) -> Loop:
            worker = PostWorker(
                channel,
                lane,
                self._addresses,
                number=number,
                rules=lambda: self.intake.rules,
                templates=lambda: self._templates,
                read=self.store.read,
                run=self.writer.run,
                clock=self.clock,
                metrics=self.metrics,
                public_url=self.settings.public_url,
            )
            return Loop(worker, self.clock, self.metrics)

        lanes = {name: Lane() for name in (*self._addresses.channels, PEOPLE)} if not self._addresses.silent else {}
        posts = tuple(
            post(name, lane, number)
            for name, lane in sorted(lanes.items(), key=itemgetter(0))
            for number in range(1, 1 + (_PEOPLE_AT_ONCE if name == PEOPLE else 1))
        )
        for name in lanes:
            for ending in ("sent", "failed", "given_up", "overtaken"):
                self.metrics.notifications.labels(name, ending)
        worker = NotifyWorker(
            self._addresses,
            rules=lambda: self.intake.rules.rule_set,
            read=self.store.read,
            run=self.writer.run,
            ask=self.writer.ask,
            wake=partial(_wake_all, posts),
        )
        return Loop(worker, self.clock, self.metrics), posts

    def _trouble(self, now: datetime) -> str:
        """Why the daemon does not do its work, in words; "" while all is well."""
        answer = self.writer.ask(Job(run=_prove))
        if answer.status != 200:
            return answer.error if answer.status == 503 else f"the store cannot be written: {answer.error}"
        with self.store.read() as reader:
            return trouble(reader.connection, now)

    def _use(self, rules: Rules, transaction: Transaction, now: datetime) -> None:
        self.intake.use(rules)
        self._gain_keys(transaction, now)

    def _forget_unwatched(self, transaction: Transaction, _now: datetime) -> None:
        """What was silenced where nobody is asked any more may be silenced no more."""
        sources = [self.settings.source_of(one) for one in self.settings.alertmanagers]
        suppressions.forget_others(transaction.connection, sources)

    def _gain_keys(self, transaction: Transaction, now: datetime) -> None:
        gained = gain_keys(transaction, self.intake.rules.rule_set, now)
        if gained:
            log.info("open incidents gained keys", keys=gained)

    def _application(self) -> FastAPI:
        settings = self.settings
        tokens = {
            name: TokenSource(role=Role(token.role), token=token.token, file=token.token_file)
            for name, token in settings.api_tokens.items()
        }
        desk = Desk(
            store=self.store,
            ask=self._asked,
            clock=self.clock,
            metrics=self.metrics,
            tokens=ApiTokens(tokens),
            rules=lambda: self.intake.rules,
            public_url=settings.public_url,
            ready=lambda: self.ready,
            reload=self.reload,
            refused=lambda: self.refused,
            loopback=settings.loopback,
            backend=settings.backend.type,
            sends=self._sends,
            unreadable=self._reconcile.unreadable,
            silenceable=frozenset(settings.source_of(one) for one in settings.alertmanagers),
            places=self._places,
            webhook_secrets=partial(configured.webhook_secrets, settings),
            hint=self._hint,
            sources=lambda: tuple(sorted({door.source for door in self.door.doors.values()})),
        )
        return build(desk)

    def _hint(self, repository: str, number: int) -> bool:
        """The issue there may have changed, or is new to us; whether it is one of ours."""
        ours: bool = self.writer.run(lambda tx, at: looks.hint_place(tx.connection, repository, number, at))
        if ours:
            self.look.wake()
        else:
            self._hurry(repository)
        return ours

    def _sends(self, authorization: str | None) -> bool:
        """Whether the value of an Authorization header holds a token or password of some source."""
        return any(auth.allows(authorization) for auth in self._auths.values() if not auth.open)

    def _doors(self, mappings: Mapping[str, SourceMapping]) -> dict[str, Door]:
        """Where alerts come in. Without tokens of its own a mapped source is open on loopback, and else closed."""
        anybody = self.settings.loopback or self.settings.insecure_no_auth
        nobody = None if not anybody else SourceAuth()
        mapped = {
            name: Door(source=name, auth=self._auths.get(name, nobody), mapping=mapping)
            for name, mapping in mappings.items()
        }
        closed = tuple(name for name, door in mapped.items() if door.auth is None)
        if closed and closed != self._closed:
            log.warning("sources closed", sources=closed, why="the configuration has no tokens for them under sources")
        self._closed = closed
        found = doors(self._auths, mapped)
        self.metrics.expect({door.source for door in found.values()})
        return found

    def shake(self, handshake: Handshake, topics: frozenset[str]) -> None:
        """A subscription asks to be confirmed: remember it for the worker."""
        if self._subscribe.offer(handshake, topics):
            self.subscribe.wake()

    def render(self, reader: Reader, incident_id: int, chosen: str = "") -> Issue | None:
        from triaged.backends.issue import render  # noqa: PLC0415 - costs a start nothing that publishes nothing

        report = gather(
            reader,
            incident_id,
            rules=self.intake.rules,
            former=self.former,
            public_url=self.settings.public_url,
            places=self._places,
            chosen=chosen,
        )
        if report is None:
            return self._render_review(reader, incident_id, chosen)
        logins = whose(reader, report.incident, self.intake.rules.rule_set, self.clock.now())
        github = self.settings.backend.github
        return render(replace(report, assignees=logins), github.labels if github is not None else ())

    def mentions(self, reader: Reader, comment: PendingComment, now: datetime) -> tuple[str, ...]:
        return mentions(reader, comment, self.intake.rules.rule_set, now)

    def _render_review(self, reader: Reader, number: int, chosen: str) -> Issue | None:
        from triaged.backends.review import render  # noqa: PLC0415 - as above

        told = gather_review(
            reader,
            number,
            rules=self.intake.rules,
            former=self.former,
            public_url=self.settings.public_url,
            places=self._places,
            chosen=chosen,
        )
        return self._render_problem(reader, number, chosen) if told is None else render(told)

    def _render_problem(self, reader: Reader, number: int, chosen: str) -> Issue | None:
        from triaged.backends.problem import render  # noqa: PLC0415 - as above

        told = gather_problem(reader, number, public_url=self.settings.public_url, places=self._places, chosen=chosen)
        return None if told is None else render(told)

    def _asked(self, unit: Unit) -> Answer:
        """What a person asks for; a silence is to be made, or removed, at once."""
        answer = self.writer.ask(unit)
        if isinstance(unit, Ask) and isinstance(unit.act, SilenceAsked | CloseAsked):
            _wake_all(self.silences)
        return answer

    def _woken(self, publishes: bool, deadlines: bool) -> None:
        if publishes:
            self.publish.wake()
            # Hardly anything is worth telling people that is not worth writing into the issue.
            self.notify.wake()
        if deadlines:
            self.deadlines.wake()

    def _call_together(self, incident_ids: Sequence[int]) -> None:
        self._assemble.tell(incident_ids)
        self.assemble.wake()

    def _truncated(self, source: str, cut: Cut) -> None:
        if self._reconcile.truncated(source, cut):
            self.reconcile.wake()

    def _died(self) -> None:
        """Without its writer the daemon can store nothing: it ends, so that whoever watches starts it anew."""
        self._dead = True
        if self._serving:
            self.door.stop()
        else:
            os._exit(1)

    def _show(self, rules: Rules) -> None:
        self.metrics.rules.clear()
        self.metrics.rules.labels(rules.rule_set.hash).set(1)
        self.metrics.reloaded.set(1)
        self.metrics.reloaded_at.set(self.clock.now().timestamp())


def _wake_all(loops: Iterable[Loop]) -> None:
    for loop in loops:
        loop.wake()


def _forget(record_id: int, transaction: Transaction, _now: datetime) -> None:
    transaction.forget_record(record_id)


def _expect_same(folder: Path, read: Signature) -> None:
    """Raises ConfigError where the files changed meanwhile: what was read may be half of one set, half of another."""
    if signature(folder) != read:
        raise ConfigError(f"{folder}: expected files that lie still, they changed while they were read")


def _prove(transaction: Transaction, _now: datetime) -> None:
    transaction.prove_writable(operation_id())
