"""What asking one of those that we work with has shown: whether it would do what it is needed for."""

from __future__ import annotations

from enum import StrEnum, unique

from msgspec import Struct


@unique
class Standing(StrEnum):
    """An error keeps something from working; a warning is something that works today, or not for all."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class Probed(Struct, frozen=True, kw_only=True):
    """`what` was asked, what came of it, and in `hint` what to do; no text holds a secret."""

    what: str
    standing: Standing
    message: str
    hint: str = ""


def fine(what: str, message: str) -> Probed:
    return Probed(what=what, standing=Standing.OK, message=message)


def doubtful(what: str, message: str, hint: str) -> Probed:
    return Probed(what=what, standing=Standing.WARNING, message=message, hint=hint)


def failing(what: str, message: str, hint: str) -> Probed:
    return Probed(what=what, standing=Standing.ERROR, message=message, hint=hint)
