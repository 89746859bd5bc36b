"""The command line: one module per group of verbs."""

from __future__ import annotations

import sys

import typer

from triaged import __version__
from triaged.cli import backtest, check, db, demo, explain, github, knowing, oncall, problems, schema, serve, test
from triaged.cli.terminal import plain_lines
from triaged.errors import TriagedError

app = typer.Typer(
    name="triaged",
    help="Turns alerts into one triaged incident and one true issue each.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"triaged {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the release."),
) -> None:
    del version


app.command("serve")(serve.serve)
app.command("demo")(demo.demo)
app.command("check")(check.check)
app.command("schema")(schema.schema)
app.command("test")(test.run)
app.command("explain")(explain.explain)
app.command("backtest")(backtest.run)
app.command("on-call")(oncall.on_call)
app.add_typer(knowing.app, name="incidents")
app.add_typer(problems.app, name="problems")
app.add_typer(github.app, name="github")
app.add_typer(db.app, name="db")


def main() -> None:
    """Run the command line; a deliberate error is one plain text on standard error and exit status 2."""
    try:
        app()
    except TriagedError as error:
        sys.stderr.write(f"{plain_lines(str(error))}\n")
        raise SystemExit(2) from error
