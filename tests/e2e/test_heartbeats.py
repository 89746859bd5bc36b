"""Heartbeats with real parts: the documented route keeps a Watchdog arriving, and a dead Alertmanager is noticed."""

from __future__ import annotations

import json
import re
import urllib.request
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from e2e.servers import NO_PROXY, Alertmanager, Run
from process.daemon import Daemon
from triaged.rulefiles.words import span
from waiting import wait_until
from web_desk import RULES
from world import alert, body

ROOT = Path(__file__).resolve().parents[2]
# A hundredth of what the documents say: five minutes become three seconds.
FASTER = 100
MISSED = (
    "{name: blind, match: ['alertname=\"HeartbeatMissed\"'], impact: extensive, urgency: critical, because: Blind.}"
)


def documented(key: str) -> timedelta:
    """A time of the route for the Watchdog in the documents."""
    found = re.search(rf"^ +{key}: (\w+)", (ROOT / "docs" / "heartbeats.md").read_text(), re.MULTILINE)
    assert found, f"expected {key} in docs/heartbeats.md"
    return span(found[1])


def faster(key: str) -> str:
    return f"{documented(key).total_seconds() / FASTER * 1_000:.0f}ms"


def folder_of(tmp_path: Path, heartbeats: str) -> str:
    rules = tmp_path / "rules"
    rules.mkdir()
    for name, text in RULES.items():
        (rules / name).write_text(text + f"- {MISSED}\n" if name == "triage.yaml" else text)
    (rules / "heartbeats.yaml").write_text(heartbeats)
    (tmp_path / "daemon").mkdir()
    return str(rules)


def fire(alertmanager: Alertmanager) -> None:
    """As Prometheus does: its Watchdog, good for an hour."""
    watchdog = {
        "labels": {"alertname": "Watchdog", "severity": "none", "cluster": "eu-1"},
        "endsAt": "2099-01-01T00:00:00Z",
    }
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{alertmanager.url}/api/v2/alerts", json.dumps([watchdog]).encode(), headers)
    NO_PROXY.open(request, timeout=5).close()


def seen(daemon: Daemon) -> float:
    return daemon.metric("triaged_heartbeat_last_seen_timestamp_seconds")


def test_the_documented_route_keeps_a_watchdog_arriving_and_a_dead_alertmanager_is_a_sev1(
    tmp_path: Path, run: Run
) -> None:
    every = 3
    watchdog = (
        f"watchdog: {{match: ['alertname=\"Watchdog\"'], every: {every}s, grace: 2s, by: [cluster], unheard: wait}}\n"
    )
    with Daemon(tmp_path / "daemon", rules=folder_of(tmp_path, watchdog)) as daemon:
        alertmanager = run(
            Alertmanager(
                tmp_path,
                f"{daemon.url}/api/v1/alerts/alertmanager",
                group_by="[alertname, cluster]",
                group_wait=faster("group_wait"),
                group_interval=faster("group_interval"),
                repeat_interval=faster("repeat_interval"),
            )
        )
        fire(alertmanager)
        arrivals = [wait_until(lambda: seen(daemon), what="the first Watchdog")]
        for _ in range(2):
            last = arrivals[-1]
            arrivals.append(wait_until(lambda: (at := seen(daemon)) > last and at, what="the next Watchdog"))  # noqa: B023
        gaps = [later - earlier for earlier, later in pairwise(arrivals)]
        assert max(gaps) <= every + 0.5, f"expected a Watchdog every {every} s, got {gaps}"
        assert daemon.incidents() == []

        alertmanager.kill()
        (incident,) = wait_until(daemon.incidents, what="the incident that monitoring is blind")
        assert (incident["severity"], incident["state"]) == ("sev1", "open")

        run(alertmanager)
        fire(alertmanager)
        wait_until(lambda: daemon.incidents()[0]["state"] == "verifying", what="the heartbeat to be heard again")


def test_repeats_are_heard_through_the_real_door_and_alerts_beside_them_are_known_there(tmp_path: Path) -> None:
    watchdog = "watchdog: {match: ['alertname=\"Watchdog\"'], every: 1h, unheard: wait}\n"
    with Daemon(tmp_path / "daemon", rules=folder_of(tmp_path, watchdog)) as daemon:
        same = body([alert("Watchdog")])
        assert daemon.deliver(same).json()["alerts"] == {"heartbeat": 1}
        first = seen(daemon)
        assert daemon.deliver(same).json()["alerts"] == {"heartbeat": 1}
        assert seen(daemon) > first
        both = body([alert("Down"), alert("Watchdog")])
        daemon.deliver(both)
        assert daemon.deliver(both).json()["alerts"] == {"heartbeat": 1, "unchanged": 1}
        assert daemon.deliver(body([alert("Down")])).json().get("alerts") is None, "known at the door"
        assert daemon.post("/api/v1/heartbeats/watchdog").json()["seen_at"]
        assert [one["title"] for one in daemon.incidents()] == ["Down"]
