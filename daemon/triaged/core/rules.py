"""The compiled rule set: an alert in, its verdict and the trace that led there out."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec.structs import replace

from triaged.core.calendars import Calendar
from triaged.core.catalogue import FACTS, Catalogue, Person, Service, Team, label_needs
from triaged.core.growth import Growth
from triaged.core.heartbeats import Heartbeat
from triaged.core.keys import ALONE, incident_key
from triaged.core.maintenance import Window
from triaged.core.matchers import REMEMBERED
from triaged.core.model import Alert, Category, Impact, Ranked, Severity, Tried, Urgency, Verdict
from triaged.core.rule import Rule, Seen
from triaged.core.sieve import Name, Need, Sieve

VERDICTS = 4_096
"""How many verdicts are remembered before all are forgotten."""
MOMENTS = 64
"""Likewise of instants: a batch of alerts shares one."""

_SOURCE = ("source", "name")

R = TypeVar("R", bound=Ranked)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What holds where no rule sets it."""

    impact: Impact
    urgency: Urgency
    category: Category
    team: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """It storms while at least `opened` incidents open `within` a span; the storm itself is of this severity."""

    opened: int
    within: timedelta
    severity: Severity = Severity.SEV2


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """So many incidents within a span are a problem."""

    incidents: int
    within: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Downtime:
    """So much downtime of a service within a span is a problem."""

    of: timedelta
    within: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemRules:
    """When what recurs is a problem; None: never."""

    same_key: Recurrence | None = None
    same_service: Recurrence | None = None
    downtime: Downtime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """What rules ask of an instant: which calendars are open; `state` is equal where no rule can see a difference."""

    now: datetime
    open: Mapping[str, bool]
    state: Hashable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RuleSet:
    """All rules with matrix, defaults, catalogue and windows, compiled; `hash` names the texts that it was read from.

    Names of teams, calendars and service facts in the rules must exist: who builds a set has checked it. Safe to
    share between threads: what it remembers changes no answer.
    """

    hash: str
    matrix: Mapping[Impact, Mapping[Urgency, Severity]]
    default: Defaults
    key: tuple[str, ...]
    rules: tuple[Rule, ...]
    catalogue: Catalogue
    teams: Mapping[str, Team]
    calendars: Mapping[str, Calendar]
    storm: Storm | None = None
    problems: ProblemRules = ProblemRules()
    heartbeats: tuple[Heartbeat, ...] = ()
    windows: tuple[Window, ...] = ()
    people: Mapping[str, Person] = field(default_factory=dict)
    _sieve: Sieve = field(init=False, repr=False)
    _service_facts: Mapping[str, Sequence[tuple[Name, str]]] = field(init=False, repr=False)
    _growths: Mapping[str, Growth] = field(init=False, repr=False)
    _labels: frozenset[str] = field(init=False, repr=False)
    _annotations: tuple[str, ...] = field(init=False, repr=False)
    _calendars: tuple[str, ...] = field(init=False, repr=False)
    _ends: tuple[datetime, ...] = field(init=False, repr=False)
    _verdicts: dict[Hashable, Verdict] = field(init=False, repr=False, default_factory=dict)
    _moments: dict[datetime, _Moment] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        rules = self.rules
        asked = [*self.key, "service", *self.catalogue.labels]
        asked += [name for rule in rules for name in rule.key or ()]
        asked += [matcher.name for rule in rules for matcher in rule.match]
        compiled = {
            "_sieve": Sieve([_needs(rule) for rule in rules]),
            "_service_facts": {name: _service_facts(service) for name, service in self.services.items()},
            "_growths": {growth.ref: growth for rule in rules for growth in rule.grows},
            "_labels": frozenset(asked),
            "_annotations": tuple(sorted({matcher.name for rule in rules for matcher in rule.annotations})),
            "_calendars": tuple(sorted({name for rule in rules for name in (rule.during, rule.outside) if name})),
            "_ends": tuple(sorted({rule.until for rule in rules if rule.until})),
        }
        for name, value in compiled.items():
            object.__setattr__(self, name, value)

    @property
    def services(self) -> Mapping[str, Service]:
        return self.catalogue.services

    @property
    def default_team(self) -> str:
        return self.default.team

    def known_team(self, name: str) -> str:
        """The name itself where the catalogue knows the team, else the default team: bounded for metrics."""
        return name if name in self.teams else self.default.team

    @property
    def ends(self) -> tuple[datetime, ...]:
        """The instants, in order, at which rules with a last day have ended."""
        return self._ends

    def ended(self, now: datetime) -> frozenset[str]:
        """The names of the rules that have ended by then."""
        return frozenset(rule.name for rule in self.rules if rule.until is not None and rule.until <= now)

    def growth(self, ref: str) -> Growth | None:
        """The growth condition of that reference, None where this set has none."""
        return self._growths.get(ref)

    def judge(self, alert: Alert, now: datetime) -> Verdict:
        """What the rules say of the alert at `now` (aware)."""
        moment = self._moments.get(now) or self._look(now)
        notes = [alert.annotations.get(name, "") for name in self._annotations]
        if sum(map(len, notes)) > REMEMBERED:
            return self._fresh(alert, moment)
        asked = self._labels
        labels = tuple([item for item in alert.labels.items() if item[0] in asked])
        known = (labels, alert.source, moment.state, *notes)
        verdict = self._verdicts.get(known)
        if verdict is None:
            verdict = self._fresh(alert, moment)
            if verdict.key.pairs[0][0] != ALONE:
                if len(self._verdicts) >= VERDICTS:
                    self._verdicts.clear()
                self._verdicts[known] = verdict
        return verdict

    def explain(self, alert: Alert, now: datetime) -> tuple[Verdict, tuple[Tried, ...]]:
        """What `judge` says, with every rule in order: what failed, or what it set; later ones were not tried."""
        seen = self._seen(alert, self._look(now))
        trace: list[Tried] = []
        matched: list[Rule] = []
        for rule, failing in self._try(seen, self.rules):
            if failing is None:
                matched.append(rule)
                trace.append(Tried(rule=rule.name, matched=True, sets=rule.sets(), because=rule.because))
            else:
                trace.append(Tried(rule=rule.name, matched=False, failed=failing[0], saw=failing[1]))
        for rule in self.rules[len(trace) :]:
            failed = f"not tried: {matched[-1].name} was the last"
            trace.append(Tried(rule=rule.name, matched=False, failed=failed))
        return self._verdict(seen, matched), tuple(trace)

    def grown(self, verdict: Verdict, held: Collection[str]) -> Verdict:
        """The verdict made graver by those growth conditions of its matched rules that are in `held`."""
        growths = [self._growths[ref] for ref in verdict.growing if ref in held and ref in self._growths]
        impact = _gravest([verdict.impact, *(growth.impact for growth in growths)]) or verdict.impact
        urgency = _gravest([verdict.urgency, *(growth.urgency for growth in growths)]) or verdict.urgency
        because = [
            growth.because
            for growth in growths
            if (impact is not verdict.impact and growth.impact is impact)
            or (urgency is not verdict.urgency and growth.urgency is urgency)
        ]
        return replace(
            verdict,
            impact=impact,
            urgency=urgency,
            severity=_limited(self.matrix[impact][urgency], verdict.at_most),
            because=_distinct((*verdict.because, *because)),
        )

    def _repositories_of(self, service: str, team: str) -> Iterator[str | None]:
        """Those of the service and of the team, the nearer one first."""
        if service in self.services:
            yield self.services[service].repository
        if team in self.teams:
            yield self.teams[team].repository

    def _look(self, now: datetime) -> _Moment:
        is_open = {name: self.calendars[name].is_open(now) for name in self._calendars}
        state = (bisect_right(self._ends, now), *is_open.values())
        moment = _Moment(now=now, open=is_open, state=state)
        if len(self._moments) >= MOMENTS:
            self._moments.clear()
        self._moments[now] = moment
        return moment

    def _seen(self, alert: Alert, moment: _Moment) -> Seen:
        service = self.catalogue.service_of(alert.labels)
        facts = self.catalogue.facts_of(service)
        return Seen(alert=alert, service=service, facts=facts, now=moment.now, open=moment.open)

    def _fresh(self, alert: Alert, moment: _Moment) -> Verdict:
        seen = self._seen(alert, moment)
        facts = self._service_facts.get(seen.service, ())
        candidates = self._sieve.candidates(alert.labels.items(), facts, ((_SOURCE, alert.source),))
        tried = self._try(seen, map(self.rules.__getitem__, candidates))
        return self._verdict(seen, [rule for rule, failing in tried if failing is None])

    def _try(self, seen: Seen, rules: Iterable[Rule]) -> Iterator[tuple[Rule, tuple[str, str] | None]]:
        for rule in rules:
            failing = rule.failing(seen)
            yield rule, failing
            if failing is None and rule.ends:
                return

    def _verdict(self, seen: Seen, matched: Sequence[Rule]) -> Verdict:
        default, alert = self.default, seen.alert
        impact = _gravest([rule.impact for rule in matched]) or default.impact
        urgency = _gravest([rule.urgency for rule in matched]) or default.urgency
        at_most = _lightest([rule.at_most for rule in matched])
        uncapped = self.matrix[impact][urgency]
        severity = _limited(uncapped, at_most)
        because = [
            rule.because
            for rule in matched
            if rule.impact is impact
            or rule.urgency is urgency
            or (rule.at_most is at_most and severity is not uncapped)
        ]
        category = _first([rule.category for rule in matched]) or default.category
        team = _first([rule.team for rule in matched]) or seen.facts["team"][0] or default.team
        key = _first([rule.key for rule in matched]) or self.key
        said = [rule.restricted for rule in matched if rule.restricted is not None]
        return Verdict(
            impact=impact,
            urgency=urgency,
            severity=severity,
            category=category,
            service=seen.service,
            team=team,
            key=incident_key(key, alert, service=seen.service, team=team, category=category),
            at_most=at_most,
            matched=tuple([rule.name for rule in matched]),
            because=_distinct(because),
            growing=tuple([growth.ref for rule in matched for growth in rule.grows]),
            dropped=matched[-1].drop if matched else None,
            delay=_first([rule.delay for rule in matched]),
            close=_first([rule.close for rule in matched]),
            repository=_first([*(rule.repository for rule in matched), *self._repositories_of(seen.service, team)]),
            labels=_distinct([label for rule in matched for label in rule.labels]),
            restricted=any(said) if said else category is Category.SECURITY,
        )


def _first(values: Iterable[T | None]) -> T | None:
    for value in values:
        if value is not None:
            return value
    return None


def _gravest(values: Iterable[R | None]) -> R | None:
    gravest = None
    for value in values:
        if value is not None and (gravest is None or value.graver_than(gravest)):
            gravest = value
    return gravest


def _lightest(values: Iterable[Severity | None]) -> Severity | None:
    lightest = None
    for value in values:
        if value is not None and (lightest is None or lightest.graver_than(value)):
            lightest = value
    return lightest


def _limited(severity: Severity, at_most: Severity | None) -> Severity:
    return at_most if at_most is not None and severity.graver_than(at_most) else severity


def _distinct(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, words)))


def _needs(rule: Rule) -> list[Need]:
    """The needs (see Sieve) of a rule: label needs, and likewise of its service's facts and its source."""
    needs: list[Need] = [*label_needs(rule.match)]
    needs += [(("service", name), matcher) for name, matcher in label_needs(rule.service)]
    return needs + [(_SOURCE, matcher) for _, matcher in label_needs(rule.source)]


def _service_facts(service: Service) -> tuple[tuple[Name, str], ...]:
    return tuple([(("service", name), value) for name in FACTS for value in service.facts[name]])
