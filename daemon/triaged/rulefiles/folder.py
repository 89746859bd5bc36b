"""The rules folder as a whole: all files read together, all findings told at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType

from triaged.core.calendars import Calendar
from triaged.core.catalogue import Catalogue
from triaged.core.keys import digest
from triaged.core.rules import RuleSet
from triaged.core.sla import Policy
from triaged.errors import ConfigError, Finding
from triaged.rulefiles import calendars, services, severities, triage
from triaged.rulefiles.marks import LARGEST, compose
from triaged.rulefiles.values import Value
from triaged.rulefiles.words import nearest

TRIAGE, SERVICES, SEVERITIES, CALENDARS = "triage.yaml", "services.yaml", "severities.yaml", "calendars.yaml"
USED = (TRIAGE, SERVICES, SEVERITIES, CALENDARS)
REQUIRED = (TRIAGE, SEVERITIES)
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


class _Anything(frozenset[str]):
    """The names of a file that cannot be read: none of them is unknown, so that one mistake is told once."""

    def __contains__(self, name: object) -> bool:
        return True


def load(directory: Path, *, today: date | None = None) -> RuleFiles:
    """Read the rules folder; see `read`. Raises ConfigError also for what cannot be read from disk."""
    findings: list[Finding] = []
    try:
        names = sorted(path.name for path in directory.iterdir() if not path.name.startswith("."))
    except OSError as problem:
        raise ConfigError(f"{directory}: expected a folder with rules, got: {problem.strerror}") from None
    files = {name: _text(directory / name, findings) if name in USED else "" for name in names}
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
    policy = _policy(files, _calendars(files, findings), findings)
    if policy is None or findings:
        raise ConfigError(findings=_sorted(findings))
    return policy


def _read(files: Mapping[str, str | None], findings: list[Finding], today: date | None) -> RuleFiles:
    known = _calendars(files, findings)
    policy = _policy(files, known, findings)
    calendar_names = _Anything() if known is None else known.keys()
    root = _root(SERVICES, files, findings)
    catalogue = services.read(root, calendar_names)
    teams = _Anything() if root is None and SERVICES in files else catalogue.teams.keys()
    root = _root(TRIAGE, files, findings)
    file = triage.read(root, triage.Known(teams=teams, calendars=calendar_names, today=today)) if root else None
    if findings or known is None or policy is None or file is None or file.default is None:
        raise ConfigError(findings=_sorted(findings))
    texts = _texts(files, USED)
    rules = RuleSet(
        hash=digest(texts),
        matrix=file.matrix,
        default=file.default,
        key=file.key,
        rules=file.rules,
        catalogue=Catalogue(catalogue.services),
        teams=MappingProxyType(catalogue.teams),
        calendars=_whole(known),
    )
    warnings = [*file.warnings, *catalogue.warnings, *_unused(files)]
    return RuleFiles(
        rules=rules,
        policy=policy,
        files=dict(zip(texts[::2], texts[1::2], strict=True)),
        hash=rules.hash,
        warnings=_sorted(warnings),
    )


def _text(path: Path, findings: list[Finding]) -> str | None:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
        return raw.decode("utf-8-sig") if len(raw) <= LARGEST else raw.decode("latin-1")
    except UnicodeDecodeError as problem:
        before = problem.object[: problem.start].decode(errors="replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"expected UTF-8, got the byte 0x{problem.object[problem.start]:02x}"
        findings.append(Finding(file=path.name, line=line, column=column, path="", message=message))
    except OSError as problem:
        findings.append(_at_top(path.name, f"expected a file that can be read, got: {problem.strerror}"))
    return None


def _root(name: str, files: Mapping[str, str | None], findings: list[Finding]) -> Value | None:
    """The file's value; None where it is absent (a finding, if it must be there) or cannot be read (a finding)."""
    text = files.get(name)
    if name not in files and name in REQUIRED:
        findings.append(_at_top(name, "expected the file, got none"))
    node = None if text is None else compose(name, text, findings)
    return None if node is None else Value(node=node, path="", file=name, findings=findings)


def _calendars(files: Mapping[str, str | None], findings: list[Finding]) -> dict[str, Calendar | None] | None:
    root = _root(CALENDARS, files, findings)
    return None if root is None and CALENDARS in files else calendars.read(root)


def _policy(
    files: Mapping[str, str | None], known: Mapping[str, Calendar | None] | None, findings: list[Finding]
) -> Policy | None:
    root = _root(SEVERITIES, files, findings)
    if root is None:
        return None
    found = severities.read(root, _Anything() if known is None else known.keys())
    texts = _texts(files, (SEVERITIES, CALENDARS))
    return Policy(hash=digest(texts), severities=found, calendars=_whole(known or {}))


def _whole(known: Mapping[str, Calendar | None]) -> Mapping[str, Calendar]:
    return MappingProxyType({name: calendar for name, calendar in known.items() if calendar is not None})


def _texts(files: Mapping[str, str | None], names: tuple[str, ...]) -> list[str]:
    """Names and texts in turn."""
    parts: list[str] = []
    for name in names:
        text = files.get(name)
        if text is not None:
            parts += (name, text)
    return parts


def _unused(files: Mapping[str, str | None]) -> list[Finding]:
    tops = dict.fromkeys(name.partition("/")[0] for name in files)
    known = (*USED, *NOT_YET)
    return [
        _at_top(name, "not used by this release")
        if name in NOT_YET
        else _at_top(name, "no file of the rules: not read", nearest(name, known))
        for name in tops
        if name in NOT_YET or (name not in USED and name.endswith((".yaml", ".yml")))
    ]


def _at_top(name: str, message: str, hint: str = "") -> Finding:
    return Finding(file=name, line=1, column=1, path="", message=message, hint=hint)


def _sorted(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings))
