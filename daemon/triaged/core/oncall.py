"""Who is on call for a team: by its rotation, or by the shifts that were read from its calendar."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from msgspec import Struct

from triaged.core.catalogue import Person, Team
from triaged.core.rotation import Rotation, Shift

STALE_AFTER = timedelta(days=1)
"""A calendar that was last read so long ago may say something else by now."""
LOOKED_AHEAD = timedelta(weeks=4)
"""So far ahead somebody shall be on call all the time."""
SHOWN = 12
"""Names of a team's shifts at most: who is on call, and whose turns follow."""


class Reading(Struct, frozen=True, kw_only=True):
    """What became of a team's calendar: `read_at` and `until` are of the last good reading, `failure` of a later one.

    `source` is a digest of where it is read, `tried_at` when that was tried last. Shifts that begin before `until` are
    known.
    """

    team: str
    source: str
    tried_at: datetime
    read_at: datetime | None = None
    until: datetime | None = None
    failure: str = ""

    def stale(self, now: datetime) -> bool:
        """Whether it was never read, or not for so long that people have to know it."""
        return self.read_at is None or now - self.read_at > STALE_AFTER


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A shift as people see it: `person` is a name of the catalogue, "" where `said` names nobody that it knows."""

    person: str
    said: str
    begins_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rota:
    """Answers who is on call; `shifts` are by team, in the order in which they begin, `readings` how they came."""

    teams: Mapping[str, Team]
    people: Mapping[str, Person]
    shifts: Mapping[str, Sequence[Shift]] = field(default_factory=dict)
    readings: Mapping[str, Reading] = field(default_factory=dict)

    def now(self, team: str, at: datetime) -> tuple[str, ...]:
        """The people on call for a team at the aware instant `at`, then the next ones, each once; none in a gap.

        Where several shifts of a calendar run, the one that began last counts first: whoever covers for a few hours
        stands in front of whoever has the week. A team that is not known, or has no on-call, has nobody.
        """
        on_call = self.teams[team].on_call if team in self.teams else None
        if isinstance(on_call, Rotation):
            return on_call.on_call(at)
        running = [turn.person for turn in self.running(team, at) if turn.person]
        coming = [turn.person for turn in self.coming(team, at) if turn.person]
        return tuple(islice(dict.fromkeys((*running, *coming)), SHOWN)) if running else ()

    def running(self, team: str, at: datetime) -> list[Turn]:
        """The shifts of a team that run at `at`, the one that began last first; also those of strangers."""
        turns = [self._turn(shift) for shift in self._shifts(team, at, at + timedelta(seconds=1))]
        return sorted((one for one in turns if one.begins_at <= at < one.ends_at), key=_latest_first)

    def coming(self, team: str, at: datetime, ahead: timedelta = LOOKED_AHEAD) -> list[Turn]:
        """The shifts of a team that begin after `at`, the next first."""
        return [self._turn(shift) for shift in self._shifts(team, at, at + ahead) if shift.begins_at > at]

    def strangers(self, team: str) -> tuple[str, ...]:
        """What the calendar of a team says of whom the catalogue knows nobody, each once."""
        turns = map(self._turn, self.shifts.get(team, ()))
        return tuple(dict.fromkeys(turn.said for turn in turns if not turn.person))

    def gaps(self, team: str, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The spans in which nobody whom the catalogue knows is on call, by the shifts of the team's calendar."""
        covered = since
        for turn in map(self._turn, self._shifts(team, since, until)):
            if turn.person:
                if turn.begins_at > covered:
                    yield covered, turn.begins_at
                covered = max(covered, turn.ends_at)
        if covered < until:
            yield covered, until

    def _shifts(self, team: str, since: datetime, until: datetime) -> Iterator[Shift]:
        """The shifts that are running at some instant of a span, in the order in which they begin."""
        on_call = self.teams[team].on_call if team in self.teams else None
        if isinstance(on_call, Rotation):
            return on_call.shifts(since, until)
        known = self.shifts.get(team, ()) if on_call is not None else ()
        return (shift for shift in known if shift.begins_at < until and shift.ends_at > since)

    def _turn(self, shift: Shift) -> Turn:
        person = shift.who[0] if shift.who[0] in self.people else meant(shift.who, self.people)
        return Turn(person=person, said=shift.who[0], begins_at=shift.begins_at, ends_at=shift.ends_at)


def meant(who: Sequence[str], people: Mapping[str, Person]) -> str:
    """The one person that these words name, the surest word first; "" where none does, or one names several.

    A word is a name of the catalogue, a name at GitHub or a mail address; or a text in which just one of those stands.
    """
    for word in who:
        said = word.strip().casefold()
        exactly = [name for name, person in people.items() if said in person.known_as]
        within = exactly or [
            name for name, person in people.items() if any(_stands(own, said) for own in person.known_as)
        ]
        if len(within) == 1:
            return within[0]
    return ""


def _stands(name: str, text: str) -> bool:
    """Whether a name stands in a text as a word of its own, both in lower case."""
    return re.search(rf"(?<![\w.@+-]){re.escape(name)}(?![\w@+-]|\.\w)", text) is not None


def _latest_first(turn: Turn) -> float:
    return -turn.begins_at.timestamp()
