"""What an alert may weigh: labels beyond it reject the alert, annotations beyond it are cut."""

from __future__ import annotations

from typing import Final

from triaged.sources.mending import Unreadable

MOST_BYTES: Final = 16 * 1024 * 1024
MOST_ALERTS: Final = 10_000
MOST_LABELS: Final = 128
LONGEST_NAME: Final = 1_024
LONGEST_VALUE: Final = 16_384


def limit(
    labels: dict[str, str], annotations: dict[str, str], mended: list[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Labels as they are and annotations cut to size; cut ones are named in `mended`.

    Labels say which alert it is, so that cutting them would make one alert of two: raises Unreadable instead.
    """
    if not labels:
        raise Unreadable("no_labels", "labels: expected at least one label with a value, got none")
    if len(labels) > MOST_LABELS:
        raise Unreadable("too_many_labels", f"labels: expected at most {MOST_LABELS}, got {len(labels)}")
    if too_long := _too_long(labels):
        name, value = too_long
        text = f"labels.{name[:50]}: expected at most {LONGEST_VALUE:,} characters, got {max(len(name), len(value)):,}"
        raise Unreadable("label_too_long", text)
    if len(annotations) > MOST_LABELS:
        mended.append(f"annotations: kept {MOST_LABELS} of {len(annotations)}")
        annotations = dict(list(annotations.items())[:MOST_LABELS])
    if too_long := _too_long(annotations):
        name, value = too_long
        mended.append(f"annotations.{name[:50]}: cut to {LONGEST_VALUE:,} of {len(value):,} characters")
        annotations = {n[:LONGEST_NAME]: v[:LONGEST_VALUE] for n, v in annotations.items()}
    return labels, annotations


def _too_long(texts: dict[str, str]) -> tuple[str, str] | None:
    """The first name with its value of which one is too long."""
    # All of them together are rarely as long as one of them may be.
    if len("".join(texts)) <= LONGEST_NAME and len("".join(texts.values())) <= LONGEST_VALUE:
        return None
    return next(((n, v) for n, v in texts.items() if len(n) > LONGEST_NAME or len(v) > LONGEST_VALUE), None)
