"""Domain values to rows and back: instants as µs UTC integers, enums as text, lists and mappings as JSON text."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from itertools import compress
from operator import attrgetter, is_not
from typing import Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec.structs import astuple

T = TypeVar("T", bound=msgspec.Struct)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)

_encode_json = msgspec.json.Encoder().encode


@lru_cache(maxsize=4_096)
def to_us(at: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (at - EPOCH) // _US


def from_us(us: int) -> datetime:
    return EPOCH + us * _US


def to_json(value: Mapping[str, Any] | Sequence[Any] | msgspec.Struct) -> str:
    return _encode_json(value).decode()


def _columns(kind: Any) -> tuple[str, Callable[[Any], Any] | None, Callable[[Any], Any] | None]:
    """Column type name, encoder and decoder of an annotation; None where the value goes as it is."""
    if kind is datetime:
        return "instant", to_us, from_us
    if kind is bool:
        return "integer", int, bool
    if kind is int:
        return "integer", None, None
    if kind is float:
        return "float", None, None
    if kind is bytes:
        return "bytes", None, bytes
    if kind is str:
        return "text", None, None
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "text", attrgetter("_value_"), kind
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return "text", to_json, msgspec.json.Decoder(kind).decode
    if get_origin(kind) is tuple:
        return "text", to_json, lambda text: tuple(json.loads(text))
    return "text", to_json, json.loads


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    name: str
    kind: str
    nullable: bool


class Codec(Generic[T]):
    """Rows of one struct, in the order of its fields."""

    def __init__(self, cls: type[T]) -> None:
        hints = get_type_hints(cls)
        self.cls = cls
        self.names: tuple[str, ...] = cls.__struct_fields__
        self.columns: list[Column] = []
        self._encoders: dict[int, Callable[[Any], Any]] = {}
        self._nullable: dict[int, Callable[[Any], Any]] = {}
        self._decoders: list[tuple[str, Callable[[Any], Any] | None]] = []
        for index, name in enumerate(self.names):
            kind = hints[name]
            nullable = get_origin(kind) in (Union, types.UnionType) and type(None) in get_args(kind)
            if nullable:
                (kind,) = (a for a in get_args(kind) if a is not type(None))
            sql, encode, decode = _columns(kind)
            self.columns.append(Column(name=name, kind=sql, nullable=nullable))
            if encode is not None:
                (self._nullable if nullable else self._encoders)[index] = encode
            self._decoders.append((name, decode))

    def encode(self, value: T) -> tuple[Any, ...]:
        row = [*astuple(value)]
        for index, encode in self._encoders.items():
            row[index] = encode(row[index])
        for index, encode in self._nullable.items():
            if row[index] is not None:
                row[index] = encode(row[index])
        return tuple(row)

    def changes(self, before: T, after: T) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        """The columns in which two values differ, and what they hold after."""
        names: list[str] = []
        cells: list[Any] = []
        old, new = astuple(before), astuple(after)
        # A copy shares what stayed: comparing by identity first leaves a few cells of dozens.
        for index in compress(range(len(new)), map(is_not, old, new)):
            cell = new[index]
            if cell != old[index]:
                encode = self._encoders.get(index) or self._nullable.get(index)
                names.append(self.names[index])
                cells.append(cell if encode is None or cell is None else encode(cell))
        return tuple(names), tuple(cells)

    def decode(self, row: Sequence[Any]) -> T:
        values = {
            name: cell if decode is None or cell is None else decode(cell)
            for (name, decode), cell in zip(self._decoders, row, strict=True)
        }
        return self.cls(**values)
