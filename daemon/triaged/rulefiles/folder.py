"""The rules folder as a whole: all files read together, all findings told at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from pathlib import Path

from triaged.core.calendars import Calendar
from triaged.core.catalogue import Catalogue
from triaged.core.rules import RuleSet
from triaged.core.sla import Policy, SeverityPolicy
from triaged.core.model import Severity
from triaged.errors import ConfigError, Finding
from triaged.rulefiles import calendars, services, severities, triage
from triaged.rulefiles.marks import LARGEST, compose
from triaged.rulefiles.values import Value
from triaged.rulefiles.words import nearest

TRIAGE, SERVICES, SEVERITIES, CALENDARS = "triage.yaml", "services.yaml", "severities.yaml", "calendars.yaml"
USED = (TRIAGE, SERVICES, SEVERITIES, CALENDARS)
NOT_YET = ("heartbeats.yaml", "maintenance.yaml", "sources", "templates", "tests")
"""Files and folders of the rule language that this release does not act on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFiles:
    """A rules folder that was read without an error; `files` are the texts that count, by name; `hash` is of them."""

    rules: RuleSet
    policy: Policy
    files: Mapping[str, str]
    hash: str
    warnings: tuple[Finding, ...]


def load(directory: Path, *, today: date | None = None) -> RuleFiles:
    """Read the rules folder; see `read`. Raises ConfigError also for what cannot be read from disk."""
    findings: list[Finding] = []
    files: dict[str, str] = {}
    try:
        names = sorted(path.name for path in directory.iterdir() if not path.name.startswith("."))
    except OSError as problem:
        raise ConfigError(f"{directory}: expected a folder with rules, got: {problem.strerror}") from None
    for name in names:
        text = _text(directory / name, findings) if name in USED else ""
        files[name] = text
    return _read(files, findings, today)


def read(files: Mapping[str, str], *, today: date | None = None) -> RuleFiles:
    """The rule set of these texts by file name; with `today` also warnings of rules that end soon.

    Raises ConfigError with all findings at once.
    """
    return _read(files, [], today)


def read_policy(files: Mapping[str, str]) -> Policy:
    """The policy of the texts of severities.yaml and calendars.yaml; others are not looked at.

    Raises ConfigError with all findings at once.
    """
    findings: list[Finding] = []
    policy = _policy(files, calendars.read(_root(CALENDARS, files, findings)), findings)
    if policy is None or findings:
        raise ConfigError(findings=_sorted(findings))
    return policy


def _read(files: Mapping[str, str], findings: list[Finding], today: date | None) -> RuleFiles:
    known = calendars.read(_root(CALENDARS, files, findings))
    policy = _policy(files, known, findings)
    catalogue = services.read(_root(SERVICES, files, findings), known)
    root = _root(TRIAGE, files, findings)
    file = triage.read(root, triage.Known(teams=catalogue.teams, calendars=known, today=today)) if root else None
    if findings or file is None or file.default is None or policy is None:
        raise ConfigError(findings=_sorted(findings))
    texts = {name: files[name] for name in USED if name in files}
    digest = _digest(texts)
    rules = RuleSet(
        hash=digest,
        matrix=file.matrix,
        default=file.default,
        key=file.key,
        rules=file.rules,
        catalogue=Catalogue(catalogue.services),
        teams=catalogue.teams,
        calendars=_whole(known),
    )
    warnings = [*file.warnings, *catalogue.warnings, *_unused(files)]
    return RuleFiles(rules=rules, policy=policy, files=texts, hash=digest, warnings=_sorted(warnings))
