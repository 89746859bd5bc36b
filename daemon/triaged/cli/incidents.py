"""`triaged incidents`: the desk from a terminal, through the daemon's API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import httpx
import typer
from rich.table import Table

from triaged.cli.terminal import screen, told
from triaged.errors import TriagedError

app = typer.Typer(help="List, show and act on incidents.", no_args_is_help=True)

Url = Annotated[str, typer.Option("--url", help="The daemon's address.")]
TokenFile = Annotated[Path | None, typer.Option("--token-file", help="A file with an API token.")]
Name = Annotated[str, typer.Argument(help="INC-n", metavar="INC-n")]
By = Annotated[str | None, typer.Option("--by", help="Who acts, where the daemon has no tokens.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Why.")]

HERE = "http://127.0.0.1:9876"
_STAGES = {"wanted": "to be made", "lifting": "to be removed"}


class NoAnswerError(TriagedError):
    """No daemon answered, so that nobody knows whether it was done."""


@app.command("list")
def list_incidents(  # noqa: PLR0913 - the filters of the API
    state: Annotated[str | None, typer.Option(help="open, acknowledged, verifying, resolved, closed")] = None,
    severity: Annotated[str | None, typer.Option(help="sev1 … sev4")] = None,
    team: Annotated[str | None, typer.Option(help="A team of the catalogue.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Show incidents, newest first."""
    wanted = {"state": state, "severity": severity, "team": team, "limit": limit}
    found = call("GET", url, "/incidents", token_file, params={k: v for k, v in wanted.items() if v is not None})
    table = Table(box=None, pad_edge=False)
    for column in ("incident", "severity", "state", "opened", "firing", "team", "title"):
        table.add_column(column, overflow="fold")
    for row in found["incidents"]:
        opened = datetime.fromisoformat(row["opened_at"]).strftime("%m-%d %H:%M") if row["opened_at"] else ""
        cells = (row["id"], row["severity"], row["state"], opened, str(row["firing"]), row["team"], row["title"])
        table.add_row(*(told(cell) for cell in cells))
    screen().print(table if found["incidents"] else told("no incidents"))


@app.command()
def show(name: Name, url: Url = HERE, token_file: TokenFile = None) -> None:
    """Show one incident with its timeline."""
    print_incident(call("GET", url, f"/incidents/{quote(name, safe='')}", token_file), timeline=True)


@app.command()
def ack(
    name: Name,
    lasting: Annotated[str | None, typer.Option("--for", help="How long, such as 4h.")] = None,
    by: By = None,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Take it."""
    act(name, "ack", {"for": lasting, "by": by}, url, token_file)


@app.command()
def severity(  # noqa: PLR0913 - one option a field
    name: Name,
    chosen: Annotated[str, typer.Argument(help="sev1 … sev4", metavar="SEVERITY")],
    reason: Reason = None,
    by: By = None,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Choose its severity; it stands until a person changes it."""
    act(name, "severity", {"severity": chosen, "reason": reason, "by": by}, url, token_file)


Summary = Annotated[str | None, typer.Option(help="What happened, in a sentence.")]
RootCause = Annotated[str | None, typer.Option("--root-cause", help="Why it happened.")]
Fix = Annotated[str | None, typer.Option(help="What was done.")]
Prevention = Annotated[str | None, typer.Option(help="What keeps it from happening again.")]


@app.command()
def resolve(  # noqa: PLR0913 - one option a field
    name: Name,
    summary: Summary = None,
    root_cause: RootCause = None,
    fix: Fix = None,
    prevention: Prevention = None,
    by: By = None,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Say that the service works again."""
    fields = {"summary": summary, "root_cause": root_cause, "fix": fix, "prevention": prevention, "by": by}
    act(name, "resolve", fields, url, token_file)


@app.command()
def close(  # noqa: PLR0913 - one option a field
    name: Name,
    reason: Annotated[str, typer.Option(help="completed, false_alarm, not_planned or duplicate")] = "completed",
    summary: Summary = None,
    root_cause: RootCause = None,
    fix: Fix = None,
    prevention: Prevention = None,
    by: By = None,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Close it, even while alerts fire."""
    fields = {"summary": summary, "root_cause": root_cause, "fix": fix, "prevention": prevention, "by": by}
    act(name, "close", {"reason": reason, **fields}, url, token_file)


@app.command()
def reopen(name: Name, reason: Reason = None, by: By = None, url: Url = HERE, token_file: TokenFile = None) -> None:
    """Open it again."""
    act(name, "reopen", {"reason": reason, "by": by}, url, token_file)


@app.command()
def merge(  # noqa: PLR0913 - one option a field
    name: Name,
    into: Annotated[str, typer.Argument(help="The incident that tells of it from then on.", metavar="INTO")],
    reason: Reason = None,
    by: By = None,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Fold it into another incident: it is the same problem."""
    act(name, "merge", {"into": into, "reason": reason, "by": by}, url, token_file)


@app.command()
def split(name: Name, reason: Reason = None, by: By = None, url: Url = HERE, token_file: TokenFile = None) -> None:
    """Make a folded incident a problem of its own again."""
    act(name, "split", {"reason": reason, "by": by}, url, token_file)


@app.command()
def silence(  # noqa: PLR0913 - one option a field
    name: Name,
    lasting: Annotated[str | None, typer.Option("--for", help="How long, such as 2h; at most 4h.")] = None,
    reason: Reason = None,
    by: By = None,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Silence its alerts in their Alertmanager."""
    act(name, "silence", {"for": lasting, "reason": reason, "by": by}, url, token_file)


@app.command()
def pause(  # noqa: PLR0913 - one option a field
    name: Name,
    reason: Annotated[str, typer.Option("--reason", help="Whom or what it waits for.")],
    lasting: Annotated[str | None, typer.Option("--for", help="How long, such as 2d; at most 30d.")] = None,
    until: Annotated[str | None, typer.Option(help="Until when, such as 2026-12-24T08:00+01:00; or --for.")] = None,
    by: By = None,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Stop its resolution clock: the work waits for somebody else."""
    act(name, "pause", {"for": lasting, "until": until, "reason": reason, "by": by}, url, token_file)


@app.command()
def resume(name: Name, reason: Reason = None, by: By = None, url: Url = HERE, token_file: TokenFile = None) -> None:
    """End its pause: the resolution clock counts on."""
    act(name, "resume", {"reason": reason, "by": by}, url, token_file)


@app.command()
def escalate(  # noqa: PLR0913 - one option a field
    name: Name,
    to: Annotated[str | None, typer.Option(help="A level's number, a person, a team or a channel.")] = None,
    reason: Reason = None,
    *,
    take_over: Annotated[bool, typer.Option("--take-over", help="They own it from then on.")] = False,
    by: By = None,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Call others in: the next level, or whom --to names."""
    fields = {"to": to, "reason": reason, "take_over": take_over or None, "by": by}
    act(name, "escalate", fields, url, token_file)


def act(name: str, word: str, fields: Mapping[str, str | bool | int | None], url: str, token_file: Path | None) -> None:
    """Do one act of the API with the fields that were given, and show the incident as it is then."""
    body = {field: value for field, value in fields.items() if value is not None}
    found = call("POST", url, f"/incidents/{quote(name, safe='')}/{word}", token_file, json=body)
    print_incident(found, timeline=False)


def call(method: str, url: str, path: str, token_file: Path | None, **more: Any) -> Any:
    """The API's answer to a request. Raises TriagedError with what it refused, or that no daemon answers there."""
    headers = {} if token_file is None else {b"Authorization": b"Bearer " + _token(token_file)}
    try:
        answer = httpx.request(method, f"{url.rstrip('/')}/api/v1{path}", headers=headers, timeout=30, **more)
    except httpx.LocalProtocolError as error:
        # Theirs shows the token.
        raise TriagedError(f"{token_file}: expected a token without spaces and control characters") from error
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise NoAnswerError(f"expected a daemon at {url} (--url): {error}") from error
    try:
        found = answer.json()
    except ValueError:
        found = None
    if answer.is_success and isinstance(found, dict):
        return found
    if not isinstance(found, dict) or "error" not in found:
        raise TriagedError(f"expected a daemon at {url} (--url): got another answer, HTTP {answer.status_code}")
    raise TriagedError(str(found["error"]))


def _token(file: Path) -> bytes:
    """The first token of a file, as the daemon reads it: blank lines and those that begin with # do not count."""
    try:
        lines = [line.strip() for line in file.read_bytes().splitlines()]
    except OSError as error:
        raise TriagedError(f"{file}: cannot be read: {error.strerror}") from error
    token = next((line for line in lines if line and not line.startswith(b"#")), None)
    if token is None:
        raise TriagedError(f"{file}: expected a token on a line, found none")
    return token


def print_incident(incident: dict[str, Any], *, timeline: bool) -> None:
    """Show an incident as the API tells of it."""
    console = screen()
    by = f" by {incident['chosen_by']}, judged {incident['judged']}" if incident.get("chosen_by") else ""
    console.print(told(f"{incident['id']}  {incident['title']}", style="bold"))
    console.print(told(f"  {incident['severity']}{by}, {incident['state']}, {incident['firing']} firing"))
    if silent := incident.get("unheard"):
        console.print(told(f"  not heard of since {silent['since_at'][:16]}"))
    if incident.get("parent"):
        console.print(told(f"  folded into {incident['parent']}: {incident['fold']}"))
    for objective in ("response", "resolution"):
        target = incident[objective]
        outcome = target["outcome"] or ("at risk" if target["at_risk"] else "running")
        console.print(told(f"  {objective:<10} due {target['due_at']}  {outcome}"))
    if paused := incident.get("paused"):
        console.print(told(f"  paused until {paused['until'][:16]}: {paused['reason']}"))
    _print_process(incident)
    _print_verification(incident)
    for one in incident.get("silences", ()):
        failure = f": {one['failure']}" if one["failure"] else ""
        stage = _STAGES.get(one["stage"], one["stage"])
        console.print(told(f"  silence by {one['by']} until {one['ends_at'][:16]}, {stage}{failure}"))
    if incident.get("issue"):
        console.print(told(f"  {incident['issue']['url']}"))
    if timeline:
        for entry in incident["timeline"]:
            console.print(told(f"  {entry['at'][:16]}  {entry['by']:<10}  {entry['text']}"))


def _print_verification(incident: dict[str, Any]) -> None:
    """How long it is watched, what holds that, and what its health queries said last."""
    console, watched = screen(), incident.get("verification") or {}
    if incident["state"] == "verifying" and watched.get("until"):
        console.print(told(f"  watched until {watched['until'][:16]}"))
    if waits := ", ".join(watched.get("waits_for", ())):
        console.print(told(f"  waits for {waits}, which opened since"))
    if watched.get("unasked"):
        console.print(told(f"  health cannot be told: {watched['unasked']}"))
    for said in watched.get("health", ()):
        if said["phase"] == "after":
            holds = {True: "holds", False: "does not hold", None: "no value"}[said["holds"]]
            value = "" if said["value"] is None else f"{said['value']:.4g}, "
            console.print(told(f"  health: {said['query']}: {value}{holds} ({said['at'][:16]})"))


def _print_process(incident: dict[str, Any]) -> None:
    """Who has it, what others may expect, and what is still to be written down."""
    console, process = screen(), incident.get("process", {})
    roles = ", ".join(f"{role} {name}" for role, name in process.get("roles", {}).items())
    lines = [("owner", process.get("owner")), ("bridge", process.get("bridge")), ("roles", roles)]
    lines.append(("workaround", process.get("workaround")))
    lines += [("expected", process.get("eta")), ("next update", process.get("next_update_at"))]
    if update := process.get("update"):
        lines.append(("last update", f"{update['at'][:16]} by {update['by']}: {update['text']}"))
    lines.append(("still to be written down", ", ".join(incident.get("missing", ())).replace("_", " ")))
    if review := incident.get("review"):
        due = f" by {review['by']}" if review["by"] else f", due {review['due_at'][:16]}"
        lines.append(("review", f"{review['id']} {review['outcome']}{due}"))
    for item in incident.get("actions", ()):
        stands = f"done by {item['done_by']}" if item["done_at"] else f"due {(item['due_at'] or 'some time')[:16]}"
        whose = f" of {item['owner']}" if item["owner"] else ""
        lines.append((f"action item {item['id']} ({item['kind']}){whose}, {stands}", item["text"]))
    for name, value in lines:
        if value:
            console.print(told(f"  {name}: {value}"))
