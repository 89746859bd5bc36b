"""Holds every request and every answer against GitHub's own OpenAPI description."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema_path import SchemaPath
from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from werkzeug.datastructures import Headers, ImmutableMultiDict

from fakes.github.exchange import Answer

DESCRIPTION = Path(__file__).parents[2] / "fixtures" / "github" / "openapi.json"
HOST = "https://api.github.com"
_RESOLVED_AT_MOST = 100_000
# GitHub gives these on any operation, although few operations declare them.
UNDECLARED: Mapping[int, str] = {
    **dict.fromkeys((301, 307, 401, 403, 404, 410, 429, 500, 502, 503), "basic-error"),
    422: "validation-error",
}
# The description allows any field in a request's body: these are the ones that a client has a reason to send.
SENT: Mapping[str, frozenset[str]] = {
    "create_issue": frozenset({"title", "body", "labels", "assignees"}),
    "update_issue": frozenset({"title", "body", "state", "state_reason", "duplicate_issue_id", "labels", "assignees"}),
    "create_comment": frozenset({"body"}),
    "update_comment": frozenset({"body"}),
    "react": frozenset({"content"}),
    "add_labels": frozenset({"labels"}),
    "set_labels": frozenset({"labels"}),
    "create_label": frozenset({"name", "color", "description"}),
    "update_label": frozenset({"new_name", "color", "description"}),
    "put_content": frozenset({"message", "content", "sha"}),
    "create_hook": frozenset({"name", "active", "config", "events"}),
    "update_hook": frozenset({"add_events"}),
    "update_hook_config": frozenset({"secret"}),
    "access_token": frozenset({"permissions", "repositories", "repository_ids"}),
    "add_assignees": frozenset({"assignees"}),
    "remove_assignees": frozenset({"assignees"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request under the path that the description knows, also where it came by `/repositories/{id}`.

    `template` is that path as the description writes it, `headers` have lower-case names.
    """

    operation: str
    template: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Oracle:
    """Finds what GitHub's description does not allow; thread safe."""

    def __init__(self) -> None:
        self._described, self._openapi = _load()
        self._lock = threading.Lock()

    def faults_of_request(self, seen: Seen) -> Iterator[str]:
        """What is wrong with the request, in words."""
        for name in ("Authorization", "User-Agent", "Accept", "X-GitHub-Api-Version"):
            if name.lower() not in seen.headers:
                yield f"{seen}: the request has no {name} header"
        if seen.body and seen.headers.get("content-type", "").split(";")[0] != "application/json":
            yield f"{seen}: Content-Type is {seen.headers.get('content-type')!r}, not application/json"
        try:
            with self._lock:
                self._openapi.validate_request(_Request(seen))
        except OpenAPIError as error:
            yield f"{seen}: {_words(error)}"
            return
        unknown = _keys(seen.body) - SENT.get(seen.operation, frozenset())
        yield from (f"{seen}: GitHub has no use for the field {key!r}" for key in sorted(unknown))
        unknown = seen.query.keys() - self._query_of(seen)
        yield from (f"{seen}: GitHub has no query parameter {key!r}" for key in sorted(unknown))

    def faults_of_answer(self, seen: Seen, answer: Answer) -> Iterator[str]:
        """What is wrong with the fake's own answer, in words."""
        where = f"{seen} → {answer.status}"
        try:
            with self._lock:
                self._openapi.validate_response(_Request(seen), _Response(answer))
        except OpenAPIError as error:
            yield f"{where}: {_words(error)}"
            return
        if answer.status < 300:
            unknown = _answered_keys(answer.body) - self._answer_of(seen, answer.status)
            yield from (f"{where}: the description has no field {key!r}" for key in sorted(unknown))

    def _operation(self, seen: Seen) -> dict[str, Any]:
        operation: dict[str, Any] = self._described["paths"][seen.template][seen.method.lower()]
        return operation

    def _query_of(self, seen: Seen) -> set[str]:
        parameters = map(self._resolved, self._operation(seen).get("parameters", ()))
        return {parameter["name"] for parameter in parameters if parameter["in"] == "query"}

    def _answer_of(self, seen: Seen, status: int) -> set[str]:
        """The top-level fields of the answer, or of one item of it."""
        response = self._resolved(self._operation(seen)["responses"][str(status)])
        schema = self._resolved(response["content"]["application/json"]["schema"])
        return self._fields(schema["items"] if schema.get("type") == "array" else schema)

    def _fields(self, schema: dict[str, Any]) -> set[str]:
        """The properties of the schema and of all its variants."""
        resolved = self._resolved(schema)
        variants = [variant for word in ("oneOf", "anyOf", "allOf") for variant in resolved.get(word, ())]
        return set(resolved.get("properties", ())).union(*map(self._fields, variants))

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            _, _, kind, name = node["$ref"].split("/")
            node = self._described["components"][kind][name]
        return node


class _Request:
    """A request as openapi-core wants to see it, at the address that the description names."""

    def __init__(self, seen: Seen) -> None:
        self.host_url = HOST
        self.method = seen.method.lower()
        self.path = seen.path
        self.body = seen.body or None
        self.content_type = "application/json"
        self.parameters = RequestParameters(query=ImmutableMultiDict(seen.query), header=Headers())


class _Response:
    def __init__(self, answer: Answer) -> None:
        self.data = json.dumps(answer.body).encode()
        self.status_code = answer.status
        self.content_type = "application/json"
        self.headers = Headers(list(answer.headers.items()))


@cache
def _load() -> tuple[dict[str, Any], OpenAPI]:
    described: dict[str, Any] = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
    for operations in described["paths"].values():
        for operation in operations.values():
            for status, schema in UNDECLARED.items():
                content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
                operation["responses"].setdefault(str(status), {"description": "", "content": content})
    # What it refers to is looked up anew for each request where that is not kept: half of all the time it takes.
    return described, OpenAPI(SchemaPath.from_dict(described, resolved_cache_maxsize=_RESOLVED_AT_MOST))


def _keys(body: bytes) -> set[str]:
    decoded = json.loads(body) if body else {}
    return set(decoded) if isinstance(decoded, dict) else set()


def _answered_keys(body: Any) -> set[str]:
    items = body if isinstance(body, list) else [body]
    return {key for item in items for key in item}


def _words(error: BaseException) -> str:
    """The error in words: the schema's own findings where there are any, else the message, then the causes'."""
    findings = [leaf for finding in getattr(error, "schema_errors", ()) for leaf in _leaves(finding)]
    # The message begins with the whole value; what was expected stands at its end.
    words = [f"{finding.json_path}: {finding.message[-200:]}" for finding in findings] or [str(error)[-300:]]
    return _words(error.__cause__) if error.__cause__ is not None else "; ".join(dict.fromkeys(words))


def _leaves(finding: Any) -> Iterator[Any]:
    """What was wrong in each variant, where none of several holds."""
    if not finding.context:
        yield finding
    for inner in finding.context or ():
        yield from _leaves(inner)
