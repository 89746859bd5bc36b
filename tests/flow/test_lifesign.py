"""Our own heartbeat: sent to a real server while all is well, withheld and said why when not; its URL stays secret."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from dripping import dripping
from triaged.app import App
from triaged.clock import FakeClock
from triaged.config import HeartbeatSettings
from triaged.errors import ConfigError
from triaged.workers.lifesign import LifesignWorker, get
from world import START, World, settings_for, world

SECRET = "7e5f-secret"
MINUTE = timedelta(minutes=1)


class Watcher:
    """A service that counts who asks, and answers as it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b"OK"
        watcher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                watcher.asked.append(self.path)
                self.send_response(watcher.status)
                for name, value in watcher.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(watcher.body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/ping/{SECRET}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    one = Watcher()
    yield one
    one.close()


@pytest.fixture
def daemon(tmp_path: Path, watcher: Watcher) -> Iterator[World]:
    (tmp_path / "url").write_text(f"{watcher.url}\n")
    heartbeat = HeartbeatSettings(url_file=tmp_path / "url", every=MINUTE)
    settings = settings_for(tmp_path).model_copy(update={"heartbeat": heartbeat})
    with world(settings, FakeClock(START)) as one:
        yield one


def told(logs: list[EventDict]) -> list[tuple[str, str]]:
    assert SECRET not in str(logs)
    return [(one["event"], one.get("why", "")) for one in logs if "heartbeat" in one["event"]]


def test_it_is_sent_every_minute_while_all_is_well(daemon: World, watcher: Watcher) -> None:
    daemon.advance(5 * MINUTE)
    assert watcher.asked == [f"/ping/{SECRET}"] * 6


def test_it_is_withheld_while_a_deadline_is_overdue_and_sent_again_after(daemon: World, watcher: Watcher) -> None:
    daemon.settle()
    insert = "INSERT INTO deadlines (incident_id, kind, due_at) VALUES (1, 'response', 1)"
    worker = next(loop.worker for loop in daemon.app.loops if loop.worker.name == "lifesign")
    with capture_logs() as logs:
        daemon.app.writer.run(lambda transaction, _: transaction.connection.exec_driver_sql(insert))
        assert worker.step(START + MINUTE)
        assert worker.step(START + 2 * MINUTE)
        daemon.app.writer.run(lambda transaction, _: transaction.connection.exec_driver_sql("DELETE FROM deadlines"))
        assert worker.step(START + 3 * MINUTE)
    assert len(watcher.asked) == 2
    assert told(logs) == [("heartbeat withheld", "1 deadline passed and did not act"), ("heartbeat sent again", "")]


def test_it_is_withheld_while_the_store_cannot_be_written(daemon: World, watcher: Watcher) -> None:
    daemon.settle()
    with daemon.app.store.begin() as transaction:
        transaction.connection.exec_driver_sql("ALTER TABLE verdicts RENAME TO gone")
    worker = next(loop.worker for loop in daemon.app.loops if loop.worker.name == "lifesign")
    with capture_logs() as logs:
        worker.step(START + MINUTE)
    assert len(watcher.asked) == 1
    ((event, why),) = told(logs)
    assert (event, why.partition(":")[0]) == ("heartbeat withheld", "the store cannot be written")
    assert why.count("cannot be written") == 1


@pytest.mark.parametrize(
    ("status", "expected"), [(301, "expected a status of 2xx, got 301"), (404, "expected a status of 2xx, got 404")]
)
def test_a_redirect_or_a_refusal_is_told_once_and_not_followed(
    daemon: World, watcher: Watcher, status: int, expected: str
) -> None:
    watcher.status, watcher.headers = status, {"Location": f"{watcher.url}/elsewhere"}
    with capture_logs() as logs:
        daemon.advance(3 * MINUTE)
    assert watcher.asked == [f"/ping/{SECRET}"] * 4
    assert told(logs) == [("heartbeat not sent", expected)]


def test_an_answer_that_never_ends_is_not_read(watcher: Watcher) -> None:
    watcher.headers = {"Content-Length": str(10**12)}
    assert get(watcher.url) == 200


@pytest.mark.parametrize("drip", [b"X", b"X: y\r\n"])
def test_an_answer_that_only_drips_is_given_up_in_time(drip: bytes) -> None:
    with dripping(drip) as url, pytest.raises(OSError, match=r"^no answer within 0.3 s$"):
        get(f"{url}/{SECRET}", seconds=0.3)


def test_where_nobody_answers_the_url_is_not_told(watcher: Watcher) -> None:
    watcher.close()
    with pytest.raises(OSError, match=r"^no answer: ConnectError$"):
        get(watcher.url)
    for url in (f"nonsense://{SECRET}", f"http://[{SECRET}", SECRET):
        with pytest.raises(OSError, match=r"^no answer: ") as raised:
            get(url)
        assert SECRET not in str(raised.value)


def test_a_trouble_that_grows_is_told_once_and_told_again_after_it_was_over() -> None:
    troubles = iter(["waited 11 min", "waited 12 min", "2 deadlines", "", "waited 1 min"])
    worker = LifesignWorker(lambda: "http://h", every=MINUTE, trouble=lambda _: next(troubles), get=lambda _: 200)
    with capture_logs() as logs:
        for minute in range(5):
            worker.step(START + minute * MINUTE)
    assert told(logs) == [
        ("heartbeat withheld", "waited 11 min"),
        ("heartbeat sent again", ""),
        ("heartbeat withheld", "waited 1 min"),
    ]


@pytest.mark.parametrize("content", ["# the check\n\n{}\n", "\n{}"])
def test_a_file_with_a_comment_or_a_blank_line_before_the_url_is_read(
    tmp_path: Path, watcher: Watcher, content: str
) -> None:
    (tmp_path / "url").write_text(content.format(watcher.url))
    heartbeat = HeartbeatSettings(url_file=tmp_path / "url", every=MINUTE)
    settings = settings_for(tmp_path).model_copy(update={"heartbeat": heartbeat})
    with world(settings, FakeClock(START)) as one:
        one.settle()
    assert watcher.asked == [f"/ping/{SECRET}"]


def test_a_file_without_a_url_is_refused_at_start_in_words_of_its_own(tmp_path: Path) -> None:
    heartbeat = HeartbeatSettings(url_file=tmp_path / "absent", every=MINUTE)
    settings = settings_for(tmp_path).model_copy(update={"heartbeat": heartbeat})
    with pytest.raises(ConfigError, match="absent: expected a file with a URL, got: No such file"):
        App(settings, FakeClock(START))


def test_a_file_that_is_gone_is_told_and_read_again_later() -> None:
    found: list[str] = []

    def url() -> str:
        if not found:
            raise ConfigError("url: expected a file with a URL, got: gone")
        return found[0]

    worker = LifesignWorker(url, every=MINUTE, trouble=lambda _: "", get=lambda _: 204)
    with capture_logs() as logs:
        assert worker.step(START)
        assert not worker.step(START)
        assert worker.next_at(START) == START + MINUTE
        found.append("http://[")
        assert worker.step(START + MINUTE)
    assert told(logs) == [
        ("heartbeat not sent", "url: expected a file with a URL, got: gone"),
        ("heartbeat sent again", ""),
    ]


def test_the_settings_ask_for_one_url_and_no_hammering() -> None:
    for values in ({}, {"url": "ftp://x"}, {"url": "http://x", "url_file": "x"}, {"url": "http://x", "every": "1s"}):
        with pytest.raises(ValueError, match=r"expected|match"):
            HeartbeatSettings.model_validate(values)
    assert SECRET not in repr(HeartbeatSettings(url=f"https://hc.example.com/{SECRET}"))
