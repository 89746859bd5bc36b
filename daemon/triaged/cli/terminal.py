"""Text for a terminal: what an alert says is shown, and never obeyed."""

from __future__ import annotations

import re
from typing import Final

from rich.console import Console
from rich.text import Text

# What moves a cursor, ends or turns a line, names a window, or cannot be seen at all; joiners within words are left.
_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ud800-\udfff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


_UNBOUNDED: Final = 100_000
"""Columns: more than any line that we write has."""


def screen() -> Console:
    """What writes to standard output: as wide as the terminal, and in a pipe or a file as wide as the text."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_UNBOUNDED)


def plain(text: str) -> str:
    """The text on one line, with what is no visible character escaped: `\\n`, `\\x1b`, `\\u202e`."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def plain_lines(text: str) -> str:
    """The same of each line of a text of our own that has several."""
    return "\n".join(map(plain, text.split("\n")))


def told(text: str, style: str = "") -> Text:
    """The text without markup, as `plain` shows it."""
    return Text(plain(text), style=style)
