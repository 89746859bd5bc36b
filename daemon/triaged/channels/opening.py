"""From the URL of an address to its channel; only what is needed is loaded."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from triaged.errors import ConfigError
from triaged.ports.channel import Channel


def open_channel(url: str) -> Channel:
    """The channel of a URL: PagerDuty's and Opsgenie's are ours, all else is Apprise's.

    Raises ConfigError, whose text holds no secret.
    """
    if scheme_of(url) in ("pagerduty", "opsgenie"):
        from triaged.channels.paging import paging, post  # noqa: PLC0415 - costs memory where nobody is paged

        return paging(url, post)
    from triaged.channels.apprise import Apprise  # noqa: PLC0415 - 30 MB where no channel is configured

    return Apprise(url)


def scheme_of(url: str) -> str:
    return url.partition(":")[0].lower()


def pages(url: str) -> bool:
    """Whether the URL leads to a service that keeps incidents of its own."""
    return scheme_of(url) in ("pagerduty", "opsgenie")


def service_of(url: str) -> str:
    """What all addresses of one service have in common, for whoever waits for one of them."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname or ''}".lower()
    except ValueError:
        return scheme_of(url)


def by_relay(url: str, relay: str) -> str:
    """A person's plain `mailto://ann@example.com`, sent through the mail server of another mail URL.

    A URL that says a password, or how else it is to be sent, and one of another sort, stays as it is.
    """
    if scheme_of(url) not in ("mailto", "mailtos") or scheme_of(relay) not in ("mailto", "mailtos"):
        return url
    rest = url.partition("://")[2]
    user, at, host = rest.rpartition("@")
    if not at or ":" in user or "?" in rest or "/" in host.rstrip("/"):
        return url
    return f"{relay}{'&' if '?' in relay else '?'}to={quote(rest.rstrip('/'), safe='')}"


def checked(url: str) -> str:
    """The URL, if it opens. Raises ConfigError."""
    if ":" not in url or "\n" in url:
        raise ConfigError("expected one URL like slack://… or mailto://…")
    open_channel(url)
    return url
