"""What a silence matches, what it says, and for how long those that are seen keep an incident's alerts quiet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Final

from msgspec import Struct

from triaged.core.keys import ALONE
from triaged.core.suppression import Hush, Suppression, unmarked

LONGEST: Final = timedelta(hours=4)
USUALLY: Final = timedelta(hours=1)
_NO_LABELS: Final = frozenset({ALONE, "service", "team", "category", "source"})
"""Names that stand for what was judged, or for the alert itself; alerts may have labels that are called so."""
_LONGEST_REASON: Final = 250
_LONGEST_NAME: Final = 60


@unique
class Stage(StrEnum):
    """Where a silence that a person asked for stands: to be made, made, to be removed, over."""

    WANTED = "wanted"
    MADE = "made"
    LIFTING = "lifting"
    OVER = "over"


class Reach(Struct, frozen=True, kw_only=True):
    """Where an incident's alerts can be silenced, and the labels (all equal) that match them; none where none would."""

    alertmanager: str
    matchers: Mapping[str, str]


class Silenced(Struct, frozen=True, kw_only=True):
    """Silences `refs` cover all that fires until `until`, when the one that `by` made is the first of them to end."""

    by: str
    until: datetime
    refs: tuple[str, ...]


def matchers(pairs: Iterable[tuple[str, str]], firing: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The labels of a key's pairs; an absent one is "". Empty where nothing would tell its alerts from others.

    What was judged matches only where all that fires (its labels) has it as a label. Where it has not, the rest of the
    key is wider than the incident: all labels that what fires has in common narrow it again.
    """
    found: dict[str, str] = {}
    left_out = False
    for name, value in pairs:
        if name not in _NO_LABELS or (firing and all(labels.get(name, "") == value for labels in firing)):
            found[name] = value
        else:
            left_out = True
    if left_out:
        common = [pair for pair in firing[0].items() if all(pair in one.items() for one in firing)] if firing else []
        if not common:
            return {}
        found.update(common)
    return found if any(found.values()) else {}


def comment(incident_id: int, reason: str, by: str) -> str:
    """`INC-7: the deployment is known (by ann)`: what a silence in an Alertmanager says of itself, on one line.

    A reason that was copied from another silence brings no mark with it.
    """
    said = unmarked(reason)[:_LONGEST_REASON]
    return f"INC-{incident_id}{f': {said}' if said else ''} (by {by})"


def creator(told: str) -> str:
    """A silence's creator as the name of a person: on one line, and of a length that fits."""
    return "".join(filter(str.isprintable, " ".join(told.split())))[:_LONGEST_NAME].strip() or "somebody"


def covering(rows: Iterable[Suppression], firing: int, now: datetime) -> Silenced | None:
    """What these silences of an incident's alerts come to, where `firing` alerts fire in it; None: one is not silenced.

    Of an alert the silence that lasts longest counts, of all alerts the one whose silence ends first.
    """
    longest: dict[str, tuple[datetime, str, str]] = {}
    for row in rows:
        if row.hush is Hush.SILENCE and row.ends_at is not None and row.ends_at > now:
            lasts = (row.ends_at, row.ref, row.by)
            longest[row.fingerprint] = max(longest.get(row.fingerprint, lasts), lasts)
    if not firing or len(longest) < firing:
        return None
    until, _, by = min(longest.values())
    refs = {ref for _, ref, _ in longest.values()}
    return Silenced(by=creator(by), until=until, refs=tuple(sorted(refs)))
