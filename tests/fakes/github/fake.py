"""The fake GitHub that tests hold in their hands: its state, its faults, and what the client did to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self, TypeVar

from fakes.github.apps import ENOUGH, App, Apps, Installation
from fakes.github.desk import Desk
from fakes.github.exchange import Recorded
from fakes.github.faults import Fault, FaultQueue
from fakes.github.limits import Limits
from fakes.github.oracle import Oracle
from fakes.github.people import Person
from fakes.github.render import Renderer
from fakes.github.routes import OPERATIONS
from fakes.github.server import Server
from fakes.github.site import Site
from fakes.github.state import Comment, Issue, Repository, Role, User, World
from fakes.github.webhooks import Webhooks

FaultT = TypeVar("FaultT", bound=Fault)
TOKEN = "github_pat_" + "11AFAKE0" * 10


class FakeGitHub:
    """GitHub's REST API over loopback HTTP, from `with` to its end; thread safe.

    At the end it fails the test with AssertionError if any request or answer broke GitHub's description, wherever it
    happened. The clock is `now` (aware UTC); the daemon's account is `login` with `token` and may push to `repository`.
    `prefix` is `/api/v3` for an Enterprise Server. Without `oracle` nothing is held against the description, for load.
    """

    def __init__(
        self,
        *,
        repository: str = "acme/incidents",
        now: Callable[[], datetime] | None = None,
        login: str = "triaged-bot",
        token: str = TOKEN,
        prefix: str = "",
        oracle: bool = True,
    ) -> None:
        clock = now or _utc_now
        self.token = token
        self.limits = Limits()
        self.violations: list[str] = []
        self._changed = threading.Condition(threading.RLock())
        self._world = World(clock, Apps())
        self._site = Site(
            desk=Desk(world=self._world, limits=self.limits),
            now=clock,
            faults=FaultQueue(),
            oracle=Oracle() if oracle else None,
            violations=self.violations,
            changed=self._changed,
            prefix=prefix,
        )
        self.webhooks = Webhooks()
        self._world.tell = self._tell
        self._server = Server(handle=self._site.handle, on_bug=self.violations.append)
        self._prefix = prefix
        self.add_token(token, login)
        self.bot: User = self._world.user(login)
        self.repository: Repository = self.add_repository(repository)

    def __enter__(self) -> Self:
        self._server.start()
        self._site.desk.render = Renderer(self.url)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()
        if not self.violations:
            return
        message = "GitHub's description was broken:\n" + "\n".join(self.violations)
        if error is None:
            raise AssertionError(message)
        error.add_note(message)

    @property
    def url(self) -> str:
        """What the client calls `api_url`."""
        return f"http://127.0.0.1:{self._server.port}{self._prefix}"

    # what the client did

    @property
    def requests(self) -> list[Recorded]:
        """Every request in order of arrival, also those without an answer."""
        with self._changed:
            return list(self._site.log)

    @property
    def writes(self) -> list[Recorded]:
        return [request for request in self.requests if request.method != "GET"]

    @property
    def creates(self) -> list[Recorded]:
        return self.requests_of("create_issue")

    def requests_of(self, operation: str) -> list[Recorded]:
        return [request for request in self.requests if request.operation == operation]

    def wait_until(self, condition: Callable[[FakeGitHub], bool], *, seconds: float = 10.0) -> None:
        """Returns when the condition holds, asked again after each request; AssertionError after `seconds`."""
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self), timeout=seconds):
                raise AssertionError(f"it did not happen within {seconds} s; requests: {self.requests[-20:]}")

    # what GitHub knows

    @property
    def issues(self) -> list[Issue]:
        """The issues of the main repository that a person would see, oldest first."""
        with self._state():
            issues: Sequence[Issue] = sorted(self.repository.issues.values(), key=lambda issue: issue.number)
            return [issue for issue in issues if not issue.deleted and issue.moved_to is None]

    def issue(self, number: int) -> Issue:
        with self._state():
            return self.repository.issues[number]

    def comments(self, number: int) -> list[Comment]:
        with self._state():
            return [self.repository.comments[comment] for comment in self.repository.issues[number].comments]

    def reactions(self, comment: Comment) -> list[str]:
        """Those of the daemon's account to a comment, by their names."""
        with self._state():
            return [one.content for one in comment.reactions if one.by == self.bot]

    def labels(self, number: int) -> list[str]:
        """The names on the issue, in the case that the repository gives them."""
        with self._state():
            return [self.repository.labels[key].name for key in self.repository.issues[number].labels]

    def add_repository(self, full_name: str, *, private: bool = True, role: Role = Role.WRITE) -> Repository:
        """A repository in which the daemon's account has that role."""
        with self._state():
            repository = self._world.add_repository(full_name, private=private)
            repository.roles[self.bot.login.lower()] = role
            return repository

    def add_token(self, token: str, login: str) -> None:
        """A further valid token; a login that ends in `[bot]` is an App's installation."""
        with self._state():
            user = self._world.user(login, kind="Bot" if login.endswith("[bot]") else "User")
            self._world.tokens[token] = user

    def add_app(self, slug: str = "triaged") -> App:
        """A GitHub App, installed nowhere yet; its private key is `pem`."""
        with self._state():
            number = self._world.new_id()
            bot = self._world.user(f"{slug}[bot]", kind="Bot")
            app = App(
                id=number,
                client_id=f"Iv23li{number}",
                slug=slug,
                bot=bot,
                permissions=dict(ENOUGH),
                created_at=self._world.now(),
            )
            self._world.apps.apps.append(app)
            return app

    def install(
        self,
        app: App,
        owner: str = "acme",
        *,
        repositories: Sequence[Repository] | None = None,
        permissions: Mapping[str, str] | None = None,
    ) -> Installation:
        """The App at an owner: for all repositories, or only for these."""
        with self._state():
            installation = Installation(
                id=self._world.new_id(),
                app=app,
                account=self._world.user(owner, kind="Organization"),
                permissions=dict(permissions or app.permissions),
                created_at=self._world.now(),
                repository_ids=None if repositories is None else frozenset(one.id for one in repositories),
            )
            self._world.apps.installations[installation.id] = installation
            return installation

    def uninstall(self, installation: Installation) -> None:
        with self._state():
            self._world.apps.installations.pop(installation.id)

    @property
    def apps(self) -> Apps:
        """All Apps, their installations and tokens; to be changed only while nobody asks."""
        return self._world.apps

    def revoke(self, token: str) -> None:
        with self._state():
            if self._world.tokens.pop(token, None) is None:
                self._world.apps.grants.pop(token)

    def grant(self, login: str, role: Role, *, repository: Repository | None = None) -> None:
        with self._state():
            self._world.user(login)
            (repository or self.repository).roles[login.lower()] = role

    def person(self, login: str, *, role: Role = Role.WRITE, repository: Repository | None = None) -> Person:
        """Someone who acts on GitHub's pages."""
        place = repository or self.repository
        self.grant(login, role, repository=place)
        return Person(user=self._world.user(login), repository=place, world=self._world, lock=self._state)

    def bot_named(self, login: str) -> Person:
        """An App of others that acts on the main repository; its login ends in `[bot]`."""
        with self._state():
            bot = self._world.user(login, kind="Bot")
        return self.person(bot.login)

    # what goes wrong

    def fail(self, operation: str, fault: FaultT, *, times: int = 1) -> FaultT:
        """Meets the next `times` requests for the operation with the fault; "*" is any operation."""
        if operation not in OPERATIONS and operation != "*":
            raise ValueError(f"{operation!r} is no operation of the fake; there are {sorted(OPERATIONS)}")
        with self._changed:
            self._site.faults.put(operation, fault, times=times)
        return fault

    def down(self, *, refuse: bool = False) -> None:
        """From now on 503 for everything, or no connection at all."""
        if refuse:
            self._server.stop()
        self._site.is_down = True

    def up(self) -> None:
        self._site.is_down = False
        self._server.start()

    def speak(self, version: str) -> None:
        """From now on answer as that version of the API does, whichever is asked for."""
        self._site.speaks = version

    @property
    def list_lag(self) -> timedelta:
        """Lists do not show what is younger than this, by the fake's clock."""
        return self._site.desk.list_lag

    @list_lag.setter
    def list_lag(self, lag: timedelta) -> None:
        self._site.desk.list_lag = lag

    def _tell(self, repository: Repository, issue: Issue, by: User | None, **more: object) -> None:
        self.webhooks.tell(self._site.desk.render, repository, issue, by, **more)

    @contextmanager
    def _state(self) -> Iterator[None]:
        """The state for oneself, after everything late that is due by now has been done."""
        with self._changed:
            self._site.settle()
            yield


def _utc_now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the real clock, where a test has no reason to give its own
