"""maintenance.yaml: planned work, during which alerts wait."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime
from typing import Final

from triaged.core import conditions
from triaged.core.keys import digest
from triaged.core.maintenance import Window
from triaged.errors import Finding
from triaged.rulefiles import words
from triaged.rulefiles.sheet import Sheet
from triaged.rulefiles.values import Value

FILE: Final = "maintenance.yaml"
KEYS: Final = {
    "match": "The labels of alerts that the work may set off; all of these matchers must hold.",
    "from": "When it begins: a date with time and offset.",
    "to": "When it is over: what still fires opens then.",
    "reason": "What is done, for whoever reads an incident.",
    "all": "Hold back sev1, too: without it a sev1 opens at once.",
}
MOST: Final = 500
LONGEST_REASON: Final = 200


def read(root: Value | None) -> tuple[Window, ...]:
    """The windows in their order, without those that have findings; nothing at all is none."""
    if root is None:
        return ()
    if root.length is not None and root.length > MOST:
        root.complain(f"expected at most {MOST} windows, got {root.length}", "remove those that are over")
        return ()
    windows: dict[str, Window] = {}
    for window in root.some(_window):
        windows.setdefault(window.id, window)
    return tuple(windows.values())


def doubts(sheet: Sheet, today: date) -> Iterator[Finding]:
    """A finding for each window that was over before `today` (UTC), or that no alert can ever be in."""
    for value, window in _windows(sheet):
        if window.ends_at.astimezone(UTC).date() < today:
            yield value.noted(f"the window was over on {window.ends_at:%Y-%m-%d}", "remove it")
        match = value.below("match")
        if match and conditions.clash(conditions.of_labels(match.matchers()), {}):
            yield match.noted("the window can never hold an alert back: its matchers clash")


def unmet(sheet: Sheet, met: Collection[str], since: str) -> Iterator[Finding]:
    """A finding for each window that covers none of the recorded alerts; `met` are the ids of those that do."""
    for value, window in _windows(sheet):
        if window.id not in met:
            yield value.noted(f"the window would hold back {since}")


def _windows(sheet: Sheet) -> tuple[tuple[Value, Window], ...]:
    """Each window with where it stands."""
    root = sheet.roots.get(FILE)
    return () if root is None else root.some(_placed)


def _placed(value: Value) -> tuple[Value, Window] | None:
    window = _window(value)
    return None if window is None else (value, window)


def _window(value: Value) -> Window | None:
    before = len(value.findings)
    fields = value.fields(KEYS, required=("match", "from", "to", "reason"))
    match = fields.many("match", Value.matchers)
    begins_at, ends_at = fields.read("from", _instant), fields.read("to", _instant)
    reason = fields.read("reason", _reason)
    whole = fields.read("all", Value.flag) or False
    if begins_at and ends_at and ends_at <= begins_at:
        fields["to"].wrong("expected an end after `from`")
    if len(value.findings) > before or begins_at is None or ends_at is None or reason is None:
        return None
    texts = tuple(matcher.text for matcher in match)
    told = (*texts, begins_at.isoformat(), ends_at.isoformat(), reason, str(whole))
    return Window(
        # It has no name of its own: one whose text is edited is another one, which takes over what it holds.
        id=f"rules-{digest(told)[:8]}",
        match=texts,
        begins_at=begins_at,
        ends_at=ends_at,
        reason=reason,
        by=FILE,
        all=whole,
    )


def _instant(value: Value) -> datetime | None:
    return value.plain(words.exact_instant, "a date with time and offset like 2026-12-24T08:00+01:00")


def _reason(value: Value) -> str | None:
    text = value.phrase("one line that says what is done")
    if text is not None and not (text.isprintable() and len(text) <= LONGEST_REASON):
        value.wrong(f"expected one line of at most {LONGEST_REASON} characters that says what is done")
        return None
    return text
