"""The text of one file on disk, read within bounds: never from a pipe, never more than a file may hold."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from triaged.errors import Finding
from triaged.rulefiles.marks import LARGEST

_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}


def read_text(path: Path, name: str, *, streams: bool = False, broken: bool = False) -> str | Finding:
    """The text, or what is wrong with the file; the finding calls the file `name`.

    Waits for nobody, except that with `streams` it reads a pipe, too: `--config <(decrypt …)` is one. Of a file that is
    too large one byte more than allowed is read, for the composer to refuse. Bytes that are no UTF-8 are a finding, or
    with `broken`, for whoever shows such a finding, stand escaped in the text.
    """
    try:
        # A pipe without a writer would keep an ordinary open() waiting for ever.
        with open(path, "rb", opener=None if streams else _without_waiting) as file:
            kind = stat.S_IFMT(os.fstat(file.fileno()).st_mode)
            if kind != stat.S_IFREG and not streams:
                return _at_top(name, f"expected a file, got {_KINDS.get(kind, 'a device')}")
            raw = file.read(LARGEST + 1)
    except OSError as problem:
        got = _KINDS[stat.S_IFDIR] if isinstance(problem, IsADirectoryError) else problem.strerror
        return _at_top(name, f"expected a file that can be read, got: {got}")
    if len(raw) > LARGEST:
        return raw.decode("latin-1")
    try:
        return raw.decode("utf-8-sig", "backslashreplace" if broken else "strict")
    except UnicodeDecodeError as problem:
        before = problem.object[: problem.start].decode(errors="replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"expected UTF-8, got the byte 0x{problem.object[problem.start]:02x}"
        return Finding(file=name, line=line, column=column, path="", message=message)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _at_top(name: str, message: str) -> Finding:
    return Finding(file=name, line=1, column=1, path="", message=message)
