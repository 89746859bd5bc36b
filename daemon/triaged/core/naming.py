"""Who may be named: a name that is misspelt would be kept, and no notice would ever reach it."""

from __future__ import annotations

from collections.abc import Sequence

from triaged.core import wording
from triaged.errors import ActError


def expect_known(name: str, known: Sequence[str], *, field: str, among: str) -> None:
    """Raises ActError, with the nearest name as a hint, where it is none of these; `among` says what they are."""
    if name in known:
        return
    hint = wording.nearest(name, known)
    raise ActError(f"{field}: expected {among}, got {name!r}" + (f"; {hint}" if hint else ""))
