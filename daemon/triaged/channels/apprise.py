"""Everything that Apprise reaches: mail, chats, short messages. One object for each letter, within a time bound."""

from __future__ import annotations

import logging
import re
import threading
from datetime import timedelta
from typing import Any, Final
from urllib.parse import unquote

import apprise

from triaged.channels.writing import Format, subject, write
from triaged.errors import ConfigError, DeliveryError
from triaged.ports.channel import Letter

WITHIN_SECONDS: Final = 30.0
_LONGEST_REASON: Final = 200
_hanging: dict[str, threading.Thread] = {}
"""By URL, the delivery that did not end in its time: nothing else goes there before it does."""


class Apprise:
    """One URL of https://appriseit.com/services/. Raises ConfigError where Apprise does not understand it."""

    pages = False
    pace = timedelta(seconds=1)

    def __init__(self, url: str, *, within: float = WITHIN_SECONDS) -> None:
        made = apprise.Apprise.instantiate(url, suppress_exceptions=True)
        if not isinstance(made, apprise.NotifyBase):
            scheme = url.partition(":")[0]
            raise ConfigError(f"expected a URL that Apprise understands, got one of {scheme}:// that it does not")
        # It sleeps between two messages of one object; the pace is the worker's here.
        made.request_rate_per_sec = 0
        self._service: Any = made
        self._url = url
        self._within = within

    def send(self, letter: Letter) -> None:
        """Deliver it, in a thread that is left behind where it does not end in time."""
        former = _hanging.get(self._url)
        if former is not None and former.is_alive():
            raise DeliveryError("the last message is still on its way", reason="timeout")
        _hanging.pop(self._url, None)
        said, done = _Said(), []
        form = Format(self._service.resolve_format().value)
        body = write(letter.body, form, markdown=letter.markdown)

        def deliver() -> None:
            said.thread = threading.get_ident()
            done.append(self._service.notify(title=subject(letter.subject), body=body, body_format=form.value))

        thread = threading.Thread(target=deliver, name="apprise", daemon=True)
        logger = logging.getLogger("apprise")
        logger.addHandler(said)
        try:
            thread.start()
            thread.join(self._within)
        finally:
            logger.removeHandler(said)
        if thread.is_alive():
            _hanging[self._url] = thread
            raise DeliveryError(f"no answer within {self._within:g} s", reason="timeout", ambiguous=True)
        if not any(done):
            raise DeliveryError(self._without_secrets(said.words), reason="refused")

    def _without_secrets(self, words: str) -> str:
        """What Apprise said, without any part of the URL and without other URLs."""
        secrets = {part for part in re.split(r"[/:@?&=,]+", unquote(self._url) + self._url) if len(part) > 3}
        for secret in sorted(secrets - _PLAIN, key=len, reverse=True):
            words = words.replace(secret, "…")
        words = re.sub(r"\w+://\S+", "…", words)
        return words[:_LONGEST_REASON] or "it was not taken"


_PLAIN: Final = frozenset({"mailto", "mailtos", "http", "https", "json", "jsons", "slack", "discord", "localhost"})


class _Said(logging.Handler):
    """Keeps the first warnings of one thread: Apprise's answer is only whether it worked."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.thread: int | None = None
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self.thread and len(self._lines) < 3:
            self._lines.append(" ".join(record.getMessage().split()))

    @property
    def words(self) -> str:
        return "; ".join(self._lines)
