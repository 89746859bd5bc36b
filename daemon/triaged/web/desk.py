"""What the web needs of the daemon, in one value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Annotated, Protocol

from fastapi import Depends, Request

from triaged.clock import Clock
from triaged.errors import NotFoundError, PayloadError, StoreError
from triaged.explaining.former import Former
from triaged.intake.units import Answer, Rules, Unit
from triaged.metrics import Metrics
from triaged.ports.backend import Places
from triaged.store.reading import Reader
from triaged.web.auth import ApiTokens


class Readable(Protocol):
    """A store as pages see it."""

    def read(self) -> AbstractContextManager[Reader]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The daemon's parts behind the pages and the API.

    `ask` waits for the writer's commit; `reload` returns the lines of what is wrong, none when the rules are in force;
    `refused` are those of the last reload; `loopback` says that nobody but this machine can reach us; `former` gives
    rules that judged once; `backend` and `sources` are label values of metrics; `sends` says whether the value of an
    Authorization header holds a source's token; `unreadable` names the Alertmanagers that cannot be read, and why;
    `silenceable` are the sources whose alerts one of them can silence. `places` is where issues are made.
    `webhook_secrets` are those of GitHub's webhooks, none where none is expected (raises ConfigError), and `hint` is
    told of a repository and a number there that the issue may have changed; whether it is one of ours.
    """

    store: Readable
    ask: Callable[[Unit], Answer]
    clock: Clock
    metrics: Metrics
    tokens: ApiTokens
    rules: Callable[[], Rules]
    public_url: str
    ready: Callable[[], bool]
    reload: Callable[[], list[str]]
    loopback: bool
    refused: Callable[[], Sequence[str]] = tuple
    former: Former = field(default_factory=Former)
    backend: str = "local"
    sources: Callable[[], tuple[str, ...]] = lambda: ("alertmanager",)
    sends: Callable[[str | None], bool] = lambda _authorization: False
    unreadable: Callable[[], tuple[str, ...]] = tuple
    silenceable: frozenset[str] = frozenset()
    places: Places = field(default_factory=Places)
    webhook_secrets: Callable[[], tuple[bytes, ...]] = tuple
    hint: Callable[[str, int], bool] = lambda _repository, _number: False

    def knows(self, request: Request) -> bool:
        """Whether the reader may see what is restricted: with any token, or where none is configured."""
        return not self.tokens.configured or self.tokens.who(request.headers.get("authorization")) is not None


def taken(answer: Answer) -> Answer:
    """The writer's answer, where it did what was asked. Raises NotFoundError, PayloadError or StoreError else."""
    if answer.status == 404:
        raise NotFoundError(answer.error)
    if answer.status == 409:
        raise PayloadError(answer.error, status=409)
    if answer.status == 503:
        raise StoreError(answer.error)
    if answer.status >= 300:
        raise RuntimeError(f"the writer answered {answer.status}: {answer.error}")
    return answer


async def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


TheDesk = Annotated[Desk, Depends(_desk)]
