#!/usr/bin/env python3
"""Real programs that the tests run against: Prometheus, Alertmanager, and wrk for the benchmark.

`make parts` runs this file. What is not on the PATH comes out of Debian's packages: downloaded and verified by apt,
unpacked into `.cache/parts`, never installed. So it needs no root, starts no service and leaves the system as it is.
Where that cannot be done it says so and ends well, because the tests that need a part skip themselves; with CI=true
it fails.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / ".cache" / "parts"
REQUIRED = os.environ.get("CI") == "true"  # a missing part is a failure, not a skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A program: its names on the PATH, best first, and the packages that hold the first of them and its libraries."""

    names: tuple[str, ...]
    packages: tuple[str, ...]
    version_flag: str = "--version"


PARTS = {
    "prometheus": Part(names=("prometheus",), packages=("prometheus",)),
    "promtool": Part(names=("promtool",), packages=("prometheus",)),
    "alertmanager": Part(names=("prometheus-alertmanager", "alertmanager"), packages=("prometheus-alertmanager",)),
    "wrk": Part(names=("wrk",), packages=("wrk", "libluajit-5.1-2"), version_flag="-v"),
}


def find_part(name: str) -> Path | None:
    """The program of that name (a key of PARTS), from the PATH or else from the cache; None where neither has it."""
    for path in (None, str(FOLDER / "bin")):
        for program in PARTS[name].names:
            if found := shutil.which(program, path=path):
                return Path(found)
    return None


def main() -> int:
    """0, or 1 where a part is missing that has to be there."""
    for name in PARTS:
        if not find_part(name):
            get(PARTS[name])
        print(f"{name:13}{find_part(name) or 'MISSING'}", flush=True)
    shutil.rmtree(FOLDER / "apt", ignore_errors=True)
    missing = [name for name in PARTS if not find_part(name)]
    if not missing:
        return 0
    print(
        f"Could not get {', '.join(missing)}. Install them in your system's way, so that they are on the PATH.",
        "With CI=true that is a failure." if REQUIRED else "The tests that need them will be skipped.",
        file=sys.stderr,
    )
    return int(REQUIRED)


def get(part: Part) -> None:
    """Unpacks the part's packages into the cache and makes its first name runnable there; says why where it cannot."""
    name, root = part.names[0], FOLDER / "root"
    if not (root / "usr" / "bin" / name).exists() and not unpack(part.packages, root):
        return
    program = FOLDER / "bin" / name
    program.parent.mkdir(exist_ok=True)
    program.write_text(
        "#!/bin/sh\n"
        'here=$(cd "$(dirname "$0")/../root" && pwd)\n'
        'export LD_LIBRARY_PATH="$(echo "$here"/usr/lib/*-linux-*)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"\n'
        f'exec "$here/usr/bin/{name}" "$@"\n'
    )
    program.chmod(0o755)
    tried = subprocess.run([program, part.version_flag], capture_output=True, text=True, check=False)
    if tried.returncode not in (0, 1):  # wrk ends with 1 after telling its version
        print(f"{name} does not run: {tried.stderr.strip()[-300:]}", file=sys.stderr)
        program.unlink()


def unpack(packages: tuple[str, ...], root: Path) -> bool:
    """Whether the packages lie unpacked in `root` now."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        print(f"{' '.join(packages)}: there is no apt-get here", file=sys.stderr)
        return False
    with tempfile.TemporaryDirectory(prefix="triaged-parts-") as folder:
        refused = download(packages, Path(folder))
        if refused:
            print(f"{' '.join(packages)}: apt-get says: {refused}", file=sys.stderr)
            return False
        root.mkdir(parents=True, exist_ok=True)
        for package in sorted(Path(folder).glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    return True


def download(packages: tuple[str, ...], folder: Path) -> str | None:
    """What apt-get complained of, or None. By the system's package lists, else by fresh ones, which need no root."""
    if apt([], ["download", *packages], folder) is None:
        return None
    own = FOLDER / "apt"
    for needed in ("lists/partial", "archives/partial"):
        (own / needed).mkdir(parents=True, exist_ok=True)
    ours = [f"-oDir::State::Lists={own}/lists", f"-oDir::Cache={own}", "-oDebug::NoLocking=1", "-oAPT::Sandbox::User="]
    return apt(ours, ["update"], folder) or apt(ours, ["download", *packages], folder)


def apt(options: list[str], arguments: list[str], folder: Path) -> str | None:
    """What apt-get complained of; None when it did what it was told."""
    command = ["apt-get", "-qq", *options, *arguments]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=300
        )
    except subprocess.TimeoutExpired:
        return f"nothing for 300 s after {' '.join(arguments)}"
    if done.returncode == 0:
        return None
    errors = [line for line in done.stderr.splitlines() if line.startswith("E:")]
    return " ".join(errors)[:500] or f"it ended with {done.returncode}"


if __name__ == "__main__":
    sys.exit(main())
