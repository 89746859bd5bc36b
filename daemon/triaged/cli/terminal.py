"""Text for a terminal: what an alert says is shown, and never obeyed."""

from __future__ import annotations

import re
from typing import Final

from rich.text import Text

_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def told(text: str, style: str = "") -> Text:
    """The text without markup and without what would move a cursor, end or turn a line or name a window."""
    return Text(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", text), style=style)
