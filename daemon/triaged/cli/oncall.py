"""`triaged on-call`: who has it, and when it is handed over, from the daemon."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer
from rich.table import Table

from triaged.cli.incidents import HERE, TokenFile, Url, call
from triaged.cli.terminal import screen, told


def on_call(
    team: Annotated[str | None, typer.Option("--team", help="One team only.")] = None,
    at: Annotated[str | None, typer.Option("--at", help="Another instant, such as 2026-12-24T09:00+01:00.")] = None,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Show who is on call for each team, and the next two handovers; instants are UTC."""
    wanted = {name: value for name, value in (("team", team), ("at", at)) if value is not None}
    found = call("GET", url, "/on-call", token_file, params=wanted)
    table = Table(box=None, pad_edge=False)
    for column in ("team", "on call", "until", "next", "then"):
        table.add_column(column, overflow="fold")
    for one in found["teams"]:
        table.add_row(*(told(cell) for cell in _cells(one)))
    console = screen()
    console.print(table if found["teams"] else told("no teams"))
    for one in found["teams"]:
        if problem := _problem(one["calendar"]):
            console.print(told(f"{one['team']}: {problem}", style="yellow"), soft_wrap=True)


def _cells(one: dict[str, Any]) -> tuple[str, ...]:
    running, coming = one["now"], one["next"]
    nobody = "–" if one["origin"] == "none" else "nobody"
    until = min((turn["to"] for turn in running), default="")
    turns = [f"{_called(turn)} {_short(turn['from'])}" for turn in coming]
    return (one["team"], ", ".join(map(_called, running)) or nobody, _short(until), *(*turns, "", "")[:2])


def _problem(calendar: dict[str, Any] | None) -> str:
    if calendar is None:
        return ""
    words = []
    if calendar["stale"]:
        read_at = f"last read at {_short(calendar['read_at'])}" if calendar["read_at"] else "never read"
        words.append(f"calendar {read_at}")
    if calendar["failure"]:
        words.append(calendar["failure"])
    if calendar["strangers"]:
        words.append(f"unknown in services.yaml: {', '.join(calendar['strangers'])}")
    return "; ".join(words)


def _called(turn: dict[str, Any]) -> str:
    return turn["person"] or f"{turn['said']} (unknown)"


def _short(at: str) -> str:
    return datetime.fromisoformat(at).strftime("%m-%d %H:%M") if at else ""
