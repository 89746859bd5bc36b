"""Pieces of a letter as text, Markdown or HTML: what others wrote mentions nobody, links nowhere, forms nothing."""

from __future__ import annotations

import html
import re
from enum import StrEnum, unique
from typing import Final

from triaged.ports.channel import PieceKind, Pieces

BREAK: Final = "\u200b"
"""A space of no width: it parts what a chat would act on, and nobody sees it."""
LONGEST_SUBJECT: Final = 200
# Chats act on these also in what they take as plain text: mentions, Slack's <!here>, links, Markdown's ](.
_LIVELY: Final = re.compile(r"@|<|:(?=//)|\](?=\()|www(?=\.)|mailto(?=:)", re.IGNORECASE)
_MARKS: Final = re.compile(r"[\\`*_\[\]<>~|&]")
_OPENS_A_BLOCK: Final = re.compile(r"^(\s*)([#>+=-]|\d{1,9}[.)])", re.MULTILINE)
_UNSEEN: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\U000e0000-\U000e0fff]"
)


@unique
class Format(StrEnum):
    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"


def subject(pieces: Pieces) -> str:
    """One line of plain text."""
    line = " ".join(write(pieces, Format.TEXT, markdown=False).split())
    return line if len(line) <= LONGEST_SUBJECT else line[: LONGEST_SUBJECT - 1].rstrip() + "…"


def write(pieces: Pieces, form: Format, *, markdown: bool) -> str:
    """The pieces in one format; `markdown` says that what is ours among them is Markdown."""
    if form is Format.TEXT:
        return "".join(piece.text if piece.kind is not PieceKind.THEIRS else quiet(piece.text) for piece in pieces)
    if form is Format.MARKDOWN or markdown:
        source = "".join(_as_markdown(piece.kind, piece.text, ours_is=markdown) for piece in pieces)
        source = source if markdown else source.replace("\n", "  \n")
        return _rendered(source) if form is Format.HTML else source
    return "".join(_as_html(piece.kind, piece.text) for piece in pieces)


def quiet(text: str) -> str:
    """Text of others that nothing acts on, and without what cannot be seen."""
    return _LIVELY.sub(rf"\g<0>{BREAK}", _UNSEEN.sub(" ", text))


def _as_markdown(kind: PieceKind, text: str, *, ours_is: bool) -> str:
    if kind is PieceKind.LINK or (kind is PieceKind.OURS and ours_is):
        return text
    escaped = _MARKS.sub(r"\\\g<0>", text if kind is PieceKind.OURS else quiet(text))
    return _OPENS_A_BLOCK.sub(_not_a_block, escaped)


def _not_a_block(found: re.Match[str]) -> str:
    mark = found[2]
    return f"{found[1]}\\{mark}" if len(mark) == 1 else f"{found[1]}{mark[:-1]}\\{mark[-1]}"


def _as_html(kind: PieceKind, text: str) -> str:
    if kind is PieceKind.LINK:
        return f'<a href="{html.escape(text)}">{html.escape(text)}</a>'
    shown = text if kind is PieceKind.OURS else quiet(text)
    return html.escape(shown).replace("\n", "<br>\n")


def _rendered(markdown: str) -> str:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - only mail of Markdown templates needs it

    rendered: str = MarkdownIt("commonmark", {"html": False, "breaks": True}).render(markdown)
    return rendered
