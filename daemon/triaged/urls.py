"""What a URL of the operator's must be so that it can be asked."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

LONGEST: Final = 2_000
_PLAIN: Final = re.compile(r"https?://[^\s\x00-\x1f\x7f]*", re.IGNORECASE)
_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_LIKE: Final = "expected a URL like http://HOST:PORT/PATH or https://HOST/PATH"


def askable(text: str) -> str:
    """The URL as it came. Raises ValueError, whose words hold nothing of it: a URL may be a secret."""
    _parts(text)
    return text


def bare(text: str) -> str:
    """A URL that is fit for logs and pages: nothing in it is a secret. Raises ValueError."""
    parts = _parts(text)
    if "@" in parts.netloc or "?" in text or "#" in text:
        raise ValueError("expected a URL without user, query and fragment")
    return text


def base(text: str) -> str:
    """A bare URL to which paths are added. Raises ValueError."""
    if bare(text).endswith("/"):
        raise ValueError("expected a URL without / at its end")
    return text


def _parts(text: str) -> SplitResult:
    if len(text) > LONGEST:
        raise ValueError(f"expected a URL of at most {LONGEST:,} characters, got {len(text):,}")
    if not _PLAIN.fullmatch(text):
        raise ValueError(_LIKE)
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError(_LIKE) from None
    if not _is_host(parts):
        raise ValueError("expected a URL with a host: a name of ASCII letters, digits, - and dots, or an IP address")
    if not _is_port(parts):
        raise ValueError("expected a URL with a port of 1 to 65535, or none")
    return parts


def _is_host(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    address = "[" in parts.netloc or re.fullmatch(r"[0-9.]*[0-9]\.?", host) is not None
    if not address:
        return _NAME.fullmatch(host) is not None and len(host) <= 253
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False
