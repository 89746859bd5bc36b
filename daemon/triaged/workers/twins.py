"""Issues that GitHub hid from us for so long that we made them twice: the second is closed as soon as it can be seen.

An ambiguous create is sent again once a list has had its time to show it. Where the list was further behind than that,
there are two issues of one operation; only such an operation, marked by `doubtful_at`, is looked for here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from triaged.errors import DeliveryError
from triaged.ports.backend import Backend
from triaged.ports.store import Publication
from triaged.store import queue
from triaged.store.reading import Reader

log = structlog.get_logger(__name__)

# How long after the last create was sent it is looked for twins, beside the longest that a list has been behind.
LOOK_AFTER: Final = (timedelta(minutes=4), timedelta(minutes=30), timedelta(hours=2), timedelta(days=1))
# In a storm many are in doubt: one walk of the list looks for all of a repository.
_BETWEEN_LOOKS: Final = timedelta(minutes=2)
_UNASKED_FOR: Final = timedelta(hours=1)
_MOST: Final = 1_000

Run = Callable[[Callable[[Any, datetime], Any]], Any]


class Twins:
    """Belongs to the thread that writes to the backend. After a restart all that is in doubt is looked at anew."""

    def __init__(self, backend: Backend, *, read: Callable[[], AbstractContextManager[Reader]], run: Run) -> None:
        self._backend = backend
        self._read = read
        self._run = run
        self._after = tuple(sorted({*LOOK_AFTER, backend.hidden_for}))
        self._looked: dict[int, datetime] = {}
        self._read_at: datetime | None = None
        self.next_at: datetime | None = None

    def expect(self, now: datetime) -> None:
        """From now on an issue is in doubt."""
        self.next_at = now if self.next_at is None else min(self.next_at, now)

    def step(self, now: datetime) -> bool:
        """Look for the twins of one repository, where it is time to; whether there was anything to do."""
        unread = self._read_at is None or now >= self._read_at + _UNASKED_FOR
        if not unread and (self.next_at is None or now < self.next_at):
            return False
        self._read_at = self.next_at = now
        with self._read() as reader:
            doubted = queue.doubtful(reader.connection, self._backend.name, _MOST)
        due = next((one for one in doubted if self._next_look(one) <= now), None)
        if due is None:
            self.next_at = min((self._next_look(one) for one in doubted), default=None)
            return False
        return self._look([one for one in doubted if one.repository == due.repository], now)

    def _look(self, doubted: Sequence[Publication], now: datetime) -> bool:
        """Close one twin and come again, or be done with this repository for now."""
        true = {one.operation: one.address for one in doubted if one.address is not None}
        since = min(one.doubtful_at for one in doubted if one.doubtful_at is not None)
        try:
            twin = self._backend.close_twin(true, since, doubted[0].repository)
        except DeliveryError as error:
            self.next_at = max(error.retry_at or now, now + _BETWEEN_LOOKS)
            log.warning("twins not looked for", repository=doubted[0].repository, error=str(error))
            return False
        if twin is not None:
            of = next(one for one in doubted if one.operation == twin.operation)
            self._run(lambda tx, at: queue.tell_of_twin(tx.connection, of, twin.address.url, at))
            log.warning("a second issue closed as a duplicate", issue=of.url, twin=twin.address.url)
            return True
        self._looked.update((one.incident_id, now) for one in doubted)
        sure = [one.incident_id for one in doubted if now >= _last_sent(one) + self._after[-1]]
        if sure:
            self._run(lambda tx, _: queue.be_sure(tx.connection, sure))
            for number in sure:
                del self._looked[number]
        return True

    def _next_look(self, one: Publication) -> datetime:
        """When it is to be looked for next."""
        looked = self._looked.get(one.incident_id)
        looks = (_last_sent(one) + after for after in self._after)
        if looked is None:
            return next(looks)
        return max(next((at for at in looks if at > looked), looked), looked + _BETWEEN_LOOKS)


def _last_sent(one: Publication) -> datetime:
    """The last create, or the first where the last is unknown; both are known of what is in doubt."""
    at = one.intended_at or one.doubtful_at
    if at is None:
        raise ValueError(f"nothing was ever sent of {one.incident_id}")
    return at
