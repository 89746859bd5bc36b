"""The shifts worker: reads the calendars that say who is on call, and keeps what they said last."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import structlog
from msgspec.structs import replace

from triaged.core import wording
from triaged.core.catalogue import Feed
from triaged.core.oncall import LOOKED_AHEAD, Reading, Rota
from triaged.core.rotation import Shift
from triaged.core.rules import RuleSet
from triaged.errors import DeliveryError
from triaged.store import shifts
from triaged.store.reading import Reader
from triaged.workers.ical import Asked

log = structlog.get_logger(__name__)

EVERY: Final = timedelta(minutes=15)
AHEAD: Final = LOOKED_AHEAD * 2
"""So far ahead shifts are kept: a calendar that cannot be read for weeks still says who is on call."""
LATELY: Final = timedelta(days=1)
LONGEST_FAILURE: Final = 500


class ShiftsWorker:
    """One calendar a step, each every quarter of an hour, and at once where the rules name another one.

    `ask` gives the shifts of a calendar, or raises DeliveryError. Several processes may run it on one store.
    """

    name = "shifts"

    def __init__(
        self,
        rules: Callable[[], RuleSet],
        *,
        read: Callable[[], AbstractContextManager[Reader]],
        run: Callable[[Callable[[Any, datetime], Any]], Any],
        ask: Callable[[Asked], tuple[Shift, ...]],
    ) -> None:
        self._rules = rules
        self._read = read
        self._run = run
        self._ask = ask
        self._asked_of = ""

    def step(self, now: datetime) -> bool:
        feeds = feeds_of(self._rules())
        self._forget_others(feeds)
        if not feeds:
            return False
        with self._read() as reader:
            known = shifts.readings(reader.connection)
        due = [team for team, feed in feeds.items() if _is_due(feed, known.get(team), now)]
        if not due:
            return False
        team = min(due, key=lambda team: known[team].tried_at if team in known else now - EVERY)
        self._look(team, feeds[team], known.get(team), now)
        return True

    def next_at(self, now: datetime) -> datetime | None:
        feeds = feeds_of(self._rules())
        if not feeds:
            return None
        with self._read() as reader:
            known = shifts.readings(reader.connection)
        return min(known[team].tried_at + EVERY if team in known else now for team in feeds)

    def _look(self, team: str, feed: Feed, former: Reading | None, now: datetime, /) -> None:
        reading = Reading(team=team, source=source(feed), tried_at=now)
        failed = "" if former is None else former.failure
        try:
            found = self._ask(asked(feed, now))
        except DeliveryError as error:
            why = str(error)[:LONGEST_FAILURE]
            self._run(lambda tx, _: shifts.fail(tx.connection, replace(reading, failure=why)))
            # The same every quarter of an hour would hide what is new.
            if why != failed:
                log.warning("calendar not read", team=team, why=why)
            return
        with self._read() as reader:
            before = shifts.rota(self._rules(), reader.connection).strangers(team)
        good = replace(reading, read_at=now, until=now + AHEAD)
        self._run(lambda tx, _: shifts.keep(tx.connection, good, found))
        if failed:
            log.info("calendar read again", team=team)
        self._tell_strangers(team, found, before)

    def _tell_strangers(self, team: str, found: tuple[Shift, ...], before: tuple[str, ...]) -> None:
        """Whom nobody knows, when that is new."""
        rules = self._rules()
        now = Rota(teams=rules.teams, people=rules.people, shifts={team: found}).strangers(team)
        if now and now != before:
            log.warning("calendar names strangers", team=team, names=wording.listing(now, most=5))

    def _forget_others(self, feeds: Mapping[str, Feed]) -> None:
        """What was read for teams that have another on-call by now; asked once a rule set."""
        rules = self._rules()
        if rules.hash != self._asked_of:
            self._run(lambda transaction, _: shifts.forget_others(transaction.connection, [*feeds]))
            self._asked_of = rules.hash


def feeds_of(rules: RuleSet) -> dict[str, Feed]:
    """The calendars elsewhere, by the team whose shifts they say."""
    return {name: team.on_call for name, team in rules.teams.items() if isinstance(team.on_call, Feed)}


def _is_due(feed: Feed, former: Reading | None, now: datetime) -> bool:
    """Whether it is to be read now: it never was, another one was, or long ago; or the clock was put back."""
    return former is None or former.source != source(feed) or not timedelta() <= now - former.tried_at < EVERY


def asked(feed: Feed, now: datetime) -> Asked:
    """What to ask of a calendar now. Raises DeliveryError where its URL cannot be had."""
    return Asked(url=_url(feed), zone=feed.zone.key, since=now - LATELY, until=now + AHEAD)


def source(feed: Feed) -> str:
    """A digest of where it is read: another one is asked at once."""
    return hashlib.blake2b(repr((feed.url, feed.file, feed.zone.key)).encode(), digest_size=16).hexdigest()


def _url(feed: Feed) -> str:
    """The URL, read anew each time: its file may be rotated while the daemon runs."""
    if feed.url:
        return feed.url
    try:
        lines = Path(feed.file).read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise DeliveryError(f"{feed.file}: expected a file with a URL: {why}", reason="secret") from None
    if len(lines) != 1 or not lines[0].lower().startswith(("https://", "http://", "webcal://")):
        raise DeliveryError(f"{feed.file}: expected one URL like https://…, got something else", reason="secret")
    return lines[0]
