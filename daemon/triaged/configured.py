"""What the configuration names, opened: store, backend, channels, Alertmanagers, the listening socket."""

from __future__ import annotations

import base64
import errno
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from triaged import secretfile
from triaged.alertmanagers.routing import Receivers
from triaged.alertmanagers.wire import Readable
from triaged.channels.opening import checked
from triaged.clock import Clock
from triaged.config import AlertmanagerSettings, PrometheusSettings, Settings, SourceSettings
from triaged.core.matchers import whole
from triaged.errors import ConfigError, Finding
from triaged.metrics import Metrics
from triaged.ports.backend import Backend, Places
from triaged.ports.looks import Watch
from triaged.rulefiles import unlisted
from triaged.rulefiles.sheet import Sheet
from triaged.secretfile import Secret
from triaged.store.store import Store
from triaged.web.auth import SourceAuth
from triaged.workers.look import Heeding
from triaged.workers.reconcile import Watched

if TYPE_CHECKING:
    from triaged.alertmanagers.client import Client
    from triaged.backends.github.settings import Settings as GitHub
    from triaged.prometheus.client import Prometheus
    from triaged.workers.changes import Changes

_PATIENCE: Final = timedelta(seconds=1)


def open_backend(settings: Settings, clock: Clock, metrics: Metrics) -> Backend:
    """The configured backend; only its own packages are loaded."""
    if settings.backend.type == "local":
        from triaged.backends.local import LocalBackend  # noqa: PLC0415 - one backend a process

        return LocalBackend(settings.backend.local.directory, clock=clock)
    from triaged.backends.github.backend import GitHubBackend  # noqa: PLC0415 - as above
    from triaged.backends.github.transport import Surroundings  # noqa: PLC0415 - as above

    def observe(operation: str, outcome: str, span: float) -> None:
        metrics.backend_requests.labels("github", operation, outcome).inc()
        metrics.backend_seconds.labels("github", operation, outcome).observe(span)
        if made.rate_limit_remaining is not None:
            metrics.rate_limit_remaining.labels("github").set(made.rate_limit_remaining)

    def pause(span: float) -> None:
        clock.wait(threading.Event(), timedelta(seconds=span))

    made = GitHubBackend(github_of(settings), Surroundings(now=clock.now, pause=pause, observe=observe))
    return made


def open_watch(settings: Settings, backend: Backend, clock: Clock, metrics: Metrics) -> Watch:
    """How the configured backend's issues are looked at. Raises ConfigError as `github_of` does."""
    if settings.backend.type == "local":
        from triaged.backends.local import LocalBackend  # noqa: PLC0415 - as above

        return LocalBackend(settings.backend.local.directory, clock=clock)
    from triaged.backends.github.transport import Surroundings  # noqa: PLC0415 - as above
    from triaged.backends.github.watch import GitHubWatch  # noqa: PLC0415 - as above

    def observe(operation: str, outcome: str, span: float) -> None:
        metrics.backend_requests.labels("github", operation, outcome).inc()
        metrics.backend_seconds.labels("github", operation, outcome).observe(span)

    def pause(span: float) -> None:
        clock.wait(threading.Event(), timedelta(seconds=span))

    return GitHubWatch(
        github_of(settings),
        Surroundings(now=clock.now, pause=pause, observe=observe),
        partial(backend.ready_at, urgent=True, creates=False),
    )


def heeding(settings: Settings, watch: Watch) -> Heeding | None:
    """Whose commands in comments are done; None where nobody can give any."""
    github = settings.backend.github
    if settings.backend.type == "local" or github is None:
        return None
    from triaged.backends.github.rights import Right  # noqa: PLC0415 - as above
    from triaged.backends.github.watch import GitHubWatch  # noqa: PLC0415 - as above
    from triaged.web import slash  # noqa: PLC0415 - who only checks a configuration serves no pages

    assert isinstance(watch, GitHubWatch)  # noqa: S101 - as opened
    may = partial(watch.may, right=Right[github.commands.upper()])
    return Heeding(read=slash.read, may=may, needs=github.commands)


def github_of(settings: Settings) -> GitHub:
    """Where GitHub is, and as whom it is asked. Raises ConfigError where token or private key cannot be read."""
    from triaged.backends.github import keyfile  # noqa: PLC0415 - as above
    from triaged.backends.github.settings import App  # noqa: PLC0415 - as above
    from triaged.backends.github.settings import Settings as GitHub  # noqa: PLC0415 - as above

    github = settings.backend.github
    if github is None:
        raise ConfigError("backend.github: expected repository and app or token_file beside type: github")
    if github.app is not None:
        key = partial(keyfile.load, github.app.private_key_file)
        key()
        number = github.app.installation_id
        app = App(id=github.app.id, key=key, home=github.repository, installation_id=number)
        return GitHub(repository=github.repository, api_url=github.api_url, app=app)
    token = partial(secret_of, github.token, github.token_file, Secret.TOKEN)
    token()
    return GitHub(repository=github.repository, api_url=github.api_url, token=token)


def open_changes(settings: Settings, clock: Clock, metrics: Metrics) -> Changes | None:
    """Who knows the recent changes of code: GitHub, where it is configured. Raises ConfigError as `github_of` does."""
    if settings.backend.github is None:
        return None
    from triaged.backends.github.transport import Surroundings  # noqa: PLC0415 - as above
    from triaged.workers.changes import Changes  # noqa: PLC0415 - as above

    def observe(operation: str, outcome: str, span: float) -> None:
        metrics.backend_requests.labels("github", operation, outcome).inc()
        metrics.backend_seconds.labels("github", operation, outcome).observe(span)

    def pause(span: float) -> None:
        clock.wait(threading.Event(), timedelta(seconds=span))

    return Changes(github_of(settings), Surroundings(now=clock.now, pause=pause, observe=observe))


def members_of(one: AlertmanagerSettings) -> tuple[Client, ...]:
    """The members of a configured Alertmanager. Raises ConfigError where its credential cannot be read."""
    from triaged.alertmanagers.client import Client  # noqa: PLC0415 - a daemon without them loads none of it

    authorization = partial(_authorization, one)
    authorization()
    return tuple(Client(url, authorization) for url in one.urls)


def open_prometheus(settings: Settings) -> Prometheus | None:
    """The configured Prometheus, None without. Raises ConfigError where its credential cannot be read."""
    if settings.prometheus is None:
        return None
    from triaged.prometheus.client import Prometheus  # noqa: PLC0415 - as above

    authorization = partial(_authorization, settings.prometheus)
    authorization()
    return Prometheus(settings.prometheus.url, authorization)


def _authorization(one: AlertmanagerSettings | PrometheusSettings) -> str:
    """The header's value, "" for none: read anew each time, a file may be rotated."""
    if one.basic_auth_file is not None:
        pair = secretfile.first(one.basic_auth_file, Secret.PASSWORD)
        return f"Basic {base64.b64encode(pair.encode()).decode()}"
    return f"Bearer {secretfile.first(one.token_file, Secret.TOKEN)}" if one.token_file is not None else ""


def watched(settings: Settings, one: AlertmanagerSettings, members: tuple[Readable, ...]) -> Watched:
    """A configured Alertmanager, to be asked what it holds."""
    return Watched(
        name=one.name,
        source=settings.source_of(one),
        ours=Receivers(pattern=one.receiver, fits=whole(one.receiver)),
        members=members,
    )


def places(settings: Settings) -> Places:
    """Where the configured backend makes issues."""
    github = settings.backend.github if settings.backend.type == "github" else None
    if github is None:
        return Places()
    restricted = github.restricted_repository or ""
    return Places(common=github.repository, restricted=restricted, listed=github.repositories, by_comment=True)


def expect_allowed(settings: Settings, sheet: Sheet) -> None:
    """Raises ConfigError where the rules name a repository that the configuration does not allow."""
    findings = tuple(sorted(not_allowed(settings, sheet)))
    if findings:
        raise ConfigError(findings=findings)


def not_allowed(settings: Settings, sheet: Sheet) -> Iterator[Finding]:
    """A finding for each repository that the rules name and the configuration does not allow."""
    known = places(settings)
    return unlisted(sheet, known.allows, {*filter(None, (known.common, known.restricted)), *known.listed})


def open_store(settings: Settings, *, new: bool = True) -> Store:
    """The configured store; without `new` only one that is there. Raises ConfigError where there is none to have."""
    file = Path(settings.store.removeprefix("sqlite:///"))
    if not new and settings.store.startswith("sqlite:///") and not file.is_file():
        raise ConfigError(f"store: expected a database at {file}, found none")
    try:
        return Store(settings.store, replica=socket.gethostname())
    except OSError as error:
        raise ConfigError(f"store: cannot make {file.parent}: {error.strerror}") from error


def channel_urls(settings: Settings) -> dict[str, Callable[[], str]]:
    """What gives the URL of each channel. Raises ConfigError where one cannot be read, or means nothing."""
    urls: dict[str, Callable[[], str]] = {
        name: partial(secret_of, one.url, one.url_file, Secret.URL) for name, one in settings.channels.items()
    }
    for name, url in urls.items():
        try:
            checked(url())
        except ConfigError as error:
            raise ConfigError(f"channels.{name}: {error}") from None
    return urls


def bridge_hook(settings: Settings) -> Callable[[], str] | None:
    """What gives the URL of the service that makes bridges, None without. Raises ConfigError where it is unreadable."""
    if settings.bridge is None:
        return None
    url = partial(secret_of, settings.bridge.hook_url, settings.bridge.hook_url_file, Secret.URL)
    url()
    return url


def secret_of(text: str | None, file: Path | None, kind: Secret) -> str:
    """A secret, read anew each time: its file may be rotated while the daemon runs."""
    return secretfile.first(file, kind) if file is not None else text or ""


def webhook_secrets(settings: Settings) -> tuple[bytes, ...]:
    """The secrets of GitHub's webhooks, read anew each time; none where none is expected. Raises ConfigError."""
    github = settings.backend.github if settings.backend.type == "github" else None
    file = None if github is None else github.webhook_secret_file
    return () if file is None else secretfile.read(file, Secret.TOKEN)


def source_auth(settings: Settings, name: str) -> SourceAuth:
    source = settings.sources.get(name, SourceSettings())
    return SourceAuth(source.tokens, tokens_file=source.tokens_file, basic_auth_file=source.basic_auth_file)


def open_listener(settings: Settings, clock: Clock) -> socket.socket:
    """The socket on which requests come in. Raises ConfigError where its address cannot be had.

    After a kill -9 the former daemon's door may hold the address for a moment longer than its daemon lived.
    """
    until = clock.now() + _PATIENCE
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    while True:
        try:
            opened.bind((settings.host, settings.port))
            break
        except (OSError, UnicodeError) as error:
            taken = getattr(error, "errno", None) == errno.EADDRINUSE
            if taken and clock.now() < until:
                clock.wait(threading.Event(), _PATIENCE / 20)
                continue
            opened.close()
            raise ConfigError(f"listen: cannot use {settings.listen}: {getattr(error, 'strerror', error)}") from error
    opened.listen(2_048)
    opened.setblocking(False)
    return opened


def default_config() -> Path | None:
    """The configuration that is used when none is named: ./config.yaml where there is one."""
    found = Path("config.yaml")
    return found if found.is_file() else None
