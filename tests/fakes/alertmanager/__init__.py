"""One member of an Alertmanager cluster, as far as its API is read: alerts, silences, when it started.

    with FakeAlertmanager(clock) as fake:
        fake.fire("HighErrorRate", pod="a")
        fake.silence("HighErrorRate", by="ann", comment="planned", lasting=timedelta(hours=1))
        fake.restart()          # forgets its alerts, as the real one does
        fake.down = True        # answers nothing but 503
        fake.meanwhile = act    # called once, when it is asked next and before it answers

What it does is held against the real one in tests/e2e/test_reconciliation.py.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from triaged.clock import Clock


@dataclass
class Held:
    """An alert as its sender told it; the API shows milliseconds only."""

    labels: dict[str, str]
    starts_at: datetime
    ends_at: datetime
    receivers: tuple[str, ...]
    state: str = "active"
    inhibited_by: tuple[str, ...] = ()


@dataclass
class FakeAlertmanager:
    """Stateful; its time is the test's clock."""

    clock: Clock
    alerts: dict[str, Held] = field(default_factory=dict)
    silences: dict[str, dict[str, Any]] = field(default_factory=dict)
    down: bool = False
    garbage: bytes | None = None
    authorization: str | None = None
    meanwhile: Callable[[], object] | None = None

    def __post_init__(self) -> None:
        self.started_at = self.clock.now() - timedelta(days=1)
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.authorization = self.headers.get("authorization")
                status, body = fake.answer(self.path)
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def fire(self, name: str, *, starts: datetime, receiver: str = "triaged", **labels: str) -> str:
        """Hold an alert for four minutes more, as a Prometheus that is heard lets it; its fingerprint."""
        told = {"alertname": name, "severity": "critical", "cluster": "eu-1", **labels}
        fingerprint = f"{abs(hash(tuple(sorted(told.items())))):016x}"[:16]
        ends_at = self.clock.now() + timedelta(days=30)
        self.alerts[fingerprint] = Held(labels=told, starts_at=starts, ends_at=ends_at, receivers=(receiver,))
        return fingerprint

    def end(self, fingerprint: str) -> None:
        """The alert has ended: the API shows it no more, at once."""
        del self.alerts[fingerprint]

    def silence(self, name: str, *, by: str, comment: str, lasting: timedelta) -> str:
        """Silence all alerts of that name; the silence's id."""
        ref = f"silence-{len(self.silences) + 1}"
        ends_at = self.clock.now() + lasting
        self.silences[ref] = {"name": name, "by": by, "comment": comment, "ends_at": ends_at}
        return ref

    def expire(self, ref: str) -> None:
        self.silences[ref]["ends_at"] = self.clock.now()

    def restart(self) -> None:
        self.started_at = self.clock.now()
        self.alerts.clear()

    def answer(self, path: str) -> tuple[int, bytes]:
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            happens()
        if self.down:
            return 503, b"{}"
        if self.garbage is not None:
            return 200, self.garbage
        match path.removeprefix("/api/v2/"):
            case "status":
                return 200, json.dumps({"uptime": _shown(self.started_at), "versionInfo": {}}).encode()
            case "alerts":
                return 200, json.dumps(
                    [self._alert(*pair) for pair in self.alerts.items() if self._held(pair[1])]
                ).encode()
            case "silences":
                return 200, json.dumps([self._silence(*pair) for pair in self.silences.items()]).encode()
            case _:
                return 404, b"{}"

    def _held(self, held: Held) -> bool:
        return held.ends_at > self.clock.now()

    def _alert(self, fingerprint: str, held: Held) -> dict[str, Any]:
        now = self.clock.now()
        silenced = [
            ref
            for ref, one in self.silences.items()
            if one["name"] == held.labels["alertname"] and one["ends_at"] > now
        ]
        state = "suppressed" if silenced or held.inhibited_by else held.state
        return {
            "labels": held.labels,
            "annotations": {"summary": "Some requests fail."},
            "startsAt": _shown(held.starts_at),
            "endsAt": _shown(held.ends_at),
            "updatedAt": _shown(now),
            "fingerprint": fingerprint,
            "generatorURL": "http://prometheus.example.com/graph?g0.expr=up",
            "receivers": [{"name": name} for name in held.receivers],
            "status": {"state": state, "silencedBy": silenced, "inhibitedBy": list(held.inhibited_by)},
        }

    def _silence(self, ref: str, one: dict[str, Any]) -> dict[str, Any]:
        state = "active" if one["ends_at"] > self.clock.now() else "expired"
        return {
            "id": ref,
            "status": {"state": state},
            "createdBy": one["by"],
            "comment": one["comment"],
            "endsAt": _shown(one["ends_at"]),
        }


def _shown(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
