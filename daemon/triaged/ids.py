"""Identifiers that must not collide or be guessed: the only place that draws random numbers."""

from __future__ import annotations

import secrets


def operation_id() -> str:
    """A fresh id of one write to a backend: 32 hexadecimal digits, the only form that may stand in a marker."""
    return secrets.token_hex(16)


def delivery_id() -> str:
    """A fresh id of one webhook request, as logs and records name it."""
    return secrets.token_hex(8)
