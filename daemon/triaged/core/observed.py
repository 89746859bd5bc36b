"""What people did to an issue: what it is like now, compared with what we wrote and saw of it.

The order in which we hear of changes, what we miss and what we hear twice do not matter: an echo is what equals what
was written, and what was seen once is no news.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct, field

from triaged.core.events import (
    Acknowledged,
    Assigned,
    CloseAsked,
    ClosedByBot,
    Record,
    ReopenAsked,
    Said,
    SeverityChosen,
    Ticked,
)
from triaged.core.model import Actor, ActorKind, CloseReason, Incident, Severity, State

ACKNOWLEDGED: Final = "acknowledged"
"""The label that says that somebody has it."""
REOPENED: Final = "reopened"
SOMEBODY: Final = "somebody on the issue"
PATIENCE: Final = 1
"""How often an issue that a bot closed is opened again."""
_SEVERITY: Final = re.compile(r"severity:[ \t]*(sev[1-4])", re.IGNORECASE)

Done = Acknowledged | Assigned | SeverityChosen | CloseAsked | ReopenAsked | Said | Ticked | ClosedByBot


class Doer(Struct, frozen=True, kw_only=True):
    """Who did something to an issue: a login there, "" where nobody can tell."""

    login: str = ""
    bot: bool = False


class Remark(Struct, frozen=True, kw_only=True):
    """A comment of a person, by its number."""

    id: int
    by: str
    text: str
    url: str
    at: datetime


class Looked(Struct, frozen=True, kw_only=True):
    """An issue as it is: `closer` closed it at `closed_at` for that reason; `ticks` are the ticked items of people.

    `doers` are by what was done: `labeled NAME`, `assigned LOGIN` (both in lower case), `reopened`; `remarks` are those
    after the last one that was seen, oldest first.
    """

    closed: bool
    closer: Doer = Doer()
    closed_at: datetime | None = None
    reason: CloseReason = CloseReason.COMPLETED
    labels: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    ticks: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()
    doers: Mapping[str, Doer] = field(default_factory=dict)


class Seen(Struct, frozen=True, kw_only=True):
    """What we wrote last or have acted on: `closed_at` is of the close that was seen last, `bot_closes` counts those.

    `written` are the labels that we wrote, `shown` those of them that people could see then, `labels` those that were
    there.
    """

    closed: bool
    closed_at: datetime | None = None
    bot_closes: int = 0
    written: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    ticks: tuple[str, ...] = ()
    remark: int = 0


def is_news(looked: Looked, seen: Seen) -> bool:
    """Whether anything but remarks differs."""
    return looked.closed != seen.closed or asks_who(looked, seen) or {*looked.ticks} != {*seen.ticks}


def asks_who(looked: Looked, seen: Seen) -> bool:
    """Whether something differs of which the issue itself does not tell who did it."""
    reopened = seen.closed and not looked.closed
    labels = _new_labels(looked, seen)
    return reopened or bool(_chosen(labels)) or ACKNOWLEDGED in labels or bool(_new_assignees(looked, seen))


def compare(
    looked: Looked, seen: Seen, incident: Incident | None, person: Callable[[str], str] = str
) -> tuple[Done, ...]:
    """What was done, what is said first and an end last; of what is no incident (None) only its end.

    `person` gives the name by which we know a login.
    """
    done: list[Done] = []
    if incident is not None:
        done += _said(looked, seen, person)
        done += _taken(looked, seen, incident, person)
        done += _judged(looked, seen, incident, person)
    return (*done, *_state(looked, seen, incident, person))


def _said(looked: Looked, seen: Seen, person: Callable[[str], str]) -> Iterable[Done]:
    for remark in looked.remarks:
        yield Said(actor=_actor(remark.by, person), text=remark.text, url=remark.url, at=remark.at)
    done = tuple(item for item in looked.ticks if item not in seen.ticks)
    undone = tuple(item for item in seen.ticks if item not in looked.ticks)
    if done or undone:
        yield Ticked(done=done, undone=undone)


def _taken(looked: Looked, seen: Seen, incident: Incident, person: Callable[[str], str]) -> Iterable[Done]:
    """A label or an assignment acknowledges what nobody has; who was assigned last owns it."""
    by = looked.doers.get(f"labeled {ACKNOWLEDGED}", Doer())
    takes = ACKNOWLEDGED in _new_labels(looked, seen) and not by.bot
    owner = ""
    for login in _new_assignees(looked, seen):
        assigner = looked.doers.get(f"assigned {login.lower()}", Doer())
        if not assigner.bot:
            takes, by, owner = True, assigner, login
    if takes and incident.acknowledged_by is None:
        yield Acknowledged(actor=_actor(by.login or owner, person))
    if owner:
        yield Assigned(actor=_actor(by.login, person), to=person(owner))


def _judged(looked: Looked, seen: Seen, incident: Incident, person: Callable[[str], str]) -> Iterable[Done]:
    """Of several labels that are new the gravest counts, as everywhere in doubt."""
    for severity, label in sorted(_chosen(_new_labels(looked, seen)).items())[:1]:
        by = looked.doers.get(f"labeled {label}", Doer())
        if not by.bot and severity is not incident.severity:
            yield SeverityChosen(actor=_actor(by.login, person), severity=severity, reason="by a label on the issue")


def _state(looked: Looked, seen: Seen, incident: Incident | None, person: Callable[[str], str]) -> Iterable[Done]:
    if looked.closed == seen.closed:
        return
    if incident is not None and looked.closed == (incident.parent is not None or incident.state is State.CLOSED):
        # It is as it should be: we wrote that, and never learnt it.
        return
    if not looked.closed:
        by = looked.doers.get(REOPENED, Doer())
        if not by.bot:
            yield ReopenAsked(actor=_actor(by.login, person))
    elif not looked.closer.bot:
        yield CloseAsked(
            actor=_actor(looked.closer.login, person),
            reason=looked.reason,
            record=Record(),
            at=looked.closed_at,
            seen=next(iter(sorted(_chosen(seen.shown))), None),
        )
    elif looked.closed_at != seen.closed_at:
        yield ClosedByBot(name=looked.closer.login, left=seen.bot_closes >= PATIENCE)


def _new_labels(looked: Looked, seen: Seen) -> set[str]:
    """In lower case: names there differ by more than that."""
    return {name.lower() for name in looked.labels} - {name.lower() for name in (*seen.written, *seen.labels)}


def _new_assignees(looked: Looked, seen: Seen) -> list[str]:
    known = {login.lower() for login in seen.assignees}
    return [login for login in looked.assignees if login.lower() not in known]


def _chosen(labels: Iterable[str]) -> dict[Severity, str]:
    """The severities that labels name, with the label."""
    found = ((_SEVERITY.fullmatch(label), label) for label in labels)
    return {Severity(match[1].lower()): label for match, label in found if match is not None}


def _actor(login: str, person: Callable[[str], str]) -> Actor:
    return Actor(name=person(login) if login else SOMEBODY, kind=ActorKind.PERSON)
