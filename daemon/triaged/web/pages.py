"""How a page is made: templates, the static files beside them, and the page that says why there is no page."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from importlib import resources
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from triaged import __version__
from triaged.core import trace, wording
from triaged.errors import NotFoundError
from triaged.web import views
from triaged.web.desk import Desk

router: Final = APIRouter(include_in_schema=False)

_TYPES: Final = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


def _files() -> dict[str, tuple[bytes, str]]:
    """The static files with their content types, by name: read once, so that no path of a request reaches a disk."""
    folder = resources.files("triaged.web") / "static"
    return {f.name: (f.read_bytes(), _TYPES[f.name.rpartition(".")[2]]) for f in folder.iterdir()}


_STATIC: Final = _files()
_VERSION: Final = blake2b(b"".join(body for body, _ in _STATIC.values()), digest_size=6).hexdigest()

_jinja: Final = Environment(
    loader=PackageLoader("triaged.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_jinja.filters.update(
    instant=wording.instant,
    iso=datetime.isoformat,
    called=views.called,
    in_words=trace.in_words,
    pairs=trace.pairs,
    role=wording.role,
    web_url=views.web_url,
    words=lambda value: str(value).replace("_", " "),
)
_jinja.globals.update(version=__version__, static=_VERSION, count=wording.count)


def is_page(path: str) -> bool:
    """Whether a person looks at this path."""
    return path in ("/", "/docs", "/status") or path.startswith(("/incidents/", "/problems/"))


def problem(status: int, text: str) -> Response:
    """The page that says why there is no page; without a word from the store, which may be why."""
    return HTMLResponse(_jinja.get_template("problem.html").render(status=status, text=text), status_code=status)


def page(template: str, desk: Desk, **shown: Any) -> Response:
    protected = desk.tokens.configured
    return HTMLResponse(_jinja.get_template(template).render(public_url=desk.public_url, protected=protected, **shown))


@router.get("/static/{name}")
def static(name: str) -> Response:
    """Style, script and icon."""
    if name not in _STATIC:
        raise NotFoundError(f"there is no file {name[:60]}")
    body, kind = _STATIC[name]
    headers = {"content-type": kind, "cache-control": "public, max-age=31536000, immutable"}
    return Response(body, headers=headers)
