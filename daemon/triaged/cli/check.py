"""`triaged check`: what is wrong with configuration and rules, and what is hardly meant so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from triaged import defaults
from triaged.cli import live as asking
from triaged.cli.checking import Checked
from triaged.cli.findings import Format, Level, counted, write_github, write_json, write_text
from triaged.cli.terminal import told
from triaged.config import Settings
from triaged.configured import default_config
from triaged.core import wording
from triaged.ports.probe import Probed
from triaged.rulefiles import RuleFiles

ConfigFile = Annotated[Path | None, typer.Option("--config", help="Configuration; ./config.yaml where there is one.")]
RulesFolder = Annotated[Path | None, typer.Option("--rules", help="Rules, instead of the configuration's.")]


def check(  # noqa: PLR0913 - one for each option
    config_file: ConfigFile = None,
    rules: RulesFolder = None,
    form: Annotated[
        Format, typer.Option("--format", help="For people, for pull requests, for programs.")
    ] = Format.TEXT,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    history: Annotated[
        bool, typer.Option("--history/--no-history", help="Ask the store which rules no recorded alert met.")
    ] = True,
    live: Annotated[
        bool, typer.Option("--live", help="Ask all that the configuration names, and the calendars of on-call.")
    ] = False,
    send: Annotated[bool, typer.Option("--send", help="With --live: send a message to each channel.")] = False,
    write_probe: Annotated[
        bool, typer.Option("--write-probe", help="With --live: open an issue in each repository, and close it.")
    ] = False,
    secrets: Annotated[
        bool, typer.Option("--secrets/--no-secrets", help="Look whether the files of secrets can be used.")
    ] = True,
) -> None:
    """Validate configuration and rules: each finding with its line, what was expected, and the nearest valid word."""
    if (send or write_probe) and not live:
        raise typer.BadParameter("expected --live beside --send and --write-probe")
    checked = Checked()
    file = config_file or default_config()
    settings = checked.configuration(file)
    if secrets and settings:
        checked.secrets(settings, file)
    folder = rules or (settings and (settings.rules or defaults.RULES))
    files = checked.rules(folder) if folder else None
    if folder:
        checked.tests(folder)
    if settings and files and folder:
        checked.channels(settings, folder, files)
        checked.repositories(settings, folder, files)
    if history and settings and folder and files:
        checked.history(settings, folder, files)
    if folder and files:
        checked.on_call(settings if history else None, folder, files, live=live)
    said = _asked(settings, files, send=send, write=write_probe) if live and settings else None
    failing = (Level.ERROR, Level.WARNING) if strict else (Level.ERROR,)
    ok = all(one.level not in failing for one in checked.found) and not asking.fails(said or (), strict=strict)
    _write(form, checked, "" if files is None else f"{_size(files)} ({folder}, {files.hash})", said, ok=ok)
    raise typer.Exit(0 if ok else 1)


def _asked(settings: Settings, files: RuleFiles | None, *, send: bool, write: bool) -> list[Probed]:
    rules = None if files is None else files.rules
    return asking.answers(asking.asks(settings, rules, send=send, write=write))


def _write(form: Format, checked: Checked, size: str, said: Sequence[Probed] | None, *, ok: bool) -> None:
    """`said` is None where nobody was asked."""
    console, found = Console(highlight=False), checked.found
    if form is Format.JSON:
        more = {} if said is None else {"live": asking.as_json(said)}
        write_json(console, found, {"ok": ok, "summary": size, **more})
        return
    (write_github if form is Format.GITHUB else write_text)(console, found)
    for line in filter(None, (checked.aside, counted(found), size)):
        console.print(told(line), soft_wrap=True)
    if said is not None:
        (asking.write_github if form is Format.GITHUB else asking.write_text)(console, said)


def _size(files: RuleFiles) -> str:
    found = files.rules
    return (
        f"{wording.count(len(found.rules), 'rule')}, {wording.count(len(found.services), 'service')} and "
        f"{wording.count(len(found.teams), 'team')} are well formed"
    )
