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
from triaged.core.model import Severity
from triaged.core.rules import RuleSet
from triaged.core.sla import Policy, SeverityPolicy
from triaged.errors import ConfigError, Finding
from triaged.ports.mapping import SourceMapping
from triaged.rulefiles import calendars, heartbeats, maintenance, services, severities, sources, templates, triage
from triaged.rulefiles.doubts import doubts
from triaged.rulefiles.marks import compose
from triaged.rulefiles.names import Names
from triaged.rulefiles.sheet import Sheet
from triaged.rulefiles.texts import read_text
from triaged.rulefiles.values import Value

TRIAGE, SERVICES, SEVERITIES, CALENDARS = "triage.yaml", "services.yaml", "severities.yaml", "calendars.yaml"
USED = (TRIAGE, SERVICES, SEVERITIES, CALENDARS, heartbeats.FILE, maintenance.FILE)
REQUIRED = (TRIAGE, SEVERITIES)
SOURCES = "sources"
"""The folder of mapped sources: `sources/NAME.yaml`."""
TESTS = "tests"
"""The folder of tests, `tests/*.yaml`: it judges nothing, so it does not count for the hash."""
FOLDERS = (SOURCES, TESTS, templates.FOLDER)
"""All folders below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFiles:
    """A rules folder that was read without an error; `files` are the texts that count, by name; `hash` is of them.

    `sources` are the mapped ones by name; `warnings` are there only where they were asked for, `sheet` is where
    everything stands.
    """

    rules: RuleSet
    policy: Policy
    sources: Mapping[str, SourceMapping]
    templates: templates.Templates
    files: Mapping[str, str]
    hash: str
    warnings: tuple[Finding, ...]
    sheet: Sheet


def load(directory: Path, *, today: date | None = None) -> RuleFiles:
    """Read the rules folder; see `read`. Raises ConfigError also for what cannot be read from disk."""
    findings: list[Finding] = []
    try:
        names = sorted(path.name for path in directory.iterdir() if not path.name.startswith("."))
    except OSError as problem:
        raise ConfigError(f"{directory}: expected a folder with rules, got: {problem.strerror}") from None
    files = {name: _text(directory, name, findings) for name in names if name in USED}
    others = {**_source_texts(directory, findings), **_template_texts(directory, findings)}
    return _read({**files, **others}, findings, today)


def read(files: Mapping[str, str], *, today: date | None = None) -> RuleFiles:
    """The rule set of these texts by file name; with `today` (UTC) also warnings of what is hardly meant so.

    Raises ConfigError with all findings at once.
    """
    return _read(files, [], today)


def read_policy(files: Mapping[str, str]) -> Policy:
    """The policy of the texts of severities.yaml and calendars.yaml; others are not looked at.

    Raises ConfigError with all findings at once.
    """
    findings: list[Finding] = []
    roots = _roots(files, (SEVERITIES, CALENDARS), findings)
    known = _calendars(roots)
    found = _severities(roots, Names(known))
    if findings:
        raise ConfigError(findings=_sorted(findings))
    return _policy(files, found, known or {})


def _read(files: Mapping[str, str | None], findings: list[Finding], today: date | None) -> RuleFiles:
    mapped = [name for name in sorted(files) if _is_source(name)]
    roots = _roots(files, (*USED, *mapped), findings)
    known = _calendars(roots)
    calendar_names = Names(known)
    found = _severities(roots, calendar_names)
    catalogue = services.read(roots.get(SERVICES), calendar_names)
    teams = catalogue.team_names if roots.get(SERVICES) or SERVICES not in roots else Names(None)
    root = roots.get(TRIAGE)
    file = triage.read(root, triage.Known(teams=teams, calendars=calendar_names)) if root else None
    found_sources = _sources(roots, mapped)
    beats = heartbeats.read(roots.get(heartbeats.FILE))
    windows = maintenance.read(roots.get(maintenance.FILE))
    found_templates = templates.read(files, findings)
    if findings or known is None or file is None or file.default is None:
        raise ConfigError(findings=_sorted(findings))
    texts = _texts(files, (*USED, *mapped, *filter(templates.is_template, sorted(files))))
    policy = _policy(files, found, known)
    rules = RuleSet(
        hash=digest(texts),
        matrix=file.matrix,
        default=file.default,
        key=file.key,
        storm=file.storm,
        problems=file.problems,
        heartbeats=beats,
        windows=windows,
        rules=file.rules,
        catalogue=Catalogue(catalogue.services),
        teams=MappingProxyType(catalogue.teams),
        people=MappingProxyType(catalogue.people),
        calendars=_whole(known),
    )
    sheet = Sheet(
        roots={name: value for name, value in roots.items() if value},
        rules=rules,
        policy=policy,
        calendars=calendar_names,
        teams=catalogue.team_names,
        people=catalogue.people_names,
    )
    warnings = [] if today is None else [*doubts(sheet, today)]
    return RuleFiles(
        rules=rules,
        policy=policy,
        sources=MappingProxyType(found_sources),
        templates=MappingProxyType(dict(found_templates)),
        files=dict(zip(texts[::2], texts[1::2], strict=True)),
        hash=rules.hash,
        warnings=_sorted(warnings),
        sheet=sheet,
    )


def _source_texts(directory: Path, findings: list[Finding]) -> dict[str, str | None]:
    """The texts of the folder of sources by name, `sources/NAME.yaml`."""
    paths = (path for path in (directory / SOURCES).glob("*.yaml") if not path.name.startswith("."))
    names = sorted(f"{SOURCES}/{path.name}" for path in paths)
    if len(names) > sources.MOST_SOURCES:
        findings.append(_at_top(SOURCES, f"expected at most {sources.MOST_SOURCES} files, got {len(names)}"))
        return {}
    return {name: _text(directory, name, findings) for name in names}


def _template_texts(directory: Path, findings: list[Finding]) -> dict[str, str | None]:
    """The texts of the folder of templates by name; the first few, for each has a name of its own."""
    paths = (path for path in (directory / templates.FOLDER).glob("*") if not path.name.startswith("."))
    names = sorted(f"{templates.FOLDER}/{path.name}" for path in paths)
    wanted = [name for name in names if templates.is_template(name)][: 4 * len(templates.NAMES)]
    return {name: _text(directory, name, findings) for name in wanted}


def _is_source(name: str) -> bool:
    return name.startswith(f"{SOURCES}/") and name.endswith(".yaml")


def _sources(roots: Mapping[str, Value | None], names: list[str]) -> dict[str, SourceMapping]:
    found: dict[str, SourceMapping] = {}
    for file in names:
        root = roots[file]
        name = file.removeprefix(f"{SOURCES}/").removesuffix(".yaml")
        mapping = None if root is None else sources.read(name, root)
        if mapping is not None:
            found[name] = mapping
    return found


def _text(directory: Path, name: str, findings: list[Finding]) -> str | None:
    found = read_text(directory / name, name)
    if isinstance(found, Finding):
        findings.append(found)
        return None
    return found


def _roots(files: Mapping[str, str | None], names: tuple[str, ...], findings: list[Finding]) -> dict[str, Value | None]:
    """The value of each file that is there, None where it cannot be read; findings also for what must be there."""
    roots: dict[str, Value | None] = {}
    for name in names:
        if name not in files:
            if name in REQUIRED:
                findings.append(_at_top(name, "expected the file, got none"))
            continue
        text = files[name]
        node = None if text is None else compose(name, text, findings)
        roots[name] = None if node is None else Value(node=node, path="", file=name, findings=findings)
    return roots


def _calendars(roots: Mapping[str, Value | None]) -> dict[str, Calendar | None] | None:
    """The calendars by name; None where their file cannot be read."""
    root = roots.get(CALENDARS)
    return None if root is None and CALENDARS in roots else calendars.read(root)


def _severities(roots: Mapping[str, Value | None], names: Names) -> dict[Severity, SeverityPolicy]:
    root = roots.get(SEVERITIES)
    return {} if root is None else severities.read(root, names)


def _policy(
    files: Mapping[str, str | None],
    found: Mapping[Severity, SeverityPolicy],
    known: Mapping[str, Calendar | None],
) -> Policy:
    return Policy(hash=digest(_texts(files, (SEVERITIES, CALENDARS))), severities=found, calendars=_whole(known))


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


def _at_top(name: str, message: str) -> Finding:
    return Finding(file=name, line=1, column=1, path="", message=message)


def _sorted(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted({*findings}))
