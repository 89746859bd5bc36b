"""An incident explained: how its alerts were judged and would be today, its clocks, and why it stands as it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from msgspec import Struct

from triaged.core import trace, wording
from triaged.core.episodes import alert_of
from triaged.core.growth import Growth
from triaged.core.model import (
    CloseReason,
    Entry,
    Episode,
    Fold,
    Incident,
    Key,
    State,
    TimelineEntry,
    Tried,
    Verdict,
)
from triaged.core.rules import RuleSet
from triaged.core.storm import FINGERPRINT
from triaged.explaining.deadlines import Decided, Due, decided, due
from triaged.explaining.former import Former
from triaged.intake.units import Rules
from triaged.ports.store import IncidentRow
from triaged.store import evidence, suppressions
from triaged.store.reading import Reader

MOST_VERDICTS: Final = 5
MOST_TRIED: Final = 1_000
MOST_KEYS: Final = 20
MOST_DECISIONS: Final = 100
_MOST_ENTRIES: Final = 1_000
_MOST_QUIET: Final = 5
_NO_DECISION: Final = frozenset({Entry.FIRED, Entry.RESOLVED_ALERT, Entry.PUBLISHED})


class Judgement(Struct, frozen=True, kw_only=True):
    """One alert of an incident, how it was judged, and how it would be now; it stands for all with its verdict.

    `rule_set` is what judged it last. Where that can be had no more, `tried` is empty and `note` says so. `tried` is
    at most MOST_TRIED rules, those that matched first among them; `untold` is how many more there are. `today` is what
    the rules in force would say differently.
    """

    alert: Episode
    alike: int
    rule_set: str
    verdict: Verdict | None
    tried: tuple[Tried, ...]
    untold: int
    arithmetic: trace.Arithmetic | None
    growing: tuple[tuple[trace.Grows, str], ...]
    today: tuple[trace.Difference, ...]
    note: str


class Explanation(Struct, frozen=True, kw_only=True):
    """All that led to an incident as it is; `verdicts_left_out` is how many different verdicts are not told."""

    incident: Incident
    standing: tuple[str, ...]
    rule_set_now: str
    keys: tuple[Key, ...]
    judgements: tuple[Judgement, ...]
    verdicts_left_out: int
    objectives: tuple[Decided, ...]
    deadlines: tuple[Due, ...]
    decisions: tuple[TimelineEntry, ...]


def explain(reader: Reader, row: IncidentRow, rules: Rules, former: Former, now: datetime) -> Explanation:
    """The explanation of an incident at `now`; `rules` are those in force."""
    incident = row.incident
    found, more = evidence.judged(reader, incident.id, MOST_VERDICTS)
    timeline = reader.timeline(incident.id, _MOST_ENTRIES)
    policy = former.policy(reader, incident.policy, current=rules)
    judgements = tuple(_judgement(reader, incident, one, rules, former, now) for one in found)
    return Explanation(
        incident=incident,
        standing=(*_standing(row), *_family(reader, incident), *_quiet(reader, incident), *_kept(incident, judgements)),
        rule_set_now=rules.rule_set.hash,
        keys=tuple(evidence.keys(reader, incident.id, MOST_KEYS)),
        judgements=judgements,
        verdicts_left_out=more,
        objectives=decided(incident, policy, timeline),
        deadlines=due(incident, policy, timeline),
        decisions=tuple([entry for entry in timeline if entry.entry not in _NO_DECISION][-MOST_DECISIONS:]),
    )


def shortened(tried: tuple[Tried, ...], most: int) -> tuple[Tried, ...]:
    """At most so many rules in their order: all that matched, then the first of the others."""
    room = most - sum(one.matched for one in tried)
    kept = []
    for one in tried:
        if one.matched or room > 0:
            kept.append(one)
            room -= not one.matched
    return tuple(kept[:most])


def _judgement(  # noqa: PLR0913 - all that one alert's explanation draws on
    reader: Reader, incident: Incident, found: evidence.Judged, rules: Rules, former: Former, now: datetime
) -> Judgement:
    alert, verdict = alert_of(found.example), found.verdict
    asked = found.rule_set and found.example.fingerprint != FINGERPRINT
    then = former.rule_set(reader, found.rule_set, current=rules) if asked else None
    again = None if then is None else trace.trace(then, alert, found.example.begun_at)
    tried = shortened(again.tried, MOST_TRIED) if again else ()
    note = ""
    if found.example.fingerprint == FINGERPRINT:
        note = "the daemon's own alert: it stands for a storm, and `storm` in triage.yaml gives its severity"
    elif again is None:
        note = "its rule set is not kept, or this release cannot read it: only the stored verdict can be told"
    elif verdict is not None and (differs := trace.differences(verdict, again.verdict)):
        # Judged anew later, when calendars or end dates looked otherwise, or by another release.
        note = f"judged anew meanwhile: the rules shown are those of its beginning, {_told(differs)}"
    said = verdict or (again.verdict if again else None)
    return Judgement(
        alert=found.example,
        alike=found.alerts,
        rule_set=found.rule_set,
        verdict=said,
        tried=tried,
        untold=len(again.tried) - len(tried) if again else 0,
        arithmetic=trace.arithmetic(then, said, incident.grown) if then and said else None,
        growing=_growing(reader, incident, then, said, now),
        today=trace.differences(said, rules.rule_set.judge(alert, now)) if said and then else (),
        note=note,
    )


def _growing(
    reader: Reader, incident: Incident, rule_set: RuleSet | None, verdict: Verdict | None, now: datetime
) -> tuple[tuple[trace.Grows, str], ...]:
    """The growth conditions with what each sees now."""
    if rule_set is None or verdict is None:
        return ()
    found = []
    for one in trace.growing(rule_set, verdict, incident.grown):
        growth = rule_set.growth(one.ref)
        counted = one.held or growth is None or not incident.state.unfinished
        seen = (
            "" if counted or growth is None else _seen(growth, evidence.counts(reader, incident.id, growth, now), now)
        )
        found.append((one, seen))
    return tuple(found)


def _seen(growth: Growth, counts: evidence.Counts, now: datetime) -> str:
    told = [wording.count(counts.alerts, "alert")]
    told += [f"{number} of {label}" for label, number in counts.distinct.items()]
    if growth.firing_for is not None and counts.since_at is not None:
        told.append(f"firing for {wording.span(now - counts.since_at)}")
    if growth.refires is not None:
        told.append(wording.count(counts.refires, "refire"))
    return ", ".join(told)


def _told(differs: tuple[trace.Difference, ...]) -> str:
    return "; ".join(f"{one.of} {one.now or 'none'}, recorded {one.then or 'none'}" for one in differs)


def _standing(row: IncidentRow) -> Iterator[str]:
    """Why it is in its state and severity, and why something that one may expect has not happened."""
    incident = row.incident
    if incident.chosen is not None:
        yield f"{incident.severity} because {incident.chosen_by} chose it; the rules judge {incident.judged}"
    if incident.state is State.PENDING:
        yield _held_back(incident)
    elif incident.held_until is not None:
        yield f"was held back by maintenance until {wording.instant(incident.held_until)} ({_window(incident)})"
    if incident.close_reason is CloseReason.UNOPENED:
        when = "its delay had passed" if incident.held_until is None else "the maintenance was over"
        yield f"never opened: nothing fired when {when}, so there is no issue"
    if incident.state is State.VERIFYING and incident.restored_at is not None:
        yield f"quiet since {wording.instant(incident.restored_at)} and watched; objectives wait meanwhile"
    if incident.closed_by_person and incident.firing:
        yield (
            f"closed by {incident.closed_by} while {wording.count(incident.firing, 'alert')} still "
            f"{'fires' if incident.firing == 1 else 'fire'}: those never reopen it"
        )
    if incident.follows is not None:
        yield f"follows INC-{incident.follows}, which no longer takes alerts in"
    if row.failure:
        yield f"its issue could not be written: {row.failure}"


def _held_back(incident: Incident) -> str:
    until = f" until {wording.instant(incident.pending_until)}" if incident.pending_until else ""
    by, graver = "", "sev1 or sev2"
    if incident.held_until is not None:
        by = f" by maintenance ({_window(incident)})"
        graver = "sev1, unless the window holds that back, too"
    fires = "still fires" if incident.firing else "fires again"
    return f"held back{by}{until}: no issue and no clocks; it opens if it {fires} then, at once if judged {graver}"


def _window(incident: Incident) -> str:
    return f"{incident.held_by}: {incident.held_for}"


def _family(reader: Reader, incident: Incident) -> Iterator[str]:
    """What it is folded into and why, and what is folded into it."""
    if incident.parent is not None:
        row = reader.incident(incident.parent)
        parent = f"INC-{incident.parent}" + (f" ({row.incident.title})" if row else "")
        since = f" since {wording.instant(incident.folded_at)}" if incident.folded_at else ""
        why = str(incident.fold)
        if incident.fold is Fold.DEPENDENCY and row is not None:
            why = f"{incident.service} depends on {row.incident.service}"
        yield f"folded into {parent}{since} ({why}): issue, notifications and clocks are the parent's"
    _, folded = reader.folded(incident.id, 0)
    if folded:
        yield f"{wording.count(folded, 'incident')} folded into it"


def _quiet(reader: Reader, incident: Incident) -> Iterator[str]:
    """What Alertmanager keeps quiet about meanwhile."""
    words = Counter(one.words for one in suppressions.of_incident(reader.connection, incident.id))
    for said, number in words.most_common(_MOST_QUIET):
        yield f"{wording.count(number, 'alert')} in Alertmanager {said}"
    if len(words) > _MOST_QUIET:
        yield f"alerts silenced or inhibited in {len(words) - _MOST_QUIET} more ways"


def _kept(incident: Incident, judgements: tuple[Judgement, ...]) -> Iterator[str]:
    """Where no alert is judged as the incident is any more."""
    severities = [one.arithmetic.severity for one in judgements if one.arithmetic is not None]
    if severities and all(incident.judged.graver_than(severity) for severity in severities):
        yield f"judged {incident.judged} earlier, by {trace.by(incident.matched)}: the daemon never lowers it"
