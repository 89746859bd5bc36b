"""Paging services that keep an incident of their own: PagerDuty and Opsgenie, told of beginning and end by one key.

Apprise has both, but never ends what it began, and gives each message a key of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

import httpx

from triaged.channels.writing import Format, subject, write
from triaged.core.model import Severity
from triaged.errors import ConfigError, DeliveryError
from triaged.outbound import within
from triaged.ports.channel import Letter, PageState

PAGING: Final = frozenset({"pagerduty", "opsgenie"})
"""The schemes of URLs that lead to these services."""
_SECONDS: Final = 10.0
_LONGEST_KEY: Final = 255
_LONGEST_DETAILS: Final = 10_000
_REGIONS: Final = {
    "pagerduty": {"us": "https://events.pagerduty.com", "eu": "https://events.eu.pagerduty.com"},
    "opsgenie": {"us": "https://api.opsgenie.com", "eu": "https://api.eu.opsgenie.com"},
}
_GRAVITY: Final = {
    Severity.SEV1: ("critical", "P1"),
    Severity.SEV2: ("error", "P2"),
    Severity.SEV3: ("warning", "P3"),
    Severity.SEV4: ("info", "P4"),
}
Post = Callable[[str, Mapping[str, str], Mapping[str, Any]], int]
"""Gives the status of a POST of JSON to a URL with these headers; raises DeliveryError where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """One integration of one service."""

    scheme: str
    secret: str
    base: str
    post: Post
    pages = True
    pace = timedelta(milliseconds=500)

    def send(self, letter: Letter) -> None:
        """Begin, take or end the service's incident. Any number of times the same is once."""
        send = self._pagerduty if self.scheme == "pagerduty" else self._opsgenie
        status = send(letter)
        if 200 <= status < 300:
            return
        retry = status in (408, 429) or status >= 500
        reason = "rate_limited" if status == 429 else "unavailable" if retry else "refused"
        raise DeliveryError(f"{self.scheme}: expected a status of 2xx, got {status}", reason=reason)

    def _pagerduty(self, letter: Letter) -> int:
        """https://developer.pagerduty.com/docs/send-alert-event."""
        page = letter.page
        action = {PageState.RESOLVED: "resolve", PageState.ACKNOWLEDGED: "acknowledge"}.get(page.state, "trigger")
        event: dict[str, Any] = {"routing_key": self.secret, "event_action": action, "dedup_key": key(page.key)}
        if action == "trigger":
            event |= {
                "payload": {
                    "summary": page.summary[:1_024],
                    "source": page.source or "triaged",
                    "severity": _GRAVITY[page.severity][0],
                    "custom_details": {"message": _details(letter)},
                },
                "client": "triaged",
                "client_url": page.url,
                "links": [{"href": page.url, "text": "The incident"}],
            }
        return self.post(f"{self.base}/v2/enqueue", {}, event)

    def _opsgenie(self, letter: Letter) -> int:
        """https://docs.opsgenie.com/docs/alert-api."""
        page = letter.page
        headers = {"Authorization": f"GenieKey {self.secret}"}
        act = {PageState.RESOLVED: "close", PageState.ACKNOWLEDGED: "acknowledge"}.get(page.state)
        if act is not None:
            url = f"{self.base}/v2/alerts/{quote(key(page.key), safe='')}/{act}?identifierType=alias"
            return self.post(url, headers, {"source": "triaged"})
        alert = {
            "message": page.summary[:130],
            "alias": key(page.key),
            "description": _details(letter),
            "priority": _GRAVITY[page.severity][1],
            "source": page.source or "triaged",
            "details": {"url": page.url},
        }
        return self.post(f"{self.base}/v2/alerts", headers, alert)


def paging(url: str, post: Post) -> Paging:
    """The service of `pagerduty://KEY` or `opsgenie://KEY`, with `?region=eu` or `?api=URL` for another base.

    Raises ConfigError, whose text holds no secret.
    """
    parts = urlsplit(url)
    asked = parse_qs(parts.query)
    # A host in a URL is lower case by most readers; a key is not.
    secret = parts.netloc.rpartition("@")[0] or parts.netloc
    if not re.fullmatch(r"[A-Za-z0-9_-]{4,200}", secret):
        raise ConfigError(f"expected {parts.scheme}://KEY with the key of an integration, got another form")
    region = asked.get("region", ["us"])[0]
    base = asked.get("api", [_REGIONS[parts.scheme].get(region, "")])[0]
    if not re.fullmatch(r"https?://[^\s?#@]+", base):
        raise ConfigError(f"{parts.scheme}: expected region=us or region=eu, or api=https://HOST")
    return Paging(scheme=parts.scheme, secret=secret, base=base.rstrip("/"), post=post)


def key(text: str) -> str:
    """The text itself, or a digest of it where services would not take it for its length."""
    return text if len(text) <= _LONGEST_KEY else f"triaged-{blake2b(text.encode(), digest_size=16).hexdigest()}"


def post(url: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> int:
    """The status of one POST; follows nothing, reads no answer. Raises DeliveryError, whose text holds no URL."""
    try:
        return within(_SECONDS, _post(url, headers, body))
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL) as error:
        raise DeliveryError(f"no connection: {type(error).__name__}", reason="unreachable") from None
    except (httpx.HTTPError, TimeoutError) as error:
        raise DeliveryError(f"no answer: {type(error).__name__}", reason="timeout", ambiguous=True) from None


async def _post(url: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> int:
    async with (
        httpx.AsyncClient(timeout=_SECONDS, follow_redirects=False) as client,
        client.stream("POST", url, headers=headers, json=body) as answer,
    ):
        return answer.status_code


def _details(letter: Letter) -> str:
    text = f"{subject(letter.subject)}\n\n{write(letter.body, Format.TEXT, markdown=letter.markdown)}"
    return text[:_LONGEST_DETAILS]
