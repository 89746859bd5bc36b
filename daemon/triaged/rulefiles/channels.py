"""Channels that the rules name, held against those that the configuration has."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from triaged.errors import Finding
from triaged.rulefiles.sheet import Sheet
from triaged.rulefiles.words import listed, nearest

_FILE = "services.yaml"


def unconfigured(sheet: Sheet, channels: Collection[str]) -> Iterator[Finding]:
    """A finding for each channel of a team that is none of `channels`, at its place in the file."""
    for _, team in sheet.entries(_FILE, "teams").values():
        asked = team.below("channels")
        for value in asked.items() if asked is not None and asked.length else []:
            if value.word not in channels:
                expected = "a channel of the configuration, which has none (key channels)"
                if channels:
                    expected = f"one of the channels of the configuration: {listed(sorted(channels))}"
                yield value.noted(f"expected {expected}, got {value.word!r}", nearest(value.word, channels))
