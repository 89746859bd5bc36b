"""What people wrote into an issue that they opened from the template or the form of incident reports.

A form's answers come as `### LABEL`, a blank line and the answer, `_No response_` where there is none:
https://docs.github.com/en/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-issue-forms
The template has the same headings, with hints in HTML comments. Whatever a body holds, reading it ends, in time that
grows with its length alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from triaged.backends.text import clean, cut
from triaged.core.model import Category, Impact, Urgency
from triaged.core.reports import Filed

LABEL: Final = "incident report"
"""The label that GitHub puts on an issue that was opened from either."""
HEADINGS: Final[Mapping[str, str]] = {
    "summary": "summary",
    "impact": "impact",
    "urgency": "urgency",
    "category": "category",
    "services affected": "services",
    "symptoms": "symptoms",
    "when it began": "started",
}
"""The field under each heading of the two, in lower case."""
LONGEST_SUMMARY: Final = 300
LONGEST_SYMPTOMS: Final = 4_000
MOST_SERVICES: Final = 20
LONGEST_SERVICE: Final = 100
_MOST_READ: Final = 65_536
_NO_ANSWER: Final = "_No response_"
_HEADING: Final = re.compile(r" {0,3}#{1,6}[ \t]+([^#\n]{1,60}?)[ \t]*#*[ \t]*")
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_TICK: Final = re.compile(r"[ \t]*[-*+] \[([ xX])\][ \t]+")
_CLOCK: Final = r"(\d{1,2}):(\d{2})(?::\d{2}(?:\.\d{1,9})?)?"
_WHEN: Final = re.compile(
    rf"(?:(\d{{4}})-(\d{{1,2}})-(\d{{1,2}})(?:[T,]|[ \t])*)?{_CLOCK}[ \t]*(?:Z|UTC|GMT)?([+-]\d{{2}}:?\d{{2}})?",
    re.IGNORECASE | re.ASCII,
)
_A_DAY: Final = timedelta(days=1)

Choice = TypeVar("Choice", bound=StrEnum)


def is_report(body: str | None) -> bool:
    """Whether the body has the headings of template or form that severity is assessed by, in whatever order."""
    return {"impact", "urgency"} <= _sections(body or "").keys()


def read(body: str | None, opened_at: datetime) -> Filed:
    """What the body of an issue that was opened at that instant (aware) says."""
    found = _sections(body or "")
    words = {name: _ticked(text) for name, text in found.items()}
    return Filed(
        summary=cut(clean(words.get("summary", "")), LONGEST_SUMMARY),
        impact=_gravest(words.get("impact", ""), Impact),
        urgency=_gravest(words.get("urgency", ""), Urgency),
        category=_first(words.get("category", ""), Category),
        services=_names(words.get("services", "")),
        symptoms=cut(found.get("symptoms", ""), LONGEST_SYMPTOMS),
        started_at=_instant(words.get("started", ""), opened_at),
    )


def _sections(body: str) -> dict[str, str]:
    """The answers by field. A heading that comes again is part of the answer in which it stands."""
    lines = _without_comments(body[:_MOST_READ].replace("\r\n", "\n")).split("\n")
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line, fenced in zip(lines, _fenced(lines), strict=True):
        heading = None if fenced else _HEADING.fullmatch(line)
        name = HEADINGS.get(heading[1].strip().lower()) if heading else None
        if name is not None and name not in found:
            current = found.setdefault(name, [])
        else:
            current.append(line)
    answers = {name: "\n".join(text).strip() for name, text in found.items()}
    return {name: "" if text == _NO_ANSWER else text for name, text in answers.items()}


def _without_comments(text: str) -> str:
    """One that never ends stays, as it stands."""
    kept, at = [], 0
    while (begin := text.find("<!--", at)) >= 0 and (end := text.find("-->", begin + 4)) >= 0:
        kept.append(text[at:begin])
        at = end + 3
    return "".join([*kept, text[at:]])


def _fenced(lines: Sequence[str]) -> list[bool]:
    """Of each line whether it lies in a block of code; a fence that nothing closes opens none."""
    fences = [(at, found) for at, line in enumerate(lines) if (found := _FENCE.match(line))]
    inside = [False] * len(lines)
    # By sign the shortest fence that nothing closes: no longer one further down can be closed either.
    hopeless: dict[str, int] = {}
    end = -1
    for n, (at, fence) in enumerate(fences):
        sign, length = fence[1][0], len(fence[1])
        if at <= end or length >= hopeless.get(sign, _MOST_READ):
            continue
        rest = (fences[later] for later in range(n + 1, len(fences)))
        closing = next((there for there, one in rest if _closes(one, sign, length)), None)
        if closing is None:
            hopeless[sign] = length
        else:
            end = closing
            inside[at : end + 1] = [True] * (end + 1 - at)
    return inside


def _closes(fence: re.Match[str], sign: str, length: int) -> bool:
    return fence[1][0] == sign and len(fence[1]) >= length and not fence.string[fence.end() :].strip()


def _ticked(text: str) -> str:
    """Of a list with boxes the ticked entries, of any other text all of it."""
    lines = text.split("\n")
    boxes = [(_TICK.match(line), line) for line in lines]
    if not any(box for box, _ in boxes):
        return text
    return "\n".join(line[box.end() :] for box, line in boxes if box and box[1] != " ")


def _said(text: str, kind: type[Choice]) -> list[Choice]:
    """The words of the kind in the answer; what stands before a colon is the answer, and what follows explains it."""
    answer = clean(text).lower().replace("_", " ")
    names = {one.value.replace("_", " "): one for one in kind}
    before = answer.partition(":")[0].strip(" *`")
    if before in names:
        return [names[before]]
    found = {at: one for name, one in names.items() if (at := _word_at(answer, name)) >= 0}
    return [found[at] for at in sorted(found)]


def _word_at(text: str, word: str) -> int:
    found = re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text)
    return found.start() if found else -1


def _gravest(text: str, kind: type[Choice]) -> Choice | None:
    """Who writes two of them is in doubt, and doubt goes to the higher: the kinds begin with their gravest."""
    said = _said(text, kind)
    return next((one for one in kind if one in said), None)


def _first(text: str, kind: type[Choice]) -> Choice | None:
    return next(iter(_said(text, kind)), None)


def _names(text: str) -> tuple[str, ...]:
    parts: Iterable[str] = re.split(r"[,;\n]", text)
    names = (cut(clean(part).strip(" -*`"), LONGEST_SERVICE) for part in parts)
    return tuple(dict.fromkeys(name for name in names if name))[:MOST_SERVICES]


def _instant(text: str, opened_at: datetime) -> datetime | None:
    """The instant that the text begins with; a time alone is its last one before the opening, none a later one."""
    found = _WHEN.match(clean(text).strip(" *`"))
    if found is None:
        return None
    year, month, day, hour, minute, offset = found.groups()
    opened = opened_at.astimezone(UTC)
    date = opened.strftime("%Y-%m-%d") if year is None else f"{year}-{month:0>2}-{day:0>2}"
    try:
        at = datetime.fromisoformat(f"{date}T{time(int(hour), int(minute))}{offset or '+00:00'}").astimezone(UTC)
        if year is None and at > opened:
            at -= _A_DAY
    except (ValueError, OverflowError):
        return None
    return at if at <= opened else None
