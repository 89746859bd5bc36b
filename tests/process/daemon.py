"""A real `triaged serve` in a process of its own, to be ended in any way."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from fakes.github import FakeGitHub
from waiting import wait_until


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Daemon:
    """`triaged serve` on a free loopback port; its store and log lie in `folder` and outlive the process."""

    def __init__(self, folder: Path, *, github: FakeGitHub | None = None, **settings: Any) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = folder / "daemon.log"
        backend: dict[str, Any] = {"type": "local", "local": {"directory": "incidents"}}
        if github is not None:
            (folder / "token").write_text(github.token)
            place = {"repository": github.repository.full_name, "api_url": github.url, "token_file": "token"}
            backend = {"type": "github", "github": place}
        config = {
            "listen": self.url.removeprefix("http://"),
            "store": "sqlite:///triaged.db",
            "backend": backend,
            **settings,
        }
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Daemon:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGKILL)

    def start(self) -> Daemon:
        """Start it, and wait until it is ready."""
        command = [sys.executable, "-m", "triaged", "serve", "--config", str(self.folder / "config.yaml")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        wait_until(self._answers, seconds=60, what=f"the daemon to be ready: {self.log}")
        return self

    def _answers(self) -> bool:
        process = self._process
        if process is None or process.poll() is not None:
            raise AssertionError(f"the daemon ended: {self.log.read_text()[-2000:]}")
        try:
            return self.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it by its own process id; the exit status (negative: by which signal)."""
        process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            os.kill(process.pid, how)
        self._process = None
        return process.wait(40)

    def wait(self) -> int:
        """Wait until it ends by itself; its exit status."""
        process, self._process = self._process, None
        return 0 if process is None else process.wait(40)

    def children(self) -> list[int]:
        """The ids of the processes that it started."""
        pid = 0 if self._process is None else self._process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", timeout=10, trust_env=False)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", timeout=30, trust_env=False, **more)

    def deliver(self, body: bytes, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return self.post("/api/v1/alerts/alertmanager", content=body, headers=dict(headers or {}))

    def incidents(self) -> list[dict[str, Any]]:
        """All incidents, newest first."""
        found: list[dict[str, Any]] = json.loads(self.get("/api/v1/incidents?limit=500").content)["incidents"]
        return found

    def metric(self, name: str) -> float:
        """The sum of a metric's samples."""
        lines = self.get("/metrics").text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.partition("{")[0].partition(" ")[0] == name)
