#!/usr/bin/env python3
"""Alerts per second: triaged (durable) beside Alertmanager's own API (in memory), the same alerts, on this machine.

Needs wrk and prometheus-alertmanager (`make parts`) and an installed `triaged`; `make bench` runs it.
usage: ingest.py [--triaged PATH] [--rules DIR] [--folder DIR] [--seconds 5] [--rounds 3] [--connections 16 64]
                 [--batches 1 64] [--minimum-repeat 1.0] [--minimum-new 0.5]
Prints a table with the medians and the ratio; exits 1 where a ratio is under its minimum, anything answered other than
2xx, or new alerts that were answered are not in the store after kill -9. The stores lie in --folder (default: the
temporary folder); on tmpfs fsync costs nothing. Single rounds of one build vary by a factor of two: take three or more.
"""

import argparse
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import NoReturn, Self

HERE = Path(__file__).resolve().parent
DISTINCT = 20_000  # alerts that alerts.lua repeats
WARM_UP_SECONDS = 64  # at most, in one go, until all of them are known
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
RESULT = re.compile(
    r"RESULT requests=(\d+) seconds=([\d.]+) p50_ms=([\d.]+) p99_ms=([\d.]+) non2xx=(\d+) socket_errors=(\d+)"
)


def give_up(text: str) -> NoReturn:
    print(" ".join(text.split())[:400], flush=True)
    sys.exit(1)


def stopped(_signal: int, _frame: FrameType | None) -> NoReturn:
    give_up("stopped from outside before its end")


def get(url: str) -> str:
    with DIRECT.open(url, timeout=5) as answer:
        text: str = answer.read().decode()
        return text


def free_address() -> str:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{s.getsockname()[1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is posted: alerts a request, new ones or the same over and over, over so many connections."""

    batch: int
    new: bool
    connections: int

    def __str__(self) -> str:
        return f"{self.name}/{self.batch}/{self.connections}"

    @property
    def name(self) -> str:
        return "new" if self.new else "repeat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What wrk saw: requests answered 2xx, in how many seconds, and requests that were not."""

    requests: int
    seconds: float
    p99_ms: float
    errors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One round of one server."""

    per_second: float
    p99_ms: float
    megabytes: float
    errors: int
    lost: int


class Server:
    """A process, ready to be asked; its output in a file, its children in its group."""

    kind: str
    path: str
    process: subprocess.Popen[bytes]

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder, self.options = folder, options
        self.log, self.address = folder / "server.log", free_address()

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self, seconds: int = 60) -> Self:
        command = self.command()
        with self.log.open("a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd=self.folder)
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.process.poll() is None:
            try:
                if get(f"http://{self.address}/-/ready"):
                    return self
            except OSError:
                time.sleep(0.1)
        ended = self.process.poll()
        self.stop(signal.SIGKILL)
        how = f"was not ready in {seconds} s" if ended is None else f"ended with {ended}"
        give_up(f"{Path(command[0]).name} {how}: {self.log.read_text()[-300:]}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, how)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def megabytes(self) -> float:
        """Resident memory of the process and its children."""
        command = ["ps", "-o", "rss=", "-g", str(self.process.pid)]
        sizes = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
        return sum(map(int, sizes)) / 1024

    def kept(self) -> float:
        """Alerts in the store after kill -9; endless for a server that promises none."""
        return float("inf")


class Alertmanager(Server):
    kind, path = "api", "/api/v2/alerts"

    def command(self) -> list[str]:
        (self.folder / "am.yml").write_text(
            "route: {receiver: none, group_by: [alertname, cluster, service]}\nreceivers: [{name: none}]\n"
        )
        binary = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
        return [
            binary or give_up("prometheus-alertmanager is not installed"),
            f"--config.file={self.folder}/am.yml",
            f"--storage.path={self.folder}/am",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
        ]


class Triaged(Server):
    kind, path = "webhook", "/api/v1/alerts/alertmanager"

    def command(self) -> list[str]:
        config = self.folder / "config.yaml"
        config.write_text(
            f"listen: {self.address}\n"
            f"store: sqlite:///{self.folder}/triaged.db\n"
            f"rules: {Path(self.options.rules).resolve()}\n"
            f"backend: {{type: local, local: {{directory: {self.folder}/incidents}}}}\n"
        )
        return [self.options.triaged, "serve", "--config", str(config)]

    def kept(self) -> float:
        """As the metrics tell it after a new start."""
        self.stop(signal.SIGKILL)
        self.start()
        lines = get(f"http://{self.address}/metrics").splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("triaged_episodes_total{"))


def post(server: Server, load: Load, seconds: int, starts_at: str) -> Answered:
    command = [
        "wrk",
        "-t1",
        f"-c{load.connections}",
        f"-d{seconds}s",
        "--timeout",
        "30s",
        "-s",
        str(HERE / "alerts.lua"),
    ]
    command += [f"http://{server.address}{server.path}", "--"]
    command += [server.kind, str(load.batch), str(int(load.new)), starts_at]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = RESULT.search(done.stdout)
    if done.returncode or not found:
        give_up(f"wrk ended with {done.returncode}: {(done.stdout + done.stderr)[-300:]}")
    requests, took, _, p99, non2xx, broken = (float(figure) for figure in found.groups())
    return Answered(requests=int(requests - non2xx), seconds=took, p99_ms=p99, errors=int(non2xx + broken))


def measure(kind: type[Server], options: argparse.Namespace, load: Load) -> Measured:
    starts_at = (datetime.now(UTC) - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    with tempfile.TemporaryDirectory(prefix="ingest-", dir=options.folder, ignore_cleanup_errors=True) as folder:
        server = kind(Path(folder), options).start()
        try:
            if not load.new:
                make_known(server, load.connections, starts_at)
            answered = post(server, load, options.seconds, starts_at)
            alerts, memory = answered.requests * load.batch, server.megabytes()
            return Measured(
                per_second=alerts / answered.seconds,
                p99_ms=answered.p99_ms,
                megabytes=memory,
                errors=answered.errors,
                lost=int(max(0, alerts - server.kept())) if load.new else 0,
            )
        finally:
            server.stop()


def make_known(server: Server, connections: int, starts_at: str) -> None:
    """All alerts are known before the clock starts."""
    load, seconds, known = Load(batch=64, new=False, connections=connections), 2, 0
    while known < DISTINCT and seconds <= WARM_UP_SECONDS:
        known, seconds = 64 * post(server, load, seconds, starts_at).requests, seconds * 2


def middle(rounds: Sequence[Measured], figure: str) -> float:
    return float(statistics.median(getattr(one, figure) for one in rounds))


def compare(options: argparse.Namespace, load: Load) -> str | None:
    """Prints the line of the table; what falls short, or None."""
    pairs = [(measure(Alertmanager, options, load), measure(Triaged, options, load)) for _ in range(options.rounds)]
    theirs, ours = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    ratio = statistics.median(our.per_second / their.per_second if their.per_second else 0 for their, our in pairs)
    counts = {
        "errors": sum(our.errors for our in ours),
        "alerts lost": sum(our.lost for our in ours),
        "errors of Alertmanager": sum(their.errors for their in theirs),
    }
    wrong = [f"{count} {what}" for what, count in counts.items() if count]
    line = (
        f"{load.name:8}{load.batch:6}{load.connections:6}"
        f"{middle(ours, 'per_second'):12.0f}{middle(ours, 'p99_ms'):9.1f}{middle(ours, 'megabytes'):6.0f}"
        f"{middle(theirs, 'per_second'):12.0f}{middle(theirs, 'p99_ms'):9.1f}{ratio:8.2f}  {', '.join(wrong)}"
    )
    print(line.rstrip(), flush=True)
    minimum = options.minimum_new if load.new else options.minimum_repeat
    return ", ".join([f"{load}: {ratio:.2f}", *wrong]) if wrong or ratio < minimum else None


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--triaged", default="triaged")
    parser.add_argument("--rules", default="rules")
    parser.add_argument("--folder")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--minimum-repeat", type=float, default=1.0)
    parser.add_argument("--minimum-new", type=float, default=0.5)
    return parser.parse_args()


def main() -> int:
    options = arguments()
    if not shutil.which("wrk"):
        give_up("wrk is not installed")
    options.triaged = str(
        Path(shutil.which(options.triaged) or give_up(f"{options.triaged} is not installed")).absolute()
    )
    signal.signal(signal.SIGTERM, stopped)
    command = ["stat", "-f", "-c", "%T", options.folder or tempfile.gettempdir()]
    disk = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    print(f"store on {disk}, {os.cpu_count()} cores, {options.rounds} × {options.seconds} s")
    print(
        f"{'alerts':8}{'batch':>6}{'conn':>6}{'triaged/s':>12}{'p99 ms':>9}{'MB':>6}"
        f"{'am/s':>12}{'p99 ms':>9}{'ratio':>8}"
    )
    short = [
        said
        for new in (False, True)
        for batch in options.batches
        for connections in options.connections
        if (said := compare(options, Load(batch=batch, new=new, connections=connections)))
    ]
    print("falls short: " + "; ".join(short) if short else "all ratios hold")
    return int(bool(short))


if __name__ == "__main__":
    sys.exit(main())
