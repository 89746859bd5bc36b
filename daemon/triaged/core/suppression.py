"""What an Alertmanager does not tell people of: an alert that is silenced, or inhibited by another one."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum, unique
from typing import Final

from msgspec import Struct

from triaged.core import wording

_MARK: Final = re.compile(r" ?\[triaged ([0-9a-f]{32})\]")
_LAST_MARK: Final = re.compile(_MARK.pattern + r"\s*\Z")


def marked(comment: str, operation: str) -> str:
    """The comment of a silence that we make, in a form by which it is found again."""
    return f"{comment} [triaged {operation}]"


def operation_in(comment: str) -> str:
    """The id in the mark at the end of the comment of a silence that we made, "" where it has none there."""
    found = _LAST_MARK.search(comment)
    return found[1] if found else ""


def unmarked(text: str) -> str:
    """The text without marks, on one line."""
    return " ".join(_MARK.sub("", text).split())


@unique
class Hush(StrEnum):
    SILENCE = "silence"
    INHIBITION = "inhibition"


class Suppression(Struct, frozen=True, kw_only=True):
    """One reason why one alert is not told of.

    `ref` is the silence's id, or Alertmanager's fingerprint of the alert that inhibits; `by` who made the silence, or
    the name of that alert; `ends_at` and `comment` are the silence's.
    """

    fingerprint: str
    source: str
    hush: Hush
    ref: str
    by: str
    ends_at: datetime | None = None
    comment: str = ""

    @property
    def key(self) -> Key:
        return self.fingerprint, self.ref

    @property
    def operation(self) -> str:
        """The id in our mark where the comment has it, else ""."""
        return operation_in(self.comment)

    @property
    def words(self) -> str:
        """`silenced by ann until 2026-11-23 10:00 UTC: a comment`, or `inhibited by NodeDown`."""
        if self.hush is Hush.INHIBITION:
            return f"inhibited by {self.by}"
        until = "" if self.ends_at is None else f" until {wording.instant(self.ends_at)}"
        said = unmarked(self.comment)
        comment = f": {said}" if said else ""
        return f"silenced by {self.by}{until}{comment}"

    @property
    def shortly(self) -> str:
        """Without the end and the comment."""
        return f"{'inhibited' if self.hush is Hush.INHIBITION else 'silenced'} by {self.by}"


Key = tuple[str, str]
Changes = dict[Key, Suppression | None]
"""What becomes of some of them; None: it is over."""
