"""Files in a rules folder that look meant to be read, and are not."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath

from triaged.errors import Finding
from triaged.rulefiles.folder import FOLDERS, SOURCES, TESTS, USED
from triaged.rulefiles.templates import ENDINGS, FOLDER
from triaged.rulefiles.words import listed, nearest

MOST_SEARCHED = 10_000
"""Files and folders that are looked at: the folder may be a link to something large."""
DEEPEST = 4
PLACES = (*USED, f"{SOURCES}/NAME.yaml", f"{TESTS}/NAME.yaml", f"{FOLDER}/NAME.txt")


def strays(directory: Path) -> list[Finding]:
    """A finding for each YAML file that nobody reads, with where it would be read, and for no folder in one's place.

    What begins with a dot is none.
    """
    found = (_stray(name) for name in _names(directory))
    no_folders = (_no_folder(directory, name) for name in FOLDERS)
    return sorted(finding for finding in (*found, *no_folders) if finding is not None)


def _no_folder(directory: Path, name: str) -> Finding | None:
    """Where a file, or a link to nothing, bears the name of a folder."""
    path = directory / name
    if path.is_dir() or not (path.exists() or path.is_symlink()):
        return None
    return _finding(PurePosixPath(name), f"not read: expected a folder with {name}/NAME.yaml, got none")


def _stray(name: PurePosixPath) -> Finding | None:
    folder, *below = name.parts
    if folder == FOLDER and below:
        fits = len(below) == 1 and name.suffix in ENDINGS
        return None if fits else _finding(name, f"not read: expected {FOLDER}/NAME.txt or {FOLDER}/NAME.md")
    read = (not below and folder in USED) or folder == TESTS
    if name.suffix.lower() not in (".yaml", ".yml") or read:
        return None
    if folder == SOURCES:
        fits = len(below) == 1 and name.suffix == ".yaml"
        return (
            None
            if fits
            else _finding(name, f"not read: expected {SOURCES}/NAME.yaml", f"call it {SOURCES}/{name.stem}.yaml")
        )
    near = nearest(name.name, USED) if not below else nearest(folder, FOLDERS)
    return _finding(name, f"not read: expected {listed(PLACES)}", near)


def _finding(name: PurePosixPath, message: str, hint: str = "") -> Finding:
    return Finding(file=str(name), line=1, column=1, path="", message=message, hint=hint)


def _names(directory: Path) -> Iterator[PurePosixPath]:
    """Files and folders below the directory, links followed, within bounds."""
    waiting, left = [directory], MOST_SEARCHED
    while waiting and left > 0:
        entries = _entries(waiting.pop(), left)
        left -= len(entries)
        for entry in entries:
            if not entry.name.startswith("."):
                name = PurePosixPath(entry.relative_to(directory).as_posix())
                yield name
                if len(name.parts) < DEEPEST and entry.is_dir():
                    waiting.append(entry)


def _entries(folder: Path, most: int) -> list[Path]:
    try:
        return [*islice(folder.iterdir(), most)]
    except OSError:
        return []
