"""Reviews and action items, from a terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from triaged.cli import working
from triaged.cli.incidents import HERE, By, Name, Reason, TokenFile, Url, act

app = working.app
"""`triaged incidents` with every act: these stand beside the others."""


@app.command()
def review(  # noqa: PLR0913 - one option a field
    name: Name,
    outcome: Annotated[str, typer.Argument(help="held, waived (with --reason) or open", metavar="OUTCOME")] = "held",
    reason: Reason = None,
    by: By = None,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Say that its review was held, or is waived; or ask for one."""
    act(name, "review", {"outcome": outcome, "reason": reason, "by": by}, url, token_file)


@app.command()
def action(  # noqa: PLR0913 - one option a field
    name: Name,
    text: Annotated[str | None, typer.Argument(help="What is to be done.", metavar="TEXT")] = None,
    kind: Annotated[str | None, typer.Option(help="preventive, process, tool or training")] = None,
    owner: Annotated[str | None, typer.Option(help="A person or a team, who is reminded of it.")] = None,
    due: Annotated[str | None, typer.Option(help="When: 14d, or 2026-12-24T08:00+01:00.")] = None,
    done: Annotated[int | None, typer.Option(help="Instead: the number of one that is done.")] = None,
    by: By = None,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Add an action item, or say that one is done."""
    fields = {"text": text, "kind": kind, "owner": owner, "due": due, "done": done, "by": by}
    act(name, "action", fields, url, token_file)
