"""Which alerts are the same, and which belong together: fingerprints and versioned incident keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Final

from triaged.core.model import Alert, Category, Key

VERSION = "v1"
ALONE = "fingerprint"
"""The name in the key of an alert that has nothing in common with others."""
_NUMBERS: Final = tuple(map(str, range(256)))


def fingerprint(source: str, labels: Mapping[str, str]) -> str:
    """32 hex digits that differ where source or any label differs; the order of labels does not matter."""
    parts = [source]
    for item in sorted(labels.items()):
        parts += item
    return digest(parts)


def incident_key(names: Iterable[str], alert: Alert, *, service: str, team: str, category: Category) -> Key:
    """The key of an alert over the given names; the order of names does not matter to its digest.

    The names service, team, category and source stand for what was judged, all others for labels; an absent one is
    "". A service that is not known falls back to the label `service`. Where every value is "" the alert's fingerprint
    is the key: alerts that have nothing in common must not share an incident.
    """
    labels = alert.labels
    judged = {
        "service": service or labels.get("service", ""),
        "team": team,
        "category": category.value,
        "source": alert.source,
    }
    pairs = tuple([(name, judged[name] if name in judged else labels.get(name, "")) for name in names])
    return _key(pairs) if any(value for _, value in pairs) else alone(alert)


def alone(alert: Alert) -> Key:
    """The key that no other alert has."""
    return _key(((ALONE, alert.fingerprint),))


def _key(pairs: tuple[tuple[str, str], ...]) -> Key:
    parts: list[str] = []
    for pair in sorted(pairs):
        parts += pair
    return Key(digest=f"{VERSION}:{digest(parts)}", pairs=pairs)


def digest(parts: Sequence[str]) -> str:
    """32 hex digits of texts in their order; their lengths go before them, so that no two lists are the same form."""
    lengths = " ".join([_NUMBERS[n] if n < 256 else str(n) for n in map(len, parts)])
    form = f"{lengths}\0{''.join(parts)}"
    return blake2b(form.encode(errors="surrogatepass"), digest_size=16).hexdigest()
