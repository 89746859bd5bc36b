"""The door's process beside the daemon's: neither outlives the other, and both tell one story."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from process.daemon import Daemon
from triaged.door.server import MOST_HEADING_BYTES
from triaged.web.limits import MOST_BYTES
from waiting import wait_until
from web_desk import RULES
from world import alert, body

TOOL = "labels: {alertname: title, grave: grave}\nstatus: state\n"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    rules = tmp_path / "rules"
    rules.mkdir()
    for name, text in RULES.items():
        (rules / name).write_text(text)
    with Daemon(tmp_path, rules="rules") as one:
        yield one


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_door_ends_with_its_daemon_and_the_next_daemon_takes_its_place(daemon: Daemon) -> None:
    (door,) = daemon.children()
    daemon.deliver(body([alert("Before")]))
    daemon.end(signal.SIGKILL)
    daemon.start()
    assert not alive(door)
    assert "alerts" not in daemon.deliver(body([alert("Before")])).json(), "it is known again after the restart"


def test_without_its_door_the_daemon_ends_so_that_whoever_watches_starts_it_anew(daemon: Daemon) -> None:
    daemon.deliver(body([alert("Before")]))
    (door,) = daemon.children()
    os.kill(door, signal.SIGKILL)
    assert daemon.wait() == 1
    assert "the door ended by itself" in daemon.log.read_text()
    daemon.start()
    assert [incident["alerts"] for incident in daemon.incidents()] == [1]


def test_ctrl_c_reaches_both_and_the_daemon_decides(daemon: Daemon) -> None:
    (door,) = daemon.children()
    os.kill(door, signal.SIGINT)
    os.kill(door, signal.SIGTERM)
    assert daemon.deliver(body([alert("Still taken")])).status_code == 200
    assert daemon.end(signal.SIGINT) == 0
    assert not alive(door)
    assert "Traceback" not in daemon.log.read_text()


def test_a_reload_opens_and_closes_doors(daemon: Daemon) -> None:
    tool = {"content": b'{"state": "firing", "title": "Pump stands"}'}
    assert daemon.post("/api/v1/alerts/tool", **tool).status_code == 404
    sources = daemon.folder / "rules" / "sources"
    sources.mkdir()
    (sources / "tool.yaml").write_text(TOOL)
    assert daemon.post("/-/reload").status_code == 200
    wait_until(lambda: daemon.post("/api/v1/alerts/tool", **tool).status_code == 200, what="the new door to be open")
    assert daemon.metric("triaged_alerts_received_total") >= 1
    (sources / "tool.yaml").unlink()
    assert daemon.post("/-/reload").status_code == 200
    wait_until(lambda: daemon.post("/api/v1/alerts/tool", **tool).status_code == 404, what="the door to be closed")


def test_a_heading_without_end_is_431_and_costs_nobody_else(daemon: Daemon) -> None:
    place = urlsplit(daemon.url)
    with socket.create_connection((place.hostname, place.port), timeout=20) as sender:
        sender.sendall(b"POST /api/v1/alerts/alertmanager HTTP/1.1\r\nhost: localhost\r\nx-long: ")
        answer = b""
        try:
            for _ in range(100):
                sender.sendall(b"x" * 16_384)
        except OSError:
            """It was hung up on, as it should be."""
        try:
            while part := sender.recv(4096):
                answer += part
        except OSError:
            """As above; what had come by then tells."""
    assert answer.startswith(b"HTTP/1.1 431 ") or not answer
    assert daemon.deliver(body([alert("Another")]), {"x-many": "x" * (MOST_HEADING_BYTES // 2)}).status_code == 200


def test_a_request_that_is_cut_in_many_pieces_is_answered_in_one(daemon: Daemon) -> None:
    place = urlsplit(daemon.url)
    content = body([alert("In pieces")])
    request = b"POST /api/v1/alerts/alertmanager HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n%s"
    whole = request % (len(content), content)
    with socket.create_connection((place.hostname, place.port), timeout=20) as sender:
        sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(whole), 7):
            sender.sendall(whole[at : at + 7])
        first = sender.recv(65_536)
        sender.sendall(whole + whole)
        later = b""
        while later.count(b'{"status":"ok"}') < 2:
            later += sender.recv(65_536)
    assert first.startswith(b"HTTP/1.1 200 OK")
    assert first.endswith(b'"alerts":{"began":1}}')
    assert later.count(b"HTTP/1.1 200 OK") == 2


def test_what_the_door_counted_is_told_by_the_next_scrape(daemon: Daemon) -> None:
    content = body([alert("Counted", labels={"pod": str(number)}) for number in range(3)])
    daemon.deliver(content)
    for _ in range(4):
        assert "alerts" not in daemon.deliver(content).json()
    assert daemon.metric("triaged_alerts_duplicate_total") == 12
    assert daemon.metric("triaged_alerts_received_total") == 15
    assert daemon.metric("triaged_ingest_duration_seconds_count") == 5
    assert daemon.metric("triaged_ingest_duration_seconds_sum") > 0


def test_a_request_that_the_api_finds_too_large_is_413_through_the_door(daemon: Daemon) -> None:
    answer = daemon.post("/api/v1/incidents/INC-1/ack", json={"by": "x" * MOST_BYTES})
    assert answer.status_code == 413
    assert answer.json()["error"] == f"expected a body of at most {MOST_BYTES:,} bytes, got more"
    assert daemon.get("/-/ready").status_code == 200


def test_pages_come_whole_and_with_their_headers_through_the_door(daemon: Daemon) -> None:
    daemon.deliver(body([alert(f"Shown{number}") for number in range(150)]))
    page = daemon.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.text.rstrip().endswith("</html>")
    assert daemon.get("/nowhere").status_code == 404
    assert daemon.get("/api/v1/incidents?limit=2&state=open").json()["incidents"][0]["state"] == "open"


def test_more_than_a_socket_holds_crosses_the_line(daemon: Daemon) -> None:
    """After a restart all that fires is told to the door in one piece."""
    contents = [
        body([alert("Many", labels={"pod": f"{part}-{number}"}) for number in range(2_000)]) for part in range(8)
    ]
    for content in contents:
        assert daemon.deliver(content).status_code == 200
    daemon.end(signal.SIGKILL)
    daemon.start()
    for content in contents:
        assert "alerts" not in daemon.deliver(content).json()


def test_senders_who_keep_their_connections_leave_room_for_others(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
    try:
        daemon = Daemon(tmp_path).start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    place = urlsplit(daemon.url)
    with ExitStack() as senders:
        senders.callback(daemon.end, signal.SIGKILL)
        for _ in range(200):
            senders.enter_context(socket.create_connection((place.hostname, place.port), timeout=20))
        assert daemon.deliver(body([alert("Another")])).status_code == 200


def test_half_a_request_does_not_hold_up_the_end(daemon: Daemon) -> None:
    place = urlsplit(daemon.url)
    with ExitStack() as senders:
        for start in (
            b"POST /api/v1/alerts/alertmanager HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{",
            b"POST",
        ):
            for _ in range(5):
                sender = socket.create_connection((place.hostname, place.port), timeout=20)
                senders.enter_context(sender).sendall(start)
        assert daemon.deliver(body([alert("Whole")])).status_code == 200
        assert daemon.end(signal.SIGTERM) == 0
    told = daemon.log.read_text()
    assert "Traceback" not in told
    assert "timeout graceful shutdown exceeded" not in told


def test_the_daemon_hears_of_what_its_door_answers_alone(daemon: Daemon) -> None:
    def alone() -> bool:
        return "alerts" not in daemon.deliver(body([alert("Known")])).json()

    daemon.deliver(body([alert("Known")]))
    assert daemon.end() == 0
    with closing(sqlite3.connect(daemon.folder / "triaged.db")) as store, store:
        # Five hours ago: what comes within two minutes would be a copy.
        store.execute("UPDATE episodes SET begun_at = begun_at - 18000000000")
        assert store.execute("SELECT count(*) FROM hearings").fetchone() == (0,)
    daemon.start()
    assert alone()
    assert daemon.end() == 0
    with closing(sqlite3.connect(daemon.folder / "triaged.db")) as store:
        heard = store.execute(
            "SELECT heard_at - begun_at > 18000000000 FROM hearings JOIN episodes USING (fingerprint)"
        )
        assert heard.fetchall() == [(1,)], "the door tells before it leaves, and the daemon writes it down"
