"""Starts real servers for a test and ends them after it; shows their logs where the test fails."""

import sys
from collections.abc import Iterator

import pytest

from e2e.servers import Run, S, Server
from parts import REQUIRED, find_part


@pytest.fixture
def run() -> Iterator[Run]:
    """Starts a server, once or again; `run(Alertmanager(tmp_path, url))` gives it back ready. All end with the test.

    Where this machine lacks the program the test is skipped, with CI=true it fails.
    """
    started: list[Server] = []

    def start(server: S) -> S:
        if find_part(server.part) is None:
            (pytest.fail if REQUIRED else pytest.skip)(f"{server.part} is not on this machine: run `make parts`")
        if server not in started:
            started.append(server)
        return server.start()

    yield start
    for server in reversed(started):
        server.stop()
        sys.stdout.write(server.log_tail())  # pytest shows it where the test failed
