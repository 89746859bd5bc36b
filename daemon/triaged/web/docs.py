"""The API for reading: /openapi.json as a page, rendered here, because the usual ones load scripts from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from triaged.web.desk import TheDesk
from triaged.web.pages import page

router: Final = APIRouter(include_in_schema=False)


@router.get("/docs")
def docs(desk: TheDesk, request: Request) -> Response:
    """The API as /openapi.json describes it, for reading."""
    described = request.app.openapi()
    operations = [
        {
            "parameters": [],
            "description": "",
            **operation,
            "method": method.upper(),
            "path": path,
            "body": _body(described, operation),
        }
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    about = described["info"]["description"]
    return page("docs.html", desk, operations=operations, about=about, kind=lambda schema: _type(described, schema))


def _body(described: Mapping[str, Any], operation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The fields of an operation's JSON body, each with its type in words."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = content.get("schema", {})
    one = next((part for part in (schema, *schema.get("anyOf", ())) if "$ref" in part), None)
    if one is None:
        return []
    model = _resolved(described, one)
    required = model.get("required", [])
    return [
        {
            "name": name,
            "type": _type(described, field),
            "required": name in required,
            "description": field.get("description", ""),
        }
        for name, field in model.get("properties", {}).items()
    ]


def _type(described: Mapping[str, Any], field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        return _type(described, _resolved(described, field))
    if "enum" in field:
        return ", ".join(field["enum"])
    parts = [part for part in field.get("anyOf", ()) if part.get("type") != "null"]
    if parts:
        return _type(described, parts[0])
    examples = ", ".join(field.get("examples", ()))
    return f"{field.get('type', 'any')} ({examples})" if examples else str(field.get("type", "any"))


def _resolved(described: Mapping[str, Any], reference: Mapping[str, Any]) -> Mapping[str, Any]:
    name = reference["$ref"].rpartition("/")[2]
    found: Mapping[str, Any] = described["components"]["schemas"][name]
    return found
