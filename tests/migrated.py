"""An empty store of this release, made once and copied: a migration costs more than most of what tests do with it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from triaged.store.store import Store


def lay_store(file: Path) -> None:
    """Leave an empty, migrated SQLite store there, unless there is one or its folder is still to be made."""
    if file.parent.is_dir() and not file.exists():
        file.write_bytes(_empty_store())


@cache
def _empty_store() -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "triaged.db"
        store = Store(f"sqlite:///{file}")
        store.migrate()
        store.checkpoint()
        store.close()
        return file.read_bytes()
