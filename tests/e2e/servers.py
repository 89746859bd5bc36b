"""The real Prometheus and the real Alertmanager, on free loopback ports, for as long as a test needs them.

    receiver = ...                                                  # anything that takes Alertmanager's webhook
    alertmanager = Alertmanager(folder, webhook_url).start()
    prometheus = Prometheus(folder, rules_yaml, alertmanager_address=alertmanager.address).start()
    prometheus.use_rules(other_rules_yaml)

A server keeps its address over stop() and start(), so that a test may take it away and bring it back.
"""

import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Protocol, Self, TypeVar

from parts import find_part
from waiting import wait_until

NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
LOG_SHOWN = 4_000  # characters of a server's log that a failure shows


def free_address() -> str:
    """A loopback address, as host:port, on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


class Server:
    """A program that answers /-/ready, with its files in a folder of its own."""

    part: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder / self.part
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "server.log"
        self.address = free_address()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def command(self) -> list[str]:
        """What follows the program's name; it listens on `self.address`."""
        raise NotImplementedError

    def start(self) -> Self:
        """Itself, ready to serve. Raises FileNotFoundError where the program is missing, RuntimeError if it ends."""
        program = find_part(self.part)
        if program is None:
            raise FileNotFoundError(f"{self.part} is not on this machine: make parts")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([program, *self.command()], stdout=log, stderr=log, cwd=self.folder)
        try:
            wait_until(self.is_ready, what=f"{self.part} to be ready")
        except (RuntimeError, TimeoutError) as error:
            self.kill()
            raise RuntimeError(f"{error}\n{self.log_tail()}") from error
        return self

    def is_ready(self) -> bool:
        """Raises RuntimeError when it will never be, because the process has ended."""
        if self.process is None or self.process.poll() is not None:
            raise RuntimeError(f"{self.part} does not run: {self.process and self.process.returncode}")
        try:
            self.get("/-/ready")
        except OSError:
            return False
        return True

    def get(self, path: str) -> bytes:
        """The answer's body. Raises OSError (also HTTPError) for anything but 2xx."""
        with NO_PROXY.open(self.url + path, timeout=5) as answer:
            body: bytes = answer.read()
            return body

    def reload(self) -> None:
        """Reads its files again; returns when they hold. Raises RuntimeError, with its words, when it refuses them."""
        request = urllib.request.Request(f"{self.url}/-/reload", method="POST")
        try:
            with NO_PROXY.open(request, timeout=10):
                return
        except urllib.error.HTTPError as refused:
            raise RuntimeError(f"{self.part} refused its files: {refused.read().decode()}") from refused

    def stop(self) -> None:
        """Ends the process in good order; does nothing where none runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Ends the process at once, as a crash does; does nothing where none runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def log_tail(self) -> str:
        return f"--- {self.part}, end of its log ---\n{self.log.read_text()[-LOG_SHOWN:]}" if self.log.exists() else ""


class Prometheus(Server):
    """Evaluates the rules every second and sends what fires to one Alertmanager; `scrape` is a YAML list.

    It hears of its Alertmanager, also after a reload, only at the next tick of a clock of its own that runs every 5 s.
    """

    part = "prometheus"

    def __init__(self, folder: Path, rules_yaml: str, *, alertmanager_address: str, scrape: str = "[]") -> None:
        super().__init__(folder)
        self.rules = self.folder / "rules.yml"
        self.rules.write_text(rules_yaml)
        (self.folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
            "rule_files: [rules.yml]\n"
            f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{alertmanager_address}']}}]}}]}}\n"
            f"scrape_configs: {scrape}\n"
        )

    def command(self) -> list[str]:
        return [
            f"--config.file={self.folder}/prometheus.yml",
            f"--storage.tsdb.path={self.folder}/data",
            f"--web.listen-address={self.address}",
            "--web.enable-lifecycle",
            "--rules.alert.resend-delay=1s",
        ]

    def use_rules(self, rules_yaml: str) -> None:
        """An alert keeps its state under a new expression: where that does not hold, it is resolved at once."""
        self.rules.write_text(rules_yaml)
        self.reload()


class Alertmanager(Server):
    """One route to one webhook receiver, which is called `triaged`. Times are Prometheus durations."""

    part = "alertmanager"

    def __init__(
        self,
        folder: Path,
        webhook_url: str,
        *,
        group_by: str = "[alertname]",
        group_wait: str = "0s",
        group_interval: str = "1s",
        repeat_interval: str = "1h",
        max_alerts: int = 0,
        http_config: str = "{}",
    ) -> None:
        super().__init__(folder)
        (self.folder / "alertmanager.yml").write_text(
            "route:\n"
            "  receiver: triaged\n"
            f"  group_by: {group_by}\n"
            f"  group_wait: {group_wait}\n"
            f"  group_interval: {group_interval}\n"
            f"  repeat_interval: {repeat_interval}\n"
            "receivers:\n"
            "- name: triaged\n"
            "  webhook_configs:\n"
            f"  - {{url: '{webhook_url}', max_alerts: {max_alerts}, http_config: {http_config}}}\n"
        )

    def command(self) -> list[str]:
        return [
            f"--config.file={self.folder}/alertmanager.yml",
            f"--storage.path={self.folder}/data",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
        ]


S = TypeVar("S", bound=Server)


class Run(Protocol):
    """The fixture `run`: gives the server back, ready."""

    def __call__(self, server: S) -> S: ...
