"""What an Alertmanager's running configuration says of its receivers and mute times.

Format: https://prometheus.io/docs/alerting/latest/configuration/; `/api/v2/status` gives the text, secrets left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final

import yaml
from msgspec import Struct

_MOST: Final = 2_000_000
_MOST_ROUTES: Final = 100_000
_MUTES: Final = ("mute_time_intervals", "active_time_intervals")
_USUAL_WAIT: Final = timedelta(seconds=30)
# As Alertmanager writes it again; nobody lets a group wait for days.
_SPAN: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
# The C loader is ten times as fast, and not on every machine.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Configured(Struct, frozen=True, kw_only=True):
    """`calling` are the receivers that call a webhook, `others` those that do not; `mutes`, whether times are muted.

    `longest_wait` is the longest `group_wait`: a group learns only when it has waited what is muted.
    """

    calling: frozenset[str]
    others: frozenset[str]
    mutes: bool
    longest_wait: timedelta


@lru_cache(maxsize=16)
def configured(text: str) -> Configured | None:
    """The configuration's text, read; None where it is none that can be read."""
    if len(text) > _MOST:
        return None
    try:
        root = yaml.load(text, Loader=_LOADER)  # noqa: S506 - both loaders are safe ones
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    receivers = root.get("receivers") if isinstance(root, dict) else None
    if not isinstance(receivers, list):
        return None
    named = {str(one["name"]): one for one in receivers if isinstance(one, dict) and "name" in one}
    calling = frozenset(name for name, one in named.items() if one.get("webhook_configs"))
    routes = [*_routes(root.get("route"))]
    return Configured(
        calling=calling,
        others=frozenset(named) - calling,
        mutes=any(route.get(key) for route in routes for key in _MUTES),
        longest_wait=max((_span(route.get("group_wait")) for route in routes), default=_USUAL_WAIT),
    )


def _span(told: Any) -> timedelta:
    found = _SPAN.fullmatch(told) if isinstance(told, str) else None
    if found is None or not told:
        return _USUAL_WAIT
    hours, minutes, seconds = (int((amount or "0")[:6]) for amount in found.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def _routes(root: Any) -> Iterator[dict[str, Any]]:
    left = [root]
    for _ in range(_MOST_ROUTES):
        if not left:
            return
        route = left.pop()
        if isinstance(route, dict):
            yield route
            below = route.get("routes")
            left.extend(below if isinstance(below, list) else ())
