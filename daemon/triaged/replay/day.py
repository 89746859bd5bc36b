"""A day of alerts as data (`defaults/demo-day.yaml`), turned into Alertmanager's notifications and people's acts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import yaml

from triaged.core.keys import fingerprint
from triaged.rulefiles.words import span

SOURCE: Final = "alertmanager"
"""The source that the day is posted to."""
_ZERO: Final = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something that happens at `at` after the day's start: a sentence, notifications to post, acts to do."""

    at: timedelta
    story: str = ""
    bodies: tuple[dict[str, Any], ...] = ()
    acts: tuple[Mapping[str, Any], ...] = ()


@dataclass(slots=True, kw_only=True)
class _Group:
    """The alerts of one notification, as Alertmanager keeps them: those that fire, and since when."""

    every: timedelta | None
    truncated: int
    firing: dict[str, datetime] = field(default_factory=dict)


class Day:
    """The day of a file, placed at a start (aware, UTC)."""

    def __init__(self, file: Path, start: datetime) -> None:
        told = yaml.safe_load(file.read_text(encoding="utf-8"))
        self.alerts: dict[str, dict[str, Any]] = told["alerts"]
        self._steps: list[dict[str, Any]] = told["day"]
        self._start = start
        self._groups: list[_Group] = []

    def moments(self, until: timedelta) -> Iterator[Moment]:
        """Everything that happens, in order, Alertmanager's repeats included, up to `until` after the start."""
        repeats: list[tuple[timedelta, _Group]] = []
        for step in self._steps:
            at = span(str(step["at"]))
            yield from self._repeats(repeats, min(at, until))
            if at > until:
                return
            bodies = self._step(step, at, repeats)
            yield Moment(at=at, story=step.get("story", ""), bodies=tuple(bodies), acts=tuple(step.get("acts", ())))
        yield from self._repeats(repeats, until)

    def fingerprint(self, alert: str) -> str:
        """Of the alert of that name in the file, as SOURCE sends it."""
        return fingerprint(SOURCE, _labels(self.alerts[alert]))

    def _step(
        self, step: dict[str, Any], at: timedelta, repeats: list[tuple[timedelta, _Group]]
    ) -> list[dict[str, Any]]:
        bodies = []
        if "fire" in step:
            every = span(str(step["repeat_every"])) if "repeat_every" in step else None
            group = _Group(every=every, truncated=int(step.get("truncated", 0)))
            for item in step["fire"]:
                name, started = (item, None) if isinstance(item, str) else (item["alert"], item.get("started"))
                group.firing[name] = self._start + (at if started is None else span(str(started)))
            self._groups.append(group)
            if every is not None:
                repeats.append((at + every, group))
            bodies.append(self._body(group, {}))
        ended: dict[int, dict[str, datetime]] = {}
        for name in step.get("resolve", ()):
            for index, group in enumerate(self._groups):
                if name in group.firing:
                    ended.setdefault(index, {})[name] = group.firing.pop(name)
        bodies.extend(self._body(self._groups[index], gone, self._start + at) for index, gone in ended.items())
        return bodies

    def _repeats(self, repeats: list[tuple[timedelta, _Group]], until: timedelta) -> Iterator[Moment]:
        while repeats:
            repeats.sort(key=lambda repeat: repeat[0])
            at, group = repeats[0]
            if at > until:
                return
            repeats.pop(0)
            if group.firing and group.every is not None:
                yield Moment(at=at, bodies=(self._body(group, {}),))
                repeats.append((at + group.every, group))

    def _body(self, group: _Group, ended: Mapping[str, datetime], end: datetime | None = None) -> dict[str, Any]:
        alerts = [self._alert(name, since, None) for name, since in group.firing.items()]
        alerts += [self._alert(name, since, end) for name, since in ended.items()]
        status = "firing" if group.firing else "resolved"
        return {
            "version": "4",
            "receiver": "triaged",
            "status": status,
            "groupKey": "{}:{demo}",
            "groupLabels": {},
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": "http://alertmanager.example.com",
            "truncatedAlerts": group.truncated,
            "alerts": alerts,
        }

    def _alert(self, name: str, since: datetime, end: datetime | None) -> dict[str, Any]:
        told = self.alerts[name]
        return {
            "status": "firing" if end is None else "resolved",
            "labels": _labels(told),
            "annotations": told.get("annotations", {}),
            "startsAt": since.isoformat(),
            "endsAt": _ZERO if end is None else end.isoformat(),
            "generatorURL": f"http://prometheus.example.com/graph?g0.expr={quote(told.get('query', 'up'))}",
        }


def _labels(told: Mapping[str, Any]) -> dict[str, str]:
    return {label: str(value) for label, value in told["labels"].items()}
