"""Amazon SNS over HTTPS: the envelope around a message, and the handshake that begins a subscription.

Formats: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
Signatures are not checked: they need a certificate to be fetched while the sender waits, and cryptography that nothing
else here needs. The sender proves itself by the user and password of the subscription's URL.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from triaged.sources.mending import text_of

SUBSCRIBE: Final = "SubscriptionConfirmation"
UNSUBSCRIBED: Final = "UnsubscribeConfirmation"
_HOST: Final = re.compile(r"sns\.[a-z0-9-]{1,40}\.amazonaws\.com(\.cn)?", re.ASCII)
_LONGEST: Final = 4_000


class Handshake(Struct, frozen=True, kw_only=True):
    """SNS asks whether messages of `topic` are wanted: a GET of `url` says yes. With `ended`, no more will come."""

    source: str
    topic: str
    url: str
    ended: bool = False

    def refusal(self, topics: frozenset[str]) -> str:
        """Why the daemon does not say yes by itself; "" where it does."""
        if not _genuine(self.url):
            return "expected a SubscribeURL at https://sns.REGION.amazonaws.com"
        if self.topic not in topics:
            return f"expected a topic of the mapping's `topics`, got {self.topic[:200]}"
        return ""


def handshake(source: str, document: object) -> Handshake | None:
    """The handshake that a body is; None for everything else."""
    if not isinstance(document, dict) or document.get("Type") not in (SUBSCRIBE, UNSUBSCRIBED):
        return None
    return Handshake(
        source=source,
        topic=text_of(document.get("TopicArn")),
        url=text_of(document.get("SubscribeURL"))[:_LONGEST],
        ended=document["Type"] == UNSUBSCRIBED,
    )


def notification(document: object) -> object:
    """The envelope, its `Message` as JSON where it is some. A raw delivery, which comes without, gets one."""
    if not isinstance(document, dict) or "Type" not in document:
        return {"Type": "Notification", "Message": document}
    found: dict[str, Any] = dict(document)
    message = found.get("Message")
    if isinstance(message, str):
        try:
            found["Message"] = json.loads(message)
        except (ValueError, RecursionError):
            """A plain text: it stays one."""
    return found


def _genuine(url: str) -> bool:
    """Whether the URL is one of SNS: https, its host, no other port, no user."""
    try:
        found = urlsplit(url)
        return found.scheme == "https" and bool(_HOST.fullmatch(found.netloc))
    except ValueError:
        return False
