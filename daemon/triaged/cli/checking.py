"""What `triaged check` looks at, one thing after the other, with all that it finds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from triaged import config, rulefiles
from triaged.app import open_store
from triaged.cli.findings import Level, Told
from triaged.clock import SystemClock
from triaged.config import Settings
from triaged.errors import ConfigError, Finding, StoreError
from triaged.replay.met import met
from triaged.replay.ruletests import reading
from triaged.rulefiles import RuleFiles
from triaged.rulefiles.folder import TESTS


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
        """The files of secrets without which the daemon does not start."""
        self._add_configuration(file, config.unreadable_secrets(settings, file))

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

    def _add_configuration(self, file: Path | None, findings: Iterable[Finding]) -> None:
        for finding in findings:
            path = file if finding.file == str(file) else None
            self.found.append(Told(level=Level.ERROR, finding=finding, path=path))

    def _add(self, level: Level, folder: Path, findings: Iterable[Finding]) -> None:
        self.found += [Told(level=level, finding=finding, path=folder / finding.file) for finding in findings]
