"""`triaged explain`: why an alert is judged as it is, why an incident stands as it does, and why nothing happened."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from triaged import config, defaults, rulefiles
from triaged.app import rules_of
from triaged.cli.terminal import screen, told
from triaged.cli.why import Why
from triaged.clock import SystemClock
from triaged.config import Settings
from triaged.configured import default_config, open_store
from triaged.core import heartbeats, reports, storm
from triaged.core.keys import fingerprint
from triaged.core.matchers import Operator, parse_all
from triaged.core.model import Alert, AlertStatus
from triaged.errors import ConfigError, NotFoundError, PayloadError, StoreError
from triaged.explaining.arrival import Prospect, prospects
from triaged.explaining.fates import fates
from triaged.explaining.former import Former
from triaged.explaining.incident import explain as explain_incident
from triaged.ports.source import Reading
from triaged.rulefiles import RuleFiles
from triaged.rulefiles.words import listed, nearest
from triaged.sources import alertmanager, mapped
from triaged.store.store import Store

ConfigFile = Annotated[Path | None, typer.Option("--config", help="Configuration; ./config.yaml where there is one.")]
RulesFolder = Annotated[Path | None, typer.Option("--rules", help="Rules, instead of the configuration's.")]

_INCIDENT = re.compile(r"INC-([0-9]{1,18})", re.IGNORECASE)
_MOST_FATES = 20


def explain(  # noqa: PLR0913 - one option a question
    what: Annotated[
        str | None,
        typer.Argument(metavar="[PAYLOAD.json|INC-n]", help="A webhook's body (- is standard input), or an incident."),
    ] = None,
    alert: Annotated[
        str | None, typer.Option("--alert", help='Or one alert, by its labels: \'alertname="X", pod="a"\'.')
    ] = None,
    source: Annotated[str | None, typer.Option("--source", help="Who sends it; alertmanager if left out.")] = None,
    at: Annotated[str | None, typer.Option("--at", help="Judge as at this instant: 2026-11-23T03:00:00Z.")] = None,
    config_file: ConfigFile = None,
    rules: RulesFolder = None,
    every: Annotated[bool, typer.Option("--every", help="Show rules that did not match, too.")] = False,
) -> None:
    """Show which rules matched or why not, the arithmetic, the key, the deadlines; and what the store knows of it."""
    if (what is None) == (alert is None):
        raise ConfigError("expected a file, - or INC-n, or else --alert with labels")
    now = _instant(at)
    number = _INCIDENT.fullmatch(what) if what is not None and not Path(what).exists() else None
    for option, given in (("--at", at), ("--source", source)):
        if number and given is not None:
            raise ConfigError(
                f"{option}: {what} is explained as it stands, from what came; to ask what the rules would say, give "
                f"{option} with --alert and labels, or with a payload"
            )
    settings = config.load(config_file or default_config())
    files = rulefiles.load(rules or settings.rules or defaults.RULES)
    asked = _Asked(settings, files, now, every=every)
    if number:
        asked.incident(int(number[1]))
        return
    sender = _source(source, settings, files)
    if alert is not None:
        asked.alert(_alert(alert, sender))
    elif what is not None:
        asked.payload(_read(what, files, sender))


class _Asked:
    """One question, with the rules and the store that answer it."""

    def __init__(self, settings: Settings, files: RuleFiles, now: datetime, *, every: bool) -> None:
        self._settings = settings
        self._files = files
        self._rules = rules_of(files)
        self._former = Former()
        self._now = now
        self._console = screen()
        self._why = Why(self._console, files, every=every)

    def payload(self, reading: Reading) -> None:
        """Each alert of a body: how it is judged, and what it would do."""
        for bad in reading.rejected:
            self._console.print(told(f"unreadable ({bad.reason}): {bad.text}"), soft_wrap=True)
        for alert, prospect in zip(reading.alerts, self._prospects(reading.alerts), strict=True):
            self._why.alert(alert, self._now, prospect)

    def alert(self, alert: Alert) -> None:
        """One alert: how it is judged, what it would do, and what became of those like it."""
        self._why.alert(alert, self._now, self._prospects([alert])[0])
        try:
            with self._store() as store, store.read() as reader:
                self._why.fates(fates(reader, alert.labels, most=_MOST_FATES))
        except (ConfigError, StoreError):
            return  # what it would do has told that

    def incident(self, number: int) -> None:
        with self._store() as store, store.read() as reader:
            row = reader.incident(number)
            if row is None:
                raise NotFoundError(f"INC-{number} does not exist in {self._settings.store_place}")
            self._why.incident(explain_incident(reader, row, self._rules, self._former, self._now))

    def _prospects(self, alerts: Sequence[Alert]) -> Sequence[Prospect | None]:
        try:
            with self._store() as store:
                return prospects(store, alerts, self._rules, self._former, self._now)
        except (ConfigError, StoreError) as error:
            self._console.print(told(f"what they would do is not told: {error}", style="dim"), soft_wrap=True)
            return [None] * len(alerts)

    @contextmanager
    def _store(self) -> Iterator[Store]:
        store = open_store(self._settings, new=False)
        try:
            yield store
        finally:
            store.close()


def _source(source: str | None, settings: Settings, files: RuleFiles) -> str:
    """One that the daemon would know: the configured ones, the mapped ones, and its own."""
    known = dict.fromkeys((*settings.source_names, *files.sources, heartbeats.SOURCE, storm.SOURCE, reports.SOURCE))
    if source is None or source in known:
        return source or settings.source_names[0]
    hint = nearest(source, known)
    raise ConfigError(f"--source: expected {listed(known)}, got {source[:60]!r}{f'; {hint}' if hint else ''}")


def _read(what: str, files: RuleFiles, source: str) -> Reading:
    name = "standard input" if what == "-" else what
    mapping = files.sources.get(source)
    try:
        body = sys.stdin.buffer.read() if what == "-" else Path(what).read_bytes()
        return alertmanager.read(source, body) if mapping is None else mapped.reader(mapping)(source, body)
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror}") from error
    except PayloadError as error:
        other = f"; of another sender's body say so: --source {listed(files.sources)}" if files.sources else ""
        raise ConfigError(f"{name}: {error}{other if mapping is None else ''}") from error


def _alert(labels: str, source: str) -> Alert:
    """An alert that fires with these labels, written as equality matchers."""
    expected = '--alert: expected labels such as \'alertname="X", pod="a"\''
    try:
        matchers = parse_all(labels)
    except ValueError as error:
        raise ConfigError(f"{expected}: {error}") from error
    if not matchers or any(matcher.operator is not Operator.EQUAL for matcher in matchers):
        raise ConfigError(f"{expected}, got {labels[:200]!r}")
    found = {matcher.name: matcher.value for matcher in matchers if matcher.value}
    return Alert(
        fingerprint=fingerprint(source, found),
        source=source,
        status=AlertStatus.FIRING,
        labels=found,
        annotations={},
        starts_at=None,
        ends_at=None,
        generator_url="",
        digest=b"asked",
        raw=b"",
    )


def _instant(at: str | None) -> datetime:
    if at is None:
        return SystemClock().now().astimezone(UTC)
    try:
        found = datetime.fromisoformat(at)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ConfigError(f"--at: expected an instant with its zone, such as 2026-11-23T03:00:00Z, got {at[:60]!r}")
    return found.astimezone(UTC)
