"""How requests become alerts: what a source reads out of a body."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from triaged.core.model import Alert


class Rejected(Struct, frozen=True, kw_only=True):
    """An alert that cannot be read: `reason` is the metric's label, `text` says what was expected and what came."""

    raw: bytes
    digest: bytes
    reason: str
    text: str


class Cut(Struct, frozen=True, kw_only=True):
    """A group of which alerts were left out: for which receiver, and its labels as sorted pairs."""

    receiver: str
    labels: tuple[tuple[str, str], ...]


class Reading(Struct, frozen=True, kw_only=True):
    """The alerts of one body in order, and those that could not be read; `cut` says that some were left out."""

    alerts: tuple[Alert, ...]
    rejected: tuple[Rejected, ...]
    cut: Cut | None = None


Read = Callable[[str, bytes], Reading]
"""Source name and body to alerts; raises PayloadError where the body can never be read."""
