"""`triaged check` and `triaged explain`: what is wrong with the rules, and what they say of an alert."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from triaged import config, defaults, rulefiles
from triaged.app import default_config
from triaged.cli.terminal import told
from triaged.clock import SystemClock
from triaged.core import wording
from triaged.core.model import Alert, Objective, Tried, Verdict
from triaged.errors import ConfigError, PayloadError
from triaged.rulefiles import RuleFiles
from triaged.sources import alertmanager

ConfigFile = Annotated[Path | None, typer.Option("--config", help="Configuration; ./config.yaml where there is one.")]
RulesFolder = Annotated[Path | None, typer.Option("--rules", help="Rules, instead of the configuration's.")]


def check(config_file: ConfigFile = None, rules: RulesFolder = None) -> None:
    """Validate configuration and rules; every finding names file, line, column, key and what was expected."""
    settings = config.load(config_file or default_config())
    folder = rules or settings.rules or defaults.RULES
    files = rulefiles.load(folder, today=SystemClock().now().date())
    for warning in files.warnings:
        typer.echo(f"warning: {warning}", err=True)
    found = files.rules
    typer.echo(
        f"{wording.count(len(found.rules), 'rule')}, {wording.count(len(found.services), 'service')} and "
        f"{wording.count(len(found.teams), 'team')} are well formed ({folder}, {found.hash})"
    )


def explain(
    payload: Annotated[Path, typer.Argument(help="A webhook body as Alertmanager sends it.")],
    config_file: ConfigFile = None,
    rules: RulesFolder = None,
    every: Annotated[bool, typer.Option("--every", help="Show rules that were not near, too.")] = False,
) -> None:
    """Show for each alert of a payload which rules matched or why not, and the verdict with its arithmetic."""
    settings = config.load(config_file or default_config())
    files = rulefiles.load(rules or settings.rules or defaults.RULES)
    try:
        reading = alertmanager.read("alertmanager", payload.read_bytes())
    except OSError as error:
        raise ConfigError(f"{payload}: cannot be read: {error.strerror}") from error
    except PayloadError as error:
        raise ConfigError(f"{payload}: {error}") from error
    console = Console(highlight=False)
    for bad in reading.rejected:
        console.print(told(f"unreadable ({bad.reason}): {bad.text}"))
    for alert in reading.alerts:
        _explain(console, files, alert, every=every)


def _explain(console: Console, files: RuleFiles, alert: Alert, *, every: bool) -> None:
    now = SystemClock().now().astimezone(UTC)
    verdict, trace = files.rules.explain(alert, now)
    labels = ", ".join(f'{name}="{value}"' for name, value in sorted(alert.labels.items()))
    console.print(told(f"\n{alert.status.value}  {labels}", style="bold"))
    for word in alert.mended:
        console.print(told(f"  mended: {word}"))
    table = Table(box=None, pad_edge=False, show_edge=False)
    for column in ("", "rule", "because of", "sets"):
        table.add_column(column, overflow="fold")
    shown = [tried for tried in trace if every or tried.matched]
    for tried in shown:
        table.add_row(*_row(tried))
    console.print(table)
    if hidden := len(trace) - len(shown):
        console.print(told(f"  {wording.count(hidden, 'rule')} did not match (--every shows why)", style="dim"))
    for line in _arithmetic(files, verdict):
        console.print(told(f"  {line}"))


def _row(tried: Tried) -> tuple[Text, ...]:
    if tried.matched:
        sets = ", ".join(f"{name}: {value}" for name, value in tried.sets.items())
        return told("✓", style="green"), told(tried.rule), told(tried.because), told(sets)
    saw = f", saw {tried.saw!r}" if tried.failed and tried.saw else ""
    return told("–", style="dim"), told(tried.rule, style="dim"), told(f"{tried.failed}{saw}", style="dim"), told("")


def _arithmetic(files: RuleFiles, verdict: Verdict) -> Iterator[str]:
    if verdict.dropped is not None:
        yield f"dropped: {verdict.dropped}"
        return
    limit = f", at most {verdict.at_most}" if verdict.at_most else ""
    yield f"severity   {verdict.severity}  (impact {verdict.impact} × urgency {verdict.urgency}{limit})"
    yield f"category   {verdict.category}   team {verdict.team}   service {verdict.service or '–'}"
    yield "key        " + ", ".join(f'{name}="{value}"' for name, value in verdict.key.pairs)
    policy = files.policy.severities[verdict.severity]
    targets = ", ".join(f"{objective} {policy.targets[objective].text}" for objective in Objective)
    held = f"; held back for {wording.span(verdict.delay)}" if verdict.delay else ""
    yield f"targets    {targets}{held}"
    for ref in verdict.growing:
        yield f"may grow   {ref}"
