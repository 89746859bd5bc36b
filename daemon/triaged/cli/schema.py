"""`triaged schema`: JSON Schema of the configuration and the rule files, for editors."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from triaged.config import Settings
from triaged.errors import ConfigError
from triaged.replay.ruletests import schema as ruletests
from triaged.rulefiles import schemas
from triaged.rulefiles.sketch import DRAFT, Schema

SPAN = r"^(?=.)(?:[0-9]+y|(?:[0-9]+w)?(?:[0-9]+d)?(?:[0-9]+h)?(?:[0-9]+m)?(?:[0-9]+s)?)$"


def schema(
    name: Annotated[str | None, typer.Argument(help="Which one; without a name they are listed.")] = None,
    directory: Annotated[
        Path | None, typer.Option("--directory", help="Write all of them there, as NAME.schema.json.")
    ] = None,
) -> None:
    """Print the JSON Schema (draft 2020-12) of a file, by which an editor completes and checks."""
    known = {name: made for name, (_, made) in KNOWN.items()}
    if directory is not None:
        _write(directory, known)
    elif name is None:
        for one, (glob, _) in KNOWN.items():
            typer.echo(f"{one:<12} {glob}")
    elif name in known:
        typer.echo(_text(known[name]()))
    else:
        raise ConfigError(f"schema: expected {', '.join(known)}, got {name}")


def _write(directory: Path, known: Mapping[str, Callable[[], Schema]]) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, made in known.items():
            file = directory / f"{name}.schema.json"
            file.write_text(f"{_text(made())}\n", encoding="utf-8")
            typer.echo(str(file))
    except OSError as error:
        raise ConfigError(f"{directory}: expected a folder to write to, got: {error.strerror}") from error


def _text(schema: Schema) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False)


class _Written(GenerateJsonSchema):
    """The configuration as its file is written: durations are words; a table's default is told by its own keys."""

    def timedelta_schema(self, schema: Any) -> JsonSchemaValue:
        del schema
        return {"type": "string", "pattern": SPAN, "examples": ["90d", "3y"]}

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        made = super().default_schema(schema)
        default = schema.get("default")
        if isinstance(default, timedelta):
            made["default"] = f"{default.days}d"
        elif not isinstance(default, str | bool | Path):
            made.pop("default", None)
        return made

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False

    def generate(self, schema: Any, mode: Any = "validation") -> JsonSchemaValue:
        made = super().generate(schema, mode)
        return {"$schema": DRAFT, **made, "title": "triaged: config.yaml", "type": ["object", "null"]}


def config_schema() -> Schema:
    """The schema of config.yaml."""
    return Settings.model_json_schema(schema_generator=_Written)


KNOWN: Mapping[str, tuple[str, Callable[[], Schema]]] = {
    "config": ("config.yaml", config_schema),
    **{name: (f"rules/{one.glob}", partial(schemas.schema, name)) for name, one in schemas.FILES.items()},
    "tests": (f"rules/{ruletests.GLOB}", ruletests.schema),
}
"""The schemas by their names, each with the files that it is of."""
