"""Whether what an Alertmanager holds would call us now: its receivers, its groups, and what it mutes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from triaged.alertmanagers.wire import Answer, Group, HeldAlert
from triaged.core import wording
from triaged.ports.source import Cut

_AHEAD: Final = timedelta(minutes=1)
"""So far a member's clock may be ahead of ours without a word."""
_SHOWN: Final = 5
_SETTLES: Final = timedelta(minutes=1)
"""For so long a member of a cluster waits for the others after its start (--cluster.settle-timeout)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receivers:
    """The receivers that lead here: those that `fits`, the pattern compiled, takes."""

    pattern: str
    fits: Callable[[str], bool]

    def include(self, name: str, said: Answer) -> bool:
        """Whether this receiver calls us: by its name, and if it calls any webhook at all."""
        calls = said.configured is None or name not in said.configured.others
        return calls and self.fits(name)


class Routes:
    """Which alerts the groups of these answers would send us now.

    `/api/v2/alerts` knows nothing of mute times, its groups do since 0.28. Of an older Alertmanager that mutes times
    nobody knows what it mutes now: nothing leads here, and `unsaid` says so. What any member mutes in a group is muted.
    """

    def __init__(self, receivers: Receivers, said: Sequence[Answer], groups: Iterable[Group]) -> None:
        told = [answer.configured for answer in said if answer.configured is not None and answer.configured.mutes]
        self.unsaid = False
        self._patience = max((each.longest_wait for each in told), default=timedelta())
        self._settled_at = max(answer.started_at for answer in said) + _SETTLES + self._patience if told else None
        calls: dict[tuple[str, str, tuple[tuple[str, str], ...]], bool] = {}
        for group in groups:
            name = group.receiver.name
            if not all(receivers.include(name, answer) for answer in said):
                continue
            labels = tuple(sorted(group.labels.items()))
            for alert in group.alerts:
                muted_by = alert.status.mutedBy
                self.unsaid |= muted_by is None and bool(told)
                at = (alert.fingerprint, name, labels)
                calls[at] = calls.get(at, True) and not muted_by and not (muted_by is None and told)
        self._here = {fingerprint for (fingerprint, _, _), calls_us in calls.items() if calls_us}

    def lead_here(self, held: HeldAlert) -> bool:
        """Whether some group would send us the alert."""
        return held.fingerprint in self._here

    def sure(self, since: datetime, now: datetime) -> bool:
        """Whether that can be relied on, of an alert that led here since then.

        A group learns what is muted when it has waited, and all groups are new after a start, until which a cluster
        lets pass a minute, too.
        """
        return now - since >= self._patience and (self._settled_at is None or now >= self._settled_at)


def cut_out(groups: Iterable[Group], cut: AbstractSet[Cut], held: Iterable[tuple[str, HeldAlert]]) -> AbstractSet[str]:
    """The alerts, by our fingerprint as in `held`, of groups of which a delivery left some out."""
    theirs = {
        alert.fingerprint
        for group in groups
        if Cut(receiver=group.receiver.name, labels=tuple(sorted(group.labels.items()))) in cut
        for alert in group.alerts
    }
    return {fingerprint for fingerprint, text in held if text.fingerprint in theirs}


def doubts(receivers: Receivers, said: Sequence[Answer], now: datetime, *, mutes_unsaid: bool) -> dict[str, str]:
    """What these answers, at least one, cannot be relied on for, in words, by what it is about."""
    found: dict[str, str] = {}
    told = [answer.configured for answer in said if answer.configured is not None]
    calling = sorted({name for each in told for name in each.calling})
    if told and not any(map(receivers.fits, calling)):
        names = wording.listing(calling, most=_SHOWN) if calling else "none"
        found["receiver"] = f"opens nothing: receiver {receivers.pattern!r} fits none that calls a webhook ({names})"
    if mutes_unsaid:
        found["mutes"] = "opens nothing: it mutes times, and does not tell what it mutes now (0.28 and newer do)"
    ahead = max(answer.started_at for answer in said) - now
    if ahead > _AHEAD:
        found["clock"] = f"ends nothing: it says that it starts in {wording.span(ahead)}"
    return found
