"""The daemon put together: wiring, start, stop, reload; the only module that names concrete classes."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog
import uvicorn

from triaged import defaults, rulefiles
from triaged.clock import Clock, SystemClock
from triaged.config import Settings, SourceSettings
from triaged.errors import ConfigError
from triaged.explaining.former import Former
from triaged.ids import operation_id
from triaged.intake.intake import Intake
from triaged.intake.keying import gain_keys
from triaged.intake.known import Known
from triaged.intake.units import Delivery, Job, Rules
from triaged.intake.writer import Writer
from triaged.metrics import Metrics
from triaged.ports.backend import Backend, Issue, Places
from triaged.ports.mapping import SourceMapping
from triaged.ports.store import Fate
from triaged.rulefiles import RuleFiles
from triaged.sources import alertmanager
from triaged.sources.sns import Handshake
from triaged.store import queue
from triaged.store.reading import Reader
from triaged.store.store import Store
from triaged.store.transaction import Transaction
from triaged.web.api import build
from triaged.web.auth import ApiTokens, Role, SourceAuth, TokenSource
from triaged.web.desk import Desk
from triaged.web.doors import Door, doors
from triaged.web.ingest import Application, Ingest
from triaged.workers.deadlines import DeadlinesWorker
from triaged.workers.ends import EndsWorker
from triaged.workers.loop import Loop
from triaged.workers.publish import PublishWorker
from triaged.workers.reload import ReloadWorker, Signature, signature
from triaged.workers.report import gather
from triaged.workers.retention import RetentionWorker
from triaged.workers.subscribe import SubscribeWorker, fetch

log = structlog.get_logger(__name__)

_POLICY_FILES: Final = ("severities.yaml", "calendars.yaml")
_STOP_SECONDS: Final = 15.0
# The writer and the event loop share one interpreter lock; the default of 5 ms lets either starve the other.
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
        self.store = open_store(settings)
        self.known = Known()
        self._folder = settings.rules or defaults.RULES
        self.former = Former()
        self._auths = {name: _auth(settings, name) for name in settings.source_names}
        self._closed: tuple[str, ...] = ()
        self._reloading = threading.Lock()
        self._watch = ReloadWorker(self._folder, self.reload)
        self.refused: tuple[str, ...] = ()
        files = rulefiles.load(self._folder)
        rules = rules_of(files)
        self.intake = Intake(
            self.store,
            rules,
            # What a mapped source sends is read at the door; kept alerts of all sources are in Alertmanager's form.
            readers=defaultdict(lambda: alertmanager.read),
            read_policy=rulefiles.read_policy,
            known=self.known,
            metrics=self.metrics,
            woken=self._woken,
        )
        self.writer = Writer(self.intake, self.clock, died=self._died)
        self.backend = backend(settings, self.clock, self.metrics)
        self._places = places(settings)
        self.publish = Loop(
            PublishWorker(
                self.backend,
                read=self.store.read,
                run=self.writer.run,
                ask=self.writer.ask,
                render=self.render,
                clock=self.clock,
                operation_id=operation_id,
                interval=timedelta(seconds=10 if settings.backend.type == "github" else 1),
            ),
            self.clock,
            self.metrics,
        )
        self.deadlines = Loop(DeadlinesWorker(self.store.read, self.writer.ask), self.clock, self.metrics)
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
            lambda: self.intake.rules.rule_set.ends, lambda: self.writer.run(_nothing), since=self.clock.now()
        )
        of_rules = [Loop(worker, self.clock, self.metrics) for worker in (ends, self._watch)]
        self.loops = (self.publish, self.deadlines, self.retention, self.subscribe, *of_rules)
        self.application = self._application(files.sources)
        self._server: _Server | None = None
        self._serving = False
        self._dead = False
        self._show(rules)

    def serve(self) -> int:
        """Run until SIGTERM or SIGINT; the process's exit status. Raises ConfigError where the address is taken."""
        listener = _listener(self.settings)
        self.start()
        config = uvicorn.Config(
            self.application,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(_STOP_SECONDS),
            timeout_keep_alive=75,
        )
        self._server = _Server(config)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._server.handle_exit)
        signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=self.reload, name="reload").start())
        self._serving = True
        log.info("listening", address=self.settings.listen, store=self.settings.store_place)
        try:
            self._server.run(sockets=[listener])
        finally:
            self.stop()
        return 1 if self._dead else 0

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
        self.store.release()
        with self.store.begin() as transaction:
            moved = queue.republish(transaction.connection, self.backend.name, self.clock.now())
        if moved:
            log.info("open incidents are published anew", backend=self.backend.name, incidents=moved)
        with self.store.read() as reader:
            for fingerprint, digest in reader.known(self.intake.rules.rule_set.hash):
                self.known.learn(fingerprint, digest, "firing")
        self.writer.start()
        self.writer.run(self._gain_keys)

    def stop(self) -> None:
        """Stop workers between two steps, commit what waits, leave one whole database file."""
        self._serving = False
        for loop in self.loops:
            loop.stop(_STOP_SECONDS)
        self.backend.close()
        self.writer.close()
        if not self._dead:
            self.store.checkpoint()
        self.store.close()
        log.info("stopped")

    def shut_down(self) -> None:
        """Make `serve` come to its end. Thread-safe."""
        if self._server is not None:
            self._server.should_exit = True

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
        self.writer.run(partial(self._use, rules))
        self.application.use(self._doors(files.sources))
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

    def _use(self, rules: Rules, transaction: Transaction, now: datetime) -> None:
        self.intake.use(rules)
        self._gain_keys(transaction, now)

    def _gain_keys(self, transaction: Transaction, now: datetime) -> None:
        gained = gain_keys(transaction, self.intake.rules.rule_set, now)
        if gained:
            log.info("open incidents gained keys", keys=gained)

    def _application(self, mappings: Mapping[str, SourceMapping]) -> Ingest:
        settings = self.settings
        tokens = {
            name: TokenSource(role=Role(token.role), token=token.token, file=token.token_file)
            for name, token in settings.api_tokens.items()
        }
        desk = Desk(
            store=self.store,
            ask=self.writer.ask,
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
            sources=lambda: tuple(sorted({door.source for door in application.doors.values()})),
        )
        pages: Any = build(desk)
        inner: Application = pages
        application = Ingest(
            inner,
            doors=self._doors(mappings),
            # On PostgreSQL another replica may have changed an alert since: there the stored digest alone decides.
            digests=alertmanager.digests if self.store.alone else _none_known,
            known=self.known if self.store.alone else Known(),
            submit=self.writer.submit,
            metrics=self.metrics,
            shake=self._shake,
        )
        return application

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
        return doors(self._auths, mapped)

    def _shake(self, handshake: Handshake, door: Door) -> None:
        topics = frozenset() if door.mapping is None else door.mapping.topics
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
        return None if report is None else render(report)

    def _woken(self, publishes: bool, deadlines: bool) -> None:
        if publishes:
            self.publish.wake()
        if deadlines:
            self.deadlines.wake()

    def _died(self) -> None:
        """Without its writer the daemon can store nothing: it ends, so that whoever watches starts it anew."""
        self._dead = True
        if self._server is not None:
            self._server.should_exit = True
        else:
            os._exit(1)

    def _show(self, rules: Rules) -> None:
        self.metrics.rules.clear()
        self.metrics.rules.labels(rules.rule_set.hash).set(1)
        self.metrics.reloaded.set(1)
        self.metrics.reloaded_at.set(self.clock.now().timestamp())


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Uvicorn would send itself the signal again once it has stopped: one that was told to stop ends with 0."""
        yield


def backend(settings: Settings, clock: Clock, metrics: Metrics) -> Backend:
    """The configured backend; only its own packages are loaded."""
    if settings.backend.type == "local":
        from triaged.backends.local import LocalBackend  # noqa: PLC0415 - one backend a process

        return LocalBackend(settings.backend.local.directory, clock=clock)
    from triaged.backends.github.backend import GitHubBackend  # noqa: PLC0415 - as above
    from triaged.backends.github.settings import Settings as GitHub  # noqa: PLC0415 - as above
    from triaged.backends.github.transport import Surroundings  # noqa: PLC0415 - as above

    github = settings.backend.github
    if github is None:
        raise ConfigError("backend.github: expected repository and token_file beside type: github")

    def observe(operation: str, outcome: str, span: float) -> None:
        metrics.backend_requests.labels("github", operation, outcome).inc()
        metrics.backend_seconds.labels("github", operation, outcome).observe(span)
        if made.rate_limit_remaining is not None:
            metrics.rate_limit_remaining.labels("github").set(made.rate_limit_remaining)

    def pause(span: float) -> None:
        clock.wait(threading.Event(), timedelta(seconds=span))

    token = partial(_secret, github.token, github.token_file)
    token()
    made = GitHubBackend(
        GitHub(repository=github.repository, api_url=github.api_url, token=token),
        Surroundings(now=clock.now, pause=pause, observe=observe),
    )
    return made


def places(settings: Settings) -> Places:
    """Where the configured backend makes issues."""
    github = settings.backend.github if settings.backend.type == "github" else None
    return (
        Places() if github is None else Places(common=github.repository, restricted=github.restricted_repository or "")
    )


def open_store(settings: Settings, *, new: bool = True) -> Store:
    """The configured store; without `new` only one that is there. Raises ConfigError where there is none to have."""
    file = Path(settings.store.removeprefix("sqlite:///"))
    if not new and settings.store.startswith("sqlite:///") and not file.is_file():
        raise ConfigError(f"store: expected a database at {file}, found none")
    try:
        return Store(settings.store, replica=socket.gethostname())
    except OSError as error:
        raise ConfigError(f"store: cannot make {file.parent}: {error.strerror}") from error


def _secret(text: str | None, file: Path | None) -> str:
    """A secret, read anew each time: its file may be rotated while the daemon runs."""
    if text is not None or file is None:
        return text or ""
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{file}: expected a file with a token: {error.strerror}") from error


def _auth(settings: Settings, name: str) -> SourceAuth:
    source = settings.sources.get(name, SourceSettings())
    return SourceAuth(source.tokens, tokens_file=source.tokens_file, basic_auth_file=source.basic_auth_file)


def _listener(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except (OSError, UnicodeError) as error:
        listener.close()
        raise ConfigError(f"listen: cannot use {settings.listen}: {getattr(error, 'strerror', error)}") from error
    listener.listen(2_048)
    listener.setblocking(False)
    return listener


def _forget(record_id: int, transaction: Transaction, _now: datetime) -> None:
    transaction.forget_record(record_id)


def _expect_same(folder: Path, read: Signature) -> None:
    """Raises ConfigError where the files changed meanwhile: what was read may be half of one set, half of another."""
    if signature(folder) != read:
        raise ConfigError(f"{folder}: expected files that lie still, they changed while they were read")


def _nothing(_transaction: Transaction, _now: datetime) -> None:
    """A turn of the writer, in which it looks at the time."""


def _prove(transaction: Transaction, _now: datetime) -> None:
    transaction.prove_writable(operation_id())


def _none_known(_source: str, _body: bytes) -> None:
    """No digest is known at the door."""


def default_config() -> Path | None:
    """The configuration that is used when none is named: ./config.yaml where there is one."""
    found = Path("config.yaml")
    return found if found.is_file() else None
