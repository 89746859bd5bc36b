"""Heartbeats: what must keep arriving, since when it does not, and the alert of our own that says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, unique
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from triaged.core import wording
from triaged.core.keys import digest, fingerprint
from triaged.core.matchers import Matcher, hold
from triaged.core.model import Alert, AlertStatus

SOURCE: Final = "heartbeats"
NAME: Final = "HeartbeatMissed"
OWN_LABELS: Final = ("alertname", "heartbeat")
"""The labels that our alert has beside those of `by`."""
MOST_SERIES: Final = 1_000
"""Of one heartbeat: a sender that invents values must not fill the store."""
FORGET_AFTER: Final = timedelta(days=7)

_STILL: Final = "0001-01-01T00:00:00Z"


@unique
class Unheard(StrEnum):
    """What a heartbeat is that was never heard yet: missing after its interval, or not waited for."""

    MISSING = "missing"
    WAIT = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """What must be heard again within `every`, and is missing when `grace` has passed, too.

    An alert with the labels of `match` is no alert but this heartbeat; without matchers it is heard by request alone.
    Each set of values of the labels `by` is a series, which is missing on its own.
    """

    name: str
    every: timedelta
    grace: timedelta
    match: tuple[Matcher, ...] = ()
    by: tuple[str, ...] = ()
    forget_after: timedelta = FORGET_AFTER
    unheard: Unheard = Unheard.MISSING

    def values(self, labels: Mapping[str, str]) -> dict[str, str]:
        """What tells one series from another; a label that is absent is ""."""
        return {name: labels.get(name, "") for name in self.by}


class Sign(Struct, frozen=True, kw_only=True):
    """What a sender says of itself: that it is alive, or has `failed`; and since when the alert fired that says so."""

    failed: bool = False
    started_at: datetime | None = None


class Beat(Struct, frozen=True, kw_only=True):
    """One series of a heartbeat; `labels` are those of `by` with their values.

    Its interval counts from the later of `since_at`, when it was first expected or somebody listened again, and
    `seen_at`, when it was heard last. `missed_at` is since when it is missing, `failed` says that the sender itself
    told so. `started_at` is since when the alert fired that was heard last, None where a request was heard; at
    `listened_at` the daemon stopped.
    """

    name: str
    series: str
    labels: Mapping[str, str]
    since_at: datetime
    seen_at: datetime | None = None
    missed_at: datetime | None = None
    failed: bool = False
    started_at: datetime | None = None
    listened_at: datetime | None = None

    @property
    def key(self) -> Key:
        return self.name, self.series

    @property
    def placeholder(self) -> bool:
        """Whether it stands for a heartbeat of which no series is known yet."""
        return not self.labels and self.seen_at is None and not self.failed


Key = tuple[str, str]
Beats = Mapping[Key, Beat]
Changes = dict[Key, Beat | None]
"""What becomes of some series; None: it is followed no more."""


def heartbeat_of(heartbeats: Iterable[Heartbeat], alert: Alert) -> Heartbeat | None:
    """The first heartbeat that the alert is, None where it is an alert; those of our own are alerts."""
    if alert.source == SOURCE:
        return None
    for heartbeat in heartbeats:
        if heartbeat.match and hold(heartbeat.match, alert.labels):
            return heartbeat
    return None


def named(heartbeats: Iterable[Heartbeat]) -> dict[str, Heartbeat]:
    return {heartbeat.name: heartbeat for heartbeat in heartbeats}


def due_at(beat: Beat, heartbeat: Heartbeat) -> datetime:
    """When it is missing, unless it is heard before."""
    return _expected_at(beat, heartbeat) + heartbeat.grace


def sign_of(alerts: Iterable[Alert]) -> Sign:
    """What alerts of one delivery say of one series: one that fires tells more than others that ended.

    The members of an HA pair may be one series, and one of them may have been restarted.
    """
    listed = [*alerts]
    firing = [alert for alert in listed if alert.status is AlertStatus.FIRING]
    started = [alert.starts_at for alert in firing or listed if alert.starts_at is not None]
    return Sign(failed=not firing, started_at=max(started, default=None))


def hear(heartbeat: Heartbeat, beats: Beats, values: Mapping[str, str], now: datetime, sign: Sign) -> Changes:
    """A series is heard, or told to have failed, which makes it missing at once.

    Nothing changes for a series that is one too many.
    """
    key = key_of(heartbeat.name, values)
    former = beats.get(key)
    if former is None and sum(name == heartbeat.name for name, _ in beats) >= MOST_SERIES:
        return {}
    beat = former or Beat(name=heartbeat.name, series=key[1], labels=values, since_at=now)
    if not sign.failed:
        beat = replace(beat, seen_at=now, missed_at=None, failed=False, started_at=sign.started_at)
    elif not _is_late_copy(sign, beat):
        beat = replace(beat, missed_at=beat.missed_at or now, failed=True)
    changes: Changes = {key: beat}
    nobody = key_of(heartbeat.name, {})
    if nobody != key and nobody in beats:
        changes[nobody] = None
    return changes


def look(heartbeats: Mapping[str, Heartbeat], beats: Beats, now: datetime) -> Changes:
    """What is missing from now on, and what is forgotten: long missing, while others of its heartbeat are heard."""
    changes: Changes = {}
    for key, beat in beats.items():
        heartbeat = heartbeats.get(beat.name)
        if heartbeat is not None and beat.missed_at is None and due_at(beat, heartbeat) <= now:
            changes[key] = replace(beat, missed_at=now)
    alive = {beat.name for key, beat in beats.items() if beat.missed_at is None and key not in changes}
    for key, beat in beats.items():
        gone_at = _forgotten_at(beat, heartbeats, alive)
        if gone_at is not None and gone_at <= now:
            changes[key] = None
    return changes


def next_at(heartbeats: Mapping[str, Heartbeat], beats: Beats) -> datetime | None:
    """When `look` will change something, unless something is heard before."""
    alive = {beat.name for beat in beats.values() if beat.missed_at is None}
    due = [
        due_at(beat, heartbeats[beat.name])
        for beat in beats.values()
        if beat.missed_at is None and beat.name in heartbeats
    ]
    gone = [at for beat in beats.values() if (at := _forgotten_at(beat, heartbeats, alive)) is not None]
    return min((*due, *gone), default=None)


def expect(heartbeats: Mapping[str, Heartbeat], beats: Beats, now: datetime, *, started: bool) -> Changes:
    """What these rules expect from now on, of what was expected before.

    Where the daemon has just `started`, nobody listened for a while: what was not missing before gets a whole interval,
    or, where that while was shorter than its grace, as much more.
    """
    changes: Changes = {}
    kept: set[str] = set()
    deaf_for = now - _listened_until(beats, now)
    for key, beat in beats.items():
        heartbeat = heartbeats.get(beat.name)
        if heartbeat is None or not _belongs(beat, heartbeat):
            changes[key] = None
            continue
        kept.add(beat.name)
        if beat.missed_at is not None:
            if not beat.failed and due_at(beat, heartbeat) > now:
                changes[key] = replace(beat, missed_at=None)
        elif started:
            since_at = _counts_from(beat) + deaf_for if deaf_for < heartbeat.grace else now
            changes[key] = replace(beat, since_at=since_at)
    for heartbeat in heartbeats.values():
        if heartbeat.unheard is Unheard.MISSING and heartbeat.name not in kept:
            key = key_of(heartbeat.name, {})
            changes[key] = Beat(name=heartbeat.name, series=key[1], labels={}, since_at=now)
    return changes


def leave(beats: Beats, now: datetime) -> Changes:
    """The daemon stops: from now on nobody listens."""
    return {key: replace(beat, listened_at=now) for key, beat in beats.items()}


def told(heartbeats: Mapping[str, Heartbeat], before: Beats, after: Beats, now: datetime) -> list[Alert]:
    """Our alerts of what became missing, firing, and of what is missing no more, resolved."""
    alerts = []
    for key in sorted({*before, *after}):
        was, beat = before.get(key), after.get(key)
        was_missing, is_missing = (one is not None and one.missed_at is not None for one in (was, beat))
        if is_missing and not was_missing and beat is not None:
            alerts.append(_fires(beat, heartbeats[beat.name], now))
        elif was_missing and not is_missing and was is not None:
            alerts.append(_alert(was, "", None, now))
    return alerts


def of_values(values: Mapping[str, str]) -> str:
    """A series in words, such as ` (cluster eu-1)`; "" for one without values."""
    words = ", ".join(f"{name} {value}" for name, value in values.items() if value)
    return f" ({words})" if words else ""


def key_of(name: str, values: Mapping[str, str]) -> Key:
    """The key of a series."""
    parts: list[str] = []
    for item in sorted(values.items()):
        parts += item
    return name, digest(parts)


def _expected_at(beat: Beat, heartbeat: Heartbeat) -> datetime:
    return _counts_from(beat) + heartbeat.every


def _counts_from(beat: Beat) -> datetime:
    return max(beat.since_at, beat.seen_at or beat.since_at)


def _listened_until(beats: Beats, now: datetime) -> datetime:
    """The last instant of which the series tell that a daemon listened; one that died could not write down its own."""
    instants = [
        at
        for beat in beats.values()
        for at in (beat.since_at, beat.seen_at, beat.missed_at, beat.listened_at)
        if at is not None
    ]
    return min(max(instants, default=now), now)


def _is_late_copy(sign: Sign, beat: Beat) -> bool:
    """Whether what ended had begun before that which was heard last: it goes on."""
    return sign.started_at is not None and beat.started_at is not None and sign.started_at < beat.started_at


def _belongs(beat: Beat, heartbeat: Heartbeat) -> bool:
    """Whether the series is one of this heartbeat, as the rules describe it now."""
    if beat.placeholder and heartbeat.unheard is Unheard.WAIT:
        return False
    return beat.placeholder or set(beat.labels) == set(heartbeat.by)


def _forgotten_at(beat: Beat, heartbeats: Mapping[str, Heartbeat], alive: set[str]) -> datetime | None:
    """When a missing series is forgotten; never the last of its heartbeat: then all of it is missing."""
    if beat.missed_at is None or beat.name not in heartbeats or beat.name not in alive:
        return None
    return beat.missed_at + heartbeats[beat.name].forget_after


def _fires(beat: Beat, heartbeat: Heartbeat, now: datetime) -> Alert:
    what = f"heartbeat {beat.name}{of_values(beat.labels)}"
    expected = f"it is expected every {wording.span(heartbeat.every)}"
    if beat.failed:
        return _alert(beat, f"The sender of {what} says itself that it has stopped.", now, None)
    if beat.seen_at is None:
        summary = f"Nothing was ever heard of {what}; {expected}."
    else:
        summary = f"Nothing was heard of {what} since {wording.instant(beat.seen_at)}; {expected}."
    return _alert(beat, summary, _expected_at(beat, heartbeat), None)


def _alert(beat: Beat, summary: str, starts_at: datetime | None, ends_at: datetime | None) -> Alert:
    """Our own alert, in the form in which alerts of every source are kept, so that it can be replayed."""
    status = AlertStatus.FIRING if ends_at is None else AlertStatus.RESOLVED
    labels = {"alertname": NAME, "heartbeat": beat.name, **{n: v for n, v in beat.labels.items() if v}}
    raw = msgspec.json.encode(
        {
            "status": status,
            "labels": labels,
            "annotations": {"summary": summary} if summary else {},
            "startsAt": _STILL if starts_at is None else starts_at.isoformat(),
            "endsAt": _STILL if ends_at is None else ends_at.isoformat(),
        }
    )
    return Alert(
        fingerprint=fingerprint(SOURCE, labels),
        source=SOURCE,
        status=status,
        labels=labels,
        annotations={"summary": summary} if summary else {},
        starts_at=starts_at,
        ends_at=ends_at,
        generator_url="",
        digest=blake2b(raw, digest_size=16, key=SOURCE.encode()).digest(),
        raw=raw,
    )
