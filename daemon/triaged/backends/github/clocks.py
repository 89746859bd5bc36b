"""Our clock against GitHub's, as far as the Date headers of its answers tell."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import structlog

log = structlog.get_logger(__name__)

# The header counts whole seconds and was on its way; one that is further off is nobody's clock.
AGREED: Final = timedelta(seconds=5)
_UNLIKELY: Final = timedelta(days=1)
_WORTH_TELLING: Final = timedelta(minutes=1)


class Clocks:
    """`ahead` is what GitHub's clock is ahead of ours, by its last answer; zero while they agree within seconds."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.ahead = timedelta()
        self._has_told = False

    def there(self) -> datetime:
        """The present instant by GitHub's clock."""
        return self.now() + self.ahead

    def hear(self, date: str) -> None:
        """Take note of an answer's Date header (RFC 9110, section 6.6.1)."""
        at = read_date(date)
        ahead = timedelta() if at is None else at - self.now()
        if at is None or abs(ahead) > _UNLIKELY:
            return
        self.ahead = ahead if abs(ahead) > AGREED else timedelta()
        if abs(ahead) > _WORTH_TELLING and not self._has_told:
            self._has_told = True
            log.warning("clock differs from GitHub's", seconds=round(-ahead.total_seconds()))


def read_date(header: str) -> datetime | None:
    """The instant of a header that has one, aware; None where it has none."""
    try:
        at = parsedate_to_datetime(header)
    except (ValueError, TypeError):
        return None
    return at if at.tzinfo is not None else None
