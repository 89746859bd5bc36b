"""The whole daemon in virtual time: the real wiring, store and GitHub client; only clock and threads are the test's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fakes.github import FakeGitHub
from migrated import lay_store
from triaged import defaults
from triaged.app import App
from triaged.clock import FakeClock
from triaged.config import BackendSettings, GitHubSettings, LocalSettings, Settings
from triaged.core.events import Act
from triaged.core.model import Actor, ActorKind, Incident
from triaged.intake.units import Answer, Ask, Delivery
from triaged.ports.store import IncidentRow, Wanted

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ANN = Actor(name="ann", kind=ActorKind.PERSON)
_STEPS = 20_000
_LONG = timedelta(hours=6)


def alert(name: str = "HighErrorRate", status: str = "firing", **more: Any) -> dict[str, Any]:
    """An alert as Alertmanager sends it; `labels` add to the common ones, instants may be datetimes."""
    labels = {"alertname": name, "severity": "critical", "cluster": "eu-1", **more.pop("labels", {})}
    started = more.pop("starts", START)
    ended = more.pop("ends", None)
    return {
        "status": status,
        "labels": labels,
        "annotations": more.pop("annotations", {"summary": "Some requests fail."}),
        "startsAt": started.isoformat(),
        "endsAt": "0001-01-01T00:00:00Z" if ended is None else ended.isoformat(),
        "generatorURL": "http://prometheus.example.com/graph?g0.expr=up",
        **more,
    }


def body(alerts: Iterable[Mapping[str, Any]], **more: Any) -> bytes:
    """A webhook body, version 4."""
    listed = list(alerts)
    status = "firing" if any(one.get("status") == "firing" for one in listed) else "resolved"
    return json.dumps({"version": "4", "status": status, "receiver": "triaged", "alerts": listed, **more}).encode()


class World:
    """A daemon whose time moves only when the test says so."""

    def __init__(self, app: App, clock: FakeClock) -> None:
        self.app = app
        self.clock = clock

    def deliver(self, *alerts: Mapping[str, Any], **more: Any) -> Answer:
        """Post alerts past the HTTP door; the answer after the commit."""
        delivery = Delivery(id="test", source="alertmanager", body=body(alerts, **more))
        return self.app.writer.ask(delivery)

    def act(self, incident_id: int, act: Act) -> Answer:
        return self.app.writer.ask(Ask(incident_id=incident_id, act=act))

    def settle(self) -> None:
        """Let the workers do all that can be done at this instant."""
        self.advance(timedelta())

    def advance(self, span: timedelta) -> None:
        """Let time pass; every worker acts at the instants at which it would."""
        until = self.clock.now() + span
        # Where much time passes, what is days old is forgotten when something else happens, not every ten minutes.
        loops = [loop for loop in self.app.loops if loop is not self.app.retention or span < _LONG]
        for _ in range(_STEPS):
            now = self.clock.now()
            worked = [loop.worker.step(now) for loop in self.app.loops]
            if any(worked):
                continue
            waits = [at for loop in loops if (at := loop.worker.next_at(now)) is not None and at > now]
            next_at = min(waits, default=until)
            if next_at > until or self.clock.now() >= until:
                if self.clock.now() < until:
                    self.clock.move_to(until)
                    continue
                return
            self.clock.move_to(max(next_at, now))
        raise AssertionError(f"the workers did not come to rest until {until}")

    def incidents(self) -> list[Incident]:
        """All opened incidents, oldest first."""
        return [row.incident for row in self.rows()]

    def rows(self) -> list[IncidentRow]:
        with self.app.store.read() as reader:
            return reader.incidents(Wanted(limit=1_000))[::-1]

    def timeline(self, incident_id: int) -> list[str]:
        with self.app.store.read() as reader:
            return [entry.text for entry in reader.timeline(incident_id, 1_000)]


def settings_for(folder: Path, fake: FakeGitHub | None = None) -> Settings:
    """Settings with a store in `folder`, GitHub's fake (or local files) behind, and the shipped rules."""
    backend = BackendSettings(local=LocalSettings(directory=folder / "incidents"))
    if fake is not None:
        # Days pass in these tests; those about what people do there poll as often as a daemon does.
        github = GitHubSettings(
            repository=fake.repository.full_name, api_url=fake.url, token=fake.token, poll_every=timedelta(hours=6)
        )
        backend = BackendSettings(type="github", github=github)
    return Settings(store=f"sqlite:///{folder}/triaged.db", backend=backend)


def polling(folder: Path, fake: FakeGitHub, people: str, **more: object) -> Settings:
    """As a daemon is configured that polls as often as usual; `people` is that section of the shipped services.yaml."""
    settings = settings_for(folder, fake)
    rules = folder / "rules"
    shutil.copytree(defaults.RULES, rules, dirs_exist_ok=True)
    services = rules / "services.yaml"
    services.write_text(services.read_text().partition("\npeople:")[0] + people)
    known = settings.backend.github
    assert known is not None
    backend = settings.backend.model_copy(update={"github": known.model_copy(update={"poll_every": None, **more})})
    return settings.model_copy(update={"backend": backend, "rules": rules})


@contextmanager
def world(settings: Settings, clock: FakeClock) -> Iterator[World]:
    """A daemon on this store, started; afterwards stopped. The same settings again are a restart."""
    _, is_sqlite, name = settings.store.partition("sqlite:///")
    if is_sqlite:
        lay_store(Path(name))
    app = App(settings, clock)
    app.open()
    try:
        yield World(app, clock)
    finally:
        app.stop()
