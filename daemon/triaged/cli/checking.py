"""What `triaged check` looks at, one thing after the other, with all that it finds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from triaged import config, rulefiles
from triaged.cli.findings import Level, Told
from triaged.clock import SystemClock
from triaged.config import Settings
from triaged.configured import not_allowed, open_store
from triaged.core.oncall import Reading, Rota
from triaged.errors import ConfigError, DeliveryError, Finding, StoreError
from triaged.replay.met import met
from triaged.replay.ruletests import reading
from triaged.rulefiles import RuleFiles, oncall
from triaged.rulefiles.folder import TESTS
from triaged.store import shifts
from triaged.workers import ical
from triaged.workers.shifts import AHEAD, asked, feeds_of, source


class Checked:
    """The findings so far, and what else is to be said; what cannot be looked at any further is None."""

    def __init__(self) -> None:
        self.found: list[Told] = []
        self.aside = ""

    def configuration(self, file: Path | None) -> Settings | None:
        """The settings. Raises ConfigError for what has no place in a file."""
        try:
            return config.load(file)
        except ConfigError as error:
            if not error.findings:
                raise
            self._add_configuration(file, error.findings)
        return None

    def secrets(self, settings: Settings, file: Path | None) -> None:
        """The files of secrets without which the daemon does not start, and those that others may use."""
        self._add_configuration(file, config.unreadable_secrets(settings, file))
        self._add_configuration(file, config.doubtful_secrets(settings, file), Level.WARNING)

    def rules(self, folder: Path) -> RuleFiles | None:
        """The rules. Raises ConfigError where there is no folder."""
        self._add(Level.WARNING, folder, rulefiles.strays(folder))
        try:
            files = rulefiles.load(folder, today=SystemClock().now().date())
        except ConfigError as error:
            if not error.findings:
                raise
            self._add(Level.ERROR, folder, error.findings)
            return None
        self._add(Level.WARNING, folder, files.warnings)
        return files

    def tests(self, folder: Path) -> None:
        """The files of tests beside the rules; `triaged test` runs them."""
        try:
            reading.read_all(reading.files_in(folder / TESTS))
        except ConfigError as error:
            for finding in error.findings:
                self.found.append(Told(level=Level.ERROR, finding=finding, path=Path(finding.file)))

    def channels(self, settings: Settings, folder: Path, files: RuleFiles) -> None:
        """Channels of teams that the configuration does not know; a hint only where it has none, and all is silent."""
        level = Level.ERROR if settings.channels else Level.WARNING
        self._add(level, folder, sorted(rulefiles.unconfigured(files.sheet, settings.channels)))

    def repositories(self, settings: Settings, folder: Path, files: RuleFiles) -> None:
        """Repositories of rules, services and teams that the configuration does not allow."""
        self._add(Level.ERROR, folder, sorted(not_allowed(settings, files.sheet)))

    def history(self, settings: Settings, folder: Path, files: RuleFiles) -> None:
        """What no recorded alert met; nothing where no store is there, and only a word where it cannot be read."""
        try:
            store = open_store(settings, new=False)
        except ConfigError:
            return
        except ImportError as error:  # the rules are checked on a machine without the extra `postgres`, too
            self.aside = f"store: the recorded alerts cannot be read: {error}"
            return
        try:
            with store.read() as reader:
                recorded = met(reader, files.rules)
        except StoreError as error:
            self.aside = f"store: the recorded alerts cannot be read: {error}"
            return
        finally:
            store.close()
        if recorded is not None:
            self._add(Level.NOTICE, folder, sorted(rulefiles.unmet(files.sheet, recorded)))

    def on_call(self, settings: Settings | None, folder: Path, files: RuleFiles, *, live: bool) -> None:
        """Whether somebody is on call all the time, by what the store has of the calendars; `live`: by themselves."""
        now = SystemClock().now()
        if not feeds_of(files.rules):
            return
        rota = _fetched(files, now) if live else settings and _stored(settings, files)
        if rota:
            self._add(Level.ERROR, folder, sorted(oncall.uncovered(files.sheet, rota, now)))
            self._add(Level.WARNING, folder, sorted(oncall.doubted(files.sheet, rota, now)))

    def _add_configuration(self, file: Path | None, findings: Iterable[Finding], level: Level = Level.ERROR) -> None:
        for finding in findings:
            path = file if finding.file == str(file) else None
            self.found.append(Told(level=level, finding=finding, path=path))

    def _add(self, level: Level, folder: Path, findings: Iterable[Finding]) -> None:
        self.found += [Told(level=level, finding=finding, path=folder / finding.file) for finding in findings]


def _stored(settings: Settings, files: RuleFiles) -> Rota | None:
    """What the daemon read last; None where it has no store, or one that cannot be read."""
    try:
        store = open_store(settings, new=False)
    except (ConfigError, ImportError):
        return None
    try:
        with store.read() as reader:
            return shifts.rota(files.rules, reader.connection)
    except StoreError:
        return None
    finally:
        store.close()


def _fetched(files: RuleFiles, now: datetime) -> Rota:
    """What the calendars say now; of one that cannot be read, why not."""
    found, readings = {}, {}
    for team, feed in feeds_of(files.rules).items():
        one = Reading(team=team, source=source(feed), tried_at=now)
        try:
            found[team] = ical.ask(asked(feed, now))
        except DeliveryError as error:
            readings[team] = replace(one, failure=str(error))
        else:
            readings[team] = replace(one, read_at=now, until=now + AHEAD)
    return Rota(teams=files.rules.teams, people=files.rules.people, shifts=found, readings=readings)
