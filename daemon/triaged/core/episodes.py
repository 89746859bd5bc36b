"""What an arriving alert means for its episode: begun, continued, heard again, ended, or nothing."""

from __future__ import annotations

from datetime import datetime
from enum import Enum, auto, unique

from msgspec import Struct

from triaged.core.model import Alert, AlertStatus, Episode


@unique
class Change(Enum):
    """`CONTINUED` is a firing after a resolve with an equal startsAt; `HEARD` one of an episode that goes on."""

    BEGAN = auto()
    CONTINUED = auto()
    HEARD = auto()
    ENDED = auto()
    STALE = auto()
    UNKNOWN = auto()


class Step(Struct, frozen=True, kw_only=True):
    """A change of an episode; `at` is its startsAt after a firing, its end after `ENDED`."""

    change: Change
    at: datetime


def follow(last: Episode | None, alert: Alert, now: datetime) -> Step:
    """What `alert`, arriving at `now`, does to `last`, the newest episode of the same alert (None: never seen).

    Order of arrival decides; only a resolve that ended before the episode's startsAt is stale: it is a late copy from
    the episode before. Sender's clocks are not trusted past `now` for an end.
    """
    going_on = last is not None and last.ended_at is None
    if alert.status is AlertStatus.FIRING:
        starts_at = alert.starts_at or now
        if last is not None and going_on:
            return Step(change=Change.HEARD, at=min(last.starts_at, starts_at))
        if last is not None and alert.starts_at is not None and alert.starts_at == last.starts_at:
            return Step(change=Change.CONTINUED, at=last.starts_at)
        return Step(change=Change.BEGAN, at=starts_at)
    if last is None or not going_on:
        return Step(change=Change.UNKNOWN, at=now)
    # An episode that claims to begin in the future could never end: its startsAt is wrong, not the resolve.
    # Nor is one stale that names no start of its own: then neither clock says which episode it belongs to.
    if alert.starts_at is not None and alert.ends_at is not None and alert.ends_at < last.starts_at <= now:
        return Step(change=Change.STALE, at=alert.ends_at)
    return Step(change=Change.ENDED, at=min(alert.ends_at or now, now))


def alert_of(episode: Episode) -> Alert:
    """The alert as it was heard last, to be judged again; its text as it was sent is not in it."""
    return Alert(
        fingerprint=episode.fingerprint,
        source=episode.source,
        status=AlertStatus.FIRING if episode.ended_at is None else AlertStatus.RESOLVED,
        labels=episode.labels,
        annotations=episode.annotations,
        starts_at=episode.starts_at,
        ends_at=episode.ended_at,
        generator_url=episode.generator_url,
        digest=episode.digest,
        raw=b"",
    )
