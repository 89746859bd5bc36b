"""Silences and an incident: one is asked for by a person; those that cover all that fires acknowledge it."""

from __future__ import annotations

from msgspec.structs import replace

from triaged.core import objectives, wording
from triaged.core.acts import renew
from triaged.core.draft import Draft
from triaged.core.effects import MakeSilence
from triaged.core.events import SilenceAsked, SilenceFailed, SilencesSeen
from triaged.core.model import Actor, ActorKind, Entry, State
from triaged.core.silences import LONGEST, USUALLY, Silenced, covering
from triaged.core.timers import end_acknowledgement
from triaged.errors import ActError

_MOST_MATCHERS = 10
_LONGEST_VALUE = 200


def ask(draft: Draft, event: SilenceAsked) -> None:
    """A person wants its alerts silent for a time: in place of a silence that was asked for before."""
    incident, reach = draft.incident, draft.context.reach
    lasting = event.lasting or USUALLY
    if not incident.state.working and incident.state is not State.VERIFYING:
        allowed = "open, acknowledged, verifying"
        raise ActError(f"{incident.name} is {incident.state} and cannot be silenced: expected one that is {allowed}")
    if lasting > LONGEST:
        raise ActError(f"expected a silence of at most {wording.span(LONGEST)}, got {wording.exactly(lasting)}")
    if reach is None:
        raise ActError(
            f"{incident.name} cannot be silenced: its alerts come from the source {incident.source}, for which the"
            " configuration names no Alertmanager (alertmanagers)"
        )
    if not reach.matchers:
        raise ActError(
            f"{incident.name} cannot be silenced: its key has no label by which Alertmanager"
            f" {reach.alertmanager} could tell its alerts from others"
        )
    ends_at = draft.now + lasting
    silence = MakeSilence(
        incident_id=incident.id,
        source=incident.source,
        matchers=reach.matchers,
        by=event.actor.name,
        reason=event.reason,
        ends_at=ends_at,
    )
    draft.effects.append(silence)
    renew(draft)
    shown = [f"{name}={wording.quoted(value[:_LONGEST_VALUE])}" for name, value in reach.matchers.items()]
    what = f"{wording.listing(shown, most=_MOST_MATCHERS)} in Alertmanager {reach.alertmanager}"
    reason = f": {event.reason}" if event.reason else ""
    text = f"{event.actor.name} silences {what} until {wording.instant(ends_at)}{reason}"
    draft.tell(Entry.SILENCE, text, by=event.actor)
    draft.publish()


def failed(draft: Draft, event: SilenceFailed) -> None:
    """People have to know that what they asked for is not so."""
    what = "removed from" if event.lifting else "made in"
    again = ", it is tried again" if event.again else ""
    draft.tell(Entry.SILENCE, f"its silence is not {what} Alertmanager {event.alertmanager}{again}: {event.why}")
    draft.publish()


def seen(draft: Draft, event: SilencesSeen) -> None:
    """Where silences cover all that fires, their creator has taken it, until they end; not by voided ones alone.

    What a person has taken is theirs, and what is folded is its parent's matter.
    """
    incident = draft.incident
    if incident.parent is not None or not incident.state.working:
        return
    found = _found(draft, event)
    if incident.state is State.OPEN:
        if found is not None:
            objectives.responded(draft, draft.now)
            draft.set(state=State.ACKNOWLEDGED, covered=incident.judged, by_silence=True)
            _last(draft, found)
    elif incident.by_silence:
        if found is not None:
            _last(draft, found)
        elif _is_over(event, incident.silences):
            end_acknowledgement(draft)
            draft.publish()


def _found(draft: Draft, event: SilencesSeen) -> Silenced | None:
    """The silences that cover all that fires: where those that are not voided do not, together with some that are."""
    voided, firing = set(draft.incident.process.voided), draft.incident.firing
    fresh = covering([row for row in event.rows if row.ref not in voided], firing, draft.now)
    if fresh is not None:
        return fresh
    found = covering(event.rows, firing, draft.now)
    return None if found is None or voided.issuperset(found.refs) else found


def _last(draft: Draft, found: Silenced) -> None:
    """The acknowledgement is whose silence ends first, and lasts as long."""
    after = replace(
        draft.incident, acknowledged_by=found.by, acknowledged_until=found.until, silences=found.refs, by_silence=True
    )
    if after == draft.incident:
        return
    told = (draft.before.acknowledged_by, draft.before.acknowledged_until) != (found.by, found.until)
    draft.incident = after
    if told:
        text = f"acknowledged by {found.by}, whose silence covers all that fires, until {wording.instant(found.until)}"
        draft.tell(Entry.ACKNOWLEDGED, text, by=Actor(name=found.by, kind=ActorKind.PERSON))
        draft.publish()


def _is_over(event: SilencesSeen, refs: tuple[str, ...]) -> bool:
    """Whether one of the silences ended while its alert fires, or all that they cover has ended itself."""
    return any(ref in refs for ref in event.ended) or all(row.ref not in refs for row in event.rows)
