"""The act that keeps a link to what is known of an incident, from a terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from triaged.cli import reporting
from triaged.cli.incidents import HERE, By, Name, TokenFile, Url, act

app = reporting.app
"""`triaged incidents` with every act: this one stands beside the others."""


@app.command()
def knowledge(  # noqa: PLR0913 - one option a field
    name: Name,
    link: Annotated[str, typer.Argument(help="Of a page, such as https://wiki.example.com/page.", metavar="LINK")],
    title: Annotated[str, typer.Argument(help="What it leads to.", metavar="TITLE")],
    by: By = None,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Keep a link to what is known; the next incident like it offers it."""
    act(name, "knowledge", {"url": link, "title": title, "by": by}, url, token_file)
