"""`triaged demo`: the daemon on embedded defaults, and a day of alerts that catches up with now."""

from __future__ import annotations

import shutil
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.markup import escape

from triaged import config, defaults, logs
from triaged.app import App
from triaged.clock import CatchingUpClock
from triaged.errors import ConfigError
from triaged.replay.day import Day
from triaged.replay.demo import Player

_DAY = timedelta(hours=24)
_PATIENCE = timedelta(seconds=30)
_MARK = "made-by-triaged-demo"


def demo(
    listen: Annotated[str, typer.Option(help="Where the demo listens.")] = "127.0.0.1:9876",
    directory: Annotated[Path, typer.Option(help="Where it keeps its store and issues; made anew.")] = Path("var/demo"),
    seconds: Annotated[int, typer.Option(min=10, max=3600, help="How long the day takes.")] = 60,
    leave: Annotated[bool, typer.Option("--leave", help="Stop when the day is over.")] = False,
) -> None:
    """Play a realistic day of alerts to a real daemon, then go on serving until Ctrl-C."""
    logs.set_up(level="warning")
    console = Console(highlight=False, soft_wrap=True)
    settings = config.embedded(
        listen=listen,
        public_url=f"http://{listen}",
        store=f"sqlite:///{directory.resolve()}/triaged.db",
        backend=config.BackendSettings(local=config.LocalSettings(directory=(directory / "incidents").resolve())),
    )
    if not settings.loopback:
        raise ConfigError(
            f"listen: expected a loopback address such as 127.0.0.1:9876, got {listen}: the demo has no tokens"
        )
    _fresh(directory)
    clock = CatchingUpClock(_DAY, speed=_DAY.total_seconds() / seconds + 1)
    start = clock.now()
    app = App(settings, clock)

    def say(at: datetime, who: str, text: str) -> None:
        when = at.strftime("%a %H:%M")
        if who == "story":
            console.print(f"\n[bold]{when}  {escape(text)}[/bold]")
        else:
            console.print(f"  [dim]{when}[/dim]  [cyan]{who:>7}[/cyan]  {escape(text)}")

    player = Player(Day(defaults.DEMO_DAY, start), url=f"http://{listen}", clock=clock, read=app.store.read, say=say)

    failed: list[str] = []

    def play() -> None:
        while not app.ready:
            clock.wait(player.stopped, timedelta(minutes=1))
        try:
            player.play(start, _DAY)
        except httpx.HTTPError as error:
            failed.append(f"The day cannot go on: {error}")
            app.shut_down()
            return
        _await_issues(app, player.stopped)
        if player.stopped.is_set():
            return
        console.print(
            "\n[bold]The day is over, the clock is right.[/bold] "
            f"Incidents are on [underline]http://{listen}[/underline], metrics at http://{listen}/metrics,\n"
            f"their issues as Markdown in {settings.backend.local.directory}."
        )
        if leave:
            app.shut_down()
        else:
            console.print("It goes on serving until Ctrl-C.")

    console.print(
        f"[bold]triaged demo[/bold]: a day of a small shop's alerts in about {seconds} seconds, on a clock that starts "
        f"a day ago.\nWatch it on [underline]http://{listen}[/underline]"
    )
    thread = threading.Thread(target=play, name="player", daemon=True)
    thread.start()
    try:
        status = app.serve("warning")
    finally:
        player.stopped.set()
    for sentence in failed:
        typer.echo(sentence, err=True)
    raise typer.Exit(1 if failed else status)


def _await_issues(app: App, stopped: threading.Event) -> None:
    """Until every issue is written: on a small machine they come later than the day."""
    until = app.clock.now() + _PATIENCE
    while app.clock.now() < until and not stopped.is_set():
        with app.store.read() as reader:
            if reader.gauges(app.clock.now()).pending == 0:
                return
        app.clock.wait(stopped, timedelta(seconds=0.1))


def _fresh(directory: Path) -> None:
    """An empty folder for the demo; never somebody else's."""
    mark = directory / _MARK
    if directory.exists() and any(directory.iterdir()) and not mark.exists():
        raise ConfigError(f"{directory}: expected an empty folder, or one that an earlier demo made")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    mark.write_text("A later demo may delete this folder.\n", encoding="utf-8")
