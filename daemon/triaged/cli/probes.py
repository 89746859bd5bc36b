"""What `triaged check --live` asks of each of those that the configuration names."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from triaged.alertmanagers.wire import UnreadableError
from triaged.channels.opening import by_relay, checked, open_channel, pages, scheme_of
from triaged.config import AlertmanagerSettings, ChannelSettings, Settings
from triaged.configured import members_of, open_prometheus, secret_of
from triaged.core import wording
from triaged.core.matchers import whole
from triaged.core.model import Severity
from triaged.core.rules import RuleSet
from triaged.errors import ConfigError, DeliveryError
from triaged.outbound import within
from triaged.ports.channel import Letter, Page, PageState, Piece, PieceKind
from triaged.ports.probe import Probed, doubtful, failing, fine
from triaged.prometheus.client import UnansweredError
from triaged.secretfile import Secret
from triaged.workers.addresses import RELAY

_SECONDS: Final = 10.0
_SHOWN: Final = 5
_TEST: Final = "A test of triaged check --live --send: nothing has happened."


def local(settings: Settings) -> Iterator[Probed]:
    """Whether Markdown files can be written."""
    folder = settings.backend.local.directory
    there = next(one for one in (folder, *folder.parents) if one.exists())
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        yield fine("backend", f"issues can be written to {folder}")
    else:
        yield failing("backend", f"{there} cannot be written to", "choose another backend.local.directory")


def alertmanager(one: AlertmanagerSettings) -> Iterator[Probed]:
    """Each member, and whether it has a receiver that leads here."""
    what = f"alertmanager {one.name}"
    try:
        members = members_of(one)
    except ConfigError as error:
        yield failing(what, str(error), "see alertmanagers in the configuration")
        return
    for member in members:
        try:
            said = member.status()
        except (UnreadableError, ConfigError) as error:
            yield failing(f"{what}, {member.name}", str(error), "is it up, and is its URL right?")
            continue
        fits = whole(one.receiver)
        calling = sorted(said.calling) if said is not None else []
        if said is not None and not any(fits(name) for name in calling):
            names = wording.listing(calling, most=_SHOWN) or "none"
            words = f"no receiver that calls a webhook is called {one.receiver}, there are: {names}"
            yield doubtful(f"{what}, {member.name}", words, f"mend alertmanagers: {one.name}: receiver")
        else:
            yield fine(f"{what}, {member.name}", "it answers")


def prometheus(settings: Settings) -> Iterator[Probed]:
    """Whether it answers a query."""
    what = "prometheus"
    try:
        client = open_prometheus(settings)
        if client is not None:
            within(_SECONDS, client.instant("vector(1)", seconds=_SECONDS))
            yield fine(what, f"{client.name} answers queries")
    except (ConfigError, UnansweredError, TimeoutError) as error:
        yield failing(what, str(error), "is it up, and are url and credential right?")


def channel(name: str, one: ChannelSettings, public_url: str, *, send: bool) -> Iterator[Probed]:
    """Whether its URL means something, and with `send` whether it takes a message."""
    what = f"channel {name}"
    try:
        url = checked(secret_of(one.url, one.url_file, Secret.URL))
        if not send:
            yield fine(what, f"its URL is understood ({scheme_of(url)}://); --send sends a message there")
            return
        opened = open_channel(url)
        opened.send(_letter(PageState.TRIGGERED, public_url))
        if pages(url):
            opened.send(_letter(PageState.RESOLVED, public_url))
    except ConfigError as error:
        yield failing(what, str(error), f"see channels.{name} in the configuration")
    except DeliveryError as error:
        yield failing(what, f"it did not take a message: {error}", "is the URL right, and its key still good?")
    else:
        yield fine(what, "a message was sent: see whether it has come")


def _letter(state: PageState, public_url: str) -> Letter:
    def ours(text: str) -> tuple[Piece, ...]:
        return (Piece(kind=PieceKind.OURS, text=text),)

    page = Page(
        key="triaged-check-live",
        state=state,
        severity=Severity.SEV4,
        summary=_TEST,
        source="triaged",
        url=public_url,
    )
    return Letter(subject=ours("triaged: a test"), body=ours(_TEST), markdown=False, page=page)


def people(settings: Settings, rules: RuleSet) -> Iterator[Probed]:
    """Whether the addresses of people mean something."""
    relay = settings.channels.get(RELAY)
    understood = 0
    for person in rules.people.values():
        for number, url in enumerate(person.notify, 1):
            try:
                there = by_relay(url, secret_of(relay.url, relay.url_file, Secret.URL)) if relay else url
                checked(there)
            except ConfigError as error:
                what = f"address {number} of {person.name}"
                yield failing(what, str(error), f"see people.{person.name} in services.yaml")
            else:
                understood += 1
    if understood:
        words = "is understood" if understood == 1 else "are understood"
        yield fine("people", f"{understood} address{'' if understood == 1 else 'es'} {words}")


def host(what: str, url: str | None, file: Path | None) -> Iterator[Probed]:
    """Whether the host of a URL can be reached. The URL itself is not asked: that would do what it is there for."""
    try:
        parts = urlsplit(secret_of(url, file, Secret.URL))
        name, port = parts.hostname or "", parts.port or (443 if parts.scheme.lower() == "https" else 80)
    except ConfigError as error:
        yield failing(what, str(error), f"see {what} in the configuration")
        return
    try:
        socket.create_connection((name, port), timeout=_SECONDS).close()
    except OSError as error:
        words = f"{name}:{port} cannot be reached: {error.strerror or error}"
        yield doubtful(what, words, "may this machine reach it, or only through a proxy?")
    else:
        yield fine(what, f"{name}:{port} can be reached; its URL was not asked")
