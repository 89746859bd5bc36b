"""What a reader takes, as JSON Schema (draft 2020-12): it reads a blank sheet, which notes what it is asked for.

So the readers are the only description of the rule files, and their schema cannot say anything else. A schema takes all
that its reader takes; names that other files give, and what words demand of one another, are left to the reader.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

from triaged.core.matchers import Matcher
from triaged.rulefiles.marks import Scalar
from triaged.rulefiles.values import Fields, Value
from triaged.rulefiles.words import SHAPES

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Schema = dict[str, Any]
FILLED = {"minItems", "minProperties"}
"""What `filled` notes; one of the two stays once it is known whether that is a list or a mapping."""
DRAFT = "https://json-schema.org/draft/2020-12/schema"
BLANK = Scalar(line=1, column=1, text="", kind="null")
SOMETHING = r"\S"
"""The pattern of a text that is more than blanks."""
MATCHER: Schema = {"type": "string", "pattern": SOMETHING, "examples": ['alertname="DiskFull"', 'cluster=~"prod-.+"']}


def schema_of(read: Callable[[Value], object], title: str) -> Schema:
    """The schema of the documents that `read` takes."""
    sheet = Sketch(node=BLANK, path="", file="", findings=[])
    read(sheet)
    return {"$schema": DRAFT, "title": title, **sheet.schema}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch(Value):
    """A blank value: every reader gets None, as after a finding, and `schema` says what it asked for.

    The first question counts; `named` is one that stands for a key, and has a name.
    """

    schema: Schema = field(default_factory=dict)
    named: bool = False

    # ---- many

    def fields(self, known: Collection[str], required: Collection[str] = (), *, either: Collection[str] = ()) -> Fields:
        inner = {name: self._inner() for name in known}
        if isinstance(known, Mapping):
            for name, sketch in inner.items():
                sketch.schema["description"] = known[name]
        self._say(
            type="object" if required or either else ["object", "null"],
            properties={name: sketch.schema for name, sketch in inner.items()},
            additionalProperties=False,
            **({"required": list(required)} if required else {}),
            **({"anyOf": [{"required": [name]} for name in either]} if either else {}),
        )
        return _Asked(inner)

    def entries(self) -> list[tuple[Value, Value]]:
        if self._said:
            return []
        key, value = self._inner(named=True), self._inner()
        self._say(type=["object", "null"], propertyNames=key.schema, additionalProperties=value.schema)
        return [(key, value)]

    def by_name(self) -> list[tuple[str, Value]]:
        entries = self.entries()
        return [(name, value) for key, value in entries if (name := key.phrase("a name"))]

    def filled(self, what: str, hint: str = "") -> bool:
        self.schema.update(dict.fromkeys(FILLED, 1))
        return True

    def items(self) -> list[Value]:
        if self._said:
            return []
        item = self._inner()
        self._say(type="array", items=item.schema)
        return [item]

    @property
    def length(self) -> int | None:
        return None

    def each(self, read: Callable[[Value], T | None]) -> tuple[T, ...]:
        for item in self.items():
            _ours(read)(item)
        return ()

    def exactly(self, number: int, read: Callable[[Value], T | None], *, what: str) -> tuple[T, ...]:
        item = self._inner()
        _ours(read)(item)
        self._say(type="array", items=item.schema, minItems=number, maxItems=number, description=what)
        return ()

    def some(self, read: Callable[[Value], T | None]) -> tuple[T, ...]:
        item = self._inner()
        _ours(read)(item)
        self._say(type=["array", "null"], items=item.schema)
        return ()

    def names(self, read: Callable[[Value], str | None] | None = None) -> tuple[str, ...]:
        item = self._inner()
        item.phrase() if read is None else _ours(read)(item)
        self._say(type="array", items=item.schema, uniqueItems=True)
        return ()

    def one_or_each(self, read: Callable[[Value], T | None]) -> tuple[T, ...]:
        item = self._inner()
        _ours(read)(item)
        self._say(anyOf=[item.schema, {"type": "array", "items": item.schema}])
        return ()

    def either(self, word: Callable[[Value], T], table: Callable[[Value], T]) -> T:
        one, other = self._inner(), self._inner()
        self._say(anyOf=[one.schema, other.schema])
        _ours(table)(other)
        other.schema["type"] = "object"
        return _ours(word)(one)

    def matchers(self, names: Collection[str] = ()) -> tuple[Matcher, ...]:
        self._say(type="array", items=MATCHER, minItems=1)
        return ()

    # ---- one

    @property
    def nothing(self) -> bool:
        return not self.named

    @property
    def word(self) -> str:
        return "name" if self.named else ""

    def text(self, what: str = "text") -> str | None:
        self._say(type="string", **self._described(what))
        return self.word or None

    def phrase(self, what: str = "text") -> str | None:
        self._say(type="string", pattern=SOMETHING, **self._described(what))
        return self.word or None

    def plain(
        self, read: Callable[[str], T], what: str = "text", *, near: Callable[[], Collection[str]] = tuple
    ) -> T | None:
        known = read.func if isinstance(read, partial) else read
        self._say(**SHAPES.get(known, {"type": ["string", "number", "boolean"]}), **self._described(what))
        return None

    def choice(self, known: type[E]) -> E | None:
        self._say(enum=[member.value for member in known])
        return None

    def one_of(self, known: Collection[str], what: str = "") -> str | None:
        """Names that other places give are not known here, but none of them is blank."""
        word = {"type": "string", "pattern": SOMETHING, **self._described(what)}
        self._say(**(word if what else {"enum": list(known)}))
        return None

    def flag(self) -> bool | None:
        self._say(type="boolean")
        return None

    def whole(self, least: int = 1, most: int = 1_000_000) -> int | None:
        self._say(type="integer", minimum=least, maximum=most)
        return None

    def shaped(self, pattern: str, what: str) -> str | None:
        """Where JavaScript, in which editors read it, takes the pattern for another one, it only must not be blank."""
        portable = not re.search(r"\\w|\(\?", pattern)
        self._say(type="string", pattern=f"^(?:{pattern})$" if portable else SOMETHING, **self._described(what))
        return self.word or None

    # ----

    @property
    def _said(self) -> bool:
        return not self.schema.keys() <= {"description", *FILLED}

    def _say(self, **schema: Any) -> None:
        if self._said:
            return
        if self.schema.keys() >= FILLED:
            kind = "object" if "object" in schema["type"] else "array"
            schema["type"] = kind
            del self.schema["minItems" if kind == "object" else "minProperties"]
        self.schema.update({**schema, **self.schema})

    def _described(self, what: str) -> Schema:
        return {"description": what} if what != "text" else {}

    def _inner(self, *, named: bool = False) -> Sketch:
        return Sketch(node=BLANK, path="", file="", findings=[], named=named)


class _Asked(Fields):
    """Fields whose readers may be named as methods of Value."""

    def read(self, name: str, read: Callable[[Value], T | None]) -> T | None:
        return super().read(name, _ours(read))

    def many(self, name: str, read: Callable[[Value], Iterable[T]]) -> tuple[T, ...]:
        return super().many(name, _ours(read))


def _ours(read: Callable[[Value], T]) -> Callable[[Value], T]:
    """`Value.text` as a reader names the method that is overridden here."""
    name = getattr(read, "__name__", "")
    ours: Callable[[Value], T] = getattr(Sketch, name) if getattr(Value, name, None) is read else read
    return ours
