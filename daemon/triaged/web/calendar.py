"""`/calendar.ics`: reviews and dated action items as an iCalendar that anybody can subscribe to.

RFC 5545: an event keeps its UID, and its SEQUENCE rises whenever it changes; what is called off is CANCELLED, so that
subscribers lose it too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Header
from fastapi.responses import Response

from triaged.core.model import ActionKind, ReviewOutcome
from triaged.ports.reviews import ActionRow, Dated, ReviewRow
from triaged.store import reviews
from triaged.store.codec import to_json
from triaged.web.desk import TheDesk

router: Final = APIRouter(include_in_schema=False)

MOST: Final = 500
"""Of reviews and of action items each; those that are due last."""
_LONGEST: Final = 300
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")
_AGENDA: Final = "Agenda: timeline of events, what went well, what could be improved, action items."
_OVER: Final = (ReviewOutcome.WAIVED, ReviewOutcome.WITHDRAWN)


@router.get("/calendar.ics")
def show_calendar(desk: TheDesk, if_none_match: Annotated[str, Header()] = "") -> Response:
    """The feed; one that the client has already is not sent again. Restricted incidents are not in it."""
    with desk.store.read() as reader:
        dated = (*reviews.dated_reviews(reader.connection, MOST), *reviews.dated_actions(reader.connection, MOST))
    known_as = blake2b(to_json([desk.public_url, *map(to_json, dated)]).encode(), digest_size=12).hexdigest()
    headers = {"etag": f'"{known_as}"', "cache-control": "private, max-age=300"}
    asked = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    if headers["etag"] in asked or "*" in asked:
        return Response(status_code=304, headers=headers)
    return Response(feed(dated, desk.public_url), media_type="text/calendar; charset=utf-8", headers=headers)


@lru_cache(maxsize=2)
def feed(dated: tuple[Dated, ...], public_url: str) -> bytes:
    """The calendar of these; the same for the same."""
    from icalendar import Calendar  # noqa: PLC0415 - takes 5 MB of memory, and most daemons have no subscriber

    calendar = Calendar()
    calendar.add("prodid", "-//triaged//reviews//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("x-wr-calname", "Incident reviews")
    for one in dated:
        calendar.add_component(_event(one, public_url))
    found: bytes = calendar.to_ical()
    return found


def _event(dated: Dated, public_url: str) -> Any:
    """It spans when it may be held, and makes nobody look busy."""
    from icalendar import Event  # noqa: PLC0415 - as above

    event, row = Event(), dated.row
    for name, value in _fields(dated, public_url):
        event.add(name, value)
    event.add("dtstamp", row.changed_at)
    event.add("last-modified", row.changed_at)
    event.add("sequence", row.changes)
    event.add("transp", "TRANSPARENT")
    event.add("url", f"{public_url}/incidents/INC-{row.incident_id}")
    return event


def _fields(dated: Dated, public_url: str) -> Iterator[tuple[str, object]]:
    host = urlsplit(public_url).netloc or "localhost"
    match dated.row:
        case ReviewRow() as review:
            yield "uid", f"REV-{review.number}@{host}"
            yield "dtstart", review.opens_at
            yield "dtend", review.due_at
            held = "Held: " if review.state is ReviewOutcome.HELD else ""
            yield "summary", _line(f"{held}Review of INC-{review.incident_id} {dated.title}")
            yield "description", f"Team: {_line(review.team)}. {_AGENDA}"
            yield "status", "CANCELLED" if review.state in _OVER else "CONFIRMED"
        case ActionRow() as action:
            yield "uid", f"INC-{action.incident_id}-action-{action.id}@{host}"
            yield "dtstart", action.due_at
            done = "Done: " if action.done_at else "Due: "
            yield "summary", _line(f"{done}{action.text} (INC-{action.incident_id})")
            whose = f"Owner: {_line(action.owner)}. " if action.owner else ""
            yield "description", f"{whose}{_KINDS[action.kind]} of INC-{action.incident_id} {_line(dated.title)}"
            yield "status", "CONFIRMED"


_KINDS: Final = {
    ActionKind.PREVENTIVE: "Preventive measure",
    ActionKind.PROCESS: "Process improvement",
    ActionKind.TOOL: "Tool enhancement",
    ActionKind.TRAINING: "Training need",
}


def _line(text: str) -> str:
    """Text of others on one line."""
    shown = " ".join(_CONTROL.sub(" ", text).split())
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
