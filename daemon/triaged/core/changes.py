"""Recent changes of a service's code: which of them is most likely why something broke."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Final

from msgspec import Struct

LOOKED_BACK: Final = timedelta(hours=24)
SKEW: Final = timedelta(minutes=5)
"""A change this long after the incident's start may be its cause: two clocks told the instants."""
MOST_SHOWN: Final = 8
_HALVED_AFTER: Final = timedelta(hours=2)
_MERGES: Final = re.compile(r"\(#(\d{1,9})\)\s*$|^Merge pull request #(\d{1,9})\b")


@unique
class ChangeKind(StrEnum):
    DEPLOYMENT = "deployment"
    RELEASE = "release"
    PULL_REQUEST = "pull_request"
    COMMIT = "commit"


_WEIGHTS: Final = {
    ChangeKind.DEPLOYMENT: 8.0,
    ChangeKind.RELEASE: 4.0,
    ChangeKind.PULL_REQUEST: 2.0,
    ChangeKind.COMMIT: 1.0,
}
"""A deployment is where code begins to act; a commit may never have got anywhere."""


class Change(Struct, frozen=True, kw_only=True):
    """Something that changed at `at`; `ref` is its version, number or commit, `before` the version before it.

    `where` is the environment of a deployment; `commit` is the whole commit, to tell what is the same.
    """

    kind: ChangeKind
    repository: str
    at: datetime
    ref: str
    title: str = ""
    by: str = ""
    url: str = ""
    before: str = ""
    where: str = ""
    commit: str = ""


def likely(changes: Iterable[Change], started_at: datetime) -> tuple[Change, ...]:
    """Those that may be why something broke at that instant, most likely first; each told once.

    The nearer before it the likelier, and a deployment more than a release, a merged pull request or a commit.
    """
    candidates = [one for one in changes if started_at - LOOKED_BACK <= one.at <= started_at + SKEW]
    told = _told_by_others(candidates)
    kept = [one for one in candidates if one.kind is not ChangeKind.COMMIT or not _is_told(one, told)]
    return tuple(sorted(kept, key=lambda one: (-_score(one, started_at), -one.at.timestamp(), one.repository, one.ref)))


def _score(change: Change, started_at: datetime) -> float:
    age = max(started_at - change.at, timedelta())
    return float(_WEIGHTS[change.kind] * 0.5 ** (age / _HALVED_AFTER))


def _told_by_others(changes: Iterable[Change]) -> set[tuple[str, str]]:
    """Commits and pull requests that are told as something greater, with their repositories."""
    greater = [one for one in changes if one.kind is not ChangeKind.COMMIT]
    commits = {(one.repository, one.commit) for one in greater if one.commit}
    return commits | {(one.repository, one.ref) for one in greater if one.kind is ChangeKind.PULL_REQUEST}


def _is_told(commit: Change, told: set[tuple[str, str]]) -> bool:
    merges = _MERGES.search(commit.title)
    number = f"#{merges[1] or merges[2]}" if merges else ""
    return (commit.repository, commit.commit) in told or (commit.repository, number) in told
