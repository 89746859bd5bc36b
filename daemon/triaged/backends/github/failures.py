"""What an answer that is no success means: one DeliveryError, with the reason and the instant of another try.

The order is that of GitHub's "Rate limits for the REST API" (headers first) and "Troubleshooting the REST API".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import msgspec

from triaged.backends.github.clocks import read_date
from triaged.errors import DeliveryError

# Where GitHub names no time: "wait for at least one minute before retrying".
LIMITED_FOR = timedelta(minutes=1)
# The documented window of the primary limit is an hour; no header may stop the daemon for longer than a day.
LONGEST_WINDOW = timedelta(hours=1)
LONGEST_WAIT = timedelta(days=1)
TROUBLE_FOR = timedelta(seconds=5)
# Someone has to change something first; repeated errors count against us ("Do not ignore errors").
TOKEN_WRONG_FOR = timedelta(minutes=5)
ACCESS_WRONG_FOR = timedelta(minutes=15)

SHOWN = 200
# GitHub never sends a token back; a proxy in between may. Of an installation's token no length is known: since 2026 it
# is `ghs_APPID_JWT`, some 520 characters.
SECRETS = re.compile(r"gh[a-z]_[A-Za-z0-9._-]+|github_pat_[A-Za-z0-9_]+|eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9._-]+")
WORDS_OF_A_LIMIT = re.compile(r"rate limit|temporarily blocked|abuse detection", re.IGNORECASE)
# cli/cli#4801 and octokit/plugin-throttling.js#775: too fast may also be answered 422.
WORDS_OF_TOO_FAST = re.compile(r"submitted too quickly|\babuse\b", re.IGNORECASE)

# 403 by its message: GitHub tells them apart by nothing else. None: nothing will change it.
FORBIDDEN: tuple[tuple[re.Pattern[str], str, timedelta | None], ...] = (
    (re.compile(r"\barchived\b", re.IGNORECASE), "archived", ACCESS_WRONG_FOR),
    (re.compile(r"\blocked\b", re.IGNORECASE), "locked", None),
    (re.compile(r"installation\b.{0,100}\bsuspended", re.IGNORECASE), "not_installed", ACCESS_WRONG_FOR),
    # What follows several 401, whatever the token ("Authenticating to the REST API", failed login limit).
    (re.compile(r"login attempts exceeded", re.IGNORECASE), "unauthorized", TOKEN_WRONG_FOR),
    (re.compile(r"commenting is disabled", re.IGNORECASE), "comment_limit", None),
)


class _Error(msgspec.Struct):
    code: str | None = None
    field: str | None = None
    message: str | None = None


class _Refusal(msgspec.Struct):
    message: str | None = None
    errors: list[_Error | str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer as it came; `headers` have lower-case names."""

    operation: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    is_write: bool


def failure(answered: Answered, now: datetime) -> DeliveryError:
    """The error that an answer with status 3xx to 5xx stands for.

    Reasons: rate_limited, secondary_limit, unauthorized, forbidden, not_installed, archived, locked, comment_limit,
    not_found, gone, issues_disabled, invalid, redirected, server_error.
    """
    message = said(answered.body)
    reason, wait = _limited(answered, message, now) or _meaning(answered, message)
    if reason == "server_error":
        wait = _retry_after(answered.headers, now) or wait
    detail = f": {message}" if message else ""
    missing = answered.headers.get("x-accepted-github-permissions")
    permission = f" (it needs the permission {missing})" if missing and reason == "forbidden" else ""
    return DeliveryError(
        f"GitHub answered {answered.operation} with {answered.status}, {reason}{detail}{permission}",
        reason=reason,
        retry_at=None if wait is None else now + wait,
        ambiguous=answered.is_write and reason == "server_error",
    )


def moved(error: DeliveryError, to: str) -> DeliveryError:
    """The same, with the path to which GitHub had sent us."""
    return DeliveryError(f"{error}; it has moved to {to}", reason=error.reason, retry_at=error.retry_at)


def redirected(asked: str, what: str, now: datetime) -> DeliveryError:
    """A redirect that is not followed; `asked` is the request in words."""
    return DeliveryError(f"GitHub answered {asked} with {what}", reason="redirected", retry_at=now + ACCESS_WRONG_FOR)


def late(asked: str, allowed: float, now: datetime, *, ambiguous: bool) -> DeliveryError:
    """An answer that was not there after `allowed` seconds, or had no end."""
    return DeliveryError(
        f"GitHub's answer to {asked} was not complete after {allowed} s or too long",
        reason="timeout",
        retry_at=now + TROUBLE_FOR,
        ambiguous=ambiguous,
    )


def unanswered(asked: str, error: httpx.RequestError, now: datetime, *, ambiguous: bool) -> DeliveryError:
    """No answer: no connection, a lost one, or none in time."""
    words = SECRETS.sub("[secret]", str(error))[:SHOWN]
    return DeliveryError(
        f"no answer from GitHub to {asked}: {type(error).__name__} {words}".rstrip(),
        reason="timeout" if isinstance(error, httpx.TimeoutException) else "connection",
        retry_at=now + TROUBLE_FOR,
        ambiguous=ambiguous,
    )


def said(body: bytes) -> str:
    """GitHub's message with the codes of its errors, on one line, cut short, without anything like a token."""
    try:
        refusal = msgspec.json.decode(body, type=_Refusal)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    details = [_detail(error) for error in refusal.errors or ()]
    words = " ".join(" ".join([refusal.message or "", *details]).split())
    return SECRETS.sub("[secret]", words)[:SHOWN]


def _detail(error: _Error | str) -> str:
    return error if isinstance(error, str) else " ".join(filter(None, (error.field, error.code, error.message)))


def _limited(answered: Answered, message: str, now: datetime) -> tuple[str, timedelta] | None:
    """The kind of limit and how long to wait, or None where the answer is about something else."""
    if answered.status == 422 and WORDS_OF_TOO_FAST.search(message):
        return "secondary_limit", LIMITED_FOR
    if answered.status not in {403, 429}:
        return None
    used_up = answered.headers.get("x-ratelimit-remaining") == "0"
    wait = _retry_after(answered.headers, now)
    if wait is None and used_up:
        wait = _until_reset(answered.headers, now)
    if wait is None and (answered.status == 429 or WORDS_OF_A_LIMIT.search(message)):
        wait = LIMITED_FOR
    if wait is None:
        return None
    return "rate_limited" if used_up and "secondary" not in message else "secondary_limit", wait


def _retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long the answer wants us to wait, None where it does not say: in seconds, of a proxy maybe as a date."""
    header = headers.get("retry-after", "")
    span = _number(header)
    at = read_date(header) if span is None else None
    if at is not None:
        span = round((at - _there(headers, now)).total_seconds())
    return None if span is None else min(timedelta(seconds=max(span, 1)), LONGEST_WAIT)


def _there(headers: Mapping[str, str], now: datetime) -> datetime:
    """The instant of the answer by GitHub's clock, which its other headers go by."""
    return read_date(headers.get("date", "")) or now


def _until_reset(headers: Mapping[str, str], now: datetime) -> timedelta:
    """A second more than the header says: it counts whole seconds."""
    reset = _number(headers.get("x-ratelimit-reset"))
    if reset is None:
        return LIMITED_FOR
    wait = timedelta(seconds=max(reset - int(_there(headers, now).astimezone(UTC).timestamp()), 0) + 1)
    return min(wait, LONGEST_WINDOW + timedelta(seconds=1))


def _number(header: str | None) -> int | None:
    """The header's whole seconds; capped, because nothing keeps a proxy from sending an absurd one."""
    return min(int(header), 10**11) if header is not None and header.isascii() and header.isdigit() else None


def _meaning(answered: Answered, message: str) -> tuple[str, timedelta | None]:
    match answered.status:
        case 401:
            return "unauthorized", TOKEN_WRONG_FOR
        case 403:
            found = ((reason, wait) for words, reason, wait in FORBIDDEN if words.search(message))
            return next(found, ("forbidden", ACCESS_WRONG_FOR))
        case 404:
            return "not_found", ACCESS_WRONG_FOR
        case 410 if "disabled" in message.lower():
            return "issues_disabled", ACCESS_WRONG_FOR
        case 410:
            return "gone", None
        case status if status >= 500:
            return "server_error", TROUBLE_FOR
        case status if status < 400:
            return "redirected", None
        case _:
            return "invalid", None
