"""What a person may do in a repository, asked of GitHub and believed for some minutes.

Wire format: "Get repository permissions for a user" in "REST API endpoints for collaborators". An issue's
`author_association` is no answer: members of an organisation who hide their membership show as strangers in it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import IntEnum, unique
from typing import Final

from triaged.backends.github.client import GitHubClient
from triaged.errors import DeliveryError

BELIEVED_FOR: Final = timedelta(minutes=5)
_MOST_KNOWN: Final = 1_000


@unique
class Right(IntEnum):
    """What somebody may do, each all that the ones before may; NONE is also of who is not known there."""

    NONE = 0
    READ = 1
    TRIAGE = 2
    WRITE = 3
    MAINTAIN = 4
    ADMIN = 5


class Rights:
    """Thread safe. Every failure is a DeliveryError: `forbidden` where the credential may not ask."""

    def __init__(self, client: GitHubClient, now: Callable[[], datetime]) -> None:
        self._client = client
        self._now = now
        self._known: dict[tuple[str, str], tuple[datetime, Right]] = {}
        self._keeping = threading.Lock()
        self._private: dict[str, tuple[datetime, bool]] = {}

    def of(self, repository: str, login: str) -> Right:
        """What that person may do there; of a custom role what the role is based on."""
        key, now = (repository.lower(), login.lower()), self._now()
        found = self._known.get(key)
        if found is not None and now < found[0]:
            return found[1]
        right = self._asked(repository, login)
        with self._keeping:
            self._known.pop(key, None)
            self._known[key] = (now + BELIEVED_FOR, right)
            if len(self._known) > _MOST_KNOWN:
                del self._known[next(iter(self._known))]
        return right

    def belongs(self, repository: str, login: str) -> bool:
        """Whether that person may do there what not everybody may: in a public repository everybody may read."""
        right = self.of(repository, login)
        return right > Right.READ or (right is Right.READ and self._is_private(repository))

    def _asked(self, repository: str, login: str) -> Right:
        try:
            told = self._client.permission(repository, login).value
        except DeliveryError as error:
            if error.reason != "not_found":
                raise
            return Right.NONE
        words = {right.name.lower(): right for right in Right}
        return words.get(told.role_name.lower()) or words.get(told.permission.lower(), Right.NONE)

    def _is_private(self, repository: str) -> bool:
        now = self._now()
        found = self._private.get(repository.lower())
        if found is None or now >= found[0]:
            found = (now + BELIEVED_FOR, self._client.repository(repository).value.private)
            self._private[repository.lower()] = found
        return found[1]
