"""Who is meant by the words of a notice, asked when it is sent: people and channels."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from msgspec import Struct

from triaged.core.catalogue import Person, Team

PEOPLE = "people"
"""What the channel of those is called who are told by addresses of their own."""
STAKEHOLDERS = "stakeholders"
"""The team whom an incident concerns and who do not work on it."""
ON_CALL, NEXT, TEAM = "on_call", "on_call.next", "team"


class Recipient(Struct, frozen=True, kw_only=True):
    """Somebody to be told: a channel by its own name, or of the channel PEOPLE a person."""

    channel: str
    name: str

    def __str__(self) -> str:
        return self.name if self.channel == PEOPLE else f"channel {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """Everybody who can be meant; `on_call` gives who is on call for a team and who is next, none in a gap."""

    teams: Mapping[str, Team]
    people: Mapping[str, Person]
    channels: Collection[str]
    on_call: Callable[[str], Sequence[str]]

    def answer(self, words: Sequence[str], team: str) -> tuple[Recipient, ...]:
        """Whom these words mean of an incident of that team, each once, in their order; none where nobody is meant.

        A name is a person's, else a team's (its channels and who is on call for it), else a channel's.
        """
        return tuple(dict.fromkeys(found for word in words for found in self._meant(word, team)))

    def _meant(self, word: str, team: str) -> Iterator[Recipient]:
        if word == ON_CALL:
            yield from self._turn(team, 0)
        elif word == NEXT:
            yield from self._turn(team, 1)
        elif word == TEAM:
            yield from self._channels_of(team)
        elif word in self.people:
            yield Recipient(channel=PEOPLE, name=word)
        elif word in self.teams:
            yield from self._channels_of(word)
            yield from self._turn(word, 0)
        elif word in self.channels:
            yield Recipient(channel=word, name=word)

    def _turn(self, team: str, place: int) -> Iterator[Recipient]:
        names = self.on_call(team)
        if len(names) > place:
            yield Recipient(channel=PEOPLE, name=names[place])

    def _channels_of(self, team: str) -> Iterator[Recipient]:
        for name in self.teams[team].channels if team in self.teams else ():
            yield Recipient(channel=name, name=name)
