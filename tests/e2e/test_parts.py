"""The harness itself: a real rule fires, a real Alertmanager delivers, and it resolves."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from e2e.servers import Alertmanager, Prometheus, Run
from waiting import wait_until

RULES = """
groups:
- name: test
  rules:
  - alert: CheckoutDown
    expr: {expression}
    labels: {{severity: critical, service: checkout}}
    annotations: {{summary: Nobody can pay}}
"""


class Receiver:
    """Takes Alertmanager's webhook and keeps every body, in order of arrival."""

    def __init__(self) -> None:
        bodies = self.bodies = list[dict[str, Any]]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: the bodies tell it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def first(self, status: str) -> dict[str, Any]:
        """The first body of that status, waited for."""
        return wait_until(
            lambda: next((body for body in self.bodies if body["status"] == status), None) or {},
            what=f"a body that is {status}",
        )


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()


def test_a_rule_that_fires_is_delivered_and_so_is_its_end(tmp_path: Path, receiver: Receiver, run: Run) -> None:
    alertmanager = run(Alertmanager(tmp_path, receiver.url))
    rules = RULES.format(expression="vector(1)")
    prometheus = run(Prometheus(tmp_path, rules, alertmanager_address=alertmanager.address))

    firing = receiver.first("firing")
    assert firing["version"] == "4"
    assert firing["receiver"] == "triaged"
    (alert,) = firing["alerts"]
    assert alert["labels"] == {"alertname": "CheckoutDown", "severity": "critical", "service": "checkout"}
    assert alert["endsAt"] == "0001-01-01T00:00:00Z"

    prometheus.use_rules(RULES.format(expression="vector(1) > 1"))

    (resolved,) = receiver.first("resolved")["alerts"]
    assert resolved["status"] == "resolved"
    assert resolved["fingerprint"] == alert["fingerprint"]
    assert resolved["startsAt"] == alert["startsAt"]


def test_an_alertmanager_that_was_killed_comes_back_at_the_same_address(
    tmp_path: Path, receiver: Receiver, run: Run
) -> None:
    alertmanager = run(Alertmanager(tmp_path, receiver.url))
    address = alertmanager.address

    alertmanager.kill()
    run(alertmanager)

    assert alertmanager.address == address
    assert alertmanager.is_ready()


def test_rules_that_cannot_be_read_are_refused_with_prometheus_words(tmp_path: Path, run: Run) -> None:
    rules = RULES.format(expression="vector(1)")
    prometheus = run(Prometheus(tmp_path, rules, alertmanager_address="127.0.0.1:9"))

    with pytest.raises(RuntimeError, match="refused its files"):
        prometheus.use_rules("groups: 7")
