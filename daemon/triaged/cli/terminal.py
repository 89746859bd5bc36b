"""Text for a terminal: what an alert says is shown, and never obeyed."""

from __future__ import annotations

import re
from typing import Final

from rich.text import Text

_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def told(text: str, style: str = "") -> Text:
    """The text without markup and without the control characters that would move a cursor or write a title."""
    return Text(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", text), style=style)
