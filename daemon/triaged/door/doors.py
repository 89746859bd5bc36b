"""The doors of intake: at which path who may send what, and how each sender wants to be answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from triaged.ports.mapping import Protocol, SourceMapping
from triaged.sources import pagerduty
from triaged.sources.mapped import Letter
from triaged.web.auth import SourceAuth

Headers = list[tuple[bytes, bytes]]
JSON: Final[Headers] = [(b"content-type", b"application/json")]
RETRY: Final[Headers] = [*JSON, (b"retry-after", b"1")]
_BASIC: Final = b'Basic realm="triaged"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An HTTP answer."""

    status: int
    body: bytes
    headers: Headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Who may send as a source, and what they send: with `mapping` any JSON, without one what Alertmanager sends.

    `auth` is None where nobody may: a mapped source without tokens, while other machines can reach us.
    """

    source: str
    auth: SourceAuth | None
    mapping: SourceMapping | None = None

    @property
    def takes_routing_keys(self) -> bool:
        """Whether the sender's token may stand in the body, as clients of PagerDuty put it."""
        return self.mapping is not None and self.mapping.protocol is Protocol.PAGERDUTY

    @property
    def challenge(self) -> tuple[bytes, bytes]:
        """How to authenticate. SNS understands basic authentication alone, and sends none before it was asked."""
        sns = self.mapping is not None and self.mapping.protocol is Protocol.SNS
        return b"www-authenticate", _BASIC if sns else b'Bearer realm="triaged", ' + _BASIC


_TAKEN: Final = Answered(status=200, body=b'{"status":"ok"}', headers=JSON)


def doors(alertmanagers: Mapping[str, SourceAuth], mapped: Mapping[str, Door]) -> dict[str, Door]:
    """The doors by the ends of their paths: `alertmanager`, `alertmanager/NAME` for each further one, `NAME` if mapped.

    One name may be both: a file that is added to the rules must not close a door that an Alertmanager uses.
    """
    found: dict[str, Door] = {}
    for name, auth in alertmanagers.items():
        found["alertmanager" if name == "alertmanager" else f"alertmanager/{name}"] = Door(source=name, auth=auth)
    for name, door in mapped.items():
        found[name] = door
        if door.takes_routing_keys:
            found[f"{name}/{pagerduty.PATH}"] = door
    return found


def refused(status: int, text: str, headers: Headers = JSON) -> Answered:
    """What was expected, and what came."""
    return Answered(status=status, body=msgspec.json.encode({"error": text}), headers=headers)


def taken(door: Door, letter: Letter | None, counts: Mapping[str, int] | None = None) -> Answered:
    """The answer after the commit; `counts` says what became of the alerts, None: nothing, they were all known."""
    if letter is not None and door.takes_routing_keys:
        problems = [bad.text for bad in letter.reading.rejected]
        if problems:
            return Answered(status=400, body=pagerduty.invalid(problems), headers=JSON)
        return Answered(status=202, body=pagerduty.accepted(letter.document), headers=JSON)
    if counts is None:
        return _TAKEN
    return Answered(status=200, body=msgspec.json.encode({"status": "ok", "alerts": counts}), headers=JSON)
