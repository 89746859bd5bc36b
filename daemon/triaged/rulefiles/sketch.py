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
DRAFT = "https://json-schema.org/draft/2020-12/schema"
BLANK = Scalar(line=1, column=1, text="", kind="null")
MATCHER: Schema = {"type": "string", "minLength": 1, "examples": ['alertname="DiskFull"', 'cluster=~"prod-.+"']}


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

    def fields(self, known: Collection[str], required: Collection[str] = ()) -> Fields:
        inner = {name: self._inner() for name in known}
        if isinstance(known, Mapping):
            for name, sketch in inner.items():
                sketch.schema["description"] = known[name]
        self._say(
            type="object" if required else ["object", "null"],
            properties={name: sketch.schema for name, sketch in inner.items()},
            additionalProperties=False,
            **({"required": list(required)} if required else {}),
        )
        return _Asked(inner)

    def entries(self) -> list[tuple[Value, Value]]:
        if self._said:
            return []
        key, value = self._inner(named=True), self._inner()
        self._say(type=["object", "null"], propertyNames=key.schema, additionalProperties=value.schema)
        return [(key, value)]

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

    def some(self, read: Callable[[Value], T | None]) -> tuple[T, ...]:
        item = self._inner()
        _ours(read)(item)
        self._say(type=["array", "null"], items=item.schema)
        return ()

    def names(self, read: Callable[[Value], str | None] | None = None) -> tuple[str, ...]:
        item = self._inner()
        item.text() if read is None else _ours(read)(item)
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
        self._say(**({"type": "string", **self._described(what)} if what else {"enum": list(known)}))
        return None

    def flag(self) -> bool | None:
        self._say(type="boolean")
        return None

    def whole(self, least: int = 1, most: int = 1_000_000) -> int | None:
        self._say(type="integer", minimum=least, maximum=most)
        return None

    def shaped(self, pattern: str, what: str) -> str | None:
        """The pattern is left out where JavaScript, in which editors read it, takes it for another one."""
        portable = not re.search(r"\\w|\(\?", pattern)
        self._say(type="string", **({"pattern": f"^(?:{pattern})$"} if portable else {}), **self._described(what))
        return self.word or None

    # ----

    @property
    def _said(self) -> bool:
        return not self.schema.keys() <= {"description"}

    def _say(self, **schema: object) -> None:
        if not self._said:
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
