"""`triaged db`: the store's own verbs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triaged import config
from triaged.app import App
from triaged.configured import default_config, open_store

app = typer.Typer(help="The store: migrate, back up, take in again what had failed.", no_args_is_help=True)
ConfigFile = Annotated[Path | None, typer.Option("--config", help="Configuration; ./config.yaml where there is one.")]


@app.command()
def migrate(config_file: ConfigFile = None) -> None:
    """Bring the store to this release's schema; the daemon does it at its start, too."""
    store = open_store(config.load(config_file or default_config()))
    try:
        store.own()
        typer.echo("migrated" if store.migrate() else "nothing to do")
    finally:
        store.close()


@app.command()
def backup(target: Annotated[Path, typer.Argument(help="A new file.")], config_file: ConfigFile = None) -> None:
    """Copy a SQLite store while the daemon runs, and prove the copy whole."""
    store = open_store(config.load(config_file or default_config()), new=False)
    try:
        store.backup(target)
    finally:
        store.close()
    typer.echo(f"{target}: {target.stat().st_size:,} bytes, whole")


@app.command()
def retry(config_file: ConfigFile = None) -> None:
    """Take in again the alerts that a bug had made fail; the daemon must be stopped."""
    taken, left = App(config.load(config_file or default_config())).retry()
    typer.echo(f"{taken} taken in, {left} failed again")
    if left:
        raise typer.Exit(1)
