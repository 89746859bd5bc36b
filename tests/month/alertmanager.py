"""One Alertmanager, alone or of a cluster: what it holds, when it tells whom, what it forgets.

Each behaviour is Alertmanager's own, read in its source (0.34) or measured:
- alerts are in memory alone: each restart forgets all; a silence or an entry of the notification log is on disk after
  an orderly stop, and else as of the last snapshot, every 15 minutes (cmd/alertmanager/main.go)
- groups wait, then are looked at every `group_interval`; a flush that fails leaves the ended alerts in the group for
  the next one; a muted end is forgotten with the flush that left it out (dispatch/dispatch.go, notify/notify.go)
- a webhook is tried again after a 5xx or without an answer, until the flush's time is over; what is sent is the state
  as the flush found it (notify/notify.go)
- the members of a cluster share silences and the notification log, never alerts; the second waits 15 s for the first
  (cluster/, notify/notify.go)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from month.prometheus import Labels, Told
from triaged.alertmanagers.wire import Answer, Group, GroupedAlert, HeldAlert, Receiver, Silence, SilenceStatus, Status

SNAPSHOT_EVERY: Final = timedelta(minutes=15)
_PEER_WAITS: Final = timedelta(seconds=15)
_COLLECTED_AFTER: Final = timedelta(minutes=30)
# Its backoff begins at half a second; seen from afar it is this.
_RETRIES: Final = tuple(timedelta(seconds=seconds) for seconds in (1, 4, 15, 60))
_SHORTEST_FLUSH: Final = timedelta(seconds=10)
_STILL: Final = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where alerts go that have this label, grouped by these; the first that matches takes one."""

    label: tuple[str, str] | None
    receiver: str
    group_by: tuple[str, ...]
    wait: timedelta
    interval: timedelta
    repeat: timedelta
    most: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhibition:
    """While an alert with the label `source` fires, those with `target` and the same value of `equal` are muted."""

    source: tuple[str, str]
    target: tuple[str, str]
    equal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """A silence; a newer version of it has a later `updated_at`."""

    id: str
    label: tuple[str, str]
    ends_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """What a group's last notification told."""

    at: datetime
    firing: frozenset[Labels]
    resolved: frozenset[Labels]


@dataclass(slots=True, kw_only=True)
class _Flush:
    told: Sequence[tuple[Told, bool]]
    over: Sequence[Told]
    due_at: datetime
    until: datetime
    decided: bool = False
    tries: int = 0


@dataclass(slots=True, kw_only=True)
class _Group:
    route: Route
    next_at: datetime
    alerts: dict[Labels, Told] = field(default_factory=dict)
    flushed: bool = False
    flush: _Flush | None = None


GroupKey = tuple[str, ...]


class Member:
    """One process. `send` posts a body to a receiver, and tells if it was answered 2xx; `peers` are those it hears."""

    def __init__(
        self,
        name: str,
        *,
        routes: Sequence[Route],
        inhibitions: Sequence[Inhibition],
        send: Callable[[Member, str, bytes], bool],
        peers: Callable[[Member], Iterable[Member]],
        now: datetime,
    ) -> None:
        self.name = name
        self.up = True
        self.started_at = now
        self._routes = routes
        self._inhibitions = inhibitions
        self._send = send
        self._peers = peers
        self.alerts: dict[Labels, Told] = {}
        self.silences: dict[str, Quiet] = {}
        self._groups: dict[GroupKey, _Group] = {}
        self._log: dict[GroupKey, Logged] = {}
        self._kept: tuple[dict[str, Quiet], dict[GroupKey, Logged]] = ({}, {})

    # ------------------------------------------------------------ its life

    def fall(self, *, orderly: bool) -> None:
        if orderly:
            self.snapshot()
        self.up = False
        self.alerts.clear()
        self._groups.clear()

    def rise(self, now: datetime) -> None:
        self.up = True
        self.started_at = now
        silences, log = self._kept
        self.silences, self._log = dict(silences), dict(log)
        self.gossip()

    def snapshot(self) -> None:
        self._kept = (dict(self.silences), dict(self._log))

    def gossip(self) -> None:
        """Members that hear each other know the newest of either."""
        for peer in self._peers(self):
            for one, other in ((self, peer), (peer, self)):
                for ref, quiet in one.silences.items():
                    if ref not in other.silences or other.silences[ref].updated_at < quiet.updated_at:
                        other.silences[ref] = quiet
                for key, logged in one._log.items():
                    if key not in other._log or other._log[key].at < logged.at:
                        other._log[key] = logged

    def hush(self, quiet: Quiet) -> None:
        self.silences[quiet.id] = quiet
        self.gossip()

    # ------------------------------------------------------------ alerts come in

    def take(self, told: Iterable[Told], now: datetime) -> None:
        for one in told:
            former = self.alerts.get(one.labels)
            self.alerts[one.labels] = one if former is None else _merged(former, one, now)
            # An end that is told again is in its group again, too: who missed it may hear of it yet.
            self._insert(self.alerts[one.labels], now)

    def collect(self, now: datetime) -> None:
        for one in [one for one in self.alerts.values() if one.ends_at < now - _COLLECTED_AFTER]:
            del self.alerts[one.labels]
        for quiet in [one for one in self.silences.values() if one.ends_at < now - _COLLECTED_AFTER]:
            del self.silences[quiet.id]

    def _insert(self, alert: Told, now: datetime) -> None:
        route = self.route(alert.labels)
        values = dict(alert.labels)
        key = (route.receiver, *(values.get(name, "") for name in route.group_by))
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(route=route, next_at=now + route.wait)
        group.alerts[alert.labels] = alert
        # What is older than the wait, as after a restart, waits no more (dispatch.go, insert).
        if not group.flushed and alert.starts_at + route.wait < now:
            group.next_at = min(group.next_at, now)

    def route(self, alert: Labels) -> Route:
        return next(route for route in self._routes if route.label is None or route.label in alert)

    # ------------------------------------------------------------ notifications go out

    def next_at(self) -> datetime | None:
        if not self.up or not self._groups:
            return None
        return min(
            group.next_at if group.flush is None else min(group.flush.due_at, group.flush.until)
            for group in self._groups.values()
        )

    def step(self, now: datetime) -> None:
        if not self.up:
            return
        for key, group in list(self._groups.items()):
            if group.flush is not None and group.flush.until <= now:
                group.flush = None
            if group.flush is None and group.next_at <= now:
                self._look(group, now)
            if group.flush is not None and group.flush.due_at <= now:
                self._push(key, group, group.flush, now)
            if group.flush is None and not group.alerts:
                del self._groups[key]

    def _look(self, group: _Group, now: datetime) -> None:
        group.flushed, group.next_at = True, now + group.route.interval
        listed = [group.alerts[one] for one in sorted(group.alerts)]
        over = [alert for alert in listed if alert.ends_at <= now]
        told = [(alert, alert.ends_at <= now) for alert in listed if not self.muted_by(alert.labels, now)]
        position = sum(peer.name < self.name for peer in self._peers(self))
        until = now + max(group.route.interval, _SHORTEST_FLUSH)
        group.flush = _Flush(told=told, over=over, due_at=now + position * _PEER_WAITS, until=until)

    def _push(self, key: GroupKey, group: _Group, flush: _Flush, now: datetime) -> None:
        firing = frozenset(alert.labels for alert, over in flush.told if not over)
        resolved = frozenset(alert.labels for alert, over in flush.told if over)
        if not flush.decided and not self._is_news(key, group.route, firing, resolved, now):
            self._done(group, flush)
            return
        flush.decided = True
        if self._send(self, group.route.receiver, _body(key, group.route, flush.told)):
            self._log[key] = Logged(at=now, firing=firing, resolved=resolved)
            self.gossip()
            self._done(group, flush)
            return
        flush.due_at = now + _RETRIES[min(flush.tries, len(_RETRIES) - 1)]
        flush.tries += 1

    def _done(self, group: _Group, flush: _Flush) -> None:
        for alert in flush.over:
            if group.alerts.get(alert.labels) is alert:
                del group.alerts[alert.labels]
        group.flush = None

    def _is_news(
        self, key: GroupKey, route: Route, firing: frozenset[Labels], resolved: frozenset[Labels], now: datetime
    ) -> bool:
        """DedupStage.needsUpdate: an alert is its labels there, so that one that ends and fires anew is no news."""
        logged = self._log.get(key)
        if logged is None or logged.at < now - 2 * route.repeat:
            return bool(firing)
        if not firing <= logged.firing:
            return True
        if not firing:
            return bool(logged.firing)
        if not resolved <= logged.resolved:
            return True
        return logged.at < now - route.repeat

    # ------------------------------------------------------------ what it says when it is asked

    def muted_by(self, alert: Labels, now: datetime) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
        """Ids of silences and fingerprints of inhibiting alerts."""
        silenced = tuple(one.id for one in self.silences.values() if one.label in alert and one.ends_at > now)
        inhibited: list[str] = []
        for rule in self._inhibitions:
            if rule.target in alert and rule.source not in alert:
                same = (rule.equal, dict(alert).get(rule.equal, ""))
                inhibited += [
                    fingerprint(one.labels)
                    for one in self.alerts.values()
                    if rule.source in one.labels and same in one.labels and one.ends_at > now
                ]
        return (silenced, tuple(inhibited)) if silenced or inhibited else None

    def still(self) -> Member:
        """A copy that stays as this one is, to be asked later what it would have said now."""
        copied = copy(self)
        copied.alerts, copied.silences = dict(self.alerts), dict(self.silences)
        return copied

    def seen(self, now: datetime) -> tuple[object, ...]:
        """All that a reader would see, but for what goes on by itself: ends that move ahead, values that change."""
        held = [(one.labels, one.starts_at, self.muted_by(one.labels, now)) for one in self._held(now)]
        return self.started_at, tuple(held), tuple(self.silences.values())

    def _held(self, now: datetime) -> list[Told]:
        return [one for one in self.alerts.values() if one.ends_at > now]

    def answer(self, now: datetime) -> Answer:
        alerts = []
        for one in self._held(now):
            silenced, inhibited = self.muted_by(one.labels, now) or ((), ())
            state = "suppressed" if silenced or inhibited else "active"
            alerts.append(
                HeldAlert(
                    labels=dict(one.labels),
                    annotations={"summary": f"It is {one.value}."},
                    status=Status(state=state, silencedBy=silenced, inhibitedBy=inhibited),
                    receivers=(Receiver(name=self.route(one.labels).receiver),),
                    startsAt=_milliseconds(one.starts_at),
                    endsAt=_milliseconds(one.ends_at),
                    fingerprint=fingerprint(one.labels),
                )
            )
        silences = {
            one.id: Silence(
                id=one.id,
                status=SilenceStatus(state="active" if one.ends_at > now else "expired"),
                createdBy="ann",
                endsAt=_milliseconds(one.ends_at),
            )
            for one in self.silences.values()
        }
        return Answer(at=now, started_at=self.started_at, alerts=alerts, silences=silences)

    def groups(self, now: datetime) -> list[Group]:
        """Each alert in a group of its own: who asks puts those with the same labels together."""
        return [
            Group(
                labels=_group_labels(self.route(one.labels), one.labels),
                receiver=Receiver(name=self.route(one.labels).receiver),
                alerts=(GroupedAlert(status=Status(state="active", mutedBy=()), fingerprint=fingerprint(one.labels)),),
            )
            for one in self._held(now)
        ]


def _merged(former: Told, new: Told, now: datetime) -> Told:
    """Alerts.Put and Alert.Merge: one whose spans overlap is the same alert, from its earliest start (types.go)."""
    overlap = (former.starts_at < new.ends_at < former.ends_at) or (former.starts_at < new.starts_at < former.ends_at)
    if not overlap:
        return new
    ends_at = new.ends_at
    if new.ends_at <= now:
        if former.ends_at <= now:
            ends_at = max(ends_at, former.ends_at)
    else:
        ends_at = max(ends_at, former.ends_at)
    return replace(new, starts_at=min(former.starts_at, new.starts_at), ends_at=ends_at)


def fingerprint(alert: Labels) -> str:
    return "|".join(f"{name}={value}" for name, value in alert)


def _body(key: GroupKey, route: Route, told: Sequence[tuple[Told, bool]]) -> bytes:
    """Version 4. With `max_alerts` the status, too, is that of the alerts that are shown."""
    shown = told[: route.most] if route.most else told
    return json.dumps(
        {
            "version": "4",
            "groupKey": "/".join(key),
            "receiver": route.receiver,
            "groupLabels": {name: value for name, value in zip(route.group_by, key[1:], strict=True) if value},
            "status": "resolved" if all(over for _, over in shown) else "firing",
            "truncatedAlerts": len(told) - len(shown),
            "alerts": [_letter(alert, over=over) for alert, over in shown],
        }
    ).encode()


def _group_labels(route: Route, alert: Labels) -> dict[str, str]:
    """The labels that an alert has of those that its group is made by (dispatch.go, getGroupLabels)."""
    return {name: value for name, value in alert if name in route.group_by}


def _letter(alert: Told, *, over: bool) -> Mapping[str, Any]:
    return {
        "status": "resolved" if over else "firing",
        "labels": dict(alert.labels),
        "annotations": {"summary": f"It is {alert.value}."},
        "startsAt": alert.starts_at.isoformat(),
        "endsAt": alert.ends_at.isoformat() if over else _STILL,
        "generatorURL": "",
        "fingerprint": fingerprint(alert.labels),
    }


def _milliseconds(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
