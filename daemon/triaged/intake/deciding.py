"""One batch in memory: alerts, acts and deadlines are decided one by one on rows that were read in advance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final, assert_never

from msgspec.structs import replace

from triaged.core import storm
from triaged.core.alerting import Place, place
from triaged.core.draft import Context, Decision, Parents
from triaged.core.effects import (
    Assemble,
    Comment,
    KeepEvidence,
    KeepHealth,
    KeepKnowledge,
    LiftSilences,
    MakeSilence,
    Notify,
    PublishIssue,
    Tally,
)
from triaged.core.episodes import Change, Step, alert_of, follow
from triaged.core.events import (
    Act,
    ActionAsked,
    Adopted,
    AlertFired,
    AlertResolved,
    Assigned,
    DeadlinePassed,
    EscalateAsked,
    Event,
    FoldAsked,
    Grew,
    GrowthAwaited,
    MaintenanceChanged,
    MergeAsked,
    NobodyTold,
    ReopenAsked,
    ResolveAsked,
    RoleGiven,
    SeverityChosen,
    SilenceAsked,
    StormGoesOn,
    Unacknowledged,
    WentOver,
)
from triaged.core.folding import is_cause
from triaged.core.keys import alone
from triaged.core.lifecycle import begin, decide
from triaged.core.maintenance import NO_COVER
from triaged.core.model import (
    NOTHING,
    Alert,
    CloseReason,
    Deadline,
    DeadlineKind,
    Episode,
    Fold,
    Incident,
    Key,
    State,
    TimelineEntry,
    Verdict,
)
from triaged.core.objectives import same_deadlines, standing
from triaged.core.recipients import STAKEHOLDERS
from triaged.core.reports import reported
from triaged.core.rules import Storm
from triaged.core.sla import Policy
from triaged.errors import ActError, NotFoundError
from triaged.intake import planning, reporting, reviewing
from triaged.intake.covering import Covering, is_held
from triaged.intake.family import Family
from triaged.intake.growing import Growing
from triaged.intake.hearing import listen
from triaged.intake.hushing import hush
from triaged.intake.silencing import Silencing
from triaged.intake.units import Answer, Happened, Planning, Rules, Stale, Suppress, WindowsChanged
from triaged.intake.verdicts import Verdicts, decode, encode
from triaged.intake.verifying import Verifying
from triaged.ports.backend import Address
from triaged.ports.store import AlertRecord, Batch, Fate, Transaction, Want

_ENTRIES: Final = 30
_CALLING: Final = (DeadlinePassed, EscalateAsked, NobodyTold, SeverityChosen, Unacknowledged)
"""Events by which people may be called in who have to know what was done."""
_NAMING: Final = (Assigned, RoleGiven, EscalateAsked, ActionAsked)
"""Acts that name somebody, who has to be known."""
_OPENING: Final = (AlertFired, DeadlinePassed, Grew, MaintenanceChanged)


class Deciding:
    """The working set of one transaction: what was read, what has become of it, and what is to be written."""

    def __init__(  # noqa: PLR0913 - what one transaction works with, given once
        self,
        transaction: Transaction,
        rules: Rules,
        policy: Callable[[str], Policy],
        verdicts: Verdicts,
        judged: Callable[[bytes], object],
        now: datetime,
        *,
        alertmanagers: Mapping[str, str] = NOTHING,
        channels: tuple[str, ...] | None = None,
        asks_health: bool = False,
    ) -> None:
        self._transaction = transaction
        self._channels = channels
        self._rules = rules
        self._policy = policy
        self._now = now
        self._remembered = verdicts
        self._judged = judged
        self._incidents: dict[int, Incident] = {}
        self._episodes: dict[str, Episode] = {}
        self._owners: dict[str, int] = {}
        self._verdicts: dict[bytes, Verdict] = {}
        self._growing = Growing(transaction, rules.rule_set, verdicts, self._incidents)
        self._covering = Covering(transaction, rules.rule_set, now, lambda: self.batch.episodes.values())
        self._family = Family(transaction, rules.rule_set.catalogue, self._incidents, self._load)
        self._silencing = Silencing(transaction, alertmanagers)
        self._verifying = Verifying(transaction, rules.rule_set, self._family, asks=asks_health)
        self._apart: set[str] = set()
        self.batch = Batch()
        self.assembles: list[int] = []

    def read(self, alerts: Iterable[Alert], incident_ids: Iterable[int]) -> dict[bytes, Exception]:
        """Read all rows that these alerts and incidents may touch, one SELECT a table.

        Gives the digests of alerts that the rules broke at: a bug that costs those alone.
        """
        wanted = list(alerts)
        self._episodes = self._transaction.last_episodes(alert.fingerprint for alert in wanted)
        keys: set[str] = set()
        broken: dict[bytes, Exception] = {}
        for alert in wanted:
            if alert.status == "firing" and not self._repeats(alert):
                try:
                    keys.add(self._held(alert, self._episodes.get(alert.fingerprint)).key.digest)
                except Exception as error:  # noqa: BLE001 - told to the caller, who keeps the alert raw and logs it
                    broken[alert.digest] = error
        self._owners = self._transaction.owners(keys)
        ids = {episode.incident_id for episode in self._episodes.values()}
        self._load(ids.union(self._owners.values(), incident_ids))
        return broken

    def alert(self, alert: Alert, delivery: str) -> Fate | None:
        """Take one alert in; what became of it, None where it changed nothing."""
        if self._repeats(alert):
            return None
        last = self._episodes.get(alert.fingerprint)
        step = follow(last, alert, self._now)
        fate: Fate
        incident_id: int | None
        match step.change:
            case Change.BEGAN | Change.CONTINUED:
                fate, incident_id, reason = self._fired(alert, last, step)
            case Change.UNKNOWN if alert.status == "resolved" and self._verdict(alert).dropped is not None:
                # Other rules may not drop it: a backtest of them has to know that it ended.
                verdict = self._verdict(alert)
                fate, incident_id, reason = Fate.DROPPED, None, f"rule {verdict.matched[-1]}: {verdict.dropped}"
            case Change.UNKNOWN | Change.STALE:
                return None
            case Change.ENDED:
                assert last is not None  # noqa: S101 - an end has an episode: `follow` says so
                self._ended(alert, last, step)
                fate, incident_id, reason = Fate.ENDED, last.incident_id, ""
            case Change.HEARD:
                assert last is not None  # noqa: S101 - as above
                if not self._heard(alert, last, step):
                    return None
                fate, incident_id, reason = Fate.CHANGED, last.incident_id, ""
            case _:
                assert_never(step.change)
        self.batch.records.append(
            AlertRecord(
                delivery=delivery,
                received_at=self._now,
                source=alert.source,
                fingerprint=alert.fingerprint,
                fate=fate,
                reason="; ".join(filter(None, (reason, *alert.mended)))[:1_000],
                incident_id=incident_id,
                rule_set=self._rules.rule_set.hash,
                raw=alert.raw,
            )
        )
        return fate

    def is_none(self, alert: Alert) -> None:
        """A heartbeat is no alert: what it began under rules that did not say so ends."""
        last = self._episodes.get(alert.fingerprint)
        if last is not None and last.ended_at is None:
            self._ended(alert, last, Step(change=Change.ENDED, at=self._now))

    def is_at(self, fingerprint: str, digest: bytes | None) -> bool:
        """Whether the alert's newest episode is the one with this digest; None: it has none."""
        last = self._episodes.get(fingerprint)
        return digest == (None if last is None else last.digest)

    def suppress(self, asked: Suppress) -> None:
        """Store what is silenced and inhibited, and tell the incidents that it is about."""
        rows, events = hush(self._transaction, asked, self._episodes)
        self.batch.suppressions.update(rows)
        self._load(events)
        for incident_id, event in events.items():
            self._apply(self._incidents[incident_id], event)
        seen = self._silencing.seen(asked, self._episodes, events)
        self._load(seen)
        for incident_id, silences in seen.items():
            self._apply(self._incidents[incident_id], silences)

    def incident(self, incident_id: int) -> Incident | None:
        """The incident as it is by now, of those that were read."""
        return self._incidents.get(incident_id)

    def happened(self, told: Happened) -> None:
        """A worker's work for an incident came to something."""
        incident = self._incidents.get(told.incident_id)
        if incident is not None:
            self._apply(incident, told.event)

    def listened(self, asked: Stale) -> None:
        """Store of which incidents nothing is heard, and tell those."""
        self._load(asked.incident_ids)
        rows, events = listen(self._transaction, asked, self._incidents)
        self.batch.unheard.update(rows)
        for incident_id, event in events.items():
            self._apply(self._incidents[incident_id], event)

    def apart(self, alert: Alert) -> Incident | None:
        """Have the alert open an incident of its own; what is open for the same problem, None where nothing is.

        That one keeps the key, and this one has a key that no other alert has.
        """
        verdict = self._verdict(alert)
        owner = self._find_owner(verdict.key.digest)
        self._apart.add(alert.fingerprint)
        if owner is None or not owner.state.unfinished:
            return None
        self._verdicts[alert.digest] = replace(verdict, key=alone(alert))
        return self._family.parent(owner) or owner

    def adopt(self, alert: Alert, address: Address, event: Adopted) -> None:
        """The issue there is that of the incident which the alert has just opened."""
        incident = self._incidents[self._episodes[alert.fingerprint].incident_id]
        self.batch.adopted[incident.id] = address
        self._apply(incident, event)

    def withdraw(self, incident: Incident) -> None:
        """Whoever reported what waits says that it is over: it ends, and opens only where something else fires."""
        for episode in reporting.of_people(incident, self._covering.firing):
            self._ended(alert_of(episode), episode, Step(change=Change.ENDED, at=self._now))

    def goes_on(self, alert: Alert) -> bool:
        """Whether the alert is, in this batch, in the state that it was just sent in: then a repeat changes nothing."""
        last = self._episodes.get(alert.fingerprint)
        return last is not None and (last.ended_at is None) == (alert.status == "firing")

    def rule_that_dropped(self, alert: Alert) -> str:
        return self._verdict(alert).matched[-1]

    def unmatched(self, alert: Alert) -> bool:
        return self._verdict(alert).unmatched

    def act(self, incident_id: int, act: Act) -> Incident:
        """Do what a person asks; raises NotFoundError, or ActError where the incident's state does not allow it."""
        incident = self._incidents.get(incident_id)
        if incident is None or incident.opened_at is None:
            raise NotFoundError(f"INC-{incident_id} does not exist")
        waiting = self._waiting(incident) if isinstance(act, ReopenAsked) else None
        if isinstance(act, MergeAsked):
            self._merge(incident, act)
        elif isinstance(act, SilenceAsked):
            policy, parent = self._policy(incident.policy), self._family.parent(incident)
            reach = self._silencing.reach(incident, self._covering.firing)
            self._absorb(decide(incident, act, Context(policy=policy, parent=parent, reach=reach), self._now))
        else:
            self._apply(incident, act)
        if isinstance(act, ResolveAsked):
            self._end_folded_reports(incident)
        if isinstance(act, ReopenAsked):
            if waiting is not None:
                self._go_over(waiting, incident_id)
            # What joined while it was closed was not asked then.
            self._growing.time_came(incident_id)
        self.batch.acts.append((incident_id, act))
        return self._incidents[incident_id]

    def passed(self, deadline: Deadline) -> None:
        """A deadline acts, once: what no longer stands was acted on already."""
        incident = self._incidents.get(deadline.incident_id)
        if incident is None:
            return
        if deadline.kind is DeadlineKind.GROWTH:
            self._growing.time_came(incident.id)
        asks = deadline.kind is DeadlineKind.STORM and deadline in self._standing(incident)
        opens = deadline.kind is DeadlineKind.OPENING
        cover = self._covering.incident(incident) if opens else NO_COVER
        passed = DeadlinePassed(kind=deadline.kind, due_at=deadline.due_at, cover=cover)
        self._apply(incident, passed)
        if asks:
            self._ask_storm(self._incidents[incident.id])
        # A row that stands for nothing would come back for ever: write what stands, even when nothing changed.
        self.batch.deadlines[incident.id] = self._standing(self._incidents[incident.id])

    def plan(self, asked: Planning) -> Answer:
        """Change maintenance windows; a slice of what they hold back follows at once, the next as the answer says."""
        answer = planning.take(self._transaction, asked, self._now)
        self._covering.changed()
        if answer.status != planning.FOLLOWS:
            return answer
        after = asked.after if isinstance(asked, WindowsChanged) else 0
        ids = self._covering.held(after, self._incidents.values(), planning.MOST_AT_ONCE + 1)
        self._load(ids)
        for incident_id in ids[: planning.MOST_AT_ONCE]:
            incident = self._incidents[incident_id]
            if is_held(incident):
                self._apply(incident, self._covering.change(incident))
        return replace(answer, then=planning.next_slice(ids))

    def grow(self) -> bool:
        """Ask the growth conditions of what joined; whether anything grew. The batch before must have been saved."""
        self.batch = Batch()
        self._family.saved()
        for incident_id, refs in self._growing.asked():
            self._ask_growth(incident_id, refs)
        return bool(self.batch.incidents)

    def _ask_growth(self, incident_id: int, refs: Iterable[str]) -> None:
        waits: datetime | None = self._incidents[incident_id].grows_at
        for ref in refs:
            grew, ripe_at = self._growing.holds(self._incidents[incident_id], ref, self._now)
            if grew is not None:
                incident = self._incidents[incident_id]
                self._apply(incident, replace(grew, cover=self._covering.incident(incident)))
            elif ripe_at is not None:
                waits = ripe_at if waits is None else min(waits, ripe_at)
        if waits is not None and waits != self._incidents[incident_id].grows_at:
            self._apply(self._incidents[incident_id], GrowthAwaited(at=waits))

    def judge_anew(self) -> None:
        """Judge what fires without the rules that have ended; one that was held low by them may be graver now."""
        ended = self._rules.rule_set.ended(self._now)
        if not ended:
            return
        episodes = [self._episodes.get(one.fingerprint, one) for one in self._transaction.matched_by(ended)]
        self._load({episode.incident_id for episode in episodes})
        for episode in episodes:
            alert = alert_of(episode)
            if episode.ended_at is not None:
                continue
            self._find_owner(self._held(alert, episode).key.digest)
            self._heard(alert, episode, Step(change=Change.HEARD, at=episode.starts_at))

    def _ended(self, alert: Alert, last: Episode, step: Step) -> None:
        incident = self._incidents[last.incident_id]
        self._apply(incident, AlertResolved(name=_name(last), ended_at=step.at, gone_from=alert.found_in))
        self._keep(replace(last, ended_at=step.at, digest=alert.digest))
        self.batch.growth.extend(self._growing.ended(last, self._now))

    def _heard(self, alert: Alert, last: Episode, step: Step) -> bool:
        """An episode goes on; whether anything of it changed."""
        incident = self._incidents[last.incident_id]
        verdict = self._grown(incident, self._held(alert, last))
        same = step.at == last.starts_at and alert.annotations == last.annotations
        fired = AlertFired(
            name=_name(alert),
            source=alert.source,
            verdict=verdict,
            change=Change.HEARD,
            starts_at=step.at,
            cover=self._covering.joining(alert, incident, step.at),
        )
        self._apply(incident, fired)
        key_is_new = self._own(incident, verdict.key)
        counts_anew = self._growing.judged_anew(last, verdict, step.at, self._now)
        self.batch.growth.extend(counts_anew)
        if same and not key_is_new and not counts_anew and verdict.severity is last.severity:
            return False
        heard = replace(
            last,
            annotations=alert.annotations,
            generator_url=alert.generator_url,
            starts_at=step.at,
            severity=verdict.severity,
            verdict=self._remember(verdict),
            digest=alert.digest,
        )
        self._keep(heard)
        return True

    def _fired(self, alert: Alert, last: Episode | None, step: Step) -> tuple[Fate, int | None, str]:
        verdict = self._verdict(alert)
        former = self._incidents.get(last.incident_id) if last is not None else None
        if verdict.dropped is not None:
            if former is None or not former.state.unfinished:
                return Fate.DROPPED, None, f"rule {verdict.matched[-1]}: {verdict.dropped}"
            verdict = self._held(alert, last)
        owner = self._incidents.get(self._owners.get(verdict.key.digest, 0))
        if former is not None and (owner is None or (former.state.unfinished and not owner.state.unfinished)):
            # Other rules, or another release, gave the alert a key since that leads nowhere: it leads to where it was.
            owner = former
        owner = self._before(owner)
        change = step.change
        if change is Change.CONTINUED and owner is not former:
            change = Change.BEGAN
        grown = verdict if owner is None else self._grown(owner, verdict)
        fired = AlertFired(
            name=_name(alert),
            source=alert.source,
            verdict=grown,
            change=change,
            starts_at=step.at,
            cover=self._covering.alert(alert, step.at),
            found_in=alert.found_in,
            reported=reported(alert),
        )
        if (
            owner is None
            or alert.fingerprint in self._apart
            or place(owner, fired, self._policy(owner.policy), self._now) is Place.OPEN
        ):
            change = Change.BEGAN
            follows = owner.id if owner is not None and owner.opened_at else None
            apart = alert.fingerprint in self._apart
            incident = self._open(replace(fired, verdict=verdict), follows=follows, apart=apart)
        else:
            incident = owner
            self._apply(incident, fired)
        self._own(incident, verdict.key)
        self._keep_firing(alert, last, step, incident, verdict, change)
        if reporting.only_recorded(alert, self._incidents[incident.id]):
            self._end_reports([self._episodes[alert.fingerprint]])
        return (Fate.CONTINUED if change is Change.CONTINUED else Fate.BEGAN), incident.id, ""

    def _before(self, owner: Incident | None) -> Incident | None:
        """The incident itself, or what it followed where maintenance was over before it opened: that may reopen."""
        if owner is None or owner.close_reason is not CloseReason.UNOPENED or owner.follows is None:
            return owner
        self._load([owner.follows])
        return self._incidents.get(owner.follows, owner)

    def _keep_firing(  # noqa: PLR0913 - what an episode is made of
        self, alert: Alert, last: Episode | None, step: Step, incident: Incident, verdict: Verdict, change: Change
    ) -> None:
        if change is Change.CONTINUED and last is not None:
            episode = replace(
                last,
                ended_at=None,
                annotations=alert.annotations,
                generator_url=alert.generator_url,
                severity=verdict.severity,
                verdict=self._remember(verdict),
                digest=alert.digest,
                refires=True,
            )
        else:
            if last is not None:
                self._retire(last)
            episode = Episode(
                id=self._transaction.next_id("episode"),
                fingerprint=alert.fingerprint,
                source=alert.source,
                incident_id=incident.id,
                labels=alert.labels,
                annotations=alert.annotations,
                generator_url=alert.generator_url,
                starts_at=step.at,
                begun_at=self._now,
                ended_at=None,
                severity=verdict.severity,
                verdict=self._remember(verdict),
                digest=alert.digest,
                refires=last is not None and last.incident_id == incident.id,
            )
            self.batch.tallies.append(_episode_of(alert.source))
        self._keep(episode)
        if verdict.growing:
            self.batch.growth.extend(self._growing.began(episode, verdict.growing, self._now))

    def _open(self, fired: AlertFired, *, follows: int | None, apart: bool) -> Incident:
        incident_id = self._transaction.next_id("incident")

        def made(parents: Parents) -> Decision:
            context = Context(policy=self._rules.policy, parents=parents)
            return begin(
                fired,
                context,
                self._now,
                incident_id=incident_id,
                rule_set=self._rules.rule_set.hash,
                follows=follows,
            )

        decision = self._opening(made, fired.verdict.service, fired.source, apart=apart)
        self._absorb(decision)
        return decision.incident

    def _apply(self, incident: Incident, event: Event) -> None:
        policy, parent = self._policy(incident.policy), self._family.parent(incident)
        history = self._history(incident.id) if isinstance(event, _CALLING) else ()
        reports = reporting.ended_by(event, incident, self._covering.firing)

        def made(parents: Parents) -> Decision:
            context = Context(policy=policy, parent=parent, parents=parents, history=history, reports=len(reports))
            if hours := reviewing.hours_of(self._rules.rule_set, incident, event):
                context = replace(context, hours=hours)
            if isinstance(event, _NAMING):
                rules = self._rules.rule_set
                people, teams, channels = (*rules.people,), (*rules.teams,), self._channels
                if channels is not None:
                    channels = (*channels, *(name for team in rules.teams.values() for name in team.channels))
                context = replace(context, people=people, teams=teams, channels=channels)
            context = self._verifying.known(context, incident, event, self.batch.acts)
            return decide(incident, event, context, self._now)

        # What people ask for is done as they ask; else one that opens, or opens again, may be part of another.
        if isinstance(event, _OPENING) and not _at_work(incident):
            decision = self._opening(made, incident.service, incident.source)
        else:
            decision = made(self._other_homes(incident, parent))
        if decision.incident.firing < incident.firing:
            self._end_reports(reports)
        self._absorb(decision)

    def _end_reports(self, reports: Iterable[Episode]) -> None:
        """Their incident counts them no more."""
        for episode in reports:
            self._keep(replace(episode, ended_at=self._now))
            self.batch.growth.extend(self._growing.ended(episode, self._now))

    def _end_folded_reports(self, incident: Incident) -> None:
        """What a person says of the incident holds for what was reported of its symptoms, too."""
        for symptom in self._family.folded_into(incident):
            for episode in reporting.of_people(symptom, self._covering.firing):
                self._ended(alert_of(episode), episode, Step(change=Change.ENDED, at=self._now))

    def _history(self, incident_id: int) -> tuple[TimelineEntry, ...]:
        """The newest entries of its timeline: whoever is called in wants to know what was done."""
        stored = self._transaction.timeline(incident_id, _ENTRIES)
        return (*stored, *(entry for entry in self.batch.timeline if entry.incident_id == incident_id))

    def _opening(
        self, made: Callable[[Parents], Decision], service: str, source: str, *, apart: bool = False
    ) -> Decision:
        """The decision that may open an incident: its cause takes it in rather than a storm, which it may begin.

        What is to be apart nothing takes in.
        """
        if source == storm.SOURCE:
            return made(())
        causes = () if apart else self._family.causes(service)
        decision = made(causes)
        if not _at_work(decision.incident) or decision.incident.parent is not None:
            return decision
        raging = self._storm()
        return decision if raging is None or apart else made(((Fold.STORM, raging),))

    def _other_homes(self, incident: Incident, parent: Incident | None) -> Parents:
        """What may take in one that is folded into what is over, or folded itself by now."""
        has_home = parent is not None and parent.parent is None and parent.state.unfinished
        if incident.parent is None or has_home or incident.source == storm.SOURCE:
            return ()
        raging = self._raging()
        storms = () if raging is None else ((Fold.STORM, raging),)
        return (*self._family.causes(incident.service), *storms)

    def _absorb(self, decision: Decision) -> None:
        incident = reviewing.numbered(decision.incident, self._transaction)
        before = self._incidents.get(incident.id)
        if not decision.timeline and not decision.effects and decision.for_folded is None and incident == before:
            return
        children = self._family.folded_into(incident) if decision.for_folded is not None else []
        self._incidents[incident.id] = incident
        if incident.state.working and (before is None or not before.state.working):
            self._family.at_work(incident)
        self.batch.incidents[incident.id] = incident
        self.batch.timeline.extend(decision.timeline)
        if before is None or not same_deadlines(before, incident):
            self.batch.deadlines[incident.id] = self._standing(incident)
        self._ask_for(decision)
        reviewing.write(self.batch, before, incident, published=incident.id in self.batch.wants)
        for child in children:
            if decision.for_folded is not None and self._incidents[child.id].parent == incident.id:
                self._apply(self._incidents[child.id], decision.for_folded)
        if incident.opened_at is not None and (before is None or before.opened_at is None):
            self._family.opened()
        if is_cause(incident) and (before is None or not is_cause(before)):
            self._fold_symptoms(incident)

    def _ask_for(self, decision: Decision) -> None:  # noqa: C901 - a table
        """The decision's effects, as rows for those who carry them out."""
        batch = self.batch
        for effect in decision.effects:
            match effect:
                case PublishIssue():
                    former = batch.wants.get(effect.incident_id)
                    urgent = effect.urgent or (former is not None and former.urgent)
                    severity = self._incidents[effect.incident_id].severity
                    batch.wants[effect.incident_id] = Want(severity=severity, urgent=urgent)
                case Comment():
                    batch.comments.append((effect, decision.incident.severity))
                case MakeSilence():
                    batch.silences.append(effect)
                case KeepKnowledge():
                    batch.knowledge.append(effect)
                case KeepHealth():
                    batch.health.append(effect)
                case KeepEvidence():
                    batch.findings[effect.incident_id] = effect
                case LiftSilences():
                    batch.lifted.append(effect.incident_id)
                case Assemble():
                    self.assembles.append(effect.incident_id)
                case Notify(to=to) if to == (STAKEHOLDERS,) and STAKEHOLDERS not in self._rules.rule_set.teams:
                    """The rules say of nobody that it concerns them."""
                case Notify():
                    batch.notices.append((effect, decision.incident.severity))
                case Tally():
                    known = self._rules.rule_set.known_team(effect.labels.get("team", ""))
                    labels = {**effect.labels, "team": known} if "team" in effect.labels else effect.labels
                    batch.tallies.append(replace(effect, labels=labels))

    def _fold_symptoms(self, incident: Incident) -> None:
        """It is perhaps the cause of symptoms that opened before it."""
        for found in self._family.symptoms(incident.service):
            # One that was folded before this one may have taken it along.
            symptom = self._incidents[found.id]
            context = Context(
                policy=self._policy(symptom.policy),
                parent=self._family.parent(symptom),
                parents=((Fold.DEPENDENCY, self._incidents[incident.id]),),
            )
            self._absorb(decide(symptom, FoldAsked(), context, self._now))

    def _merge(self, incident: Incident, act: MergeAsked) -> None:
        self._load([act.into])
        into = self._incidents.get(act.into)
        if into is None or into.opened_at is None:
            raise ActError(f"INC-{act.into} does not exist")
        context = Context(
            policy=self._policy(incident.policy), parent=self._family.parent(incident), parents=((Fold.MERGE, into),)
        )
        self._absorb(decide(incident, act, context, self._now))

    def _storm(self) -> Incident | None:
        """The storm that rages now; the incident that opens now counts, and may begin it."""
        told = self._rules.rule_set.storm
        if told is None:
            return None
        if (raging := self._raging()) is not None:
            return raging
        found = self._last_storm()
        rages = self._family.opened_within(told, self._now) + 1 >= told.opened
        if found is not None and found.firing:
            # A person closed it while it raged: that holds until it is over.
            if not rages:
                self._end_storm()
            return None
        return self._begin_storm(told) if rages else None

    def _raging(self) -> Incident | None:
        """The storm that is at work, as what it is folded into."""
        found = self._last_storm()
        return self._family.parent(found) or found if found is not None and found.state.working else None

    def _last_storm(self) -> Incident | None:
        digest = storm.KEY.digest
        if digest not in self._owners:
            self._owners[digest] = self._transaction.owners([digest]).get(digest, 0)
        self._load(filter(None, [self._owners[digest]]))
        return self._incidents.get(self._owners[digest])

    def _begin_storm(self, told: Storm) -> Incident:
        alert = storm.begins(told, self._now)
        self._verdicts[alert.digest] = storm.verdict(told, self._rules.rule_set.default)
        last = self._last_of_storms()
        _, incident_id, _ = self._fired(alert, last, follow(last, alert, self._now))
        incident = self._incidents[incident_id or 0]
        if incident.state.unfinished:
            self._apply(incident, StormGoesOn(until=self._now + told.within))
        return self._incidents[incident.id]

    def _ask_storm(self, incident: Incident) -> None:
        """A storm goes on while incidents open as fast as when it began."""
        told = self._rules.rule_set.storm
        if told is not None and self._family.opened_within(told, self._now) >= told.opened:
            self._apply(incident, StormGoesOn(until=self._now + told.within))
        else:
            self._end_storm()

    def _end_storm(self) -> None:
        alert, last = storm.ends(self._now), self._last_of_storms()
        if last is not None and last.ended_at is None:
            self._load([last.incident_id])
            self._ended(alert, last, Step(change=Change.ENDED, at=self._now))

    def _last_of_storms(self) -> Episode | None:
        """The newest firing of the storms' alert: in this batch, else in the store."""
        found = self._episodes.get(storm.FINGERPRINT)
        return found or self._transaction.last_episodes([storm.FINGERPRINT]).get(storm.FINGERPRINT)

    def _own(self, incident: Incident, key: Key) -> bool:
        """Give the incident a key of its alerts, unless another unfinished incident owns it; whether it is new."""
        owner = self._incidents.get(self._owners.get(key.digest, 0))
        if owner is not None and (owner.id == incident.id or owner.state.unfinished):
            return False
        if not self._incidents[incident.id].state.unfinished:
            return False
        self._owners[key.digest] = incident.id
        self.batch.keys[key.digest] = (incident.id, key)
        return True

    def _find_owner(self, key: str) -> Incident | None:
        """The incident that owns a key or owned it last, also where no alert of this batch has that key."""
        if key not in self._owners:
            self._owners.update(self._transaction.owners([key]))
            self._load(filter(None, [self._owners.get(key)]))
        return self._incidents.get(self._owners.get(key, 0))

    def _waiting(self, incident: Incident) -> Incident | None:
        """What waits to open for the same problem as one that is to be reopened; raises ActError where it is open."""
        other = self._find_owner(incident.key)
        if other is None or other.id == incident.id or not other.state.unfinished:
            return None
        if other.state is not State.PENDING:
            raise ActError(f"{incident.name} cannot be reopened: {other.name} is open for the same problem")
        return other

    def _go_over(self, waiting: Incident, into: int) -> None:
        """What waited fires in the incident that a person reopened: people win over delays and maintenance."""
        episodes = self._covering.firing(waiting.id)
        self._apply(waiting, WentOver(into=into))
        for episode in episodes:
            alert, incident = alert_of(episode), self._incidents[into]
            verdict = self._held(alert, episode)
            fired = AlertFired(
                name=_name(alert),
                source=alert.source,
                verdict=self._grown(incident, verdict),
                change=Change.BEGAN,
                starts_at=episode.starts_at,
            )
            self._apply(incident, fired)
            self._find_owner(verdict.key.digest)
            self._own(incident, verdict.key)
            moved = replace(episode, incident_id=into, severity=verdict.severity, verdict=self._remember(verdict))
            self._keep(moved)
            self.batch.growth.extend(self._growing.ended(episode, self._now))
            self.batch.growth.extend(self._growing.began(moved, verdict.growing, self._now))

    def _verdict(self, alert: Alert) -> Verdict:
        found = self._verdicts.get(alert.digest)
        if found is None:
            found = self._verdicts[alert.digest] = self._rules.rule_set.judge(alert, self._now)
        return found

    def _held(self, alert: Alert, last: Episode | None) -> Verdict:
        """The verdict on an alert of an incident: what would be dropped outside of one stays as it was judged."""
        verdict = self._verdict(alert)
        if verdict.dropped is None or last is None:
            return verdict
        if last.verdict in self.batch.verdicts:
            return decode(self.batch.verdicts[last.verdict][1])
        return self._transaction.verdict(last.verdict) or verdict

    def _grown(self, incident: Incident, verdict: Verdict) -> Verdict:
        if not incident.grown:
            return verdict
        return self._remembered.grown(verdict, incident.grown, self._rules.rule_set)

    def _repeats(self, alert: Alert) -> bool:
        """Whether this very text is the stored state, and the rules in force have judged it: others may judge anew."""
        last = self._episodes.get(alert.fingerprint)
        return last is not None and last.digest == alert.digest and self._judged(alert.digest) is not None

    def _remember(self, verdict: Verdict) -> str:
        rule_set = self._rules.rule_set.hash
        verdict_id = self._remembered.id(verdict, rule_set)
        if verdict_id not in self._remembered.kept and verdict_id not in self.batch.verdicts:
            self.batch.verdicts[verdict_id] = (rule_set, encode(verdict).decode())
        self._remembered.growing[verdict_id] = verdict.growing
        return verdict_id

    def _keep(self, episode: Episode) -> None:
        self._episodes[episode.fingerprint] = episode
        self.batch.episodes[episode.id] = episode

    def _retire(self, episode: Episode) -> None:
        """It is no longer its alert's newest."""
        if episode.id in self.batch.episodes:
            self.batch.episodes[episode.id] = replace(episode, last=False)
        else:
            self.batch.former.append(episode.id)

    def _standing(self, incident: Incident) -> tuple[Deadline, ...]:
        return standing(incident, self._policy(incident.policy))

    def _load(self, ids: Iterable[int]) -> None:
        missing = [i for i in ids if i not in self._incidents]
        self._incidents.update(self._transaction.incidents(missing))


@lru_cache(maxsize=256)
def _episode_of(source: str) -> Tally:
    return Tally(metric="episodes_total", labels={"source": source})


def _at_work(incident: Incident) -> bool:
    """Whether it has opened and is not over."""
    return incident.state.unfinished and incident.state is not State.PENDING


def _name(alert: Alert | Episode) -> str:
    """What people call the alert: its alertname, else its first label. A resolve may not repeat what it was called."""
    return alert.labels.get("alertname") or next(iter(alert.labels.values()))
