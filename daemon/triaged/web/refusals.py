"""Every refusal in words: JSON for programs, a page for people, never a traceback."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response

from triaged.errors import NotFoundError, PayloadError, StoreError
from triaged.web.pages import is_page
from triaged.web.pages import problem as problem_page

log = structlog.get_logger(__name__)


def explain_refusals(app: FastAPI) -> None:
    """Answer every deliberate error of the application by its kind."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(PayloadError, _refused)
    app.add_exception_handler(NotFoundError, _not_found)
    app.add_exception_handler(StoreError, _unavailable)
    app.add_exception_handler(400, _unreadable)
    app.add_exception_handler(404, _not_found)
    app.add_exception_handler(405, _wrong_method)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - it was registered for it
    return _answer(request, 400, in_words(error.errors()).encode("utf-8", "replace").decode())


async def _refused(request: Request, error: Exception) -> Response:
    return _answer(request, error.status if isinstance(error, PayloadError) else 400, str(error))


async def _unreadable(request: Request, error: Exception) -> Response:
    """The framework's own refusal, of a body that is no JSON in any encoding, or one too deep to be read."""
    del error
    return _answer(request, 400, "expected a JSON object, got what cannot be read as one")


async def _not_found(request: Request, error: Exception) -> Response:
    known = isinstance(error, NotFoundError)
    return _answer(request, 404, str(error) if known else f"there is nothing at {request.url.path[:200]}: see /docs")


async def _wrong_method(request: Request, error: Exception) -> Response:
    allowed = (getattr(error, "headers", None) or {}).get("Allow", "another method")
    response = _answer(request, 405, f"expected {allowed}, got {request.method}")
    response.headers["allow"] = allowed
    return response


async def _unavailable(request: Request, error: Exception) -> Response:
    log.error("store unavailable", path=request.url.path, error=str(error))
    response = _answer(request, 503, f"the store is not available: {error}")
    response.headers["retry-after"] = "1"
    return response


def _answer(request: Request, status: int, text: str) -> Response:
    if is_page(request.url.path):
        return problem_page(status, text)
    return JSONResponse({"error": text}, status_code=status)


def in_words(problems: Iterable[Mapping[str, Any]]) -> str:
    """What pydantic found wrong with something, in one line."""
    return "; ".join(dict.fromkeys(_explained(problem) for problem in problems))


def _explained(problem: Mapping[str, Any]) -> str:
    """`for: expected a duration like 15m, got 'soon'`: one mistake of a body or a query."""
    if problem["type"] == "json_invalid":
        return f"expected a JSON object, got none: {problem.get('ctx', {}).get('error', '')}"
    where = ".".join(str(part) for part in problem["loc"] if part not in ("body", "query", "path"))
    text = str(problem["msg"]).removeprefix("Value error, ").replace("Input should be ", "expected ", 1)
    text = text.replace("'", "")
    if problem["type"] == "missing":
        text = "expected it, got none" if where else "expected a JSON object, got none"
    elif "attributes_type" in problem["type"] or problem["type"] in ("dict_type", "model_type"):
        text = "expected a JSON object"
    elif where and ", got " not in text:
        text += f", got {str(problem.get('input'))[:60]!r}"
    return f"{where}: {text}" if where else text
