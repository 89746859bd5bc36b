"""One test after the other, each played in a world of its own until something comes that was not expected."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Self

from msgspec import structs

from triaged.clock import seconds
from triaged.core.events import MergeAsked
from triaged.core.heartbeats import heartbeat_of
from triaged.core.model import Alert, AlertStatus, Incident, Verdict
from triaged.errors import PayloadError, StoreError
from triaged.explaining.former import Former
from triaged.intake.units import Answer, Ask, Delivery, Rules
from triaged.ports.mapping import SourceMapping
from triaged.ports.store import Fate, Wanted
from triaged.replay.notified import Notified
from triaged.replay.ruletests.cases import Case, Do, Fire, Firing, Labels, Post, Resolve, Says, Step, Want
from triaged.replay.ruletests.expecting import COUNTS, EXPECTATIONS, Scene
from triaged.replay.ruletests.health import Health
from triaged.replay.ruletests.outcomes import Failure, Judged, Problem, Result
from triaged.replay.ruletests.wording import in_words, shown
from triaged.replay.together import call_together
from triaged.replay.world import World, empty_store
from triaged.sources import alertmanager, mapped
from triaged.store.reading import Reader
from triaged.store.store import Store

_MOST: Final = 100_000
_STILL: Final = "0001-01-01T00:00:00Z"
"""Alertmanager's end of what has not ended."""


class _Refused(Exception):  # noqa: N818 - never leaves the module: a step that cannot be done
    pass


class Runner:
    """Runs tests by one rule set. A context manager; its worlds share one store, emptied for each."""

    def __init__(self, rules: Rules, sources: Mapping[str, SourceMapping]) -> None:
        self._rules = rules
        self._sources = sources
        self._former = Former()
        self._empty = empty_store()
        self._store = Store("sqlite://")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._empty.close()
        self._store.close()

    def run(self, case: Case) -> Result:
        began = seconds()
        self._store.become(self._empty)
        sources = {f.source for step in case.steps if isinstance(step.does, Fire) for f in step.does.firings}
        sources |= {step.does.source for step in case.steps if isinstance(step.does, Post)}
        readers = dict.fromkeys(sources, alertmanager.read)
        notified = Notified()

        def heed(world: World) -> None:
            call_together(world, self._former)
            notified.take_up(world)

        health = Health(self._rules.rule_set)
        asked = health.units if any(isinstance(step.does, Says) for step in case.steps) else None
        with World(self._rules, case.start, readers=readers, store=self._store, heed=heed, health=asked) as world:
            play = _Play(
                world=world,
                rules=self._rules,
                sources=self._sources,
                start=case.start,
                notified=notified,
                heed=heed,
                health=health,
            )
            failure = next(filter(None, map(play.step, case.steps)), None)
            grown = play.grown()
        matched = frozenset(play.matched)
        return Result(case=case, failure=failure, matched=matched, grown=grown, seconds=seconds() - began)


@dataclass(slots=True, kw_only=True)
class _Play:
    """One test while it runs.

    `fired` are the alerts as they last fired, the newest last; `firing` says since when those fire that do.
    """

    world: World
    rules: Rules
    sources: Mapping[str, SourceMapping]
    start: datetime
    notified: Notified
    heed: Callable[[World], object]
    health: Health
    fired: dict[str, Judged] = field(default_factory=dict)
    firing: dict[str, datetime] = field(default_factory=dict)
    matched: set[str] = field(default_factory=set)
    growing: set[str] = field(default_factory=set)

    def step(self, step: Step) -> Failure | None:
        """Let time pass until the step, do it and look; what was not as expected, if anything."""
        try:
            self.world.advance(step.at)
            self._do(step)
            self._tell_health()
            self.heed(self.world)
            scene = self._scene(step) if step.wants else None
        except (_Refused, StoreError) as error:
            return self._failure(step, [Problem(place=step.place, text=str(error))])
        problems = [] if scene is None else [_problem(want, scene) for want in step.wants if not _holds(want, scene)]
        return self._failure(step, problems) if problems else None

    def grown(self) -> frozenset[str]:
        """The growth conditions that held in any incident of the test."""
        if not self.growing:
            return frozenset()
        with self.world.store.read() as reader:
            opened = [row.incident for row in reader.incidents(Wanted(limit=_MOST))]
            incidents = [*opened, *reader.pending(_MOST)]
        return frozenset(ref for incident in incidents for ref in incident.grown)

    # ---- what a step does

    def _do(self, step: Step) -> None:
        match step.does:
            case Fire(firings=firings):
                for source in dict.fromkeys(firing.source for firing in firings):
                    self._fire(source, [firing for firing in firings if firing.source == source])
            case Post(source=source, body=body):
                self._post(source, body)
            case Resolve(among=among):
                self._resolve(among)
            case Do(act=MergeAsked() as act, into=into):
                merged = structs.replace(act, into=self._one_incident(into))
                self._ask(Ask(incident_id=self._one_incident(step.of), act=merged))
            case Do(act=act):
                self._ask(Ask(incident_id=self._one_incident(step.of), act=act))
            case Says(values=values):
                self._say(values)
            case None:
                """A step that only looks."""

    def _say(self, values: Mapping[str, float | None]) -> None:
        unknown = self.health.unknown(values)
        if unknown:
            raise _Refused(f"health: expected a query that services.yaml has under `healthy`, got {unknown[0]}")
        # Until now they said what they said before.
        self._tell_health()
        self.health.says(values)

    def _tell_health(self) -> None:
        self.world.ask(*self.health.units(self.world))

    def _fire(self, source: str, firings: Iterable[Firing]) -> None:
        now = self.world.clock.now()
        bodies = []
        for firing in firings:
            since = firing.starts_at or self.firing.get(_read(source, _alert(firing, now)).fingerprint, now)
            body = _alert(firing, since)
            bodies.append(body)
            self._fires(_read(source, body), since)
        self._deliver(source, _body(bodies))

    def _post(self, source: str, body: bytes) -> None:
        """What the source's mapping makes of a body; it is delivered in the form in which it is kept."""
        mapping = self.sources.get(source)
        if mapping is None:
            known = ", ".join(self.sources) or "none"
            raise _Refused(f"post: expected source: one of sources/ ({known}), got {source}")
        try:
            reading = mapped.reader(mapping)(source, body)
        except PayloadError as error:
            raise _Refused(f"post: {error}") from error
        if reading.rejected:
            raise _Refused(f"post: an alert is unreadable: {reading.rejected[0].text}")
        for alert in reading.alerts:
            if alert.status is AlertStatus.FIRING:
                self._fires(alert, self.firing.get(alert.fingerprint, self.world.clock.now()))
            else:
                self.firing.pop(alert.fingerprint, None)
        self._deliver(source, alertmanager.kept(alert.raw for alert in reading.alerts))

    def _fires(self, alert: Alert, since: datetime) -> None:
        self.fired.pop(alert.fingerprint, None)
        self.fired[alert.fingerprint] = judged = Judged(alert=alert, at=self.world.clock.now())
        self.firing[alert.fingerprint] = since
        if heartbeat_of(self.rules.rule_set.heartbeats, alert) is not None:
            return
        verdict = self._verdict(judged)
        self.matched.update(verdict.matched)
        self.growing.update(verdict.growing)

    def _resolve(self, among: Collection[Labels]) -> None:
        ended: dict[str, list[dict[str, Any]]] = {}
        for labels in among:
            found = [f for f in self.firing if labels.items() <= self.fired[f].alert.labels.items()]
            if not found:
                raise _Refused(f"resolve: nothing fires {f'with {in_words(labels)}' if labels else 'any more'}")
            for fingerprint in found:
                alert, since = self.fired[fingerprint].alert, self.firing.pop(fingerprint)
                ended.setdefault(alert.source, []).append(_alert(alert, since, self.world.clock.now()))
        for source, bodies in ended.items():
            self._deliver(source, _body(bodies))

    def _deliver(self, source: str, body: bytes) -> None:
        answer = self._ask(Delivery(id="test", source=source, body=body))
        if failed := answer.counts.get(Fate.FAILED, 0):
            raise _Refused(f"{failed} of these alerts could not be taken in: that is a bug of triaged")

    def _ask(self, unit: Ask | Delivery) -> Answer:
        (answer,) = self.world.ask(unit)
        if answer.status >= 300:
            raise _Refused(answer.error)
        return answer

    # ---- what is to be seen

    def _verdict(self, judged: Judged) -> Verdict:
        return self.rules.rule_set.judge(judged.alert, judged.at)

    def _meant(self, of: Labels | None) -> list[Judged]:
        """The alerts of the test that have these labels among their own, the newest last."""
        labels = of or {}
        return [judged for judged in self.fired.values() if labels.items() <= judged.alert.labels.items()]

    def _incident(self, of: Labels | None) -> Incident | None:
        """The one incident of these alerts; several are a question that only the test can answer."""
        meant = self._meant(of)
        with self.world.store.read() as reader:
            ids = set(reader.incidents_of(judged.alert.fingerprint for judged in meant).values())
            if of and not meant:
                # The daemon has alerts of its own: that of a storm, for one.
                opened = [row.incident.id for row in reader.incidents(Wanted(limit=_MOST))]
                ids = {i for i in opened if any(of.items() <= labels.items() for labels in _alerts_of(reader, i))}
        if of and not meant and not ids:
            raise _Refused(f"no alert with {in_words(of)} has fired")
        if len(ids) > 1:
            names = ", ".join(f"INC-{number}" for number in sorted(ids))
            raise _Refused(f"expected one incident, got {names}: say which by its alerts, like of: {{alertname: X}}")
        return self.world.incident(ids.pop()) if ids else None

    def _one_incident(self, of: Labels | None) -> int:
        incident = self._incident(of)
        if incident is None:
            raise _Refused("there is no incident to act on")
        return incident.id

    def _scene(self, step: Step) -> Scene:
        scene = Scene(start=self.start)
        names = {want.name for want in step.wants}
        if names & COUNTS:
            with self.world.store.read() as reader:
                opened = [row.incident for row in reader.incidents(Wanted(limit=_MOST))]
            issues = sum(incident.round > 0 for incident in opened)
            scene = replace(scene, opened=len(opened), issues=issues)
        return self._look(step, scene) if names - COUNTS else scene

    def _look(self, step: Step, scene: Scene) -> Scene:
        """The scene with the one incident that the step is about."""
        meant = self._meant(step.of)
        incident = self._incident(step.of)
        verdict = self._verdict(meant[-1]) if meant else None
        if incident is None:
            return replace(scene, verdict=verdict)
        with self.world.store.read() as reader:
            return replace(
                scene,
                verdict=verdict,
                incident=incident,
                parent_alerts=() if incident.parent is None else _alerts_of(reader, incident.parent),
                due={deadline.kind: deadline.due_at for deadline in reader.deadlines(incident.id)},
                timeline=tuple(entry.text for entry in reader.timeline(incident.id, _MOST)),
                notified=self.notified.of(incident.id),
            )

    def _failure(self, step: Step, problems: Iterable[Problem]) -> Failure:
        try:
            alerts, incident = self._meant(step.of), self._incident(step.of)
        except _Refused:
            alerts, incident = self._meant(None), None
        with self.world.store.read() as reader:
            entries = [] if incident is None else reader.timeline(incident.id, _MOST)
        return Failure(
            step=step,
            problems=tuple(problems),
            alerts=tuple(alerts),
            incident=incident,
            timeline=tuple((entry.at, entry.text) for entry in entries),
        )


def _alerts_of(reader: Reader, incident_id: int) -> tuple[Labels, ...]:
    episodes = [e for firing in (True, False) for e in reader.episodes(incident_id, firing=firing, limit=_MOST)]
    return tuple(episode.labels for episode in episodes)


def _holds(want: Want, scene: Scene) -> bool:
    expectation = EXPECTATIONS[want.name]
    return expectation.holds(want.value, expectation.see(scene))


def _problem(want: Want, scene: Scene) -> Problem:
    seen = EXPECTATIONS[want.name].see(scene)
    came = "no such entry" if want.name == "timeline" else shown(seen, scene.start)
    return Problem(place=want.place, text=f"{want.name}: expected {shown(want.value, scene.start)}, got {came}")


# ---------------------------------------------------------------- what is sent


def _alert(alert: Firing | Alert, starts_at: datetime, ends_at: datetime | None = None) -> dict[str, Any]:
    """The alert as Alertmanager sends it: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config."""
    return {
        "status": "firing" if ends_at is None else "resolved",
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": starts_at.isoformat(),
        "endsAt": _STILL if ends_at is None else ends_at.isoformat(),
    }


def _body(alerts: list[dict[str, Any]]) -> bytes:
    return json.dumps({"version": "4", "alerts": alerts}).encode(errors="surrogatepass")


def _read(source: str, alert: dict[str, Any]) -> Alert:
    reading = alertmanager.read(source, _body([alert]))
    if reading.rejected:
        raise _Refused(reading.rejected[0].text)
    return reading.alerts[0]
