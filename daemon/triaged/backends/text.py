"""Text of others made harmless in Markdown: it mentions nobody, links nowhere and forms nothing.

GitHub still mentions after `\\@`, `&#64;` and in tables (github/markup#1168); a code span does not, but replies by mail
lose the markup and mention again, so an @ is always followed by a zero width space too (dependabot-core#3157).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote, urlsplit

BREAK = "\u200b"
NOTHING = "—"
LONGEST_URL = 2_000
# Lone surrogates and noncharacters cannot be sent; tags, fillers and bidi controls show something else than is there.
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff"
    "\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
UNSENDABLE = re.compile("[\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
# What GitHub would turn into a mention, a reference, a link, an emoji or a formula: the word goes into a code span.
LIVELY = re.compile(
    r"@|://|\$|#\d|www\.|mailto:|xmpp:|(?<![^\W_])(?:GH-\d|GHSA-|CVE-)|:[\w+-]+:|(?<![0-9a-z])[0-9a-f]{7,64}(?![0-9a-z])",
    re.IGNORECASE,
)
SPECIAL = re.compile(r"[\\`*\[\]<>~&]|(?<![^\W_])_|_(?![^\W_])")
ORDERED = re.compile(r"(\d{1,9})([.)])")
OPENS_A_BLOCK = frozenset("#+-=:|!\"'(),./;?@^{}")
ENTITY = re.compile(r"&(?=#?\w+;)")
STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# A link to an issue adds an entry to that timeline; this host of GitHub's own leads there without one.
REFERENCE = re.compile(r"/[\w.-]+/[\w.-]+/(?:issues|pull|pulls|discussions|commit)/")
WITHOUT_REFERENCE = "redirect.github.com"


def clean(text: str) -> str:
    """The text on one line, without anything that cannot be seen or sent."""
    if not text.isascii():
        text = UNSENDABLE.sub("\ufffd", INVISIBLE.sub("", text))
    return " ".join(CONTROL.sub(" ", text).split())


def cut(text: str, most: int) -> str:
    """At most so many code points, the last one an ellipsis where something is missing."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def code(text: str, *, most: int = 200) -> str:
    """A code span, its fence longer than any run of backticks within."""
    shown = cut(clean(text), most).replace("@", f"@{BREAK}")
    if not shown:
        return NOTHING
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def prose(text: str, *, most: int = 400) -> str:
    """Running text on one line, to be read as it was written; words that GitHub would act on become code spans."""
    words = cut(clean(text), most).split(" ")
    shown = " ".join(code(word) if LIVELY.search(word) else SPECIAL.sub(r"\\\g<0>", word) for word in words if word)
    if shown[:1] in OPENS_A_BLOCK:
        return "\\" + shown
    return ORDERED.sub(r"\1\\\2", shown, count=1) if ORDERED.match(shown) else shown


def passage(text: str, *, most: int = 4_000, prefix: str = "> ") -> str:
    """Several lines of running text, each kept as a line of one quotation; "" where there is nothing to read."""
    lines = [prose(line, most=most) for line in cut(text, most).splitlines() if clean(line)]
    return prefix + f"\\\n{prefix}".join(lines) if lines else ""


def link(words: str, url: str) -> str | None:
    """A link of ours to a URL of others; None for anything but http and https, or a URL with a password or too long.

    `words` are ours.
    """
    url = clean(url)
    try:
        parts = urlsplit(url)
        fit = (
            parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc and parts.netloc.isascii()
        )
    except ValueError:
        return None
    if not fit or len(url) > LONGEST_URL:
        return None
    if parts.hostname in {"github.com", "www.github.com"} and REFERENCE.match(parts.path):
        url = parts._replace(netloc=WITHOUT_REFERENCE).geturl()
    target = quote(STRAY_PERCENT.sub("%25", url), safe="%/:?#[]!&*+,;=-._~")
    return f"[{words}]({ENTITY.sub('&amp;', target)})" if len(target) <= LONGEST_URL else None


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the cells are Markdown, and a pipe in them stays in its cell."""
    lines = [[*header], ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def title(text: str, *, most: int) -> str:
    """A heading that GitHub shows as plain text: no Markdown, but mentions and references would work."""
    shown = clean(text).replace("@", f"@{BREAK}")
    return cut(re.sub(r"#(?=\d)|(?<![^\W_])GH-(?=\d)", rf"\g<0>{BREAK}", shown, flags=re.IGNORECASE), most)


def label_name(text: str, *, most: int = 50) -> str:
    """A label as GitHub takes it: no comma, which would part two labels in its filters."""
    return cut(clean(text.replace(",", " ")), most)


def _cell(markdown: str) -> str:
    # The backslash before a pipe is taken away before the cell is read, in code spans too (GFM, "Tables").
    return markdown.replace("|", r"\|")
