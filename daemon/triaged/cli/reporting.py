"""`triaged incidents open`: report a problem from a terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from triaged.cli import reviews
from triaged.cli.incidents import HERE, By, NoAnswerError, TokenFile, Url, call, print_incident
from triaged.cli.terminal import screen, told
from triaged.ids import operation_id

app = reviews.app
"""`triaged incidents` with this command beside the others."""
_BECAME = {
    "opened": "opened by your report",
    "joined": "open already: your report joined it",
    "recorded": "closed by a person: your report is recorded there; reopen it where it is none of that",
    "known": "your report was taken in before",
}


@app.command("open")
def open_incident(  # noqa: PLR0913 - one option a field
    summary: Annotated[str, typer.Argument(help="What is wrong, in a sentence.", metavar="SUMMARY")],
    service: Annotated[str | None, typer.Option(help="A service of the catalogue.")] = None,
    category: Annotated[
        str | None, typer.Option(help="outage, degradation, security, data_loss, error, critical_function")
    ] = None,
    impact: Annotated[str | None, typer.Option(help="extensive, significant, moderate, minor")] = None,
    urgency: Annotated[str | None, typer.Option(help="critical, high, medium, low")] = None,
    users: Annotated[str | None, typer.Option(help="How many notice it: most, many, some, few.")] = None,
    function: Annotated[
        list[str] | None, typer.Option(help="A business function that is disrupted; repeatable.")
    ] = None,
    symptoms: Annotated[str | None, typer.Option(help="What you see.")] = None,
    started: Annotated[str | None, typer.Option(help="How long ago, such as 20m, or an instant; else now.")] = None,
    link: Annotated[list[str] | None, typer.Option(help="Where more is to be seen; repeatable.")] = None,
    request_id: Annotated[
        str | None, typer.Option("--request-id", help="Of a report whose answer was lost: it opens nothing more.")
    ] = None,
    by: By = None,
    url: Url = HERE,
    token_file: TokenFile = None,
) -> None:
    """Report a problem: it opens an incident, or joins one that is open."""
    own = request_id or operation_id()
    said = {
        "summary": summary,
        "service": service,
        "category": category,
        "impact": impact,
        "urgency": urgency,
        "users": users,
        "functions": function,
        "symptoms": symptoms,
        "started": started,
        "links": link,
        "request_id": own,
        "by": by,
    }
    body = {name: value for name, value in said.items() if value is not None}
    try:
        found = call("POST", url, "/incidents", token_file, json=body)
    except NoAnswerError as error:
        # It may have come in: nobody shall have to choose between no incident and two.
        raise NoAnswerError(
            f"{error}\nask again with --request-id {own}: where it came in, nothing more opens"
        ) from error
    console = screen()
    if "held" in found:
        console.print(told(f"no incident yet: {found['held']}"))
        return
    console.print(told(_BECAME.get(found["became"], found["became"])))
    print_incident(found, timeline=False)
    place = found["published_in"]
    if not found.get("issue"):
        console.print(told(f"  its issue will be in {place['repository'] or place['backend']}"))
