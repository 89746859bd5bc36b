"""`triaged serve`: the daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triaged import config, logs
from triaged.app import App
from triaged.configured import default_config

ConfigFile = Annotated[Path | None, typer.Option("--config", help="Configuration; ./config.yaml where there is one.")]


def serve(
    config_file: ConfigFile = None, log_level: Annotated[str, typer.Option(help="debug … error")] = "info"
) -> None:
    """Run the daemon until it is told to stop."""
    logs.set_up(level=log_level)
    settings = config.load(config_file or default_config())
    raise typer.Exit(App(settings).serve(log_level))
