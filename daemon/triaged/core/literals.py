"""What a regular expression says of its matches: how they begin, and, where it lists them, what they are."""

from __future__ import annotations

import re
import string

MOST = 256
"""So many beginnings may come of combining several with several; more are not worth their number."""
DEEPEST = 40
PLAIN = frozenset(string.punctuation)
CLASS = re.compile(r"\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]", re.DOTALL)
SIMPLE_CLASS = re.compile(r"\[(\w+)\]")
GROUP = re.compile(r"\((?:\?(?:P?<\w+>|(?P<flags>[a-zA-Z-]*)(?P<end>[:)])))?")

Beginnings = dict[str, bool]
"""How matches may begin; True where such a one ends there, False where anything may follow."""


def beginnings(pattern: str) -> Beginnings:
    """How each match of a pattern begins that RE2 takes and that must match the whole; anyhow: {"": False}.

    Where all are True, they are the matches, and there are no others.
    """
    reader = _Reader(pattern)
    try:
        found = reader.alternatives(0)
    except _UnknownError:
        return {"": False}
    return found if reader.at == len(pattern) else {"": False}  # a closing parenthesis too many, see Alertmanager


class _UnknownError(Exception):
    """Nothing can be said."""


class _Reader:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self.at = 0

    def alternatives(self, depth: int) -> Beginnings:
        if depth > DEEPEST:
            raise _UnknownError
        found = dict(self._sequence(depth))
        while self._next() == "|":
            self.at += 1
            _add(found, self._sequence(depth))
        return found

    def _next(self) -> str:
        return self._pattern[self.at : self.at + 1]

    def _sequence(self, depth: int) -> Beginnings:
        found: Beginnings = {"": True}
        while self._next() not in ("", "|", ")"):
            found = _joined(found, self._repeated(self._atom(depth)))
        return found

    def _repeated(self, atom: Beginnings) -> Beginnings:
        mark = self._next()
        if mark not in ("?", "*", "+", "{"):
            return atom
        self.at += 1
        if self._next() == "?" and mark != "{":
            self.at += 1
        match mark:
            case "?":
                return _either({"": True}, atom)
            case "+":
                return dict.fromkeys(atom, False)
            case _:
                return {"": False}

    def _atom(self, depth: int) -> Beginnings:
        char, begins = self._next(), self.at == 0
        if char == "(":
            return self._group(depth)
        if char == "[":
            return self._class()
        self.at += 1
        if char == "\\":
            char = self._next()
            self.at += 1
            if char in PLAIN:
                return {char: True}
            if char in "QE":
                raise _UnknownError
            return {"": char == "A" and begins}
        if char == "^":
            return {"": begins}
        return {"": False} if char in ".$*+?{" else {char: True}

    def _group(self, depth: int) -> Beginnings:
        head = GROUP.match(self._pattern, self.at)
        if head is None or self._pattern.startswith("?", head.end()):
            raise _UnknownError
        self.at = head.end()
        folds = "i" in (head["flags"] or "").partition("-")[0]
        if head["end"] == ")":
            if folds:
                raise _UnknownError
            return {"": True}
        inner = self.alternatives(depth + 1)
        self.at += 1
        return {"": False} if folds else inner

    def _class(self) -> Beginnings:
        simple = SIMPLE_CLASS.match(self._pattern, self.at)
        whole = CLASS.match(self._pattern, self.at)
        if whole is None:
            raise _UnknownError
        self.at = whole.end()
        return dict.fromkeys(simple[1], True) if simple else {"": False}


def _either(one: Beginnings, other: Beginnings) -> Beginnings:
    found = dict(one)
    _add(found, other)
    return found


def _add(found: Beginnings, more: Beginnings) -> None:
    """In place: a pattern may list thousands of names."""
    for text, ends in more.items():
        found[text] = ends and found.get(text, True)


def _joined(one: Beginnings, other: Beginnings) -> Beginnings:
    if other == {"": True}:
        return one
    if min(len(one), len(other)) > 1 and len(one) * len(other) > MOST:
        return dict.fromkeys(one, False)
    found: Beginnings = {}
    for text, ends in one.items():
        _add(found, {text + more: last for more, last in other.items()} if ends else {text: False})
    return found
