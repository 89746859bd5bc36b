"""A service of the operator's that makes bridges: asked with what the incident is, it answers where people meet.

`POST` of JSON with `incident`, `title`, `severity`, `service`, `team`, `url`; the answer is JSON with a `url`. Each
question about one incident has the same `Idempotency-Key`, so that a lost answer makes no second bridge
(https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from triaged.errors import DeliveryError
from triaged.outbound import within

MOST_SECONDS: Final = 10.0
MOST_BYTES: Final = 64 * 1024
_LONGEST_URL: Final = 500
# As it stands in Markdown, mails and chats: nothing in it may end a link, or be seen as something else.
_LINK: Final = re.compile(r"https?://[A-Za-z0-9._~:/?#!$&*+,;=%-]+")


class _Made(Struct, frozen=True):
    url: str


def ask(url: str, facts: Mapping[str, str], key: str, *, seconds: float = MOST_SECONDS) -> str:
    """Where people meet. Raises DeliveryError, whose words hold nothing of the hook's URL."""
    import httpx  # noqa: PLC0415 - costs memory, and most daemons ask nobody for a bridge

    try:
        status, body = within(seconds, _post(url, facts, key))
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        why = f"expected an answer of the bridge's hook, got none: {type(error).__name__}"
        raise DeliveryError(why, reason="unreachable", ambiguous=True) from None
    if not 200 <= status < 300:
        why = f"expected 200 of the bridge's hook, got {status}"
        raise DeliveryError(why, reason="status", ambiguous=status >= 500)
    try:
        made = msgspec.json.decode(body, type=_Made).url
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise DeliveryError('expected JSON with a "url" of the bridge\'s hook', reason="answer") from None
    if len(made) > _LONGEST_URL or not _LINK.fullmatch(made):
        why = f"expected a URL of at most {_LONGEST_URL} plain characters of the bridge's hook, got another text"
        raise DeliveryError(why, reason="answer")
    return made


async def _post(url: str, facts: Mapping[str, str], key: str) -> tuple[int, bytes]:
    import httpx  # noqa: PLC0415 - as above

    headers = {"content-type": "application/json", "accept": "application/json", "idempotency-key": key}
    body = bytearray()
    async with (
        httpx.AsyncClient(timeout=MOST_SECONDS, follow_redirects=False) as client,
        client.stream("POST", url, content=msgspec.json.encode(facts), headers=headers) as answer,
    ):
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > MOST_BYTES:
                break
        return answer.status_code, bytes(body)
