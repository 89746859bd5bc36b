"""The addresses of people and channels: URLs, which are secrets, read anew each time they are used."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from triaged.channels.opening import by_relay, open_channel, pages, service_of
from triaged.core.recipients import PEOPLE, Recipient
from triaged.core.rules import RuleSet
from triaged.errors import ConfigError
from triaged.ports.channel import Channel, Message

RELAY = "mail"
"""The channel by whose mail server plain mail addresses of people are reached."""


class Addresses:
    """`channels` gives the URL of each configured channel, or raises ConfigError; `rules` the rules in force."""

    def __init__(
        self,
        channels: Mapping[str, Callable[[], str]],
        rules: Callable[[], RuleSet],
        opened: Callable[[str], Channel] = open_channel,
    ) -> None:
        self._channels = channels
        self._rules = rules
        self._opened = opened

    @property
    def silent(self) -> bool:
        """Whether nobody is told anything: no channel is configured, people's own addresses are not used either."""
        return not self._channels

    @property
    def channels(self) -> frozenset[str]:
        return frozenset(self._channels)

    def places(self, recipient: Recipient) -> range:
        """Which addresses a recipient has, by their numbers."""
        if recipient.channel != PEOPLE:
            return range(int(recipient.channel in self._channels))
        person = self._rules().people.get(recipient.name)
        return range(0 if person is None else len(person.notify))

    def pages(self, recipient: Recipient, place: int) -> bool:
        """Whether that address leads to a paging service; of one that cannot be read it is not known."""
        try:
            return pages(self._url(recipient.channel, recipient.name, place))
        except ConfigError:
            return False

    def service(self, message: Message) -> str:
        """What the message's address has in common with others that one slow service would keep waiting."""
        try:
            return service_of(self._url(message.channel, message.name, message.place))
        except ConfigError:
            return message.channel

    def open(self, message: Message) -> Channel:
        """The message's address. Raises ConfigError, whose text holds no secret."""
        return self._opened(self._url(message.channel, message.name, message.place))

    def _url(self, channel: str, name: str, place: int) -> str:
        if channel != PEOPLE:
            if channel not in self._channels:
                raise ConfigError("the configuration names it no more")
            return self._channels[channel]()
        person = self._rules().people.get(name)
        if person is None or place >= len(person.notify):
            raise ConfigError("the rules have this address no more")
        url = person.notify[place]
        return by_relay(url, self._channels[RELAY]()) if RELAY in self._channels else url
