"""How people ask for an act: by a comment where those are read, else in a terminal."""

from __future__ import annotations

from triaged.backends.text import code


def ask(comment: str, command: str, *, by_comment: bool) -> str:
    """The words for it: `comment` is the slash command, `command` what stands after `triaged` in a terminal."""
    return f"comment {code(comment)}" if by_comment else code(f"triaged {command}", most=300)
