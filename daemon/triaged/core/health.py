"""Health queries: what one promises, and whether what it says keeps that."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum, unique
from typing import Final

from msgspec import Struct

_NUMBER: Final = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_COMPARED: Final = re.compile(rf"\s*(?P<sign><=|>=|==|!=|<|>)\s*(?:bool\s+)?(?P<bound>{_NUMBER})\s*")
_SIGN: Final = re.compile(r"<=|>=|==|!=|<|>")
_LOOSE: Final = re.compile(r"\b(?:and|or|unless)\b", re.IGNORECASE)
"""What binds looser than a comparison: then the last one is not the whole query's."""
_BOOL: Final = re.compile(r"[<>=]\s*bool\b")
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`', re.DOTALL)
_KEEPS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


@unique
class Phase(StrEnum):
    """When a query was asked about: before the incident began, when it opened, while it is watched (the last time)."""

    BEFORE = "before"
    DURING = "during"
    AFTER = "after"


class Answer(Struct, frozen=True, kw_only=True):
    """What a query said at `at`: whether its promise holds (None: it said nothing), and the value farthest off."""

    query: str
    phase: Phase
    at: datetime
    holds: bool | None
    value: float | None = None


class Promise(Struct, frozen=True, kw_only=True):
    """What to ask, and what all that it says must keep to: `sign` and `bound`, "" where any series at all is enough.

    `flag` says that the query itself answers 0 or 1.
    """

    ask: str
    sign: str = ""
    bound: float = 0.0
    flag: bool = False


def promise(query: str) -> Promise:
    """What a health query promises.

    Of `LEFT < 0.01` the left side is asked: a filter would hide the very series that break the promise, and their
    values. Where a query is no comparison with a number it holds as an alert fires: when it gives anything.
    """
    plain = _plain(query)
    signs = [*_SIGN.finditer(plain)]
    if signs and not _LOOSE.search(plain) and "#" not in plain:
        at = signs[-1].start()
        found = _COMPARED.fullmatch(plain, at)
        if found is not None and (left := query[:at].strip()):
            return Promise(ask=left, sign=found["sign"], bound=float(found["bound"]))
    return Promise(ask=query, flag=_BOOL.search(plain) is not None)


def keeps(made: Promise, values: Sequence[float]) -> tuple[bool | None, float | None]:
    """Whether what the query says holds, and the value that decides; None and None where it says nothing.

    What is no number (0/0: no traffic) says nothing. A query that is no comparison does not hold when it gives nothing.
    """
    numbers = [value for value in values if not math.isnan(value)]
    if not made.sign:
        broken = [value for value in numbers if made.flag and value == 0]
        return bool(numbers) and not broken, _finite(next(iter(broken or numbers), math.nan))
    if not numbers:
        return None, None
    breaking = [value for value in numbers if not _KEEPS[made.sign](value, made.bound)]
    decides = max if made.sign.startswith("<") else min
    return not breaking, _finite(decides(breaking or numbers))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _plain(query: str) -> str:
    """The query with blanks in place of texts, and of all that stands in brackets: positions stay."""
    text = _STRING.sub(lambda found: "." * len(found[0]), query)
    shown, depth = [], 0
    for sign in text:
        depth += sign in "([{"
        shown.append(sign if depth == 0 else ".")
        depth -= sign in ")]}"
    return "".join(shown)
