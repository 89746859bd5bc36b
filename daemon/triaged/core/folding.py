"""Folding: an incident that is part of another's problem has no issue, notifications and clocks of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from triaged.core import objectives, reporter
from triaged.core.draft import Draft
from triaged.core.effects import PublishIssue
from triaged.core.events import FoldAsked, MergeAsked, ParentFolded, SplitAsked
from triaged.core.model import DAEMON, Actor, Entry, Fold, Incident, State, TimelineEntry
from triaged.errors import ActError

SYMPTOMS_BEFORE: Final = timedelta(minutes=15)
"""How long before its cause a symptom may have opened: alerts of a cause often wait longer than those of a symptom."""


def is_cause(incident: Incident) -> bool:
    """Whether it may take others in: it fires, people work on it, and nothing has taken it in."""
    return incident.parent is None and incident.state.working and incident.firing > 0


def home(draft: Draft) -> tuple[Fold, Incident] | None:
    """What takes in an incident that opens now, or whose parent is over.

    A sev1 or sev2, what not everybody may see, and what a person has split off before goes its own way. So does that
    whose issue a person opened: only people may close that as part of another.
    """
    child = draft.incident
    if child.process.reporter is not None:
        return None
    if child.judged.pages or child.severity.pages or child.restricted or child.split_at is not None:
        return None
    return next(((fold, parent) for fold, parent in draft.context.parents if _takes_in(parent, child)), None)


def fold(draft: Draft, reason: Fold, parent: Incident, *, by: Actor = DAEMON, why: str = "") -> None:
    """Fold the incident into `parent`: what its own clocks had not decided is not required any more."""
    had_issue = draft.incident.round > 0
    objectives.waive(draft)
    draft.set(parent=parent.id, fold=reason, folded_at=draft.now)
    said = f": {why}" if why else ""
    draft.tell(Entry.FOLDED, f"folded into {parent.name} ({reason}){said}", by=by)
    _tell_parent(draft, parent.id, Entry.FOLDED, f"{draft.incident.name} is folded in ({reason}){said}", by)
    draft.for_folded = ParentFolded(into=parent.id, severity=parent.severity)
    if had_issue:
        draft.effects.append(PublishIssue(incident_id=draft.incident.id, urgent=True))


def fold_if_asked(draft: Draft, _event: FoldAsked) -> None:
    """Its cause began to fire after it: fold it, unless it is a person's or its round is too old for a symptom."""
    incident = draft.incident
    old = incident.round_at is None or draft.now - incident.round_at > SYMPTOMS_BEFORE
    if incident.parent is not None or incident.state is not State.OPEN or old or _is_a_persons(incident):
        return
    found = home(draft)
    if found is not None:
        fold(draft, *found)


def unfold(draft: Draft, why: str, *, by: Actor = DAEMON) -> None:
    """A problem of its own again: its own issue, and clocks from now."""
    parent = draft.incident.parent
    assert parent is not None  # noqa: S101 - only what is folded can be unfolded: every caller has looked
    draft.set(parent=None, fold=None, folded_at=None, state=State.OPEN)
    objectives.start_round(draft)
    draft.tally("incidents_opened_total")
    draft.tell(Entry.UNFOLDED, f"unfolded from INC-{parent} as {draft.incident.severity}: {why}", by=by)
    _tell_parent(draft, parent, Entry.UNFOLDED, f"{draft.incident.name} goes its own way: {why}", by)
    draft.publish(urgent=True)


def leave(draft: Draft, why: str) -> None:
    """Its parent is no home for it any more: another one takes it in, else it goes its own way."""
    former, found = draft.incident.parent, home(draft)
    if found is None or former is None:
        unfold(draft, why)
        return
    fold(draft, *found, why=why)
    _tell_parent(draft, former, Entry.UNFOLDED, f"{draft.incident.name} goes on in {found[1].name}: {why}", DAEMON)


def unfold_if_graver(draft: Draft) -> None:
    """A folded incident that was judged anew: a sev1, a sev2 or one above its parent goes its own way."""
    incident, parent = draft.incident, draft.context.parent
    if incident.parent is None or not incident.state.working:
        return
    # A person's merge covers what the person could see.
    if incident.fold is Fold.MERGE and not incident.judged.graver_than(incident.covered or incident.judged):
        return
    if incident.judged.pages:
        unfold(draft, f"judged {incident.judged}")
    elif parent is not None and incident.judged.graver_than(parent.severity):
        unfold(draft, f"judged {incident.judged}, above {parent.name}")


def leave_if_alone(draft: Draft) -> None:
    """A folded incident that fires: it cannot be told of by a parent that is over."""
    incident, parent = draft.incident, draft.context.parent
    if incident.parent is not None and incident.state.working and (parent is None or not parent.state.unfinished):
        leave(draft, f"it fires, and INC-{incident.parent} is over")


def follow_parent(draft: Draft, event: ParentFolded) -> None:
    """Nothing is folded by way of two parents, nor by the daemon into what is lighter."""
    incident = draft.incident
    if incident.judged.graver_than(event.severity) and incident.fold is not Fold.MERGE and incident.state.working:
        leave(draft, f"judged {incident.judged}, above INC-{event.into}")
        return
    draft.set(parent=event.into)
    draft.tell(Entry.FOLDED, f"folded into INC-{event.into} with its parent")
    draft.effects.append(PublishIssue(incident_id=event.into))


def merge(draft: Draft, event: MergeAsked) -> None:
    """A person says that it is the same problem as another incident."""
    incident = draft.incident
    (_, parent), *_ = draft.context.parents
    if not incident.state.working:
        raise ActError(f"{incident.name} is {incident.state} and cannot be merged: expected one that is open")
    if parent.id == incident.id:
        raise ActError(f"{incident.name} cannot be merged into itself")
    if parent.parent is not None:
        raise ActError(f"{parent.name} is folded into INC-{parent.parent}: merge into that")
    if not parent.state.working:
        raise ActError(f"{parent.name} is {parent.state}: expected one that is open")
    draft.set(covered=incident.judged, split_at=None)
    fold(draft, Fold.MERGE, parent, by=event.actor, why=_said(event.actor, event.reason))
    reporter.tell_merged(draft, parent, by=event.actor)


def split(draft: Draft, event: SplitAsked) -> None:
    """A person says that it is a problem of its own: from now on, whatever fires."""
    incident = draft.incident
    if incident.parent is None:
        raise ActError(f"{incident.name} is not folded into another incident")
    if not incident.state.working:
        raise ActError(f"{incident.name} is {incident.state}: there is nothing left to split")
    draft.set(split_at=draft.now)
    unfold(draft, _said(event.actor, event.reason), by=event.actor)


def _is_a_persons(incident: Incident) -> bool:
    """Whether an act of a person in this round, or a severity that one chose, stands: as long as none is judged higher.

    The issue is theirs then, and is not closed as part of another.
    """
    covered = incident.covered
    return incident.chosen is not None or (covered is not None and not incident.judged.graver_than(covered))


def _takes_in(parent: Incident, child: Incident) -> bool:
    return (
        parent.id != child.id
        and is_cause(parent)
        and not child.severity.graver_than(parent.severity)
        and not parent.restricted
    )


def _tell_parent(draft: Draft, parent: int, entry: Entry, text: str, by: Actor) -> None:
    draft.timeline.append(TimelineEntry(incident_id=parent, at=draft.now, entry=entry, by=by.name, text=text))
    draft.effects.append(PublishIssue(incident_id=parent))


def _said(actor: Actor, reason: str) -> str:
    return f"{actor.name} says so" + (f", {reason}" if reason else "")
