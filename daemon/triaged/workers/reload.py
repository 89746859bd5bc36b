"""The reload worker: the rules are read again once their files have changed and then lain still."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from stat import S_ISDIR
from typing import Final

from triaged.rulefiles.folder import TESTS

STILL_FOR: Final = timedelta(seconds=3)
"""So long nothing may change: an editor writes a file in pieces, and a checkout one file after another."""
_MOST_FILES: Final = 1_000

Signature = tuple[tuple[object, ...], ...]


class ReloadWorker:
    """Looks at the files whenever it is asked, every few seconds; what was read once is not read again.

    `reload` reads them and says so by `has_read`; where it raises, it is tried again.
    """

    name = "reload"

    def __init__(self, folder: Path, reload: Callable[[], object]) -> None:
        self._folder = folder
        self._reload = reload
        self._read = self._seen = signature(folder)
        self._still_at: datetime | None = None

    def has_read(self, read: Signature) -> None:
        """The files as they were when somebody began to read them. Thread-safe."""
        self._read = read

    def step(self, now: datetime) -> bool:
        """Reload what has changed since it was read, and has not changed for a while."""
        found = signature(self._folder)
        if found == self._read:
            self._seen, self._still_at = found, None
            return False
        if found != self._seen or self._still_at is None:
            self._seen, self._still_at = found, now + STILL_FOR
        if now < self._still_at:
            return False
        self._reload()
        return True

    def next_at(self, now: datetime) -> datetime | None:
        return self._still_at


def signature(folder: Path) -> Signature:
    """A value that differs where a file of the rules does; tests are none.

    Symbolic links are followed: Kubernetes changes a mounted ConfigMap, and git-sync a checkout, by turning one round.
    Names that begin with a dot are such links, or an editor's.
    https://kubernetes.io/docs/concepts/configuration/configmap/#mounted-configmaps-are-updated-automatically
    """
    return tuple(islice(_signed(folder, ""), _MOST_FILES))


def _signed(folder: Path, above: str) -> Iterator[tuple[object, ...]]:
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.name != TESTS)
    except OSError as problem:
        yield above, problem.errno
        return
    for path in paths:
        name = above + path.name
        try:
            found = path.stat()
        except OSError as problem:
            yield name, problem.errno
            continue
        if not S_ISDIR(found.st_mode):
            yield name, found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
        elif not above:  # no rule file lies deeper
            yield from _signed(path, f"{name}/")
