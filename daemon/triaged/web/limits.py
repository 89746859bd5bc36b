"""How large a request may be that is no delivery of alerts, which have limits of their own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

MOST_BYTES: Final = 256 * 1024
MOST_OF_A_WEBHOOK: Final = 25 * 1024 * 1024
"""GitHub sends no more ("Webhook events and payloads", payload cap)."""
GITHUB: Final = "/api/v1/github/webhook"
SIGNATURE: Final = "X-Hub-Signature-256"


def most_bytes(path: str, headers: Iterable[tuple[bytes, bytes]]) -> int:
    """What a body may have at most; as much as GitHub may send only where it looks signed."""
    looks_signed = any(name.lower() == SIGNATURE.lower().encode() and len(value) == 71 for name, value in headers)
    return MOST_OF_A_WEBHOOK if path.rstrip("/") == GITHUB and looks_signed else MOST_BYTES
