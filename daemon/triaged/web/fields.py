"""The fields that bodies of requests share: what is known and no more, names, texts, spans and instants."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from triaged.rulefiles.words import exact_instant, listed, nearest, some_span


class Strict(BaseModel):
    """Fields that are known and no others: a misspelt one is told, not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _only_known(cls, data: Any) -> Any:
        if isinstance(data, dict):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for name in data:
                if name not in known:
                    hint = nearest(str(name), known)
                    raise ValueError(f"expected only {listed(known)}, got {str(name)[:60]!r}{hint and f'; {hint}'}")
        return data


def _true_or_false(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("expected true or false")  # noqa: TRY004 - pydantic reports ValueErrors only
    return value


Flag = Annotated[bool, BeforeValidator(_true_or_false)]
"""JSON's own true or false: a pipeline that sends the text "false" means no."""


def clean(text: str) -> str:
    if "\0" in text:
        raise ValueError("expected text without NUL characters")
    return text.strip()


def _name(text: str) -> str:
    text = clean(text)
    if not text or not text.isprintable():
        raise ValueError("expected a name on one line")
    return text


def _span(value: object) -> timedelta:
    return some_span(value if isinstance(value, str) else "")


def _instant(value: object) -> datetime:
    return exact_instant(value if isinstance(value, str) else "")


def word(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def number(value: object) -> int:
    found = re.fullmatch(r"INC-([0-9]{1,18})", value, re.IGNORECASE) if isinstance(value, str) else None
    if found is None:
        raise ValueError("expected an incident like INC-7")
    return int(found[1])


Name = Annotated[str, Field(max_length=60), AfterValidator(_name)]
ReasonText = Annotated[str, Field(max_length=1_000), AfterValidator(clean)]
Text = Annotated[str, Field(max_length=10_000), AfterValidator(clean)]
Span = Annotated[timedelta, BeforeValidator(_span), WithJsonSchema({"type": "string", "examples": ["4h", "1h30m"]})]

Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-12-24T08:00+01:00"]}),
]
