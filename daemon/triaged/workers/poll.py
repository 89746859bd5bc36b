"""The poll worker: asks each repository what changed there, and hints at those issues that are not as we know them.

What people reported there by opening an issue it hands on. What it last asked since is stored and overlaps what it
saw, for lists run behind. So it finds at its start, and after any failure, all that happened meanwhile, also what a
webhook failed to tell.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

from triaged.core.observed import is_news
from triaged.errors import DeliveryError
from triaged.ports.looks import Changed, Lists, Look, Sight, seen
from triaged.ports.store import Publication
from triaged.store import looks
from triaged.store.reading import Reader

log = structlog.get_logger(__name__)

OVERLAP: Final = timedelta(minutes=12)
"""The longest that GitHub's lists were seen behind (guettli/agentloop#204)."""
QUANTUM: Final = timedelta(minutes=10)
"""The question stays the same for so long: the same question's answer costs nothing where nothing changed."""
_SKEW: Final = timedelta(minutes=5)
_LAG: Final = timedelta(minutes=1)
"""So far a list usually is behind, if it is."""
_BREATH: Final = timedelta(seconds=5)


class PollWorker:
    """One repository a step, each `every` so often; `hinted` is told when there is something to look at.

    `take` is given the issues that are not ours, and says whether it has done with them: else they are listed again.
    """

    name = "poll"

    def __init__(  # noqa: PLR0913 - the worker's collaborators, given once
        self,
        lists: Lists,
        *,
        backend: str,
        repositories: Iterable[str],
        every: timedelta,
        read: Callable[[], AbstractContextManager[Reader]],
        run: Callable[[Callable[[Any, datetime], Any]], Any],
        hinted: Callable[[], None],
        take: Callable[[Iterable[Sight]], bool] = lambda _sights: True,
    ) -> None:
        self._lists = lists
        self._backend = backend
        self._configured = tuple(filter(None, repositories))
        self._every = every
        self._read = read
        self._run = run
        self._hinted = hinted
        self._take = take
        self._hurried: set[str] = set()
        self._again: set[str] = set()
        self._asked: dict[str, datetime] = {}
        self._hurrying = threading.Lock()
        self._due: dict[str, datetime] = {}
        self._tags: dict[str, tuple[datetime, str]] = {}
        self.has_asked = False
        """Whether every repository was asked, or failed to answer, since the start."""

    def hurry(self, repository: str) -> None:
        """Something is new there: ask it next, and once more when its list may have caught up. Thread safe."""
        with self._hurrying:
            self._hurried.add(repository.lower())

    def step(self, now: datetime) -> bool:
        self._bring_forward(now)
        if self._due and min(self._due.values()) > now:
            self.has_asked = True
            return False
        with self._read() as reader:
            found = [*self._configured, *looks.repositories(reader.connection, self._backend)]
        known = {name.lower(): name for name in reversed(found)}
        self._due = {name: self._due.get(name, now) for name in known.values()}
        due = next((name for name, at in self._due.items() if at <= now), None)
        if due is None:
            self.has_asked = True
            return False
        try:
            more = self._poll(due, now)
        except DeliveryError as error:
            log.warning("repository not asked what changed", repository=due, reason=error.reason, error=str(error))
            self._due[due] = max(error.retry_at or now, now + self._every)
            # What fails is not hurried either.
            self._asked[due] = self._due[due] - _BREATH
            return True
        if not more:
            self._due[due] = now + (min(_LAG, self._every) if due in self._again else self._every)
            self._again.discard(due)
            self._asked[due] = now
        return True

    def next_at(self, now: datetime) -> datetime | None:
        self._bring_forward(now)
        return min(self._due.values(), default=now + self._every)

    def _bring_forward(self, now: datetime) -> None:
        """What is hurried is due now, but no repository more often than every few seconds."""
        with self._hurrying:
            hurried, self._hurried = self._hurried, set()
        for name in self._due:
            if name.lower() in hurried:
                asked_at = self._asked.get(name)
                soon = now if asked_at is None else max(now, asked_at + _BREATH)
                self._due[name] = min(self._due[name], soon)
                self._again.add(name)

    def _poll(self, repository: str, now: datetime) -> bool:
        """Whether there is more to be asked at once."""
        with self._read() as reader:
            stored = looks.listed_since(reader.connection, repository)
        usual = _floor(now - OVERLAP - _SKEW)
        since = stored or usual
        tagged_at, tag = self._tags.get(repository, (since, ""))
        changed = self._lists.changed(repository, since, tag if tagged_at == since else "")
        hints = self._hints(changed)
        # What people reported before it was first listed stays what it is; what moved is asked for by its new name.
        taken = not changed.moved_to and (stored is None or self._take(self._others(changed)))
        until = max(since, changed.until or (now if stored is None else usual)) if taken else since

        def keep(transaction: Any, at: datetime) -> None:
            connection = transaction.connection
            looks.hint(connection, hints, at)
            if stored is None:
                looks.hint_all(connection, repository, at)
            if stored != until:
                looks.list_since(connection, repository, until)
            if changed.moved_to:
                looks.rename(connection, repository, changed.moved_to)
                log.info("repository has another name", former=repository, name=changed.moved_to)

        if hints or stored != until or changed.moved_to:
            self._run(keep)
        self._tags[repository] = (since, changed.tag if taken else "")
        if hints or stored is None:
            self._hinted()
        return changed.until is not None and until > since

    def _others(self, changed: Changed) -> list[Sight]:
        """The issues that are not ours, as far as somebody reports something there, oldest first."""
        opened = sorted((one for one in changed.sights if one.opened is not None), key=lambda one: one.address.number)
        with self._read() as reader:
            written = _known(reader, opened)
        return [sight for sight in opened if sight.address.number not in written]

    def _hints(self, changed: Changed) -> list[int]:
        """Of what they are that are not as we know them."""
        by_number = {sight.address.number: sight for sight in changed.sights}
        with self._read() as reader:
            written = _known(reader, changed.sights)
            numbers = [one.incident_id for one in written.values()]
            rows = looks.of(reader.connection, numbers)
            said = looks.said(reader.connection, numbers)
        return [
            one.incident_id
            for number, one in written.items()
            if _is_news(by_number[number], rows.get(one.incident_id), one, said.get(one.incident_id, 0))
        ]


def _known(reader: Reader, sights: Sequence[Sight]) -> dict[int, Publication]:
    """Those of the issues, all of one repository, that are of something, by its own word for itself."""
    repository = next((sight.address.repository for sight in sights), "")
    return looks.at_places(reader.connection, repository, [sight.address.number for sight in sights])


def _is_news(sight: Sight, look: Look | None, written: Publication, said: int) -> bool:
    """Whether it is to be looked at: it changed since it was, and not only by what we wrote."""
    if look is not None and look.through_at is not None and sight.through_at <= look.through_at:
        return False
    known = look or Look(number=written.incident_id, due_at=written.due_at)
    labels = {*known.labels} if look is not None else {*written.labels}
    assignees = known.assignees if look is not None else written.assigned
    return (
        is_news(sight.looked, seen(known, looks.basis(written)))
        or {*sight.looked.labels} != labels
        or {login.lower() for login in sight.looked.assignees} != {login.lower() for login in assignees}
        or sight.count != known.remarks + said
    )


def _floor(at: datetime) -> datetime:
    start = datetime(1970, 1, 1, tzinfo=UTC)
    return start + (at - start) // QUANTUM * QUANTUM
