"""`triaged problems`: what recurs, from a terminal, through the daemon's API."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.table import Table

from triaged.cli.incidents import HERE, By, Reason, TokenFile, Url, call
from triaged.cli.terminal import screen, told

app = typer.Typer(help="List, show and act on problems: incidents that recur.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="PRB-n", metavar="PRB-n")]
RootCause = Annotated[str | None, typer.Option("--root-cause", help="Why it happens.")]


@app.command("list")
def list_problems(
    state: Annotated[str | None, typer.Option(help="open or closed")] = None,
    team: Annotated[str | None, typer.Option(help="A team of the catalogue.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Show problems, newest first."""
    wanted = {"state": state, "team": team, "limit": limit}
    found = call("GET", url, "/problems", token_file, params={k: v for k, v in wanted.items() if v is not None})
    table = Table(box=None, pad_edge=False)
    for column in ("problem", "kind", "state", "incidents", "last", "team", "title"):
        table.add_column(column, overflow="fold")
    for row in found["problems"]:
        last = (row["last_at"] or "")[:16].replace("T", " ")
        cells = (row["id"], row["kind"], row["state"], str(row["incidents"]), last, row["team"], row["title"])
        table.add_row(*(told(cell) for cell in cells))
    screen().print(table if found["problems"] else told("no problems"))


@app.command()
def show(name: Name, url: Url = HERE, token_file: TokenFile = None) -> None:
    """Show one problem with its incidents and its timeline."""
    _print(call("GET", url, f"/problems/{quote(name, safe='')}", token_file), whole=True)


@app.command()
def close(  # noqa: PLR0913 - one option a field
    name: Name,
    reason: Annotated[str, typer.Option(help="completed or not_planned")] = "completed",
    root_cause: RootCause = None,
    workaround: Annotated[str | None, typer.Option(help="What helps where it comes again.")] = None,
    fix: Annotated[str | None, typer.Option(help="What was done for good.")] = None,
    by: By = None,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Close it: its incidents are counted anew."""
    fields = {"reason": reason, "root_cause": root_cause, "workaround": workaround, "fix": fix, "by": by}
    _act(name, "close", fields, url=url, token_file=token_file)


@app.command()
def reopen(name: Name, reason: Reason = None, by: By = None, url: Url = HERE, token_file: TokenFile = None) -> None:
    """Open it again."""
    _act(name, "reopen", {"reason": reason, "by": by}, url=url, token_file=token_file)


@app.command()
def note(
    name: Name,
    text: Annotated[str, typer.Argument(help="What was found.", metavar="TEXT")],
    by: By = None,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Write something down in its timeline."""
    _act(name, "note", {"text": text, "by": by}, url=url, token_file=token_file)


@app.command()
def workaround(  # noqa: PLR0913 - one option a field
    name: Name,
    text: Annotated[str, typer.Argument(help="What helps; '' is nothing any more.", metavar="TEXT")],
    root_cause: RootCause = None,
    by: By = None,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Say what helps until it is mended; its incidents show it."""
    _act(name, "workaround", {"text": text, "root_cause": root_cause, "by": by}, url=url, token_file=token_file)


@app.command()
def knowledge(  # noqa: PLR0913 - one option a field
    name: Name,
    link: Annotated[str, typer.Argument(help="Of a page, such as https://wiki.example.com/page.", metavar="LINK")],
    title: Annotated[str, typer.Argument(help="What it leads to.", metavar="TITLE")],
    by: By = None,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Keep a link to what is known of it."""
    _act(name, "knowledge", {"url": link, "title": title, "by": by}, url=url, token_file=token_file)


def _act(name: str, word: str, fields: Mapping[str, str | None], *, url: str, token_file: Path | None) -> None:
    body = {field: value for field, value in fields.items() if value is not None}
    _print(call("POST", url, f"/problems/{quote(name, safe='')}/{word}", token_file, json=body), whole=False)


def _print(problem: dict[str, Any], *, whole: bool) -> None:
    console = screen()
    console.print(told(f"{problem['id']}  {problem['title']}", style="bold"))
    console.print(
        told(f"  {problem['kind']}, {problem['state']}, {problem['incidents']} incidents: {problem['because']}")
    )
    for field in ("root_cause", "workaround", "fix"):
        if problem[field]:
            console.print(told(f"  {field.replace('_', ' ')}: {problem[field]}"))
    for one in problem["knowledge"]:
        console.print(told(f"  known: {one['title']}: {one['url']}"))
    if problem["issue"]:
        console.print(told(f"  {problem['issue']['url']}"))
    if not whole:
        return
    for one in problem["followed"]:
        opened = (one["opened_at"] or "")[:16]
        console.print(told(f"  {one['id']}  {one['severity']}  {one['state']}  {opened}  {one['title']}"))
    for entry in problem["timeline"]:
        console.print(told(f"  {entry['at'][:16]}  {entry['by']:<10}  {entry['text']}"))
