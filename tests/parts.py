#!/usr/bin/env python3
"""Real programs that the tests run against: Prometheus, Alertmanager, and wrk for the benchmark.

`make parts` runs this file. What is not on the PATH comes out of Debian's packages: downloaded and verified by apt,
unpacked into `.cache/parts`, never installed. So it needs no root, starts no service and leaves the system as it is.
One part comes from a later Debian than the machine's own, by the mirror that the machine's apt has for its Debian.
Where that cannot be done it says so and ends well, because the tests that need a part skip themselves; with CI=true
it fails, unless all that is missing is of a later Debian: not every machine has a mirror of it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / ".cache" / "parts"
MISSING = FOLDER / "missing"  # what could not be had when last tried
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
REQUIRED = os.environ.get("CI") == "true"  # a missing part is a failure, not a skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A program: its names on the PATH, best first, and the packages that hold the first of them and its libraries.

    `program` is its file in the packages where that is not the first name; `suite` a later Debian that they are of.
    """

    names: tuple[str, ...]
    packages: tuple[str, ...]
    version_flag: str = "--version"
    program: str = ""
    suite: str = ""


PARTS = {
    "prometheus": Part(names=("prometheus",), packages=("prometheus",)),
    "promtool": Part(names=("promtool",), packages=("prometheus",)),
    "alertmanager": Part(names=("prometheus-alertmanager", "alertmanager"), packages=("prometheus-alertmanager",)),
    # The first with UTF-8 in matchers is 0.27; Debian 13 has 0.28.
    "alertmanager-utf8": Part(
        names=("alertmanager-utf8",),
        packages=("prometheus-alertmanager",),
        program="prometheus-alertmanager",
        suite="trixie",
    ),
    "wrk": Part(names=("wrk",), packages=("wrk", "libluajit-5.1-2"), version_flag="-v"),
}


def find_part(name: str) -> Path | None:
    """The program of that name (a key of PARTS), from the PATH or else from the cache; None where neither has it."""
    for path in (None, str(FOLDER / "bin")):
        for program in PARTS[name].names:
            if found := shutil.which(program, path=path):
                return Path(found)
    return None


def could_not_be_had(name: str) -> bool:
    """Whether `make parts` tried to get the part, and said that it cannot."""
    return MISSING.exists() and name in MISSING.read_text().split()


def main() -> int:
    """0, or 1 where a part is missing that has to be there."""
    for name in PARTS:
        if not find_part(name):
            get(PARTS[name])
        print(f"{name:18}{find_part(name) or 'MISSING'}", flush=True)
    shutil.rmtree(FOLDER / "apt", ignore_errors=True)
    missing = [name for name in PARTS if not find_part(name)]
    MISSING.parent.mkdir(parents=True, exist_ok=True)
    MISSING.write_text(" ".join(missing))
    if not missing:
        return 0
    fatal = REQUIRED and any(not PARTS[name].suite for name in missing)
    print(
        f"Could not get {', '.join(missing)}. Install them in your system's way, so that they are on the PATH.",
        "With CI=true that is a failure." if fatal else "The tests that need them will be skipped.",
        file=sys.stderr,
    )
    return int(fatal)


def get(part: Part) -> None:
    """Unpacks the part's packages into the cache and makes its first name runnable there; says why where it cannot."""
    name, root = part.names[0], FOLDER / (part.suite or "root")
    held = root / "usr" / "bin" / (part.program or name)
    if not held.exists() and not unpack(part, root):
        return
    program = FOLDER / "bin" / name
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(
        "#!/bin/sh\n"
        f'here=$(cd "$(dirname "$0")/../{root.name}" && pwd)\n'
        'export LD_LIBRARY_PATH="$(echo "$here"/usr/lib/*-linux-*)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"\n'
        f'exec "$here/usr/bin/{held.name}" "$@"\n'
    )
    program.chmod(0o755)
    tried = subprocess.run([program, part.version_flag], capture_output=True, text=True, check=False)
    if tried.returncode not in (0, 1):  # wrk ends with 1 after telling its version
        print(f"{name} does not run: {tried.stderr.strip()[-300:]}", file=sys.stderr)
        program.unlink()


def unpack(part: Part, root: Path) -> bool:
    """Whether the part's packages lie unpacked in `root` now."""
    shown = " ".join((*part.packages, *filter(None, [part.suite])))
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        print(f"{shown}: there is no apt-get here", file=sys.stderr)
        return False
    with tempfile.TemporaryDirectory(prefix="triaged-parts-") as folder:
        get_packages = download_later if part.suite else download
        refused = get_packages(part, Path(folder))
        if refused:
            print(f"{shown}: apt-get says: {refused}", file=sys.stderr)
            return False
        root.mkdir(parents=True, exist_ok=True)
        for package in sorted(Path(folder).glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    return True


def download(part: Part, folder: Path) -> str | None:
    """What apt-get complained of, or None. By the system's package lists, else by fresh ones, which need no root."""
    if apt([], ["download", *part.packages], folder) is None:
        return None
    ours = own_lists("lists")
    return apt(ours, ["update"], folder) or apt(ours, ["download", *part.packages], folder)


def download_later(part: Part, folder: Path) -> str | None:
    """Likewise, from a later Debian at the mirror that this machine's apt has for its own."""
    mirror = debian_mirror([])
    if mirror is None:
        ours = own_lists("lists")
        refused = apt(ours, ["update"], folder)
        mirror = debian_mirror(ours)
        if mirror is None:
            return refused or "it knows no mirror of Debian"
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""  # else by the keys that apt trusts anyway
    sources = folder / "sources.list"
    sources.write_text(f"deb {signed}{mirror} {part.suite} main\n")
    ours = [*own_lists(part.suite), f"-oDir::Etc::SourceList={sources}", "-oDir::Etc::SourceParts=/dev/null"]
    packages = [f"{package}/{part.suite}" for package in part.packages]
    return apt(ours, ["update"], folder) or apt(ours, ["download", *packages], folder)


def debian_mirror(options: list[str]) -> str | None:
    """Where this machine's apt gets Debian from; None where it does not, or has no package lists to tell it by."""
    shown = ["--format", "$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)", "Created-By: Packages"]
    command = ["apt-get", *options, "indextargets", *shown]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    mirrors = [line.rpartition("|")[2] for line in found.splitlines() if line.startswith("Debian|Debian|main|")]
    return mirrors[0] if mirrors else None


def own_lists(name: str) -> list[str]:
    """Options by which apt keeps its lists below `.cache/parts`."""
    own = FOLDER / "apt" / name
    for needed in ("lists/partial", "archives/partial"):
        (own / needed).mkdir(parents=True, exist_ok=True)
    return [f"-oDir::State::Lists={own}/lists", f"-oDir::Cache={own}", "-oDebug::NoLocking=1", "-oAPT::Sandbox::User="]


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
