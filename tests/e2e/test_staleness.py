"""Staleness with a real Alertmanager: its repeats are what the door answers alone, and teach when it is silent."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from e2e.servers import NO_PROXY, Alertmanager, Run
from triaged.clock import FakeClock, SystemClock
from triaged.intake.units import Delivery
from triaged.sources import alertmanager
from waiting import wait_until
from world import START, World, settings_for, world

# The real Alertmanager repeats within seconds; here each of them is two hours.
SECOND = timedelta(hours=2)
Sent = list[tuple[datetime, bytes]]


@pytest.fixture
def receiver() -> Iterator[tuple[str, Sent]]:
    """A webhook's URL, and what came there when."""
    sent: Sent = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.append((SystemClock().now(), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the bodies tell it."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", sent
    server.shutdown()
    server.server_close()
    thread.join()


def fire(server: Alertmanager, pod: str) -> None:
    told = {"labels": {"alertname": "Down", "pod": pod}, "startsAt": SystemClock().now().isoformat()}
    headers = {"Content-Type": "application/json"}
    content = json.dumps([{**told, "endsAt": "2099-01-01T00:00:00Z"}]).encode()
    request = urllib.request.Request(f"{server.url}/api/v2/alerts", content, headers)
    NO_PROXY.open(request, timeout=5).close()


def play(one: World, sent: Sent) -> list[bool]:
    """Let it arrive at its own pace, in hours for seconds; what the door answered alone."""
    alone = []
    began = sent[0][0]
    for at, body in sent:
        one.advance(START + (at - began).total_seconds() * SECOND - one.clock.now())
        digests = alertmanager.digests("alertmanager", body) or []
        alone.append(all(one.app.known.status(digest) for digest in digests))
        if alone[-1]:
            one.app.hearings.answered(digests)
        else:
            assert one.app.writer.ask(Delivery(id="real", source="alertmanager", body=body)).status == 200
        one.settle()
    return alone


def test_a_real_group_teaches_its_repeat_interval_and_its_silence_is_noticed(
    tmp_path: Path, run: Run, receiver: tuple[str, Sent]
) -> None:
    url, sent = receiver
    server = run(Alertmanager(tmp_path, url, group_interval="1s", repeat_interval="1500ms"))
    fire(server, "a")
    wait_until(lambda: len(sent) >= 3, what="two repeats")
    fire(server, "b")
    wait_until(lambda: b'"b"' in sent[-1][1], what="the group that has changed")
    changed = len(sent) - 1
    wait_until(lambda: len(sent) >= changed + 3, what="two repeats of that")
    server.kill()

    with world(settings_for(tmp_path / "daemon"), FakeClock(START)) as one:
        one.settle()
        assert play(one, sent) == [number not in (0, changed) for number in range(len(sent))]
        usual = 2 * SECOND
        one.advance(3 * usual - SECOND)
        assert [row.unheard for row in one.rows()] == [None]
        one.advance(2 * SECOND)
        (row,) = one.rows()
        assert row.unheard is not None
        assert abs(timedelta(seconds=row.unheard.every_seconds) - usual) < SECOND / 2
        assert row.incident.firing == 2
