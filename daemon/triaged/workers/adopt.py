"""Who may report a problem by opening an issue: those of whom that holds are handed to the writer, each issue once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum, unique
from typing import Final, Protocol

import structlog

from triaged.errors import DeliveryError, StoreError
from triaged.intake.units import Adopt, Answer, Unit
from triaged.ports.looks import Opened, Sight
from triaged.ports.store import Fate

log = structlog.get_logger(__name__)

_UNAVAILABLE: Final = 503
_MOST_REMEMBERED: Final = 10_000


@unique
class Reporters(StrEnum):
    """Whose issues become incidents."""

    ANYONE = "anyone"
    COLLABORATORS = "collaborators"
    NOBODY = "nobody"


class Members(Protocol):
    """Who knows whose repository it is."""

    def belongs(self, repository: str, login: str) -> bool:
        """Whether that person may do there what not everybody may. Raises DeliveryError."""
        ...


class AdoptIssues:
    """Remembers what it was answered, so that an issue that is none of ours is not asked about again and again."""

    def __init__(self, members: Members, *, reporters: Reporters, ask: Callable[[Unit], Answer]) -> None:
        self._members = members
        self._reporters = reporters
        self._ask = ask
        self._answered: dict[str, None] = {}

    def take(self, sights: Iterable[Sight]) -> bool:
        """Have these be incidents, as far as who opened them may report; False where that is to be tried again."""
        done = True
        for sight in sights:
            url = sight.address.url
            if sight.opened is None or self._reporters is Reporters.NOBODY or url in self._answered:
                continue
            try:
                if self._may(sight, sight.opened):
                    self._report(sight, sight.opened)
            except DeliveryError as error:
                log.warning("reporter not known", issue=url, reason=error.reason, error=str(error))
                done = False
                continue
            self._answered[url] = None
            if len(self._answered) > _MOST_REMEMBERED:
                del self._answered[next(iter(self._answered))]
        return done

    def _may(self, sight: Sight, opened: Opened) -> bool:
        if self._reporters is Reporters.ANYONE or self._members.belongs(sight.address.repository, opened.by):
            return True
        log.info("issue left alone: its author may not report", issue=sight.address.url, login=opened.by)
        return False

    def _report(self, sight: Sight, opened: Opened) -> None:
        answer = self._ask(Adopt(address=sight.address, opened=opened))
        if answer.status == _UNAVAILABLE:
            raise StoreError(answer.error)
        if Fate.DROPPED in answer.counts:
            log.info("issue left alone: the rules drop what it reports", issue=sight.address.url)
        elif Fate.BEGAN in answer.counts:
            log.info("issue adopted", issue=sight.address.url, login=opened.by)
