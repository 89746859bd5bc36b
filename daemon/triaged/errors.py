"""Every deliberate error of triaged; whatever is not in this tree is a bug."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class TriagedError(Exception):
    """Root of the deliberate errors: the message is meant for a person."""


SHOWN_FINDINGS = 100


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """What is wrong, or doubtful, at one place of a file of the operator's; lines and columns count from 1.

    `path` is the key's path (`rules[2].impact`), `hint` the nearest valid word or what to write instead.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        path = f"{self.path}: " if self.path else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {path}{self.message}{hint}"


class ConfigError(TriagedError):
    """A file of the operator's is wrong: exit 2 at start, refused on reload.

    The message holds one line per finding, each `file:line:column: key: what was expected`; of very many only the
    first hundred.
    """

    def __init__(self, message: str = "", *, findings: tuple[Finding, ...] = ()) -> None:
        left = len(findings) - SHOWN_FINDINGS
        more = f"… and {left} more" if left > 0 else ""
        super().__init__("\n".join(filter(None, (message, *map(str, findings[:SHOWN_FINDINGS]), more))))
        self.findings = findings


class PayloadError(TriagedError):
    """A request that can never be read: answered 400, and 413 where it is only too large.

    `status` is the HTTP status; the message says what was expected and what came.
    """

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class ActError(TriagedError):
    """A person's act that the incident's state does not allow: answered 409, nothing changed."""


class NotFoundError(TriagedError):
    """The thing that was asked for does not exist: answered 404."""


class StoreError(TriagedError):
    """The store cannot be read or written now: answered 503, the sender tries again."""


class Conflict(StoreError):  # noqa: N818 - not an end: the transaction runs again
    """Another writer was faster; the same unit of work runs again on fresh rows."""


class DeliveryError(TriagedError):
    """A backend or channel did not take what was sent.

    `reason` is the metric's label; `retry_at` the earliest instant of another try, None to give up visibly;
    `ambiguous` says that the write may have been done all the same.
    """

    def __init__(self, message: str, *, reason: str, retry_at: datetime | None = None, ambiguous: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_at = retry_at
        self.ambiguous = ambiguous
