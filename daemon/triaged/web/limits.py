"""How large a request of the API may be; what delivers alerts has limits of its own."""

from __future__ import annotations

from typing import Final

MOST_BYTES: Final = 256 * 1024
