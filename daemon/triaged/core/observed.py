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

from triaged.core.commanding import Command, Refused, heeds
from triaged.core.events import (
    Acknowledged,
    ActionAsked,
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
ACTION: Final = "action item {}"
PATIENCE: Final = 1
"""How often an issue that a bot closed is opened again."""
_SEVERITY: Final = re.compile(r"severity:[ \t]*(sev[1-4])", re.IGNORECASE)


class Doer(Struct, frozen=True, kw_only=True):
    """Who did something to an issue: a login there, "" where nobody can tell."""

    login: str = ""
    bot: bool = False


class Remark(Struct, frozen=True, kw_only=True):
    """A comment of a person, by its number; `around` is its text without the `commands`, which may be `refused`."""

    id: int
    by: str
    text: str
    url: str
    at: datetime
    commands: tuple[Command, ...] = ()
    around: str = ""
    refused: Refused | None = None


class Commanded(Struct, frozen=True, kw_only=True):
    """A comment with commands."""

    remark: Remark


Talk = Said | Ticked | Commanded
Done = Acknowledged | ActionAsked | Assigned | SeverityChosen | CloseAsked | ReopenAsked | Talk | ClosedByBot


class Looked(Struct, frozen=True, kw_only=True):
    """An issue as it is: `closer` closed it at `closed_at` for that reason; `ticks` are the ticked items of people.

    `actions` are the action items that we list there, by number, and whether each is ticked.
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
    actions: Mapping[int, bool] = field(default_factory=dict)
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
    return looked.closed != seen.closed or asks_who(looked, seen) or {*all_ticks(looked)} != {*seen.ticks}


def all_ticks(looked: Looked) -> tuple[str, ...]:
    """What is ticked, of people's items and of ours, as it is remembered."""
    return (*looked.ticks, *(ACTION.format(number) for number, done in looked.actions.items() if done))


def asks_who(looked: Looked, seen: Seen) -> bool:
    """Whether something differs of which the issue itself does not tell who did it."""
    reopened = seen.closed and not looked.closed
    labels = _new_labels(looked, seen)
    return reopened or bool(_chosen(labels)) or ACKNOWLEDGED in labels or bool(_new_assignees(looked, seen))


def compare(
    looked: Looked,
    seen: Seen,
    incident: Incident | None,
    person: Callable[[str], str] = str,
    *,
    reviewed: Incident | None = None,
) -> tuple[Done, ...]:
    """What was done, what is said first and an end last; of what is no incident (None) only that, and ticks.

    What was said after a close follows it. `person` gives the name by which we know a login; `reviewed` is the incident
    that the issue looks back on.
    """
    ends = [*_state(looked, seen, incident, person)]
    closed_at = next((one.at for one in ends if isinstance(one, CloseAsked)), None)
    remarks = [remark for remark in looked.remarks if remark.id > seen.remark]
    early = [remark for remark in remarks if closed_at is None or remark.at <= closed_at]
    late = [remark for remark in remarks if closed_at is not None and remark.at > closed_at]
    done = [one for remark in early for one in _said(remark, incident, person)]
    ticking = incident or reviewed
    if ticking is not None:
        done += _ticked(looked, seen, ticking)
    if incident is not None:
        done += _taken(looked, seen, incident, person)
        done += _judged(looked, seen, incident, person)
    return (*done, *ends, *(one for remark in late for one in _said(remark, incident, person)))


def _said(remark: Remark, incident: Incident | None, person: Callable[[str], str]) -> Iterable[Done]:
    """What is told of it, without the lines of commands that are heeded, and the commands."""
    heeded = any(heeds(remark.commands, remark.by, remark.refused, incident))
    text = remark.around if heeded else remark.text
    if text.strip():
        yield Said(actor=_actor(remark.by, person), text=text, url=remark.url, at=remark.at)
    if remark.commands:
        yield Commanded(remark=remark)


def _ticked(looked: Looked, seen: Seen, incident: Incident) -> Iterable[Done]:
    """People's items are told; a tick of an action item says that it is done, and nothing takes that back."""
    items = {item.id: item for item in incident.process.actions}
    ours = {ACTION.format(number) for number in items}
    done = tuple(item for item in looked.ticks if item not in seen.ticks)
    undone = [item for item in seen.ticks if item not in (*looked.ticks, *ours)]
    for number, is_ticked in looked.actions.items():
        known = items.get(number)
        if known is not None and is_ticked and known.done_at is None:
            yield ActionAsked(actor=_actor("", str), text="", done=number)
        elif known is not None and not is_ticked and ACTION.format(number) in seen.ticks:
            undone.append(ACTION.format(number))
    if done or undone:
        yield Ticked(done=done, undone=tuple(undone))


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
    if incident is not None and is_so(looked.closed, incident):
        # We wrote that, and never learnt it.
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
            seen=covering(seen),
        )
    elif looked.closed_at != seen.closed_at:
        yield ClosedByBot(name=looked.closer.login, left=seen.bot_closes >= PATIENCE)


def is_so(closed: bool, incident: Incident) -> bool:
    """Whether the issue of the incident should be so, closed or open."""
    return closed == (incident.parent is not None or incident.state is State.CLOSED)


def covering(seen: Seen) -> Severity | None:
    """The gravest severity that the issue showed to whoever did something to it; None for none."""
    return next(iter(sorted(_chosen(seen.shown))), None)


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
