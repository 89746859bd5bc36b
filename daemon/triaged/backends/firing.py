"""The alerts of an incident as a table: which, how they differ, since when, what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from triaged.backends.text import NOTHING, code, link, prose, table
from triaged.core import wording
from triaged.core.model import Episode
from triaged.core.suppression import Suppression
from triaged.ports.backend import Report

MOST_ROWS = 20
MOST_DIFFERING = 3
MOST_COMMON = 12
MOST_QUIET = 3
SAYING = ("summary", "description", "message")
VALUES = ("value", "current_value")


def firing(report: Report, *, page: str) -> str:
    """The true count, the labels that all have, a row for each of the first ones, and how many more `page` knows."""
    incident, shown = report.incident, report.episodes[:MOST_ROWS]
    alerts = wording.count(incident.alerts, "alert")
    if incident.firing == incident.alerts:
        parts = [f"#### What fires: {alerts}"]
        more = incident.firing - len(shown)
    elif incident.firing:
        parts = [f"#### What fires: {incident.firing:,} of {alerts}"]
        more = incident.firing - sum(episode.ended_at is None for episode in shown)
    else:
        parts = [f"#### Nothing fires; what fired: {alerts}"]
        more = incident.alerts - len(shown)
    if shown:
        common = _common(shown)
        parts += [f"All of them: {pairs}" if len(shown) > 1 else pairs] if (pairs := _common_pairs(common)) else []
        parts.append(_rows(shown, common, report.suppressed))
    if more > 0:
        parts.append(f"… and {more:,} more: see {page}.")
    return "\n\n".join(parts)


def lead(report: Report) -> Episode | None:
    """The alert that tells best what is wrong: the gravest of the firing ones, the earliest of these."""
    going_on = [episode for episode in report.episodes if episode.ended_at is None] or report.episodes
    return min(going_on, key=lambda episode: (episode.severity.rank, episode.starts_at, episode.id), default=None)


def says(episode: Episode) -> str:
    """What the alert says of itself, in one line of Markdown; "" where it says nothing."""
    told = dict.fromkeys(filter(None, (episode.annotations.get(name, "").strip() for name in SAYING)))
    return prose(" ".join(told), most=500)


def _common(episodes: Sequence[Episode]) -> Mapping[str, str]:
    first, *others = (episode.labels for episode in episodes)
    return {name: value for name, value in sorted(first.items()) if all(labels.get(name) == value for labels in others)}


def _common_pairs(common: Mapping[str, str]) -> str:
    name = [code(common["alertname"], most=80)] if "alertname" in common else []
    others = {label: value for label, value in common.items() if label != "alertname"}
    return " ".join([*name, *filter(None, [_pairs(others, most=MOST_COMMON)])])


def _rows(
    episodes: Sequence[Episode], common: Mapping[str, str], suppressed: Mapping[str, Sequence[Suppression]]
) -> str:
    """Columns in which nothing would stand are left out."""
    differing = _differing(episodes, common)
    saying = _telling(episodes)
    instants = [at for episode in episodes for at in (episode.starts_at, episode.ended_at) if at is not None]
    days = {wording.instant(at)[:10] for at in instants}
    day = f"{days.pop()} UTC" if len(days) == 1 else "UTC"
    columns: dict[str, list[str]] = {
        "Alert": ["" if "alertname" in common else code(e.labels.get("alertname", ""), most=80) for e in episodes],
        "Labels": [
            _pairs({name: episode.labels[name] for name in differing if name in episode.labels}, most=MOST_DIFFERING)
            for episode in episodes
        ],
        f"Since, {day}": [_instant(episode.starts_at, day) for episode in episodes],
        f"Ended, {day}": [_instant(episode.ended_at, day) if episode.ended_at else "" for episode in episodes],
        "Value": [code(first(episode.annotations, VALUES), most=40) for episode in episodes],
        "What it says": [prose(episode.annotations.get(saying, ""), most=160) for episode in episodes],
        "Quiet because": [_quiet(suppressed.get(episode.fingerprint, ())) for episode in episodes],
        "Source": [link("graph", episode.generator_url) or "" for episode in episodes],
    }
    kept = {name: cells for name, cells in columns.items() if any(cell not in ("", NOTHING) for cell in cells)}
    return table(tuple(kept), zip(*kept.values(), strict=True))


def _differing(episodes: Sequence[Episode], common: Mapping[str, str]) -> list[str]:
    """The label names that tell the alerts apart, those with most values first."""
    values: dict[str, set[str]] = {}
    for episode in episodes:
        for name, value in episode.labels.items():
            if name != "alertname" and name not in common:
                values.setdefault(name, set()).add(value)
    return sorted(values, key=lambda name: (-len(values[name]), name))


def _telling(episodes: Sequence[Episode]) -> str:
    """The annotation with most different texts: often all summaries are the same and the descriptions are not.

    "" where the incident's first lines already say all that there is.
    """
    if len(episodes) == 1:
        return ""
    return max(SAYING, key=lambda name: len({episode.annotations.get(name, "") for episode in episodes}))


def _quiet(suppressed: Sequence[Suppression]) -> str:
    return "; ".join(prose(one.words, most=160) for one in suppressed[:MOST_QUIET])


def _pairs(labels: Mapping[str, str], *, most: int) -> str:
    shown = [code(f"{name}={value}", most=80) for name, value in list(labels.items())[:most]]
    more = len(labels) - most
    return " ".join(shown) + (f" … and {more} more" if more > 0 else "")


def first(annotations: Mapping[str, str], names: Sequence[str]) -> str:
    """The first of these annotations that says something, else ""."""
    return next((annotations[name] for name in names if annotations.get(name)), "")


def _instant(at: datetime, day: str) -> str:
    """The time, with its day where the column's head does not tell it; it never breaks over two lines."""
    told = wording.instant(at).removesuffix(" UTC")
    return told[11:] if day != "UTC" else told.replace(" ", "\u00a0")
