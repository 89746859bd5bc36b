"""Reconciliation with real Alertmanagers: our downtime, their restarts, silences, inhibitions, a cluster, a long group.

The daemon's clock is the test's and starts at the real time, as a real Alertmanager's ages and ends are real.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from e2e.servers import NO_PROXY, Alertmanager, Run, free_address
from fakes.alertmanager import FakeAlertmanager
from triaged.clock import FakeClock, SystemClock
from triaged.config import AlertmanagerSettings
from triaged.core.model import State
from triaged.intake.units import Delivery
from waiting import wait_until
from world import World, settings_for, world

PARTS = ["alertmanager", "alertmanager-utf8"]
MINUTE = timedelta(minutes=1)
CONFIG = """
route:
  receiver: elsewhere
  group_by: [alertname]
  routes:
  - {{receiver: triaged, matchers: ['team="shop"'], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
{muting}receivers:
- name: elsewhere
- name: triaged
  webhook_configs: [{{url: '{url}', max_alerts: {most}}}]
{intervals}inhibit_rules:
- {{source_matchers: ['alertname="NodeDown"'], target_matchers: ['alertname="Slow"'], equal: [cluster]}}
"""


MUTING = """  - receiver: triaged
    group_wait: 1s
    matchers: ['team="night"']
    mute_time_intervals: [always]
"""
INTERVALS = """time_intervals:
- {name: always, time_intervals: [{weekdays: ['sunday:saturday']}]}
"""


class Real(Alertmanager):
    """One of a cluster, or alone; `peer` is another one's cluster address."""

    def __init__(
        self,
        folder: Path,
        part: str,
        *,
        url: str = "http://127.0.0.1:9/",
        most: int = 0,
        peer: str = "",
        mutes: bool = False,
    ) -> None:
        self.part = part
        super().__init__(folder, url)
        muting, intervals = (MUTING, INTERVALS) if mutes else ("", "")
        (self.folder / "alertmanager.yml").write_text(
            CONFIG.format(url=url, most=most, muting=muting, intervals=intervals)
        )
        self.cluster = free_address()
        self.peer = peer

    def command(self) -> list[str]:
        joined = [f"--cluster.peer={self.peer}"] if self.peer else []
        own = [one for one in super().command() if "cluster" not in one]
        return [*own, f"--cluster.listen-address={self.cluster}", "--cluster.settle-timeout=1s", *joined]

    def post(self, path: str, value: Any) -> Any:
        data, headers = json.dumps(value).encode(), {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.url}/api/v2/{path}", data, headers, method="POST")
        with NO_PROXY.open(request, timeout=5) as answer:
            return json.loads(answer.read() or b"null")

    def fire(self, name: str, *, lasting: timedelta = timedelta(hours=4), **labels: str) -> None:
        """As a Prometheus would; a negative span ends the alert."""
        told = {"alertname": name, "cluster": "eu-1", "team": "shop", "severity": "critical", **labels}
        now = datetime.now(UTC)  # noqa: TID251 - the real server's clock is real
        starts, ends = now - timedelta(hours=1), now + lasting
        says = {"annotations": {"summary": "It fires."}, "generatorURL": "http://prometheus.example.com/graph"}
        span = {"startsAt": starts.isoformat(), "endsAt": ends.isoformat()}
        self.post("alerts", [{"labels": told, **says, **span}])

    def silence(self, name: str) -> None:
        now = datetime.now(UTC)  # noqa: TID251 - as above
        matcher = {"name": "alertname", "value": name, "isRegex": False, "isEqual": True}
        span = {"startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=2)).isoformat()}
        self.post("silences", {"matchers": [matcher], "createdBy": "ann", "comment": "planned", **span})

    def held(self) -> dict[str, dict[str, Any]]:
        return {one["labels"]["alertname"]: one for one in json.loads(self.get("/api/v2/alerts"))}


@contextmanager
def daemon(folder: Path, clock: FakeClock, *members: Real) -> Iterator[World]:
    entry = AlertmanagerSettings(name="main", urls=tuple(one.url for one in members), receiver="triaged")
    with world(settings_for(folder).model_copy(update={"alertmanagers": (entry,)}), clock) as one:
        one.settle()
        yield one


def states(one: World) -> dict[str, State]:
    return {incident.title.split(" ")[0]: incident.state for incident in one.incidents()}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(SystemClock().now())


@pytest.mark.parametrize("part", PARTS)
def test_what_fired_and_ended_while_we_were_down_is_as_alertmanager_has_it(
    tmp_path: Path, clock: FakeClock, run: Run, part: str
) -> None:
    real = run(Real(tmp_path, part))
    real.fire("Ends")
    real.fire("Stays")
    real.fire("Elsewhere", team="other")
    with daemon(tmp_path, clock, real) as one:
        assert states(one) == {"Ends": State.OPEN, "Stays": State.OPEN}
    real.fire("Ends", lasting=timedelta(seconds=-1))
    real.fire("Begins")
    wait_until(lambda: set(real.held()) == {"Stays", "Begins", "Elsewhere"}, what="the end")
    clock.advance(timedelta(minutes=20))
    with daemon(tmp_path, clock, real) as one:
        assert states(one)["Begins"] is State.OPEN
        one.advance(MINUTE)
        assert states(one) == {"Ends": State.VERIFYING, "Stays": State.OPEN, "Begins": State.OPEN}


@pytest.mark.parametrize("part", PARTS)
def test_one_that_was_killed_ends_nothing_before_it_has_run_for_ten_minutes(
    tmp_path: Path, clock: FakeClock, run: Run, part: str
) -> None:
    real = run(Real(tmp_path, part))
    real.fire("Slow")
    with daemon(tmp_path, clock, real) as one:
        real.kill()
        one.advance(timedelta(minutes=3))
        assert states(one) == {"Slow": State.OPEN}
        clock.move_to(max(clock.now(), SystemClock().now()))
        run(real)
        assert real.held() == {}
        one.advance(timedelta(minutes=5))
        assert states(one) == {"Slow": State.OPEN}
        one.advance(timedelta(minutes=10))
        assert states(one) == {"Slow": State.VERIFYING}


@pytest.mark.parametrize("part", PARTS)
def test_silences_and_inhibitions_are_shown_and_open_nothing(
    tmp_path: Path, clock: FakeClock, run: Run, part: str
) -> None:
    real = run(Real(tmp_path, part))
    real.fire("Slow")
    real.fire("Full")
    with daemon(tmp_path, clock, real) as one:
        real.silence("Full")
        real.silence("Quiet")
        real.fire("Quiet")
        real.fire("NodeDown", team="other")
        wait_until(
            lambda: [real.held()[name]["status"]["state"] for name in ("Slow", "Full", "Quiet")] == ["suppressed"] * 3,
            what="all three to be suppressed",
        )
        one.advance(3 * MINUTE)
        # A silence over all that fires is somebody's act, an inhibition is nobody's.
        assert states(one) == {"Slow": State.OPEN, "Full": State.ACKNOWLEDGED}
        told = [text for incident in one.incidents() for text in one.timeline(incident.id)]
        assert "inhibited by NodeDown" in told
        assert [text for text in told if text.startswith("silenced by ann until") and text.endswith(": planned")]


@pytest.mark.parametrize("part", PARTS)
def test_a_member_that_restarted_does_not_hide_what_its_peer_holds(
    tmp_path: Path, clock: FakeClock, run: Run, part: str
) -> None:
    first = run(Real(tmp_path / "a", part))
    second = run(Real(tmp_path / "b", part, peer=first.cluster))
    for member in (first, second):
        member.fire("Slow")
    second.fire("Seen")
    with daemon(tmp_path, clock, first, second) as one:
        first.kill()
        run(first)
        one.advance(timedelta(minutes=30))
        assert states(one) == {"Slow": State.OPEN, "Seen": State.OPEN}
        second.fire("Seen", lasting=timedelta(seconds=-1))
        wait_until(lambda: set(second.held()) == {"Slow"}, what="the end")
        one.advance(2 * MINUTE)
        assert states(one) == {"Slow": State.OPEN, "Seen": State.VERIFYING}


@pytest.mark.parametrize("part", PARTS)
def test_a_group_cut_by_max_alerts_is_completed(tmp_path: Path, clock: FakeClock, run: Run, part: str) -> None:
    bodies: list[bytes] = []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    with HTTPServer(("127.0.0.1", 0), Webhook) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        real = run(Real(tmp_path, part, url=f"http://127.0.0.1:{server.server_port}/", most=2))
        with daemon(tmp_path, clock, real) as one:
            for pod in "abcde":
                real.fire("Slow", pod=pod)
            wait_until(lambda: any(json.loads(body)["truncatedAlerts"] == 3 for body in bodies), what="a cut group")
            last = next(body for body in bodies if json.loads(body)["truncatedAlerts"] == 3)
            one.app.writer.ask(Delivery(id="cut", source="alertmanager", body=last))
            one.advance(timedelta(seconds=5))
            assert [incident.firing for incident in one.incidents()] == [5]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("part", PARTS)
def test_the_fake_answers_in_the_form_of_the_real_one(tmp_path: Path, clock: FakeClock, run: Run, part: str) -> None:
    real = run(Real(tmp_path, part))
    real.silence("Slow")
    real.fire("Slow")
    wait_until(lambda: real.held()["Slow"]["status"]["silencedBy"], what="the silence")
    with FakeAlertmanager(clock) as fake:
        fake.silence("Slow", by="ann", comment="planned", lasting=timedelta(hours=2))
        fake.fire("Slow", starts=clock.now())
        for path in ("alerts", "silences", "status"):
            theirs = json.loads(real.get(f"/api/v2/{path}"))
            _, body = fake.answer(f"/api/v2/{path}")
            assert shape(json.loads(body)) <= shape(theirs), path


def shape(value: Any, at: str = "") -> set[str]:
    """Every path in a JSON value, with the kind of what is there; labels are the test's."""
    if isinstance(value, dict):
        return {one for name, inner in value.items() if name != "labels" for one in shape(inner, f"{at}.{name}")} | {at}
    if isinstance(value, list):
        return {one for inner in value for one in shape(inner, f"{at}[]")} | {at}
    return {f"{at}: {type(value).__name__}"}


@pytest.mark.parametrize("part", PARTS)
def test_what_a_real_mute_time_mutes_does_not_open(tmp_path: Path, clock: FakeClock, run: Run, part: str) -> None:
    real = run(Real(tmp_path, part, mutes=True))
    real.fire("Muted", team="night")
    real.fire("Heard")
    tells = part == "alertmanager-utf8"
    if tells:
        wait_until(lambda: b'"mutedBy":["always"]' in real.get("/api/v2/alerts/groups"), what="the group to wait")
    with daemon(tmp_path, clock, real) as one:
        one.advance(3 * MINUTE)
        # 0.25 does not tell what it mutes now: of it nothing opens that was missed.
        assert states(one) == ({"Heard": State.OPEN} if tells else {})
        (doubt,) = one.app._reconcile.unreadable() or ("",)
        assert ("mutes times" in doubt) is not tells
