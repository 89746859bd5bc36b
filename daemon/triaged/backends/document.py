"""The body of an issue: a marker on top, the daemon's block between its two markers, people's text all around it.

```
<!-- triaged:v1 op=5f3a… inc=12 -->

<!-- triaged:begin -->
<!-- triaged:sum 91c2… -->
the block
<!-- triaged:end -->

what people write
```
The sum tells a block that nobody has touched, also where we never learnt that it was written.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from hashlib import blake2b

from triaged.backends.text import clean, code, cut, passage, prose, table
from triaged.ports.backend import Issue, Kind

# GitHub takes 65,536 characters; code points of four bytes are 262,144 of its bytes.
MOST_POINTS = 65_000
MOST_BYTES = 262_000
MOST_OF_A_COMMENT = 20_000
# Who pastes more copies of our markers than this is not searched for the best of them.
MOST_MARKERS = 8
NEWLINE = "\n"

BEGIN, END = "<!-- triaged:begin -->", "<!-- triaged:end -->"
OPERATION = re.compile(r"[0-9a-f]{1,64}")
# An organisation's own accounts have its short name behind an underscore.
LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})(?:_[A-Za-z0-9]{1,16})?")
MARK = re.compile(r"^<!-- triaged:v1 op=([0-9a-f]{1,64})(?: (?:inc|rev|prb)=\d+)? -->[ \t]*\r?$", re.MULTILINE)
SUM = re.compile(r"<!-- triaged:sum ([0-9a-f]{16}) -->")
MARKED = re.compile(rf"{MARK.pattern}\s*^{BEGIN}[^\r\n]*\r?\n\Z", re.MULTILINE)
SHORTENED = "*Shortened: {} more lines had no room in this issue.*"
# What the least loss begins with, from the bottom: entries of lists and rows of tables.
OURS = re.compile(rf"{SUM.pattern}|\*Shortened: [\d,]+ more lines .*\*")
FRAME = "<!-- triaged:sum 0123456789abcdef -->\r\n\r\n\r\n\r\n"
ENTRY = re.compile(r"- |\| (?!---)")
BLOCK = re.compile(rf"^{BEGIN}.*?^{END}", re.MULTILINE | re.DOTALL)
TICKED = re.compile(r"[ \t]{0,8}[-*+] \[[xX]\][ \t]+(\S[^\r\n]*)")
ACTION = re.compile(r"- \[([ xX])\] (\d{1,3})\. ")
"""An action item as our block lists it: people may tick it there."""
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
MOST_TICKS = 100
LONGEST_TICK = 200


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a block lies: `head` ends with the begin marker's line, `tail` starts with the end marker's."""

    head: str
    lines: tuple[str, ...]
    tail: str
    newline: str


def mark(operation: str, number: int | None = None, kind: Kind = Kind.INCIDENT) -> str:
    """The marker line of an operation. Raises ValueError for an operation that could end the HTML comment."""
    if not OPERATION.fullmatch(operation):
        raise ValueError(f"expected an operation of hexadecimal digits, not {operation!r}")
    return f"<!-- triaged:v1 op={operation}" + ("" if number is None else f" {kind.lower()}={number}") + " -->"


def operation(body: str | None) -> str:
    """The operation of the first marker of the text, "" for none: people may quote others below it."""
    found = MARK.search(body or "")
    return found[1] if found else ""


def carries(body: str | None, wanted: str) -> bool:
    """Whether the text is the operation's."""
    return operation(body) == wanted != ""


def ticks(body: str) -> tuple[str, ...]:
    """The ticked items of people's part, in their order, each once; what stands in a fence is no item."""
    found: dict[str, None] = {}
    fence = ""
    for line in BLOCK.sub("", body).split(NEWLINE):
        opens = FENCE.match(line)
        if opens and (not fence or line.strip().startswith(fence)):
            fence = "" if fence else opens[1]
        ticked = None if fence else TICKED.match(line)
        if ticked:
            found[cut(clean(ticked[1]), LONGEST_TICK)] = None
    return tuple(found)[:MOST_TICKS]


def actions(body: str) -> dict[int, bool]:
    """The action items of our block by number, and whether each is ticked."""
    block = BLOCK.search(body)
    items = map(ACTION.match, block[0].split(NEWLINE)) if block else ()
    return {int(item[2]): item[1] != " " for item in items if item}


def compose(issue: Issue, operation: str) -> str:
    """The body of a new issue."""
    head = f"{mark(operation, issue.incident_id, issue.kind)}\n\n{BEGIN}\n"
    return _joined(head, f"{END}\n\n{issue.people}".rstrip() + "\n", issue.block, newline="\n")


def comment(text: str, operation: str, mentions: Iterable[str] = (), rows: Sequence[tuple[str, str]] = ()) -> str:
    """The body of a comment: the marker, and the text without anything that GitHub would act on.

    `mentions` are logins that are told by it; what cannot be one is left out. `rows` are commands, with what they do.
    """
    called = " ".join(f"@{login}" for login in mentions if LOGIN.fullmatch(login))
    said = passage(text, most=MOST_OF_A_COMMENT, prefix="")
    listed = table(("command", "does"), ((code(word), prose(what)) for word, what in rows)) if rows else ""
    return "\n\n".join(filter(None, (mark(operation), said, listed, called))) + "\n"


def merge(current: str, last_block: str, issue: Issue) -> str | None:
    """The body with our block as it should be now and everything else to the letter.

    None where there is no block of ours, or not even room for an empty one. Lines that people put into our block (those
    that `last_block` does not have) move below it. The result equals `current` where nothing changes. Where people's
    text leaves too little room, it is our block that gets shorter.
    """
    # Found again after a crash: what was written then is not known, but it will have been much the same.
    last_block = last_block or issue.block
    place = max(_places(current), key=lambda place: _likeness(place, last_block), default=None)
    if place is None:
        return None
    tail = place.tail
    kept = _kept(place, last_block)
    if kept:
        marker = re.match(r"[^\r\n]*", tail)
        end = marker.end() if marker else 0
        tail = tail[:end] + place.newline * 2 + place.newline.join(kept) + (tail[end:] or place.newline)
    body = _joined(place.head, tail, issue.block, newline=place.newline)
    return body if _fits(body) else None


def adopt(current: str, issue: Issue, operation: str) -> str | None:
    """The body of an issue that people opened, with our block above it and all that they wrote to the letter.

    None where there is not even room for an empty block. What their text has of our markers counts as theirs.
    """
    head = f"{mark(operation, issue.incident_id, issue.kind)}\n\n{BEGIN}\n"
    body = _joined(head, f"{END}\n\n{issue.people}".rstrip() + f"\n\n{current}", issue.block, newline="\n")
    return body if _fits(body) else None


def fit(block: str, most: int) -> str:
    """The block in at most so many code points: entries go from the bottom up, then paragraphs; it says so."""
    if len(block) <= most:
        return block
    lines, gone = block.split("\n"), 0
    room = most - len(SHORTENED) - 8
    size = len(block)
    for position in reversed(range(len(lines))):
        if size <= room:
            break
        if ENTRY.match(lines[position]) and not _is_header(lines, position):
            size -= len(lines.pop(position)) + 1
            gone += 1
    paragraphs = "\n".join(lines).split("\n\n")
    while paragraphs and len("\n\n".join(paragraphs)) > room:
        gone += paragraphs.pop().count("\n") + 1
    note = SHORTENED.format(f"{gone:,}")
    return "\n\n".join([*_closed(paragraphs), note]) if len(note) <= most else ""


def _fits(body: str) -> bool:
    return len(body) <= MOST_POINTS and len(body.encode(errors="surrogatepass")) <= MOST_BYTES


def _is_header(lines: Sequence[str], position: int) -> bool:
    return position + 1 < len(lines) and lines[position + 1].startswith("| ---")


def _closed(paragraphs: list[str]) -> list[str]:
    """Without a fold that has lost its end."""
    folds = [position for position, paragraph in enumerate(paragraphs) if paragraph.startswith("<details>")]
    return paragraphs if len(folds) == paragraphs.count("</details>") else paragraphs[: folds[-1]]


def _joined(head: str, tail: str, block: str, *, newline: str) -> str:
    """All parts together, the block cut to the room that is left."""
    around = head + tail
    around_bytes = len(around.encode(errors="surrogatepass"))
    room = min(MOST_POINTS - len(around), (MOST_BYTES - around_bytes) // 4) - len(FRAME)
    shown = fit(block, room - (block.count("\n") if newline == "\r\n" else 0))
    content = f"<!-- triaged:sum {_sum(shown.split(NEWLINE))} -->\n\n{shown}\n\n"
    return head + content.replace("\n", newline) + tail


def _places(body: str) -> Iterator[_Place]:
    """Every way to read a block out of the text: any begin marker with any end marker after it."""
    begins = [*re.finditer(rf"^{BEGIN}[^\r\n]*(\r?\n)", body, re.MULTILINE)][:MOST_MARKERS]
    ends = [*re.finditer(rf"^{END}", body, re.MULTILINE)][:MOST_MARKERS]
    for begin in begins:
        for end in ends:
            if begin.end() <= end.start():
                lines = tuple(body[begin.end() : end.start()].split(NEWLINE))
                yield _Place(body[: begin.end()], lines, body[end.start() :], newline=begin[1])


def _likeness(place: _Place, last_block: str) -> tuple[int, bool, int]:
    """How much a block is ours: most lines of what we wrote, then our marker above it, then fewest other lines."""
    ours = Counter(line.strip() for line in last_block.split(NEWLINE))
    known = Counter(line.strip() for line in place.lines) & ours
    return known.total(), bool(MARKED.search(place.head)), -len(place.lines)


def _is_untouched(lines: Sequence[str]) -> bool:
    found = SUM.fullmatch(lines[0].strip()) if lines else None
    return found is not None and found[1] == _sum(lines[1:])


def _sum(lines: Sequence[str]) -> str:
    """The same for any line ends: GitHub's page makes them CRLF."""
    text = NEWLINE.join(line.rstrip() for line in lines).strip(NEWLINE)
    return blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def _kept(place: _Place, last_block: str) -> list[str]:
    """The lines that people put into our block; what they took out of it does not count."""
    if _is_untouched(place.lines):
        return []
    lines = [line.removesuffix("\r") for line in place.lines if not OURS.fullmatch(line.strip())]
    ours = [_unticked(line) for line in last_block.split(NEWLINE)]
    matcher = SequenceMatcher(None, ours, [_unticked(line) for line in lines], autojunk=False)
    kept: list[str] = []
    for kind, _, _, start, end in matcher.get_opcodes():
        added = [] if kind == "equal" else _trimmed(lines[start:end])
        if added:
            kept += ["", *added] if kept else added
    return kept


def _unticked(line: str) -> str:
    """The line but for what a tick changes: a tick is read, and is no line of people's."""
    return ACTION.sub(r"- [ ] \2. ", line.rstrip())


def _trimmed(lines: list[str]) -> list[str]:
    """Without empty lines at either end."""
    text = [position for position, line in enumerate(lines) if line.strip()]
    return lines[text[0] : text[-1] + 1] if text else []
