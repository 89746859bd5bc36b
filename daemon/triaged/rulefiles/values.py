"""A value of a rule file with its place: reads itself as what is expected, or leaves a finding."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from triaged.core.matchers import Matcher, parse_all
from triaged.errors import SHOWN_FINDINGS, Finding
from triaged.rulefiles.marks import SHOWN, Items, Node, Scalar, Table
from triaged.rulefiles.words import listed, nearest

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
LONGEST = 2_000
"""Characters of a message."""
NOT_TEXT = {"bool": "true or false", "int": "a number", "float": "a number", "timestamp": "a date"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One node at its key's path. Every reader gives None after it has left a finding."""

    node: Node
    path: str
    file: str
    findings: list[Finding]

    def noted(self, message: str, hint: str = "") -> Finding:
        """A finding at this place."""
        at, message = self.node, message if len(message) <= LONGEST else f"{message[:LONGEST]}…"
        return Finding(file=self.file, line=at.line, column=at.column, path=self.path, message=message, hint=hint)

    def complain(self, message: str, hint: str = "") -> None:
        self.findings.append(self.noted(message, hint))

    def wrong(self, expected: str, hint: str = "") -> None:
        self.complain(f"{expected}, got {_shown(self.node)}", hint)

    # ---- many

    def fields(self, known: Collection[str], required: Collection[str] = (), *, either: Collection[str] = ()) -> Fields:
        """The values of a mapping with known keys; unknown and missing ones leave findings.

        All of `required` must be there, and at least one of `either`.
        """
        fields = Fields()
        for key, value in self.entries():
            if key.word in known:
                fields[key.word] = value
            else:
                key.complain(f"expected {listed(known)}, got an unknown key", self._near(key.word, known))
        if isinstance(self.node, Table) or self.nothing:
            for name in required:
                if name not in fields:
                    self.complain(f"expected a key {name}, got none")
            if either and fields.keys().isdisjoint(either):
                self.complain(f"expected a key {listed(either)}, got none")
        return fields

    def entries(self) -> list[tuple[Value, Value]]:
        """Keys and values of a mapping, both with the path of the value; nothing at all is an empty one."""
        if not isinstance(self.node, Table):
            if not self.nothing:
                self.wrong("expected a mapping")
            return []
        paths = [_below(self.path, key.text) for key, _ in self.node.entries]
        return [(self._at(k, at), self._at(v, at)) for at, (k, v) in zip(paths, self.node.entries, strict=True)]

    def below(self, name: str) -> Value | None:
        """The value of that key, None where there is none."""
        entries = self.node.entries if isinstance(self.node, Table) else ()
        node = next((value for key, value in entries if key.text == name), None)
        return None if node is None else self._at(node, _below(self.path, name))

    @property
    def nothing(self) -> bool:
        return isinstance(self.node, Scalar) and self.node.kind == "null"

    @property
    def word(self) -> str:
        """The text of a scalar as it stands, "" of anything else."""
        return self.node.text if isinstance(self.node, Scalar) else ""

    @property
    def blank(self) -> bool:
        """Whether it is nothing, or a mapping without a key."""
        return self.nothing or (isinstance(self.node, Table) and not self.node.entries)

    def filled(self, what: str, hint: str = "") -> bool:
        """Whether there is anything in a list or mapping: what is empty leaves a finding that expects `what`."""
        if self.blank or self.length == 0:
            self.wrong(f"expected {what}", hint)
            return False
        return True

    def by_name(self) -> list[tuple[str, Value]]:
        """Names and values of a mapping; a key that is no name leaves a finding."""
        named = []
        for key, value in self.entries():
            if key.word.strip():
                named.append((key.word, value))
            else:
                key.complain("expected a name as key, got an empty one")
        return named

    def items(self) -> list[Value]:
        if not isinstance(self.node, Items):
            self.wrong("expected a list", "write [ ] around it" if isinstance(self.node, Scalar) else "")
            return []
        return [self._at(item, f"{self.path}[{n}]") for n, item in enumerate(self.node.items)]

    @property
    def length(self) -> int | None:
        """How many items a list has, None for anything else."""
        return len(self.node.items) if isinstance(self.node, Items) else None

    def each(self, read: Callable[[Value], T | None]) -> tuple[T, ...]:
        """What `read` makes of every item, without those that it complained of."""
        return tuple(found for item in self.items() if (found := read(item)) is not None)

    def some(self, read: Callable[[Value], T | None]) -> tuple[T, ...]:
        """As `each`; nothing at all is an empty list."""
        return () if self.nothing else self.each(read)

    def one_or_each(self, read: Callable[[Value], T | None]) -> tuple[T, ...]:
        """What `read` makes of a word, or of every item of a list."""
        return self.each(read) if not self.word else tuple(found for one in (self,) if (found := read(one)) is not None)

    def either(self, word: Callable[[Value], T], table: Callable[[Value], T]) -> T:
        """What `table` makes of a mapping, or `word` of anything else."""
        return table(self) if isinstance(self.node, Table) else word(self)

    def exactly(self, number: int, read: Callable[[Value], T | None], *, what: str) -> tuple[T, ...]:
        """As `each`, of a list with so many items; `what` describes them."""
        if self.length not in (None, number):
            self.complain(f"expected {what}, got {self.length}")
        return self.each(read)

    def names(self, read: Callable[[Value], str | None] | None = None) -> tuple[str, ...]:
        """Texts of a list, each once."""
        seen: dict[str, None] = {}
        for item in self.items():
            text = item.text() if read is None else read(item)
            if text is not None and not text.strip():
                item.wrong("expected a name")
            elif text in seen:
                item.complain(f"expected every name once, got {text} again")
            elif text is not None:
                seen[text] = None
        return tuple(seen)

    # ---- one

    def text(self, what: str = "text") -> str | None:
        """Any text; what YAML 1.1 takes for something else needs quotes, so that all tools read the same."""
        if not isinstance(self.node, Scalar) or self.nothing:
            self.wrong(f"expected {what}")
            return None
        if self.node.kind != "str":
            kind = NOT_TEXT.get(self.node.kind, "something else")
            self.wrong(f"expected {what}", f'YAML takes it for {kind}: quote it: "{self.node.text}"')
            return None
        return self.node.text

    def phrase(self, what: str = "text") -> str | None:
        """Text that is more than blanks."""
        text = self.text(what)
        if text is not None and not text.strip():
            self.wrong(f"expected {what}")
            return None
        return text

    def plain(
        self, read: Callable[[str], T], what: str = "text", *, near: Callable[[], Collection[str]] = tuple
    ) -> T | None:
        """What `read` makes of the word, whatever YAML would take it for; its ValueError becomes the finding.

        `near` gives the words of which the nearest is the hint.
        """
        if not isinstance(self.node, Scalar) or self.nothing:
            self.wrong(f"expected {what}")
            return None
        try:
            return read(self.node.text)
        except ValueError as problem:
            self.wrong(str(problem), self._near(self.word, near()))
            return None

    def choice(self, known: type[E]) -> E | None:
        word = self.one_of([member.value for member in known])
        return None if word is None else known(word)

    def one_of(self, known: Collection[str], what: str = "") -> str | None:
        """One of some known words; `what` describes them where they are too many to list."""
        if self.word in known and isinstance(self.node, Scalar):
            return self.word
        self.wrong(f"expected {what or listed(known)}", self._near(self.word, known))
        return None

    def flag(self) -> bool | None:
        if isinstance(self.node, Scalar) and self.node.kind == "bool" and self.word.lower() in ("true", "false"):
            return self.word.lower() == "true"
        self.wrong("expected true or false", "write it without quotes" if self.word in ("true", "false") else "")
        return None

    def whole(self, least: int = 1, most: int = 1_000_000) -> int | None:
        if (
            isinstance(self.node, Scalar)
            and self.node.kind == "int"
            and re.fullmatch(r"0|[1-9]\d{0,9}", self.node.text)
        ):
            number = int(self.word)
            if least <= number <= most:
                return number
        self.wrong(f"expected a whole number from {least} to {most}")
        return None

    def shaped(self, pattern: str, what: str) -> str | None:
        """Text of a certain shape."""
        text = self.text(what)
        if text is not None and re.fullmatch(pattern, text) is None:
            self.wrong(f"expected {what}")
            return None
        return text

    def matchers(self, names: Collection[str] = ()) -> tuple[Matcher, ...]:
        """The matchers of a list of texts, at least one; only these names where some are given."""
        found: list[Matcher] = []
        if not self.filled("at least one matcher", "leave the key out where nothing is asked"):
            return ()
        for item in self.items():
            for matcher in item.parsed():
                if names and matcher.name not in names:
                    item.complain(f"expected {listed(names)}, got {matcher.name}", nearest(matcher.name, names))
                else:
                    found.append(matcher)
        return tuple(found)

    def parsed(self) -> tuple[Matcher, ...]:
        """The matchers of one text."""
        text = self.text('a matcher like name="value"')
        if text is None:
            return ()
        try:
            matchers = parse_all(text)
        except ValueError as problem:
            self.complain(str(problem))
            return ()
        if not matchers:
            self.wrong('expected a matcher like name="value"')
        return matchers

    def _near(self, word: str, known: Collection[str]) -> str:
        """The nearest word; none where there are so many findings that they are not shown: it takes its time."""
        return nearest(word, known) if len(self.findings) < SHOWN_FINDINGS else ""

    def _at(self, node: Node, path: str) -> Value:
        return Value(node=node, path=path, file=self.file, findings=self.findings)


class Fields(dict[str, Value]):
    """The values of a mapping by key; a key that is absent reads as nothing."""

    def read(self, name: str, read: Callable[[Value], T | None]) -> T | None:
        value = self.get(name)
        return None if value is None else read(value)

    def many(self, name: str, read: Callable[[Value], Iterable[T]]) -> tuple[T, ...]:
        value = self.get(name)
        return () if value is None else tuple(read(value))


def _below(path: str, key: str) -> str:
    cut = f"{key[:SHOWN]}…" if len(key) > SHOWN else key
    key = cut if re.fullmatch(r"[\w-]+…?", cut) else f'"{cut}"'
    return f"{path}.{key}" if path else key


def _shown(node: Node) -> str:
    if isinstance(node, Table):
        return "a mapping" if node.entries else "an empty mapping"
    if isinstance(node, Items):
        return "a list" if node.items else "an empty list"
    if node.kind == "null":
        return "nothing"
    if not node.text.strip():
        return f'empty text ("{node.text[:SHOWN]}")'
    return f"{node.text[:SHOWN]}…" if len(node.text) > SHOWN else node.text
