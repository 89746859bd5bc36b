"""What the door and the daemon say to each other over a socket pair: messages, and how they are framed."""

from __future__ import annotations

import copyreg
import pickle
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct, msgpack

from triaged.door.doors import Door
from triaged.intake.known import Changes
from triaged.intake.units import Answer, Delivery
from triaged.ports.source import Reading
from triaged.ports.tally import Tally
from triaged.sources.sns import Handshake

STOP_SECONDS: Final = 15
"""How long requests that wait for an answer may hold up the end."""
REPEATED_SECONDS: Final = 30
"""How long what was repeated may wait until the daemon hears of it."""

_LENGTH: Final = 8


def _read_only(content: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(content)


# Compiled mappings of sources hold read-only dictionaries, for which pickle has no way of its own.
copyreg.pickle(MappingProxyType, lambda proxy: (_read_only, (dict(proxy),)))

# What is read at the door need not be read again by the writer, whose time is the dearest: packed like this it costs
# an eighth of that.
_pack: Final = msgpack.Encoder().encode
_unpack: Final = msgpack.Decoder(Reading).decode
copyreg.pickle(Reading, lambda reading: (_unpack_reading, (_pack(reading),)))


def _unpack_reading(packed: bytes) -> Reading:
    return _unpack(packed)


class Delivered(Struct, frozen=True):
    """Door to daemon: alerts that are not all known. Answered in a `Settled` under the same number."""

    number: int
    delivery: Delivery


class Asked(Struct, frozen=True):
    """Door to daemon: a request that is no delivery, as ASGI describes it. Answered by one `Said` or more."""

    number: int
    scope: Mapping[str, Any]
    body: bytes


class Shaken(Struct, frozen=True):
    """Door to daemon: a subscription asks to be confirmed; `topics` need no person for it."""

    handshake: Handshake
    topics: frozenset[str]


class Counted(Struct, frozen=True):
    """Door to daemon: what was counted since the last time."""

    tally: Tally


class Repeated(Struct, frozen=True):
    """Door to daemon: the digests of alerts that it answered alone since the last time."""

    digests: frozenset[bytes]


class Opened(Struct, frozen=True):
    """Daemon to door: the doors from now on. With `alone`, a known alert is answered without asking."""

    doors: Mapping[str, Door]
    alone: bool


class Settled(Struct, frozen=True):
    """Daemon to door: a transaction is committed; what is known by it now, and the answers to its deliveries."""

    changes: Changes | None
    answers: Sequence[tuple[int, Answer]]


class Said(Struct, frozen=True):
    """Daemon to door: a part of the answer to `Asked`, as ASGI sends it."""

    number: int
    message: Mapping[str, Any]


class Leave(Struct, frozen=True):
    """Daemon to door: take no more requests, answer those that wait, and end."""


ToDaemon = Delivered | Asked | Shaken | Counted | Repeated
ToDoor = Opened | Settled | Said | Leave


def frame(messages: Sequence[ToDaemon | ToDoor]) -> bytes:
    """Messages as they travel: the length in 8 bytes, big-endian, then a pickled list.

    Both ends are one release of one program on one machine, and the socket pair has no name by which others reach it.
    """
    content = pickle.dumps(messages, pickle.HIGHEST_PROTOCOL)
    return len(content).to_bytes(_LENGTH, "big") + content


class Frames:
    """Puts what arrives in pieces together again."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """The messages that are whole now, in their order."""
        self._held += data
        at = 0
        while len(self._held) - at >= _LENGTH:
            begins = at + _LENGTH
            ends = begins + int.from_bytes(self._held[at:begins], "big")
            if len(self._held) < ends:
                break
            at = ends
            yield from pickle.loads(memoryview(self._held)[begins:ends])  # noqa: S301 - our own process sent it
        del self._held[:at]
