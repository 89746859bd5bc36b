"""Any JSON to alerts, as a mapping says.

Each alert is first written down in the form in which Alertmanager would have sent it, and then read by Alertmanager's
reader. That text is what is kept, not the sender's: limits and mending are the same for all sources; retry, replay and
backtest read every source's alerts with one reader, whatever has become of the mapping since; and what the mapping does
not look at (a response time, a counter) makes no new text of an alert that repeats. An alert that cannot be read is
kept as it came.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final

import msgspec
from jmespath.parser import ParsedResult

from triaged.core.model import Alert
from triaged.errors import PayloadError
from triaged.ports.mapping import Meaning, Pick, Protocol, SourceMapping
from triaged.ports.source import Read, Reading, Rejected
from triaged.sources import alertmanager, pagerduty, sns
from triaged.sources.asking import Asker, Failed
from triaged.sources.limits import MOST_ALERTS, MOST_LABELS
from triaged.sources.mending import Unreadable, kind_of, text_of

_EPOCH: Final = re.compile(r"[0-9]{9,19}(\.[0-9]{1,9})?", re.ASCII)
# As seconds that is the year 5138, as milliseconds March 1973.
_SECONDS_END: Final = 1e11
_NAMES: Final = ("name", "Name", "key", "Key")
_VALUES: Final = ("value", "Value")
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One body: what it says after its protocol was taken off, and the alerts in it.

    `handshake` is a subscription that asks to be confirmed.
    """

    document: Any
    reading: Reading
    handshake: sns.Handshake | None = None


def reader(mapping: SourceMapping) -> Read:
    """What reads this source's bodies; it raises PayloadError (400) where there are no alerts to be found in one."""

    def read(_source: str, body: bytes) -> Reading:
        return open_letter(mapping, body).reading

    return read


def parse(body: bytes) -> object:
    """The JSON of a body; raises PayloadError (400) where it is none."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        try:
            return json.loads(body.decode("utf-8-sig", errors="replace"))
        except (ValueError, RecursionError) as error:
            raise PayloadError(f"expected JSON, got no readable JSON: {str(error)[:200]}") from error


def open_letter(mapping: SourceMapping, body: bytes) -> Letter:
    """What a body says; one unreadable alert never costs the others.

    Raises PayloadError (400) where it is no JSON or the mapping finds no alerts in it, (413) where they are too many.
    """
    document = parse(body)
    match mapping.protocol:
        case Protocol.PLAIN:
            inner = document
        case Protocol.PAGERDUTY:
            inner = pagerduty.event(document)
        case Protocol.SNS:
            handshake = sns.handshake(mapping.name, document)
            if handshake is not None:
                return Letter(document=document, reading=Reading(alerts=(), rejected=()), handshake=handshake)
            inner = sns.notification(document)
    return Letter(document=inner, reading=_reading(mapping, inner))


def _reading(mapping: SourceMapping, body: object) -> Reading:
    asker = Asker(body, several=mapping.alerts is not None)
    alerts: list[Alert] = []
    rejected: list[Rejected] = []
    for item in _items(mapping, body):
        try:
            alert = _Item(mapping, item, asker).alert()
        except Unreadable as error:
            rejected.append(_rejected(mapping.name, item, error))
        else:
            if alert is not None:
                alerts.append(alert)
    return Reading(alerts=tuple(alerts), rejected=tuple(rejected))


def _items(mapping: SourceMapping, body: object) -> list[Any]:
    if mapping.alerts is None:
        return [body]
    expected = f"expected alerts at {mapping.alerts.expression}, as sources/{mapping.name}.yaml says"
    try:
        found = Asker(body, several=False).ask(mapping.alerts, body)
    except Failed as error:
        raise PayloadError(f"{expected}: {error}") from error
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, list):
        raise PayloadError(f"{expected}, got {kind_of(found)}")
    if len(found) > MOST_ALERTS:
        raise PayloadError(f"expected at most {MOST_ALERTS:,} alerts in a request, got {len(found):,}", status=413)
    return found


class _Item:
    """One alert on its way into Alertmanager's form; `_mended` collects what was left out."""

    def __init__(self, mapping: SourceMapping, item: object, asker: Asker) -> None:
        self._mapping = mapping
        self._item = item
        self._asker = asker
        self._mended: list[str] = []

    def alert(self) -> Alert | None:
        """The alert; None for one with a status that is to be ignored. Raises Unreadable."""
        mapping = self._mapping
        if not isinstance(self._item, dict):
            raise Unreadable("not_an_object", f"expected a JSON object, got {kind_of(self._item)}")
        status = self._status()
        if status is Meaning.IGNORED:
            return None
        starts, ends = mapping.starts_at, mapping.ends_at
        if mapping.at is not None:
            starts, ends = (mapping.at, None) if status is Meaning.FIRING else (None, mapping.at)
        wire: dict[str, object] = {
            "status": status.value,
            "labels": self._labels(),
            "annotations": self._annotations(),
            "startsAt": self._instant(starts, "starts_at"),
            "endsAt": self._instant(ends, "ends_at"),
            "generatorURL": self._told(mapping.generator_url, "generator_url"),
        }
        if mapping.identity:
            wire["triagedIdentity"] = mapping.identity
        return alertmanager.alone(mapping.name, _encode(wire), self._mended)

    def _status(self) -> Meaning:
        pick = self._mapping.status
        found = text_of(self._needed(pick.expression, "status")) if pick.expression else ""
        meaning = pick.words.get(found.lower(), pick.default)
        if meaning is None and found:
            known = ", ".join(pick.words)[:200]
            raise Unreadable("unknown_status", f"status: expected one of {known}, got {found[:100]!r}")
        # Without any status it fires: a false alarm costs a look, a missed outage costs an outage.
        return meaning or Meaning.FIRING

    def _labels(self) -> dict[str, str]:
        """What cannot be evaluated makes the alert unreadable: labels say which alert it is."""
        mapping = self._mapping
        found = dict(_flat(self._needed(mapping.labels_from, "labels_from"))) if mapping.labels_from else {}
        for name, pick in mapping.labels.items():
            found[name] = _chosen(pick, self._needed(pick.expression, f"labels.{name}") if pick.expression else None)
        return {name: value for name, value in found.items() if value}

    def _annotations(self) -> dict[str, str]:
        mapping = self._mapping
        found = {}
        if mapping.annotations_from is not None:
            found = dict(_flat(self._sought(mapping.annotations_from, "annotations_from")))
        for name, pick in mapping.annotations.items():
            found[name] = self._told(pick, f"annotations.{name}")
        return {name: value for name, value in found.items() if value}

    def _told(self, pick: Pick | None, key: str) -> str:
        return "" if pick is None else _chosen(pick, self._sought(pick.expression, key) if pick.expression else None)

    def _instant(self, pick: Pick | None, key: str) -> str:
        """RFC 3339 of seconds, milliseconds, … since 1970; any other text as it is: the reader says what it is not."""
        text = self._told(pick, key)
        if not _EPOCH.fullmatch(text):
            return text
        number = float(text)
        while number >= _SECONDS_END:
            number /= 1_000
        return datetime.fromtimestamp(number, UTC).isoformat()

    def _needed(self, expression: ParsedResult, key: str) -> Any:
        try:
            return self._asker.ask(expression, self._item)
        except Failed as error:
            raise Unreadable("mapping_failed", f"{key}: {error}") from error

    def _sought(self, expression: ParsedResult, key: str) -> Any:
        """What the expression finds; where it cannot be evaluated nothing, and a word about it."""
        try:
            return self._asker.ask(expression, self._item)
        except Failed as error:
            self._mended.append(f"{key}: {error}; left out")
            return None


def _chosen(pick: Pick, found: object) -> str:
    try:
        text = text_of(found)
    except RecursionError:
        text = ""
    return (pick.map.get(text, pick.default or text) if pick.map else text) or pick.default


def _flat(found: object) -> Iterator[tuple[str, str]]:
    """Names and texts of an object, inner ones joined by `_`; or of a list of objects with name (or key) and value."""
    waiting: list[tuple[str, object]] = [("", found)]
    given = 0
    while waiting and given <= MOST_LABELS:
        name, value = waiting.pop()
        if isinstance(value, dict):
            pairs = [(f"{name}_{inner}" if name else text_of(inner), of) for inner, of in value.items()]
            waiting.extend(reversed(pairs))
        elif isinstance(value, list) and (listed := [pair for one in value if (pair := _pair(one))]):
            waiting.extend((f"{name}_{inner}" if name else inner, of) for inner, of in reversed(listed))
        elif name:
            given += 1
            yield text_of(name), text_of(value)


def _pair(one: object) -> tuple[str, object] | None:
    if not isinstance(one, dict):
        return None
    name = next((one[key] for key in _NAMES if one.get(key)), None)
    value = next((one[key] for key in _VALUES if key in one), None)
    return None if name is None else (text_of(name), value)


def _rejected(source: str, item: object, error: Unreadable) -> Rejected:
    try:
        raw = json.dumps(item).encode()
    except RecursionError:
        raw = b'"nested too deep to be kept"'
    digest = blake2b(raw, digest_size=16, key=source.encode()).digest()
    return Rejected(raw=raw, digest=digest, reason=error.reason, text=str(error))
