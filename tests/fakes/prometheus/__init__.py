"""A Prometheus as far as its query API is used: what series were at each instant, filters, refusals.

    with FakePrometheus(clock) as fake:
        fake.says("shop:error_ratio", 0.12, pod="a")   # from now on
        fake.ends("shop:error_ratio")                  # no more, from now on
        fake.down = True         # answers nothing but 503
        fake.hangs = Event()     # answers nothing until that is set
        fake.garbage = b"…"      # answers this, whatever it is asked

It knows `NAME` and `NAME < 0.01` with any comparison; what is never said is empty; `broken(` is refused as no query.
What it does is held against the real one in tests/e2e/test_health.py.
"""

from __future__ import annotations

import json
import math
import operator
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self
from urllib.parse import parse_qsl

from triaged.clock import Clock

Labels = tuple[tuple[str, str], ...]
_COMPARED: Final = re.compile(r"(?P<left>.+?)\s*(?P<sign><=|>=|==|!=|<|>)\s*(?P<right>[-+.0-9e]+)")
_SIGNS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass
class FakePrometheus:
    """Stateful; its time is the test's clock."""

    clock: Clock
    down: bool = False
    hangs: threading.Event | None = None
    garbage: bytes | None = None
    authorization: str | None = None
    asked: list[str] = field(default_factory=list)
    _said: dict[str, dict[Labels, list[tuple[datetime, float | None]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                fake.authorization = self.headers.get("authorization")
                told = dict(parse_qsl(self.rfile.read(int(self.headers["content-length"])).decode()))
                status, body = fake.answer(self.path, told)
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
        if self.hangs is not None:
            self.hangs.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def says(self, name: str, value: float, **labels: str) -> None:
        """A series has this value from now on."""
        series = self._said.setdefault(name, {}).setdefault(tuple(sorted(labels.items())), [])
        series.append((self.clock.now(), value))

    def ends(self, name: str) -> None:
        """No series of this name has a value from now on."""
        for series in self._said.get(name, {}).values():
            series.append((self.clock.now(), None))

    def answer(self, path: str, told: dict[str, str]) -> tuple[int, bytes]:
        """What it answers to a question, by HTTP or not."""
        query = told["query"]
        self.asked.append(query)
        if self.hangs is not None:
            self.hangs.wait(timeout=30)
        if self.down:
            return 503, b"upstream is not there"
        if self.garbage is not None:
            return 200, self.garbage
        if query.endswith("("):
            said = f'invalid parameter "query": 1:{len(query) + 1}: parse error: unclosed left parenthesis'
            return 400, json.dumps({"status": "error", "errorType": "bad_data", "error": said}).encode()
        found = self._instant(query, told) if path == "/api/v1/query" else self._span(query, told)
        return 200, json.dumps({"status": "success", "data": found}).encode()

    def _instant(self, query: str, told: dict[str, str]) -> dict[str, Any]:
        at = datetime.fromtimestamp(float(told["time"]), UTC) if "time" in told else self.clock.now()
        values = self._values(query, at)
        result = [{"metric": dict(one), "value": [at.timestamp(), _shown(value)]} for one, value in values.items()]
        return {"resultType": "vector", "result": result}

    def _span(self, query: str, told: dict[str, str]) -> dict[str, Any]:
        at, end = (datetime.fromtimestamp(float(told[name]), UTC) for name in ("start", "end"))
        points: dict[Labels, list[list[Any]]] = {}
        while at <= end:
            for one, value in self._values(query, at).items():
                points.setdefault(one, []).append([at.timestamp(), _shown(value)])
            at += timedelta(seconds=float(told["step"]))
        return {
            "resultType": "matrix",
            "result": [{"metric": dict(one), "values": told} for one, told in points.items()],
        }

    def _values(self, query: str, at: datetime) -> dict[Labels, float]:
        compared = _COMPARED.fullmatch(query)
        if compared is not None:
            holds, bound = _SIGNS[compared["sign"]], float(compared["right"])
            return {one: value for one, value in self._values(compared["left"], at).items() if holds(value, bound)}
        found: dict[Labels, float] = {}
        for one, series in self._said.get(query, {}).items():
            value = next((value for since, value in reversed(series) if since <= at), None)
            if value is not None:
                found[one] = value
        return found


def _shown(value: float) -> str:
    """As Go writes it."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else repr(value)
