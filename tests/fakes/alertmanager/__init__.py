"""One member of an Alertmanager cluster, as far as its API is used: alerts, silences, when it started.

    with FakeAlertmanager(clock) as fake:
        fake.fire("HighErrorRate", pod="a")
        fake.silence("HighErrorRate", by="ann", comment="planned", lasting=timedelta(hours=1))
        fake.restart()          # forgets its alerts, as the real one does
        fake.down = True        # answers nothing but 503
        fake.meanwhile = act    # called once, when it is asked next and before it answers
        fake.loses = 1          # does what it is told, and cuts the connection instead of answering
        fake.refuses = 400      # answers changes so, and does nothing
        fake.answers = b""      # makes a silence, and answers this instead of its id
    fake.hangs = Event()    # changes nothing and answers no change until that is set
        fake.config = "…"       # what it says of its configuration
        fake.tells_mutes = False  # is older than 0.28

What it does is held against the real one in tests/e2e/test_reconciliation.py.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
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
    muted_by: tuple[str, ...] = ()


@dataclass
class FakeAlertmanager:
    """Stateful; its time is the test's clock."""

    clock: Clock
    alerts: dict[str, Held] = field(default_factory=dict)
    silences: dict[str, dict[str, Any]] = field(default_factory=dict)
    down: bool = False
    garbage: bytes | None = None
    authorization: str | None = None
    loses: int = 0
    refuses: int = 0
    answers: bytes | None = None
    hangs: threading.Event | None = None
    config: str = ""
    group_by: tuple[str, ...] = ("alertname",)
    tells_mutes: bool = True
    asked: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
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

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                self._change(*fake.change(f"POST {self.path}", body))

            def do_DELETE(self) -> None:
                self._change(*fake.change(f"DELETE {self.path}", b""))

            def _change(self, status: int, body: bytes) -> None:
                if fake.loses:
                    fake.loses -= 1
                    self.close_connection = True
                    return
                self.send_response(status)
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
        return self._silenced({"alertname": name}, by=by, comment=comment, ends_at=self.clock.now() + lasting)

    def live(self) -> list[dict[str, Any]]:
        """The silences that have not ended."""
        return [one for one in self.silences.values() if one["ends_at"] > self.clock.now()]

    def change(self, what: str, body: bytes) -> tuple[int, bytes]:
        """Make or end a silence as it is asked by HTTP."""
        self.changes.append(what)
        if self.hangs is not None:
            self.hangs.wait(timeout=30)
        if self.down or self.refuses:
            return self.refuses or 503, b'"told so"'
        if what == "POST /api/v2/silences":
            told = json.loads(body)
            assert all(one["isEqual"] and not one["isRegex"] for one in told["matchers"])
            matchers = {one["name"]: one["value"] for one in told["matchers"]}
            ends_at = datetime.fromisoformat(told["endsAt"])
            if ends_at <= self.clock.now() or not any(matchers.values()):
                return 400, b'"invalid silence"'
            ref = self._silenced(matchers, by=told["createdBy"], comment=told["comment"], ends_at=ends_at)
            return 200, self.answers or json.dumps({"silenceID": ref}).encode()
        ref = what.removeprefix("DELETE /api/v2/silence/")
        if ref not in self.silences:
            return 404, b""
        if self.silences[ref]["ends_at"] <= self.clock.now():
            return 500, json.dumps(f"silence {ref} already expired").encode()
        self.expire(ref)
        return 200, b""

    def _silenced(self, matchers: dict[str, str], *, by: str, comment: str, ends_at: datetime) -> str:
        ref = f"silence-{len(self.silences) + 1}"
        self.silences[ref] = {"matchers": matchers, "by": by, "comment": comment, "ends_at": ends_at}
        return ref

    def expire(self, ref: str) -> None:
        self.silences[ref]["ends_at"] = self.clock.now()

    def restart(self) -> None:
        self.started_at = self.clock.now()
        self.alerts.clear()

    def answer(self, path: str) -> tuple[int, bytes]:
        self.asked.append(path.removeprefix("/api/v2/"))
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            happens()
        if self.down:
            return 503, b"{}"
        if self.garbage is not None:
            return 200, self.garbage
        match path.removeprefix("/api/v2/"):
            case "status":
                told = {"uptime": _shown(self.started_at), "versionInfo": {}, "config": {"original": self.config}}
                return 200, json.dumps(told).encode()
            case "alerts/groups":
                return 200, json.dumps([*self._groups()]).encode()
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
            if one["ends_at"] > now
            and all(held.labels.get(name, "") == value for name, value in one["matchers"].items())
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

    def _groups(self) -> Iterator[dict[str, Any]]:
        for fingerprint, held in self.alerts.items():
            labels = {name: value for name, value in held.labels.items() if name in self.group_by}
            alert = self._alert(fingerprint, held)
            if self.tells_mutes:
                state = "suppressed" if held.muted_by else alert["status"]["state"]
                alert["status"] |= {"mutedBy": list(held.muted_by), "state": state}
            for receiver in alert["receivers"]:
                yield {"labels": labels, "receiver": receiver, "alerts": [alert]}

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
