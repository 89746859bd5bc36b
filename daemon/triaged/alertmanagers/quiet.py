"""Which of our alerts an Alertmanager keeps quiet about, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from triaged.alertmanagers.wire import Answer, HeldAlert, Silence
from triaged.core.suppression import Hush, Key, Suppression

_MOST_OF_ONE_ALERT: Final = 10
_LONGEST_NAME: Final = 120
_LONGEST_COMMENT: Final = 500


def quiet(source: str, answers: Sequence[Answer], alerts: Iterable[tuple[str, HeldAlert]]) -> tuple[Suppression, ...]:
    """The reasons for each of the alerts (by our fingerprint), each once whichever members of a cluster tell it."""
    silences = {one.id: one for answer in answers for one in answer.silences.values()}
    names = {held.fingerprint: _name(held) for answer in answers for held in answer.alerts}
    found: dict[Key, Suppression] = {}
    for fingerprint, held in alerts:
        told = [_silence(source, fingerprint, ref, silences) for ref in held.status.silencedBy[:_MOST_OF_ONE_ALERT]]
        told += [_inhibition(source, fingerprint, ref, names) for ref in held.status.inhibitedBy[:_MOST_OF_ONE_ALERT]]
        found.update((one.key, one) for one in told)
    return tuple(found.values())


def _silence(source: str, fingerprint: str, ref: str, silences: Mapping[str, Silence]) -> Suppression:
    silence = silences.get(ref)
    return Suppression(
        fingerprint=fingerprint,
        source=source,
        hush=Hush.SILENCE,
        ref=_text(ref, _LONGEST_NAME),
        by=(_text(silence.createdBy, _LONGEST_NAME) if silence else "") or "somebody",
        ends_at=_instant(silence.endsAt) if silence else None,
        comment=_text(silence.comment, _LONGEST_COMMENT) if silence else "",
    )


def _inhibition(source: str, fingerprint: str, ref: str, names: Mapping[str, str]) -> Suppression:
    by = names.get(ref, "another alert")
    return Suppression(
        fingerprint=fingerprint, source=source, hush=Hush.INHIBITION, ref=_text(ref, _LONGEST_NAME), by=by
    )


def _name(held: HeldAlert) -> str:
    name = held.labels.get("alertname") or next(iter(held.labels.values()), "")
    return _text(name, _LONGEST_NAME) or "another alert"


def _text(told: str, most: int) -> str:
    """What a database takes: PostgreSQL's text holds no NUL."""
    return told.replace("\0", "\ufffd")[:most]


def _instant(told: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(told)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
