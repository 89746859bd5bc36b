"""`triaged backtest`: what another rule set would have made different in the recorded history."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum, unique
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from triaged import config, logs, rulefiles
from triaged.cli import backtest_report as report
from triaged.cli.terminal import screen
from triaged.clock import SystemClock
from triaged.configured import default_config, open_store
from triaged.errors import ConfigError
from triaged.replay.backtest import backtest, extent
from triaged.rulefiles.words import some_span


@unique
class Format(StrEnum):
    """How the differences are told."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


def run(  # noqa: PLR0913 - one option a question
    rules: Annotated[Path, typer.Option("--rules", help="The other rules.")],
    config_file: Annotated[
        Path | None, typer.Option("--config", help="Configuration; ./config.yaml where there is one.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="From then on: 7d, 2026-11-01 or 2026-11-01T08:00:00Z; else all that is recorded."),
    ] = None,
    until: Annotated[str | None, typer.Option(help="Up to then, in the same forms; else now.")] = None,
    output: Annotated[Format, typer.Option("--format", help="Markdown is for a pull request.")] = Format.TABLE,
    limit: Annotated[int, typer.Option(min=0, max=10_000, help="List at most so many differences.")] = 50,
    fail_on_change: Annotated[
        bool, typer.Option("--fail-on-change", help="End with status 1 where there is a difference.")
    ] = False,
) -> None:
    """Replay the recorded alerts under the rules in force and under others, and show how the incidents would differ.

    The store is only read; a daemon may run on it.
    """
    logs.set_up(level="error")
    settings = config.load(config_file or default_config())
    files = rulefiles.load(rules).files
    now = SystemClock().now()
    # Opened once here: it tells in words where there is no store.
    open_store(settings, new=False).close()
    end = now if until is None else _instant(until, now, "--until")
    span, found = extent(settings.store, None if since is None else _instant(since, now, "--since"), end)
    with _bar(found.records) as progress:
        result = backtest(settings.store, files, span, most=max(limit, 1), progress=progress)
    match output:
        case Format.TABLE:
            report.table(screen(), result, limit)
        case Format.JSON:
            typer.echo(report.as_json(result, limit))
        case Format.MARKDOWN:
            typer.echo(report.markdown(result, limit))
    if fail_on_change and result.compared.number:
        raise typer.Exit(1)


@contextmanager
def _bar(records: int) -> Iterator[Callable[[int, int], None]]:
    """How far it is, on standard error, where that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Replaying alerts, twice", total=2 * records)
        yield lambda done, every: bar.update(task, completed=done, total=every)


def _instant(text: str, now: datetime, option: str) -> datetime:
    """An instant, a day (its beginning in UTC), or a span before now."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        try:
            return now - some_span(text)
        except (ValueError, OverflowError):
            expected = "expected a span like 7d, a day like 2026-11-01, or an instant like 2026-11-01T08:00:00Z"
            raise ConfigError(f"{option}: {expected}, got {text[:40]!r}") from None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
