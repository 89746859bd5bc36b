"""Repositories that take nothing for now: one request asks again, and all others are spared it.

A storm's thousand incidents of an archived repository would otherwise ask a thousand times, and use up what the account
may write elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum, unique
from typing import Final

from triaged.errors import DeliveryError


@unique
class Use(StrEnum):
    """What is wanted of a repository: to look into it, to change what is there, to make something new."""

    LOOK = "look"
    CHANGE = "change"
    CREATE = "create"


_ALL: Final = frozenset(Use)
_STOPS: Final[Mapping[str, frozenset[Use]]] = {
    "archived": frozenset({Use.CHANGE, Use.CREATE}),
    "issues_disabled": _ALL,
    "not_installed": _ALL,
}
# Of an issue these say something of that issue, maybe; at the creation of one they are about the repository.
_STOPS_AT_CREATION: Final[Mapping[str, frozenset[Use]]] = {
    "not_found": frozenset({Use.CREATE}),
    "forbidden": frozenset({Use.CREATE}),
}


class ClosedRepositories:
    """Not thread safe. It forgets each refusal at the refusal's own `retry_at`."""

    def __init__(self) -> None:
        self._errors: dict[tuple[str, Use], DeliveryError] = {}

    def check(self, repository: str, use: Use, now: datetime) -> None:
        """Raises the DeliveryError with which this was refused last, until it is time to ask again."""
        error = self._errors.get((repository.lower(), use))
        if error is not None and error.retry_at is not None and now < error.retry_at:
            raise DeliveryError(str(error), reason=error.reason, retry_at=error.retry_at)

    def note(self, repository: str, use: Use, error: DeliveryError) -> None:
        """Remember what was refused there; errors that say nothing of the whole repository change nothing."""
        stops = _STOPS.get(error.reason) or (_STOPS_AT_CREATION.get(error.reason) if use is Use.CREATE else None)
        for stopped in stops or ():
            self._errors[repository.lower(), stopped] = error
