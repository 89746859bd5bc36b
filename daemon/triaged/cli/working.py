"""The acts of people at work on an incident, from a terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from triaged.cli import incidents
from triaged.cli.incidents import HERE, By, Name, Reason, TokenFile, Url, act

app = incidents.app
"""`triaged incidents` with every act: these stand beside the others."""


@app.command()
def unack(name: Name, reason: Reason = None, by: By = None, url: Url = HERE, token_file: TokenFile = None) -> None:
    """Give it back: nobody has it any more."""
    act(name, "unack", {"reason": reason, "by": by}, url, token_file)


@app.command()
def assign(  # noqa: PLR0913 - one option a field
    name: Name,
    to: Annotated[str, typer.Argument(help="A person or a team; '' is nobody.", metavar="WHOM")],
    reason: Reason = None,
    by: By = None,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Say who works on it."""
    act(name, "assign", {"to": to, "reason": reason, "by": by}, url, token_file)


@app.command()
def role(  # noqa: PLR0913 - one option a field
    name: Name,
    held: Annotated[str, typer.Argument(help="commander, technical, communications, scribe", metavar="ROLE")],
    person: Annotated[str, typer.Argument(help="Who; '' is nobody.", metavar="PERSON")],
    by: By = None,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Say who holds a role."""
    act(name, "role", {"role": held, "person": person, "by": by}, url, token_file)


@app.command()
def note(
    name: Name,
    text: Annotated[str, typer.Argument(help="May begin with 'decision:' or 'hypothesis:'.", metavar="TEXT")],
    by: By = None,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Write something down in its timeline."""
    act(name, "note", {"text": text, "by": by}, url, token_file)


@app.command()
def update(  # noqa: PLR0913 - one option a field
    name: Name,
    text: Annotated[str, typer.Argument(help="What was learnt or done.", metavar="TEXT")],
    eta: Annotated[str | None, typer.Option(help="When it works again: 2h, or 2026-12-24T08:00+01:00.")] = None,
    status: Annotated[str | None, typer.Option(help="Where it stands, such as Identified.")] = None,
    impact: Annotated[str | None, typer.Option(help="What people notice of it.")] = None,
    next_steps: Annotated[str | None, typer.Option("--next-steps", help="What is done next.")] = None,
    by: By = None,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Tell stakeholders."""
    said = {"text": text, "eta": eta, "status": status, "impact": impact, "next_steps": next_steps}
    act(name, "update", {**said, "by": by}, url, token_file)


@app.command()
def eta(  # noqa: PLR0913 - one option a field
    name: Name,
    at: Annotated[str | None, typer.Option("--at", help="An instant, such as 2026-12-24T08:00+01:00.")] = None,
    lasting: Annotated[str | None, typer.Option("--in", help="A time from now, such as 2h.")] = None,
    *,
    none: Annotated[bool, typer.Option("--none", help="Nobody knows any more.")] = False,
    by: By = None,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Say when it is expected to work again."""
    act(name, "eta", {"at": at, "in": lasting, "none": none or None, "by": by}, url, token_file)


@app.command()
def workaround(
    name: Name,
    text: Annotated[str, typer.Argument(help="What helps until it is fixed; '' is nothing any more.", metavar="TEXT")],
    by: By = None,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Say what helps until it is fixed."""
    act(name, "workaround", {"text": text, "by": by}, url, token_file)
