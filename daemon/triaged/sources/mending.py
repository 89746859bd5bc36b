"""The slow path: what senders really send, read loosely, with a word about everything that was repaired."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite

from triaged.errors import PayloadError

_BROKEN = re.compile("[\x00\ud800-\udfff]")
_DEEPEST_SHOWN = 80
_LONGEST_INSTANT = 64


class Unreadable(Exception):  # noqa: N818 - it never leaves the package: one alert among others
    """This alert cannot be read; `reason` is the metric's label."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Loose:
    """The fields of an alert after mending; "" where there was nothing usable."""

    labels: dict[str, str]
    annotations: dict[str, str]
    status: str
    starts: str
    ends: str
    url: str
    identity: list[str]


def loose_envelope(body: bytes, *, expected: str, problem: str) -> tuple[list[bytes], str | None]:
    """The raw alerts and the group's status of a body that the typed path refused.

    Raises PayloadError (400) with what was expected and what came.
    """
    try:
        found = json.loads(body.decode("utf-8-sig", errors="replace"))
    except (ValueError, RecursionError) as error:
        raise PayloadError(f"{expected}, got no readable JSON: {str(error)[:200]}") from error
    if not isinstance(found, dict):
        raise PayloadError(f"{expected}, got {kind_of(found)}")
    alerts = found.get("alerts")
    if not isinstance(alerts, list):
        raise PayloadError(f'{expected}, got "alerts" as {kind_of(alerts)} ({problem[:200]})')
    status = found.get("status")
    return [json.dumps(alert).encode() for alert in alerts], status if isinstance(status, str) else None


def loose_fields(raw: bytes, mended: list[str]) -> Loose:
    """The fields of one alert, each made text: NUL and lone surrogates U+FFFD, other values their JSON text.

    Raises Unreadable where there is no object or no labels.
    """
    try:
        found = json.loads(raw.decode(errors="replace"))
    except (ValueError, RecursionError) as error:
        raise Unreadable("not_an_object", f"expected a JSON object, got {str(error)[:_DEEPEST_SHOWN]}") from error
    if not isinstance(found, dict):
        raise Unreadable("not_an_object", f"expected a JSON object, got {kind_of(found)}")
    labels = found.get("labels")
    if not isinstance(labels, dict):
        raise Unreadable("no_labels", f"labels: expected an object of texts, got {kind_of(labels)}")
    annotations = found.get("annotations")
    status = found.get("status")
    identity = found.get("triagedIdentity")
    return Loose(
        labels={n: v for n, v in _texts(labels, "labels", mended).items() if v},
        annotations=_texts(annotations if isinstance(annotations, dict) else {}, "annotations", mended),
        status="" if status is None else text_of(status),
        starts=text_of(found.get("startsAt")),
        ends=text_of(found.get("endsAt")),
        url=text_of(found.get("generatorURL")),
        identity=[text_of(name) for name in identity] if isinstance(identity, list) else [],
    )


def instant(text: str, field: str, mended: list[str]) -> datetime | None:
    """An RFC 3339 instant in UTC, to the microsecond; None where there is none: empty, Go's zero time, or no instant.

    What cannot be read is told in `mended` and treated as absent: a wrong date must not cost an alert.
    """
    if not text:
        return None
    # What is longer is no instant, and must not be remembered.
    found = _parse(text) if len(text) <= _LONGEST_INSTANT else None
    if found is None:
        mended.append(f"{field}: expected an RFC 3339 instant, got {text[:50]!r}; taken as absent")
        return None
    return found if found.year > 1 else None


@lru_cache(maxsize=4096)
def _parse(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        return found.astimezone(UTC)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) if text.startswith("0001") else None
    except ValueError:
        return None


def _texts(found: dict[str, object], field: str, mended: list[str]) -> dict[str, str]:
    texts = {}
    for sent, value in found.items():
        name = _clean(sent)
        if not isinstance(value, str) and value is not None:
            mended.append(f"{field}.{name[:50]}: expected a text, got {kind_of(value)}; its JSON text is taken")
        texts[name] = text_of(value)
    return texts


def text_of(value: object) -> str:
    """A text as it is, another value as its JSON text, nothing as ""; NUL and lone surrogates become U+FFFD.

    NaN and the infinite, which some senders write although JSON has none, are nothing.
    """
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return ""
    return _clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _clean(text: str) -> str:
    return _BROKEN.sub("�", text)


def kind_of(value: object) -> str:
    """What a JSON value is, in words."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "a boolean", type(None): "nothing"}
    return names.get(type(value), "a number")
