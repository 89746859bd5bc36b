"""PagerDuty's Events API v2, seen from its other end, so that whatever can page PagerDuty can send here.

Requests and answers: https://developer.pagerduty.com/docs/events-api-v2/trigger-events/ and …/overview/
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any, Final

import msgspec

from triaged.errors import PayloadError
from triaged.sources.mending import kind_of, text_of

PATH: Final = "v2/enqueue"
MOST_BYTES: Final = 512 * 1024
"""PagerDuty's own limit of a body."""
_SAME: Final = ("source", "component", "group", "class", "summary")


def routing_key(document: object) -> str | None:
    """The sender's integration key: it stands in the body, for clients of this API can set no header."""
    found = document.get("routing_key") if isinstance(document, dict) else None
    return found if isinstance(found, str) and found else None


def event(document: object) -> dict[str, Any]:
    """The event without its routing key, which is a secret, and with a `dedup_key`.

    PagerDuty makes up a key at random for a trigger without one. Here it follows from what the event is about, so that
    a repeat, and a retry after a lost answer, is the same alert. Raises PayloadError (400) for anything but an object.
    """
    if not isinstance(document, dict):
        raise PayloadError(f"expected an event as a JSON object, got {kind_of(document)}")
    found = {name: value for name, value in document.items() if name != "routing_key"}
    payload = found.get("payload")
    if not found.get("dedup_key") and isinstance(payload, dict):
        about = json.dumps([text_of(payload.get(name)) for name in _SAME])
        found["dedup_key"] = blake2b(about.encode(), digest_size=16).hexdigest()
    return found


def accepted(document: dict[str, Any]) -> bytes:
    """The body of a 202: the event is stored."""
    key = text_of(document.get("dedup_key"))
    return msgspec.json.encode({"status": "success", "message": "Event processed", "dedup_key": key})


def invalid(problems: list[str]) -> bytes:
    """The body of a 400."""
    return msgspec.json.encode({"status": "invalid event", "message": "Event object is invalid", "errors": problems})
