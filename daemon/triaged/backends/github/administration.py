"""The calls of GitHub's REST API by which a repository is made ready, and by which it is asked who may do what.

Wire formats: GitHub's "REST API endpoints for labels", "… for repository contents", "… for repository webhooks". No
call here replaces what people wrote: a file only where its content is the one that was read before.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Struct

from triaged.backends.github.client import PER_PAGE, GitHubClient
from triaged.backends.github.transport import Request
from triaged.backends.github.wire import Account, Label, Permissions
from triaged.errors import DeliveryError

LONGEST_TITLE: Final = 256
LONGEST_LABEL: Final = 50


class Place(Struct, frozen=True, kw_only=True):
    """A repository as its settings are; `permissions` are the asking user's, which the token may narrow."""

    full_name: str
    html_url: str
    default_branch: str = "main"
    private: bool = True
    archived: bool = False
    has_issues: bool = True
    permissions: Permissions | None = None


class Content(Struct, frozen=True, kw_only=True):
    """What is at a path. `text` is None where that is no file, or its content no UTF-8, or too long to be sent."""

    sha: str
    type: str = "file"
    content: str = ""
    encoding: str = ""

    @property
    def text(self) -> str | None:
        if self.type != "file" or self.encoding != "base64":
            return None
        try:
            return base64.b64decode(self.content).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None


_AtPath = Content | tuple[Content, ...]
"""A file, or a folder's files."""


class HookConfig(Struct, frozen=True, kw_only=True):
    """`secret` is asterisks where there is one; `insecure_ssl` is "0" or "1", as text or number."""

    url: str = ""
    content_type: str = ""
    secret: str = ""
    insecure_ssl: str | float = "0"


class Hook(Struct, frozen=True, kw_only=True):
    id: int
    active: bool = True
    events: tuple[str, ...] = ()
    config: HookConfig = HookConfig()


class Who(Struct, frozen=True, kw_only=True):
    """The account of a token, and what GitHub's headers say of the token itself.

    `expires` is GitHub's own text, `2026-12-24 09:00:00 UTC`; `scopes` is None where the token has none: only classic
    ones do.
    """

    account: Account
    expires: str = ""
    scopes: tuple[str, ...] | None = None


class Administration(GitHubClient):
    """Beside what publishes issues: labels, files and webhooks of the repository itself. Every failure as there."""

    def who(self) -> Who:
        """The account behind the token; an App's installation has none and is `forbidden`."""
        request = Request(operation="whoami", method="GET", url=f"{self._api_url}/user")
        answer, account = self._read(request, Account)
        scopes = answer.headers.get("x-oauth-scopes")
        return Who(
            account=account,
            expires=answer.headers.get("github-authentication-token-expiration", ""),
            scopes=None if scopes is None else tuple(one.strip() for one in scopes.split(",") if one.strip()),
        )

    def place(self, repository: str) -> Place:
        """The repository with its present name."""
        request = Request(operation="repository", method="GET", url=self._url(repository, ""))
        return self._read(request, Place)[1]

    def labels(self, repository: str) -> tuple[Label, ...]:
        """All labels of the repository."""
        return tuple(self._pages("list_labels", self._url(repository, "/labels", per_page=PER_PAGE), Label))

    def change_label(self, repository: str, name: str, fields: Mapping[str, str]) -> None:
        """Set `color` or `description`, or both; the name stays."""
        url = self._url(repository, f"/labels/{quote(name, safe='')}")
        self._write(Request(operation="update_label", method="PATCH", url=url, body=_json(fields)), Label)

    def content(self, repository: str, path: str) -> Content | None:
        """What is there on the default branch, None where there is nothing."""
        request = self._file(repository, path, "get_content")
        found: Content | tuple[Content, ...]
        try:
            _, found = self._read(request, _AtPath)  # type: ignore[arg-type] # a union is no type to mypy
        except DeliveryError as error:
            if error.reason == "not_found":
                return None
            raise
        return found if isinstance(found, Content) else Content(sha="", type="dir")

    def write_file(self, repository: str, path: str, text: str, *, message: str, sha: str | None) -> None:
        """A commit on the default branch. `sha` is that of the content to replace; without it there must be none."""
        fields = {"message": message, "content": base64.b64encode(text.encode()).decode()}
        if sha is not None:
            fields["sha"] = sha
        self._write(self._file(repository, path, "put_content", method="PUT", body=fields), dict[str, Any])

    def hooks(self, repository: str) -> tuple[Hook, ...]:
        """The repository's webhooks; `forbidden` or `not_found` to who may not administer it."""
        return tuple(self._pages("list_hooks", self._url(repository, "/hooks", per_page=PER_PAGE), Hook))

    def create_hook(self, repository: str, config: Mapping[str, str], events: Sequence[str]) -> None:
        fields = {"name": "web", "active": True, "config": config, "events": events}
        url = self._url(repository, "/hooks")
        self._write(Request(operation="create_hook", method="POST", url=url, body=_json(fields)), Hook)

    def add_events(self, repository: str, hook_id: int, events: Sequence[str]) -> None:
        """Those that the webhook has stay."""
        url = self._url(repository, f"/hooks/{hook_id}")
        self._write(Request(operation="update_hook", method="PATCH", url=url, body=_json({"add_events": events})), Hook)

    def set_secret(self, repository: str, hook_id: int, secret: str) -> None:
        """All else of the webhook stays as it is."""
        url = self._url(repository, f"/hooks/{hook_id}/config")
        body = _json({"secret": secret})
        self._write(Request(operation="update_hook_config", method="PATCH", url=url, body=body), HookConfig)

    def try_reading(self, repository: str) -> None:
        """Raise DeliveryError where issues may not be read."""
        request = Request(operation="list_issues", method="GET", url=self._url(repository, "/issues", per_page=1))
        self._read(request, list[Any])

    def try_issue(self, repository: str) -> None:
        """Raise what GitHub says to an issue that it cannot take: `invalid` where issues may be written.

        Its title is longer than any may be, so that no issue comes of it.
        """
        body = _json({"title": "triaged check --live".ljust(LONGEST_TITLE + 1, ".")})
        self._refused(Request(operation="create_issue", method="POST", url=self._url(repository, "/issues"), body=body))

    def try_label(self, repository: str) -> None:
        """Raise what GitHub says to a label that it cannot take: `invalid` where labels may be made, and so stick.

        Its name is longer than any may be, and its colour is none.
        """
        body = _json({"name": "triaged check --live".ljust(LONGEST_LABEL + 1, "."), "color": "none"})
        self._refused(Request(operation="create_label", method="POST", url=self._url(repository, "/labels"), body=body))

    def _refused(self, request: Request) -> None:
        self._transport.send(request)
        raise DeliveryError(f"GitHub took a {request.operation} that it has to refuse", reason="unreadable_answer")

    def _file(
        self, repository: str, path: str, operation: str, *, method: str = "GET", body: Mapping[str, str] | None = None
    ) -> Request:
        url = self._url(repository, f"/contents/{quote(path, safe='')}")
        return Request(operation=operation, method=method, url=url, body=None if body is None else _json(body))


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)
